"""Limits on single processes: never above what holds already."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.launchers import _rlimits
from harness.plugins import Limits

SIZES = st.integers(0, 1 << 50)


@given(SIZES, st.integers(0, 1 << 20), st.integers(1, 1 << 30) | st.none())
def test_no_limit_is_raised(file_bytes: int, open_files: int, cpu_s: int | None) -> None:
    limits = Limits(file_bytes=file_bytes, open_files=open_files, cpu_s=cpu_s)
    table = _rlimits.limits_table(limits, processes=1 << 40)
    for key, (soft, hard) in table.items():
        ceiling = resource.getrlimit(key)[1]
        assert 0 <= soft <= hard
        assert ceiling == resource.RLIM_INFINITY or hard <= ceiling
    assert table[resource.RLIMIT_CORE] == (0, 0)
    assert (resource.RLIMIT_CPU in table) is (cpu_s is not None)


def test_processes_are_left_alone_where_counting_means_nothing() -> None:
    assert resource.RLIMIT_NPROC not in _rlimits.limits_table(Limits(), processes=None)
    assert _rlimits.limits_table(Limits(), processes=7)[resource.RLIMIT_NPROC] == (7, 7)


def test_are_set_on_another_process() -> None:
    program = "import resource; input(); print(resource.getrlimit(resource.RLIMIT_FSIZE))"
    command = [sys.executable, "-I", "-c", program]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as child:
        _rlimits.set_on(child.pid, _rlimits.limits_table(Limits(file_bytes=4321), processes=None))
        said, _ = child.communicate("\n")
    assert said.strip() == "(4321, 4321)"
    with pytest.raises(ProcessLookupError):
        _rlimits.set_on(child.pid, {resource.RLIMIT_CORE: (0, 0)})


def test_who_is_gone_is_no_fault() -> None:
    with subprocess.Popen(["/bin/true"]) as child:
        child.wait()
    _rlimits.prefer_for_oom_kill(child.pid)
    assert Path("/proc/self/oom_score_adj").read_text() != "1000\n"


def test_is_offered_to_the_kernel_with_all_that_it_starts() -> None:
    program = "input(); import os; os.system('cat /proc/self/oom_score_adj')"
    pipe = subprocess.PIPE
    command = [sys.executable, "-I", "-c", program]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as child:
        _rlimits.prefer_for_oom_kill(child.pid)
        said, _ = child.communicate("\n")
    assert said == "1000\n"
