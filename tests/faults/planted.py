"""Bugs planted one at a time into the harness, to see whether the simulation finds each.

python -m tests.faults.planted [NAME ...]      says for each the first schedule that finds it

A plant takes a line or two out of a function, as somebody might who thinks them superfluous. The
text must be found there, so that a plant whose ground has moved fails instead of proving nothing.
"""

import inspect
import sys
import textwrap
from typing import Any, NamedTuple

import pytest

from harness import bundle, ledger, storage
from harness.run import bundle_writer, conductor, evaluate, state, supervisor, train
from tests.faults.simulation import repeat


class Plant(NamedTuple):
    """One bug: in the function `name` of `owner` the text `old` becomes `new`."""

    owner: Any
    name: str
    old: str
    new: str


PLANTS = {
    "the bundle's files are not synced before its manifest": Plant(
        bundle, "seal", "sync_tree(folder)", "pass"
    ),
    "a ledger row is not synced": Plant(ledger.Ledger, "append", "os.fsync(descriptor)", "pass"),
    "a file is renamed before it is synced": Plant(
        storage, "write_file", "os.fsync(descriptor)", "pass"
    ),
    "a row that failed is left in the ledger": Plant(
        ledger.Ledger, "append", "os.ftruncate(descriptor, size_bytes)", "pass"
    ),
    "a short write is taken for a whole one": Plant(
        storage, "write_all", "view = view[written:]", "return"
    ),
    "what a failed write left of an event stays": Plant(
        storage, "append_whole", "os.ftruncate(descriptor, size_bytes)", "pass"
    ),
    "an interrupt during the evaluation is forgotten": Plant(
        evaluate, "evaluate", "    if interrupt.asked:", "    if False:"
    ),
    "snapshots after the budget count": Plant(
        supervisor.Supervisor,
        "_late",
        "sent_ns > gun_ns + self._limits.budget_s * NS_PER_S",
        "False",
    ),
    "seals are not checked": Plant(
        supervisor, "check_sealed", "if seals & SEALS != SEALS:", "if False:"
    ),
    "a bundle is sealed and not signed, although there is a key": Plant(
        bundle_writer.BundleWriter, "seal", "refused = self._sign(manifest)", "refused = None"
    ),
    "a sampler that died is not told of": Plant(
        train, "_stop_meters", "state.observation.findings.append(finding)", "pass"
    ),
    "a failed measurement does not degrade": Plant(
        conductor, "seal", "verdict = degrade(verdict, findings)", "pass"
    ),
    "a fault of the harness is not told from the submission's": Plant(
        state.RunState, "fail", 'self.observation.ended_by = "fault"', "pass"
    ),
    "runs that were sealed and cut off are never closed": Plant(
        bundle_writer, "open_bundle", "_finish_sealed(ledger, results)", "pass"
    ),
    "the last snapshot of a run that was cut short is leaked": Plant(
        supervisor.Supervisor, "await_exit", "self._snapshots.accept_last()", "pass"
    ),
}


def plant(name: str, patch: pytest.MonkeyPatch) -> None:
    """Put a bug in its place until the patch is undone; AssertionError where the text is gone."""
    owner, function, old, new = PLANTS[name]
    real = getattr(owner, function)
    text = textwrap.dedent(inspect.getsource(real))
    assert text.count(old) == 1, f"{real.__qualname__} does not hold {old!r} once: plant it again"
    names: dict[str, Any] = {}
    code = compile(text.replace(old, new), f"<planted in {real.__qualname__}>", "exec")
    exec(code, real.__globals__, names)
    patch.setattr(owner, function, names[function])
    for module in _importers(function, real):
        patch.setattr(module, function, names[function])


def _importers(name: str, real: Any) -> list[Any]:
    """Modules of the harness that hold the same function under its name."""
    modules = [item for key, item in sys.modules.items() if key.startswith("harness")]
    return [module for module in modules if getattr(module, name, None) is real]


def result(name: str, limit: int) -> str:
    """What the first of the schedules says that finds the bug; empty where none does."""
    with pytest.MonkeyPatch.context() as patch:
        plant(name, patch)
        return next((said for seed in range(limit) if (said := repeat(seed))), "")


def main(names: list[str]) -> int:
    """Look for each bug in the first thousand schedules."""
    missed = 0
    for name in names or PLANTS:
        said = result(name, 1000)
        missed += not said
        sys.stdout.write(f"{name}: {said or 'NOT FOUND'}\n")
        sys.stdout.flush()
    return min(missed, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
