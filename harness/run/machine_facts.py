"""The facts of the machine before and after a run."""

import importlib.metadata
from collections.abc import Sequence
from pathlib import Path

from harness.measure.machine import describe
from harness.measure.preflight import changes, facts
from harness.measure.watch import watched
from harness.records import Machine
from harness.run.order import Order


def machine_before(order: Order) -> Machine:
    """The machine before the run, with the packages that the workload's results depend on."""
    change = {
        "before": tuple(facts()),
        "packages": versions(order.entry.workload.packages),
        "price_usd_per_h": order.rig.price_usd_per_h,
    }
    return describe().model_copy(update=change)


def machine_after(machine: Machine, folder: Path) -> Machine:
    """The same machine after the run; `folder` is the bundle with the vitals of the run."""
    after = tuple(facts())
    during = (*watched(folder), *changes(machine.before, after))
    return machine.model_copy(update={"after": after, "during": during})


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Installed version of each package; `not installed` if there is none."""
    installed = {}
    for name in packages:
        try:
            installed[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            installed[name] = "not installed"
    return installed
