"""The sampler process keeps its protocol, its files and its weight."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.clock import NS_PER_S, now_ns
from harness.measure import sampler
from harness.measure.opening import Opened, open_meter, start_sessions
from harness.measure.session import MeterSession
from harness.plugins import Domain, Reader
from tests.lab.waiting import until

ROOT = Path(harness.__file__).parent.parent


class Process:
    """A sampler that is spoken to over pipes."""

    def __init__(self, folder: Path, meters: list[dict[str, Any]], **config: Any) -> None:
        self.folder = folder
        self.origin_ns = now_ns()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "harness.measure.sampler"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        )
        defaults = {"meters": meters, "period_s": 0.05, "status_period_s": 0.2}
        self.say(json.dumps(defaults | config))
        self.ready = self.hear()
        files = {f"{name}_path": str(folder / f"{name}.csv") for name in ("trace", "vitals")}
        self.say(json.dumps({"origin_ns": self.origin_ns, **files}))
        assert self.hear() == {"type": "begun"}

    def say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        heard: dict[str, Any] = json.loads(self._process.stdout.readline())
        return heard

    def finish(self, last: str = "stop") -> list[dict[str, Any]]:
        if last:
            self.say(last)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        lines = [json.loads(line) for line in self._process.stdout]
        self._process.stdout.close()
        assert self._process.wait(60) == 0
        return lines

    def rows(self) -> list[str]:
        return (self.folder / "trace.csv").read_text().splitlines()

    def stamps(self, domain: str = "") -> list[int]:
        """Of all readings so far, or of one domain's, ns."""
        cells = [row.split(",") for row in self.rows()[1:]]
        return [int(row[0]) for row in cells if not domain or row[1] == domain]

    def wait_for(self, readings: int, domain: str = "") -> list[int]:
        """Stamps, once so many readings are there: as long as a busy machine needs."""
        return until(lambda: stamps if len(stamps := self.stamps(domain)) >= readings else [])


def fake(name: str = "fake", **options: str) -> dict[str, Any]:
    return {"name": name, "target": "harness.meters.fake", "attribute": "METER", "options": options}


def test_a_run_from_ready_to_report(tmp_path):
    period_s = 0.05
    process = Process(tmp_path, [fake(domains="gpu-0+cpu-0")], period_s=period_s)
    assert process.ready["type"] == "ready"
    assert [item["name"] for item in process.ready["domains"]] == ["gpu-0", "cpu-0"]
    assert process.ready["failed"] == []
    process.wait_for(12, "cpu-0")
    lines = process.finish()
    assert [line["type"] for line in lines].count("report") == 1
    report = lines[-1]
    assert report["type"] == "report"
    status = next(line for line in lines if line["type"] == "status")
    assert {reading[1] for reading in status["readings"]} == {"gpu-0", "cpu-0"}
    rows, stamps = process.rows(), process.stamps("gpu-0")
    assert rows[0] == "t_ns,domain,energy_j,power_w,u_ns"
    assert report["readings_count"] == len(rows) - 1 == 2 * len(stamps)
    took_s = (stamps[-1] - stamps[0]) / NS_PER_S
    assert report["duration_s"] == pytest.approx(took_s, abs=1e-9)
    # Readings of an awaited update are off the grid, as are the first, one after the end, and the
    # last; a busy machine leaves places of it out.
    assert 12 <= report["reads_count"] <= min(len(stamps), took_s / period_s + 4)
    assert report["gap_max_s"] == max(b - a for a, b in itertools.pairwise(stamps)) / NS_PER_S
    assert report["jitter_p50_s"] <= report["jitter_p99_s"]
    assert 0 < report["import_cpu_s"] <= report["cpu_s"]


