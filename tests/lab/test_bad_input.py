"""Every fault of a meter at once through the real sampler: each is found, none goes unmarked."""

import itertools
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.clock import NS_PER_S, anchor
from harness.measure.choice import MeterChoice
from tests.lab.measured import Measured

WATTS = 100.0
FAULTS = {
    "nan": {"meter-fault", "coverage", "meter-vanished"},
    "negative": {"meter-fault", "coverage", "meter-vanished"},
    "frozen": {"sensor-dead"},
    "reset": {"counter-reset"},
    "backwards": {"counter-reset"},
    "vanish": {"meter-fault", "coverage", "meter-vanished"},
    "block": {"meter-fault", "coverage", "meter-vanished"},
}
"""What a fault of the simulated meter must raise."""

WORDS = {
    "nan": "not a finite number",
    "negative": "negative",
    "vanish": "the simulated device is gone",
    "block": "a read has taken more than 0.5 s",
}
"""What the fault of the meter itself must say."""

LOGS = {
    "wall": ("time,watts\n", "{t},400\n", 3 * 3600.0),
    "node": ("\ufeffPower (W);Note;Timestamp\n", "32{n},5;x;{t}\n", 0.0),
}
"""Logs of external meters: header, row, and how far their clock is ahead. The one has a clock that
is hours off, the other a byte order mark, other columns and a comma in its figures."""


def faulty(fault: str) -> MeterChoice:
    options = {"domains": f"gpu-{fault}", "watts": f"{WATTS:g}", "fault": fault}
    return MeterChoice(name=f"fake-{fault}", target="harness.meters.fake", options=options)


def log_meter(kind: str, path: Path) -> MeterChoice:
    options = {"path": str(path), "kind": kind, "tz": "utc", "accuracy": "0.02", "max_w": "2000"}
    target = "harness.powerlogs.meters.logfile"
    return MeterChoice(name=f"log-{kind}", target=target, options=options)


@contextmanager
def logging(folder: Path) -> Iterator[dict[str, Path]]:
    """Logs that grow."""
    paths = {kind: folder / f"{kind}.csv" for kind in LOGS}
    for kind, path in paths.items():
        path.write_text(LOGS[kind][0], encoding="utf-8")
    ended = threading.Event()

    def write() -> None:
        for n in itertools.cycle((1, 2)):
            if ended.wait(0.05):
                return
            for kind, path in paths.items():
                now_s = anchor().wall_ns / NS_PER_S + LOGS[kind][2]
                stamp = datetime.fromtimestamp(now_s, UTC).isoformat().removesuffix("+00:00")
                with path.open("a", encoding="utf-8") as log:
                    log.write(LOGS[kind][1].format(t=stamp, n=n))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield paths
    finally:
        ended.set()
        writer.join()


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    folder = tmp_path_factory.mktemp("bad-input")
    (folder / "bundle").mkdir()
    with logging(folder) as paths:
        choice = [
            faulty("none"),
            *map(faulty, FAULTS),
            *(log_meter(kind, path) for kind, path in paths.items()),
            MeterChoice(
                name="rapl", target="harness.meters.rapl", options={"root": str(folder / "none")}
            ),
        ]
        return Measured(folder / "bundle", choice, 7.0)


def about(measured: Measured, name: str) -> dict[str, str]:
    """Rules and levels of the findings that name a domain or its meter."""
    kinds = {f"'gpu-{name}'", f"'fake-{name}'", f"'{name}'", f"'log-{name}'"}
    return {
        finding.rule: finding.level
        for finding in measured.findings()
        if any(kind in finding.message for kind in kinds)
    }


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_fault_raises_its_findings_and_leaves_no_sound_figure(measured, fault):
    result = about(measured, fault)
    assert result.keys() >= FAULTS[fault]
    # The total is the wall meter's, so that no finding of a card spoils it.
    assert set(result.values()) == {"warn"}
    messages = [entry["message"] for entry in measured.faults if entry["meter"] == f"fake-{fault}"]
    assert any(WORDS[fault] in message for message in messages) == (fault in WORDS)


def test_every_finding_says_what_to_do(measured):
    assert all(finding.advice for finding in measured.findings() if finding.level != "info")


def test_a_sound_meter_beside_them_all_is_accepted_and_right(measured):
    # The one that blocks holds its neighbours up until it is moved aside: told, and no fault.
    assert about(measured, "none").items() <= {"gap": "warn"}.items()
    result = measured.energy("gpu-none")
    duration_s = (measured.end_ns - measured.begin_ns) / NS_PER_S
    assert result.energy_j == pytest.approx(WATTS * duration_s, abs=result.u_j)
    assert result.coverage_ratio == 1.0


def test_a_log_whose_clock_is_hours_off_gives_no_figure_and_the_remedy(measured):
    assert about(measured, "wall") == {"meter-fault": "warn", "no-readings": "fail"}
    assert measured.energy("wall").energy_j is None
    message = next(fault["message"] for fault in measured.faults if fault["meter"] == "log-wall")
    assert "3.00 h) ahead of this machine's" in message
    (offset_s,) = re.findall(r"offset_s=(-\d+)", message)
    # The row was read up to half a second after it was written, or later on a busy machine.
    assert -10801 <= int(offset_s) <= -10785


def test_a_log_with_a_byte_order_mark_and_other_columns_is_read_right(measured):
    assert "meter-fault" not in about(measured, "node")
    result = measured.energy("node")
    duration_s = (measured.end_ns - measured.begin_ns) / NS_PER_S
    # Nearly constant power, carried on to the edges: right however late the first row came.
    assert result.energy_j == pytest.approx(322 * duration_s, rel=0.002)


def test_a_meter_without_any_device_is_reported_and_the_others_are_read(measured):
    assert "no intel-rapl zone" in measured.failed["rapl"]
    assert len(measured.domains) == len(FAULTS) + 1 + len(LOGS)
