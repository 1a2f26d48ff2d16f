"""Checks of the records: valid each by itself, and telling one and the same story."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise

from harness.records import Snapshot
from harness.verify.disk import Unreadable
from harness.verify.reader import SNAPSHOTS, TRACE, BundleReader
from harness.verify.report import Problem, SkipCheck

SESSION_BITS, INSTANCE_BITS = 31, 53
"""A session seed fits into every generator's argument, an instance seed into JSON's numbers."""

REACHED_THE_JUDGE = ("ok", "target_missed")
"""Statuses that nobody can have without an evaluation."""


def records(bundle: BundleReader) -> Iterator[Problem]:
    """Each record is valid by its own rules."""
    looks: list[Callable[[], object]] = [
        lambda: bundle.run,
        lambda: bundle.machine,
        lambda: bundle.ruleset,
        lambda: bundle.events,
    ]
    if bundle.has("eval.json"):
        looks.append(lambda: bundle.evaluation)
    for look in looks:
        try:
            look()
        except Unreadable as error:
            yield Problem(error.file, str(error))


def identity(bundle: BundleReader) -> Iterator[Problem]:
    """Folder, manifest and run.json name one run with one status."""
    run, manifest = bundle.run, bundle.manifest
    name = bundle.folder.resolve().name
    if run.id != name:
        yield Problem("run.json", f"run {run.id} lies in a folder named {name!a}")
    if manifest.run_id != run.id:
        yield Problem("manifest.json", f"seals run {manifest.run_id}, run.json says {run.id}")
    if manifest.status != run.status:
        yield Problem("manifest.json", f"status {manifest.status}, run.json says {run.status}")


def parties(bundle: BundleReader) -> Iterator[Problem]:
    """machine.json and ruleset.toml are those that run.json names."""
    run = bundle.run
    if bundle.machine.name != run.machine:
        yield Problem("machine.json", f"machine {bundle.machine.name}, run.json says {run.machine}")
    if bundle.ruleset.name != run.ruleset:
        yield Problem("ruleset.toml", f"ruleset {bundle.ruleset.name}, run.json says {run.ruleset}")
    if bundle.ruleset.run.snapshot_rule != run.snapshot_rule:
        yield Problem("ruleset.toml", f"counts snapshots by another rule than {run.snapshot_rule}")


def event_order(bundle: BundleReader) -> Iterator[Problem]:
    """Events are numbered from 0 without a gap and never go back in time."""
    before_ns = None
    for position, event in enumerate(bundle.events):
        where = f"events.jsonl:{position + 1}"
        if event.seq != position:
            yield Problem(where, f"event {event.seq} where {position} should be")
        if before_ns is not None and event.t_ns < before_ns:
            yield Problem(where, f"goes back in time, from {before_ns} to {event.t_ns} ns")
        before_ns = event.t_ns


def window(bundle: BundleReader) -> Iterator[Problem]:
    """Launch, gun and end follow one another, and the events say the same.

    A run that ended by a fault of the harness (a full disk) may lack the event.
    """
    seen = bundle.run.window
    named = {"launch": seen.launch_ns, "gun": seen.gun_ns, "end": seen.end_ns}
    stamps = [(name, stamp) for name, stamp in named.items() if stamp is not None]
    for (early, early_ns), (late, late_ns) in pairwise(stamps):
        if late_ns < early_ns:
            yield Problem("run.json", f"{late} ({late_ns} ns) comes before {early} ({early_ns} ns)")
    for name, stamp in stamps:
        told = [event.t_ns for event in bundle.events if event.kind == name]
        if told and told != [stamp]:
            yield Problem("events.jsonl", f"{name} at {told} ns, run.json says {stamp}")
        if not told and name == "gun" and seen.ended_by != "fault":
            yield Problem("events.jsonl", "has no gun, run.json has one")


def snapshots(bundle: BundleReader) -> Iterator[Problem]:
    """Snapshots are numbered, in order, inside the window, and each has its event."""
    run = bundle.run
    for position, snapshot in enumerate(run.snapshots):
        if snapshot.index != position:
            yield Problem("run.json", f"snapshot {snapshot.index} where {position} should be")
        if snapshot.accepted == bool(snapshot.refused):
            yield Problem("run.json", f"snapshot {position}: accepted and refused, or neither")
        yield from _out_of_window(snapshot, run.window.gun_ns, run.window.end_ns)
    told = [event.t_ns for event in bundle.events if event.kind == "snapshot"]
    stamps = [snapshot.stamp_ns for snapshot in run.snapshots]
    if told != stamps:
        text = f"{len(told)} snapshots, run.json has {len(stamps)}"
        yield Problem("events.jsonl", text if len(told) != len(stamps) else "other snapshot stamps")


def _out_of_window(snapshot: Snapshot, gun_ns: int | None, end_ns: int | None) -> Iterator[Problem]:
    """A stamp after the end passes only where the kernel saw the message sent before."""
    sent_ns = snapshot.stamp_ns if snapshot.kernel_ns is None else snapshot.kernel_ns
    early = gun_ns is None or snapshot.stamp_ns < gun_ns
    late = end_ns is not None and min(sent_ns, snapshot.stamp_ns) > end_ns
    if snapshot.accepted and (early or late):
        yield Problem("run.json", f"snapshot {snapshot.index} was accepted outside the run window")


def kept(bundle: BundleReader) -> Iterator[Problem]:
    """The files in `snapshots/` are the kept snapshots, byte for byte."""
    promised = Counter(
        (snapshot.size_bytes, snapshot.sha256) for snapshot in bundle.run.snapshots if snapshot.kept
    )
    for path in bundle.below(SNAPSHOTS):
        size_bytes, sha256 = bundle.fingerprint(path)
        if promised[size_bytes, sha256] == 0:
            yield Problem(path, "is no snapshot that run.json says was kept")
        promised[size_bytes, sha256] -= 1
    missing = sum(count for count in promised.values() if count > 0)
    if missing:
        yield Problem(SNAPSHOTS, f"{missing} of the kept snapshots are missing")


def evaluation(bundle: BundleReader) -> Iterator[Problem]:
    """The judge valued accepted snapshots only, each once, by the workload's metric."""
    run = bundle.run
    if not bundle.has("eval.json"):
        if run.status in REACHED_THE_JUDGE:
            yield Problem("eval.json", f"is missing, though the run's status is {run.status}")
            return
        raise SkipCheck(f"the run ended as {run.status}, before the judge")
    judged = bundle.evaluation
    if judged.metric != run.workload.metric:
        yield Problem("eval.json", f"metric {judged.metric}, run.json says {run.workload.metric}")
    if judged.examples != run.workload.test_examples:
        yield Problem("eval.json", f"{judged.examples} examples, not {run.workload.test_examples}")
    valued = Counter(value.snapshot for value in judged.values)
    accepted = {snapshot.index for snapshot in run.snapshots if snapshot.accepted}
    for index, count in sorted(valued.items()):
        if index not in accepted or count > 1:
            text = "valued twice" if index in accepted else "valued and was never accepted"
            yield Problem("eval.json", f"snapshot {index} is {text}")