@pytest.mark.parametrize("period_ns", [1, NS_PER_S // 10, 60 * NS_PER_S, 30_000 * NS_PER_S])
def test_the_phase_is_drawn_from_the_whole_period(period_ns):
    drawn = [sampler.random_phase_ns(period_ns) for _ in range(400)]
    assert all(0 <= item < period_ns for item in drawn)
    tenths = {10 * item // period_ns for item in drawn}
    # One empty tenth among 400 draws happens once in 10^17 times.
    assert tenths == (set(range(10)) if period_ns > 1 else {0})


def test_a_mark_gives_a_reading_at_once(tmp_path):
    # So long a period that its random phase will not fall into this test.
    process = Process(tmp_path, [fake()], period_s=30_000.0)
    assert len(process.wait_for(1)) == 1
    asked_ns = now_ns() - process.origin_ns
    process.say("read_now")
    first, marked, *_ = process.wait_for(2)
    assert first < asked_ns <= marked <= now_ns() - process.origin_ns
    process.finish()


def test_a_conductor_that_dies_ends_the_sampler(tmp_path):
    process = Process(tmp_path, [fake()])
    lines = process.finish(last="")
    assert lines[-1]["type"] == "report"


def test_a_meter_that_does_not_open_is_reported_and_the_others_are_read(tmp_path):
    broken = {"name": "lost", "target": "harness.meters.no_such_meter", "options": {}}
    process = Process(tmp_path, [broken, fake("bad", wats="1"), fake()])
    assert [item["name"] for item in process.ready["domains"]] == ["node"]
    reasons = {item["meter"]: item["reason"] for item in process.ready["failed"]}
    assert "ModuleNotFoundError" in reasons["lost"]
    assert "unknown option 'wats'" in reasons["bad"]
    process.finish()


def test_a_meter_that_fails_leaves_a_gap_and_a_fault(tmp_path):
    process = Process(tmp_path, [fake(fault="vanish", fault_after="3"), fake("b", domains="gpu-0")])
    process.wait_for(8, "gpu-0")
    lines = process.finish()
    faults = [line for line in lines if line["type"] == "fault"]
    assert {fault["meter"] for fault in faults} == {"fake"}
    assert "gone" in faults[0]["message"]
    assert len(process.stamps("node")) == 3


def test_a_meter_that_blocks_does_not_stop_the_others(tmp_path):
    """It blocks for ten seconds; the others are read again long before it comes back."""
    process = Process(tmp_path, [fake(fault="block", fault_after="3"), fake("b", domains="gpu-0")])
    process.wait_for(3, "node")
    process.wait_for(15, "gpu-0")
    assert len(process.stamps("node")) == 3, "it still blocks"
    lines = process.finish()
    result = [line["message"] for line in lines if line["type"] == "fault"]
    assert any("more than 0.5 s" in item for item in result)
    assert any("still blocked" in item for item in result)


def test_a_read_that_is_going_on_is_looked_at_again_as_soon_as_it_may_be_stuck():
    tried = sampler.Sampler({})
    quiet, busy = Busy(None), Busy(None)
    tried.threads = [quiet, busy]  # type: ignore[list-item]
    assert tried._separate_stuck(7 * NS_PER_S) == 8 * NS_PER_S
    busy.current = (MeterSession("slow", Silent("gpu-0"), 0), 7 * NS_PER_S - 100_000_000)
    next_ns = tried._separate_stuck(7 * NS_PER_S)
    assert next_ns == 7 * NS_PER_S + 400_000_001
    assert not busy.parted
    assert tried._separate_stuck(next_ns) == next_ns + NS_PER_S
    assert busy.parted == [busy.current[0]]
    assert "more than 0.5 s" in busy.parted[0].faults[0].message
    assert not quiet.parted


def test_the_display_is_fed_just_after_a_read():
    tried = sampler.Sampler({"period_s": 0.1})
    tried.phase_ns = 12_345_678
    for wanted_ns in (NS_PER_S, 3 * NS_PER_S + 7, 5 * NS_PER_S - 99_000_000):
        planned_ns = tried._after_a_read(wanted_ns)
        assert (planned_ns - tried.phase_ns) % 100_000_000 == 200_000
        assert abs(planned_ns - wanted_ns) <= 100_000_000
    slow = sampler.Sampler({"period_s": 5.0})
    assert slow._after_a_read(NS_PER_S) == NS_PER_S


def test_a_conductor_that_does_not_read_does_not_stop_the_sampling(tmp_path):
    """Sixty domains fill the pipe with a few dozen statuses, ten a second."""
    process = Process(tmp_path, [fake(domains="+".join(f"gpu-{i}" for i in range(60)))],
                      status_period_s=0.1)  # fmt: skip
    until(lambda: process.stamps()[-1:] > [int(3.5 * NS_PER_S)])
    process.finish()


def test_a_meter_is_loaded_from_a_file_too(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("from harness.meters.fake import FakeMeter\nMETER = FakeMeter()\n")
    process = Process(tmp_path, [{"name": "mine", "path": str(path), "options": {}}])
    assert process.ready["failed"] == []
    process.finish()


def test_watched_signs_are_written_beside_the_trace(tmp_path):
    process = Process(tmp_path, [fake()])
    process.finish()
    names = {row.split(",")[1] for row in (tmp_path / "vitals.csv").read_text().splitlines()[1:]}
    assert {"cpu-busy-ticks", "cpu-steal-ticks", "clock-wall-drift-s", "load-average"} <= names


class Busy:
    """A replacement for a thread of which a session is being read, or none."""

    def __init__(self, current: tuple[MeterSession, int] | None) -> None:
        self.current = current
        self.parted: list[MeterSession] = []

    def split(self, session: MeterSession) -> None:
        self.parted.append(session)


class Silent(Reader):
    """A replacement for an opened meter."""

    def __init__(self, *names: str) -> None:
        self.domains: Sequence[Domain] = [
            Domain(name=name, kind="gpu", method="counter", meter="m", source="s") for name in names
        ]

    def read(self) -> list[Any]:
        return []

    def close(self) -> dict[str, float]:
        return {}


def test_a_second_meter_of_the_same_domain_is_refused():
    opened = [Opened("a", Silent("gpu-0"), ""), Opened("b", Silent("gpu-0", "gpu-1"), "")]
    sessions, failed = start_sessions(opened)
    assert [session.name for session in sessions] == ["a"]
    assert failed == [{"meter": "b", "reason": "the domain 'gpu-0' is read by a already"}]


def test_a_meter_without_a_domain_is_refused():
    _, failed = start_sessions([Opened("a", Silent(), "")])
    assert failed[0]["reason"] == "it has no domain to read"


REFUSING = """
class Meter:
    def open(self, options):
        raise ValueError(f"no {options['x']}\\nhere")
METER = Meter()
class Duck(Meter):
    def open(self, options):
        return self
DUCK = Duck()
"""


def test_opening_reports_what_a_meter_raised(tmp_path):
    path = tmp_path / "refusing.py"
    path.write_text(REFUSING)
    meter = {"name": "m", "path": str(path), "options": {"x": "y"}}
    assert open_meter(meter) == Opened("m", None, "ValueError: no y here")
    reason = open_meter(meter | {"attribute": "DUCK"}).reason
    assert reason == "open() must return a subclass of harness.plugins.Reader"


def test_it_imports_the_standard_library_and_contracts_alone():
    code = (
        "import sys, harness.measure.sampler, harness.meters.fake, harness.meters.rapl,"
        "harness.meters.nvml, harness.meters.codecarbon, harness.powerlogs.meters.replay;"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    foreign = set(done.stdout.split()) - set(sys.stdlib_module_names) - {"harness", "__main__"}
    heavy = {"numpy", "pydantic", "pandas", "torch", "click", "rich", "pynvml", "codecarbon"}
    assert not foreign & heavy
