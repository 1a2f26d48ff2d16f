"""Decimal numbers to English words, with tokens whose numbering is drawn for each run."""

from typing import TYPE_CHECKING

from harness.api import Metric, Outputs, Splits, Target, WorkloadSpec
from workloads.data.number_words import ROW, VOCABULARY, number_splits
from workloads.metrics import asked_cross_entropy, exact_rows

if TYPE_CHECKING:
    from torch import nn


def _data(seed: int) -> Splits:
    return number_splits(seed)


def _model() -> "nn.Module":
    from workloads.models.gpt import GPT

    return GPT(layers=2, width=64, context=ROW, symbols=len(VOCABULARY))


WORKLOAD = WorkloadSpec(
    name="numbers-seq2seq",
    title="Numbers in words, two-layer GPT",
    domain="translation",
    size="smoke",
    secrecy="varied",
    metric=Metric(name="exact match", better="higher", digits=4),
    target=Target(
        value=0.99,
        version="1",
        derivation=(
            "Median final share of exact rows of 20 runs of numbers-seq2seq-adamw, each on its "
            "own instance (.9980), loosened by three standard deviations (.0024 each) or to the "
            "worst run (.9920), whichever is easier, and rounded down."
        ),
    ),
    budget_s=80.0,
    outputs=Outputs(kind="log_probabilities", shape=(ROW - 1, len(VOCABULARY))),
    data=_data,
    model=_model,
    score=exact_rows,
    loss=asked_cross_entropy,
    evaluation="lockstep",
    predict_cpu_s=0.8,
    packages=("numpy", "torch"),
    tags=("transformer", "sequence to sequence", "generated"),
    about=(
        "Decimal digits to English words: 10,500 numbers below 100,000 to train, 500 to "
        "validate, 500 hidden, other ones for each run, and the code of every token newly drawn. "
        "A row counts if every word and the end are the likeliest token, each predicted from the "
        "true ones before it. "
        "The budget is eight times the CPU seconds of the reference's full schedule, which was "
        "timed on a loaded machine."
    ),
)
