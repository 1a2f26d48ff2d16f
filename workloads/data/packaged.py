"""Reads the files of `workloads/packaged`, checked by their hashes."""

import hashlib
from pathlib import Path

import workloads

MASK = ("workloads/packaged",)
"""Folder that a sandbox must not see: it holds hidden splits."""
FOLDER = "packaged"


def packaged(name: str, sha256: str) -> bytes:
    """The bytes of a packaged file.

    Raises:
        FileNotFoundError: it is not there, or its folder is masked.
        ValueError: it is not the file that the targets were calibrated on.
    """
    path = Path(workloads.__path__[0], FOLDER, name)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such file; reinstall joulemark, whose package brings it"
        )
    data = path.read_bytes()
    result = hashlib.sha256(data).hexdigest()
    if result != sha256:
        raise ValueError(f"{path}: SHA-256 is {result}, not {sha256}; reinstall joulemark")
    return data
