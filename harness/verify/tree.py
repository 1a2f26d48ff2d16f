"""Checks one bundle's folder, or a whole results tree with its ledgers."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from harness.verify import contents, ledger, seals
from harness.verify.archive import is_archive, stem, unpack
from harness.verify.disk import DiskEntry, Unreadable, exists, read, walk
from harness.verify.ledger import LedgerReader
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
"""A folder that holds one of these is a bundle, or what is left of one."""

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
    ("machine-and-rules", contents.parties),
    ("submission", seals.submission),
    ("seeds", contents.seeds),
    ("events", contents.event_order),
    ("window", contents.window),
    ("snapshots", contents.snapshots),
    ("snapshots-kept", contents.kept),
    ("evaluation", contents.evaluation),
    ("domains", contents.domains),
    ("trace", contents.trace),
    ("harness", seals.harness),
)
"""Every check of a bundle by itself, by name."""


def _sheltered(rule: Rule, bundle: BundleReader) -> Iterator[Problem]:
    """A check that needs a file which another check refuses is skipped, with that reason."""
    try:
        yield from rule(bundle)
    except Unreadable as error:
        raise SkipCheck(f"needs {error.file}, which cannot be used") from error


@dataclass(frozen=True)
class Context:
    """What a bundle is checked against besides itself."""

    place: str
    """Its folder below the results folder."""
    chain: LedgerReader | None
    key: PublicKey | None
    foreign: LedgerReader | None = None
    """The ledger of what came from elsewhere."""
    missing: bool = False
    """Whether the results folder has no ledger of the bundle's machine."""


def _sealed(bundle: BundleReader, context: Context) -> BundleReport:
    place = context.place
    admitted = None if context.foreign is None else context.foreign.foreign(place)
    missing = context.missing and admitted is None
    # Whoever ran a foreign bundle keeps its ledger; that of a machine of the same name is another.
    chain = context.chain if admitted is None else None
    rules: list[tuple[str, Rule]] = [
        *RULES,
        ("signature", partial(signed, key=context.key)),
        ("ledger-row", partial(ledger.witnessed, chain=chain, place=place, missing=missing)),
        ("previous-manifest", partial(ledger.follows, chain=chain)),
    ]
    if admitted is not None:
        rules.append(("foreign-row", partial(ledger.admitted, row=admitted)))
    checks = tuple(
        _by_whom(run_check(name, _sheltered(rule, bundle)), context.key) for name, rule in rules
    )
    readable = checks[0].verdict == "pass"
    return BundleReport(
        bundle=place,
        state="sealed",
        run_id=bundle.manifest.run_id if readable else bundle.folder.resolve().name,
        status=bundle.manifest.status if readable else "unknown",
        checks=checks,
        signers=signers(bundle),
    )


def _by_whom(check: CheckResult, key: PublicKey | None) -> CheckResult:
    """A signature that holds says whose it is."""
    if key is None or (check.rule, check.verdict) != ("signature", "pass"):
        return check
    return replace(check, message=f"by {key.path}, key {key.name[:16]}")


# --- bundles without a manifest -----------------------------------------------------------------


def _remains(bundle: BundleReader) -> str:
    """What is left of a run that was cut off, in words."""
    present = [name for name in MARKS[1:] if bundle.has(name)]
    if "events.jsonl" not in present:
        return f"no manifest; there is {', '.join(present) or 'nothing'}"
    data = read(bundle.folder, "events.jsonl")
    lines_count = data.count(b"\n")
    torn = "; the last line is torn" if data and not data.endswith(b"\n") else ""
    return f"no manifest; {lines_count} whole lines of events{torn}"


def _accounted(bundle: BundleReader, place: str, chain: LedgerReader | None) -> Iterator[Problem]:
    """A run without a manifest is one that the ledger started and never finished."""
    started = [] if chain is None else [row for row in chain.started() if row.bundle == place]
    if not started:
        yield Problem(
            MANIFEST, f"not a sealed bundle, and no ledger started it: {_remains(bundle)}"
        )
    elif chain is not None and chain.finished(started[0].run_id) is not None:
        yield Problem(MANIFEST, "the ledger says that this run was sealed; its manifest is gone")


