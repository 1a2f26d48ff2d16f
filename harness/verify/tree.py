"""Checks one bundle's folder, or a whole results tree with its ledgers."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from harness.verify import contents, seals
from harness.verify import ledger as ledger_checks
from harness.verify.archive import is_archive, stem, unpack
from harness.verify.disk import DiskEntry, Unreadable, exists, read, walk
from harness.verify.ledger import FOREIGN, LedgerReader
from harness.verify.reader import MANIFEST, BundleReader
from harness.verify.report import (
    BundleReport,
    CheckResult,
    LedgerReport,
    NothingToVerify,
    Problem,
    Report,
    SkipCheck,
    run_check,
)
from harness.verify.signature import PublicKey, signed, signers

LEDGERS = "ledgers"
MARKS = (MANIFEST, "run.json", "events.jsonl")
"""A folder with one of these files is a bundle, complete or not."""

Rule = Callable[[BundleReader], Iterator[Problem]]

RULES: tuple[tuple[str, Rule], ...] = (
    ("manifest", seals.manifest),
    ("file-kinds", seals.kinds),
    ("file-names", seals.names),
    ("files-required", seals.required),
    ("files-unlisted", seals.unlisted),
    ("files-intact", seals.contents),
    ("records", contents.records),
    ("identity", contents.identity),
    ("machine-and-rules", contents.machine_and_rules),
    ("submission", seals.submission),
    ("seeds", contents.seeds),
    ("events", contents.event_order),
    ("window", contents.window),
    ("snapshots", contents.snapshots),
    ("snapshots-kept", contents.kept_snapshots),
    ("evaluation", contents.evaluation),
    ("domains", contents.domains),
    ("trace", contents.trace),
    ("harness", seals.harness),
)
"""The checks that need only the bundle, by name."""


def _skip_unreadable(rule: Rule, bundle: BundleReader) -> Iterator[Problem]:
    """Skip a check that needs a file which cannot be used; another check reports that file."""
    try:
        yield from rule(bundle)
    except Unreadable as error:
        raise SkipCheck(f"needs {error.file}, which cannot be used") from error


@dataclass(frozen=True)
class Context:
    """What a bundle is checked against besides itself."""

    place: str
    """Its folder below the results folder."""
    ledger: LedgerReader | None
    """The ledger of its machine."""
    key: PublicKey | None
    foreign: LedgerReader | None = None
    """The ledger of imported bundles."""
    missing: bool = False
    """Whether the results folder has no ledger of the bundle's machine."""


def _check_sealed(bundle: BundleReader, context: Context) -> BundleReport:
    place = context.place
    row = None if context.foreign is None else context.foreign.foreign(place)
    missing = context.missing and row is None
    # The ledger of an imported bundle is elsewhere; a machine here may have the same name.
    ledger = context.ledger if row is None else None
    rules: list[tuple[str, Rule]] = [
        *RULES,
        ("signature", partial(signed, key=context.key)),
        (
            "ledger-row",
            partial(ledger_checks.witnessed, ledger=ledger, place=place, missing=missing),
        ),
        ("previous-manifest", partial(ledger_checks.previous_manifest, ledger=ledger)),
    ]
    if row is not None:
        rules.append(("foreign-row", partial(ledger_checks.imported, row=row)))
    checks = [run_check(name, _skip_unreadable(rule, bundle)) for name, rule in rules]
    if context.key is not None:
        message = f"by {context.key.path}, key {context.key.name[:16]}"
        checks = [
            replace(check, message=message)
            if (check.rule, check.verdict) == ("signature", "pass")
            else check
            for check in checks
        ]
    readable = checks[0].verdict == "pass"
    return BundleReport(
        bundle=place,
        state="sealed",
        run_id=bundle.manifest.run_id if readable else bundle.folder.resolve().name,
        status=bundle.manifest.status if readable else "unknown",
        checks=tuple(checks),
        signers=signers(bundle),
    )


# --- bundles without a manifest -----------------------------------------------------------------


def _describe_remains(bundle: BundleReader) -> str:
    """What exists of a run that was cut off."""
    present = [name for name in MARKS[1:] if bundle.has(name)]
    if "events.jsonl" not in present:
        return f"no manifest; there is {', '.join(present) or 'nothing'}"
    data = read(bundle.folder, "events.jsonl")
    torn = "; the last line is torn" if data and not data.endswith(b"\n") else ""
    lines_count = data.count(b"\n")
    return f"no manifest; {lines_count} whole lines of events{torn}"


