"""The field of a contest over several workloads: who was entered where, and what that cost."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from harness.records import AcrossRules, Figure, RunScore, Score
from harness.records.multi import AcrossQuantity
from harness.score.costs import (
    Costs,
    costs,
    dollar_costs,
    dollars_of,
    energy_costs,
    sample_of,
    step_costs,
    time_costs,
    valid_runs,
)
from harness.score.multi.aggregate import Row, Terms
from harness.score.stats.sample import Sample, mean_log
from harness.score.tuning import tuning_costs, tuning_text, with_tuning


class Kind(NamedTuple):
    """One of the costs that can rank."""

    unit: str
    costs: Callable[[Sequence[RunScore]], Costs | None]
    """Of runs, by seed."""
    own: Callable[[RunScore], float | None]
    """Of one run, to its target."""
    whole: Callable[[RunScore], float | None]
    """Of one run, to its end."""
    figure: Callable[[Score], Figure | None]


KINDS: dict[AcrossQuantity, Kind] = {
    "time_to_target_s": Kind(
        "s",
        time_costs,
        lambda run: run.time_s,
        lambda run: run.window_s,
        lambda score: score.costs.time_to_target_s,
    ),
    "energy_to_target_j": Kind(
        "J",
        energy_costs,
        lambda run: run.energy.energy_j,
        lambda run: run.energy.window_j,
        lambda score: score.costs.energy_to_target_j,
    ),
    "steps_to_target": Kind(
        "steps",
        step_costs,
        lambda run: run.step,
        lambda run: run.step,
        lambda score: score.costs.steps_to_target,
    ),
    "cost_to_target_usd": Kind(
        "USD",
        dollar_costs,
        lambda run: dollars_of(run, run.time_s),
        lambda run: dollars_of(run, run.window_s),
        lambda score: score.costs.cost_to_target_usd,
    ),
}


class Ground(NamedTuple):
    """What contenders share, whatever the workload."""

    machine: str
    ruleset: str
    """Without what tells how an entry was tuned."""
    division: str


class Contender(NamedTuple):
    """One method, on whatever workload it was entered."""

    name: str
    """Of the submission, without the workload's before it."""
    team: str
    tuning: str
    """How it was tuned; empty for not at all."""

    @property
    def title(self) -> str:
        """The name, and how it was tuned."""
        return f"{self.name} ({self.tuning})" if self.tuning else self.name


class Cell(NamedTuple):
    """One contender on one workload."""

    score: Score | None
    sample: Sample | None
    reason: str
    """Why there is no cost."""


class Field(NamedTuple):
    """All contenders on all workloads that count, on one ground."""

    ground: Ground
    rules: AcrossRules
    workloads: tuple[str, ...]
    versions: tuple[str, ...]
    terms: Terms
    left_out: dict[str, str]
    """Workloads that do not count, and why."""
    contenders: tuple[Contender, ...]
    cells: tuple[tuple[Cell, ...], ...]

    @property
    def table(self) -> list[Row]:
        """The costs alone."""
        return [[cell.sample for cell in row] for row in self.cells]

    @property
    def titles(self) -> list[str]:
        """Of the contenders; those of one name carry their team."""
        names = [contender.title for contender in self.contenders]
        return [
            f"{name} of {item.team}" if names.count(name) > 1 else name
            for name, item in zip(names, self.contenders, strict=True)
        ]


def contender_of(score: Score) -> Contender:
    """The method behind a score."""
    trial = score.runs[0].trial if score.runs else None
    name = score.entry.submission.removeprefix(f"{score.entry.workload}-")
    return Contender(name, score.entry.team, tuning_text(trial))


def ground_of(score: Score) -> Ground:
    """Where a method competes; entries tuned otherwise meet here, since tuning is paid for."""
    how = contender_of(score).tuning
    ruleset = score.rules.ruleset.removesuffix(f" ({how})") if how else score.rules.ruleset
    return Ground(score.entry.machine, ruleset, score.entry.division)


# --- one cell -------------------------------------------------------------------------------------


def _with_tuning(score: Score, kind: Kind, rules: AcrossRules) -> Costs | None:
    runs = valid_runs(score)
    if not (rules.tuning_included and score.trials):
        return kind.costs(runs)
    return costs(runs, with_tuning(kind.own, tuning_costs(score.trials, kind.whole)))


