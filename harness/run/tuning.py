"""A submission's search space, and the points that the harness draws from it for a study."""

import hashlib
import math
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Discriminator, Tag, field_validator, model_validator

from harness.records import Record, SeedPair, TuningTrial

Value = str | int | float | bool

METHOD = "Halton, scrambled by SHA-256 of secret|study|tuning (first 8 bytes, big-endian)"
"""Stored in each trial, so that its point can be drawn again from the revealed secret."""


class ParameterRange(Record):
    """A dimension between two numbers; two integers draw integers."""

    min: int | float
    max: int | float
    scaling: Literal["linear", "log"] = "linear"
    """`log` draws uniformly on a logarithmic scale."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.min < self.max:
            raise ValueError(
                f"min {self.min:g} is not below max {self.max:g}; give a list for one value"
            )
        if self.scaling == "log" and self.min <= 0:
            raise ValueError(
                f"a logarithmic scale cannot start at {self.min:g}; give a positive min"
            )
        return self

    @property
    def whole(self) -> bool:
        """Whether it draws integers."""
        return isinstance(self.min, int) and isinstance(self.max, int)


def _sort_of(value: Any) -> str:
    return "range" if isinstance(value, dict | ParameterRange) else "choice"


Dimension = Annotated[
    Annotated[ParameterRange, Tag("range")] | Annotated[list[Value], Tag("choice")],
    Discriminator(_sort_of),
]
"""A range, or a list of equally likely values."""


class Tuning(Record):
    """`[tuning]` of submission.toml: the search space that the harness draws from."""

    space: dict[str, Dimension] = {}
    """Name to possible values: a list, or a table of `min`, `max` and `scaling`."""

    @field_validator("space")
    @classmethod
    def _choices(cls, space: dict[str, Dimension]) -> dict[str, Dimension]:
        for name, dimension in space.items():
            if isinstance(dimension, ParameterRange):
                continue
            if not dimension:
                raise ValueError(f"{name} has no value to choose from; add some, or leave it out")
            if len({repr(value) for value in dimension}) < len(dimension):
                raise ValueError(
                    f"{name} contains a value twice; a list draws each value equally often"
                )
        return space


def placed(dimension: Dimension, u: float) -> Value:
    """The value of a dimension at the quantile `u`, from 0 to 1."""
    if not isinstance(dimension, ParameterRange):
        return dimension[min(int(u * len(dimension)), len(dimension) - 1)]
    low, high = dimension.min, dimension.max
    if dimension.scaling == "log":
        value = math.exp(math.log(low) + u * (math.log(high) - math.log(low)))
        value = round(value) if dimension.whole else value
    elif dimension.whole:
        value = low + math.floor(u * (high - low + 1))
    else:
        value = low + u * (high - low)
    return min(max(value, low), high)


def draw_points(space: dict[str, Dimension], seed: int, count: int) -> list[dict[str, Value]]:
    """Draw the points of one study: a scrambled Halton sequence, which fills the space evenly.

    Args:
        space: At least one dimension; they are taken in the order of their names.
        seed: Seed of the scrambling.
        count: Number of trials.
    """
    import numpy as np
    from scipy.stats import qmc  # takes a second to load

    names = sorted(space)
    sampler = qmc.Halton(d=len(names), scramble=True, rng=np.random.default_rng(seed))
    return [
        {name: placed(space[name], float(u)) for name, u in zip(names, row, strict=True)}
        for row in sampler.random(count)
    ]


def study_seed(secret: bytes, study: int) -> int:
    """Seed of a study's points, from the secret of its series, so that it cannot be chosen."""
    digest = hashlib.sha256(secret + f"|{study}|tuning".encode()).digest()
    return int.from_bytes(digest[:8], "big")


class PlannedRun(NamedTuple):
    """One run of a series: its seeds and its hyperparameters."""

    seeds: SeedPair
    hyperparameters: dict[str, Value]
    tuning: TuningTrial | None


def external_trials(
    space: dict[str, Dimension], seeds: list[SeedPair], trials_count: int
) -> list[PlannedRun]:
    """The trials of all studies, study by study; each trial has its own seeds.

    Args:
        space: Search space of the submission.
        seeds: Seeds of all runs, from one secret; their number is studies times trials.
        trials_count: Trials per study.
    """
    runs = []
    for study in range(len(seeds) // trials_count):
        pairs = seeds[study * trials_count : (study + 1) * trials_count]
        points = draw_points(space, study_seed(bytes.fromhex(pairs[0].secret), study), trials_count)
        for number, (pair, point) in enumerate(zip(pairs, points, strict=True)):
            tuning = TuningTrial(
                mode="external",
                study=study,
                trial=number,
                trials_count=trials_count,
                method=METHOD,
            )
            runs.append(PlannedRun(pair, point, tuning))
    return runs
