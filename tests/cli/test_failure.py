"""Every bad end is one sentence, one code of the table, and with --json one document."""

import json
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import click
import pytest

from harness.cli.failure import KINDS, exit_code, message_of, run_guarded
from harness.cli.verbs.schema import ErrorBody, ErrorDocument
from harness.errors import ExitCode
from harness.ledger import MachineBusy
from harness.registry import UnknownPlugin

SCRIPT = Path(sysconfig.get_path("scripts")) / "joulemark"


def test_the_codes_are_those_of_the_contract() -> None:
    assert [code.value for code in ExitCode] == [0, 1, 2, 3, 4, 5, 6, 7, 70, 130]
    assert [ExitCode.USAGE, ExitCode.INVALID, ExitCode.MISSING] == [2, 3, 6]


def test_every_code_of_an_error_has_a_kind_that_the_schema_knows() -> None:
    assert set(ExitCode) - set(KINDS) == {ExitCode.OK, ExitCode.TARGET_MISSED}
    kinds = ErrorBody.model_json_schema()["properties"]["kind"]["enum"]
    assert sorted(kinds) == sorted(KINDS.values())


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UnknownPlugin("no"), 2),
        (MachineBusy("wait"), 5),
        (click.UsageError("no"), 2),
        (click.Abort(), 130),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError("x"), 70),
        (OSError("disk"), 70),
    ],
)
def test_errors_and_their_codes(error: BaseException, code: int) -> None:
    assert exit_code(error) == code


def test_an_error_derived_from_a_named_one_has_its_code() -> None:
    class Special(UnknownPlugin):
        pass

    assert exit_code(Special("no")) == 2


def boom() -> int:
    raise ZeroDivisionError("first line\nsecond \x1b[31mline")


def test_an_internal_error_keeps_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_guarded(boom, []) == 70
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(
        "error: internal: ZeroDivisionError: first line second \\x1b[31mline"
    )
    assert shown.err.count("\n") == 1
    output = re.search(r"traceback is in (\S+)", shown.err)
    assert output
    path = Path(output[1])
    assert "in boom" in path.read_text()
    path.unlink()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied", "results/x"), "results/x: the system refused: p"),
        (OSError(28, "No space left on device"), "the system refused: no space left on device"),
        (OSError("odd"), "internal: OSError: odd"),
    ],
)
def test_what_the_system_refuses_is_said_without_a_class_name(error: OSError, said: str) -> None:
    assert message_of(error).startswith(said)


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_guarded(boom, ["--debug"]) == 70
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert "traceback is in" not in shown


def test_json_gets_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    def unknown() -> int:
        raise UnknownPlugin("unknown meter 'x': there are: none")

    assert run_guarded(unknown, ["run", "--json"]) == 2
    shown = capsys.readouterr()
    document = ErrorDocument.model_validate_json(shown.out)
    assert (document.error.kind, document.error.exit_code) == ("usage", 2)
    assert shown.err == f"error: {document.error.message}\n"


def test_an_interrupt_is_said_in_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    def stopped() -> int:
        raise KeyboardInterrupt

    assert run_guarded(stopped, []) == 130
    assert capsys.readouterr().err == "error: interrupted\n"


def test_a_value_that_is_no_code_is_success() -> None:
    assert run_guarded(lambda: None, []) == 0


def test_clicks_sentences_become_ours() -> None:
    assert message_of(click.UsageError("Missing argument 'X'.")) == "missing argument 'X'"


def test_a_reader_that_leaves_early_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} {SCRIPT} schema record-run | head -c 10; echo ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[-1].endswith("0")
    assert done.stderr == ""


def test_usage_errors_come_as_json_too(joulemark) -> None:
    result = joulemark("run", "--json")
    body = json.loads(result.stdout)["error"]
    assert result.exit_code == body["exit_code"] == 2
    assert "missing argument 'WORKLOAD'" in body["message"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("list", "--jsn"), "unknown option '--jsn': did you mean --json?"),
        (("list", "metres"), "unknown kind 'metres': did you mean meters"),
        (("run", "digits-mpl"), "unknown workload 'digits-mpl': did you mean digits-mlp"),
        (("run", "digits-mlp", "--ruleset", "smok"), "unknown ruleset 'smok': did you mean smoke?"),
        (("run", "digits-mlp", "--submission", "digits-mlp-sdg"), "did you mean digits-mlp-sgd"),
        (("run", "digits-mlp", "--meter", "fak"), "unknown meter 'fak': did you mean fake"),
        (("run", "digits-mlp", "--launcher", "plian"), "unknown launcher 'plian': did you mean"),
        (("schema", "verifi"), "unknown schema 'verifi': did you mean verify"),
        (("run", "digits-mlp", "--seeds", "0"), "0 is not in the range"),
        (("run", "digits-mlp", "--meter", "fake:x"), "write name:key=value"),
        (("run", "digits-mlp", "--meter", "none", "--meter", "fake"), "none cannot be combined"),
        (("score", "gone"), "gone: no such folder"),
    ],
)
def test_wrong_words_are_named_with_what_was_meant(joulemark, words, said: str) -> None:
    result = joulemark(*words)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
