"""How often the intervals of costs hold the truth, on costs resampled from calibration records.

python -m benchmarks.interval_coverage [--draws N] [--write]

Each workload's record holds the costs of its reference over many seeds. They stand for the whole
population: n of them are drawn with replacement, an interval is made as the scorer makes it, and
one counts how often it holds the population's geometric mean. Four kinds of cost:

- `final`: the last snapshot, as prizes take it.
- `first passing`: the first snapshot that reaches the target, so that times lie on a grid.
- `rounded`: the last snapshot, rounded up to a grid of a tenth of the median.
- `stragglers`: the last snapshot, one run in ten taking twice as long.

Printed is a Markdown table: the median over workloads and the least, for 3, 5 and 8 seeds at 95 %.
With `--write` the figures go into the file that the site's methods page reads, and the table into
docs/statistics.md.
"""

import argparse
import hashlib
import json
import math
import random
import statistics
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.records.base import FORMAT, Record, load
from harness.report.pages.methods import COVERAGE_FILE, COVERAGE_HEADINGS, coverage_cells
from harness.score.stats.intervals import Interval, log_t_interval, passes, step_sd

FOLDER = Path(__file__).parents[1] / "workloads" / "calibrations"
PAGE = Path(__file__).parents[1] / "docs" / "statistics.md"
COMMAND = "python -m benchmarks.interval_coverage --write"
LEVEL = 0.95
SEEDS = (3, 5, 8)
RUNS_LEAST = 20
STAMP_STEP_S = 0.01
STRAGGLERS = 0.1
SLOWER = 2.0


class CoverageRow(Record):
    """One kind of cost at one number of seeds, over all workloads."""

    costs: str
    """Which costs were drawn, see `KINDS`."""
    seeds: int
    median_ratio: float
    """Share of intervals that contain the truth, the median over workloads."""
    least_ratio: float
    """The same on the workload where it is least."""
    least_on: str
    """That workload."""
    narrowest_ratio: float
    """Least width of an interval, relative to its value."""


class IntervalCoverage(Record):
    """The result of the simulation and what it was made from."""

    format: int = FORMAT
    command: str
    """Makes this file, and the table of docs/statistics.md, again."""
    level: float
    """Nominal coverage of the intervals."""
    draws: int
    """Intervals drawn for each workload, kind of cost and number of seeds."""
    records: dict[str, str]
    """SHA-256 of the calibration records that costs were drawn from, by workload."""
    rows: tuple[CoverageRow, ...]


def committed_coverage() -> IntervalCoverage:
    """Read the committed simulation.

    Raises:
        RecordError: it is damaged.
        OSError: it cannot be read.
    """
    return load(IntervalCoverage, COVERAGE_FILE.read_bytes(), COVERAGE_FILE)


def file_sha256(path: Path) -> str:
    """Return the digest of a calibration record, which shows whether the simulation used it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def markdown(result: IntervalCoverage) -> Iterator[str]:
    """Yield the lines of the table in docs/statistics.md."""
    yield f"| {' | '.join(COVERAGE_HEADINGS)} |"
    yield "|---" * len(COVERAGE_HEADINGS) + "|"
    for row in result.rows:
        yield f"| {' | '.join(coverage_cells(row.model_dump()))} |"


class Population(NamedTuple):
    """The costs of one reference, and how finely they are resolved."""

    workload: str
    costs: tuple[float, ...]
    step: float

    @property
    def floor(self) -> float:
        """Least standard deviation of a logarithm that the resolution allows."""
        return step_sd(self.step / statistics.median(self.costs))

    @property
    def truth(self) -> float:
        """Mean logarithm of the whole population."""
        return statistics.fmean(map(math.log, self.costs))


class Coverage(NamedTuple):
    """What one population's intervals do at one number of seeds."""

    workload: str
    kind: str
    seeds: int
    share: float
    narrowest: float
    """Least width of an interval, as a ratio of its value."""


def _costs(run: dict[str, Any]) -> list[float]:
    """Seconds of each snapshot; CPU seconds where the runs were dry_run side by side."""
    result: list[float] = run["time_s"] if run.get("time_s") is not None else run["cpu_s"]
    return result


