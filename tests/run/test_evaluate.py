"""Evaluation: every held snapshot gets a value or a reason, and the newest are kept."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from harness.bundle import Bundle
from harness.records import Snapshot
from harness.run.evaluate import RESTARTS_MAX, release, take_custody
from harness.run.memory import sealed
from harness.run.watch import Held
from harness.storage import write_all
from tests.run.made import Perform

SEVERAL = """
def train(session):
    w = fitted(session)
    for step in range(COUNT):
        session.snapshot({"w": w * (step + 1)}, step=step)
"""
FINAL = ("run.snapshot_rule=final",)


def evaluation(bundle: Path) -> Any:
    """What eval.json says."""
    return Bundle(bundle).evaluation


def several(count: int, predictor: str = "") -> str:
    return SEVERAL.replace("COUNT", str(count)) + predictor


def held(index: int, data: bytes | None) -> Held:
    record = Snapshot(
        index=index,
        step=index,
        stamp_ns=index,
        size_bytes=len(data or b""),
        sha256=None,
        accepted=data is not None,
    )
    if data is None:
        return Held(record, None)
    return Held(record, sealed("w", lambda descriptor: write_all(descriptor, data)))


# --- custody -------------------------------------------------------------------------------------


def test_all_are_hashed_and_the_newest_are_kept(tmp_path: Path) -> None:
    snapshots = [held(0, b"a" * 40), held(1, None), held(2, b"b" * 40), held(3, b"c" * 40)]
    records = take_custody(snapshots, tmp_path / "snapshots", keep_bytes=100)
    assert [each.index for each in records] == [0, 1, 2, 3]
    assert [each.kept for each in records] == [False, False, True, True]
    assert records[1].sha256 is None
    assert records[0].sha256 == hashlib.sha256(b"a" * 40).hexdigest()
    files = {path.name: path.read_bytes() for path in (tmp_path / "snapshots").iterdir()}
    assert files == {"0002.safetensors": b"b" * 40, "0003.safetensors": b"c" * 40}
    release(snapshots)


def test_a_large_one_does_not_keep_smaller_older_ones_out(tmp_path: Path) -> None:
    snapshots = [held(0, b"a" * 10), held(1, b"b" * 500)]
    records = take_custody(snapshots, tmp_path / "s", keep_bytes=100)
    assert [each.kept for each in records] == [True, False]
    release(snapshots)


def test_nothing_kept_makes_no_folder(tmp_path: Path) -> None:
    snapshots = [held(0, b"a" * 10)]
    take_custody(snapshots, tmp_path / "s", keep_bytes=0)
    assert not (tmp_path / "s").exists()
    release(snapshots)


def test_custody_that_fails_leaves_no_torn_file(tmp_path: Path, monkeypatch) -> None:
    snapshots = [held(0, b"a" * 10)]

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            take_custody(snapshots, tmp_path / "s", keep_bytes=100)
    assert list((tmp_path / "s").iterdir()) == []
    release(snapshots)


def test_release_closes_everything_and_twice_is_harmless() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    snapshots = [held(0, b"a"), held(1, None)]
    release(snapshots)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    release(snapshots)


# --- serving -------------------------------------------------------------------------------------


def test_every_snapshot_has_its_value_in_order(perform: Perform) -> None:
    outcome = perform(several(6), *FINAL)
    found = evaluation(outcome.bundle)
    assert [value.snapshot for value in found.values] == list(range(6))
    assert len({value.outputs_sha256 for value in found.values}) == 6
    assert len({value.value for value in found.values}) == 1, "scaling does not change the side"
    assert all(value.cpu_s is not None and value.wall_s > 0 for value in found.values)
    assert found.predictor.cap_cpu_s == 10.0
    assert found.predictor.cpu_s >= sum(value.cpu_s for value in found.values) - 0.05


def test_snapshots_are_served_in_a_drawn_order(perform: Perform) -> None:
    """A predictor that keeps something from one to the next cannot plan for it."""
    predictor = """
def predictor(weights, workload):
    print("served", round(float(abs(weights["w"]).max()), 3))
    return lambda inputs: np.zeros((len(inputs["x"]), 2), "f4")
"""
    orders = set()
    for seed in (1, 2):
        outcome = perform(several(12, predictor), *FINAL, declared_seeds=(seed,))
        log = (outcome.bundle / "log.txt").read_text()
        sizes = [float(line.split()[1]) for line in log.splitlines() if line.startswith("served")]
        assert len(sizes) == 12
        assert sizes != sorted(sizes)
        ranks = sorted(range(12), key=lambda position: sizes[position])
        orders.add(tuple(ranks))
    assert len(orders) == 2


def test_predictor_that_dies_is_replaced_so_often_and_no_more(perform: Perform) -> None:
    predictor = "\nimport os\ndef predictor(weights, workload): os._exit(1)\n"
    outcome = perform(several(5, predictor), *FINAL)
    reasons = [value.reason for value in evaluation(outcome.bundle).values]
    died = [reason for reason in reasons if "before 'loaded'" in reason]
    left = [reason for reason in reasons if reason == "no predictor was left to serve it"]
    assert (len(died), len(left)) == (RESTARTS_MAX, 5 - RESTARTS_MAX)
    assert outcome.run.status == "invalid"


def test_a_fault_on_one_snapshot_leaves_the_others_their_values(perform: Perform) -> None:
    predictor = """
made = []

def predictor(weights, workload):
    made.append(0)
    if len(made) == 2:
        raise ValueError("not this one")
    return lambda inputs: np.zeros((len(inputs["x"]), 2), "f4")
"""
    outcome = perform(several(4, predictor), *FINAL)
    values = evaluation(outcome.bundle).values
    assert sum(value.value is None for value in values) == 1
    assert sum("not this one" in value.reason for value in values) == 1


def test_predictor_that_never_gets_ready_is_one_reason_for_all(perform: Perform) -> None:
    predictor = "\nimport sys\nif 'predict' in sys.argv: sys.exit(3)\n"
    outcome = perform(several(3, predictor), *FINAL)
    reasons = {value.reason for value in evaluation(outcome.bundle).values}
    assert len(reasons) == 1
    assert "before 'ready'; its last words are in log.txt" in reasons.pop()


def test_reasons_are_printable_and_short(perform: Perform) -> None:
    predictor = "\ndef predictor(weights, workload): raise ValueError('\\x1b[2J\\n' * 2000)\n"
    (value,) = evaluation(perform(several(1, predictor)).bundle).values
    assert value.reason.isprintable()
    assert len(value.reason) <= 500
