"""How often the intervals of costs hold the truth, on costs resampled from calibration records.

python -m benchmarks.interval_coverage [--draws N]

Each workload's record holds the costs of its reference over many seeds. They stand for the whole
population: n of them are drawn with replacement, an interval is made as the scorer makes it, and
one counts how often it holds the population's geometric mean. Four kinds of cost:

- `final`: the last snapshot, as prizes take it.
- `first passing`: the first snapshot that reaches the target, so that times lie on a grid.
- `rounded`: the last snapshot, rounded up to a grid of a tenth of the median.
- `stragglers`: the last snapshot, one run in ten taking twice as long.

Printed is a Markdown table: the median over workloads and the least, for 3, 5 and 8 seeds at 95 %.
"""

import argparse
import json
import math
import random
import statistics
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.score.stats import Interval, log_t_interval, passes, step_sd

FOLDER = Path(__file__).parents[1] / "workloads" / "calibrations"
LEVEL = 0.95
SEEDS = (3, 5, 8)
RUNS_LEAST = 20
STAMP_STEP_S = 0.01
STRAGGLERS = 0.1
SLOWER = 2.0


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
    """Seconds of each snapshot; CPU seconds where the runs were rehearsed side by side."""
    found: list[float] = run["time_s"] if run.get("time_s") is not None else run["cpu_s"]
    return found


def records() -> Iterator[dict[str, Any]]:
    """Every committed record with enough runs."""
    for path in sorted(FOLDER.glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        if len(record["runs"]) >= RUNS_LEAST:
            yield record


def final(record: dict[str, Any]) -> Population:
    """Costs of the last snapshots."""
    costs = tuple(_costs(run)[-1] for run in record["runs"])
    return Population(record["workload"], costs, STAMP_STEP_S)


def first_passing(record: dict[str, Any]) -> Population:
    """Costs of the first snapshots that pass; runs without one are left out."""
    found, gaps = [], []
    for run in record["runs"]:
        times = _costs(run)
        hits = [
            at
            for at, value in enumerate(run["metrics"])
            if passes(value, record["frozen_target"], record["better"])
        ]
        if hits:
            at = hits[0]
            found.append(times[at])
            gaps.append(times[max(at, 1)] - times[max(at, 1) - 1] if len(times) > 1 else 0.0)
    return Population(record["workload"], tuple(found), statistics.median(gaps))


def rounded(record: dict[str, Any]) -> Population:
    """Costs of the last snapshots on a coarse grid."""
    whole = final(record)
    step = statistics.median(whole.costs) / 10
    costs = tuple(math.ceil(each / step) * step for each in whole.costs)
    return Population(whole.workload, costs, step)


def stragglers(record: dict[str, Any]) -> Population:
    """Costs of the last snapshots, one in ten of them longer."""
    whole = final(record)
    often = round(1 / STRAGGLERS) - 1
    slow = tuple(SLOWER * each for each in whole.costs)
    return Population(whole.workload, whole.costs * often + slow, whole.step)


KINDS: dict[str, Callable[[dict[str, Any]], Population]] = {
    "final": final,
    "first passing": first_passing,
    "rounded": rounded,
    "stragglers": stragglers,
}


def _holds(found: Interval, truth: float) -> bool:
    assert found.low is not None
    assert found.high is not None
    # A rounding error must not decide where all costs agree.
    return math.log(found.low) - 1e-9 <= truth <= math.log(found.high) + 1e-9


def coverage(population: Population, kind: str, seeds: int, draws: int) -> Coverage:
    """Share of intervals that hold the truth, and the narrowest of them."""
    rng = random.Random(f"{population.workload} {kind} {seeds}")
    held, narrowest = 0, math.inf
    for _ in range(draws):
        found = log_t_interval(rng.choices(population.costs, k=seeds), LEVEL, population.floor)
        held += _holds(found, population.truth)
        narrowest = min(narrowest, ((found.high or 0.0) - (found.low or 0.0)) / found.value)
    return Coverage(population.workload, kind, seeds, held / draws, narrowest)


def table(rows: Sequence[Coverage]) -> Iterator[str]:
    """The figures as Markdown."""
    yield "| costs | seeds | median coverage | least coverage | on | narrowest interval |"
    yield "|---|---|---|---|---|---|"
    for kind in KINDS:
        for seeds in SEEDS:
            mine = [each for each in rows if (each.kind, each.seeds) == (kind, seeds)]
            least = min(mine, key=lambda each: each.share)
            middle = statistics.median(each.share for each in mine)
            narrow = min(each.narrowest for each in mine)
            yield (
                f"| {kind} | {seeds} | {middle:.1%} | {least.share:.1%} | {least.workload} "
                f"| {narrow:.2%} |"
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
    """Print the table."""
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--draws", type=int, default=2000)
    rows = measure(parser.parse_args().draws)
    print("\n".join(table(rows)))
    print(f"\n{len({each.workload for each in rows})} workloads")


if __name__ == "__main__":
    main()
