"""CIFAR-10's images, generated from noise by denoising diffusion."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.api import Metric, Outputs, Splits, Target, WorkloadSpec
from workloads.data.cifar_samples import CIFAR_SAMPLES
from workloads.image_distance import relative_distance

if TYPE_CHECKING:
    from torch import Tensor, nn


def _data(_seed: int) -> Splits:
    return CIFAR_SAMPLES.load()


def _model() -> "nn.Module":
    from workloads.models.unet import UNet

    return UNet((64, 128, 128, 128), side=32)


def _predict(model: "nn.Module", inputs: "Mapping[str, Tensor]") -> "Tensor":
    from workloads.models.unet import sample
    from workloads.models.vision import in_pieces

    return in_pieces(lambda noise: sample(model, noise).flatten(1), inputs["z"])


WORKLOAD = WorkloadSpec(
    name="ddpm-cifar",
    title="CIFAR-10, denoising diffusion",
    domain="generative",
    size="official",
    secrecy="public",
    metric=Metric(name="relative Frechet distance", better="lower", digits=4),
    target=Target(
        value=0.02,
        version="0",
        derivation=(
            "An estimate, not a measurement on this set, and version 0 for that reason. On 2,500 "
            "crops of two photographs other crops scored 0.002, crops blurred over 2 x 2 pixels "
            "0.012, and normal noise with the covariance of all pixels 0.071; `joulemark "
            "calibrate` is to set it."
        ),
    ),
    budget_s=86_400.0,
    outputs=Outputs(kind="scores", shape=(3072,)),
    data=_data,
    packed=CIFAR_SAMPLES,
    model=_model,
    score=relative_distance,
    predict=_predict,
    divisions=("closed", "hardware"),
    predict_cpu_s=3_600.0,
    packages=("numpy", "torch"),
    tags=("diffusion", "convolution"),
    about=(
        "The images of cifar10-94 (A. Krizhevsky, 2009) without their labels; every fourth of the "
        "10,000 test images is hidden. 2,500 samples are drawn from noise that the harness gives, "
        "by 20 deterministic steps, and their Frechet distance to the hidden images is taken in "
        "the features of a fixed, untrained net and divided by that of the same images with each "
        "pixel shuffled over the rows. It is no FID: that needs the weights of a trained Inception "
        "net, which the judge does not load. The closed model is a U-shaped net of 5.7 million "
        "weights. There is no open division, where kept training images would pass for samples. "
        "The budget and the predictor's CPU seconds are estimates, not measurements."
    ),
)
