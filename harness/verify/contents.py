"""Checks of the records: they are valid, and they agree with each other."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise

from harness.records import Snapshot
from harness.verify.disk import Unreadable
from harness.verify.reader import SNAPSHOTS, TRACE, BundleReader
from harness.verify.report import Problem, SkipCheck

SESSION_BITS, INSTANCE_BITS = 31, 53
"""A session seed fits the argument of every generator, an instance seed a number in JSON."""

REACHED_THE_JUDGE = ("ok", "target_missed")
"""Statuses that require an evaluation."""


def records(bundle: BundleReader) -> Iterator[Problem]:
    """Every record is valid."""
    reads: list[Callable[[], object]] = [
        lambda: bundle.run,
        lambda: bundle.machine,
        lambda: bundle.ruleset,
        lambda: bundle.events,
    ]
    if bundle.has("eval.json"):
        reads.append(lambda: bundle.evaluation)
    for read in reads:
        try:
            read()
        except Unreadable as error:
            yield Problem(error.file, str(error))


def identity(bundle: BundleReader) -> Iterator[Problem]:
    """Folder, manifest and run.json name one run with one status."""
    run, manifest = bundle.run, bundle.manifest
    name = bundle.folder.resolve().name
    if run.id != name:
        yield Problem("run.json", f"run {run.id} is in a folder named {name!a}")
    if manifest.run_id != run.id:
        yield Problem("manifest.json", f"seals run {manifest.run_id}, run.json says {run.id}")
    if manifest.status != run.status:
        yield Problem("manifest.json", f"status {manifest.status}, run.json says {run.status}")


def machine_and_rules(bundle: BundleReader) -> Iterator[Problem]:
    """machine.json and ruleset.toml are those that run.json names."""
    run = bundle.run
    if bundle.machine.name != run.machine:
        yield Problem("machine.json", f"machine {bundle.machine.name}, run.json says {run.machine}")
    if bundle.ruleset.name != run.ruleset:
        yield Problem("ruleset.toml", f"ruleset {bundle.ruleset.name}, run.json says {run.ruleset}")
    if bundle.ruleset.run.snapshot_rule != run.snapshot_rule:
        yield Problem("ruleset.toml", f"counts snapshots by another rule than {run.snapshot_rule}")


def event_order(bundle: BundleReader) -> Iterator[Problem]:
    """Events are numbered from 0 without a gap, and their times never decrease."""
    before_ns = None
    for position, event in enumerate(bundle.events):
        where = f"events.jsonl:{position + 1}"
        if event.seq != position:
            yield Problem(where, f"event {event.seq} instead of {position}")
        if before_ns is not None and event.t_ns < before_ns:
            yield Problem(where, f"goes back in time, from {before_ns} to {event.t_ns} ns")
        before_ns = event.t_ns


def window(bundle: BundleReader) -> Iterator[Problem]:
    """Launch, start signal and end are in this order, and their events have the same times.

    The event of the start signal may be missing if the harness failed, as on a full disk.
    """
    run_window = bundle.run.window
    named = {"launch": run_window.launch_ns, "gun": run_window.gun_ns, "end": run_window.end_ns}
    stamps = [(name, stamp) for name, stamp in named.items() if stamp is not None]
    for (early, early_ns), (late, late_ns) in pairwise(stamps):
        if late_ns < early_ns:
            yield Problem("run.json", f"{late} ({late_ns} ns) comes before {early} ({early_ns} ns)")
    for name, stamp in stamps:
        times_ns = [event.t_ns for event in bundle.events if event.kind == name]
        if times_ns and times_ns != [stamp]:
            yield Problem("events.jsonl", f"{name} at {times_ns} ns, run.json says {stamp}")
        if not times_ns and name == "gun" and run_window.ended_by != "fault":
            yield Problem("events.jsonl", "has no event `gun`, run.json has a start signal")


def snapshots(bundle: BundleReader) -> Iterator[Problem]:
    """Snapshots are numbered, in order, in the run window, and each has its event."""
    run = bundle.run
    for position, snapshot in enumerate(run.snapshots):
        if snapshot.index != position:
            yield Problem("run.json", f"snapshot {snapshot.index} instead of {position}")
        if snapshot.accepted == bool(snapshot.refused):
            yield Problem("run.json", f"snapshot {position}: accepted and refused, or neither")
        yield from _out_of_window(snapshot, run.window.gun_ns, run.window.end_ns)
    times_ns = [event.t_ns for event in bundle.events if event.kind == "snapshot"]
    stamps = [snapshot.stamp_ns for snapshot in run.snapshots]
    if times_ns != stamps:
        text = f"{len(times_ns)} snapshots, run.json has {len(stamps)}"
        same_count = len(times_ns) == len(stamps)
        yield Problem("events.jsonl", "other snapshot times" if same_count else text)


def _out_of_window(snapshot: Snapshot, gun_ns: int | None, end_ns: int | None) -> Iterator[Problem]:
    """A stamp after the end is allowed only if the kernel saw the message sent before the end."""
    sent_ns = snapshot.stamp_ns if snapshot.kernel_ns is None else snapshot.kernel_ns
    early = gun_ns is None or snapshot.stamp_ns < gun_ns
    late = end_ns is not None and min(sent_ns, snapshot.stamp_ns) > end_ns
    if snapshot.accepted and (early or late):
        yield Problem("run.json", f"snapshot {snapshot.index} was accepted outside the run window")


def kept_snapshots(bundle: BundleReader) -> Iterator[Problem]:
    """The files in `snapshots/` are the kept snapshots, byte for byte."""
    expected = Counter(
        (snapshot.size_bytes, snapshot.sha256) for snapshot in bundle.run.snapshots if snapshot.kept
    )
    for path in bundle.files_in(SNAPSHOTS):
        size_bytes, sha256 = bundle.fingerprint(path)
        if expected[size_bytes, sha256] == 0:
            yield Problem(path, "is not a snapshot that run.json states as kept")
        expected[size_bytes, sha256] -= 1
    missing = sum(count for count in expected.values() if count > 0)
    if missing:
        yield Problem(SNAPSHOTS, f"{missing} of the kept snapshots are missing")


def evaluation(bundle: BundleReader) -> Iterator[Problem]:
    """The judge evaluated only accepted snapshots, each once, by the metric of the workload."""
    run = bundle.run
    if not bundle.has("eval.json"):
        if run.status in REACHED_THE_JUDGE:
            yield Problem("eval.json", f"is missing, though the run's status is {run.status}")
            return
        raise SkipCheck(f"the run ended as {run.status}, before the evaluation")
    result = bundle.evaluation
    if result.metric != run.workload.metric:
        yield Problem("eval.json", f"metric {result.metric}, run.json says {run.workload.metric}")
    if result.examples != run.workload.test_examples:
        yield Problem("eval.json", f"{result.examples} examples, not {run.workload.test_examples}")
    values_count = Counter(value.snapshot for value in result.values)
    accepted = {snapshot.index for snapshot in run.snapshots if snapshot.accepted}
    for index, count in sorted(values_count.items()):
        if index not in accepted or count > 1:
            text = "has two values" if index in accepted else "has a value and was not accepted"
            yield Problem("eval.json", f"snapshot {index} {text}")


def trace(bundle: BundleReader) -> Iterator[Problem]:
    """Readings are well formed, of known domains, in order, and as many as the sampler wrote."""
    sampler = bundle.run.sampler
    if not bundle.has(TRACE):
        if sampler is not None and sampler.readings_count:
            yield Problem(TRACE, f"is missing; the sampler wrote {sampler.readings_count} readings")
            return
        raise SkipCheck("the run read no meter")
    try:
        checker = bundle.trace
    except Unreadable as error:  # no other check reads this file
        yield Problem(error.file, str(error))
        return
    for text in checker.errors:
        yield Problem(TRACE, text)
    for name in sorted(set(checker.rows) - {domain.name for domain in bundle.run.domains}):
        yield Problem(TRACE, f"domain {name!a} is not in run.json")
    rows_count = sum(checker.rows.values())
    if sampler is not None and rows_count != sampler.readings_count:
        yield Problem(TRACE, f"{rows_count} readings, the sampler wrote {sampler.readings_count}")


def domains(bundle: BundleReader) -> Iterator[Problem]:
    """Domains have unique names and existing parents, and no domain contains itself."""
    parents = {domain.name: domain.parents for domain in bundle.run.domains}
    if len(parents) != len(bundle.run.domains):
        yield Problem("run.json", "two domains have the same name")
    for name, above in parents.items():
        for parent in above:
            if parent not in parents or parent == name or name in parents[parent]:
                yield Problem("run.json", f"domain {name}: parent {parent} is unknown or a child")


def derive(secret: bytes, index: int, purpose: str, bits: int) -> int:
    """Derive a seed: the leading bits of SHA-256 over `secret|index|purpose`."""
    digest = hashlib.sha256(secret + f"|{index}|{purpose}".encode()).digest()
    return int.from_bytes(digest, "big") >> (8 * len(digest) - bits)


def seeds(bundle: BundleReader) -> Iterator[Problem]:
    """The secret has the hash that was published before the run, and the seeds follow from it."""
    pair = bundle.run.seeds
    try:
        secret = bytes.fromhex(pair.secret)
    except ValueError:
        yield Problem("run.json", "seeds.secret is not hexadecimal")
        return
    if hashlib.sha256(secret).hexdigest() != pair.commitment:
        yield Problem("run.json", "seeds.commitment is not the SHA-256 of seeds.secret")
    if derive(secret, pair.index, "instance", INSTANCE_BITS) != pair.instance:
        yield Problem("run.json", "seeds.instance does not follow from seeds.secret")
    drawn = derive(secret, pair.index, "session", SESSION_BITS)
    if pair.source == "harness" and drawn != pair.session:
        yield Problem("run.json", "seeds.session does not follow from seeds.secret: it was chosen")
