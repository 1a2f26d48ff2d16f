"""The protocol: whatever a sandbox sends, it is one checked message or one Violation."""

import array
import json
import math
import os
import socket
import string
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import anchor, now_ns
from harness.run import protocol
from harness.run.protocol import Received, Violation

READY = {"type": "ready", "protocol": 1, "runtime": "python"}


def open_fds() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    here, there = protocol.pair()
    with here, there:
        yield here, there


@pytest.fixture
def devnull() -> Iterator[Callable[[int], list[int]]]:
    made: list[int] = []

    def make(count: int) -> list[int]:
        made.extend(os.open(os.devnull, os.O_RDONLY) for _ in range(count))
        return made[-count:] if count else []

    yield make
    for descriptor in made:
        os.close(descriptor)


def raw_send(channel: socket.socket, data: bytes, fds: list[int]) -> None:
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    channel.sendmsg([data], rights)


# --- decode: a message or a Violation, nothing else ---------------------------------------------

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.just(10**400),
    st.just(1 << 53),
)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
keys = st.sampled_from(["protocol", "runtime", "step", "note", "scalars", "name", "edge", "id"])
messages = st.builds(
    lambda kind, fields: {**fields, "type": kind},
    st.sampled_from([*protocol._CHECKS, "go", "weights", "", "READY"]) | trees,
    st.dictionaries(keys | st.text(max_size=5), trees, max_size=6),
)


def accepted(data: bytes) -> protocol.Message | None:
    """The message, or None for a Violation; any other exception is a fault of the harness."""
    try:
        return protocol.decode(data)
    except Violation as violation:
        return None if str(violation).isprintable() else pytest.fail("unprintable")


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_a_violation(data: bytes) -> None:
    accepted(data)


@given(trees | messages)
def test_any_json_is_a_message_or_a_violation(tree: Any) -> None:
    message = accepted(json.dumps(tree).encode())
    if message is not None:
        assert message.kind in protocol._CHECKS
        json.dumps(message.fields, allow_nan=False).encode()


@given(st.integers(0, 40), st.integers(0, 40), st.sampled_from(protocol.NONFINITE))
def test_finite_and_other_scalars_share_one_limit(finite: int, odd: int, value: str) -> None:
    scalars = {f"a{number}": 1.0 for number in range(finite)}
    others = {f"b{number}": value for number in range(odd)}
    tree = {"type": "log", "scalars": scalars, "nonfinite": others}
    message = accepted(json.dumps(tree).encode())
    assert (message is not None) == (finite + odd <= protocol.SCALARS_MAX)
    if message is not None:
        assert message.fields["scalars"] == scalars
        assert message.fields.get("nonfinite", {}) == others


@given(messages, st.binary(max_size=8), st.integers(0, 400))
def test_a_damaged_message_is_a_message_or_a_violation(tree: Any, noise: bytes, at: int) -> None:
    data = json.dumps(tree).encode()
    accepted(data[:at] + noise + data[at:])


@given(messages)
def test_what_is_accepted_is_printable_and_within_its_limits(tree: Any) -> None:
    message = accepted(json.dumps(tree).encode())
    if message is None:
        return
    for value in message.fields.values():
        if isinstance(value, str):
            value.encode()  # no lone surrogates: these would break later printing
    assert message.fields.get("step") is None or 0 <= message.fields["step"] < 1 << 53
    assert all(map(math.isfinite, message.fields.get("scalars", {}).values()))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"[" * 60_000, id="deep-list"),
        pytest.param(b'{"a":' * 10_000, id="deep-object"),
        pytest.param(b'{"type":"log","step":' + b"9" * 5000 + b"}", id="huge-integer"),
        pytest.param(b'{"type":"log","scalars":{"a":NaN}}', id="nan"),
        pytest.param(b'{"type":"log","scalars":{"a":Infinity}}', id="infinity"),
        pytest.param(b'{"type":"log","scalars":{"a":1e999}}', id="overflow"),
        pytest.param(b'{"type":"log","scalars":{"a":1' + b"0" * 400 + b"}}", id="long-integer"),
        pytest.param(b'{"type":"log","scalars":{"a":true}}', id="true-is-no-number"),
        pytest.param(b'{"type":"log","scalars":{"a":"1"}}', id="text-is-no-number"),
        pytest.param(b'{"type":"log","scalars":[1]}', id="scalars-list"),
        pytest.param(b'{"type":"log","scalars":{},"nonfinite":["nan"]}', id="nonfinite-list"),
        pytest.param(b'{"type":"log","scalars":{},"nonfinite":{"a":"NaN"}}', id="nonfinite-word"),
        pytest.param(b'{"type":"log","scalars":{},"nonfinite":{"a":null}}', id="nonfinite-null"),
        pytest.param(b'{"type":"log","scalars":{},"nonfinite":{"a":[]}}', id="nonfinite-inner"),
        pytest.param(b'{"type":"done","type":"done"}', id="duplicate-key"),
        pytest.param(b'{"type":"log","scalars":{"a":1,"a":2}}', id="duplicate-inner-key"),
        pytest.param(b'{"type":"snapshot","step":-1}', id="negative-step"),
        pytest.param(b'{"type":"snapshot","step":1.5}', id="broken-step"),
        pytest.param(b'{"type":"snapshot","step":true}', id="true-step"),
        pytest.param(b'{"type":"snapshot","step":9007199254740992}', id="inexact-step"),
        pytest.param(b'{"type":"snapshot","note":7}', id="note-number"),
        pytest.param(b'{"type":"span","name":"x","edge":["begin"]}', id="edge-list"),
        pytest.param(b'{"type":"span","name":"x"}', id="edge-missing"),
        pytest.param(b'{"type":["done"]}', id="type-list"),
        pytest.param(b'{"type":null}', id="type-null"),
        pytest.param(b'{"type":"go"}', id="conductor-only"),
        pytest.param(b'{"type":"ready","protocol":2}', id="other-protocol"),
        pytest.param(b'{"type":"ready"}', id="no-protocol"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="list"),
        pytest.param(b'"done"', id="text"),
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xfe{}", id="not-utf-8"),
        pytest.param(b'{"type":"done"}\x00', id="trailing-zero"),
        pytest.param(b'\xef\xbb\xbf{"type":"done"}', id="byte-order-mark"),
    ],
)
def test_attack_is_a_violation(data: bytes) -> None:
    with pytest.raises(Violation) as caught:
        protocol.decode(data)
    assert len(str(caught.value)) < 200, "a violation never echoes what was sent"


