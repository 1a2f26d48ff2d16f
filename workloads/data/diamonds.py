"""53,920 diamonds with their prices, from plotnine's copy, read without importing plotnine."""

import csv
from functools import cache

import numpy as np
import numpy.typing as npt

from harness.api import Splits
from workloads.data.installed import installed

MASK = ("plotnine/data",)
TEST, VALIDATION = 5_000, 5_000
ORDERS = {
    "cut": ("Fair", "Good", "Very Good", "Premium", "Ideal"),
    "color": tuple("JIHGFED"),
    "clarity": ("I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"),
}
"""Grades from worst to best."""
LOGS = ("carat", "x", "y", "z")
PLAIN = ("depth", "table")

Floats = npt.NDArray[np.float64]


@cache
def diamonds() -> tuple[Floats, Floats]:
    """Nine inputs (rows, 9) and log prices in log dollars (rows,).

    Rows without a size are left out.

    Raises:
        FileNotFoundError: plotnine is not installed, or its data folder is masked.
        ValueError: a grade is unknown, or a number is none.
    """
    path = installed("plotnine", "data", "diamonds.csv")
    with path.open(newline="", encoding="utf-8") as file:
        try:
            rows = [item for item in csv.DictReader(file) if _has_sizes(item)]
            inputs = np.array([_inputs(row) for row in rows])
            return inputs, np.log([float(row["price"]) for row in rows])
        except (ValueError, KeyError) as error:
            raise ValueError(f"{path}: {error}; install an unchanged plotnine") from error


def _has_sizes(row: dict[str, str]) -> bool:
    return min(float(row[name]) for name in "xyz") > 0


def _inputs(row: dict[str, str]) -> list[float]:
    logs = [float(np.log(float(row[name]))) for name in LOGS]
    for name, order in ORDERS.items():
        if row[name] not in order:
            raise ValueError(f"'{row[name]}' is no {name}")
    grades = [float(order.index(row[name])) for name, order in ORDERS.items()]
    return [*logs, *(float(row[name]) for name in PLAIN), *grades]


def diamond_splits() -> Splits:
    """`x` standardised by the training rows, `y` log price less the training mean.

    `facts["log_price_mean"]` is that mean.
    """
    inputs, prices = diamonds()
    order = np.random.default_rng(0).permutation(len(prices))
    inputs, prices = inputs[order], prices[order]
    a, b = len(prices) - TEST - VALIDATION, len(prices) - TEST
    mean = float(prices[:a].mean())
    x = (inputs - inputs[:a].mean(axis=0)) / inputs[:a].std(axis=0)
    x, y = x.astype(np.float32), (prices - mean).astype(np.float32)
    return Splits(
        train={"x": x[:a], "y": y[:a]},
        validation={"x": x[a:b], "y": y[a:b]},
        test_inputs={"x": x[b:]},
        test_labels={"y": y[b:]},
        facts={"log_price_mean": mean},
    )
