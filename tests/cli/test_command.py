"""With --json one document and nothing else is on standard output, whatever plug-ins print."""

import json
import sys

import click
import pytest
from click.testing import CliRunner

from harness.cli.command import CommandResult, json_command
from harness.cli.verbs.doctor import PrizeEligibility

DOCUMENT = PrizeEligibility(prize="energy", eligible=False, reason="no meter")


@json_command("verb")
def verb() -> CommandResult:
    """A verb that is noisy."""
    click.echo("noise")
    sys.stderr.write("complaint\n")
    return CommandResult(DOCUMENT, lambda _, printer: printer.line("for people"), 3)


def call(*words: str) -> tuple[object, str, str]:
    result = CliRunner().invoke(verb, list(words), standalone_mode=False)
    return result.return_value, result.stdout, result.stderr


def test_people_get_the_page() -> None:
    assert call() == (3, "noise\nfor people\n", "complaint\n")


def test_programs_get_one_document() -> None:
    code, out, err = call("--json")
    assert code == 3
    assert json.loads(out) == DOCUMENT.model_dump(mode="json")
    assert err == "noise\ncomplaint\n"


def test_documents_are_the_same_bytes_every_time() -> None:
    assert call("--json")[1] == call("--json")[1]


def test_standard_output_is_given_back(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout
    call("--json")
    assert sys.stdout is before
