"""Which algorithm has which cost on which workload."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from harness.records import AcrossRules, Figure, RunScore, Score
from harness.records.ruleset import AcrossQuantity
from harness.score.costs import (
    Costs,
    costs,
    dollar_costs,
    dollars_of,
    energy_costs,
    sample_of,
    time_costs,
    valid_runs,
)
from harness.score.multi.aggregate import AggregationSpec, Row
from harness.score.stats.sample import Sample, mean_log
from harness.score.tuning import tuning_costs, tuning_text, with_tuning


class CostKind(NamedTuple):
    """A cost that can rank."""

    costs: Callable[[Sequence[RunScore]], Costs | None]
    """Costs of runs, by seed."""
    to_target: Callable[[RunScore], float | None]
    """Cost of one run until its target."""
    whole_run: Callable[[RunScore], float | None]
    """Cost of one run over its run window."""


COST_KINDS: dict[AcrossQuantity, CostKind] = {
    "time_to_target_s": CostKind(time_costs, lambda run: run.time_s, lambda run: run.window_s),
    "energy_to_target_j": CostKind(
        energy_costs, lambda run: run.energy.energy_j, lambda run: run.energy.window_j
    ),
    "cost_to_target_usd": CostKind(
        dollar_costs,
        lambda run: dollars_of(run, run.time_s),
        lambda run: dollars_of(run, run.window_s),
    ),
}


class TableKey(NamedTuple):
    """What the scores of one table share."""

    machine: str
    ruleset: str
    """Without the note that says how an entry was tuned."""
    division: str


class Algorithm(NamedTuple):
    """What is ranked: the entries of one team that share a name, on whatever workload."""

    name: str
    """Name of the submission without the workload's name in front."""
    team: str
    tuning: str
    """How it was tuned; empty where it was not."""

    @property
    def title(self) -> str:
        """The name, and how it was tuned."""
        return f"{self.name} ({self.tuning})" if self.tuning else self.name


class TableCell(NamedTuple):
    """One algorithm on one workload."""

    score: Score | None
    sample: Sample | None
    """The costs; None: infinite."""
    reason: str
    """Why there is no cost."""


class MultiTable(NamedTuple):
    """The costs of all algorithms on all workloads that count."""

    key: TableKey
    rules: AcrossRules
    workloads: tuple[str, ...]
    versions: tuple[str, ...]
    spec: AggregationSpec
    left_out: dict[str, str]
    """Workloads that do not count, with the reason."""
    algorithms: tuple[Algorithm, ...]
    cells: tuple[tuple[TableCell, ...], ...]

    @property
    def rows(self) -> list[Row]:
        """The costs alone."""
        return [[cell.sample for cell in row] for row in self.cells]

    @property
    def titles(self) -> list[str]:
        """Titles of the algorithms; where two are equal, with the team."""
        titles = [algorithm.title for algorithm in self.algorithms]
        return [
            f"{title} of {algorithm.team}" if titles.count(title) > 1 else title
            for title, algorithm in zip(titles, self.algorithms, strict=True)
        ]


def algorithm_of(score: Score) -> Algorithm:
    """The algorithm that an entry belongs to."""
    trial = score.runs[0].trial if score.runs else None
    name = score.entry.submission.removeprefix(f"{score.entry.workload}-")
    return Algorithm(name, score.entry.team, tuning_text(trial))


def key_of(score: Score) -> TableKey:
    """The table of a score; entries that were tuned differently share one: tuning is a cost."""
    tuning = algorithm_of(score).tuning
    ruleset = score.rules.ruleset.removesuffix(f" ({tuning})") if tuning else score.rules.ruleset
    return TableKey(score.entry.machine, ruleset, score.entry.division)


def last_version(scores: Sequence[Score]) -> Score:
    """The version that counts: the one whose runs were sealed last, whatever its cost.

    The best version of several would be a choice by the same data that are tested.
    """
    return max(
        scores,
        key=lambda score: (
            max((run.started_utc for run in score.runs), default=""),
            score.entry.sha256,
        ),
    )


def _sample(score: Score, rules: AcrossRules) -> Sample | None:
    """Logarithms of the costs, tuning and failed runs included."""
    kind, runs = COST_KINDS[rules.quantity], valid_runs(score)
    if rules.tuning_included and score.trials:
        values = costs(
            runs, with_tuning(kind.to_target, tuning_costs(score.trials, kind.whole_run))
        )
    else:
        values = kind.costs(runs)
    if values is None:
        return None
    sample, figure = sample_of(values, score), score.figure_of(rules.quantity)
    if not sample.open_ended or figure is None:
        return sample
    # The figure counts what failed runs spent; the successful ones are raised to it.
    more = math.log(figure.value) - mean_log(sample)
    return sample._replace(logs={seed: log + more for seed, log in sample.logs.items()})


