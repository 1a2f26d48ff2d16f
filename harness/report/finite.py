"""Keeps what is no finite number off the pages: such a figure counts as missing, and says so."""

import json
import math
from typing import Any, TypeVar

from harness.records import Figure, Leaderboard, RunScore, Score, Standing, Unranked
from harness.records.base import Record

AnyRecord = TypeVar("AnyRecord", bound=Record)

NO_NUMBER = "its figure is no finite number"

LEAST, GREATEST = 1e-90, 1e90
"""Costs outside are no training run's, and their squares could leave the range of floats."""

KEPT = ("target", "target_sd", "level", "separation_alpha")
"""Never taken out, since every page needs them: pages show a dash for what is no number."""


def _wild(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def tamed(record: AnyRecord) -> AnyRecord:
    """The record without its numbers that are infinite or none at all; itself where it has none."""
    values = vars(record)
    # `__dict__` in place of fields one by one: a site of 10,000 runs comes through here.
    missing = dict.fromkeys(name for name in values if _wild(values[name]) and name not in KEPT)
    return record.model_copy(update=missing) if missing else record


def _figure(figure: Figure | None) -> Figure | None:
    """A figure whose value is no number is missing; an end that is none is open."""
    return None if figure is None or _wild(figure.value) else tamed(figure)


def _run(run: RunScore) -> RunScore:
    known = {name: joules for name, joules in run.energy.by_domain_j.items() if not _wild(joules)}
    if len(known) < len(run.energy.by_domain_j):
        run = run.model_copy(
            update={"energy": run.energy.model_copy(update={"by_domain_j": known})}
        )
    return tamed(run.model_copy(update={"energy": tamed(run.energy)}))


def tamed_score(score: Score) -> Score:
    """A score in which every number that pages draw is finite, or missing."""
    changed: dict[str, Any] = {
        "costs": score.costs.model_copy(
            update={name: _figure(value) for name, value in vars(score.costs).items()}
        ),
        "quality": tamed(
            score.quality.model_copy(update={"figure": _figure(score.quality.figure)})
        ),
    }
    domains = {name: _figure(figure) for name, figure in score.energy.by_domain_j.items()}
    finite = {name: figure for name, figure in domains.items() if figure}
    changed["energy"] = score.energy.model_copy(update={"by_domain_j": finite})
    changed["runs"] = tuple(_run(run) for run in score.runs)
    return tamed(score.model_copy(update=changed))


COSTS = ("energy_to_target_j", "time_to_target_s", "steps_to_target", "cost_to_target_usd")


def all_positive(score: Score) -> bool:
    """Whether every cost of a score and of its runs is above zero, as far as it is known.

    Only such scores are put together over workloads: of no other cost there is a logarithm.
    """
    figures = (score.figure_of(name) for name in COSTS)
    values = [figure.value for figure in figures if figure is not None]
    runs = (
        cost
        for run in (*score.runs, *score.trials)
        for cost in (run.energy.energy_j, run.time_s, run.step)
    )
    return all(LEAST < value < GREATEST for value in (*values, *(v for v in runs if v is not None)))


def _left_out(row: Standing) -> Unranked:
    return Unranked(
        entry=row.entry,
        status="invalid",
        reason=NO_NUMBER,
        score=None,
        method=None,
    )


def tamed_board(board: Leaderboard) -> Leaderboard:
    """A board on which every place has a finite figure; others are listed without a place."""
    kept = tuple(tamed(row) for row in board.standings if not _wild(row.score))
    out = tuple(_left_out(row) for row in board.standings if _wild(row.score))
    unranked = (*(tamed(row) for row in board.unranked), *out)
    return tamed(board.model_copy(update={"standings": kept, "unranked": unranked}))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if _wild(value) else value


def json_text(tree: Any) -> str:
    """Plain values as JSON in the form of records on disk, null for what is no number there."""
    return json.dumps(_plain(tree), sort_keys=True, indent=1, allow_nan=False) + "\n"
