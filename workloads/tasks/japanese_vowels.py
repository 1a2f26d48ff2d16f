"""Nine speakers to be recognized by two spoken vowels."""

from typing import TYPE_CHECKING

from harness.api import Metric, Outputs, Splits, Target, WorkloadSpec
from workloads.data.japanese_vowels import CHANNELS, SPEAKERS, japanese_vowel_splits
from workloads.data.packaged import MASK
from workloads.metrics import accuracy, cross_entropy

if TYPE_CHECKING:
    from torch import nn


def _data(_seed: int) -> Splits:
    return japanese_vowel_splits()


def _model() -> "nn.Module":
    from workloads.models.series import SeriesCNN

    return SeriesCNN(channels=CHANNELS, width=64, parts=1, classes=SPEAKERS)


WORKLOAD = WorkloadSpec(
    name="japanese-vowels",
    title="Japanese vowels, convolution over time",
    domain="speech",
    size="smoke",
    secrecy="public",
    metric=Metric(name="accuracy", better="higher", digits=4),
    target=Target(
        value=0.969,
        version="1",
        derivation=(
            "Median final accuracy of 20 runs of japanese-vowels-adamw (.9784), loosened by "
            "three standard deviations (.0031 each) or to the worst run (.9703), whichever is "
            "easier, and rounded down."
        ),
    ),
    budget_s=10.0,
    outputs=Outputs(kind="scores", shape=(SPEAKERS,)),
    data=_data,
    model=_model,
    score=accuracy,
    loss=cross_entropy,
    predict_cpu_s=0.01,
    mask=MASK,
    packages=("numpy", "torch"),
    tags=("classification", "convolution", "real speech"),
    about=(
        "Two Japanese vowels spoken by nine men, 12 LPC cepstrum coefficients in 7 to 29 frames "
        "(M. Kudo, J. Toyama, M. Shimbo; UCI, CC BY 4.0; packaged): the publisher's 270 "
        "utterances to train, 27 of them to validate, 370 hidden. Anyone can obtain them, so "
        "results are for practice. The budget is nine times the CPU seconds of the reference's "
        "full schedule (three for the rule, three for two cores shared with other work), "
        "rounded up to five seconds."
    ),
)
