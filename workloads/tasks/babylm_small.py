"""BabyLM's ten million words, byte by byte."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from harness.api import Metric, Outputs, Splits, Target, WorkloadSpec
from workloads.data.babylm import BABYLM, CONTEXT, SYMBOLS
from workloads.next_token import (
    ROWS_AT_ONCE,
    bits_per_byte,
    nats_per_token,
    next_token_log_probabilities,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

    from workloads.models.gpt2 import GPT2


def _data(_seed: int) -> Splits:
    return BABYLM.load()


def _model() -> "nn.Module":
    from workloads.models.gpt2 import GPT2

    return GPT2(layers=8, width=512, heads=8, context=CONTEXT, symbols=SYMBOLS)


def _predict(model: "nn.Module", inputs: "Mapping[str, Tensor]") -> "Tensor":
    return cast("GPT2", model).next_scores(inputs["x"])


WORKLOAD = WorkloadSpec(
    name="babylm-small",
    title="BabyLM, ten million words",
    domain="language",
    size="official",
    secrecy="public",
    metric=Metric(name="bits-per-byte", better="lower", unit="bits/byte", digits=3),
    target=Target(
        value=1.5,
        version="0",
        derivation=(
            "An estimate, not a measurement, and version 0 for that reason: the challenge "
            "publishes no bits per byte for this set. It lies between the 2 or so that strong "
            "compressors of bytes need for English prose and the 1.0 to 1.1 of byte transformers "
            "on the longer enwik8; `joulemark calibrate` is to set it."
        ),
    ),
    budget_s=14_400.0,
    outputs=Outputs(kind="scores", shape=(CONTEXT,)),
    answer_values=ROWS_AT_ONCE * SYMBOLS,
    data=_data,
    packed=BABYLM,
    model=_model,
    score=bits_per_byte,
    loss=nats_per_token,
    evaluation="interactive",
    interact=next_token_log_probabilities,
    predict=_predict,
    predict_cpu_s=1_800.0,
    packages=("numpy", "torch"),
    tags=("transformer", "bits per byte", "small data"),
    about=(
        "The strict-small track of BabyLM (six sources of child-directed and spoken English, each "
        "under a licence of its own), as bytes: the training texts in the order of their sources, "
        "the development texts to validate, 256 evenly spaced windows of 1,024 bytes of the test "
        "texts hidden. Predictors are asked byte by byte and may give any finite scores, which "
        "the harness normalises. The closed model is a GPT-2 of eight layers on bytes. The "
        "challenge limits the words, not the compute; BLiMP is left out. Everybody can own the "
        "text, so results are for practice. The budget of four hours and the predictor's CPU "
        "seconds are estimates, not measurements."
    ),
)
