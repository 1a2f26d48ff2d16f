"""Shared options: folders that can be written, words that are nearly right, meters that parse."""

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from harness.cli.failure import suggestion
from harness.cli.options import existing_folder, meter_option, results_option, ruleset_options
from harness.cli.verbs.list import KINDS, parse_kind

kind_option = click.option("--kind", callback=parse_kind)


def value_of(decorate: Any, *words: str) -> Any:
    """What a command with that option gets."""
    got: list[Any] = []

    @click.command()
    @decorate
    def command(**options: Any) -> None:
        got.append(options)

    result = CliRunner().invoke(command, list(words), standalone_mode=False)
    if result.exception:
        raise result.exception
    return got[0]


@pytest.mark.parametrize("text", ["meters", "meter", "METER", "Meters"])
def test_words_in_singular_and_any_case(text: str) -> None:
    assert value_of(kind_option, "--kind", text) == {"kind": "meters"}


@given(st.text())
def test_other_words_are_refused_with_a_hint(text: str) -> None:
    if text.lower() in KINDS or f"{text.lower()}s" in KINDS:
        return
    with pytest.raises(click.UsageError) as caught:
        value_of(kind_option, "--kind", text)
    assert any(word in str(caught.value.message) for word in KINDS)


@given(st.lists(st.text(min_size=1), min_size=1), st.text())
def test_suggestions_are_only_of_what_there_is(known: list[str], typed: str) -> None:
    hint = suggestion(typed, known)
    assert hint.startswith(("did you mean ", "there are: "))
    assert any(name in hint for name in known)


def test_results_may_be_new(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    assert value_of(results_option, "--results", str(path)) == {"results": path}
    assert not path.exists()


def test_the_default_is_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert value_of(results_option) == {"results": Path("results")}


@pytest.mark.parametrize("place", ["file", "file/below", "link"])
def test_results_cannot_be_a_file(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("gone")
    with pytest.raises(click.UsageError, match="is not a folder"):
        value_of(results_option, "--results", str(tmp_path / place))


def test_rules_come_with_their_changes() -> None:
    changes = ("--set", "run.seeds_count=5", "--set", "run.idle_s=0")
    ruleset = value_of(ruleset_options("default"), *changes)["ruleset"]
    assert (ruleset.run.seeds_count, ruleset.run.idle_s) == (5, 0.0)
    assert value_of(ruleset_options(None), *changes[:2])["ruleset"].run.seeds_count == 5
    assert value_of(ruleset_options(None))["ruleset"] is None


def test_meters_may_repeat_and_carry_options() -> None:
    given_ = ("--meter", "fake:watts=3,noise=0", "--meter", "replay:path=a,b.csv")
    assert value_of(meter_option, *given_)["meters"] == given_[1::2]
    assert value_of(meter_option)["meters"] == ("auto",)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--meter", "fake:watts"), "not key=value"),
        (("--meter", "none", "--meter", "rapl"), "cannot be combined"),
    ],
)
def test_meters_that_contradict_are_refused(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(click.UsageError, match=said):
        value_of(meter_option, *words)


def test_none_alone_is_fine() -> None:
    assert value_of(meter_option, "--meter", "none")["meters"] == ("none",)


def test_a_folder_to_read_must_be_there(tmp_path: Path) -> None:
    argument = click.argument("results", callback=existing_folder)
    assert value_of(argument, str(tmp_path)) == {"results": tmp_path}
    with pytest.raises(click.UsageError, match="gone: no such folder"):
        value_of(argument, str(tmp_path / "gone"))
