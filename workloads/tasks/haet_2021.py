"""The ten minutes of HAET on images that are not public."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.api import Metric, Outputs, Splits, Target, WorkloadSpec
from workloads.data.haet import HAET
from workloads.metrics import accuracy, cross_entropy

if TYPE_CHECKING:
    from torch import Tensor, nn


def _data(_seed: int) -> Splits:
    return HAET.load()


def _model() -> "nn.Module":
    from workloads.models.airbench import AirbenchNet

    return AirbenchNet((128, 384, 512), deep=True, classes=10)


def _predict(model: "nn.Module", inputs: "Mapping[str, Tensor]") -> "Tensor":
    from workloads.models.vision import cifar_scores

    return cifar_scores(model, inputs["x"])


WORKLOAD = WorkloadSpec(
    name="haet-2021",
    title="HAET, ten minutes on a secret set",
    domain="image",
    size="official",
    secrecy="secret",
    metric=Metric(name="accuracy", better="higher", digits=4),
    target=Target(
        value=0.848,
        version="1",
        derivation=(
            "Third place of HAET 2021, 84.8 %, mean of five runs of ten minutes on one V100 "
            "(second 86.0 %, first 88.0 %) on the ten classes of mini-ImageNet that were secret "
            "then."
        ),
    ),
    budget_s=600.0,
    outputs=Outputs(kind="scores", shape=(10,)),
    data=_data,
    packed=HAET,
    model=_model,
    score=accuracy,
    loss=cross_entropy,
    predict=_predict,
    predict_cpu_s=60.0,
    packages=("numpy", "torch"),
    tags=("classification", "convolution", "secret", "quality at budget"),
    about=(
        "Hardware Aware Efficient Training (ICLR 2021): the organizer brings 600 images of 32 "
        "x 32 pixels for each of ten classes, 500 to train (50 of them validate) and 100 "
        "hidden. The run is killed after ten minutes, and the mean accuracy over five runs "
        "counts. No weights or images may be brought along. The contest was open to any "
        "model; the closed division has one of airbench's class. Another organizer set is "
        "another difficulty, so only results on one set can be compared, and the target "
        "replaces the set of 2021. The predictor's CPU seconds are an estimate, not a "
        "measurement."
    ),
)
