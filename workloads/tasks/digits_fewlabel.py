"""Handwritten digits with five labels a class: most of what there is to learn is unlabelled."""

from typing import TYPE_CHECKING

from harness.api import Metric, Outputs, Splits, Target, WorkloadSpec
from workloads.data.digits import MASK, few_label_splits
from workloads.metrics import accuracy, cross_entropy

if TYPE_CHECKING:
    from torch import nn


def _data(_seed: int) -> Splits:
    return few_label_splits(1, 8, 8)


def _model() -> "nn.Module":
    from workloads.models.cnn import SmallCNN

    return SmallCNN(10)


WORKLOAD = WorkloadSpec(
    name="digits-fewlabel",
    title="Digits, five labels a class",
    domain="few labels",
    size="smoke",
    secrecy="public",
    metric=Metric(name="accuracy", better="higher", digits=4),
    target=Target(
        value=0.818,
        version="1",
        derivation=(
            "Median final accuracy of 20 runs of digits-fewlabel-adamw (.8792), loosened by "
            "three standard deviations (.0202 each) or to the worst run (.8444), whichever is "
            "easier, and rounded down."
        ),
    ),
    budget_s=30.0,
    outputs=Outputs(kind="scores", shape=(10,)),
    data=_data,
    model=_model,
    score=accuracy,
    loss=cross_entropy,
    predict_cpu_s=0.02,
    mask=MASK,
    packages=("numpy", "torch", "scikit-learn"),
    tags=("classification", "semi-supervised", "convolution"),
    about=(
        "scikit-learn's copy of the Optical Recognition of Handwritten Digits set (E. Alpaydin, "
        "C. Kaynak; UCI, CC BY 4.0): 1,797 real images of 8 x 8 pixels. Anyone can obtain these "
        "images, so results are for practice. Fifty images carry their label, 1,377 come "
        "without (label -1), ten labelled ones validate, 360 are hidden. The same for every "
        "seed: with drawn label sets the sets would differ more than the runs do. The budget is "
        "nine times the CPU seconds of the reference's full schedule (three for the rule, three "
        "for two cores shared with other work), rounded up to five seconds."
    ),
)
