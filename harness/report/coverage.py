"""How often the intervals hold the truth: figures of a committed simulation, with its source."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from harness.records.base import FORMAT, Record, load

FILE = Path(__file__).parent / "interval_coverage.json"
"""Written by the command that stands in it."""


class CoverageRow(Record):
    """One kind of cost at one number of seeds, over all workloads."""

    costs: str
    """Which costs were drawn: `final`, `first passing`, `rounded` or `stragglers`."""
    seeds: int
    median_ratio: float
    """Share of intervals that hold the truth, the median over workloads."""
    least_ratio: float
    """The same on the workload where it is least."""
    least_on: str
    """That workload."""
    narrowest_ratio: float
    """Least width of an interval, in multiples of its value."""


class IntervalCoverage(Record):
    """What the simulation says, and what it was made from."""

    format: int = FORMAT
    command: str
    """Makes this file, and the table of the documentation, again."""
    level: float
    """Of the intervals: the share that they promise."""
    draws: int
    """Intervals drawn for each workload, kind of cost and number of seeds."""
    records: dict[str, str]
    """SHA-256 of each calibration record that costs were drawn from, by workload."""
    rows: tuple[CoverageRow, ...]


def committed_coverage() -> IntervalCoverage:
    """The simulation that lies in the project.

    Raises:
        RecordError: it is damaged.
        OSError: it cannot be read.
    """
    return load(IntervalCoverage, FILE.read_bytes(), FILE)


def file_sha256(path: Path) -> str:
    """Digest of a record, by which one sees that the simulation is of another."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _share(ratio: float, digits: int = 1) -> str:
    return f"{ratio:.{digits}%}"


def cells(row: CoverageRow) -> tuple[str, ...]:
    """A row as it is shown, whether on a page or in the documentation."""
    shares = (_share(row.median_ratio), _share(row.least_ratio))
    return (row.costs, str(row.seeds), *shares, row.least_on, _share(row.narrowest_ratio, 2))


HEADINGS = ("costs", "seeds", "median coverage", "least coverage", "on", "narrowest interval")
"""Of the columns, in the order of `cells`."""


def markdown(found: IntervalCoverage) -> Iterator[str]:
    """The lines of the table in docs/statistics.md."""
    yield f"| {' | '.join(HEADINGS)} |"
    yield "|---" * len(HEADINGS) + "|"
    for row in found.rows:
        yield f"| {' | '.join(cells(row))} |"