def cell_of(score: Score | None, rules: AcrossRules) -> TableCell:
    """The cell of a score; without a cost where the rules count none."""
    if score is None:
        return TableCell(None, None, "was not entered")
    if score.status != "scored":
        return TableCell(score, None, score.reason)
    if rules.quantity == "energy_to_target_j" and not score.energy.eligible:
        return TableCell(score, None, score.energy.note)
    sample = _sample(score, rules)
    reason = "" if sample else f"not every run and trial has a {rules.quantity}"
    return TableCell(score, sample, reason)


def _domains(cell: TableCell) -> tuple[str, ...]:
    figure: Figure | None = cell.score.costs.energy_to_target_j if cell.score else None
    return figure.domains if figure else ()


def _same_domains(cell: TableCell, reference: TableCell, rules: AcrossRules) -> TableCell:
    """The cell, without its cost where its joules cover other domains than the reference's."""
    own, other = _domains(cell), _domains(reference)
    if cell.sample is None or rules.quantity != "energy_to_target_j" or own == other:
        return cell
    reason = f"covers {', '.join(own)}; the reference covers {', '.join(other)}"
    return cell._replace(sample=None, reason=reason)


def _reference_cells(
    scores: Sequence[Score], rules: AcrossRules
) -> tuple[dict[str, TableCell], dict[str, str]]:
    """The reference's cell on each workload, and the workloads without one, with the reason."""
    entered: dict[str, list[Score]] = defaultdict(list)
    for score in scores:
        if algorithm_of(score)[::2] == (rules.reference, ""):
            entered[score.entry.workload].append(score)
    cells: dict[str, TableCell] = {}
    left_out: dict[str, str] = {}
    for name in rules.workloads or sorted({score.entry.workload for score in scores}):
        cell = cell_of(last_version(entered[name]) if name in entered else None, rules)
        if cell.sample is None:
            left_out[name] = f"{rules.reference}: {cell.reason}"
        else:
            cells[name] = cell
    return cells, left_out


def table_of(
    scores: Sequence[Score], on_machine: Sequence[Score], key: TableKey, rules: AcrossRules
) -> MultiTable:
    """Collect the costs of one table.

    Args:
        scores: The scores of the table.
        on_machine: Those of all divisions of the machine, which share the reference.
        key: Machine, ruleset and division.
        rules: What counts.
    """
    reference, left_out = _reference_cells(on_machine, rules)
    versions = {
        name: cell.score.entry.workload_version for name, cell in reference.items() if cell.score
    }
    entered: dict[tuple[Algorithm, str], list[Score]] = defaultdict(list)
    for score in scores:
        if versions.get(score.entry.workload) == score.entry.workload_version:
            entered[algorithm_of(score), score.entry.workload].append(score)
    algorithms = tuple(sorted({algorithm for algorithm, _ in entered}))

    def cell(algorithm: Algorithm, workload: str) -> TableCell:
        """The cell of the last version that the algorithm has on a workload."""
        entries = entered.get((algorithm, workload))
        return _same_domains(
            cell_of(last_version(entries) if entries else None, rules), reference[workload], rules
        )

    logs = tuple(mean_log(item.sample) for item in reference.values() if item.sample)
    return MultiTable(
        key,
        rules,
        tuple(reference),
        tuple(versions.values()),
        AggregationSpec(logs, rules.cost_ratio_max, rules.aggregate),
        left_out,
        algorithms,
        tuple(tuple(cell(algorithm, name) for name in reference) for algorithm in algorithms),
    )


def tables(scores: Sequence[Score], rules: AcrossRules) -> Iterator[MultiTable]:
    """Make a table for each machine, ruleset and division, in order."""
    grouped: dict[TableKey, list[Score]] = defaultdict(list)
    for score in scores:
        if score.rules.mode == "cost_to_target":
            grouped[key_of(score)].append(score)
    for key, members in sorted(grouped.items()):
        on_machine = [
            score for other, group in grouped.items() if other[:2] == key[:2] for score in group
        ]
        yield table_of(members, on_machine, key, rules)
