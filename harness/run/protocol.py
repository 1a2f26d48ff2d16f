"""Protocol v1 between conductor and sandbox: JSON objects on one SOCK_SEQPACKET socket.

Both ends use this module; a submission in another language needs only docs/protocol.md. It uses
only the standard library, since it is loaded in the sandbox before the start signal.
"""

import array
import json
import math
import os
import platform
import socket
import struct
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from harness.clock import now_ns

VERSION = 1
MESSAGE_BYTES_MAX = 65_536
NOTE_CHARACTERS_MAX = 200
NAME_CHARACTERS_MAX = 100
SCALARS_MAX = 32
NONFINITE = ("nan", "inf", "-inf")
"""What a scalar of `log` may be besides a finite number."""
DATA_FDS_MAX = 64
"""Descriptors that one `go` may carry (the kernel's own limit is 253)."""
FD_VARIABLE = "JOULEMARK_FD"
PACKAGES_FOLDER = "site"
"""Folder of a submission with packages that an organizer installed before the freeze."""

_SO_TIMESTAMPNS = 35
"""`SO_TIMESTAMPNS_OLD` of asm-generic/socket.h: CLOCK_REALTIME of the send, as ancillary data."""
_TIMESPEC = struct.Struct("@qq")


class Violation(ValueError):
    """A message that the protocol does not allow; the text never contains what was sent."""


class Message(NamedTuple):
    """One message, checked."""

    kind: str
    fields: dict[str, Any]


class Received(NamedTuple):
    """The result of one `recvmsg`."""

    data: bytes
    fds: list[int]
    stamp_ns: int
    """Monotonic time, directly after the receipt."""
    kernel_wall_ns: int | None
    """CLOCK_REALTIME when it was sent, by the kernel."""
    truncated: bool
    """The message or its descriptors did not fit."""


def encode(kind: str, fields: Mapping[str, Any]) -> bytes:
    """Encode one message.

    Raises:
        ValueError: it contains a non-finite number or is longer than the protocol allows.
    """
    text = json.dumps({"type": kind, **fields}, allow_nan=False, separators=(",", ":"))
    data = text.encode()
    if len(data) > MESSAGE_BYTES_MAX:
        raise ValueError(
            f"message '{kind}' has {len(data)} bytes; at most {MESSAGE_BYTES_MAX} are allowed"
        )
    return data


def _no_constant(_text: str) -> float:
    raise Violation("a number is not finite")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    tree = dict(pairs)
    if len(tree) != len(pairs):
        raise Violation("a key occurs twice")
    return tree


def decode(data: bytes) -> Message:
    """Parse and check one message from a sandbox.

    Raises:
        Violation: malformed, of an unknown type, or with a field out of its range.
    """
    try:
        tree = json.loads(
            data.decode(), parse_constant=_no_constant, object_pairs_hook=_no_duplicates
        )
    except Violation:
        raise
    except (ValueError, RecursionError) as error:
        raise Violation(f"message is no JSON object in UTF-8 ({type(error).__name__})") from error
    if not isinstance(tree, dict) or not isinstance(tree.get("type"), str):
        raise Violation("message is no JSON object with a type")
    check = _CHECKS.get(tree["type"])
    if check is None:
        raise Violation("message has an unknown type")
    return Message(tree["type"], check(tree))


def _text(tree: Mapping[str, Any], key: str, limit: int) -> str:
    value = tree.get(key, "")
    if not isinstance(value, str) or len(value) > limit:
        raise Violation(f"field '{key}' is no text of at most {limit} characters")
    return value.encode(errors="backslashreplace").decode()


def _whole(tree: Mapping[str, Any], key: str) -> int | None:
    value = tree.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 53:
        raise Violation(f"field '{key}' is no whole number from 0 to 2**53")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Violation("a scalar is no number")
    try:
        number = float(value)
    except OverflowError as error:
        raise Violation("a scalar is too large") from error
    if not math.isfinite(number):
        raise Violation("a scalar is not finite")
    return number


def _ready(tree: Mapping[str, Any]) -> dict[str, Any]:
    if tree.get("protocol") != VERSION:
        raise Violation(f"protocol is not {VERSION}")
    return {"protocol": VERSION, "runtime": _text(tree, "runtime", 2000)}


def _log(tree: Mapping[str, Any]) -> dict[str, Any]:
    scalars = tree.get("scalars")
    if not isinstance(scalars, dict) or len(scalars) > SCALARS_MAX:
        raise Violation(f"field 'scalars' is no object of at most {SCALARS_MAX} keys")
    named = {
        _text({"name": key}, "name", NAME_CHARACTERS_MAX): value for key, value in scalars.items()
    }
    numbers = {name: _number(value) for name, value in named.items()}
    nonfinite = _nonfinite(tree.get("nonfinite", {}), SCALARS_MAX - len(numbers))
    fields = {"step": _whole(tree, "step"), "scalars": numbers}
    return {**fields, "nonfinite": nonfinite} if nonfinite else fields


