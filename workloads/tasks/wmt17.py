"""German news to English: AlgoPerf's translation workload, byte by byte."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from harness.api import Metric, Outputs, Splits, Target, WorkloadSpec
from workloads.bleu import bleu
from workloads.data.translation import LENGTH, WMT17

if TYPE_CHECKING:
    from torch import Tensor, nn

    from workloads.models.translator import Translator


def _data(_seed: int) -> Splits:
    return WMT17.load()


def _model() -> "nn.Module":
    from workloads.models.translator import Translator

    return Translator(width=512, layers=6, heads=8)


def _predict(model: "nn.Module", inputs: "Mapping[str, Tensor]") -> "Tensor":
    from workloads.models.vision import in_pieces

    return in_pieces(cast("Translator", model).translate, inputs["x"])


WORKLOAD = WorkloadSpec(
    name="wmt17",
    title="German to English, Transformer",
    domain="translation",
    size="official",
    secrecy="public",
    metric=Metric(name="BLEU", better="higher", digits=2),
    target=Target(
        value=30.7219,
        version="1",
        derivation=(
            "AlgoPerf's test target for wmt (v0.5 and v0.6) on newstest2014: of 20 runs of the "
            "best of four tuned optimisers those that reached the median of their best "
            "validation, 30.8491, the worst on the test split; there by a larger Transformer on "
            "32,000 word pieces and a beam of four."
        ),
    ),
    budget_s=64_456.0,
    outputs=Outputs(kind="scores", shape=(LENGTH,)),
    data=_data,
    packed=WMT17,
    model=_model,
    score=bleu,
    predict=_predict,
    predict_cpu_s=3_600.0,
    packages=("numpy", "torch"),
    tags=("transformer", "sequence to sequence", "AlgoPerf"),
    about=(
        "The German-English corpora of WMT17 (europarl, common crawl, news commentary, rapid; 5.9 "
        "million pairs, free for research) as one stream of bytes, `German TAB English LF`; "
        "newstest2013 validates, the 3,003 sentences of newstest2014 are hidden. A predictor gives "
        "the bytes of each translation, up to 1,024 and ended by a zero, and the judge counts BLEU "
        "with the words of mteval-v13a, so that no choice of word pieces changes it. The closed "
        "model reads and writes bytes by itself and is smaller than AlgoPerf's: runs have to show "
        "whether it gets as far. Anyone can obtain the text, so results are for practice. The "
        "budget is four times AlgoPerf's 16,114 s on four A100, for one GPU in place of four; the "
        "predictor's CPU seconds are an estimate, not a measurement."
    ),
)