def _incomplete(bundle: BundleReader, context: Context) -> BundleReport:
    place = context.place
    rule = partial(_accounted, place=place, chain=context.chain)
    checks = [run_check("sealed", _sheltered(rule, bundle))]
    if checks[0].verdict == "pass":
        text = f"{_remains(bundle)}: the run goes on, or was cut off and counts as failed"
        checks = [CheckResult("sealed", "skip", text)]
    name = bundle.folder.resolve().name
    return BundleReport(
        bundle=place, state="incomplete", run_id=name, status="aborted", checks=tuple(checks)
    )


def _bundle(root: Path, context: Context) -> tuple[BundleReport, int]:
    bundle = BundleReader(root / context.place)
    examine = _sealed if bundle.has(MANIFEST) else _incomplete
    return examine(bundle, context), bundle.bytes_count


# --- trees --------------------------------------------------------------------------------------


def _outermost(folders: list[str]) -> list[str]:
    """Bundles that lie in no other one: what a submission brings along is no bundle of ours."""
    kept: list[str] = []
    for folder in sorted(folders, key=lambda each: each.split("/")):
        if not kept or not f"{folder}/".startswith(f"{kept[-1]}/"):
            kept.append(folder)
    return kept


def _bundles_below(entries: list[DiskEntry]) -> list[str]:
    marked = {
        folder
        for folder, _, name in (entry.path.rpartition("/") for entry in entries)
        if name in MARKS and folder
    }
    return _outermost(sorted(marked))


def _loose_links(entries: list[DiskEntry], bundles: list[str]) -> Iterator[Problem]:
    """Links outside of bundles (inside, each bundle reports its own)."""
    inside = tuple(f"{bundle}/" for bundle in bundles)
    for entry in entries:
        if entry.kind in ("link", "other") and not entry.path.startswith(inside):
            yield Problem(ascii(entry.path).strip("'"), "a link or odd file; it was not followed")


def _machine_of(place: str) -> str:
    """The machine that a bundle's folder lies under."""
    parts = place.split("/")
    return parts[-2] if len(parts) > 1 else ""


