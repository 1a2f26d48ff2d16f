"""A ledger cannot be cut, reordered, edited or reformatted without being found."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.ledger import Ledger, row_hash
from harness.verify import verify
from harness.verify.ledger import digest_of
from tests.verify.made import GENESIS, Results, sha256

Lines = list[bytes]


@pytest.fixture
def results(tmp_path: Path) -> Results:
    made = Results(tmp_path / "results")
    for number in range(3):
        made.add(f"20261122T000{number}00Z-000{number}")
    return made


def edited(line: bytes, **fields: object) -> bytes:
    """A row with other contents and a hash that fits them."""
    tree = json.loads(line) | fields
    tree.pop("hash")
    canonical = json.dumps(tree, sort_keys=True, separators=(",", ":")).encode()
    return json.dumps(tree | {"hash": sha256(canonical)}, sort_keys=True).encode() + b"\n"


def swap(lines: Lines) -> Lines:
    return [lines[0], lines[2], lines[1], *lines[3:]]


EDITS: list[tuple[str, Callable[[Lines], Lines], str]] = [
    ("reordered", swap, "ledger-chain"),
    ("first row cut", lambda rows: rows[1:], "ledger-chain"),
    ("middle row cut", lambda rows: rows[:2] + rows[3:], "ledger-chain"),
    ("last row cut", lambda rows: rows[:-1], "ledger-row"),
    ("row doubled", lambda rows: [*rows, rows[-1]], "ledger-chain"),
    ("last line torn", lambda rows: [*rows[:-1], rows[-1][:-9]], "ledger-readable"),
    ("blank line", lambda rows: [*rows, b"\n"], "ledger-readable"),
    ("no JSON", lambda rows: [*rows, b"{}\n"], "ledger-readable"),
    ("status edited", lambda r: [*r[:-1], r[-1].replace(b'"ok"', b'"oom"')], "ledger-hashes"),
    ("rehashed", lambda r: [r[0], edited(r[1], status="oom"), *r[2:]], "ledger-chain"),
    ("last rehashed", lambda r: [*r[:-1], edited(r[-1], status="oom")], "ledger-row"),
    ("blanks", lambda r: [r[0].replace(b": ", b":  "), *r[1:]], "ledger-form"),
    ("other bundle", lambda r: [*r[:-1], edited(r[-1], bundle="../../x")], "ledger-pairs"),
    ("emptied", lambda _: [], "ledger-row"),
]


@pytest.mark.parametrize(("change", "rule"), [e[1:] for e in EDITS], ids=[e[0] for e in EDITS])
def test_an_edited_ledger_is_detected(
    results: Results, change: Callable[[Lines], Lines], rule: str
) -> None:
    lines = results.ledger.read_bytes().splitlines(keepends=True)
    results.ledger.write_bytes(b"".join(change(lines)))
    report = verify(results.root)
    parts = [check for ledger in report.ledgers for check in ledger.checks]
    parts += [check for bundle in report.bundles for check in bundle.checks]
    assert rule in {check.rule for check in parts if check.verdict == "fail"}


def test_a_broken_ledger_witnesses_nothing(results: Results) -> None:
    results.ledger.write_bytes(b"nonsense\n")
    checks = {c.rule: c.verdict for c in verify(results.root).bundles[0].checks}
    assert checks["ledger-row"] == "skip"
    assert checks["files-intact"] == "pass"


def test_the_head_is_the_last_rows_hash(results: Results) -> None:
    last = json.loads(results.ledger.read_bytes().splitlines()[-1])
    assert verify(results.root).ledgers[0].head == last["hash"]


def test_an_empty_ledger_has_the_first_head(tmp_path: Path) -> None:
    made = Results(tmp_path / "results")
    report = verify(made.root)
    assert report.ok
    assert report.ledgers[0].head == GENESIS


def test_the_writers_rows_pass(tmp_path: Path) -> None:
    """The checker was written from the description; here it meets the real writer."""

    fields = {
        "run_id": "r", "workload": "wörld", "submission": "s", "submission_sha256": "0",
        "seed_commitment": "0", "bundle": "w/s/m/r",
    }  # fmt: skip
    book = Ledger(tmp_path, "m")
    book.append("started", **fields)
    book.append("finished", status="crashed", manifest_sha256=None, **fields)
    report = verify(tmp_path)
    assert report.ok, list(report.failures())
    assert report.ledgers[0].rows_count == 2


@pytest.mark.parametrize("place", ["absolute", "outside"])
def test_a_bundle_outside_of_the_results_folder_is_missing(tmp_path: Path, place: str) -> None:
    elsewhere, results = tmp_path / "elsewhere", tmp_path / "results"
    elsewhere.mkdir()
    (elsewhere / "manifest.json").write_text("{}")
    book = Ledger(results, "desk")
    fields = {
        "run_id": "1",
        "workload": "toy",
        "submission": "entry",
        "submission_sha256": "0",
        "seed_commitment": "0",
        "bundle": str(elsewhere) if place == "absolute" else "../elsewhere",
    }
    book.append("started", **fields)
    book.append("finished", status="ok", manifest_sha256="0", **fields)
    (report,) = verify(results).ledgers
    assert [check.rule for check in report.checks if check.verdict == "fail"] == ["ledger-bundles"]


def test_the_digest_is_the_writers(tmp_path: Path) -> None:

    tree = {"seq": 1, "kind": "started", "bundle": "ä/\u2028", "hash": "x", "status": None}
    assert digest_of(json.dumps(tree).encode(), "f") == row_hash(tree)