def _was_started(
    bundle: BundleReader, place: str, ledger: LedgerReader | None
) -> Iterator[Problem]:
    """The ledger has started a run without a manifest, and has not finished it."""
    started = [] if ledger is None else [row for row in ledger.started() if row.bundle == place]
    if not started:
        text = f"not a sealed bundle, and no ledger started it: {_describe_remains(bundle)}"
        yield Problem(MANIFEST, text)
    elif ledger is not None and ledger.finished(started[0].run_id) is not None:
        yield Problem(MANIFEST, "the ledger says that this run was sealed; its manifest is gone")


def _check_incomplete(bundle: BundleReader, context: Context) -> BundleReport:
    rule = partial(_was_started, place=context.place, ledger=context.ledger)
    check = run_check("sealed", _skip_unreadable(rule, bundle))
    if check.verdict == "pass":
        remains = _describe_remains(bundle)
        text = f"{remains}: the run continues, or was cut off and counts as failed"
        check = CheckResult("sealed", "skip", text)
    return BundleReport(
        bundle=context.place,
        state="incomplete",
        run_id=bundle.folder.resolve().name,
        status="aborted",
        checks=(check,),
    )


def _check_bundle(root: Path, context: Context) -> tuple[BundleReport, int]:
    """The report on a bundle, and the number of bytes that were hashed."""
    bundle = BundleReader(root / context.place)
    check = _check_sealed if bundle.has(MANIFEST) else _check_incomplete
    return check(bundle, context), bundle.bytes_count


# --- trees --------------------------------------------------------------------------------------


def _bundles_below(entries: list[DiskEntry]) -> list[str]:
    """Folders of bundles; one inside of another is part of a submission and not listed."""
    folders = {
        folder
        for folder, _, name in (entry.path.rpartition("/") for entry in entries)
        if name in MARKS and folder
    }
    outermost: list[str] = []
    for folder in sorted(folders, key=lambda folder: folder.split("/")):
        if not outermost or not f"{folder}/".startswith(f"{outermost[-1]}/"):
            outermost.append(folder)
    return outermost


def _loose_links(entries: list[DiskEntry], bundles: list[str]) -> Iterator[Problem]:
    """There are no links outside of bundles (a bundle reports its own)."""
    inside = tuple(f"{bundle}/" for bundle in bundles)
    for entry in entries:
        if entry.kind in ("link", "other") and not entry.path.startswith(inside):
            yield Problem(ascii(entry.path).strip("'"), "a link or special file; not followed")


def _results_folders(entries: list[DiskEntry], bundles: list[str]) -> list[str]:
    """Results folders in a tree, inner ones first: the root, and every one with ledgers.

    A ledger inside of a bundle is part of a submission and does not count.
    """
    inside = tuple(f"{bundle}/" for bundle in bundles)
    parents = {
        entry.path.rpartition("/")[0]
        for entry in entries
        if entry.kind == "file"
        and entry.path.endswith(".jsonl")
        and not entry.path.startswith(inside)
    }
    own = {parent.rpartition("/")[0] for parent in parents if parent.split("/")[-1] == LEDGERS}
    return sorted(own | {""}, key=lambda path: (-len(path.split("/")), not path, path))


def _check_tree(root: Path, entries: list[DiskEntry], key: PublicKey | None) -> Report:
    """Check all results folders below a path, each bundle against the nearest ledgers."""
    bundles = _bundles_below(entries)
    rest, reports = list(entries), []
    for folder in _results_folders(entries, bundles):
        prefix = f"{folder}/" if folder else ""
        own = [entry for entry in rest if entry.path.startswith(prefix)]
        rest = [entry for entry in rest if not entry.path.startswith(prefix)]
        named = [entry._replace(path=entry.path.removeprefix(prefix)) for entry in own]
        reports.append(_add_prefix(_check_results(root / folder, named, key), prefix))
    return Report(
        root=root,
        kind="tree",
        bundles=tuple(bundle for report in reports for bundle in report.bundles),
        ledgers=tuple(ledger for report in reports for ledger in report.ledgers),
        checks=(run_check("tree-links", _loose_links(entries, bundles)),),
        bytes_count=sum(report.bytes_count for report in reports),
    )


