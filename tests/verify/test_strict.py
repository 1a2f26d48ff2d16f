"""Hostile text is refused with a sentence, and never costs more than it weighs."""

import contextlib
import gzip
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records import Event
from harness.verify import strict
from harness.verify.disk import Unreadable
from harness.verify.strict import lines_of, record_of, table_blocks, tree_of, unpacked

NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), JSON))
def test_honest_json_reads_as_the_standard_reader_has_it(tree: dict[str, object]) -> None:
    assert tree_of(json.dumps(tree).encode(), "f") == tree


@given(st.binary())
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(Unreadable):
        assert isinstance(tree_of(data, "f"), dict)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b'{"a": -Infinity}', "not a JSON number"),
        (b'{"a": 1, "a": 2}', "is twice"),
        (b'{"a": 9007199254740993}', "beyond 2^53"),
        (b'{"a": ' + b"9" * 5000 + b"}", "beyond 2^53"),
        (b"[" * 60_000, "nested deeper"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, "nested deeper"),
        (b"\xff\xfe", "byte 0 is not UTF-8"),
        (b"[1]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'{"a": 1} x', "not valid JSON"),
        (b"", "not valid JSON"),
    ],
)
def test_hostile_json_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(Unreadable, match=said.replace("^", r"\^")):
        tree_of(data, "f")


def test_a_newer_format_differs_from_damage() -> None:
    data = json.dumps({"format": 2, "run_id": "x"}).encode()
    from harness.records import Manifest

    with pytest.raises(Unreadable, match="format 2 is newer"):
        record_of(Manifest, data, "manifest.json")


def test_a_key_that_stands_twice_among_many_is_named_in_no_time() -> None:
    """Comparing each with all would take hours for a file of a few megabytes."""
    keys = ",".join(f'"k{number}":0' for number in range(200_000))
    with pytest.raises(Unreadable, match="key 'k199999' is twice"):
        tree_of(f'{{{keys},"k199999":1}}'.encode(), "f")


def test_a_record_with_a_wrong_type_is_refused() -> None:
    with pytest.raises(Unreadable, match="seq"):
        record_of(Event, b'{"seq": 1.5, "t_ns": 0, "kind": "x"}', "events.jsonl:1")


def test_a_torn_last_line_is_detected() -> None:
    assert lines_of(b"a\nb\n", "f") == [b"a", b"b"]
    assert lines_of(b"", "f") == []
    with pytest.raises(Unreadable, match="torn"):
        lines_of(b"a\nb", "f")


@given(st.binary(max_size=100_000))
def test_unpacking_gives_back_what_was_packed(data: bytes) -> None:
    assert b"".join(unpacked(gzip.compress(data), "f")) == data


@pytest.mark.parametrize("slice_bytes", [1, 7, strict.CHUNK_BYTES])
def test_every_cut_and_every_tail_of_a_table_is_detected(
    slice_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the seam of two slices as anywhere else."""
    monkeypatch.setattr(strict, "CHUNK_BYTES", slice_bytes)
    whole = gzip.compress(b"a,b\n1,2\n" * 10, mtime=0)
    assert b"".join(table_blocks(whole, "f")) == b"a,b\n1,2\n" * 10
    for length in range(len(whole)):
        with pytest.raises(Unreadable):
            list(table_blocks(whole[:length], "f"))
    for tail in (b"x", whole):
        with pytest.raises(Unreadable, match="other data follow"):
            list(table_blocks(whole + tail, "f"))


def test_a_bomb_is_stopped_early() -> None:
    engine = zlib.compressobj(9, wbits=31)
    bomb = engine.compress(bytes(1 << 22)) * 1 + engine.compress(bytes(1 << 26)) + engine.flush()
    seen: list[int] = []
    with pytest.raises(Unreadable, match="bomb"):
        seen.extend(len(piece) for piece in unpacked(bomb, "f"))
    assert sum(seen) < 1 << 27


@pytest.mark.parametrize("text", ["a,b\n1,2", "ä\n"])
def test_tables_are_whole_lines_of_ascii(text: str) -> None:
    with pytest.raises(Unreadable):
        list(table_blocks(gzip.compress(text.encode()), "f"))
