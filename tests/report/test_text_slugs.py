import re

from hypothesis import given
from hypothesis import strategies as st

from harness.report.text import LENGTH_MAX, UniqueNames, joined, slug

names = st.text(max_size=300)


@given(names)
def test_a_slug_is_a_safe_file_name(name: str) -> None:
    text = slug(name)
    assert re.fullmatch(r"[a-z0-9][a-z0-9.-]*", text)
    assert len(text) <= LENGTH_MAX
    assert ".." not in text.strip(".") or not text.startswith(".")


@given(st.lists(names, unique=True, max_size=8))
def test_different_names_have_different_slugs(given_names: list[str]) -> None:
    assert len({slug(name) for name in given_names}) == len(given_names)


def test_plain_names_stay_as_they_are() -> None:
    assert slug("digits-mlp-adamw") == "digits-mlp-adamw"
    assert joined("digits-mlp", "epyc.2") == "digits-mlp--epyc.2"


def test_case_is_distinguished_on_file_systems_that_ignore_it() -> None:
    assert slug("Muon") != slug("muon")
    assert slug("Muon").startswith("muon-")


@given(st.lists(st.sampled_from(["a", "b"]), max_size=9))
def test_every_slug_is_given_once(wanted: list[str]) -> None:
    taken = UniqueNames()
    given_out = [taken.take(name, tag="0123456789abcdef") for name in wanted]
    assert len(set(given_out)) == len(given_out)


def test_the_first_taker_gets_the_plain_one() -> None:
    taken = UniqueNames()
    assert taken.take("x", "y", tag="0" * 64) == "x--y"
    assert taken.take("x", "y", tag="ab" * 32) == "x--y--abababab"
