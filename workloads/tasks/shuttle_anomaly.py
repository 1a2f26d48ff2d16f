"""Anomalous rows of sensors, learnt from normal ones alone."""

from typing import TYPE_CHECKING

from harness.api import Metric, Outputs, Splits, Target, WorkloadSpec
from workloads.data.shuttle import FEATURES, MASK, shuttle_splits
from workloads.metrics import area_under_curve

if TYPE_CHECKING:
    from torch import nn


def _data(_seed: int) -> Splits:
    return shuttle_splits()


def _model() -> "nn.Module":
    from workloads.models.autoencoder import Autoencoder

    return Autoencoder(inputs=FEATURES, hidden=64, code=3)


WORKLOAD = WorkloadSpec(
    name="shuttle-anomaly",
    title="Shuttle sensors, autoencoder",
    domain="anomaly detection",
    size="cpu",
    secrecy="public",
    metric=Metric(name="area under the ROC curve", better="higher", digits=4),
    target=Target(
        value=0.998,
        version="1",
        derivation=(
            "Median final area of 5 runs of shuttle-anomaly-adamw (.9987), loosened by three "
            "standard deviations (.0000 each) or to the worst run (.9986), whichever is easier, "
            "and rounded down."
        ),
    ),
    budget_s=20.0,
    outputs=Outputs(kind="scores", shape=()),
    data=_data,
    model=_model,
    score=area_under_curve,
    predict_cpu_s=0.01,
    mask=MASK,
    packages=("numpy", "torch", "river"),
    tags=("anomaly detection",),
    about=(
        "Statlog (Shuttle) from UCI, CC BY 4.0, in the subset of 49,097 rows for outlier "
        "detection that river brings: normal rows to train and to validate, 10,000 normal and "
        "all anomalous ones hidden. The score of a row is the error with which an autoencoder "
        "rebuilds it. Anyone can obtain them, so results are for practice. The budget is nine "
        "times the CPU seconds of the reference's full schedule (three for the rule, three for "
        "two cores shared with other work), rounded up to five seconds."
    ),
)