def _nonfinite(tree: Any, room: int) -> dict[str, str]:
    """Names of scalars that JSON cannot express as a number, with one of `NONFINITE`."""
    if not isinstance(tree, dict) or len(tree) > room:
        raise Violation(f"field 'nonfinite' is no object of at most {room} keys")
    if not all(isinstance(value, str) and value in NONFINITE for value in tree.values()):
        raise Violation(f"a value of 'nonfinite' is none of {', '.join(NONFINITE)}")
    return {_text({"name": key}, "name", NAME_CHARACTERS_MAX): tree[key] for key in tree}


def _span(tree: Mapping[str, Any]) -> dict[str, Any]:
    if tree.get("edge") not in ("begin", "end"):
        raise Violation("field 'edge' is neither begin nor end")
    return {"name": _text(tree, "name", NAME_CHARACTERS_MAX), "edge": tree["edge"]}


_CHECKS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "ready": _ready,
    "starting": lambda _tree: {},
    "setup_done": lambda _tree: {},
    "snapshot": lambda tree: {
        "step": _whole(tree, "step"),
        "note": _text(tree, "note", NOTE_CHARACTERS_MAX),
    },
    "log": _log,
    "span": _span,
    "done": lambda _tree: {},
    "loaded": lambda tree: {"id": _whole(tree, "id")},
    "outputs": lambda tree: {"id": _whole(tree, "id")},
    "failed": lambda tree: {"id": _whole(tree, "id"), "reason": _text(tree, "reason", 2000)},
}
"""Types that a sandbox may send; unknown keys of a known type are ignored."""

FDS_OF = {"snapshot": 1, "outputs": 1}
"""Number of descriptors that a type carries; every other type carries none."""


def runtime() -> str:
    """Identify this interpreter, so that the conductor detects another one in the sandbox."""
    return f"python {platform.python_version()} prefix {sys.prefix}"


def pair() -> tuple[socket.socket, socket.socket]:
    """Create the conductor's end, with kernel time stamps, and the sandbox's end, inheritable."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    here.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    there.set_inheritable(True)
    return here, there


def send(
    channel: socket.socket, kind: str, fields: Mapping[str, Any], fds: Sequence[int] = ()
) -> None:
    """Send one message with its descriptors.

    Raises:
        ValueError: it cannot be encoded.
        OSError: the other end is gone.
    """
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    channel.sendmsg([encode(kind, fields)], rights)


def receive(channel: socket.socket, fds_max: int = 1, *, wait: bool = True) -> Received:
    """Receive one message; empty data mean end of file, or a message of length zero.

    The ancillary buffer has room for one time stamp and `fds_max` descriptors and no more: the
    kernel closes what does not fit.

    Raises:
        BlockingIOError: no message waits, and `wait` is False.
    """
    stamp_room = socket.CMSG_SPACE(_TIMESPEC.size)
    room = stamp_room + socket.CMSG_LEN(4 * fds_max)
    flags = socket.MSG_CMSG_CLOEXEC | (0 if wait else socket.MSG_DONTWAIT)
    data, ancillary, result, _ = channel.recvmsg(MESSAGE_BYTES_MAX + 1, room, flags)
    stamp_ns = now_ns()
    fds: list[int] = []
    kernel_wall_ns = None
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            whole = len(payload) - len(payload) % 4
            fds.extend(array.array("i", payload[:whole]))
        elif level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
            seconds, rest = _TIMESPEC.unpack(payload[: _TIMESPEC.size])
            kernel_wall_ns = seconds * 1_000_000_000 + rest
    truncated = bool(result & (socket.MSG_TRUNC | socket.MSG_CTRUNC))
    return Received(data, fds, stamp_ns, kernel_wall_ns, truncated or len(data) > MESSAGE_BYTES_MAX)


def close_all(fds: Iterable[int]) -> None:
    """Close descriptors that are not needed."""
    for descriptor in fds:
        os.close(descriptor)


def checked(received: Received) -> Message:
    """Check a message, which must have as many descriptors as its type carries; else close them.

    Raises:
        Violation: anything that the protocol does not allow.
    """
    try:
        return _fitting(received)
    except Violation:
        close_all(received.fds)
        raise


def _fitting(received: Received) -> Message:
    if received.truncated:
        raise Violation("message is too long or carries too many descriptors")
    result = decode(received.data)
    if len(received.fds) != FDS_OF.get(result.kind, 0):
        raise Violation(f"message '{result.kind}' carries {len(received.fds)} descriptors")
    return result
