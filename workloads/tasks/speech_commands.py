"""Ten spoken words among others and silence, by the net of MLPerf Tiny."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.api import Metric, Outputs, Splits, Target, WorkloadSpec
from workloads.data.speech_commands import CLASSES, SPEECH_COMMANDS
from workloads.metrics import accuracy, cross_entropy

if TYPE_CHECKING:
    from torch import Tensor, nn


def _data(_seed: int) -> Splits:
    return SPEECH_COMMANDS.load()


def _model() -> "nn.Module":
    from workloads.models.keywords import KeywordNet

    return KeywordNet(CLASSES)


def _predict(model: "nn.Module", inputs: "Mapping[str, Tensor]") -> "Tensor":
    from workloads.models.vision import in_pieces

    return in_pieces(model, inputs["x"])


WORKLOAD = WorkloadSpec(
    name="speech-commands",
    title="Speech Commands, ten words",
    domain="speech",
    size="official",
    secrecy="public",
    metric=Metric(name="accuracy", better="higher", digits=4),
    target=Target(
        value=0.90,
        version="1",
        derivation=(
            "90 % top-1, the quality that MLPerf Tiny asks of keyword spotting with this net on "
            "these twelve classes; its shares of unknown words and silence are other ones."
        ),
    ),
    budget_s=3600.0,
    outputs=Outputs(kind="scores", shape=(CLASSES,)),
    data=_data,
    packed=SPEECH_COMMANDS,
    model=_model,
    score=accuracy,
    loss=cross_entropy,
    predict=_predict,
    predict_cpu_s=60.0,
    packages=("numpy", "torch"),
    tags=("classification", "convolution", "real speech"),
    about=(
        "Speech Commands v0.02 (P. Warden, 2018; CC BY 4.0): seconds of 16 kHz sound, ten words, "
        "one in ten as many utterances of the other words (class 10) and of background noise "
        "(class 11). The published lists say what validates and what is hidden. The closed model "
        "makes ten cepstra of 40 ms frames by itself. Anyone can obtain the sounds, so results are "
        "for practice. The budget and the predictor's CPU seconds are estimates, not measurements."
    ),
)
