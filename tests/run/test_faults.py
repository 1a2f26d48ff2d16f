"""Faults of the machine: the n-th call fails, for every n, and nothing hangs, lies or stays."""

import errno
import os
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from harness.bundle import MANIFEST, Bundle
from harness.ledger import read_ledger
from harness.run.conductor import run_one
from harness.run.interrupt import Interrupt
from harness.run.order import RunResult
from harness.run.submission import SubmissionError
from harness.score.run.cost import run_score
from harness.storage import sha256_file
from tests.run.made import Folder, Silent

pytestmark = pytest.mark.faults


class Failing:
    """Lets calls of one function through until the n-th, which fails; later ones may, too."""

    def __init__(self, real: Callable[..., Any], nth: int, code: int, *, for_good: bool) -> None:
        self._real = real
        self._nth = nth
        self._code = code
        self._for_good = for_good
        self.calls = 0

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.calls += 1
        if self.calls == self._nth or (self._for_good and self.calls > self._nth):
            raise OSError(self._code, os.strerror(self._code))
        return self._real(*arguments, **named)

    @property
    def struck(self) -> bool:
        return self.calls >= self._nth


def own_children() -> str:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().strip()


def own_fds() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def check_disk(results: Path) -> None:
    """Every manifest is true, and every ledger row of an end names a manifest that is there."""
    for path in results.rglob(MANIFEST):
        bundle = Bundle(path.parent, checked=True)
        listed = {file.path: file.sha256 for file in bundle.manifest.files}
        there = [
            element for element in path.parent.rglob("*") if element.is_file() and element != path
        ]
        assert listed == {
            item.relative_to(path.parent).as_posix(): sha256_file(item) for item in there
        }
        assert bundle.run.status == bundle.manifest.status
        assert [event.seq for event in bundle.events()] == list(range(len(list(bundle.events()))))
    for path in results.glob("ledgers/*.jsonl"):
        for row in read_ledger(path):
            if row.kind == "finished":
                sealed = Bundle(results / row.bundle)
                assert (sealed.manifest_sha256, sealed.run.status) == (
                    row.manifest_sha256,
                    row.status,
                )


def attempt(folder: Folder) -> RunResult | None:
    """One run of an honest submission; None where the harness gave up with an OSError."""
    before = (own_fds(), own_children())
    try:
        order = folder.order()
    except SubmissionError as error:
        if "cannot be read: " not in str(error):
            raise
        return None  # told as the machine's fault
    try:
        outcome = run_one(order, Silent(), Interrupt())
    except OSError:
        outcome = None
    assert own_children() == before[1], "a process stayed"
    assert own_fds() == before[0], "a descriptor leaked"
    return outcome


def check(outcome: RunResult | None) -> None:
    """An honest submission is never blamed for what the machine did."""
    if outcome is None:
        return
    assert outcome.run.status in ("ok", "aborted"), outcome.run.reason
    if outcome.run.status == "aborted":
        assert outcome.run.window.ended_by == "fault"
        assert outcome.run.reason.startswith("the harness could not continue: ")


CALLS = {"write": errno.ENOSPC, "fsync": errno.EIO, "replace": errno.EIO, "open": errno.EMFILE}


STRIDE = {"write": 3, "fsync": 3, "replace": 1, "open": 4}
"""Every n was tried once; neighbours share their fate, and a run takes a third of a second."""


@pytest.mark.parametrize("name", CALLS)
def test_nth_call_fails(name: str, folder: Folder, monkeypatch) -> None:
    real, code = getattr(os, name), CALLS[name]
    for nth in count(1, STRIDE[name]):
        failing = Failing(real, nth, code, for_good=False)
        with monkeypatch.context() as patch:
            patch.setattr(os, name, failing)
            outcome = attempt(folder)
        check(outcome)
        check_disk(folder.results)
        if not failing.struck:
            break
    assert nth > 5, "the run makes such calls"
    assert outcome is not None
    assert outcome.run.status == "ok", "and without a fault it goes well in the same folder"


