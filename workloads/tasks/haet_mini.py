"""The rules of HAET at the size of a processor, on an organizer's images or on a stand-in."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.api import Metric, Outputs, Splits, Target, WorkloadSpec
from workloads.data.haet import HAET
from workloads.data.haet_mini import stand_in
from workloads.data.shards import data_root
from workloads.metrics import accuracy, cross_entropy

if TYPE_CHECKING:
    from torch import Tensor, nn


def _data(seed: int) -> Splits:
    return HAET.load() if data_root() else stand_in(seed)


def _model() -> "nn.Module":
    from workloads.models.resnet9 import ResNet9

    return ResNet9(8, 10)


def _predict(model: "nn.Module", inputs: "Mapping[str, Tensor]") -> "Tensor":
    from workloads.models.vision import cifar_scores

    return cifar_scores(model, inputs["x"])


WORKLOAD = WorkloadSpec(
    name="haet-mini",
    title="HAET at the size of a processor",
    domain="image",
    size="cpu",
    secrecy="secret",
    metric=Metric(name="accuracy", better="higher", digits=4),
    target=Target(
        value=0.89,
        version="1",
        derivation=(
            "Median final accuracy of 5 runs of haet-mini-adamw on the generated stand-in, each on "
            "its own instance (.9080), loosened by three standard deviations (.0058 each) or to "
            "the worst run (.8980), whichever is easier, and rounded down."
        ),
    ),
    budget_s=290.0,
    outputs=Outputs(kind="scores", shape=(10,)),
    data=_data,
    packed=HAET,
    model=_model,
    score=accuracy,
    loss=cross_entropy,
    predict=_predict,
    predict_cpu_s=1.0,
    packages=("numpy", "torch"),
    tags=("classification", "convolution", "secret", "quality at budget"),
    about=(
        "The rules of Hardware Aware Efficient Training (ICLR 2021) for a processor: the "
        "organizer's set of haet-2021, 600 images of 32 x 32 pixels for each of ten classes, 500 "
        "to train (50 of them validate) and 100 hidden, the run killed at its budget, and no "
        "weights or images brought along; `--ruleset haet-2021 --set run.budget_s=SECONDS` ranks "
        "by the mean accuracy of five runs. Where JOULEMARK_DATA is not set, a generated stand-in "
        "takes the place of the set: patterns in front of clutter, newly drawn for each run, "
        "marked synthetic in the record and never ranked. The target belongs to the stand-in; on "
        "an organizer's set another difficulty counts. The closed model is a ResNet-9 of width 8, "
        "a sixty-fourth of the usual one's weights. The budget is nine times the CPU seconds of "
        "the reference's full schedule (three for the rule, three for two cores shared with other "
        "work), rounded up to five seconds."
    ),
)