def _sample(score: Score, found: Costs, kind: Kind) -> Sample:
    """Logarithms by seed; where runs failed, lifted to the cost that counts what these spent."""
    sample = sample_of(found, score)
    if kind.unit == "steps":
        sample = sample._replace(machine_dependent=False)
    figure = kind.figure(score)
    if not sample.open_ended or figure is None:
        return sample
    more = math.log(figure.value) - mean_log(sample)
    return sample._replace(logs={seed: value + more for seed, value in sample.logs.items()})


def cell_of(score: Score | None, rules: AcrossRules) -> Cell:
    """What a score comes to; without one, or without a cost under the rules, nothing."""
    if score is None:
        return Cell(None, None, "was not entered")
    if score.status != "scored":
        return Cell(score, None, score.reason)
    if rules.quantity == "energy_to_target_j" and not score.energy.eligible:
        return Cell(score, None, score.energy.note)
    kind = KINDS[rules.quantity]
    found = _with_tuning(score, kind, rules)
    if found is None:
        return Cell(score, None, f"not every run and trial has a {rules.quantity}")
    return Cell(score, _sample(score, found, kind), "")


def _domains(cell: Cell) -> tuple[str, ...]:
    figure = cell.score.costs.energy_to_target_j if cell.score else None
    return figure.domains if figure else ()


def _like(cell: Cell, unit: Cell, rules: AcrossRules) -> Cell:
    """The cell, without its cost where its joules cover something else than the reference's."""
    covers = (_domains(cell), _domains(unit))
    if cell.sample is None or rules.quantity != "energy_to_target_j" or covers[0] == covers[1]:
        return cell
    told = f"covers {', '.join(covers[0])}; the reference covers {', '.join(covers[1])}"
    return cell._replace(sample=None, reason=told)


# --- the field ------------------------------------------------------------------------------------


def _last(scores: Sequence[Score]) -> Score:
    """The one that ran last: of several versions nobody may pick the best."""
    return max(scores, key=lambda each: (_started(each), each.entry.sha256))


def _started(score: Score) -> str:
    return max((run.started_utc for run in score.runs), default="")


def _units(scores: Sequence[Score], rules: AcrossRules) -> tuple[dict[str, Cell], dict[str, str]]:
    """The reference's cell on each workload, and the workloads without one, with the reason."""
    found: dict[str, list[Score]] = defaultdict(list)
    for score in scores:
        who = contender_of(score)
        if who.name == rules.reference and not who.tuning:
            found[score.entry.workload].append(score)
    asked = rules.workloads or sorted({score.entry.workload for score in scores})
    cells = {name: cell_of(_last(found[name]), rules) for name in asked if name in found}
    units = {name: cell for name, cell in cells.items() if cell.sample is not None}
    lacking = {
        name: f"{rules.reference}: {cells[name].reason if name in cells else 'was not entered'}"
        for name in asked
        if name not in units
    }
    return units, lacking


def _versions(units: dict[str, Cell]) -> dict[str, str]:
    return {name: cell.score.entry.workload_version for name, cell in units.items() if cell.score}


def field_of(
    scores: Sequence[Score], every: Sequence[Score], ground: Ground, rules: AcrossRules
) -> Field:
    """The field on one ground.

    Args:
        scores: Of the ground.
        every: Of the machine, whatever the division: the reference is the same for all.
        ground: Machine, ruleset and division.
        rules: What counts.
    """
    units, lacking = _units(every, rules)
    versions = _versions(units)
    grouped: dict[tuple[Contender, str], list[Score]] = defaultdict(list)
    for score in scores:
        if versions.get(score.entry.workload) == score.entry.workload_version:
            grouped[contender_of(score), score.entry.workload].append(score)
    contenders = tuple(sorted({who for who, _ in grouped}))
    cells = tuple(
        tuple(
            _like(cell_of(_last(found) if found else None, rules), unit, rules)
            for name, unit in units.items()
            for found in [grouped.get((who, name), [])]
        )
        for who in contenders
    )
    logs = tuple(mean_log(cell.sample) for cell in units.values() if cell.sample)
    terms = Terms(logs, rules.cost_ratio_max, rules.aggregate)
    places = (tuple(units), tuple(versions.values()))
    return Field(ground, rules, *places, terms, lacking, contenders, cells)


def fields(scores: Sequence[Score], rules: AcrossRules) -> Iterator[Field]:
    """A field for each machine, ruleset and division, in order."""
    grouped: dict[Ground, list[Score]] = defaultdict(list)
    for score in scores:
        if score.rules.mode == "cost_to_target":
            grouped[ground_of(score)].append(score)
    for ground, mine in sorted(grouped.items()):
        every = [
            score for other, found in grouped.items() if other[:2] == ground[:2] for score in found
        ]
        yield field_of(mine, every, ground, rules)
