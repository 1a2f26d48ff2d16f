"""Evaluation: every held snapshot gets a value or a reason, and the newest are kept."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from harness.bundle import Bundle
from harness.clock import NS_PER_S
from harness.launchers import _cgroup
from harness.records import Snapshot
from harness.run.evaluate import (
    CONFIRMATIONS_MAX,
    CPU_LOST,
    RESTARTS_MAX,
    UNCONFIRMED,
    Evaluator,
)
from harness.run.memory import sealed
from harness.run.snapshots import HeldSnapshot, release, store_snapshots
from harness.storage import write_all
from tests.run.made import Folder, Perform

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


def held(index: int, data: bytes | None) -> HeldSnapshot:
    record = Snapshot(
        index=index,
        step=index,
        stamp_ns=index,
        size_bytes=len(data or b""),
        sha256=None,
        accepted=data is not None,
    )
    if data is None:
        return HeldSnapshot(record, None)
    return HeldSnapshot(record, sealed("w", lambda descriptor: write_all(descriptor, data)))


# --- custody -------------------------------------------------------------------------------------


def test_all_are_hashed_and_the_newest_are_kept(tmp_path: Path) -> None:
    snapshots = [held(0, b"a" * 40), held(1, None), held(2, b"b" * 40), held(3, b"c" * 40)]
    records = store_snapshots(snapshots, tmp_path / "snapshots", keep_bytes=100)
    assert [record.index for record in records] == [0, 1, 2, 3]
    assert [record.kept for record in records] == [False, False, True, True]
    assert records[1].sha256 is None
    assert records[0].sha256 == hashlib.sha256(b"a" * 40).hexdigest()
    files = {path.name: path.read_bytes() for path in (tmp_path / "snapshots").iterdir()}
    assert files == {"0002.safetensors": b"b" * 40, "0003.safetensors": b"c" * 40}
    release(snapshots)


def test_a_large_one_does_not_keep_smaller_older_ones_out(tmp_path: Path) -> None:
    snapshots = [held(0, b"a" * 10), held(1, b"b" * 500)]
    records = store_snapshots(snapshots, tmp_path / "s", keep_bytes=100)
    assert [record.kept for record in records] == [True, False]
    release(snapshots)


def test_nothing_kept_makes_no_folder(tmp_path: Path) -> None:
    snapshots = [held(0, b"a" * 10)]
    store_snapshots(snapshots, tmp_path / "s", keep_bytes=0)
    assert not (tmp_path / "s").exists()
    release(snapshots)


def test_custody_that_fails_leaves_no_torn_file(tmp_path: Path, monkeypatch) -> None:
    snapshots = [held(0, b"a" * 10)]

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            store_snapshots(snapshots, tmp_path / "s", keep_bytes=100)
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
    result = evaluation(outcome.bundle)
    assert [value.snapshot for value in result.values] == list(range(6))
    assert len({value.outputs_sha256 for value in result.values}) == 6
    assert len({value.value for value in result.values}) == 1, "scaling does not change the side"
    assert all(value.cpu_s is not None and value.wall_s > 0 for value in result.values)
    assert result.predictor.cap_cpu_s == 10.0
    assert result.predictor.cpu_s >= sum(value.cpu_s for value in result.values) - 0.05


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


# --- what one predictor keeps from another snapshot ----------------------------------------------

EARLY_AND_LATE = """
def train(session):
    w = fitted(session)
    for step in range(COUNT):
        session.snapshot({"w": w * (step == COUNT - 1)}, step=step)
"""
REMEMBERS = """
BEST = {}

def predictor(weights, workload):
    if weights["w"].any():
        BEST.update(weights)

    def predict(inputs):
        score = inputs["x"] @ BEST["w"] if BEST else np.ones(len(inputs["x"]))
        return np.stack([-score, score], 1).astype(np.float32)

    return predict
