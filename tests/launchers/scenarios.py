"""What a launcher is put through; each scenario returns plain values for a test to judge.

Also a program: `python scenarios.py LAUNCHER SCENARIO` prints them as JSON, for another user.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness import registry
from harness.clock import NS_PER_S, now_ns
from harness.launchers._tree import all_processes, descendants
from harness.plugins import Limits, Sandbox, SandboxRequest
from tests.launchers import programs

Values = dict[str, Any]
PATIENCE_S = 60.0
"""What takes longer is taken for hung, also where dozens of processes share two processors."""

# --- the machinery --------------------------------------------------------------------------------


class Run:
    """A started sandbox and its standard output."""

    def __init__(self, launcher: Any, program: str, *words: str, **fields: Any) -> None:
        self.folder = tempfile.TemporaryDirectory(dir=fields.pop("folder", None))
        source = Path(self.folder.name)
        source.chmod(0o755)
        (source / "train.py").write_text("print('trained')\n")
        reading, writing = os.pipe()
        command = fields.pop("command", (sys.executable, "-I", "-c", program, *words))
        fields.setdefault("stderr", writing)
        try:
            self.sandbox: Sandbox = launcher.launch(
                SandboxRequest(
                    command=command,
                    source=fields.pop("source", source),
                    stdout=writing,
                    **fields,
                )
            )
        except BaseException:
            os.close(reading)
            self.folder.cleanup()
            raise
        finally:
            os.close(writing)
        self.output = open(reading, "rb")  # noqa: SIM115, PTH123 - a descriptor, closed with the object

    def first_line(self) -> str:
        return self.output.readline().decode()

    def reap(self) -> Any:
        try:
            return self.sandbox.reap(PATIENCE_S)
        finally:
            self.output.close()
            self.folder.cleanup()

    def finish(self) -> tuple[str, Any]:
        text = self.output.read().decode("utf-8", "replace")
        return text, self.reap()

    def answer(self) -> Values:
        text, ended = self.finish()
        try:
            return {**json.loads(text), "code": ended.code}
        except json.JSONDecodeError as error:
            raise AssertionError(f"{ended}: {text}") from error


def alive(token: str) -> list[int]:
    """Processes with a word in their command line, zombies apart."""
    result = []
    for item in all_processes():
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{item.pid}/cmdline").read_bytes()
            if token.encode() in words and item.pid != os.getpid():
                result.append(item.pid)
    return result


def now_s() -> float:
    return now_ns() / NS_PER_S


def token() -> str:
    return f"joulemark-token-{os.getpid()}-{now_ns()}"


# --- scenarios ------------------------------------------------------------------------------------


def probe(launcher: Any) -> Values:
    result = launcher.probe()
    return {"ok": result.ok, "reason": result.reason}


def looks_around(launcher: Any) -> Values:
    """What a command sees of itself and of its surroundings."""
    one, two = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    spare = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(spare, True)
    os.environ["JOULEMARK_TEST_SECRET"] = "secret-of-the-conductor"
    with one, two:
        run = Run(
            launcher, programs.LOOK, "{source}", env={"OWN": "1 = one"}, pass_fds=(two.fileno(),)
        )
        sandbox = run.sandbox
        values = {**run.answer(), "passed": two.fileno(), "spare": spare}
    os.close(spare)
    return {
        **values,
        "outer_uid": os.getuid(),
        "sandbox_uid": sandbox.uid,
        "inside_source": sandbox.inside_source,
        "unmet": sandbox.unmet,
        "outer_version": sys.version,
        "outer_prefix": sys.prefix,
    }


def makes_namespaces(launcher: Any) -> Values:
    return Run(launcher, programs.NAMESPACES).answer()


def uses_network(launcher: Any) -> Values:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return Run(launcher, programs.NETWORK, str(server.getsockname()[1])).answer()


def writes_everywhere(launcher: Any) -> Values:
    return Run(launcher, programs.WRITE).answer()


def reads_around(launcher: Any) -> Values:
    """A granted folder with a masked one in it, its sibling, and a secret beside."""
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        top.chmod(0o755)
        for part in ("given/open", "given/masked/deep", "secret"):
            (top / part).mkdir(parents=True)
            (top / part / "file").write_text(part)
        (top / "given" / "masked" / "file").write_text("masked")
        (top / "link").symlink_to(top / "given")
        words = ["given/open/file", "given/masked", "given/masked/file", "given/masked/deep/file"]
        words += ["secret/file", "link/masked/file", "link/open/file"]
        run = Run(
            launcher,
            programs.READ,
            *(str(top / word) for word in words),
            readable=(top / "given", top / "link"),
            masks=(top / "given" / "masked",),
        )
        unmet = run.sandbox.unmet
        values = run.answer()
        values = {key.removeprefix(f"{name}/"): value for key, value in values.items()}
        return {**values, "unmet": unmet}


def reopens_its_output(launcher: Any) -> Values:
    text, ended = Run(launcher, "", command=("/bin/sh", "-c", "echo up > /dev/stdout")).finish()
    return {"text": text, "code": ended.code}


def ends_by_itself(launcher: Any) -> Values:
    codes = {}
    for name, text in {
        "zero": "pass",
        "seven": "raise SystemExit(7)",
        "raises": "1 / 0",
        "term": "import os; os.kill(os.getpid(), 15)",
        "segv": "import os; os.kill(os.getpid(), 11)",
        "143": "raise SystemExit(143)",
    }.items():
        _, ended = Run(launcher, text).finish()
        codes[name] = (ended.code, ended.signal)
    return codes


def daemons_at_the_end(launcher: Any) -> Values:
    """The first process ends; those that left its session do not."""
    mark = token()
    program = programs.DAEMONS.replace("while True:\n    time.sleep(100)", "time.sleep(0.2)")
    run = Run(launcher, program, mark)
    ended = run.reap()
    return {"code": ended.code, "left": alive(mark)}


def is_killed(launcher: Any, tree: str, least: str) -> Values:
    mark = token()
    run = Run(launcher, programs.TREES[tree], mark, limits=Limits(processes=150))
    run.first_line()
    before, deadline = 0, now_s() + PATIENCE_S
    while before < int(least) and now_s() < deadline:
        time.sleep(0.3)
        # Not by command lines: to read one waits for a lock that a process holds while it forks.
        before = len(descendants(run.sandbox.root))  # type: ignore[attr-defined]
    started = now_s()
    run.sandbox.kill()
    returned = now_s()
    ended = run.reap()
    return {
        "before": before,
        "left": alive(mark),
        "code": ended.code,
        "signal": ended.signal,
        "return_s": returned - started,
        "dead_s": now_s() - started,
        "again": run.sandbox.reap(0.0) == ended,
    }


def outlives_the_time(launcher: Any) -> Values:
    run = Run(launcher, "import time; print('up', flush=True); time.sleep(1000)")
    run.first_line()
    try:
        run.sandbox.reap(0.1)
        said = ""
    except TimeoutError as error:
        said = str(error)
    run.sandbox.kill()
    return {"said": said, "signal": run.reap().signal}


def counts_cpu(launcher: Any) -> Values:
    """A child that burnt 0.3 s: waited for, then alive, then killed."""
    waited = programs.BURN + "if os.fork() == 0:\n    burn(0.3)\n    os._exit(0)\nos.wait()\n"
    living = programs.BURN + "if os.fork() == 0:\n    burn(0.3)\n    print('up', flush=True)\n"
    living += "time.sleep(1000)\n"
    ended_by_itself = Run(launcher, waited).reap()
    run = Run(launcher, waited + "print('up', flush=True)\ntime.sleep(1000)")
    run.first_line()
    reaped_s = run.sandbox.cpu_s()
    run.sandbox.kill()
    reaped_killed = run.reap()
    run = Run(launcher, living)
    run.first_line()
    living_s = run.sandbox.cpu_s()
    run.sandbox.kill()
    living_killed = run.reap()
    return {
        "ended": ended_by_itself.cpu_s,
        "reaped": reaped_s,
        "reaped_killed": reaped_killed.cpu_s,
        "living": living_s,
        "living_killed": living_killed.cpu_s,
        "peak_bytes": living_killed.peak_rss_bytes,
    }


def cpu_series(launcher: Any) -> Values:
    """Many short children while somebody keeps asking, against the kernel's own account."""
    program = programs.BURN + (
        "import json, resource\n"
        "for _ in range(15):\n    if os.fork() == 0:\n        burn(0.02)\n        os._exit(0)\n"
        "    os.wait()\n"
        "used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF,"
        " resource.RUSAGE_CHILDREN)]\n"
        "print(sum(usage.ru_utime + usage.ru_stime for usage in used), flush=True)\n"
        "time.sleep(1000)\n"
    )
    run = Run(launcher, program)
    series: list[float] = []
    done = threading.Event()

    def ask() -> None:
        while not done.wait(0.01) or len(series) <= 10:
            series.append(run.sandbox.cpu_s() or 0.0)

    asking = threading.Thread(target=ask)
    asking.start()
    claimed = float(run.first_line())
    done.set()
    asking.join()
    last = run.sandbox.cpu_s()
    run.sandbox.kill()
    return {"series": series, "claimed": claimed, "last": last, "final": run.reap().cpu_s}


