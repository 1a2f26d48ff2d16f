"""Scores of submissions: the runs of each on one workload and machine, under one ruleset."""

import gc
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from harness.bundle import Bundle, BundleError, find_bundles
from harness.ledger import LedgerError, read_ledger, results_folder
from harness.records import Finding, LedgerRow, Ruleset, Score, TrialOf
from harness.score.group import Group, score_of
from harness.score.reference import attach_reference_runs
from harness.score.run.cache import ScoreCache, files_state
from harness.score.run.cost import ScoredRun, score_bundle
from harness.score.tuning import tuning_text

Key = tuple[str, ...]


@contextmanager
def gc_paused() -> Iterator[None]:
    """Pause the cyclic garbage collector, and restore its state whatever happens.

    Records have no cycles, but each collection visits all of them: a fifth of the time that scoring
    ten thousand runs takes.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class Attempt(NamedTuple):
    """One scored run and the rules it was scored under."""

    run: ScoredRun
    ruleset: Ruleset


class Scores(NamedTuple):
    """What a folder of results gives."""

    scores: list[Score]
    findings: list[Finding]
    """About files and runs that are in no score."""


def _label(ruleset: Ruleset) -> str:
    """A ruleset's name with the constants that were changed by hand."""
    changed = "; ".join(f"{key}={value}" for key, value in sorted(ruleset.overrides.items()))
    return f"{ruleset.name} ({changed})" if changed else ruleset.name


def _attempt(
    folder: Path, ruleset: Ruleset | None, results: Path, cache: ScoreCache | None
) -> Attempt:
    """Score one bundle, or take its score from the cache.

    Raises:
        BundleError: a file is not readable, or differs from the manifest.
    """
    bundle = Bundle(folder, checked=True)
    state = files_state(folder) if cache else ""
    if cache and (known := cache.get(folder, state, bundle.manifest_sha256)):
        return Attempt(*known)
    rules = ruleset or bundle.ruleset
    attempt = Attempt(score_bundle(bundle, rules, results), rules)
    if cache:
        cache.put(folder, state, *attempt)
    return attempt


def read_attempts(
    results: Path, ruleset: Ruleset | None, cache: ScoreCache | None = None
) -> tuple[list[Attempt], list[Finding]]:
    """Score every bundle below a folder; those that cannot be read become findings.

    A bundle that lies there twice counts once.
    """
    attempts: dict[str, Attempt] = {}
    findings: list[Finding] = []
    for folder in find_bundles(results):
        try:
            attempt = _attempt(folder, ruleset, results, cache)
        except BundleError as error:
            finding = Finding(
                rule="bundle-unreadable",
                level="fail",
                message=f"{folder.name} is left out: {error}",
                advice="run verify on it; restore the bundle from a copy",
            )
            findings.append(finding)
            continue
        score = attempt.run.score
        known = attempts.setdefault(score.manifest_sha256, attempt)
        if known is not attempt:
            message = f"{score.bundle} is a copy of {known.run.score.bundle} and counts once"
            findings.append(Finding(rule="bundle-copied", level="warn", message=message))
    return list(attempts.values()), findings


def lost_runs(results: Path, known: set[str]) -> tuple[dict[Key, list[LedgerRow]], list[Finding]]:
    """Runs that a ledger says were started and of which no readable bundle is there.

    Args:
        results: Folder with `ledgers/`.
        known: Ids of the runs whose bundles were read.

    Returns:
        Rows by (workload, submission, its sha256, machine), and what is wrong with ledgers.
    """
    lost: dict[Key, list[LedgerRow]] = defaultdict(list)
    findings: list[Finding] = []
    listed: set[str] = set()
    whole = results_folder(results)
    is_whole = whole.resolve() == results.resolve()
    for path in sorted((whole / "ledgers").glob("*.jsonl")):
        try:
            rows = read_ledger(path)
        except (LedgerError, OSError) as error:
            findings.append(Finding(rule="ledger-damaged", level="fail", message=str(error)))
            continue
        listed |= {row.run_id for row in rows}
        # A part of the results says nothing about the runs of other parts.
        for row in rows if is_whole else ():
            if row.kind == "started" and row.run_id not in known:
                key = (row.workload, row.submission, row.submission_sha256, path.stem)
                lost[key].append(row)
    unlisted = len(known - listed)
    if unlisted and not findings:
        count = f"{unlisted} run{'s are' if unlisted > 1 else ' is'}"
        message = f"{count} in no ledger of {results}, so runs may have been left out"
        advice = "restore the folder `ledgers`; `joulemark verify` names the runs"
        findings.append(Finding(rule="ledger-rows", level="warn", message=message, advice=advice))
    return dict(lost), findings


