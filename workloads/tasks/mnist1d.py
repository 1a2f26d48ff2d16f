"""MNIST-1D: short curves in noise, which tell families of models apart."""

from typing import TYPE_CHECKING

from harness.api import Metric, Outputs, Splits, Target, WorkloadSpec
from workloads.data.mnist1d import CLASSES, LENGTH, mnist1d_splits
from workloads.metrics import accuracy, cross_entropy

if TYPE_CHECKING:
    from torch import nn


def _data(seed: int) -> Splits:
    return mnist1d_splits(seed)


def _model() -> "nn.Module":
    from workloads.models.mlp import MLP

    return MLP(LENGTH, 256, 256, CLASSES)


WORKLOAD = WorkloadSpec(
    name="mnist1d",
    title="MNIST-1D, perceptron",
    domain="time series",
    size="cpu",
    secrecy="varied",
    metric=Metric(name="accuracy", better="higher", digits=4),
    target=Target(
        value=0.834,
        version="2",
        derivation=(
            "Median final accuracy of 8 runs of mnist1d-adamw, each on its own instance (.8444), "
            "loosened by three standard deviations (.0034 each) or to the worst run (.8397), "
            "whichever is easier, and rounded down."
        ),
    ),
    budget_s=20.0,
    outputs=Outputs(kind="scores", shape=(CLASSES,)),
    data=_data,
    model=_model,
    score=accuracy,
    loss=cross_entropy,
    predict_cpu_s=0.2,
    packages=("numpy", "torch"),
    tags=("classification", "perceptron", "model families", "generated"),
    about=(
        "The recipe of MNIST-1D (S. Greydanus, D. Kobak, 2024): a curve of twelve points for each "
        "of ten classes, padded, stretched, moved, put into correlated noise, sheared and sampled "
        "at 40 points; 40,000 to train, 2,000 to validate, 48,000 hidden. For each run the sine "
        "waves of the published curves get one of 44 patterns of signs, which keeps the distances "
        "between classes and makes them other curves, and classes are renumbered. Only patterns "
        "on which the reference gets equally far are drawn: over others that were measured its "
        "accuracy differs by up to .05. Positions drift, so the closed perceptron falls short of "
        "a small convolutional net, which the open division has: the workload separates families "
        "of models. "
        "The budget is nine times the CPU seconds of the reference's full schedule (three for the "
        "rule, three for two cores shared with other work), rounded up to five seconds."
    ),
)
