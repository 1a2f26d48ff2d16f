"""The document of `joulemark data`: what is packed, and whether it is as its manifest says."""

from typing import Literal

from harness.records.base import FORMAT, Record


class PackedItem(Record):
    """One packed data set."""

    data: str
    """Name of the set: its folder below the root."""
    workloads: tuple[str, ...]
    state: Literal["ok", "missing", "faulty"]
    reason: str
    """What is missing or wrong, and what to do; empty where nothing is."""
    partial: bool | None
    """Whether it has other than the published number of rows; None where none is packed."""
    rows: dict[str, int]
    """Of each split; `inputs` and `labels` are the hidden test's."""
    packed_bytes: int | None
    """None where none is packed, or what is packed cannot be trusted."""


class DataDocument(Record):
    """`joulemark data`."""

    format: int = FORMAT
    root: str
    sets: tuple[PackedItem, ...]