def _identity(attempt: Attempt) -> Key:
    run = attempt.run
    return (run.workload.name, run.submission.name, run.submission.sha256, run.machine)


def _labels(rulesets: Iterable[Ruleset]) -> dict[int, str]:
    """The label of each ruleset object by its id; equal labels of different rules get a hash."""
    known = {id(ruleset): ruleset for ruleset in rulesets}
    contents = {
        key: hashlib.sha256(ruleset.model_dump_json().encode()).hexdigest()
        for key, ruleset in known.items()
    }
    by_label: dict[str, set[str]] = defaultdict(set)
    for key, ruleset in known.items():
        by_label[_label(ruleset)].add(contents[key])
    labels = {key: _label(ruleset) for key, ruleset in known.items()}
    return {
        key: f"{label} #{contents[key][:6]}" if len(by_label[label]) > 1 else label
        for key, label in labels.items()
    }


def tuned_label(label: str, trial: TrialOf | None) -> str:
    """A ruleset's label with how the entry was tuned: entries tuned otherwise rank apart."""
    how = tuning_text(trial)
    return f"{label} ({how})" if how else label


def groups(attempts: Sequence[Attempt], lost: Mapping[Key, list[LedgerRow]]) -> Iterator[Group]:
    """Runs of one submission on one workload version and machine under one ruleset.

    A lost run counts in every group that it may belong to, since its ruleset is unknown.
    """
    labels = _labels(attempt.ruleset for attempt in attempts)
    members: dict[Key, list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        run = attempt.run
        label = tuned_label(labels[id(attempt.ruleset)], run.score.trial)
        members[(*_identity(attempt), run.workload.version, label)].append(attempt)
    for key, group in sorted(members.items()):
        runs = sorted((attempt.run for attempt in group), key=lambda run: run.score.run_id)
        yield Group(tuple(runs), group[0].ruleset, key[-1], tuple(lost.get(key[:4], ())))


def _orphans(lost: Mapping[Key, list[LedgerRow]], attempts: Sequence[Attempt]) -> list[Finding]:
    """Lost runs of submissions that have no bundle at all."""
    known = {_identity(attempt) for attempt in attempts}
    return [
        Finding(
            rule="ledger-lost",
            level="warn",
            message=f"{key[1]} on {key[0]} ({key[3]}): {len(rows)} runs were started and left no "
            "bundle",
        )
        for key, rows in sorted(lost.items())
        if key not in known
    ]


@gc_paused()
def score_all(results: Path, ruleset: Ruleset | None = None, *, kept: bool = False) -> Scores:
    """Score a folder of results, with findings about what could not be scored.

    Args:
        results: Folder of bundles, or one bundle.
        ruleset: Rules to apply; None scores each run under the rules it ran under.
        kept: Whether scores may come from the cache; awards always read the bundles again.
    """
    cache = ScoreCache(results, ruleset) if kept else None
    attempts, findings = read_attempts(results, ruleset, cache)
    if cache is not None:
        cache.save()
    lost, faults = lost_runs(results, {attempt.run.score.run_id for attempt in attempts})
    scores = [score_of(group) for group in groups(attempts, lost)]
    findings += [*faults, *_orphans(lost, attempts)]
    return Scores(attach_reference_runs(scores), findings)


def score_results(results: Path, ruleset: Ruleset | None = None) -> list[Score]:
    """The scores of `score_all`, sorted by workload, submission and machine."""
    return score_all(results, ruleset).scores