def test_lone_surrogates_become_printable() -> None:
    message = protocol.decode(rb'{"type":"snapshot","note":"\ud800!"}')
    assert message.fields["note"] == r"\ud800!"


@pytest.mark.parametrize(
    ("kind", "field", "limit"),
    [("snapshot", "note", 200), ("span", "name", 100), ("ready", "runtime", 2000)],
)
def test_texts_are_allowed_up_to_their_limit(kind: str, field: str, limit: int) -> None:
    needed: dict[str, dict[str, Any]] = {"ready": {"protocol": 1}, "span": {"edge": "begin"}}
    base = needed.get(kind, {})
    fits = json.dumps({"type": kind, **base, field: "x" * limit}).encode()
    assert protocol.decode(fits).fields[field] == "x" * limit
    with pytest.raises(Violation, match=f"'{field}'"):
        protocol.decode(json.dumps({"type": kind, **base, field: "x" * (limit + 1)}).encode())


def test_scalars_are_allowed_up_to_their_number() -> None:
    many = {f"s{i}": i for i in range(protocol.SCALARS_MAX)}
    taken = protocol.decode(json.dumps({"type": "log", "scalars": many}).encode())
    assert taken.fields["scalars"] == many
    with pytest.raises(Violation):
        protocol.decode(json.dumps({"type": "log", "scalars": {**many, "more": 1}}).encode())


def test_unknown_keys_are_ignored() -> None:
    assert protocol.decode(b'{"type":"done","later":[1,{"a":2}]}').fields == {}


names = st.text(st.characters(codec="utf-8"), max_size=50)
steps = st.none() | st.integers(0, (1 << 53) - 1)
finite = st.floats(allow_nan=False, allow_infinity=False)
valid: st.SearchStrategy[tuple[str, dict[str, Any]]] = st.one_of(
    st.tuples(st.just("snapshot"), st.fixed_dictionaries({"step": steps, "note": names})),
    st.tuples(
        st.just("log"),
        st.fixed_dictionaries(
            {"step": steps, "scalars": st.dictionaries(names, finite, max_size=32)}
        ),
    ),
    st.tuples(
        st.just("span"),
        st.fixed_dictionaries({"name": names, "edge": st.sampled_from(["begin", "end"])}),
    ),
    st.tuples(st.just("failed"), st.fixed_dictionaries({"id": steps, "reason": names})),
    st.tuples(st.sampled_from(["done", "setup_done"]), st.just({})),
)


@given(valid)
def test_what_is_encoded_is_decoded_the_same(case: tuple[str, dict[str, Any]]) -> None:
    kind, fields = case
    message = protocol.decode(protocol.encode(kind, fields))
    assert message == (kind, fields)


def test_encode_refuses_what_decode_would() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        protocol.encode("log", {"scalars": {"a": math.nan}})
    with pytest.raises(ValueError, match="65536"):
        protocol.encode("log", {"note": "x" * protocol.MESSAGE_BYTES_MAX})
    longest = protocol.encode("x", {"note": "y" * (65_536 - len('{"type":"x","note":""}'))})
    assert len(longest) == protocol.MESSAGE_BYTES_MAX


# --- the socket ----------------------------------------------------------------------------------