def _digested() -> Iterator[tuple[dict[str, Any], str]]:
    """Every committed record with enough runs, and the digest of its file."""
    for path in sorted(FOLDER.glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        if len(record["runs"]) >= RUNS_LEAST:
            yield record, file_sha256(path)


def records() -> Iterator[dict[str, Any]]:
    """Every committed record with enough runs."""
    return (record for record, _ in _digested())


def final(record: dict[str, Any]) -> Population:
    """Costs of the last snapshots."""
    costs = tuple(_costs(run)[-1] for run in record["runs"])
    return Population(record["workload"], costs, STAMP_STEP_S)


def first_passing(record: dict[str, Any]) -> Population:
    """Costs of the first snapshots that pass; runs without one are left out."""
    result, gaps = [], []
    for run in record["runs"]:
        times = _costs(run)
        hits = [
            at
            for at, value in enumerate(run["metrics"])
            if passes(value, record["frozen_target"], record["better"])
        ]
        if hits:
            at = hits[0]
            result.append(times[at])
            gaps.append(times[max(at, 1)] - times[max(at, 1) - 1] if len(times) > 1 else 0.0)
    return Population(record["workload"], tuple(result), statistics.median(gaps))


def rounded(record: dict[str, Any]) -> Population:
    """Costs of the last snapshots on a coarse grid."""
    whole = final(record)
    step = statistics.median(whole.costs) / 10
    costs = tuple(math.ceil(cost / step) * step for cost in whole.costs)
    return Population(whole.workload, costs, step)


def stragglers(record: dict[str, Any]) -> Population:
    """Costs of the last snapshots, one in ten of them longer."""
    whole = final(record)
    often = round(1 / STRAGGLERS) - 1
    slow = tuple(SLOWER * cost for cost in whole.costs)
    return Population(whole.workload, whole.costs * often + slow, whole.step)


KINDS: dict[str, Callable[[dict[str, Any]], Population]] = {
    "final": final,
    "first passing": first_passing,
    "rounded": rounded,
    "stragglers": stragglers,
}


def _holds(interval: Interval, truth: float) -> bool:
    assert interval.low is not None
    assert interval.high is not None
    # A rounding error must not decide where all costs agree.
    return math.log(interval.low) - 1e-9 <= truth <= math.log(interval.high) + 1e-9


def coverage(population: Population, kind: str, seeds: int, draws: int) -> Coverage:
    """Share of intervals that hold the truth, and the narrowest of them."""
    rng = random.Random(f"{population.workload} {kind} {seeds}")
    held, narrowest = 0, math.inf
    for _ in range(draws):
        result = log_t_interval(rng.choices(population.costs, k=seeds), LEVEL, population.floor)
        held += _holds(result, population.truth)
        narrowest = min(narrowest, ((result.high or 0.0) - (result.low or 0.0)) / result.value)
    return Coverage(population.workload, kind, seeds, held / draws, narrowest)


def _summed(mine: Sequence[Coverage]) -> CoverageRow:
    """The workloads of one kind and number of seeds as one row."""
    least = min(mine, key=lambda item: item.share)
    return CoverageRow(
        costs=least.kind,
        seeds=least.seeds,
        median_ratio=statistics.median(item.share for item in mine),
        least_ratio=least.share,
        least_on=least.workload,
        narrowest_ratio=min(item.narrowest for item in mine),
    )


def summary(rows: Sequence[Coverage], draws: int) -> IntervalCoverage:
    """The figures as the site and the documentation state them."""
    every = [(kind, seeds) for kind in KINDS for seeds in SEEDS]
    return IntervalCoverage(
        command=COMMAND,
        level=LEVEL,
        draws=draws,
        records={record["workload"]: digest for record, digest in _digested()},
        rows=tuple(
            _summed([row for row in rows if (row.kind, row.seeds) == which]) for which in every
        ),
    )


def documented(text: str, interval_coverage: IntervalCoverage) -> str:
    """The page with its table replaced."""
    lines = text.splitlines()
    first = lines.index(next(markdown(interval_coverage)))
    last = next(at for at in range(first, len(lines)) if not lines[at].startswith("|"))
    return "\n".join([*lines[:first], *markdown(interval_coverage), *lines[last:]]) + "\n"


def write(interval_coverage: IntervalCoverage) -> None:
    """Put the figures where the site and the documentation take them from."""
    text = json.dumps(interval_coverage.model_dump(mode="json"), indent=1)
    COVERAGE_FILE.write_text(text + "\n", encoding="utf-8")
    PAGE.write_text(
        documented(PAGE.read_text(encoding="utf-8"), interval_coverage), encoding="utf-8"
    )


def measure(draws: int) -> list[Coverage]:
    """Every workload, kind and number of seeds."""
    return [
        coverage(make(record), kind, seeds, draws)
        for record in records()
        for kind, make in KINDS.items()
        for seeds in SEEDS
    ]


def main() -> None:
    """Print the table, and keep the figures where that was asked for."""
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    result = summary(measure(asked.draws), asked.draws)
    print("\n".join(markdown(result)))
    print(f"\n{len(result.records)} workloads")
    if asked.write:
        write(result)


if __name__ == "__main__":
    main()
