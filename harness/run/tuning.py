"""A submission's search space, and the points that the harness draws from it for a study."""

import hashlib
import math
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Discriminator, Tag, field_validator, model_validator

from harness.records import Record, SeedPair, TuningTrial

Value = str | int | float | bool

METHOD = "Halton, scrambled by SHA-256 of secret|study|tuning (first 8 bytes, big-endian)"
"""Written into each trial, so that anybody can draw its point again from the revealed secret."""


class ParameterRange(Record):
    """A dimension between two numbers; whole numbers at both ends draw whole numbers."""

    min: int | float
    max: int | float
    scaling: Literal["linear", "log"] = "linear"
    """`log` draws evenly on a logarithmic scale."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.min < self.max:
            raise ValueError(
                f"min {self.min:g} is not below max {self.max:g}; give a list for one value"
            )
        if self.scaling == "log" and self.min <= 0:
            raise ValueError(
                f"a logarithmic scale cannot begin at {self.min:g}; give a positive min"
            )
        return self

    @property
    def whole(self) -> bool:
        """Whether it draws whole numbers."""
        return isinstance(self.min, int) and isinstance(self.max, int)


def _sort_of(value: Any) -> str:
    return "range" if isinstance(value, dict | ParameterRange) else "choice"


Dimension = Annotated[
    Annotated[ParameterRange, Tag("range")] | Annotated[list[Value], Tag("choice")],
    Discriminator(_sort_of),
]
"""A range, or a list of values of which each is as likely."""


class Tuning(Record):
    """`[tuning]` of submission.toml: the search space that the harness draws from."""

    space: dict[str, Dimension] = {}
    """Name to the values it may take: a list, or a table of `min`, `max` and `scaling`."""

    @field_validator("space")
    @classmethod
    def _choices(cls, space: dict[str, Dimension]) -> dict[str, Dimension]:
        for name, dimension in space.items():
            if isinstance(dimension, ParameterRange):
                continue
            if not dimension:
                raise ValueError(f"{name} has no value to choose from; name some, or leave it out")
            if len({repr(item) for item in dimension}) < len(dimension):
                raise ValueError(
                    f"{name} names a value twice; a list draws each value equally often"
                )
        return space


def placed(dimension: Dimension, u: float) -> Value:
    """The value at a place between 0 and 1 of a dimension."""
    if not isinstance(dimension, ParameterRange):
        return dimension[min(int(u * len(dimension)), len(dimension) - 1)]
    low, high = dimension.min, dimension.max
    if dimension.scaling == "log":
        value = math.exp(math.log(low) + u * (math.log(high) - math.log(low)))
        found = round(value) if dimension.whole else value
    elif dimension.whole:
        found = low + math.floor(u * (high - low + 1))
    else:
        found = low + u * (high - low)
    return min(max(found, low), high)


def draw_points(space: dict[str, Dimension], seed: int, count: int) -> list[dict[str, Value]]:
    """The points of one study: a scrambled Halton sequence, which fills the space evenly.

    Args:
        space: At least one dimension; their order is that of their names.
        seed: Of the scrambling.
        count: Number of trials.
    """
    import numpy as np
    from scipy.stats import qmc  # a second to load, and only where something is tuned

    names = sorted(space)
    sampler = qmc.Halton(d=len(names), scramble=True, rng=np.random.default_rng(seed))
    return [
        {name: placed(space[name], float(u)) for name, u in zip(names, row, strict=True)}
        for row in sampler.random(count)
    ]


def study_seed(secret: bytes, study: int) -> int:
    """Seed of a study's points, from the secret of its series: nobody can choose it."""
    digest = hashlib.sha256(secret + f"|{study}|tuning".encode()).digest()
    return int.from_bytes(digest[:8], "big")


class PlannedRun(NamedTuple):
    """One run of a series: its seeds, and what it tries."""

    seeds: SeedPair
    hyperparameters: dict[str, Value]
    tuning: TuningTrial | None


def external_trials(
    space: dict[str, Dimension], seeds: list[SeedPair], trials_count: int
) -> list[PlannedRun]:
    """The trials of all studies: those of one study after each other, each with seeds of its own.

    Args:
        space: Of the submission.
        seeds: Of all runs, from one secret; as many as there are studies times trials.
        trials_count: Trials of a study.
    """
    found = []
    for study in range(len(seeds) // trials_count):
        mine = seeds[study * trials_count : (study + 1) * trials_count]
        seed = study_seed(bytes.fromhex(mine[0].secret), study)
        for number, point in enumerate(draw_points(space, seed, trials_count)):
            place = {"study": study, "trial": number, "trials_count": trials_count}
            tuning = TuningTrial(mode="external", **place, method=METHOD)
            found.append(PlannedRun(mine[number], point, tuning))
    return found