def _add_prefix(report: Report, prefix: str) -> Report:
    """Make all paths of a report relative to a folder further out."""
    return replace(
        report,
        bundles=tuple(
            replace(bundle, bundle=f"{prefix}{bundle.bundle}") for bundle in report.bundles
        ),
        ledgers=tuple(
            replace(
                ledger,
                ledger=f"{prefix}{ledger.ledger}",
                unfinished=tuple(f"{prefix}{place}" for place in ledger.unfinished),
            )
            for ledger in report.ledgers
        ),
    )


def _check_results(root: Path, entries: list[DiskEntry], key: PublicKey | None) -> Report:
    """Check one results folder."""
    ledgers = {
        Path(entry.path).stem: LedgerReader(root, entry.path)
        for entry in entries
        if entry.kind == "file"
        and entry.path.startswith(f"{LEDGERS}/")
        and entry.path.endswith(".jsonl")
    }
    reports = [ledger_checks.report_on(ledger) for ledger in ledgers.values()]
    usable = _usable(ledgers, reports)
    results = []
    for place in _bundles_below(entries):
        machine = Path(place).parent.name
        context = Context(
            place, usable.get(machine), key, usable.get(FOREIGN), missing=machine not in ledgers
        )
        results.append(_check_bundle(root, context))
    return Report(
        root=root,
        kind="tree",
        bundles=tuple(report for report, _ in results),
        ledgers=tuple(reports),
        bytes_count=sum(count for _, count in results),
    )


def _usable(
    ledgers: dict[str, LedgerReader], reports: list[LedgerReport]
) -> dict[str, LedgerReader]:
    """The ledgers that can be read, by name."""
    pairs = zip(ledgers.items(), reports, strict=True)
    return {name: ledger for (name, ledger), report in pairs if report.checks[0].verdict == "pass"}


def _check_one(folder: Path, key: PublicKey | None) -> Report:
    """Check one bundle against the ledgers of the results folder that it is in, if there is one."""
    resolved = folder.resolve()
    names = (resolved.parent.name, FOREIGN)
    root, place, ledgers = folder, ".", {}
    for parent in list(resolved.parents)[:6]:
        readers = {name: LedgerReader(parent, f"{LEDGERS}/{name}.jsonl") for name in names}
        ledgers = {name: reader for name, reader in readers.items() if exists(parent, reader.file)}
        if ledgers:
            root, place = parent, resolved.relative_to(parent).as_posix()
            break
    reports = [ledger_checks.report_on(ledger) for ledger in ledgers.values()]
    usable = _usable(ledgers, reports)
    context = Context(place, usable.get(names[0]), key, usable.get(FOREIGN))
    report, count = _check_bundle(root, context)
    return Report(
        root=root, kind="bundle", bundles=(report,), ledgers=tuple(reports), bytes_count=count
    )


def _check_archive(path: Path, key: Path | None) -> Report:
    """Check the contents of an archive in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="joulemark-verify-") as scratch:
        folder = Path(scratch) / "in" / stem(path)
        folder.mkdir(parents=True)
        unpack(path, folder)
        try:
            return replace(verify(folder, key), root=path)
        except NothingToVerify as error:
            raise NothingToVerify(
                f"{path}: contains neither a bundle nor a ledger; pack a results folder"
            ) from error


def verify(path: Path, key: Path | None = None) -> Report:
    """Check a bundle's folder, every bundle and ledger of a results tree, or an archive of either.

    Args:
        path: Folder of a bundle or of results, or a .tar.gz, .tgz, .tar or .zip file of one.
        key: Public key by which every bundle must be signed; None requires no signature.

    Raises:
        BadArchive: the archive is damaged, or breaks a rule for untrusted archives.
        BadKey: the key cannot be used.
        NothingToVerify: the path is no folder, or there is neither bundle nor ledger below it.
    """
    if path.is_file() and is_archive(path):
        return _check_archive(path, key)
    if not path.is_dir():
        raise NothingToVerify(f"{path}: no such folder; give a bundle's folder or a results folder")
    public = None if key is None else PublicKey(key)
    if public is not None:
        public.load()
    if any(exists(path, mark) for mark in MARKS):
        return _check_one(path, public)
    try:
        entries = list(walk(path))
    except Unreadable as error:
        raise NothingToVerify(f"{path}/{error.file}: {error}") from error
    report = _check_tree(path, entries, public)
    if not (report.bundles or report.ledgers):
        raise NothingToVerify(
            f"{path}: contains neither a bundle nor a ledger; run a submission first"
        )
    return report
