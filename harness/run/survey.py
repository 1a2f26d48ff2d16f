"""Looks the machine over before and after a run."""

from pathlib import Path

from harness.measure.machine import describe
from harness.measure.preflight import changes, facts
from harness.measure.watch import watched
from harness.records import Machine
from harness.run.order import Order
from harness.run.sandboxes import versions


def survey_before(order: Order) -> Machine:
    """The machine as it is found, with the versions that this workload's results depend on."""
    change = {
        "before": tuple(facts()),
        "packages": versions(order.workload.packages),
        "price_usd_per_h": order.price_usd_per_h,
    }
    return describe().model_copy(update=change)


def survey_after(machine: Machine, folder: Path) -> Machine:
    """The same machine when the run is over; `folder` holds what was watched meanwhile."""
    after = tuple(facts())
    during = (*watched(folder), *changes(machine.before, after))
    return machine.model_copy(update={"after": after, "during": during})
