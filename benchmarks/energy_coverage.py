"""How often the intervals of joules hold the truth, by class of sensor, on a virtual clock.

python -m benchmarks.energy_coverage [--windows N] [--write]

Every class of sensor of tests/lab/courses.py reads every kind of course there, in windows of 1 to
50 s. Each window is measured twice: by a sensor without
gain error, against the uncertainty without that of the gain (`own_u_j`), and by one whose gain
error is uniform within its class, against the whole (`u_j`). Printed is a Markdown table; with
`--write` it goes into docs/meters.md.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.lab.courses import COURSES, SENSORS, SensorClass, draw, measure

PAGE = Path(__file__).parents[1] / "docs" / "meters.md"
HEADINGS = (
    "sensor", "windows", "`u_j` holds", "`own_u_j` holds", "`own_u_j` least on", "`u_j` / error",
    "`own_u_j` / error", "`bound_j` holds",
)  # fmt: skip


class Window(NamedTuple):
    """One window, measured with a gain error and without."""

    course: str
    errors: tuple[float, float]
    """As parts of the true energy."""
    uncertainties: tuple[float, float] | None
    """As parts of the true energy; None where they are not stated."""
    bounded: bool


class Row(NamedTuple):
    """All windows of one class of sensor."""

    sensor: str
    windows: int
    holds: tuple[float, float] | None
    """Part of the windows in which the whole and the own uncertainty hold."""
    least: tuple[str, float] | None
    """Kind of course on which the own uncertainty holds least often, and that part."""
    ratios: tuple[float, float] | None
    """Median uncertainty by the 95th percentile of the error, whole and own, both relative."""
    bounds: float

    def cells(self) -> Iterator[str]:
        """The cells of a row of the table."""
        yield from (self.sensor, str(self.windows))
        if self.holds is None or self.least is None or self.ratios is None:
            yield from ("not stated",) * 5
        else:
            yield from (f"{holds:.1%}" for holds in self.holds)
            yield f"{self.least[0]}: {self.least[1]:.0%}"
            yield from (f"{ratio:.1f}" for ratio in self.ratios)
        yield f"{self.bounds:.1%}"


def windows(name: str, sensor: SensorClass, count: int) -> Iterator[Window]:
    """Measure so many windows of each kind of course; one without a figure is left out."""
    for kind, course in enumerate(COURSES):
        for index in range(count):
            seed = [kind, index, *name.encode()]
            gain = 1 + np.random.default_rng([*seed, 1]).uniform(-sensor.gain, sensor.gain)
            errors, uncertainties, bounded = [], [], True
            for factor in (gain, 1.0):
                drawn = draw(np.random.default_rng(seed), course, sensor, factor)
                result = measure(drawn, sensor)
                if result.energy_j is None or result.bound_j is None:
                    break
                low_j, high_j = result.bound_j
                bounded &= low_j - 1e-6 <= drawn.truth_j <= high_j + 1e-6
                errors.append(abs(result.energy_j / drawn.truth_j - 1))
                u_j = result.own_u_j if errors[1:] else result.u_j
                uncertainties += [] if u_j is None else [u_j / drawn.truth_j]
            else:
                pair = (uncertainties[0], uncertainties[1]) if uncertainties[1:] else None
                yield Window(course, (errors[0], errors[1]), pair, bounded)


def summarize(name: str, seen: Sequence[Window]) -> Row:
    """The row of one class of sensor."""
    bounds = float(np.mean([window.bounded for window in seen]))
    stated = [window for window in seen if window.uncertainties is not None]
    if not stated:
        return Row(name, len(seen), None, None, None, bounds)
    errors = np.array([window.errors for window in stated])
    uncertainties = np.array([window.uncertainties for window in stated])
    holds = errors <= uncertainties
    by_course = {
        course: float(holds[[window.course == course for window in stated], 1].mean())
        for course in dict.fromkeys(window.course for window in stated)
    }
    ratios = np.median(uncertainties, axis=0) / np.quantile(errors, 0.95, axis=0)
    shares, least = holds.mean(axis=0), min(by_course, key=by_course.__getitem__)
    return Row(
        name,
        len(seen),
        (float(shares[0]), float(shares[1])),
        (least, by_course[least]),
        (float(ratios[0]), float(ratios[1])),
        bounds,
    )


def table(count: int) -> list[Row]:
    """All classes of sensor, with so many windows of each kind of course."""
    return [summarize(name, list(windows(name, sensor, count))) for name, sensor in SENSORS.items()]


def markdown(rows: Sequence[Row]) -> list[str]:
    """The lines of the table."""
    lines = [f"| {' | '.join(HEADINGS)} |", "|---" * len(HEADINGS) + "|"]
    return lines + [f"| {' | '.join(row.cells())} |" for row in rows]


def documented(text: str, rows: Sequence[Row]) -> str:
    """The page with its table replaced."""
    lines, new = text.splitlines(), markdown(rows)
    first = lines.index(new[0])
    last = next(at for at in range(first, len(lines)) if not lines[at].startswith("|"))
    return "\n".join([*lines[:first], *new, *lines[last:]]) + "\n"


def main() -> None:
    """Print the table, and write it into the page where that was requested."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--windows", type=int, default=50, help="of each course and sensor")
    parser.add_argument("--write", action="store_true", help="write it into docs/meters.md")
    options = parser.parse_args()
    rows = table(options.windows)
    print("\n".join(markdown(rows)))
    print(f"\n{sum(row.windows for row in rows)} windows, {len(COURSES)} kinds of courses")
    if options.write:
        PAGE.write_text(documented(PAGE.read_text(encoding="utf-8"), rows), encoding="utf-8")


if __name__ == "__main__":
    main()
