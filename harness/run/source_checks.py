"""What a submission carries besides source: files that nobody can read, and locked packages."""

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
"""How the packages get there: by the organizer, before the freeze. No run installs anything."""

READABLE_BYTES_MAX = 64 * 1024
"""Above this size a file is reported, text or not: nobody reads so much of a single file."""

DATA_BYTES_MAX = 4096
"""Above so many bytes of stored values in its text a file is reported: source hardly has any."""

CODED_CHARACTERS = 32
"""A word of so many letters and digits is no name that people write, but base64 or hex."""

NUMBERS_IN_A_ROW = 32
"""So many numbers without another word between them are a table."""

NAMES_SHOWN = 5

_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})(?=\s|$)")
_PINNED = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[^]]*\])?\s*(===?\s*[^\s;*]+(?=\s|;|$)|@\s*https://\S+)"
)

_WORD = re.compile(r"[^\s,;:=(){}\[\]\"'`]+")
_CODED = re.compile(r"[A-Za-z0-9+/_-]*[0-9+/][A-Za-z0-9+/_-]*")
_NUMBER = re.compile(r"[-+]?(0x[0-9a-fA-F]+|[0-9._]+([eE][-+]?[0-9]+)?)")


# --- the lock ------------------------------------------------------------------------------------


def _requirements(text: str) -> Iterator[tuple[int, str]]:
    """Number of the first line, and the text, of each requirement; continued lines are joined."""
    begun, parts = 0, ""
    for number, raw in enumerate(text.splitlines(), start=1):
        line = re.sub(r"(^|\s)#.*$", "", raw).rstrip()
        begun = begun or number
        parts += line.removesuffix("\\")
        if line.endswith("\\"):
            continue
        if parts.strip():
            yield begun, parts.strip()
        begun, parts = 0, ""
    if parts.strip():
        yield begun, parts.strip()


def _lock_fault(requirement: str) -> str:
    """What is wrong with one requirement; empty where nothing is."""
    if requirement.startswith("-"):
        return "is an option; only requirements with their hashes belong into a lock"
    if not _PINNED.match(requirement):
        return "is not pinned to one version; write NAME==VERSION"
    if not _HASH.search(requirement):
        return "has no hash; write it by `pip-compile --generate-hashes` or add --hash=sha256:..."
    return ""


def check_lock(folder: Path) -> None:
    """Refuse a `requirements.lock` of which any line is not pinned and hashed.

    Raises:
        SubmissionError: the first line at fault, by number.
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


# --- what nobody can read ------------------------------------------------------------------------


def is_text(path: Path) -> bool:
    """Whether a whole file is UTF-8 without control characters other than white space."""
    if path.stat().st_size > SOURCE_BYTES_MAX:  # a sparse file may claim more than any memory holds
        return False
    data = path.read_bytes()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not any(ord(item) < ord(" ") and item not in "\t\n\r\f" for item in text)


def opaque_files(folder: Path) -> list[tuple[str, int]]:
    """Name and size in bytes of each file that is large or no text, largest first.

    Raises:
        SubmissionError: something in the folder is no plain file.
    """
    found = [
        (path.relative_to(folder).as_posix(), path.stat().st_size)
        for path in files_of(folder)
        if path.stat().st_size > READABLE_BYTES_MAX or not is_text(path)
    ]
    return sorted(found, key=lambda each: (-each[1], each[0]))


def data_bytes(text: str) -> int:
    """Characters of a text that look like stored values: coded words, and rows of numbers.

    Whoever wants to hide weights can still spell them as words; this finds what is merely there.
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


def data_files(folder: Path) -> list[tuple[str, int]]:
    """Name and bytes of stored values of each own text file that has many, most first.

    Raises:
        SubmissionError: something in the folder is no plain file.
    """
    own = {path.relative_to(folder).as_posix(): path for path in files_of(folder)}
    texts = {
        name: path.read_text(encoding="utf-8")
        for name, path in own.items()
        if name != LOCK and not name.startswith(f"{SITE}/") and is_text(path)
    }
    found = [(name, data_bytes(text)) for name, text in texts.items()]
    many = [each for each in found if each[1] > DATA_BYTES_MAX]
    return sorted(many, key=lambda each: (-each[1], each[0]))


def _listed(files: list[tuple[str, int]]) -> str:
    shown = ", ".join(f"{name} ({size} bytes)" for name, size in files[:NAMES_SHOWN])
    more = len(files) - NAMES_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def source_findings(folder: Path) -> Iterator[Finding]:
    """What a reviewer has to look at, by rule.

    `source-opaque`: files that nobody can read; `source-data`: texts with stored values in them;
    `source-packages`: installed packages. All tell and none excludes: weights or answers can lie
    in any file, and whether they do is a question for people, who have to know where to look.

    Args:
        folder: The submission, frozen or not.
    """
    opaque = opaque_files(folder)
    own = [item for item in opaque if not item[0].startswith(f"{SITE}/")]
    if own:
        yield Finding(
            rule="source-opaque",
            level="warn",
            message=f"{len(own)} files are no text or larger than {READABLE_BYTES_MAX} bytes: "
            f"{_listed(own)}",
            advice="look into them for stored weights or answers, or leave them out",
        )
    if stored := data_files(folder):
        yield Finding(
            rule="source-data",
            level="warn",
            message=f"{len(stored)} {'text holds' if len(stored) == 1 else 'texts hold'} stored "
            f"values, coded or in rows: {_listed(stored)}",
            advice="look into them for stored weights or answers, or compute them in the run",
        )
    yield from _package_findings(folder, len(opaque) - len(own))


def _package_findings(folder: Path, opaque_count: int) -> Iterator[Finding]:
    size_bytes = packages_bytes(folder)
    if size_bytes is not None:
        yield Finding(
            rule="source-packages",
            level="info" if (folder / LOCK).is_file() else "warn",
            message=f"{SITE}/ holds {size_bytes} bytes of packages, {opaque_count} files of them "
            f"no text or large; {LOCK} is {'there' if (folder / LOCK).is_file() else 'missing'}",
            advice=f"compare them with what `{INSTALL}` gives",
        )
    elif (folder / LOCK).is_file():
        yield Finding(
            rule="source-packages-missing",
            level="warn",
            message=f"{LOCK} is there, but nothing was installed from it into {SITE}/",
            advice=f"in the submission's folder: {INSTALL}",
        )


def packages_bytes(folder: Path) -> int | None:
    """Size of the installed packages; None where there is no folder of them."""
    site = folder / SITE
    if not site.is_dir():
        return None
    return sum(path.stat().st_size for path in files_of(site))
