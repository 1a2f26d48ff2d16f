"""The snapshots of one run: which of them count, and where their bytes are."""

import contextlib
import hashlib
import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from harness.clock import NS_PER_S
from harness.records import RunRules, Snapshot
from harness.run.memory import read_bytes
from harness.storage import write_file

EARLY = "sooner after the one before than the ruleset allows"
"""Why a snapshot inside the spacing is refused, unless it is the last one of the run."""


class HeldSnapshot(NamedTuple):
    """A snapshot that was handed over."""

    record: Snapshot
    descriptor: int | None
    """The sealed memory file; None if the bytes were refused or dropped."""


@dataclass(frozen=True, kw_only=True)
class RunLimits:
    """What a submission may do and for how long."""

    rules: RunRules
    budget_s: float

    @property
    def spacing_s(self) -> float:
        """Least time between two snapshots that count, in seconds."""
        if self.rules.snapshot_rule == "final":
            return 0.0
        return self.budget_s / self.rules.snapshots_max


class SnapshotStore:
    """Decides which snapshots count, and owns the descriptors of those that may count."""

    def __init__(self, limits: RunLimits, held: list[HeldSnapshot]) -> None:
        """Start with no snapshot.

        Args:
            limits: Ruleset and budget.
            held: List that is filled with the snapshots, in order of receipt.
        """
        self._limits = limits
        self._held = held
        self._next_ns = 0
        self._bytes_held = 0
        self._accepted_count = 0
        self._kept: deque[int] = deque()
        self._early: int | None = None

    def refusal(self, stamp_ns: int, size_bytes: int) -> str:
        """Why a snapshot does not count; empty if it does."""
        rules = self._limits.rules
        if self._bytes_held + size_bytes > rules.snapshots_bytes_max:
            return f"all snapshots together exceed {rules.snapshots_bytes_max} bytes"
        if rules.snapshot_rule == "final":
            return ""
        if stamp_ns < self._next_ns:
            return EARLY
        if self._accepted_count >= rules.snapshots_max:
            return f"more than {rules.snapshots_max} snapshots"
        return ""

    def add(self, record: Snapshot, descriptor: int) -> None:
        """Keep the descriptor of a snapshot that may count, and close any other one."""
        self._drop_early()
        if not record.accepted:
            if record.refused == EARLY:  # it counts if no other one follows
                self._early = descriptor
            else:
                os.close(descriptor)
            self._held.append(HeldSnapshot(record, None))
            return
        # The shim starts its spacing after the send, so a tenth is tolerated for the transfer.
        self._next_ns = record.stamp_ns + int(0.9 * self._limits.spacing_s * NS_PER_S)
        self._bytes_held += record.size_bytes
        self._accepted_count += 1
        self._kept.append(len(self._held))
        self._held.append(HeldSnapshot(record, descriptor))
        if self._limits.rules.snapshot_rule == "final":
            self._drop_surplus()

    def _drop_early(self) -> None:
        if self._early is not None:
            os.close(self._early)
            self._early = None

    def accept_last(self) -> None:
        """Accept the last snapshot of the run even if it came early."""
        if self._early is None:
            return
        accepted = self._held[-1].record.model_copy(update={"accepted": True, "refused": ""})
        self._held[-1] = HeldSnapshot(accepted, self._early)
        self._early = None

    def _drop_surplus(self) -> None:
        """Under `final` keep the newest `snapshots_max`, since only the last one counts."""
        while len(self._kept) > self._limits.rules.snapshots_max:
            position = self._kept.popleft()
            record, descriptor = self._held[position]
            if descriptor is not None:
                os.close(descriptor)
            self._bytes_held -= record.size_bytes
            change = {"accepted": False, "refused": "superseded by later snapshots"}
            self._held[position] = HeldSnapshot(record.model_copy(update=change), None)


def store_snapshots(held: Sequence[HeldSnapshot], folder: Path, keep_bytes: int) -> list[Snapshot]:
    """Hash every held snapshot, and write the latest ones to disk, up to a total size.

    Raises:
        OSError: one could not be written; then none is left on disk.
    """
    records = {snapshot.record.index: snapshot.record for snapshot in held}
    kept_bytes = 0
    try:
        for record, descriptor in reversed(held):
            if descriptor is None:
                continue
            data = read_bytes(descriptor)
            is_kept = kept_bytes + len(data) <= keep_bytes
            if is_kept:
                kept_bytes += len(data)
                write_file(folder / f"{record.index:04d}.safetensors", data)
            change = {"sha256": hashlib.sha256(data).hexdigest(), "kept": is_kept}
            records[record.index] = record.model_copy(update=change)
    except BaseException:
        for path in folder.glob("*.safetensors"):
            path.unlink(missing_ok=True)
        raise
    return [records[index] for index in sorted(records)]


def release(held: Sequence[HeldSnapshot]) -> None:
    """Close the descriptors, which frees the memory."""
    for snapshot in held:
        if snapshot.descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(snapshot.descriptor)
