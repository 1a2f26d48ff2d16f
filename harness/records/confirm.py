"""Records of a repeated series: its figures, and whether they confirm those of the original."""

from typing import Literal

from harness.records.base import FORMAT, Record
from harness.records.score import Figure

ConfirmVerdict = Literal["confirmed", "not confirmed", "unclear"]


class ConfirmRow(Record):
    """One figure of the sealed series and of its repetition."""

    quantity: str
    """`target`, the name of the metric, `time_to_target_s` or `energy_to_target_j`."""
    old: Figure | None
    """Figure of the sealed series; None if there is none."""
    new: Figure | None
    """Figure of the repetition; None if there is none."""
    change: float | None = None
    """For costs the ratio of new to old, relative to the reference if `relative`; for metrics the
    difference new - old."""
    low: float | None = None
    high: float | None = None
    """Ends of the interval of the change; None if the data do not determine it."""
    relative: bool = False
    """Whether costs are multiples of the reference's costs on the same machine."""
    verdict: Literal["confirmed", "not confirmed", "unclear", "not judged"]
    note: str
    """Reason for the verdict."""


class Confirmation(Record):
    """The result of repeating a sealed series."""

    format: int = FORMAT
    workload: str
    submission: str
    submission_sha256: str
    reference: str
    """The submission that alternated with the repetition; empty if there was none."""
    old_machine: str
    new_machine: str
    margin_ratio: float
    """A cost that is at most this much higher still confirms the old one (0.1 for 10 %)."""
    confidence: float
    """Level of the intervals."""
    rows: tuple[ConfirmRow, ...]
    verdict: ConfirmVerdict
    reason: str
    """One sentence."""