def trace(bundle: BundleReader) -> Iterator[Problem]:
    """Readings are well formed, of known domains, in order, and as many as the sampler wrote."""
    sampler = bundle.run.sampler
    if not bundle.has(TRACE):
        if sampler is not None and sampler.readings_count:
            yield Problem(TRACE, f"is missing; the sampler wrote {sampler.readings_count} readings")
            return
        raise SkipCheck("the run read no meter")
    try:
        facts = bundle.trace
    except Unreadable as error:  # no other check looks into it
        yield Problem(error.file, str(error))
        return
    for text in facts.faults:
        yield Problem(TRACE, text)
    for name in sorted(set(facts.rows) - {domain.name for domain in bundle.run.domains}):
        yield Problem(TRACE, f"domain {name!a} is not in run.json")
    rows_count = sum(facts.rows.values())
    if sampler is not None and rows_count != sampler.readings_count:
        yield Problem(TRACE, f"{rows_count} readings, the sampler wrote {sampler.readings_count}")


def domains(bundle: BundleReader) -> Iterator[Problem]:
    """Domains have names of their own and parents that exist; no domain contains itself."""
    parents = {domain.name: domain.parents for domain in bundle.run.domains}
    if len(parents) != len(bundle.run.domains):
        yield Problem("run.json", "two domains share a name")
    for name, above in parents.items():
        for parent in above:
            if parent not in parents or parent == name or name in parents[parent]:
                yield Problem("run.json", f"domain {name}: parent {parent} is unknown or a child")


def derived(secret: bytes, index: int, purpose: str, bits: int) -> int:
    """The leading bits of SHA-256 over `secret|index|purpose`, as an integer."""
    digest = hashlib.sha256(secret + f"|{index}|{purpose}".encode()).digest()
    return int.from_bytes(digest, "big") >> (8 * len(digest) - bits)


def seeds(bundle: BundleReader) -> Iterator[Problem]:
    """The secret is the one that was committed to before the run, and the seeds follow from it."""
    pair = bundle.run.seeds
    try:
        secret = bytes.fromhex(pair.secret)
    except ValueError:
        yield Problem("run.json", "seeds.secret is not hexadecimal")
        return
    if hashlib.sha256(secret).hexdigest() != pair.commitment:
        yield Problem("run.json", "seeds.commitment is not the SHA-256 of seeds.secret")
    if derived(secret, pair.index, "instance", INSTANCE_BITS) != pair.instance:
        yield Problem("run.json", "seeds.instance does not follow from seeds.secret")
    drawn = derived(secret, pair.index, "session", SESSION_BITS)
    if pair.source == "harness" and drawn != pair.session:
        yield Problem("run.json", "seeds.session does not follow from seeds.secret: it was chosen")