def _roots(entries: list[DiskEntry], bundles: list[str]) -> list[str]:
    """Results folders of the tree, the inner ones first: its own, and each with ledgers of its own.

    What a submission brings along, inside of a bundle, is no ledger of ours.
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
    return sorted(own | {""}, key=lambda each: (-len(each.split("/")), not each, each))


def _tree(root: Path, entries: list[DiskEntry], key: PublicKey | None) -> Report:
    """Every results folder below a path, each bundle against the ledgers of the nearest one."""
    left, reports = list(entries), []
    for place in _roots(entries, _bundles_below(entries)):
        begin = f"{place}/" if place else ""
        own = [entry for entry in left if entry.path.startswith(begin)]
        left = [entry for entry in left if not entry.path.startswith(begin)]
        named = [entry._replace(path=entry.path.removeprefix(begin)) for entry in own]
        reports.append(_moved(_results(root / place, named, key), begin))
    return Report(
        root=root,
        kind="tree",
        bundles=tuple(bundle for report in reports for bundle in report.bundles),
        ledgers=tuple(ledger for report in reports for ledger in report.ledgers),
        checks=(run_check("tree-links", _loose_links(entries, _bundles_below(entries))),),
        bytes_count=sum(report.bytes_count for report in reports),
    )


def _moved(report: Report, begin: str) -> Report:
    """As seen from a folder further out."""
    return replace(
        report,
        bundles=tuple(
            replace(bundle, bundle=f"{begin}{bundle.bundle}") for bundle in report.bundles
        ),
        ledgers=tuple(
            replace(
                ledger,
                ledger=f"{begin}{ledger.ledger}",
                unfinished=tuple(f"{begin}{place}" for place in ledger.unfinished),
            )
            for ledger in report.ledgers
        ),
    )


def _results(root: Path, entries: list[DiskEntry], key: PublicKey | None) -> Report:
    bundles = _bundles_below(entries)
    files = [e.path for e in entries if e.path.startswith(f"{LEDGERS}/") and e.kind == "file"]
    chains = {
        Path(path).stem: LedgerReader(root, path) for path in files if path.endswith(".jsonl")
    }
    ledgers: list[LedgerReport] = [ledger.report_on(chain) for chain in chains.values()]
    broken = {Path(item.ledger).stem for item in ledgers if item.checks[0].verdict == "fail"}
    foreign = None if ledger.FOREIGN in broken else chains.get(ledger.FOREIGN)

    def context(place: str) -> Context:
        machine = _machine_of(place)
        chain = None if machine in broken else chains.get(machine)
        return Context(place, chain, key, foreign, missing=machine not in chains)

    found = [_bundle(root, context(place)) for place in bundles]
    return Report(
        root=root,
        kind="tree",
        bundles=tuple(report for report, _ in found),
        ledgers=tuple(ledgers),
        bytes_count=sum(count for _, count in found),
    )


def _results_above(folder: Path) -> tuple[Path, str, list[LedgerReader]]:
    """The results folder that a bundle lies in, its place there, and the ledgers that concern it.

    These are its machine's, and that of what came from elsewhere.
    """
    resolved = folder.resolve()
    for root in list(resolved.parents)[:6]:
        files = [f"{LEDGERS}/{name}.jsonl" for name in (resolved.parent.name, ledger.FOREIGN)]
        if there := [LedgerReader(root, file) for file in files if exists(root, file)]:
            return root, resolved.relative_to(root).as_posix(), there
    return folder, ".", []


def _one(folder: Path, key: PublicKey | None) -> Report:
    root, place, chains = _results_above(folder)
    reports = tuple(ledger.report_on(chain) for chain in chains)
    usable = {
        Path(chain.file).stem: chain
        for chain, report in zip(chains, reports, strict=True)
        if report.checks[0].verdict == "pass"
    }
    foreign = usable.pop(ledger.FOREIGN, None)
    chain = next(iter(usable.values()), None)
    report, count = _bundle(root, Context(place, chain, key, foreign))
    return Report(root=root, kind="bundle", bundles=(report,), ledgers=reports, bytes_count=count)


def _archive(path: Path, key: Path | None) -> Report:
    """Check what an archive holds; nothing of it stays on disk."""
    with tempfile.TemporaryDirectory(prefix="joulemark-verify-") as scratch:
        folder = Path(scratch) / "in" / stem(path)
        folder.mkdir(parents=True)
        unpack(path, folder)
        try:
            return replace(verify(folder, key), root=path)
        except NothingToVerify as error:
            raise NothingToVerify(
                f"{path}: neither a bundle nor a ledger is in it; pack a results folder"
            ) from error


def verify(path: Path, key: Path | None = None) -> Report:
    """Check a bundle's folder, every bundle and ledger of a results tree, or an archive of either.

    Args:
        path: Folder of a bundle, or of results; or a .tar.gz, .tgz, .tar or .zip of one.
        key: Public key by which every bundle must be signed; None demands no signature.

    Raises:
        BadArchive: the archive is damaged, or breaks a rule for foreign archives.
        BadKey: the key cannot be used.
        NothingToVerify: the path is no folder, or there is neither bundle nor ledger below it.
    """
    if path.is_file() and is_archive(path):
        return _archive(path, key)
    if not path.is_dir():
        raise NothingToVerify(f"{path}: no such folder; give a bundle's folder or a results folder")
    public = None if key is None else PublicKey(key)
    if public is not None:
        public.load()
    if any(exists(path, mark) for mark in MARKS):
        return _one(path, public)
    try:
        entries = list(walk(path))
    except Unreadable as error:
        raise NothingToVerify(f"{path}/{error.file}: {error}") from error
    report = _tree(path, entries, public)
    if not (report.bundles or report.ledgers):
        raise NothingToVerify(
            f"{path}: neither a bundle nor a ledger lies below it; run something first"
        )
    return report
