"""`joulemark keygen` and `sign`: a pair of files, and signatures on what is intact only."""

from pathlib import Path

import pytest

from harness.cli.verbs.keygen import KeygenDocument
from harness.cli.verbs.sign import SignDocument
from tests.verify.made import Results


@pytest.fixture
def made(tmp_path: Path) -> Results:
    shown = Results(tmp_path / "results")
    shown.add("20261122T000000Z-0001")
    shown.add("20261122T000100Z-0002")
    shown.start_only("20261122T000200Z-0003")
    return shown


def test_from_key_to_verdict(made: Results, joulemark) -> None:
    result = joulemark("keygen", "mine", "--json")
    pair = KeygenDocument.model_validate_json(result.stdout)
    result = joulemark("sign", "results", "--key", pair.private_key, "--json")
    signed = SignDocument.model_validate_json(result.stdout)
    assert signed.key_id == pair.key_id
    assert len(signed.signed) == 2
    assert joulemark("verify", "--key", pair.public_key).exit_code == 0


def test_the_key_can_come_from_the_environment(
    made: Results, joulemark, monkeypatch: pytest.MonkeyPatch
) -> None:
    joulemark("keygen", "mine")
    assert joulemark("sign", "results").exit_code == 2
    monkeypatch.setenv("JOULEMARK_KEY", "mine")
    assert joulemark("sign", "results").stdout.count("signed ") == 2


def test_what_was_changed_is_not_signed(made: Results, joulemark) -> None:
    folder = made.root / made.place("20261122T000100Z-0002")
    (folder / "log.txt").write_text("changed")
    joulemark("keygen", "mine")
    result = joulemark("sign", "results", "--key", "mine")
    assert result.exit_code == 3
    assert "nothing was signed" in result.stderr
    assert "log.txt" in result.stderr
    assert list(made.root.rglob("manifest.dsse.json")) == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("keygen", "no/such/folder/key"), 3),
        (("sign", "results", "--key", "gone"), 3),
        (("verify", "--key", "gone"), 2),
        (("sign", "gone", "--key", "mine"), 2),
    ],
)
def test_what_cannot_be_done_is_said(made: Results, joulemark, words, code: int) -> None:
    joulemark("keygen", "mine")
    result = joulemark(*words)
    assert result.exit_code == code
    assert result.stderr.startswith("error: ")
