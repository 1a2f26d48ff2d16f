"""The audit: what a predictor owes to the examples beside it does not count; all else does."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.api import Metric, Outputs, Splits, Target, WorkloadSpec
from harness.run.batch_independence import (
    EXAMPLES_MIN,
    GROUPS,
    SHARE,
    SUBSET_MAX,
    SUBSETS_MAX,
    T_MIN,
    IndependenceTest,
    draw_subsets,
    loss_of,
    select_rows,
)
from harness.run.judge import Unjudged, judge

SIZE = 800


def accuracy(outputs: Any, labels: Any, _facts: Any) -> float:
    return float(np.mean(outputs.argmax(-1) == labels["y"]))


def squares(outputs: Any, labels: Any, _facts: Any) -> float:
    return float(np.mean((outputs[:, 0] - labels["y"]) ** 2, dtype=np.float64))


def recall(outputs: Any, labels: Any, _facts: Any) -> float:
    """Without a single row of class 1 there is none."""
    there = labels["y"] == 1
    return float(np.mean(outputs.argmax(-1)[there] == 1)) if there.any() else float("nan")


def spec(target: float = 0.9, better: Any = "higher", **changes: Any) -> WorkloadSpec:
    values: dict[str, Any] = {
        "name": "w",
        "title": "W",
        "domain": "image",
        "size": "smoke",
        "secrecy": "seeded",
        "metric": Metric(name="accuracy", better=better),
        "target": Target(value=target, version="1", derivation="for tests"),
        "budget_s": 1.0,
        "outputs": Outputs(kind="scores", shape=(2,)),
        "data": lambda seed: None,
        "model": lambda: None,
        "score": accuracy,
        "predict_cpu_s": 0.1,
    }
    return WorkloadSpec(**{**values, **changes})


def splits(count: int = SIZE, seed: int = 0) -> Splits:
    truth = np.random.default_rng(seed).integers(0, 2, count)
    rows = np.arange(count, dtype=np.float32)
    return Splits(train={}, validation={}, test_inputs={"x": rows}, test_labels={"y": truth})


def right(few: Splits, share: float = 1.0, seed: int = 1) -> Any:
    """Scores that are right for this share of the examples, drawn example by example."""
    drawn = np.random.default_rng(seed).random(SIZE) < share
    truth = few.test_labels["y"]
    said = np.where(drawn[few.test_inputs["x"].astype(int)], truth, 1 - truth)
    return np.eye(2, dtype=np.float32)[said]


def audited(workload: WorkloadSpec, together: Any, apart: Any) -> tuple[str, int]:
    """The reason, and how often the audit asked."""
    whole = splits()
    beside = together(whole)
    value, _ = judge(beside, workload, whole)
    audit, tries = IndependenceTest(workload, whole, 7, value, beside), 0
    while (few := audit.next_subset()) is not None:
        tries += 1
        audit.take(apart(few))
    return audit.reason, tries


# --- which examples -------------------------------------------------------------------------------


@given(st.integers(1, 5000), st.integers(0, 2**53))
def test_parts_are_few_and_of_different_examples(count: int, seed: int) -> None:
    parts = draw_subsets(spec(), splits(count), seed)
    if count < EXAMPLES_MIN:
        assert parts == []
        return
    rows = np.concatenate(parts)
    assert len(parts) == SUBSETS_MAX
    assert len(set(rows.tolist())) == len(rows), "none is asked twice"
    assert {len(part) for part in parts} == {min(count // SHARE, SUBSET_MAX)}
    assert 0 <= rows.min() <= rows.max() < count
    assert all(len(part) >= GROUPS for part in parts)


def test_no_one_inside_can_know_which() -> None:
    drawn = {tuple(draw_subsets(spec(), splits(), seed)[0].tolist()) for seed in range(20)}
    assert len(drawn) == 20


@pytest.mark.parametrize(
    "change",
    [
        {"test_inputs": {"x": np.zeros(SIZE), "edges": np.zeros((2, 99))}},
        {"test_inputs": {"x": np.zeros(SIZE), "scale": np.float64(2)}},
        {"test_labels": {"y": np.zeros(SIZE), "all": np.zeros(3)}},
    ],
)
def test_what_hangs_together_is_not_torn_apart(change: Any) -> None:
    """A graph's nodes, or a scale that all share, are no examples."""
    whole = splits()
    fields = {"test_inputs": whole.test_inputs, "test_labels": whole.test_labels, **change}
    assert draw_subsets(spec(), Splits(train={}, validation={}, **fields), 1) == []
    assert draw_subsets(spec(tags=("transductive",)), whole, 1) == []


def test_select_rows_examples_keep_their_labels_and_facts() -> None:
    whole = splits()
    whole.facts["optimum"] = 0.5  # type: ignore[index]
    few = select_rows(whole, np.array([5, 3]))
    assert few.test_inputs["x"].tolist() == [5.0, 3.0]
    assert few.test_labels["y"].tolist() == whole.test_labels["y"][[5, 3]].tolist()
    assert few.facts == {"optimum": 0.5}
    assert not few.train