def peak_memory(launcher: Any) -> Values:
    hold = "block = bytearray(150 * 2**20)\nblock[::4096] = b'x' * len(block[::4096])\n"
    by_itself = Run(launcher, hold).reap()
    run = Run(launcher, hold + "import time\nprint('up', flush=True)\ntime.sleep(1000)")
    run.first_line()
    run.sandbox.kill()
    killed = run.reap()
    run = Run(launcher, programs.UNSEEN_END, "{source}")
    run.first_line()
    run.sandbox.cpu_s()
    (Path(run.folder.name) / "go").touch()
    run.first_line()
    run.sandbox.kill()
    return {
        "ended": by_itself.peak_rss_bytes,
        "killed": killed.peak_rss_bytes,
        "seen": run.reap().peak_rss_bytes,
    }


def reaches_limits(launcher: Any) -> Values:
    program = """
import errno, json, os, resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
answers = {"core": resource.getrlimit(resource.RLIMIT_CORE)}
def said(what):
    try:
        what()
        return "nothing"
    except OSError as error:
        return errno.errorcode[error.errno]
def write():
    with open(os.path.join(os.environ["HOME"], "big"), "wb") as file:
        for _ in range(3):
            file.write(b"x" * 2**20)
            file.flush()
def keep():
    descriptor = os.memfd_create("big")
    os.ftruncate(descriptor, 3 * 2**20)
def opens():
    kept = [os.dup(0) for _ in range(100)]
def forks():
    for _ in range(60):
        if os.fork() == 0:
            signal.pause()
answers["file"], answers["memfd"] = said(write), said(keep)
answers["files"], answers["forks"] = said(opens), said(forks)
print(json.dumps(answers), flush=True)
os.kill(0, signal.SIGKILL)
"""
    limits = Limits(file_bytes=2 << 20, open_files=64, processes=40)
    run = Run(launcher, program, limits=limits)
    unmet = run.sandbox.unmet
    return {**json.loads(run.first_line()), "unmet": unmet, "signal": run.reap().signal}


