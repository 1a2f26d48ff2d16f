"""Ratings to be predicted from drawn factors of users and items."""

from typing import TYPE_CHECKING

from harness.api import Metric, Outputs, Splits, Target, WorkloadSpec
from workloads.data.ratings import ITEMS, USERS, rating_splits
from workloads.metrics import excess_error_of_ratings, excess_error_spread, root_mean_square

if TYPE_CHECKING:
    from torch import nn


def _data(seed: int) -> Splits:
    return rating_splits(seed)


def _model() -> "nn.Module":
    from workloads.models.factors import Factorisation

    return Factorisation(users=USERS, items=ITEMS, factors=8)


WORKLOAD = WorkloadSpec(
    name="latent-ratings",
    title="Ratings, matrix factorisation",
    domain="recommender",
    size="smoke",
    secrecy="seeded",
    metric=Metric(name="excess RMSE", better="lower", unit="rating", digits=4),
    target=Target(
        value=0.078,
        version="1",
        derivation=(
            "Median final excess of 20 runs of latent-ratings-adamw, each on its own instance "
            "(.0692), loosened by three standard deviations (.0026 each) or to the worst run "
            "(.0754), whichever is easier, and rounded up."
        ),
    ),
    budget_s=10.0,
    outputs=Outputs(kind="scores", shape=()),
    data=_data,
    model=_model,
    score=excess_error_of_ratings,
    loss=root_mean_square,
    optimum=0.0,
    optimum_error=excess_error_spread,
    predict_cpu_s=0.005,
    packages=("numpy", "torch"),
    tags=("regression", "known optimum", "generated"),
    about=(
        "Ratings of 400 items by 600 users from six drawn factors and biases, with normal noise "
        "of deviation .5: 34,000 to train, 2,000 to validate, 40,000 hidden. The metric is the "
        "root mean square error less that of the predictor that knows every expectation, on the "
        "same rows, 0 at best; factors and biases are standardised and popularities permuted, "
        "so that instances are equally hard. Standard deviation of the final metric: .0019 "
        "between runs on one instance, .0020 between instances. The budget is nine times the "
        "CPU seconds of the reference's full schedule (three for the rule, three for two cores "
        "shared with other work), rounded up to five seconds."
    ),
)
