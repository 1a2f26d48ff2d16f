"""Control groups of both versions, in a made tree; and real ones where this user may make them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.launchers import _cgroup
from harness.plugins import Limits

LIMITS = Limits(memory_bytes=1 << 28, processes=77)


class MadeTree:
    """Folders that look like mounted control groups; the kernel's files appear with the folder."""

    def __init__(self, top: Path, monkeypatch: pytest.MonkeyPatch, version: int) -> None:
        self.top = top
        self.version = version
        make = Path.mkdir

        def mkdir(path: Path, *words: object) -> None:
            make(path)
            for name, text in self.files(path).items():
                (path / name).write_text(text)

        def rmdir(path: Path) -> None:
            shutil.rmtree(path)

        monkeypatch.setattr(Path, "mkdir", mkdir)
        monkeypatch.setattr(Path, "rmdir", rmdir)
        names = ("memory", "pids", "cpuacct") if version == 1 else ("unified",)
        self.own = {name: top / name / "own" for name in names}
        for folder in self.own.values():
            folder.parent.mkdir()
            make(folder)
        monkeypatch.setattr(_cgroup, "_own_folders", lambda: self.own)

    def files(self, path: Path) -> dict[str, str]:
        if self.version == 2:
            control = {"memory.max": "max", "memory.swap.max": "max", "pids.max": "max"}
            events = {"memory.events": "low 0\noom 3\noom_kill 2\n", "memory.oom.group": "0"}
            cpu = {"cpu.stat": "usage_usec 1500000\nuser_usec 7\n", "cgroup.kill": ""}
            held = control if "memory" in self.handed_down(path.parent) else {}
            return {"cgroup.procs": "", **held, **events, **cpu}
        kind = path.parent.parent.name
        return {
            "cgroup.procs": "",
            **(
                {"memory.limit_in_bytes": "", "memory.oom_control": "under_oom 0\noom_kill 1\n"}
                if kind == "memory"
                else {}
            ),
            **({"pids.max": ""} if kind == "pids" else {}),
            **({"cpuacct.usage": "2500000000"} if kind == "cpuacct" else {}),
        }

    def handed_down(self, folder: Path) -> str:
        file = folder / "cgroup.subtree_control"
        return file.read_text() if file.is_file() else ""


def test_version_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    MadeTree(tmp_path, monkeypatch, 1)
    group = _cgroup.create(LIMITS, count_processes=True)
    assert group.enforced == {"memory", "pids"}
    assert (group.folders["memory"] / "memory.limit_in_bytes").read_text() == str(1 << 28)
    assert (group.folders["pids"] / "pids.max").read_text() == "77"
    group.attach(4321)
    assert {(folder / "cgroup.procs").read_text() for folder in group.folders.values()} == {"4321"}
    assert (group.cpu_s(), group.oom_kills()) == (2.5, 1)
    group.remove()
    assert not list(tmp_path.glob("*/own/joulemark-*"))


def test_version_1_makes_only_what_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    MadeTree(tmp_path, monkeypatch, 1)
    group = _cgroup.create(Limits(), count_processes=False)
    assert set(group.folders) == {"cpuacct"}
    assert group.enforced == set()


def test_version_2_goes_where_controllers_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = MadeTree(tmp_path, monkeypatch, 2)
    beside = made.own["unified"].parent
    (beside / "cgroup.subtree_control").write_text("cpu memory pids")
    group = _cgroup.create(LIMITS, count_processes=True)
    folder = group.folders["unified"]
    assert folder.parent == beside
    assert group.enforced == {"memory", "pids"}
    values = {name: (folder / name).read_text() for name in ("memory.max", "memory.swap.max")}
    assert values == {"memory.max": str(1 << 28), "memory.swap.max": "0"}
    assert (group.cpu_s(), group.oom_kills()) == (1.5, 2)
    group.kill()
    assert (folder / "cgroup.kill").read_text() == "1"


def test_version_2_without_controllers_still_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    MadeTree(tmp_path, monkeypatch, 2)
    group = _cgroup.create(LIMITS, count_processes=True)
    assert group.enforced == set()
    assert group.cpu_s() == 1.5


def test_what_cannot_be_joined_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    MadeTree(tmp_path, monkeypatch, 1)
    group = _cgroup.create(LIMITS, count_processes=True)
    procs = group.folders["memory"] / "cgroup.procs"
    procs.unlink()
    procs.symlink_to("/nonexistent/folder")
    group.attach(1)
    assert group.enforced == {"pids"}
    assert "memory" not in group.folders


def test_groups_of_dead_conductors_are_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = MadeTree(tmp_path, monkeypatch, 1)
    dead = subprocess.Popen([sys.executable, "-I", "-c", ""])
    dead.wait()
    left = made.own["pids"] / f"joulemark-{dead.pid}-0000"
    mine = made.own["pids"] / f"joulemark-{os.getpid()}-0000"
    for folder in (left, mine):
        os.mkdir(folder)  # noqa: PTH102 - not through the made tree
    _cgroup.create(LIMITS, count_processes=True)
    assert not left.exists()
    assert mine.exists()


def test_without_any_every_figure_is_missing() -> None:
    group = _cgroup.Cgroup()
    group.attach(os.getpid())
    group.kill()
    group.remove()
    assert (group.cpu_s(), group.oom_kills(), group.enforced) == (None, 0, set())


def test_paths_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = (
        "25 20 0:22 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "26 20 0:23 /slice /run/pids rw shared:9 - cgroup none rw,nosuid,pids\n"
        "27 20 0:24 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
        "28 20 0:25 / /tmp rw - tmpfs tmpfs rw\n"
    )
    own = "3:cpu,memory:/a/b\n2:pids:/slice/c\n0::/d\n"
    texts = {"/proc/self/mountinfo": mounts, "/proc/self/cgroup": own}
    monkeypatch.setattr(Path, "read_text", lambda path, **_: texts[str(path)])
    monkeypatch.setattr(Path, "is_dir", lambda path: True)
    assert _cgroup._own_folders() == {
        "memory": Path("/sys/fs/cgroup/memory/a/b"),
        "pids": Path("/run/pids/c"),
        "unified": Path("/sys/fs/cgroup/unified/d"),
    }


def test_real_groups_count_a_child() -> None:
    group = _cgroup.create(Limits(), count_processes=False)
    burn = "import time\ninput()\nwhile time.process_time() < 0.2: pass"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-I", "-c", burn], stdin=pipe) as child:
        group.attach(child.pid)
        if not group.folders:
            child.kill()
            pytest.skip("this user may make no control groups here")
        child.communicate(b"\n")
    cpu_s = group.cpu_s()
    assert cpu_s is not None
    assert 0.1 < cpu_s < 0.5
    folders = list(group.folders.values())
    group.remove()
    assert not any(folder.exists() for folder in folders)
