"""Handwritten digits with a net that settles, for equilibrium propagation."""

from typing import TYPE_CHECKING

from harness.api import Metric, Outputs, Splits, Target, WorkloadSpec
from workloads.data.digits import MASK, digit_splits
from workloads.metrics import accuracy, cross_entropy

if TYPE_CHECKING:
    from torch import nn


def _data(_seed: int) -> Splits:
    return digit_splits(64)


def _model() -> "nn.Module":
    from workloads.models.equilibrium import EquilibriumNet

    return EquilibriumNet(64, 128, 10)


WORKLOAD = WorkloadSpec(
    name="digits-eqprop",
    title="Digits, settling net",
    domain="equilibrium propagation",
    size="smoke",
    secrecy="public",
    metric=Metric(name="accuracy", better="higher", digits=4),
    target=Target(
        value=0.952,
        version="1",
        derivation=(
            "Median final accuracy of 20 runs of digits-eqprop-adamw (.9653), loosened by three "
            "standard deviations (.0043 each) or to the worst run (.9583), whichever is easier, "
            "and rounded down."
        ),
    ),
    budget_s=20.0,
    outputs=Outputs(kind="scores", shape=(10,)),
    data=_data,
    model=_model,
    score=accuracy,
    loss=cross_entropy,
    predict_cpu_s=0.02,
    mask=MASK,
    packages=("numpy", "torch", "scikit-learn"),
    tags=("classification", "energy-based", "no backward pass"),
    about=(
        "scikit-learn's copy of the Optical Recognition of Handwritten Digits set (E. Alpaydin, "
        "C. Kaynak; UCI, CC BY 4.0): 1,797 real images of 8 x 8 pixels. Anyone can obtain these "
        "images, so results are for practice. Hidden and output units drive each other until "
        "they rest; the scores are the output units after 30 steps. The reference learns by "
        "symmetric equilibrium propagation: the difference of two states that were nudged to "
        "and from the truth takes the place of a backward pass, as analogue hardware could do "
        "it. The budget is nine times the CPU seconds of the reference's full schedule (three "
        "for the rule, three for two cores shared with other work), rounded up to five seconds."
    ),
)