"""


def remembered(count: int) -> str:
    return EARLY_AND_LATE.replace("COUNT", str(count)) + REMEMBERS


def test_early_snapshots_are_not_answered_with_the_weights_of_a_late_one(perform: Perform) -> None:
    outcome = perform(remembered(4), *FINAL)
    values = evaluation(outcome.bundle).values
    assert [value.value is not None and value.value >= 0.8 for value in values] == [
        *[False] * 3,
        True,
    ]
    assert outcome.run.status == "ok"
    assert "at snapshot 3" in outcome.run.reason


def test_what_passes_beside_others_too_often_is_given_up(perform: Perform) -> None:
    count = CONFIRMATIONS_MAX + 3
    outcome = perform(remembered(count), *FINAL)
    values = evaluation(outcome.bundle).values
    given_up = [value.snapshot for value in values if value.reason == UNCONFIRMED]
    assert given_up == [CONFIRMATIONS_MAX, CONFIRMATIONS_MAX + 1]
    assert f"at snapshot {count - 1}" in outcome.run.reason, "the last is always asked alone"


@pytest.mark.parametrize("rule", ["final", "first_passing"])
@pytest.mark.parametrize(("snapshots", "starts"), [(1, 1), (4, 2)])
def test_an_honest_predictor_starts_twice_at_most(
    perform: Perform, rule: str, snapshots: int, starts: int
) -> None:
    """Under either rule, since a board of the other one may count the run as well."""
    said = '\nprint("started", flush=True)\n'
    outcome = perform(several(snapshots) + said, f"run.snapshot_rule={rule}")
    lines = (outcome.bundle / "log.txt").read_text().splitlines()
    assert lines.count("started") == 1 + starts, "once to train, the rest to predict"
    assert outcome.run.status == "ok"


# --- what is learnt from the questions -----------------------------------------------------------

FEW = """
def predictor(weights, workload):
    print("asked", flush=True)

    def predict(inputs):
        rows = inputs["x"]
        score = rows @ weights["w"]
        CHANGE
        return np.stack([-score, score], 1).astype(np.float32)

    return predict
"""


def larger(folder: Folder) -> None:
    """So many test examples that some of them can be asked apart."""
    folder.workload.write_text(folder.workload.read_text().replace("part(40)", "part(200)"))


@pytest.mark.parametrize("rule", ["final", "first_passing"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("score = score if len(rows) == 200 else -score", "other examples of the batch: 25 of 25"),
        ("assert len(rows) == 200", "asked for 25 examples without the others: AssertionError"),
        ("score = score[:200] * len(rows) / (len(rows) // 200)", "without the others"),
        ("score[::12] *= 1 if len(rows) == 200 else 2", "examples of the batch: 3 of 25"),
    ],
)
def test_what_only_company_gives_does_not_count(
    folder: Folder, perform: Perform, change: str, said: str, rule: str
) -> None:
    larger(folder)
    program = several(1) + FEW.replace("CHANGE", change)
    outcome = perform(program, f"run.snapshot_rule={rule}")
    (value,) = evaluation(outcome.bundle).values
    assert value.value is None
    assert said in value.reason
    assert outcome.run.status == "invalid"


def test_the_last_is_audited_and_the_first_that_passes(folder: Folder, perform: Perform) -> None:
    """Under either rule, and the one who passes next takes the place of who does not stand."""
    larger(folder)
    change = 'score = score if len(rows) == 200 or abs(weights["w"]).max() > 1.5 else -score'
    program = several(4).replace("(step + 1)", "(step + 1) / abs(w).max()")
    outcome = perform(program + FEW.replace("CHANGE", change), *FINAL)
    values = evaluation(outcome.bundle).values
    assert ["depend on" in value.reason for value in values] == [True, False, False, False]
    assert "at snapshot 3" in outcome.run.reason
    assert outcome.run.status == "ok"


def test_an_honest_one_is_asked_apart_once(folder: Folder, perform: Perform) -> None:
    larger(folder)
    outcome = perform(several(1) + FEW.replace("CHANGE", "pass"))
    lines = (outcome.bundle / "log.txt").read_text().splitlines()
    assert lines.count("asked") == 2
    assert outcome.run.status == "ok"


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    """No control group, which forgets no one: as for a user without rights."""
    monkeypatch.setattr(_cgroup.Cgroup, "cpu_s", lambda _: None)


# --- what a predictor may cost -------------------------------------------------------------------


def capped(folder: Folder, division: str, stamp_ns: int, **more: Any) -> float:
    """CPU seconds for a snapshot stamped so long after the start signal."""
    path = folder.entry("", **more) / "submission.toml"
    path.write_text(path.read_text().replace('"open"', f'"{division}"'))
    order = folder.order("entry")
    splits = order.entry.workload.data(1)
    evaluator = Evaluator(order, splits, 1000, lambda: False)
    return evaluator._cap_cpu_s(held(0, b"w").record.model_copy(update={"stamp_ns": stamp_ns}))


def test_the_closed_model_has_the_whole_allowance_at_once(folder: Folder) -> None:
    assert capped(folder, "closed", 1000) == 10.0


@pytest.mark.parametrize(
    ("trained_s", "cap_s"), [(0, 2.0), (-5, 2.0), (20, 2.0), (30, 3.0), (99, 9.9), (9999, 10.0)]
)
def test_an_open_predictor_earns_its_allowance_by_training(
    folder: Folder, trained_s: int, cap_s: float
) -> None:
    """2 x the closed model's 1 s, then a tenth of the time trained, never above 10 x."""
    result = capped(folder, "open", 1000 + trained_s * NS_PER_S)
    assert result == pytest.approx(cap_s)


