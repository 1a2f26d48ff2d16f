from hypothesis import given
from hypothesis import strategies as st

from harness.records import Event
from harness.report.breakdown import DEPTH_MAX, Phase, merged, phases_of, totals_s


def span(t_ns: int, name: str, edge: str) -> Event:
    return Event(seq=0, t_ns=t_ns, kind="span", data={"name": name, "edge": edge})


def test_spans_become_phases_with_their_depth() -> None:
    events = [
        span(0, "train", "begin"), span(10, "epoch", "begin"), span(20, "epoch", "end"),
        Event(seq=0, t_ns=25, kind="log"), span(30, "train", "end"),
    ]  # fmt: skip
    assert phases_of(events, 99) == [Phase("train", 0, 30, 0), Phase("epoch", 10, 20, 1)]


def test_a_phase_that_was_never_closed_lasts_until_the_end() -> None:
    assert phases_of([span(5, "train", "begin")], 70) == [Phase("train", 5, 70, 0)]


def test_an_end_without_a_beginning_is_no_phase() -> None:
    assert phases_of([span(5, "train", "end")], 70) == []


edges = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["begin", "end"])), max_size=30)


@given(edges)
def test_whatever_is_announced_phases_lie_inside_the_run(announced: list[tuple[str, str]]) -> None:
    events = [span(index, name, edge) for index, (name, edge) in enumerate(announced)]
    phases = phases_of(events, len(events))
    begins = sum(edge == "begin" for _, edge in announced)
    assert len(phases) == begins
    assert all(0 <= phase.start_ns <= phase.end_ns <= len(events) for phase in phases)


def test_neighbours_of_one_name_merge_where_they_would_not_be_seen_apart() -> None:
    phases = [Phase("epoch", 10 * i, 10 * i + 9, 0) for i in range(1000)]
    assert merged(phases, 5) == [Phase("epoch", 0, 9999, 0)]
    assert len(merged(phases, 1)) == 1000


def test_names_do_not_merge_with_every_other_and_depth_is_bounded() -> None:
    phases = [Phase("a", 0, 9, 0), Phase("b", 0, 9, 0), Phase("a", 0, 9, DEPTH_MAX)]
    assert merged(phases, 100) == phases[:2]


def test_totals_count_and_add_up() -> None:
    phases = [Phase("epoch", 0, 2_000_000_000, 0), Phase("epoch", 0, 500_000_000, 1)]
    assert totals_s(phases) == {"epoch": (2, 2.5)}
