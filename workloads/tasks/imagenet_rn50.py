"""ImageNet-1k with a ResNet-50."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.api import Metric, Outputs, Splits, Target, WorkloadSpec
from workloads.data.imagenet import IMAGENET
from workloads.metrics import accuracy, cross_entropy

if TYPE_CHECKING:
    from torch import Tensor, nn


def _data(_seed: int) -> Splits:
    return IMAGENET.load()


def _model() -> "nn.Module":
    from workloads.models.resnet import ResNet

    return ResNet((3, 4, 6, 3), bottleneck=True, classes=1000)


def _predict(model: "nn.Module", inputs: "Mapping[str, Tensor]") -> "Tensor":
    from workloads.models.vision import imagenet_scores

    return imagenet_scores(model, inputs["x"])


WORKLOAD = WorkloadSpec(
    name="imagenet-rn50",
    title="ImageNet, ResNet-50",
    domain="image",
    size="official",
    secrecy="public",
    metric=Metric(name="accuracy", better="higher", digits=4),
    target=Target(
        value=0.759,
        version="1",
        derivation=(
            "75.9 % top-1 on the 50,000 validation images, the target of MLPerf Training for "
            "ResNet-50 (there on 224 x 224 pixels)."
        ),
    ),
    budget_s=86400.0,
    outputs=Outputs(kind="scores", shape=(1000,)),
    data=_data,
    packed=IMAGENET,
    model=_model,
    score=accuracy,
    loss=cross_entropy,
    predict=_predict,
    predict_cpu_s=6000.0,
    packages=("numpy", "torch"),
    tags=("classification", "convolution"),
    about=(
        "The images and splits of imagenet-rn18: 160 x 160 pixels, packed once as uint8, so "
        "decoding JPEG is not on the clock. The target was set on larger crops, and runs have "
        "to show how near it is here. Anyone can obtain the photographs, so results are for "
        "practice. The predictor's CPU seconds are an estimate, not a measurement."
    ),
)
