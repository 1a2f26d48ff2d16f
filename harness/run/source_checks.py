"""Checks of a submission's source: locked packages, unreadable files, stored values."""

import re
from collections.abc import Iterator
from pathlib import Path

from harness.records import Finding
from harness.run.protocol import PACKAGES_FOLDER as SITE
from harness.run.submission import SubmissionError, files_of
from harness.run.untrusted_files import SOURCE_BYTES_MAX, UnusableFile, read_plain

LOCK = "requirements.lock"
"""Packages of a submission, each with its hashes, as `pip install --require-hashes` reads them."""

INSTALL = f"pip install --require-hashes --no-deps --target {SITE} -r {LOCK}"
"""How an organizer installs the packages before the freeze; a run installs nothing."""

READABLE_BYTES_MAX = 64 * 1024
"""A larger file is reported, even if it is text."""

DATA_BYTES_MAX = 4096
"""A text with more characters of stored values is reported."""

CODED_CHARACTERS = 32
"""A word of this many letters and digits is taken for base64 or hex, not for a name."""

NUMBERS_IN_A_ROW = 32
"""This many numbers without another word between them are taken for a table."""

NAMES_SHOWN = 5

_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})(?=\s|$)")
_PINNED = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[^]]*\])?\s*(===?\s*[^\s;*]+(?=\s|;|$)|@\s*https://\S+)"
)

_WORD = re.compile(r"[^\s,;:=(){}\[\]\"'`]+")
_CODED = re.compile(r"[A-Za-z0-9+/_-]*[0-9+/][A-Za-z0-9+/_-]*")
_NUMBER = re.compile(r"[-+]?(0x[0-9a-fA-F]+|[0-9._]+([eE][-+]?[0-9]+)?)")

FileSizes = list[tuple[str, int]]
"""Name and bytes of each file."""


# --- the lock ------------------------------------------------------------------------------------


def _requirements(text: str) -> Iterator[tuple[int, str]]:
    """Line number and text of each requirement; continued lines are joined."""
    begun, parts = 0, ""
    for number, raw in enumerate([*text.splitlines(), ""], start=1):
        line = re.sub(r"(^|\s)#.*$", "", raw).rstrip()
        begun = begun or number
        parts += line.removesuffix("\\")
        if line.endswith("\\"):
            continue
        if parts.strip():
            yield begun, parts.strip()
        begun, parts = 0, ""


def _lock_fault(requirement: str) -> str:
    """What is wrong with one requirement; empty if nothing is."""
    if requirement.startswith("-"):
        return "is an option; a lock may contain only requirements with their hashes"
    if not _PINNED.match(requirement):
        return "is not pinned to one version; write NAME==VERSION"
    if not _HASH.search(requirement):
        return "has no hash; write it with `pip-compile --generate-hashes` or add --hash=sha256:..."
    return ""


