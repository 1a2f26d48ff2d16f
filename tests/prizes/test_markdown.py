"""A decision as Markdown: text of competitors stays text, open ends and unknowns say so."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.prizes._board import ANY_MACHINE
from harness.prizes._markdown import markdown, plain
from harness.records import Award

HOSTILE = st.text(st.sampled_from("a \n\r\t|`*_[](<>)&#\\!\u2028\x85\v\f"), max_size=20)


def entry(name: str) -> dict[str, Any]:
    return {"submission": name, "title": name, "team": "t", "workload": "w", "machine": "desk"}


def standing(name: str, rank: int, **changes: Any) -> dict[str, Any]:
    place = {"rank": rank, "rank_low": 1, "rank_high": 2, "tie_group": "a", "n": 5}
    figure = {"score": 10.0 * rank, "low": 9.0, "high": None}
    return {"entry": entry(name)} | place | figure | changes


BOARD = {
    "workload": "w",
    "workload_version": "1",
    "machine": "desk",
    "ruleset": "default",
    "prize": "energy",
    "quantity": "energy_to_target_j",
    "unit": "J",
    "standings": (standing("one", 1), standing("two", 2)),
    "unranked": (),
    "separated": False,
    "resolvable_ratio": None,
    "note": "",
}


def award(**changes: Any) -> Award:
    """A tie of two entries; changes may name fields of the board."""
    board = BOARD | {name: changes.pop(name) for name in BOARD.keys() & changes.keys()}
    tied = {
        "prize": "energy",
        "title": "Energy",
        "question": "which is best?",
        "board": board,
        "rules_text": 'name = "default"\n',
        "outcome": "tied",
        "winner": None,
        "leaders": ("one", "two"),
        "reason": "no lead",
        "confidence": 0.95,
        "separation_alpha": 0.05,
        "challenges": (),
        "sensitivity": (),
        "evidence": (),
    }
    return Award.model_validate(tied | changes)


def challenge(**changes: Any) -> dict[str, Any]:
    near = {"challenger": "two", "lead_ratio": 0.02, "p_differ": 0.3, "p_holm": 0.3}
    return near | {"test": "independent", "significant": False, "seeds_count": None} | changes


def cells(line: str) -> list[str]:
    return [part.strip() for part in re.split(r"(?<!\\)\|", line)[1:-1]]


def rows(text: str, heading: str) -> list[list[str]]:
    part = text.split(f"## {heading}\n")[1].split("\n## ", maxsplit=1)[0]
    return [cells(line) for line in part.splitlines() if line.startswith("|")][2:]


@given(HOSTILE)
def test_a_competitors_text_is_one_line_without_markup(text: str) -> None:
    line = plain(text)
    assert len(line.splitlines()) <= 1
    assert "<" not in line
    assert not re.search(r"[`*_\[\]|#]", re.sub(r"\\.", "", line))


@given(st.text("abc 0123.-"))
def test_tame_text_stays_as_it_is(text: str) -> None:
    assert plain(text) == " ".join(text.split())


@given(HOSTILE, HOSTILE)
def test_no_name_or_reason_moves_the_table(name: str, reason: str) -> None:
    out = {"entry": entry(name), "status": "excluded", "reason": reason}
    text = markdown(award(unranked=(out,), reason=reason))
    (row,) = rows(text, "Not ranked")
    assert row == [plain(name).strip(), "excluded", plain(reason).strip()]
    tame = markdown(award(unranked=(out | {"entry": entry("x"), "reason": "y"},), reason="y"))
    assert len(text.splitlines()) == len(tame.splitlines())


def test_what_is_open_or_unknown_is_no_number() -> None:
    first, _ = rows(markdown(award()), "Entries")
    assert first[-2:] == ["9 to open", "unknown"]
    known = award(standings=(standing("one", 1, high=11.0, p_first=0.876),))
    assert rows(markdown(known), "Entries")[0][-2:] == ["9 to 11", "87.6%"]


def test_where_machines_compete_they_are_the_entries() -> None:
    table = rows(markdown(award(machine=ANY_MACHINE)), "Entries")
    assert [row[3] for row in table] == ["desk", "desk"]
    assert [row[3] for row in rows(markdown(award()), "Entries")] == ["one", "two"]


@pytest.mark.parametrize(
    ("changes", "end"),
    [({}, ["tied", "over 1000"]), ({"seeds_count": 40}, ["tied", "40"]),
     ({"significant": True}, ["significantly different", ""])],
)  # fmt: skip
def test_a_tie_shows_the_seeds_needed(changes: dict[str, Any], end: list[str]) -> None:
    (row,) = rows(markdown(award(challenges=(challenge(**changes),))), "Tests")
    assert row[-2:] == end
    assert row[1:3] == ["+2.00%", "independent"]


def test_entries_that_are_not_paired_are_asked_to_run_interleaved() -> None:
    text = markdown(award(challenges=(challenge(test="not_comparable"),)))
    (row,) = rows(text, "Tests")
    assert row[2:3] + row[-1:] == [r"not\_comparable", "run interleaved"]
    assert r"- not\_comparable: no test, because their runs are not paired." in text
    assert "- paired" not in text


def test_leads_of_a_metric_are_differences() -> None:
    text = markdown(award(unit="", quantity="metric", challenges=(challenge(),)))
    assert rows(text, "Tests")[0][1] == "0.02"
    assert "on logarithms" not in text
    assert "of the mean over" in text


@pytest.mark.parametrize(
    ("holds", "said"), [(True, "holds"), (False, "does not hold"), (None, "unknown")]
)
def test_an_unknown_never_holds(holds: bool | None, said: str) -> None:
    case = {"variation": "without idle", "holds": holds, "leader": "one"}
    (row,) = rows(markdown(award(sensitivity=(case,))), "Sensitivity checks")
    assert row == ["without idle", said, "one", ""]


@pytest.mark.parametrize(
    ("outcome", "winner", "head"),
    [("awarded", "a*b", "awarded to a\\*b"), ("not_awarded", None, "not awarded"),
     ("unopposed", None, "unopposed: one entry has a place")],
)  # fmt: skip
def test_the_heading_states_the_outcome(outcome: str, winner: str | None, head: str) -> None:
    text = markdown(award(outcome=outcome, winner=winner, standings=()))
    assert text.splitlines()[0] == f"# Energy on w: {head}"
    assert "\n## Entries\n\nNone.\n" in text


def test_rules_cannot_close_their_own_block() -> None:
    text = markdown(award(rules_text="a = 1\n```\n# awarded to me\n"))
    assert text.count("```") == 2
    assert text.endswith("```\n")


def test_every_bundle_is_listed_with_its_digest() -> None:
    refs = [
        {"submission": "a|b", "run_id": str(i), "bundle": f"r{i}", "manifest_sha256": f"{i}" * 64}
        for i in range(3)
    ]
    table = rows(markdown(award(evidence=tuple(refs))), "Evidence")
    assert table == [["a\\|b", f"r{i}", f"`{str(i) * 64}`"] for i in range(3)]
