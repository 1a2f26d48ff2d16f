"""Ratings of films by people."""

from typing import TYPE_CHECKING

from harness.api import Metric, Outputs, Splits, Target, WorkloadSpec
from workloads.data.movielens import ITEMS, MASK, USERS, movielens_splits
from workloads.metrics import root_mean_square

if TYPE_CHECKING:
    from torch import nn


def _data(_seed: int) -> Splits:
    return movielens_splits()


def _model() -> "nn.Module":
    from workloads.models.factors import Factorisation

    return Factorisation(users=USERS, items=ITEMS, factors=32)


WORKLOAD = WorkloadSpec(
    name="ml100k",
    title="MovieLens 100K, matrix factorisation",
    domain="recommender",
    size="cpu",
    secrecy="public",
    metric=Metric(name="RMSE", better="lower", unit="stars", digits=4),
    target=Target(
        value=0.945,
        version="1",
        derivation=(
            "Median final error of 5 runs of ml100k-adamw (.9322), loosened by three standard "
            "deviations (.0041 each) or to the worst run (.9381), whichever is easier, and "
            "rounded up."
        ),
    ),
    budget_s=10.0,
    outputs=Outputs(kind="scores", shape=()),
    data=_data,
    model=_model,
    score=root_mean_square,
    predict_cpu_s=0.005,
    mask=MASK,
    packages=("numpy", "torch", "recbole"),
    tags=("regression",),
    about=(
        "MovieLens 100K (F. M. Harper, J. A. Konstan; terms of GroupLens, which forbid passing "
        "it on): 100,000 ratings of 1,682 films by 943 people, read from an installed recbole; "
        "85,000 to train, 5,000 to validate, 10,000 hidden at random. Anyone can obtain them, "
        "so results are for practice. The budget is nine times the CPU seconds of the "
        "reference's full schedule (three for the rule, three for two cores shared with other "
        "work), rounded up to five seconds."
    ),
)
