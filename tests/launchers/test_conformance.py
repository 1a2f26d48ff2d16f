"""One suite for all launchers, as root if the tests run as root, and as an unprivileged user."""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import harness
from harness import registry
from harness.launchers import _identity
from harness.launchers.interpreter import python_paths
from tests.launchers import programs, scenarios

LAUNCHERS = ("bubblewrap", "landlock", "plain")
ROOT = os.geteuid() == 0
WHO = ("root", "unprivileged") if ROOT else ("unprivileged",)
FREE_UID = 54321
KILL_S = 30.0
"""Half a second on an idle machine; 14 s were seen where a fork bomb had a third of one core."""
EPERM = 1

Play = Callable[..., dict[str, Any]]
_PROBED: dict[tuple[str, str], dict[str, Any]] = {}


def _runs(python: str) -> bool:
    """Whether another user can run this interpreter, and it is new enough."""
    check = "import sys; sys.exit(sys.version_info < (3, 11))"
    command = [*scenarios.drop_to(FREE_UID), python, "-I", "-c", check]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@cache
def _open_python() -> str | None:
    candidates = (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3")
    return next((path for path in candidates if Path(path).exists() and _runs(path)), None)


@pytest.fixture(scope="session")
def open_copy() -> Iterator[Path]:
    """The launchers and what they import, where every user can read them."""
    top = Path(tempfile.mkdtemp(prefix="conformance-"))
    package = Path(harness.__file__).parent
    shutil.copytree(package / "launchers", top / "harness" / "launchers")
    for name in ("__init__", "clock", "errors", "plugins", "registry", "storage"):
        shutil.copy(package / f"{name}.py", top / "harness")
    played = top / "tests" / "launchers"
    played.mkdir(parents=True)
    for name in ("scenarios", "programs"):
        shutil.copy(Path(__file__).with_name(f"{name}.py"), played)
    for path in (top, *top.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    yield top
    shutil.rmtree(top)


def _elsewhere(top: Path, who: str, words: list[str]) -> dict[str, Any]:
    """Play in another process, by a Python that every user can run."""
    python = _open_python()
    if python is None:
        pytest.skip("no Python 3.11 that another user can run (apt-get install python3)")
    home = Path(tempfile.mkdtemp(prefix="scratch-"))
    home.chmod(0o777)
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(top), "TMPDIR": str(home)}
    dropped = scenarios.drop_to(FREE_UID) if who == "unprivileged" else ()
    command = [*dropped, python, str(top / "tests" / "launchers" / "scenarios.py"), *words]
    try:
        # A new session, so that the suite's terminal and its signals are not shared.
        done = subprocess.run(
            command, env=env, capture_output=True, text=True, check=False, start_new_session=True
        )
        assert done.returncode == 0, done.stderr
        assert not list(home.glob("joulemark-*")), "a launcher left files behind"
    finally:
        shutil.rmtree(home)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _in_process(name: str, words: list[str]) -> dict[str, Any]:
    launcher = registry.find("launchers", name).value
    result = getattr(scenarios, words[0])(launcher, *words[1:])
    answer: dict[str, Any] = json.loads(json.dumps(result))
    return answer


@pytest.fixture(params=[(name, who) for name in LAUNCHERS for who in WHO], ids="-".join)
def case(request: pytest.FixtureRequest) -> tuple[str, str]:
    name, who = request.param
    return name, who


def needs_another_python(name: str) -> bool:
    """Root's Landlock gives the command a user of its own, who may not see root's interpreter."""
    return name == "landlock" and bool(_identity.unreachable(python_paths()))


@pytest.fixture
def play(case: tuple[str, str], open_copy: Path) -> Play:
    name, who = case
    here = not ROOT or (who == "root" and not needs_another_python(name))

    def run(scenario: str, *words: str) -> dict[str, Any]:
        if here:
            return _in_process(name, [scenario, *words])
        return _elsewhere(open_copy, who, [name, scenario, *words])

    if case not in _PROBED:
        _PROBED[case] = run("probe")
    if not _PROBED[case]["ok"]:
        pytest.skip(f"{name}: {_PROBED[case]['reason']}")
    return run


def test_sees_only_itself(case: tuple[str, str], play: Play) -> None:
    seen = play("looks_around")
    name, _ = case
    assert seen["code"] == 0
    assert seen["fds"] == sorted({0, 1, 2, seen["passed"]})
    assert seen["stdin"] == ""
    assert (seen["version"], seen["prefix"]) == (seen["outer_version"], seen["outer_prefix"])
    assert seen["argv"] == [seen["inside_source"]]
    assert seen["source"] == ["train.py"]
    assert seen["uid"] == seen["sandbox_uid"]
    if name == "bubblewrap":
        assert seen["inside_source"] == "/sub"
        # Process 1 is bubblewrap's own; the command is the second and there is no third.
        assert seen["pids"] == [1, 2]
        assert not {"home", "var", "run", "sys", "boot", "opt"} & set(seen["root"])


def test_environment_is_what_was_asked_for(case: tuple[str, str], play: Play) -> None:
    seen = play("looks_around")
    own = {key: seen["env"][key] for key in seen["env"] if key not in {"PWD", "LC_CTYPE"}}
    assert own.pop("OWN") == "1 = one"
    assert set(own) == {"PATH", "HOME", "TMPDIR", "USER", "LOGNAME", "LANG"}
    assert own["HOME"] == own["TMPDIR"] == seen["cwd"]
    if case[0] != "plain":
        assert "secret-of-the-conductor" not in seen["environ_1"]


def test_has_no_rights(case: tuple[str, str], play: Play) -> None:
    seen = play("looks_around")
    name, who = case
    if name == "plain":
        assert seen["uid"] == seen["outer_uid"] or seen["uid"] in range(61184, 65520)
        return
    assert {int(mask, 16) for mask in seen["caps"].values()} == {0}
    assert (seen["no_new_privs"], seen["seccomp"]) == ("1", "2")
    assert seen["groups"] in ([], [seen["gid"]])
    if who == "root":
        assert seen["uid"] != 0 or "uid" in seen["unmet"]
    if name == "bubblewrap" and who == "root":
        assert seen["uid"] == seen["gid"]
        assert seen["uid"] in range(61184, 65520)


def test_every_sandbox_of_root_has_another_user(case: tuple[str, str], play: Play) -> None:
    if case != ("bubblewrap", "root"):
        pytest.skip("users are given by root's bubblewrap alone")
    users = {play("looks_around")["uid"] for _ in range(4)}
    assert len(users) > 1


def test_makes_no_namespaces(case: tuple[str, str], play: Play) -> None:
    if case[0] == "plain":
        pytest.skip("plain isolates nothing")
    made = play("makes_namespaces")
    assert made.pop("code") == 0
    assert made == dict.fromkeys(made, EPERM)


def test_has_no_network(case: tuple[str, str], play: Play) -> None:
    if case[0] == "plain":
        pytest.skip("plain isolates nothing")
    result = play("uses_network")
    assert result.pop("pair") == "x"
    assert result.pop("code") == 0
    # A network namespace has a loopback of its own, which torch.distributed needs.
    own = ("inet", "inet6", "netlink") if case[0] == "bubblewrap" else ()
    assert {result.pop(name) for name in own} <= {"open"}
    assert "open" not in result.values()


def test_writes_in_its_scratch_alone(case: tuple[str, str], play: Play) -> None:
    if case[0] == "plain":
        pytest.skip("plain isolates nothing")
    result = play("writes_everywhere")
    assert result["tried"] > 10
    if case[0] == "bubblewrap":
        own = {item for item in result["written"] if item.startswith("/tmp/")}
        assert set(result["written"]) - own == {"/tmp", "/dev/shm"}
    else:
        assert len(result["written"]) == 1


def test_masks_and_hides(case: tuple[str, str], play: Play) -> None:
    result = play("reads_around")
    name = case[0]
    assert result["given/open/file"] == result["link/open/file"] == "given/open"
    masked = [result[key] for key in ("given/masked/file", "given/masked/deep/file")]
    masked += [result["link/masked/file"], result["secret/file"]]
    if name == "plain":
        assert "masks" in result["unmet"]
        assert masked[0] == "masked"
    else:
        assert "masks" not in result["unmet"]
        assert all(item.startswith("refused") for item in masked)
    if name == "bubblewrap":
        assert result["given/masked"] == []


def test_output_can_be_opened_by_name(case: tuple[str, str], play: Play) -> None:
    if case[0] == "landlock":
        pytest.skip("Landlock grants no /dev/stdout: what it points to has no path")
    assert play("reopens_its_output") == {"text": "up\n", "code": 0}


def test_exit_codes_and_signals(case: tuple[str, str], play: Play) -> None:
    """Bubblewrap reports signal n as 128 + n: both are told, and either may be true."""
    both = case[0] == "bubblewrap"
    assert play("ends_by_itself") == {
        "zero": [0, None],
        "seven": [7, None],
        "raises": [1, None],
        "term": [143 if both else None, 15],
        "segv": [139 if both else None, 11],
        "143": [143, 15 if both else None],
    }


def test_the_end_of_the_first_is_the_end_of_all(play: Play) -> None:
    result = play("daemons_at_the_end")
    assert result == {"code": 0, "left": []}


@pytest.mark.parametrize("tree", sorted(programs.TREES))
def test_kill(play: Play, tree: str) -> None:
    least = 100 if tree == "bomb" else 3
    result = play("is_killed", tree, str(least))
    assert result["before"] >= least
    assert result["left"] == []
    assert (result["code"], result["signal"]) == (None, 9)
    assert result["dead_s"] < KILL_S
    assert result["again"] is True


def test_reaping_the_living_times_out(play: Play) -> None:
    result = play("outlives_the_time")
    assert "0.1 s" in result["said"]
    assert result["signal"] == 9


def test_cpu_time_of_children_counts(play: Play) -> None:
    result = play("counts_cpu")
    peak_bytes = result.pop("peak_bytes")
    assert 1 << 20 < peak_bytes < 100 << 20
    for name, cpu_s in result.items():
        assert 0.29 < cpu_s < 0.6, name
    assert result["reaped_killed"] >= result["reaped"]
    assert result["living_killed"] >= result["living"]


def test_cpu_time_never_falls(play: Play) -> None:
    result = play("cpu_series")
    series = result["series"]
    assert len(series) > 10
    assert series == sorted(series)
    assert result["claimed"] - 0.02 <= result["last"] <= result["final"]
    assert result["final"] < result["claimed"] + 0.1


def test_peak_memory(play: Play) -> None:
    """The figure of a child starts at the size of the process that forked it."""
    own_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    result = play("peak_memory")
    for name, peak_bytes in result.items():
        if peak_bytes is None:
            assert own_bytes >= 150 << 20, f"{name}: unknown, though it stood out"
        else:
            assert 150 << 20 <= peak_bytes < 200 << 20, name


def test_limits(case: tuple[str, str], play: Play) -> None:
    result = play("reaches_limits")
    assert result["core"] == [0, 0]
    assert result["file"] == result["memfd"] == "EFBIG"
    assert result["files"] == "EMFILE"
    assert result["forks"] == "EAGAIN" or "processes" in result["unmet"]
    if case[0] == "bubblewrap":
        assert "processes" not in result["unmet"]
    assert result["signal"] == 9


def _may_bind_for_good() -> bool:
    """Whether our root has CAP_SYS_RESOURCE (bit 24), which some containers leave out."""
    status = Path("/proc/self/status").read_text()
    return ROOT and bool(int(status.partition("CapEff:")[2].split()[0], 16) >> 24 & 1)


def test_goes_first_where_the_machine_s_memory_ends(case: tuple[str, str], play: Play) -> None:
    """It is killed before the conductor and the sampler; a value set by full root stays."""
    seen = play("looks_around")
    assert seen["oom"] == "1000\n"
    if case[1] == "root" and _may_bind_for_good() and seen["uid"] != 0:
        assert (seen["lowered"], seen["now"]) == ("PermissionError", "1000\n")


def test_scratch_has_a_size(case: tuple[str, str], play: Play) -> None:
    if case[0] != "bubblewrap":
        assert "tmp_bytes" in play("looks_around")["unmet"]
        return
    result = play("fills_scratch")
    assert result == {"/tmp": "ENOSPC", "/dev/shm": "ENOSPC", "code": 0}


def test_cpu_limit(play: Play) -> None:
    result = play("uses_cpu_limit")
    assert result["signal"] in (24, 9)  # SIGXCPU, then SIGKILL
    # The kernel compares ticks with the limit, which may run ahead on a busy machine.
    assert 0.5 < result["cpu_s"] < 2.5


def test_memory_limit(play: Play) -> None:
    result = play("runs_out_of_memory")
    if "memory_bytes" in result["unmet"]:
        assert (result["code"], result["oom"]) == (0, False)
    else:
        assert (result["signal"], result["oom"]) == (9, True)


def test_leaves_other_children_alone(play: Play) -> None:
    result = play("leaves_others_alone")
    assert result["codes"] == [3, 3, 4, 4]
    assert result["first"] == 9
    assert result["survivors"] >= 2
    assert (result["left"], result["ours"]) == ([], [])


def test_leaves_nothing_behind(play: Play) -> None:
    result = play("keeps_descriptors")
    assert result["before"] == result["after"]
    assert result["ours"] == []


def test_a_missing_program_is_named(play: Play) -> None:
    result = play("has_no_such_program")
    assert "/nonexistent/program" in result["said"]
    assert result.get("code") in (None, 126, 127)


def test_dies_with_the_conductor(play: Play) -> None:
    result = play("dies_with_the_conductor")
    assert result["before"] >= 2
    assert result["left"] == []