def fills_scratch(launcher: Any) -> Values:
    program = """
import errno, json, os
answers = {}
for place in ("/tmp", "/dev/shm"):
    try:
        with open(place + "/big", "wb") as file:
            for _ in range(8):
                file.write(b"x" * 2**20)
        answers[place] = "nothing"
    except OSError as error:
        answers[place] = errno.errorcode[error.errno]
print(json.dumps(answers))
"""
    return Run(launcher, program, limits=Limits(tmp_bytes=4 << 20)).answer()


def uses_cpu_limit(launcher: Any) -> Values:
    ended = Run(launcher, "while True: pass", limits=Limits(cpu_s=1)).reap()
    return {"signal": ended.signal, "cpu_s": ended.cpu_s}


def runs_out_of_memory(launcher: Any) -> Values:
    program = "block = bytearray(200 * 2**20)\nblock[::4096] = b'x' * len(block[::4096])\n"
    run = Run(launcher, program, limits=Limits(memory_bytes=100 << 20))
    unmet = run.sandbox.unmet
    ended = run.reap()
    return {"unmet": unmet, "oom": ended.oom, "code": ended.code, "signal": ended.signal}


def leaves_others_alone(launcher: Any) -> Values:
    """Children of ours that are no sandbox: their exits stay theirs, before, during and after."""
    others = [subprocess.Popen(["/bin/sh", "-c", f"sleep {delay}; exit 3"]) for delay in (0, 0.4)]
    mark = token()
    for _ in range(2):
        run = Run(launcher, programs.DAEMONS, mark)
        run.first_line()
        others.append(subprocess.Popen(["/bin/sh", "-c", "exit 4"], start_new_session=True))
        run.sandbox.kill()
        run.reap()
    together = [Run(launcher, programs.DAEMONS, mark) for _ in range(2)]
    for run in together:
        run.first_line()
    together[0].sandbox.kill()
    first = together[0].reap()
    survivors = len(alive(mark))
    together[1].sandbox.kill()
    together[1].reap()
    codes = [other.wait(5) for other in others]
    return {
        "codes": codes,
        "first": first.signal,
        "survivors": survivors,
        "left": alive(mark),
        "ours": children(),
    }


