import base64
import hashlib
import json

from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from harness.report.text import clean, csp_hash, embedded_json, isolated

trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.text())
def test_clean_text_can_be_encoded_and_holds_no_control_character(text: str) -> None:
    cleaned = clean(text)
    assert isinstance(cleaned, str)
    cleaned.encode()
    assert not {c for c in cleaned if ord(c) < 32} - {"\t", "\n", "\r"}
    assert not set(cleaned) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def test_what_is_no_plain_text_passes_unchanged() -> None:
    marked = Markup("<b>\x01</b>")
    assert clean(marked) is marked
    assert clean(3) == 3


def test_writing_direction_cannot_leak() -> None:
    assert isolated("plain") == "plain"
    assert isolated("\u202eevil") == "evil"
    assert isolated("عدد") == "\u2068عدد\u2069"
    assert isolated("<é>") == "\u2068&lt;é&gt;\u2069"


@given(trees)
def test_embedded_json_is_read_back_and_cannot_end_its_element(tree: object) -> None:
    text = str(embedded_json(tree))
    assert json.loads(text) == tree
    assert not set(text) & set("<>&\u2028\u2029")


def test_a_policy_hash_is_that_of_the_text() -> None:
    digest = base64.b64encode(hashlib.sha256(b"a{}").digest()).decode()
    assert csp_hash("a{}") == f"'sha256-{digest}'"
