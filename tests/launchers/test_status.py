"""Objects on a pipe arrive in pieces."""

import json
import os
import threading

from hypothesis import given
from hypothesis import strategies as st

from harness.clock import NS_PER_S, now_ns
from harness.launchers._status import StatusPipe

KEYS = st.sampled_from(["child-pid", "exit-code", "mnt-namespace", "error"])
OBJECTS = st.lists(st.dictionaries(KEYS, st.integers() | st.none() | st.text(max_size=5)))


@given(OBJECTS, st.data())
def test_pieces_make_the_same_whole(objects: list[dict[str, object]], data: st.DataObject) -> None:
    text = "\n".join(json.dumps(item) for item in objects).encode()
    reading, writing = os.pipe()
    status = StatusPipe(reading)
    while text:
        size = data.draw(st.integers(1, len(text)))
        os.write(writing, text[:size])
        status.read()
        text = text[size:]
    os.close(writing)
    status.read()
    expected: dict[str, object] = {}
    for item in objects:
        expected.update(item)
    assert status.values == expected
    status.close()


def test_waits_for_a_key() -> None:
    reading, writing = os.pipe()
    status = StatusPipe(reading)

    def write() -> None:
        os.write(writing, b'{ "child-pid": 7')
        os.write(writing, b', "x": 1 }\n')

    writer = threading.Timer(0.05, write)
    writer.start()
    assert status.wait_for({"child-pid"}, 5.0)
    assert status.values["child-pid"] == 7
    writer.join()
    before = now_ns()
    assert not status.wait_for({"exit-code"}, 0.05)
    assert 0.04 < (now_ns() - before) / NS_PER_S < 2
    os.close(writing)
    # The end of the pipe is an answer: nothing will come.
    assert not status.wait_for({"exit-code"}, 60.0)
    status.close()


def test_rubbish_is_passed_over() -> None:
    reading, writing = os.pipe()
    status = StatusPipe(reading)
    os.write(writing, b'[1, 2] "text" 7 {"exit-code": 3}')
    os.close(writing)
    status.read()
    assert status.values == {"exit-code": 3}