def check_lock(folder: Path) -> None:
    """Check that every line of `requirements.lock` is pinned and hashed; it may be missing.

    Raises:
        SubmissionError: the first line that is not, by number.
    """
    path = folder / LOCK
    try:
        text = read_plain(path, SOURCE_BYTES_MAX).decode("utf-8")
    except FileNotFoundError:
        return
    except UnusableFile as error:
        raise SubmissionError(f"{path}: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SubmissionError(f"{path}: cannot be read as text: {error}") from error
    for number, requirement in _requirements(text):
        if fault := _lock_fault(requirement):
            raise SubmissionError(f"{path}, line {number}: {requirement.split()[0]!a} {fault}")


# --- unreadable files and stored values ----------------------------------------------------------


def is_text(path: Path) -> bool:
    """Whether a whole file is UTF-8 without control characters other than white space."""
    if path.stat().st_size > SOURCE_BYTES_MAX:  # a sparse file may be larger than the memory
        return False
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not any(ord(character) < ord(" ") and character not in "\t\n\r\f" for character in text)


def _largest_first(files: FileSizes) -> FileSizes:
    return sorted(files, key=lambda file: (-file[1], file[0]))


def opaque_files(folder: Path) -> FileSizes:
    """Name and bytes of each file that is large or not text, largest first.

    Raises:
        SubmissionError: the folder contains something that is not a plain file.
    """
    sizes = {path: path.stat().st_size for path in files_of(folder)}
    return _largest_first(
        [
            (path.relative_to(folder).as_posix(), size)
            for path, size in sizes.items()
            if size > READABLE_BYTES_MAX or not is_text(path)
        ]
    )


def data_bytes(text: str) -> int:
    """Count the characters of coded words and of tables of numbers in a text.

    Weights can still be hidden as ordinary words; this counts only what is stored openly.
    """
    coded = row = length = 0
    for word in _WORD.findall(text):
        if len(word) < CODED_CHARACTERS and _NUMBER.fullmatch(word):
            row, length = row + 1, length + len(word)
            continue
        coded += length if row >= NUMBERS_IN_A_ROW else 0
        row = length = 0
        if len(word) >= CODED_CHARACTERS and _CODED.fullmatch(word):
            coded += len(word)
    return coded + (length if row >= NUMBERS_IN_A_ROW else 0)


def data_files(folder: Path) -> FileSizes:
    """Name and bytes of stored values of each own text file that has many, most first.

    Raises:
        SubmissionError: the folder contains something that is not a plain file.
    """
    own = {path.relative_to(folder).as_posix(): path for path in files_of(folder)}
    counts = [
        (name, data_bytes(path.read_text(encoding="utf-8")))
        for name, path in own.items()
        if name != LOCK and not name.startswith(f"{SITE}/") and is_text(path)
    ]
    return _largest_first([(name, count) for name, count in counts if count > DATA_BYTES_MAX])


def _listed(files: FileSizes) -> str:
    shown = ", ".join(f"{name} ({size} bytes)" for name, size in files[:NAMES_SHOWN])
    more = len(files) - NAMES_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def source_findings(folder: Path) -> Iterator[Finding]:
    """What a reviewer has to inspect, by rule.

    `source-opaque`: files that people cannot read; `source-data`: texts that contain stored values;
    `source-packages`: installed packages. No finding excludes a submission: a reviewer decides
    whether the files contain weights or answers.

    Args:
        folder: The submission, frozen or not.
    """
    opaque = opaque_files(folder)
    own = [file for file in opaque if not file[0].startswith(f"{SITE}/")]
    if own:
        yield Finding(
            rule="source-opaque",
            level="warn",
            message=f"{len(own)} files are not text or larger than {READABLE_BYTES_MAX} bytes: "
            f"{_listed(own)}",
            advice="check them for stored weights or answers, or leave them out",
        )
    if stored := data_files(folder):
        yield Finding(
            rule="source-data",
            level="warn",
            message=f"{len(stored)} {'text contains' if len(stored) == 1 else 'texts contain'} "
            f"stored values, coded or in tables: {_listed(stored)}",
            advice="check them for stored weights or answers, or compute them in the run",
        )
    yield from _package_findings(folder, len(opaque) - len(own))


def _package_findings(folder: Path, opaque_count: int) -> Iterator[Finding]:
    size_bytes, is_locked = packages_bytes(folder), (folder / LOCK).is_file()
    if size_bytes is not None:
        yield Finding(
            rule="source-packages",
            level="info" if is_locked else "warn",
            message=f"{SITE}/ contains {size_bytes} bytes of packages; {opaque_count} of its files "
            f"are not text or large; {LOCK} {'exists' if is_locked else 'is missing'}",
            advice=f"compare them with the result of `{INSTALL}`",
        )
    elif is_locked:
        yield Finding(
            rule="source-packages-missing",
            level="warn",
            message=f"{LOCK} exists, but nothing was installed from it into {SITE}/",
            advice=f"run in the submission's folder: {INSTALL}",
        )


def packages_bytes(folder: Path) -> int | None:
    """Bytes of the installed packages; None if there is no folder of them."""
    site = folder / SITE
    return sum(path.stat().st_size for path in files_of(site)) if site.is_dir() else None
