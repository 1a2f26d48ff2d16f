"""Records of a repeated run: what was sealed, what came out, whether the one bears the other."""

from typing import Literal

from harness.records.base import FORMAT, Record
from harness.records.score import Figure

ConfirmVerdict = Literal["confirmed", "not confirmed", "unclear"]


class ConfirmRow(Record):
    """One figure, as sealed and as repeated."""

    quantity: str
    """`target`, the name of the metric, `time_to_target_s` or `energy_to_target_j`."""
    old: Figure | None
    """As sealed; None where there is none."""
    new: Figure | None
    """As repeated."""
    change: float | None = None
    """Of costs the new over the old, relative to the reference where `relative`; of metrics new
    less old."""
    low: float | None = None
    high: float | None = None
    """Ends of the interval of the change; None where the data give no end."""
    relative: bool = False
    """Whether costs were taken in multiples of the reference's on the same machine."""
    verdict: Literal["confirmed", "not confirmed", "unclear", "not judged"]
    note: str
    """Why this verdict."""


class Confirmation(Record):
    """What a repetition says of a sealed series."""

    format: int = FORMAT
    workload: str
    submission: str
    submission_sha256: str
    reference: str
    """The submission that alternated with the repetition; empty where none did."""
    old_machine: str
    new_machine: str
    margin_ratio: float
    """A cost that is higher by no more than this still confirms the old one (0.1 for 10 %)."""
    confidence: float
    """Level of the intervals."""
    rows: tuple[ConfirmRow, ...]
    verdict: ConfirmVerdict
    reason: str
    """One sentence."""
