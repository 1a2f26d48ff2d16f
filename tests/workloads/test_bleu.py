"""BLEU: figures of sacreBLEU on fixed texts, laws, and bytes that are no text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.bleu import bleu, corpus_bleu, text_of, words

SACREBLEU = [
    (["The cat sat on the mat."], ["The cat is on the mat."], 48.892302243490086),
    (
        ["It costs 3.50 dollars, or 1,000-fold &quot;more&quot; (see p. 3/4).", " Hello"],
        ['It costs 3.50 euros, or 1,000-fold "more" (see p. 3/4).', "Hello there, dear friend"],
        72.21087804873639,
    ),
    (["a b c d e f"], ["f e d c b a"], 12.703318703865376),
    (["a b c d e f g h"], ["a b c d"], 34.57207846419409),
    (["a b"], ["a b"], 0.0),
    ([""], ["a b c d"], 0.0),
    (["x y z w"], ["a b c d"], 0.0),
]
"""Translations, references and the score of sacreBLEU 2.6.0 with its default settings."""


@pytest.mark.parametrize(("ours", "theirs", "score"), SACREBLEU)
def test_scores_are_those_of_sacrebleu(ours: list[str], theirs: list[str], score: float) -> None:
    assert corpus_bleu(ours, theirs) == pytest.approx(score, rel=1e-12)


texts = st.lists(st.text(alphabet="ab c.,-3", min_size=1), min_size=1, max_size=4)


@given(texts, st.randoms(use_true_random=False))
def test_order_of_sentences_does_not_matter_and_range_holds(
    parts: list[str], random: object
) -> None:
    theirs = [part[::-1] for part in parts]
    score = corpus_bleu(parts, theirs)
    places = list(range(len(parts)))
    random.shuffle(places)  # type: ignore[attr-defined]
    again = corpus_bleu([parts[k] for k in places], [theirs[k] for k in places])
    assert again == pytest.approx(score)
    assert 0 <= score <= 100 + 1e-9


@given(st.lists(st.sampled_from(["one", "two", "three"]), min_size=4, max_size=30))
def test_the_reference_itself_scores_a_hundred(chosen: list[str]) -> None:
    text = " ".join(chosen)
    assert corpus_bleu([text], [text]) == pytest.approx(100)


def test_words_part_at_signs_but_not_within_numbers() -> None:
    assert words("Costs 1,000.50 (or less), no?") == [
        *("Costs", "1,000.50", "(", "or", "less", ")", ",", "no", "?"),
    ]
    assert words("1980-er &lt;b&gt;") == ["1980", "-", "er", "<", "b", ">"]


@given(st.text(max_size=50).filter(lambda text: "\0" not in text))
def test_rows_are_read_up_to_the_first_zero(text: str) -> None:
    data = [*text.encode(), 0, 65, 66]
    assert text_of(np.array(data, np.float32) + 0.3) == text


def test_numbers_that_are_no_bytes_are_held_to_them() -> None:
    assert text_of(np.array([65.4, 1e30, 66, -5, 67], np.float32)) == "A�B"


def test_rows_of_bytes_are_scored_as_their_texts() -> None:
    ours, theirs, score = SACREBLEU[1]

    def rows(given_: list[str]) -> np.ndarray:
        return np.stack(
            [np.pad(np.frombuffer(t.encode(), np.uint8), (0, 100 - len(t))) for t in given_]
        )

    result = bleu(rows(ours).astype(np.float32), {"y": rows(theirs)}, {})
    assert result == pytest.approx(score, rel=1e-12)
