"""The sampler process keeps its protocol, its files and its weight."""

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.clock import NS_PER_S, now_ns
from harness.measure import sampler
from harness.measure.lane import Opened
from harness.plugins import DomainSpec

ROOT = Path(harness.__file__).parent.parent


class Process:
    """A sampler that is spoken to over pipes."""

    def __init__(self, folder: Path, meters: list[dict[str, Any]], **config: Any) -> None:
        self.folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "harness.measure.sampler"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        )
        self.say(
            json.dumps(
                {
                    "meters": meters,
                    "period_s": 0.05,
                    "origin_ns": now_ns(),
                    "trace_path": str(folder / "trace.csv"),
                    "vitals_path": str(folder / "vitals.csv"),
                    "status_period_s": 0.2,
                }
                | config
            )
        )
        self.ready = self.hear()

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
        assert self._process.wait(10) == 0
        return lines

    def rows(self) -> list[str]:
        return (self.folder / "trace.csv").read_text().splitlines()


def fake(name: str = "fake", **options: str) -> dict[str, Any]:
    return {"name": name, "target": "harness.meters.fake", "attribute": "METER", "options": options}


def test_a_run_from_ready_to_report(tmp_path):
    process = Process(tmp_path, [fake(domains="gpu-0+cpu-0")])
    assert process.ready["type"] == "ready"
    assert [each["name"] for each in process.ready["domains"]] == ["gpu-0", "cpu-0"]
    assert process.ready["failed"] == []
    time.sleep(0.7)
    lines = process.finish()
    assert [each["type"] for each in lines].count("report") == 1
    report = lines[-1]
    assert report["type"] == "report"
    status = next(each for each in lines if each["type"] == "status")
    assert set(status["watts"]) == {"gpu-0", "cpu-0"}
    rows = process.rows()
    assert rows[0] == "t_ns,domain,energy_j,power_w,u_ns"
    assert report["readings_count"] == len(rows) - 1
    assert 12 <= report["reads_count"] <= 22
    assert 0 < report["import_cpu_s"] <= report["cpu_s"] < 2
    assert report["gap_max_s"] < 0.2


@pytest.mark.parametrize("period_ns", [1, NS_PER_S // 10, 60 * NS_PER_S, 30_000 * NS_PER_S])
def test_the_phase_is_drawn_from_the_whole_period(period_ns):
    drawn = [sampler.random_phase_ns(period_ns) for _ in range(400)]
    assert all(0 <= each < period_ns for each in drawn)
    tenths = {10 * each // period_ns for each in drawn}
    # One empty tenth among 400 draws happens once in 10^17 times.
    assert tenths == (set(range(10)) if period_ns > 1 else {0})


def test_a_mark_gives_a_reading_at_once(tmp_path):
    # So long a period that its random phase will not fall into this test.
    process = Process(tmp_path, [fake()], period_s=30_000.0)
    time.sleep(0.1)
    asked_ns = now_ns()
    process.say("read_now")
    time.sleep(0.3)
    process.finish()
    stamps = [int(row.split(",")[0]) for row in process.rows()[1:]]
    assert len(stamps) == 3
    assert asked_ns is not None
    assert (stamps[2] - stamps[1]) / NS_PER_S == pytest.approx(0.3, abs=0.15)


def test_a_conductor_that_dies_ends_the_sampler(tmp_path):
    process = Process(tmp_path, [fake()])
    lines = process.finish(last="")
    assert lines[-1]["type"] == "report"


def test_a_meter_that_does_not_open_is_told_and_the_others_are_read(tmp_path):
    broken = {"name": "lost", "target": "harness.meters.no_such_meter", "options": {}}
    process = Process(tmp_path, [broken, fake("bad", wats="1"), fake()])
    assert [each["name"] for each in process.ready["domains"]] == ["node"]
    reasons = {each["meter"]: each["reason"] for each in process.ready["failed"]}
    assert "ModuleNotFoundError" in reasons["lost"]
    assert "unknown option 'wats'" in reasons["bad"]
    process.finish()


def test_a_meter_that_fails_leaves_a_gap_and_a_fault(tmp_path):
    process = Process(tmp_path, [fake(fault="vanish", fault_after="3"), fake("b", domains="gpu-0")])
    time.sleep(0.6)
    lines = process.finish()
    faults = [each for each in lines if each["type"] == "fault"]
    assert [each["meter"] for each in faults] == ["fake"]
    assert "gone" in faults[0]["message"]
    domains = [row.split(",")[1] for row in process.rows()[1:]]
    assert domains.count("node") == 3
    assert domains.count("gpu-0") >= 8


def test_a_meter_that_blocks_does_not_stop_the_others(tmp_path):
    process = Process(tmp_path, [fake(fault="block", fault_after="3"), fake("b", domains="gpu-0")])
    time.sleep(2.2)
    began_ns = now_ns()
    lines = process.finish()
    assert (now_ns() - began_ns) / NS_PER_S < 4
    told = [each["message"] for each in lines if each["type"] == "fault"]
    assert any("more than 0.5 s" in each for each in told)
    assert any("still blocked" in each for each in told)
    stamps = [int(row.split(",")[0]) for row in process.rows()[1:] if ",gpu-0," in row]
    gaps = [b - a for a, b in itertools.pairwise(stamps)]
    assert max(gaps) < 1.6 * NS_PER_S
    assert len(stamps) > 15


def test_nobody_listening_does_not_stop_the_sampling(tmp_path):
    process = Process(tmp_path, [fake(domains="+".join(f"gpu-{i}" for i in range(60)))],
                      status_period_s=0.1)  # fmt: skip
    time.sleep(3.5)
    rows = len(process.rows())
    assert rows > 60 * 50
    process.finish()


def test_a_meter_is_loaded_from_a_file_too(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("from harness.meters.fake import FakeMeter\nMETER = FakeMeter()\n")
    process = Process(tmp_path, [{"name": "mine", "path": str(path), "options": {}}])
    assert process.ready["failed"] == []
    process.finish()


def test_watched_signs_are_written_beside_the_trace(tmp_path):
    process = Process(tmp_path, [fake()])
    time.sleep(0.3)
    process.finish()
    names = {row.split(",")[1] for row in (tmp_path / "vitals.csv").read_text().splitlines()[1:]}
    assert {"cpu-busy-ticks", "cpu-steal-ticks", "clock-wall-drift-s", "load-average"} <= names


class Reader:
    """Stands for an opened meter."""

    def __init__(self, *names: str) -> None:
        self.domains: Sequence[DomainSpec] = [
            DomainSpec(name=name, kind="gpu", method="counter", meter="m", source="s")
            for name in names
        ]

    def read(self) -> list[Any]:
        return []

    def close(self) -> dict[str, float]:
        return {}


def test_a_second_meter_of_the_same_domain_is_turned_away():
    opened = [Opened("a", Reader("gpu-0"), ""), Opened("b", Reader("gpu-0", "gpu-1"), "")]
    members, failed = sampler.accept(opened, 0)
    assert [each.name for each in members] == ["a"]
    assert failed == [{"meter": "b", "reason": "the domain 'gpu-0' is read by a already"}]


def test_a_meter_without_a_domain_is_turned_away():
    _, failed = sampler.accept([Opened("a", Reader(), "")], 0)
    assert failed[0]["reason"] == "it has no domain to read"


def test_it_imports_the_standard_library_and_contracts_alone():
    code = (
        "import sys, harness.measure.sampler, harness.meters.fake, harness.meters.rapl,"
        "harness.meters.nvml, harness.meters.codecarbon, harness.meters.replay;"
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
