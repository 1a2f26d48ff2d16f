"""Scores imported records under rulesets with a section `imported`.

The section names a format; the `score` function of that format's plug-in computes scores and
standings from the records alone. Such records are shown next to ours and never compete for a prize.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

from harness.bundle import find_bundles
from harness.formats.format import Format, Outcome, make_finding
from harness.formats.store import FOLDER, read_runs, records_files
from harness.records import (
    Finding,
    ImportedRules,
    ImportedRun,
    ImportedScoreDocument,
    Ruleset,
)
from harness.registry import Plugin, discover, find
from harness.rules.load import RulesetError, load_ruleset, rulesets_for


def imported_rules(ruleset: Ruleset) -> ImportedRules:
    """The section `imported` of a ruleset.

    Raises:
        ValueError: the ruleset has no such section.
    """
    if ruleset.imported is None:
        raise ValueError(f"ruleset {ruleset.name} scores bundles, not imported records")
    return ruleset.imported


def scores_imports(results: Path, ruleset: Ruleset) -> bool:
    """Whether a ruleset scores what was imported into a folder rather than the folder's bundles.

    Some rulesets are for both, as those of a contest that publishes logs: they score the bundles
    where there are any, else the imported records.
    """
    if ruleset.imported is None or not ruleset.checks:
        return ruleset.imported is not None
    files = records_files(results, ruleset.imported.source_format)
    return bool(files) and not find_bundles(results)


def score_imported(results: Path, ruleset: Ruleset) -> ImportedScoreDocument:
    """Score what was imported into a results folder.

    Args:
        results: Folder with `imported/<format>/*.jsonl` below, or that folder itself.
        ruleset: Rules with a section `imported`.

    Raises:
        ValueError: the ruleset has no such section, or one of its constants cannot be read.
    """
    rules = imported_rules(ruleset)
    plugin = cast("Format", find("formats", rules.source_format).value)
    if plugin.score is None:
        raise ValueError(f"ruleset {ruleset.name}: format {plugin.name} has no scorer")
    runs, findings = read_runs(results, rules.source_format)
    outcome = (
        plugin.score(runs, ruleset) if runs else Outcome((), (), (_nothing(results, plugin.name),))
    )
    return ImportedScoreDocument(
        ruleset=ruleset.name,
        as_shipped=rules.as_shipped,
        scores=outcome.scores,
        leaderboard=outcome.leaderboard,
        findings=(*findings, *outcome.findings, *_import_findings(runs)),
    )


def left_unscored(results: Path) -> list[Finding]:
    """Findings about imported records in a results folder, which rules for bundles do not score."""
    findings = []
    for folder in sorted(path for path in (results / FOLDER).glob("*") if path.is_dir()):
        count = sum(_count_lines(file) for file in folder.glob("*.jsonl"))
        if count:
            rulesets = rulesets_for(folder.name)
            message = (
                f"{count} imported runs of format {folder.name} are not scored here: they are "
                f"scored by {' or '.join(rulesets) or 'a ruleset of your own'}"
            )
            first = rulesets[0] if rulesets else "FILE.toml"
            place = folder if _scores_bundles(first) else results
            advice = f"joulemark score {place} --ruleset {first}"
            findings.append(make_finding("imported-unscored", message, "info", advice))
    return findings


def _scores_bundles(ruleset: str) -> bool:
    """Whether a ruleset would score bundles of a folder rather than what was imported into it."""
    try:
        return bool(load_ruleset(ruleset).checks)
    except ValueError:
        return False


def _count_lines(file: Path) -> int:
    try:
        return file.read_bytes().count(b"\n")
    except OSError:
        return 0


def _import_findings(runs: list[ImportedRun]) -> Iterator[Finding]:
    """What the importer found about single records: one finding a rule, with the first case."""
    by_rule: dict[str, list[Finding]] = {}
    for run in runs:
        for finding in {finding.rule: finding for finding in reversed(run.findings)}.values():
            by_rule.setdefault(finding.rule, []).append(finding)
    for rule, findings in sorted(by_rule.items()):
        first = findings[0]
        message = f"{len(findings)} of {len(runs)} records: {first.message}"
        yield make_finding(rule, message, first.level, first.advice)


def _nothing(results: Path, name: str) -> Finding:
    message = f"{results}: no imported records of format {name}"
    advice = f"joulemark import {name} PATH --results {results}"
    return make_finding("imported-nothing", message, advice=advice)


def formats_below(results: Path) -> set[str]:
    """Formats that something was imported from."""
    return {path.parent.name for path in (results / FOLDER).glob("*/*.jsonl")}


def rules_for(formats: set[str]) -> list[Ruleset]:
    """Every listed ruleset that scores records of these formats, by name."""
    rulesets = []
    for plugin in discover("rulesets") if formats else ():
        if isinstance(plugin, Plugin):
            try:
                rules = load_ruleset(plugin.name)
            except RulesetError:
                continue  # `joulemark list rulesets` shows what is wrong with it
            if rules.imported is not None and rules.imported.source_format in formats:
                rulesets.append(rules)
    return sorted(rulesets, key=lambda rules: rules.name)


def imported_documents(results: Path) -> list[tuple[Ruleset, ImportedScoreDocument]]:
    """Scores under every ruleset that scores something that was imported into a folder."""
    rulesets = rules_for(formats_below(results))
    documents = [(rules, score_imported(results, rules)) for rules in rulesets]
    return [(rules, document) for rules, document in documents if document.scores]