def test_a_message_crosses_with_its_descriptor_and_two_stamps(pair, devnull) -> None:
    here, there = pair
    before = now_ns()
    protocol.send(there, "snapshot", {"step": 3, "note": "n"}, devnull(1))
    received = protocol.receive(here)
    message = protocol.checked(received)
    assert message == ("snapshot", {"step": 3, "note": "n"})
    assert len(received.fds) == 1
    assert Path(f"/proc/self/fd/{received.fds[0]}").readlink() == Path(os.devnull)
    assert not os.get_inheritable(received.fds[0])
    assert before <= received.stamp_ns <= now_ns()
    assert received.kernel_wall_ns is not None
    assert abs(received.kernel_wall_ns - anchor().wall_ns) < 60e9, "the same clock"
    protocol.close_all(received.fds)


def test_only_the_sandbox_end_is_inheritable(pair) -> None:
    here, there = pair
    assert there.get_inheritable()
    assert not here.get_inheritable()


def test_nothing_waiting_is_reported_without_waiting(pair) -> None:
    with pytest.raises(BlockingIOError):
        protocol.receive(pair[0], wait=False)


def test_end_of_file_and_zero_length_messages_are_empty(pair) -> None:
    here, there = pair
    there.send(b"")
    assert protocol.receive(here).data == b""
    there.close()
    received = protocol.receive(here)
    assert (received.data, received.fds, received.truncated) == (b"", [], False)


def test_room_for_exactly_one_descriptor(pair, devnull) -> None:
    """`CMSG_SPACE(4)` would let two in."""
    here, there = pair
    fds = devnull(2)
    before = open_fds()
    raw_send(there, b'{"type":"snapshot"}', fds)
    received = protocol.receive(here)
    assert (len(received.fds), received.truncated) == (1, True)
    with pytest.raises(Violation, match="too many descriptors"):
        protocol.checked(received)
    assert open_fds() == before


@pytest.mark.parametrize("count", [0, 1, 2, 7, 8, 9, 64, 253])
@pytest.mark.parametrize(
    "data",
    [b'{"type":"snapshot"}', b'{"type":"done"}', b"garbage", b"", b"x" * 70_000],
    ids=["snapshot", "done", "garbage", "empty", "too-long"],
)
def test_no_descriptor_leaks_whatever_comes_with_whatever(pair, devnull, data, count) -> None:
    here, there = pair
    fds = devnull(count)
    before = open_fds()
    raw_send(there, data, fds)
    received = protocol.receive(here)
    allowed = data == b'{"type":"snapshot"}' and count == 1
    allowed |= data == b'{"type":"done"}' and count == 0
    if allowed:
        protocol.checked(received)
        protocol.close_all(received.fds)
    else:
        with pytest.raises(Violation):
            protocol.checked(received)
    assert open_fds() == before


def test_a_thousand_odd_messages_leak_nothing(pair, devnull) -> None:
    here, there = pair
    fds = devnull(5)
    before = open_fds()
    for number in range(1000):
        raw_send(there, b'{"type":"snapshot"}' if number % 2 else b"\xff", fds[: number % 6])
        received = protocol.receive(here)
        try:
            protocol.checked(received)
            protocol.close_all(received.fds)
        except Violation:
            continue
    assert open_fds() == before


def test_a_message_of_the_greatest_length_passes_and_one_byte_more_is_cut(pair) -> None:
    here, there = pair
    there.send(protocol.encode("done", {"pad": "p" * (65_536 - len('{"type":"done","pad":""}'))}))
    assert protocol.checked(protocol.receive(here)).kind == "done"
    there.send(b'{"type":"done"}' + b" " * (65_537 - 15))
    with pytest.raises(Violation, match="too long"):
        protocol.checked(protocol.receive(here))


def test_descriptors_that_arrive_are_closed_on_exec(pair, devnull) -> None:
    here, there = pair
    raw_send(there, b"{}", devnull(64))
    received = protocol.receive(here, protocol.DATA_FDS_MAX)
    assert len(received.fds) == 64
    assert not any(os.get_inheritable(item) for item in received.fds)
    protocol.close_all(received.fds)


@given(st.sampled_from(sorted(protocol._CHECKS)), st.integers(0, 3))
def test_every_type_carries_exactly_its_descriptors(kind: str, count: int) -> None:
    fields = {"protocol": 1, "scalars": {}, "edge": "begin"}
    fds = [os.open(os.devnull, os.O_RDONLY) for _ in range(count)]
    received = Received(json.dumps({"type": kind, **fields}).encode(), fds, 0, None, False)
    expected = 1 if kind in ("snapshot", "outputs") else 0
    if count == expected:
        assert protocol.checked(received).kind == kind
        protocol.close_all(fds)
    else:
        with pytest.raises(Violation, match=str(count)):
            protocol.checked(received)
        for descriptor in fds:
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(descriptor)


def test_runtime_names_this_interpreter() -> None:
    text = protocol.runtime()
    assert os.fspath(Path(os.__file__).parents[2]) in text or "prefix" in text
    assert set(text) <= set(string.printable)
