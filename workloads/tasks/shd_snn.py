"""Spoken digits as spikes, classified by a recurrent spiking net."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.api import Metric, Outputs, Splits, Target, WorkloadSpec
from workloads.data.heidelberg import CLASSES, SHD, UNITS
from workloads.metrics import accuracy, cross_entropy

if TYPE_CHECKING:
    from torch import Tensor, nn

HIDDEN = 1024


def _data(_seed: int) -> Splits:
    return SHD.load()


def _model() -> "nn.Module":
    from workloads.models.recurrent_spiking import RecurrentSpiking

    return RecurrentSpiking(UNITS, HIDDEN, CLASSES)


def _predict(model: "nn.Module", inputs: "Mapping[str, Tensor]") -> "Tensor":
    from workloads.models.vision import in_pieces

    return in_pieces(model, inputs["x"])


WORKLOAD = WorkloadSpec(
    name="shd-snn",
    title="Spiking Heidelberg Digits",
    domain="neuromorphic",
    size="official",
    secrecy="public",
    metric=Metric(name="accuracy", better="higher", digits=4),
    target=Target(
        value=0.832,
        version="1",
        derivation=(
            "83.2 %, what Cramer et al. (2020; 83.2 +- 1.3 on the leader board of "
            "zenkelab.org) reached on the 2,264 test utterances with a recurrent spiking net, "
            "noise and moved spikes."
        ),
    ),
    budget_s=3_600.0,
    outputs=Outputs(kind="scores", shape=(CLASSES,)),
    data=_data,
    packed=SHD,
    model=_model,
    score=accuracy,
    loss=cross_entropy,
    predict=_predict,
    predict_cpu_s=120.0,
    packages=("numpy", "torch"),
    tags=("classification", "spiking", "recurrent", "real speech"),
    about=(
        "Spiking Heidelberg Digits (B. Cramer and others, 2020; CC BY 4.0): spoken digits of two "
        "languages as spikes of 700 channels of an artificial cochlea, counted here in 100 bins "
        "of 14 ms. A stratified tenth of the training file validates, the test file, with two "
        "voices that are in no other, is hidden. The closed model is one recurrent layer of 1,024 "
        "leaky integrate-and-fire neurons. Anyone can obtain the recordings, so results are for "
        "practice. The budget and the predictor's CPU seconds are estimates, not measurements."
    ),
)