@pytest.mark.parametrize("nth", [3, 10, 13, 18, 24, 31])
def test_disk_that_stays_full_from_the_nth_write_on(nth: int, folder: Folder, monkeypatch) -> None:
    failing = Failing(os.write, nth, errno.ENOSPC, for_good=True)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", failing)
        outcome = attempt(folder)
    assert failing.struck
    assert outcome is None, "what cannot be sealed is not reported as a run"
    assert not list(folder.results.rglob(MANIFEST))
    check_disk(folder.results)


@pytest.mark.parametrize("pieces", [1, 7, 60])
def test_short_writes_lose_nothing(pieces: int, folder: Folder, monkeypatch) -> None:
    """A write may take fewer bytes than it was given, without an error."""
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, data: real(fd, bytes(data[: max(1, pieces)])))
        # A launcher's plan is small enough for pipes and memory to take it whole.
        patch.setattr("harness.launchers._without_namespace.os", _Whole(real))
        outcome = attempt(folder)
    assert outcome is not None
    assert outcome.run.status == "ok", outcome.run.reason
    check_disk(folder.results)


class _Whole:
    """The module `os` with the real `write`."""

    def __init__(self, write: Callable[..., int]) -> None:
        self.write = write

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)


def test_a_damaged_ledger_starts_nothing(folder: Folder) -> None:
    assert attempt(folder) is not None
    (ledger,) = folder.results.glob("ledgers/*.jsonl")
    ledger.write_bytes(ledger.read_bytes().replace(b"tiny", b"tidy", 1))
    before = sorted(folder.results.rglob("*"))
    with pytest.raises(ValueError, match=r"\.jsonl:1: the row's hash does not match"):
        run_one(folder.order(), Silent(), Interrupt())
    assert sorted(folder.results.rglob("*")) == before, "the folder was taken back"


def test_results_that_cannot_be_written_start_nothing(folder: Folder) -> None:
    folder.results.write_text("a file where a folder belongs")
    with pytest.raises(OSError, match=r"[Ff]ile exists|Not a directory"):
        run_one(folder.order(), Silent(), Interrupt())
    assert own_children() == ""


@pytest.mark.parametrize("when", ["starting the sandbox", "training", "evaluating"])
def test_whatever_breaks_in_the_harness_is_sealed_and_raised(when: str, folder: Folder) -> None:
    class Breaking(Silent):
        def phase(self, text: str) -> None:
            if text.startswith(when):
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_one(folder.order(), Breaking(), Interrupt())
    check_disk(folder.results)
    (manifest,) = folder.results.rglob(MANIFEST)
    run = Bundle(manifest.parent).run
    assert (run.status, run.window.ended_by) == ("aborted", "fault")
    assert own_children() == ""


def test_sampler_that_dies_costs_the_joules_and_not_the_run(folder: Folder) -> None:
    """The training is judged; what was read until then is kept, and no joule is made of it."""
    import signal

    class Killing(Silent):
        def phase(self, text: str) -> None:
            if text == "training":
                (sampler,) = _samplers()
                os.kill(sampler, signal.SIGKILL)

    outcome = run_one(folder.order("entry", meters=("fake:watts=50",)), Killing(), Interrupt())
    run = outcome.run
    assert run.status == "degraded"
    assert "the sampler ended without its report (reached the target" in run.reason
    assert (
        next(finding.rule for finding in run.findings if finding.level == "fail") == "sampler-gone"
    )
    bundle = Bundle(outcome.bundle)
    assert bundle.evaluation is not None
    assert bundle.evaluation.values[-1].value is not None
    score = run_score(bundle, bundle.ruleset, folder.results)
    assert score.energy.energy_j is None, "a trace that ends before the run is no measurement of it"
    assert score.time_s is not None
    check_disk(folder.results)
    assert own_children() == ""


def _samplers() -> list[int]:
    pids = map(int, own_children().split())
    return [pid for pid in pids if b"sampler" in Path(f"/proc/{pid}/cmdline").read_bytes()]
