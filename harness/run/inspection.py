"""Inspects a submission without running it: what is missing, what is wrong, what to do."""

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
    file_sizes,
)
from harness.run.untrusted_files import SOURCE_BYTES_MAX, UnusableFile, read_plain

StepResult = Literal["pass", "warn", "fail", "skip"]
"""`skip`: it could not be checked, for the reason given; this is not a pass."""
SIGNATURES = {"train": "train(session)", "predictor": "predictor(weights, workload)"}


@dataclass(frozen=True)
class InspectionStep:
    """One check of a submission."""

    rule: str
    verdict: StepResult
    message: str
    advice: str = ""


def _step(rule: str, check: Callable[[], str]) -> InspectionStep:
    """The result of a check that raises `SubmissionError` if something is wrong."""
    try:
        return InspectionStep(rule, "pass", check())
    except SubmissionError as error:
        return InspectionStep(rule, "fail", str(error))


def _size_text(source: Source, rules: RunRules) -> str:
    sizes = file_sizes(source.folder, rules.source_bytes_max)
    return (
        f"{len(sizes)} files, {sum(sizes.values())} bytes; "
        f"{FILES_MAX} files and {rules.source_bytes_max} bytes are allowed"
    )


def _parsed(path: Path) -> ast.Module:
    """The syntax tree of a Python file."""
    try:
        return ast.parse(read_plain(path, SOURCE_BYTES_MAX), str(path))
    except (OSError, UnusableFile) as error:
        raise SubmissionError(f"{path}: {error}") from error
    except SyntaxError as error:
        raise SubmissionError(f"{path}, line {error.lineno}: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:  # the last: nested too deeply
        raise SubmissionError(f"{path}: not Python: {str(error) or 'nested too deeply'}") from error


def _names(tree: ast.Module) -> set[str]:
    """Names that a module defines or imports at its top level."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


def _entry_text(source: Source) -> str:
    """The functions of train.py that will be called."""
    file = source.file
    needed = [] if file.command else ["train"]
    if file.division == "open" and not file.predict_command:
        needed.append("predictor")
    if not needed:
        return "a command trains, a command predicts"
    path = source.folder / "train.py"
    if not path.is_file():
        raise SubmissionError(f"{path}: missing; it has to define {' and '.join(needed)}")
    defined = _names(_parsed(path))
    missing = [SIGNATURES[name] for name in needed if name not in defined]
    if missing:
        raise SubmissionError(f"{path}: defines no {' and no '.join(missing)}")
    return f"train.py defines {' and '.join(SIGNATURES[name] for name in needed)}"


def _imports_text(source: Source) -> str:
    """The modules that are imported before the start signal."""
    path = source.folder / "submission.toml"
    for name in source.file.imports:
        top = name.partition(".")[0]
        if top and ((source.folder / f"{top}.py").exists() or (source.folder / top).is_dir()):
            raise SubmissionError(
                f"{path}: imports names '{name}', which is the submission's own; only installed "
                "packages may be imported before the start signal"
            )
        if importlib.util.find_spec(top) is None:
            raise SubmissionError(
                f"{path}: imports names '{name}', which is not installed here; install it or "
                "leave it out"
            )
    return ", ".join(source.file.imports) or "nothing is imported before the start signal"


def _lock_text(source: Source) -> str:
    check_lock(source.folder)
    exists = (source.folder / LOCK).is_file()
    return f"every line of {LOCK} is pinned and hashed" if exists else f"no {LOCK}"


def _source_steps(source: Source) -> Iterator[InspectionStep]:
    try:
        findings = list(source_findings(source.folder))
    except SubmissionError:
        return  # reported by the step `size`
    for finding in findings:
        verdict: StepResult = "pass" if finding.level == "info" else "warn"
        yield InspectionStep(finding.rule, verdict, finding.message, finding.advice)
    if not findings:
        yield InspectionStep("source-opaque", "pass", "every file is text that people can read")


def _fits_text(source: Source, workload: str) -> str:
    check_fits(source, workload)
    return f"is for {workload}"


def _division_text(source: Source, workload: str) -> str:
    divisions = find("workloads", workload).value.divisions
    check_division(source, divisions, workload)
    return f"{workload} has divisions {', '.join(divisions)}"


def inspect(source: Source, workload: str, rules: RunRules) -> Iterator[InspectionStep]:
    """Check everything that can be checked without running anything.

    Args:
        source: The submission, as `open_submission` read it.
        workload: Name of an existing workload.
        rules: What the ruleset allows.
    """
    division = source.file.division
    yield InspectionStep("schema", "pass", f"submission.toml is valid; division {division}")
    yield _step("workload", lambda: _fits_text(source, workload))
    yield _step("division", lambda: _division_text(source, workload))
    yield _step("entry", lambda: _entry_text(source))
    yield _step("imports", lambda: _imports_text(source))
    yield _step("lock", lambda: _lock_text(source))
    yield _step("size", lambda: _size_text(source, rules))
    yield from _source_steps(source)
