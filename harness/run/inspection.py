"""Looks a submission over without running it: what is missing, what is wrong, what to do."""

import ast
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.records import RunRules
from harness.registry import find
from harness.run.source_checks import LOCK, check_lock, source_findings
from harness.run.submission import (
    FILES_MAX,
    Source,
    SubmissionError,
    check_division,
    check_fits,
    files_of,
)
from harness.run.untrusted_files import SOURCE_BYTES_MAX, UnusableFile, read_plain

StepResult = Literal["pass", "warn", "fail", "skip"]
"""`skip`: it could not be looked at, for the reason given, and is no pass."""


@dataclass(frozen=True)
class InspectionStep:
    """One thing that was looked at."""

    rule: str
    verdict: StepResult
    message: str
    advice: str = ""


def _guarded(rule: str, look: Callable[[], str]) -> InspectionStep:
    """A look that raises `SubmissionError` where something is wrong."""
    try:
        return InspectionStep(rule, "pass", look())
    except SubmissionError as error:
        return InspectionStep(rule, "fail", str(error))


def size_text(source: Source, rules: RunRules) -> str:
    """Files and bytes of the source, against what the ruleset allows.

    Raises:
        SubmissionError: there is more than allowed, or something that is no plain file.
    """
    sizes = [path.stat().st_size for path in files_of(source.folder)]
    told = (
        f"{len(sizes)} files, {sum(sizes)} bytes; "
        f"{FILES_MAX} files and {rules.source_bytes_max} bytes are allowed"
    )
    if sum(sizes) > rules.source_bytes_max or len(sizes) > FILES_MAX:
        raise SubmissionError(f"{source.folder}: {told}; only source belongs into a submission")
    return told


def _parsed(path: Path) -> ast.Module:
    """The syntax of a Python file.

    Raises:
        SubmissionError: it has none; the message says in which line.
    """
    try:
        return ast.parse(read_plain(path, SOURCE_BYTES_MAX), str(path))
    except (OSError, UnusableFile) as error:
        raise SubmissionError(f"{path}: {error}") from error
    except SyntaxError as error:
        raise SubmissionError(f"{path}, line {error.lineno}: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:  # the last: nested too deeply
        raise SubmissionError(f"{path}: not Python: {str(error) or 'nested too deeply'}") from error


def _names(tree: ast.Module) -> set[str]:
    """What a module defines or imports on its first level."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def _entry_text(source: Source) -> str:
    """Which functions of train.py will be called.

    Raises:
        SubmissionError: one of them is not there.
    """
    file = source.file
    needed = [] if file.command else ["train"]
    if file.division == "open" and not file.predict_command:
        needed.append("predictor")
    if not needed:
        return "a command trains, a command predicts"
    path = source.folder / "train.py"
    if not path.is_file():
        raise SubmissionError(f"{path}: missing; it has to define {' and '.join(needed)}")
    signatures = {"train": "train(session)", "predictor": "predictor(weights, workload)"}
    there = _names(_parsed(path))
    lacking = [signatures[name] for name in needed if name not in there]
    if lacking:
        raise SubmissionError(f"{path}: defines no {' and no '.join(lacking)}")
    return f"train.py defines {' and '.join(signatures[name] for name in needed)}"


def _is_installed(name: str) -> bool:
    """Whether a module's package can be found here."""
    return importlib.util.find_spec(name.partition(".")[0]) is not None


def _imports_text(source: Source) -> str:
    """Whether what is declared to be imported before the gun is installed.

    Raises:
        SubmissionError: a module is not installed, or is the submission's own.
    """
    for name in source.file.imports:
        top = name.partition(".")[0]
        own = (source.folder / f"{top}.py").exists() or (source.folder / top).is_dir()
        if top and own:
            raise SubmissionError(
                f"{source.folder / 'submission.toml'}: imports names '{name}', which is the "
                "submission's own; only installed packages may be imported before the gun"
            )
        if not _is_installed(name):
            raise SubmissionError(
                f"{source.folder / 'submission.toml'}: imports names '{name}', which is not "
                "installed here; install it or leave it out"
            )
    return ", ".join(source.file.imports) or "nothing is imported before the gun"


def _lock_text(source: Source) -> str:
    check_lock(source.folder)
    there = (source.folder / LOCK).is_file()
    return f"every line of {LOCK} is pinned and hashed" if there else f"no {LOCK}"


def _packing(source: Source) -> Iterator[InspectionStep]:
    try:
        found = list(source_findings(source.folder))
    except SubmissionError:
        return  # told by the step on its size
    for item in found:
        verdict: StepResult = "pass" if item.level == "info" else "warn"
        yield InspectionStep(item.rule, verdict, item.message, item.advice)
    if not found:
        yield InspectionStep("source-opaque", "pass", "every file is text that people can read")


def _fits_text(source: Source, workload: str) -> str:
    check_fits(source, workload)
    return f"is for {workload}"


def _division_text(source: Source, workload: str) -> str:
    divisions = find("workloads", workload).value.divisions
    check_division(source, divisions, workload)
    return f"{workload} has divisions {', '.join(divisions)}"


def inspect(source: Source, workload: str, rules: RunRules) -> Iterator[InspectionStep]:
    """All that can be told without running anything.

    Args:
        source: The submission, as `open_submission` read it.
        workload: The workload that it is to be run on, one that there is.
        rules: What the ruleset allows.
    """
    yield InspectionStep(
        "schema", "pass", f"submission.toml is valid; division {source.file.division}"
    )
    yield _guarded("workload", lambda: _fits_text(source, workload))
    yield _guarded("division", lambda: _division_text(source, workload))
    yield _guarded("entry", lambda: _entry_text(source))
    yield _guarded("imports", lambda: _imports_text(source))
    yield _guarded("lock", lambda: _lock_text(source))
    yield _guarded("size", lambda: size_text(source, rules))
    yield from _packing(source)