# --- what it is worth -----------------------------------------------------------------------------


@given(st.integers(0, 1000))
def test_the_loss_of_a_mean_is_that_of_its_examples(seed: int) -> None:
    """For a mean the jackknife's error is that of the groups' means (equal groups)."""
    rng = np.random.default_rng(seed)
    few = splits(GROUPS * 4, seed)
    alone, beside = (rng.normal(size=(GROUPS * 4, 2)).astype(np.float32) for _ in range(2))
    workload = spec(better="lower", score=squares)
    loss, error = loss_of(alone, beside, few, workload)
    truth = few.test_labels["y"]
    single = (alone[:, 0] - truth) ** 2.0 - (beside[:, 0] - truth) ** 2.0
    means = [single[group::GROUPS].mean() for group in range(GROUPS)]
    assert loss == pytest.approx(single.mean(), abs=1e-5)
    assert error == pytest.approx(np.std(means, ddof=1) / np.sqrt(GROUPS), rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("share", [0.91, 1.0])
def test_who_says_the_same_is_asked_once_and_stands(share: float) -> None:
    assert audited(spec(), lambda few: right(few, share), lambda few: right(few, share)) == ("", 1)


def test_who_knows_only_in_company_is_refused() -> None:
    reason, tries = audited(spec(), right, lambda few: right(few, 0.5))
    assert reason.startswith(
        "the outputs depend on other examples of the batch: accuracy is worse by 0."
    )
    assert tries == 1


def test_less_is_worse_where_the_metric_says_so() -> None:
    workload = spec(target=0.1, better="lower", score=squares)
    one, other = (lambda few, e=e: truths(few, e) for e in (0.0, 1.0))
    assert "depend on other" in audited(workload, one, other)[0]
    assert audited(workload, one, one)[0] == ""


def truths(few: Splits, error: float) -> Any:
    y = few.test_labels["y"].astype(np.float32) + np.float32(error)
    return np.stack([y, y], 1)


def test_who_would_have_reached_the_target_anyhow_has_gained_nothing() -> None:
    assert audited(spec(target=0.6), right, lambda few: right(few, 0.8)) == ("", 1)


def test_better_alone_is_no_fault() -> None:
    assert audited(spec(0.9), lambda few: right(few, 0.95), right) == ("", 1)


def test_a_small_loss_is_asked_for_again() -> None:
    """One try cannot tell it from chance; all of them together can."""
    reason, tries = audited(spec(0.99), right, lambda few: right(few, 0.94))
    assert tries > 1
    assert "depend on other examples of the batch" in reason


def test_chance_alone_hardly_ever_refuses() -> None:
    """Predictors that draw lots: about one in 1,000 tries may look as if it mattered."""
    refused = tries = 0
    for seed in range(100):
        whole = splits(seed=seed)
        for rows in draw_subsets(spec(), whole, seed):
            few = select_rows(whole, rows)
            one, other = (right(few, 0.9, 1000 * seed + item) for item in (tries, tries + 7))
            loss, error = loss_of(one, other, few, spec())
            tries += 1
            refused += loss > T_MIN * error
    assert tries == 400
    assert refused <= 2


# --- who gives no answer --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "apart",
    [
        lambda few: right(few)[:-1],
        lambda few: right(few).astype(np.float64),
        lambda few: np.full_like(right(few), np.nan),
    ],
)
def test_outputs_that_break_the_contract_alone_are_refused(apart: Any) -> None:
    reason, _ = audited(spec(), right, apart)
    assert reason.startswith("asked for 100 examples without the others: ")


def test_a_metric_that_vanishes_alone_is_refused() -> None:
    """Else the one who notices that he is audited would spoil the metric, and no one could tell."""

    def picky(outputs: Any, labels: Any, facts: Any) -> float:
        return float("nan") if outputs.min() < 0 else accuracy(outputs, labels, facts)

    reason, _ = audited(spec(score=picky), right, lambda few: right(few) - np.float32(1))
    assert "not finite" in reason


def test_a_metric_that_few_examples_do_not_have_says_nothing() -> None:
    whole = splits()
    whole.test_labels["y"][:] = 0
    whole.test_labels["y"][:1] = 1
    workload = spec(score=recall)
    beside = right(whole)
    value, _ = judge(beside, workload, whole)
    audit = IndependenceTest(workload, whole, 7, value, beside)
    few = audit.next_subset()
    assert few is not None
    audit.take(right(few, 0.0))
    assert audit.next_subset() is None
    assert audit.reason == ""


def test_no_answer_is_reported_with_its_cause() -> None:
    whole = splits()
    audit = IndependenceTest(spec(), whole, 7, 1.0, right(whole))
    assert audit.next_subset() is not None
    audit.refuse("the predictor is gone")
    assert audit.next_subset() is None
    assert audit.reason == "asked for 100 examples without the others: the predictor is gone"


def test_outputs_of_another_shape_have_no_loss() -> None:
    few = splits(GROUPS)
    with pytest.raises(Unjudged):
        loss_of(right(few)[:, :1], right(few), few, spec())