def test_declared_threads_earn_nothing(folder: Folder) -> None:
    stamp_ns = 1000 + 30 * NS_PER_S
    assert capped(folder, "open", stamp_ns, more="threads = 64") == pytest.approx(3.0)


def test_training_rows_sent_at_once_are_not_trained_on_off_the_clock(perform: Perform) -> None:
    """Within the closed model's tenfold cost, and yet more than an untrained snapshot may use."""
    works = """
import time

def predictor(weights, workload):
    end = time.process_time() + 1.0
    while time.process_time() < end:
        pass
    return lambda inputs: np.zeros((len(inputs["x"]), 2), "f4")
"""
    outcome = perform(several(1) + works, *FINAL, "evaluation.open_cpu_ratio=0.3")
    (value,) = evaluation(outcome.bundle).values
    assert outcome.run.status == "invalid"
    assert "more than 0.3 CPU s" in value.reason


LOSES = """
import os, signal

def forget():
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    pid = os.fork()
    if pid == 0:
        sum(range(10**6))
        os._exit(0)
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            break
"""


def test_work_in_children_that_no_one_waits_for_gets_no_metric(perform: Perform, account) -> None:
    predictor = (
        LOSES
        + """
def predictor(weights, workload):
    forget()
    return lambda inputs: np.stack([-inputs["x"] @ weights["w"], inputs["x"] @ weights["w"]], 1)
"""
    )
    outcome = perform(several(2, predictor), *FINAL)
    assert outcome.run.status == "invalid"
    assert {value.reason for value in evaluation(outcome.bundle).values} == {CPU_LOST}


def test_training_in_such_children_is_reported(perform: Perform, account) -> None:
    outcome = perform(LOSES + several(1).replace("w = fitted", "forget(); w = fitted"), *FINAL)
    assert outcome.run.status == "ok"
    assert [finding.rule for finding in outcome.run.findings if finding.rule == "cpu-lost"] == [
        "cpu-lost"
    ]


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


def test_predictor_that_ends_at_once_is_one_reason_for_all(perform: Perform) -> None:
    predictor = "\nimport os, sys\nif 'predict' in sys.argv: os._exit(3)\n"
    outcome = perform(several(3, predictor), *FINAL)
    reasons = {value.reason for value in evaluation(outcome.bundle).values}
    assert len(reasons) == 1
    assert "before 'loaded'; its last output is in log.txt" in reasons.pop()


def test_reasons_are_printable_and_short(perform: Perform) -> None:
    predictor = "\ndef predictor(weights, workload): raise ValueError('\\x1b[2J\\n' * 2000)\n"
    (value,) = evaluation(perform(several(1, predictor)).bundle).values
    assert value.reason.isprintable()
    assert len(value.reason) <= 500