def children() -> list[int]:
    """Our own children that are still there, zombies too."""
    return [item.pid for item in all_processes() if item.parent == os.getpid()]


def keeps_descriptors(launcher: Any) -> Values:
    """How many descriptors, threads, folders and control groups ten sandboxes leave behind."""
    Run(launcher, "pass").reap()
    before = (open_files(), threading.active_count(), left_behind())
    for _ in range(5):
        Run(launcher, "pass").reap()
    with contextlib.suppress(OSError):
        Run(launcher, "", command=("/nonexistent/program",)).reap()
    after = (open_files(), threading.active_count(), left_behind())
    return {"before": before, "after": after, "ours": children()}


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def left_behind() -> int:
    groups = Path("/sys/fs/cgroup").glob(f"**/joulemark-{os.getpid()}-*")
    return len(list(groups))


def has_no_such_program(launcher: Any) -> Values:
    try:
        run = Run(launcher, "", command=("/nonexistent/program",))
    except OSError as error:
        return {"said": str(error)}
    text, ended = run.finish()
    return {"said": text, "code": ended.code}


def conductor(launcher: Any, mark: str) -> Values:
    """Starts one and waits to be killed."""
    run = Run(launcher, programs.DAEMONS, mark)
    run.first_line()
    print("up", flush=True)  # noqa: T201 - to the scenario that waits for it
    time.sleep(1000)
    return {}


def dies_with_the_conductor(launcher: Any) -> Values:
    mark = token()
    name = type(launcher).__name__.lower()
    command = [sys.executable, __file__, name, "conductor", mark]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(item for item in sys.path if item)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=env) as one:
        assert one.stdout
        one.stdout.readline()
        before = len(alive(mark))
        one.send_signal(signal.SIGKILL)
    deadline = now_s() + PATIENCE_S
    while alive(mark) and now_s() < deadline:
        time.sleep(0.02)
    return {"before": before, "left": alive(mark)}


def main() -> None:
    """Run one scenario and print what came of it."""
    launcher = registry.find("launchers", sys.argv[1]).value
    scenario: Callable[..., Values] = globals()[sys.argv[2]]
    print(json.dumps(scenario(launcher, *sys.argv[3:])))  # noqa: T201 - a program's answer


def drop_to(uid: int) -> Iterator[str]:
    """Words that run the rest of a command line as another user."""
    yield from ("setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups")
    # setpriv starts its program with root's rights on files; only the next one goes without.
    yield "/usr/bin/env"


if __name__ == "__main__":
    main()
