"""Units live in names: each numeric field of a record says its unit or is listed as unitless."""

import importlib
import pkgutil
import typing
from collections.abc import Iterator, Mapping

import pytest
from pydantic import BaseModel

import harness.records

UNITS = {"s", "ns", "j", "w", "hz", "bytes", "celsius", "v", "a", "kg", "usd"}
"""SI where it has a unit for the thing."""

PURE = {"count", "ratio", "fraction"}
"""Endings of numbers without a unit."""

BOUNDS = {"min", "max"}
"""Endings that say which end of a range, after the unit."""

DIMENSIONLESS = {
    # formats, positions and names that happen to be numbers
    "core", "exit_code", "format", "index", "ledger_seq", "rank", "rank_high", "rank_low", "seq",
    "signal", "snapshot", "step", "study", "trial", "uid",
    # seeds
    "instance", "seed", "session",
    # how many of something, the something being the name
    "dropped", "examples", "failures", "messages", "messages_burst", "n", "processes_max",
    "snapshots_max", "test_examples", "threads", "tuning_trials_max",
    # in a unit that another field states: the metric's, the leaderboard's, the figure's
    "change", "cost", "facts", "high", "loss", "low", "metric", "minimum_detectable_difference",
    "resolvable_lead", "score", "sd_floor", "target", "uncertainty", "validation", "value",
    "without", "x", "y",
    # probabilities, and multiples of something measured
    "confidence", "gap_periods_max", "level", "optimum_sigmas", "p_differ", "p_first", "p_front",
    "p_holm", "p_target", "separation_alpha",
    "target_alpha",
}  # fmt: skip
"""Field names whose numbers have no unit, each for the reason above its line."""


def record_types() -> Iterator[type[BaseModel]]:
    """Every record class, wherever in the package it lies."""
    package = harness.records
    below = pkgutil.walk_packages(getattr(package, "__path__", []), f"{package.__name__}.")
    seen: set[type[BaseModel]] = set()
    for name in [package.__name__, *(module.name for module in below)]:
        for value in vars(importlib.import_module(name)).values():
            if isinstance(value, type) and issubclass(value, BaseModel) and value not in seen:
                seen.add(value)
                yield value


def value_types(annotation: object) -> set[object]:
    """The plain types that a value may have: members of unions, elements of containers."""
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return set()
    if origin is typing.Annotated:
        return value_types(parts[0])
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return value_types(parts[1])
    if parts:
        return set().union(*(value_types(part) for part in parts))
    return {annotation}


def is_numeric(annotation: object) -> bool:
    """Whether values are numbers. Where text is allowed too, the name is data, not a quantity."""
    types = value_types(annotation)
    return bool(types & {int, float}) and str not in types


def says_its_unit(name: str) -> bool:
    """Whether the name ends in a unit, a unit per something, or a word for a pure number."""
    words = name.partition("_per_")[0].split("_")
    if words[-1] in BOUNDS:
        words = words[:-1]
    return len(words) > 1 and words[-1] in UNITS | PURE


def numeric_fields() -> dict[str, str]:
    """`Class.field` to field name, for all numeric fields of all records."""
    return {
        f"{record.__name__}.{name}": name
        for record in record_types()
        for name, field in record.model_fields.items()
        if is_numeric(field.annotation)
    }


def test_there_are_numbers_to_look_at() -> None:
    assert numeric_fields()


def test_every_quantity_says_its_unit() -> None:
    silent = [
        place
        for place, name in numeric_fields().items()
        if name not in DIMENSIONLESS and not says_its_unit(name)
    ]
    assert not silent, f"put the unit into the name, or list it as dimensionless: {silent}"


def test_the_list_of_exceptions_is_not_stale() -> None:
    assert set(numeric_fields().values()) >= DIMENSIONLESS


@pytest.mark.parametrize(
    "name", ["budget_s", "t_ns", "size_bytes", "output_bytes_max", "price_usd_per_h", "reads_count"]
)
def test_names_with_a_unit(name: str) -> None:
    assert says_its_unit(name)


@pytest.mark.parametrize(
    "name", ["budget", "s", "energy_mj", "price_per_h", "time_max", "duration"]
)
def test_names_without_one(name: str) -> None:
    assert not says_its_unit(name)


@pytest.mark.parametrize(
    "annotation", [int, float | None, tuple[int, ...], dict[str, typing.Annotated[float, "finite"]]]
)
def test_numbers_are_detected_inside_types(annotation: object) -> None:
    assert is_numeric(annotation)


@pytest.mark.parametrize("annotation", [bool, str, dict[str, str | int], typing.Literal[1, 2]])
def test_other_types_are_no_numbers(annotation: object) -> None:
    assert not is_numeric(annotation)
