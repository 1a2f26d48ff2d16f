"""Looks at the disk after a run, and nowhere else, and holds it against what really happened.

It shares no code with the conductor: ledgers and manifests are parsed and hashed again, and
`harness.verify`, which shares none either, is asked as well.
"""

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.verify import Report, verify
from tests.faults.world import History

NS_PER_S = 1_000_000_000
SIGNATURE = "manifest.dsse.json"
BUDGET_S = 10.0
TARGET = 0.8
STATUSES = {
    "ok",
    "target_missed",
    "budget_exceeded",
    "diverged",
    "oom",
    "crashed",
    "killed",
    "aborted",
    "degraded",
    "invalid",
}
BLAME = STATUSES - {"ok", "aborted", "degraded"}
"""Statuses that are the submission's own doing."""
JUDGED = {"ok", "target_missed", "diverged"}


@dataclass(frozen=True)
class Truth:
    """What is known of the run besides its history."""

    history: History
    honest: bool
    """Nothing that the submission or its predictor does is against the rules or comes late."""
    faithful: bool
    """The harness had no fault to cope with, and the machine none."""
    late: bool
    """The conductor was held up, so that even an honest run may miss its budget."""
    metered: bool
    broken_meter: bool
    rule: str
    signed: bool
    """There was a key, and no call that signing takes was refused."""
    ended: str
    """Class of the exception that came out of it; empty where an outcome did."""


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The rows of a ledger; AssertionError where it is no chain."""
    rows = []
    data = path.read_bytes()
    assert not data or data.endswith(b"\n"), "the ledger's last line is torn"
    previous = "0" * 64
    for number, line in enumerate(data.splitlines()):
        row = json.loads(line)
        body = {key: value for key, value in row.items() if key != "hash"}
        text = json.dumps(body, sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(text.encode()).hexdigest()
        assert row["hash"] == digest, f"row {number}: hash"
        assert (row["seq"], row["previous"]) == (number, previous), f"row {number}: chain"
        previous = digest
        rows.append(row)
    return rows


def manifests(results: Path) -> dict[str, dict[str, Any]]:
    """Every manifest by its folder; AssertionError where one is not true."""
    result = {}
    for path in results.glob("*/*/*/*/manifest.json"):
        tree = json.loads(path.read_bytes())
        folder = path.parent
        listed = {item["path"]: item["sha256"] for item in tree["files"]}
        there = {
            element.relative_to(folder).as_posix(): hashlib.sha256(element.read_bytes()).hexdigest()
            for element in folder.rglob("*")
            if element.is_file() and element not in (path, path.with_name(SIGNATURE))
        }
        differ = sorted(name for name in {*listed, *there} if listed.get(name) != there.get(name))
        assert not differ, f"{folder.name}: not as sealed: {differ}"
        result[folder.relative_to(results).as_posix()] = tree
    return result


def check_rows(results: Path, history: History) -> None:
    """The ledger is whole, keeps what it promised, and agrees with the folders."""
    sealed = manifests(results)
    for path in results.glob("ledgers/*.jsonl"):
        rows = rows_of(path)
        lost = set(history.acknowledged) - {row["hash"] for row in rows}
        assert not lost, f"{len(lost)} rows of the ledger are gone that were promised"
        started = {row["run_id"] for row in rows if row["kind"] == "started"}
        finished = [row for row in rows if row["kind"] == "finished"]
        assert len({row["run_id"] for row in finished}) == len(finished), "finished twice"
        assert {row["run_id"] for row in finished} <= started, "finished without a start"
        for row in finished:
            assert row["bundle"] in sealed, "a finished row without its manifest"
            data = (results / row["bundle"] / "manifest.json").read_bytes()
            assert hashlib.sha256(data).hexdigest() == row["manifest_sha256"], "another manifest"
            assert row["status"] == sealed[row["bundle"]]["status"], "another status"
        for row in rows:
            assert (results / row["bundle"]).is_dir(), f"row {row['seq']}: no folder"
    assert not sealed or list(results.glob("ledgers/*.jsonl")), "bundles without a ledger"
    assert not history.acknowledged or list(results.glob("ledgers/*.jsonl")), "the ledger is gone"


def check_verified(results: Path) -> Report | None:
    """The independent checker accepts what is sealed, and names what is not."""
    if not any(results.glob("ledgers/*.jsonl")):
        return None
    report = verify(results)
    assert report.ok, list(report.failures())
    unfinished = {name for ledger in report.ledgers for name in ledger.unfinished}
    for bundle in report.bundles:
        if bundle.state == "incomplete":
            assert bundle.status == "aborted", f"{bundle.bundle}: incomplete, yet {bundle.status}"
            assert bundle.bundle in unfinished, f"{bundle.bundle}: in no ledger"
    return report


def check_sequence(folder: Path, truth: Truth) -> None:
    """What a sealed bundle tells is what happened, or less; never more."""
    run = json.loads((folder / "run.json").read_bytes())
    assert run["status"] in STATUSES
    assert run["reason"].isprintable()
    assert run["reason"]
    assert not truth.signed or (folder / SIGNATURE).is_file(), "sealed without a signature"
    faults = [*_of_snapshots(run, truth), *_of_window(run, truth), *_of_status(run, folder, truth)]
    assert not faults, f"{run['status']} ({run['reason']}): {faults}"


def _of_snapshots(run: dict[str, Any], truth: Truth) -> Iterator[str]:
    """Each is one that was sent, stamped no earlier than that, and accepted only within."""
    origin_ns = int(run["window"]["origin_monotonic_ns"])
    sent = [item for item in truth.history.sent if item["sound"] and item["size"] <= 4096]
    if len(run["snapshots"]) > len(sent):
        yield f"{len(run['snapshots'])} snapshots, {len(sent)} were sent"
        return
    for snapshot, real in zip(run["snapshots"], sent, strict=False):
        where = f"snapshot {snapshot['index']}"
        sent_ns = real["t_ns"] - origin_ns
        if snapshot["stamp_ns"] < sent_ns:
            yield f"{where}: stamped before it was sent"
        if snapshot["size_bytes"] != real["size"]:
            yield f"{where}: another size"
        if snapshot["accepted"]:
            yield from (f"{where}: accepted, and {text}" for text in _outside(sent_ns, run))


def _outside(sent_ns: int, run: dict[str, Any]) -> Iterator[str]:
    """Why a snapshot that was really sent at that moment cannot count."""
    gun_ns, end_ns = run["window"]["gun_ns"], run["window"]["end_ns"]
    if gun_ns is None or sent_ns < gun_ns:
        yield "sent before the start signal"
    elif sent_ns > gun_ns + BUDGET_S * NS_PER_S + 1_000_000:
        yield "sent after the budget"
    if end_ns is not None and sent_ns > end_ns:
        yield "sent after the end"


def _of_window(run: dict[str, Any], truth: Truth) -> Iterator[str]:
    """The window opens before the submission has data and closes after its last death."""
    origin_ns = int(run["window"]["origin_monotonic_ns"])
    gun_ns, end_ns = run["window"]["gun_ns"], run["window"]["end_ns"]
    go_ns, death_ns = truth.history.go_ns, truth.history.death_ns
    if go_ns is not None and (gun_ns is None or gun_ns > go_ns - origin_ns):
        yield "the start signal was stamped after the data were there"
    if end_ns is not None and (death_ns is None or end_ns < death_ns - origin_ns):
        yield "the end was stamped before the last death"


def _passing(run: dict[str, Any], folder: Path, truth: Truth) -> dict[str, Any] | None:
    """The snapshot that counts, if it really passes."""
    path = folder / "eval.json"
    if not path.is_file():
        return None
    valued = {load["snapshot"]: load["value"] for load in json.loads(path.read_bytes())["values"]}
    accepted = [item for item in run["snapshots"] if item["accepted"]]
    if truth.rule == "final":
        accepted = accepted[-1:]
    sent = [item for item in truth.history.sent if item["sound"] and item["size"] <= 4096]
    for snapshot in accepted:
        reported, quality = valued.get(snapshot["index"]), sent[snapshot["index"]]["quality"]
        if reported is not None and reported >= TARGET:
            real = not math.isnan(quality) and quality + 0.5 / 40 >= TARGET
            return snapshot if real else None
    return None


def _of_status(run: dict[str, Any], folder: Path, truth: Truth) -> Iterator[str]:
    """The verdict is one that the truth allows."""
    status, honest = run["status"], truth.honest
    sound = honest and truth.faithful and not truth.broken_meter
    passing = _passing(run, folder, truth)
    unread = truth.metered and run["sampler"] is None
    ended = run["window"]["ended_by"]
    wrong = {
        "ok without a snapshot that counts and passes": status == "ok" and passing is None,
        "ok with a meter that broke": status == "ok" and truth.broken_meter,
        "ok with a meter and without its report": status == "ok" and unread,
        "an honest submission is blamed": honest and status in BLAME and not truth.late,
        "nothing was wrong": sound and status != "ok",
        "an honest submission broke no protocol": honest and "broke the pro" in run["reason"],
        "judged without a snapshot": not truth.history.sent and status in JUDGED,
        "a violation was forgiven": ended == "violation" and status not in ("invalid", "aborted"),
        "stopped by its operator, and judged": _stopped(run, truth) and status != "aborted",
    }
    yield from (text for text, is_so in wrong.items() if is_so)


def _stopped(run: dict[str, Any], truth: Truth) -> bool:
    """Whether it was broken off before its snapshots were evaluated."""
    asked = any(text.startswith("interrupt") for text in truth.history.faults)
    return asked and bool(run["snapshots"]) and run["window"]["ended_by"] != "violation"


def check(results: Path, truth: Truth) -> None:
    """All of it, for the one run (and the next one) below a results folder."""
    check_rows(results, truth.history)
    check_verified(results)
