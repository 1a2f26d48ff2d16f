"""DAWNBench: time, and dollars, to the first row of an entry's table that reaches the target.

As shipped, the first row of the file counts; by the rules, the earliest hour. One run an entry, on
the test set and by the entrant's own account: there is no interval, and nothing separates entries.
"""

from collections.abc import Iterator, Sequence

from harness.archives.scoring import (
    Cell,
    Contender,
    Field,
    Goal,
    boards_by_workload,
    figure,
    goals,
)
from harness.formats.format import Outcome
from harness.records import (
    Finding,
    ImportedFigure,
    ImportedRules,
    ImportedRun,
    ImportedScore,
    ImportedStanding,
    Ruleset,
)

SECONDS_PER_HOUR = 3600.0


def first_hit_s(run: ImportedRun, goal: Goal, *, as_shipped: bool) -> float | None:
    """Seconds of the row that counts; None where none reaches the target."""
    if run.curve is None:
        return None
    values = run.curve.metric.get(goal.metric, ())
    hits = [t for t, value in zip(run.curve.time_s, values, strict=False) if goal.reached(value)]
    if not hits:
        return None
    return hits[0] if as_shipped else min(hits)


def _price(run: ImportedRun, rules: ImportedRules) -> float | None:
    said = run.facts.get("price_usd_per_h", rules.price_usd_per_h)
    return float(said) if isinstance(said, int | float) and said > 0 else None


def _reason(run: ImportedRun, goal: Goal, time_s: float | None) -> str:
    if run.curve is None:
        return run.reason
    sign = ">=" if goal.better == "higher" else "<="
    verb = "reached" if time_s is not None else "never reached"
    return f"{verb} {goal.metric} {sign} {goal.value:g}; one run, as its authors reported it"


def score_run(run: ImportedRun, goal: Goal, rules: ImportedRules) -> ImportedScore:
    """One entry."""
    time_s = first_hit_s(run, goal, as_shipped=rules.as_shipped)
    price = _price(run, rules)
    cost: ImportedFigure | None = None
    if time_s is not None and price is not None:
        dollars = time_s / SECONDS_PER_HOUR * price
        cost = figure(dollars, [dollars], rules.confidence)
    return ImportedScore(
        workload=run.workload,
        submission=run.submission,
        machine=run.machine,
        n=1 if time_s is not None else 0,
        due_count=1,
        failures=int(time_s is None),
        status="scored" if time_s is not None else "target_missed",
        reason=_reason(run, goal, time_s),
        time_to_target_s=None if time_s is None else figure(time_s, [time_s], rules.confidence),
        energy_to_target_j=None,
        cost_to_target_usd=cost,
        facts=run.facts,
    )


def _board(scores: list[ImportedScore], quantity: str, alpha: float) -> Iterator[ImportedStanding]:
    entries = {}
    for score_ in scores:
        found: ImportedFigure | None = getattr(score_, quantity)
        if found is not None:
            cell = Cell(score_.workload, score_.submission, score_.machine)
            entries[cell] = (Contender(cell, found.value, None, None), [found.value])
    yield from boards_by_workload(entries, quantity, alpha)


def score(runs: Sequence[ImportedRun], ruleset: Ruleset) -> Outcome:
    """Score every entry of every task that the rules have a target for.

    Raises:
        ValueError: a target of the rules cannot be read.
    """
    field, rules = Field.of(runs, ruleset)
    known = goals(rules.targets)
    scores = [
        score_run(run, known[run.workload], rules) for run in field.runs if run.workload in known
    ]
    foreign = sorted({run.workload for run in field.runs} - known.keys())
    findings = []
    if foreign:
        message = f"no target in these rules, so not scored: {', '.join(foreign)}"
        findings.append(Finding(rule="dawnbench-no-target", level="info", message=message))
    boards = [
        row
        for quantity in ("time_to_target_s", "cost_to_target_usd")
        for row in _board(scores, quantity, rules.separation_alpha)
    ]
    return Outcome(tuple(scores), tuple(boards), tuple(findings))
