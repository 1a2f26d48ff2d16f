"""FineWeb to the loss of the small GPT-2: the speedrun of language models."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from harness.api import Metric, Outputs, Splits, Target, WorkloadSpec
from workloads.data.tokens import CONTEXT, FINEWEB, SYMBOLS
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
    return FINEWEB.load()


def _model() -> "nn.Module":
    from workloads.models.gpt2 import GPT2

    return GPT2(layers=12, width=768, heads=12, context=CONTEXT, symbols=SYMBOLS)


def _predict(model: "nn.Module", inputs: "Mapping[str, Tensor]") -> "Tensor":
    return cast("GPT2", model).next_scores(inputs["x"])


WORKLOAD = WorkloadSpec(
    name="fineweb-gpt2s",
    title="FineWeb, small GPT-2",
    domain="language",
    size="official",
    secrecy="public",
    metric=Metric(name="cross-entropy", better="lower", unit="nats/token", digits=4),
    target=Target(
        value=3.28,
        version="1",
        derivation=(
            "The 3.28 nats per token that llm.c and modded-nanogpt ask for on the first "
            "10,485,760 tokens of FineWeb's validation shard; here on 256 of its 10,240 windows "
            "of 1,024 tokens, evenly spaced, whose own difficulty may differ a little."
        ),
    ),
    budget_s=28_800.0,
    outputs=Outputs(kind="scores", shape=(CONTEXT,)),
    answer_values=ROWS_AT_ONCE * SYMBOLS,
    data=_data,
    packed=FINEWEB,
    model=_model,
    score=nats_per_token,
    loss=bits_per_byte,
    evaluation="interactive",
    interact=next_token_log_probabilities,
    predict=_predict,
    predict_cpu_s=3_600.0,
    packages=("numpy", "torch"),
    tags=("transformer", "speedrun", "bits per byte"),
    about=(
        "FineWeb (Hugging Face, ODC-By) in GPT-2's tokens, one stream of uint16; a hundredth of "
        "the last shard validates, the published validation shard is hidden. Predictors are asked "
        "token by token and may give any finite scores, which the harness normalises. The record's "
        "second figure is bits per byte, which no choice of tokens changes. The closed model is "
        "GPT-2 with 124 million weights. Anyone can obtain the text, so results are for practice. "
        "The budget is eight times an hour for one GPU in place of eight; the predictor's CPU "
        "seconds are an estimate, not a measurement."
    ),
)
