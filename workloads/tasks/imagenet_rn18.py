"""ImageNet-1k with a ResNet-18."""

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

    return ResNet((2, 2, 2, 2), bottleneck=False, classes=1000)


def _predict(model: "nn.Module", inputs: "Mapping[str, Tensor]") -> "Tensor":
    from workloads.models.vision import imagenet_scores

    return imagenet_scores(model, inputs["x"])


WORKLOAD = WorkloadSpec(
    name="imagenet-rn18",
    title="ImageNet, ResNet-18",
    domain="image",
    size="official",
    secrecy="public",
    metric=Metric(name="accuracy", better="higher", digits=4),
    target=Target(
        value=0.669,
        version="1",
        derivation=(
            "66.9 % top-1 on the 50,000 validation images, the shortest schedule of ffcv's table "
            "for ResNet-18 (16 epochs, about 35 minutes on one A100; images there are larger)."
        ),
    ),
    budget_s=10800.0,
    outputs=Outputs(kind="scores", shape=(1000,)),
    data=_data,
    packed=IMAGENET,
    model=_model,
    score=accuracy,
    loss=cross_entropy,
    predict=_predict,
    predict_cpu_s=2500.0,
    packages=("numpy", "torch"),
    tags=("classification", "convolution"),
    about=(
        "ImageNet-1k (ILSVRC 2012): 1.28 million photographs in 1,000 classes; every 100th of "
        "each class validates, the 50,000 published validation images are hidden. Packed once "
        "as uint8 of 160 x 160 pixels, the middle square of each photograph, so decoding JPEG "
        "is not on the clock; the target was reached on other crops, and runs have to show "
        "how near it is here. Anyone can obtain the photographs, so results are for practice. "
        "The predictor's CPU seconds are an estimate, not a measurement."
    ),
)
