"""Opens the meters of a run in the sampler process, all at the same time."""

import importlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from threading import Thread
from typing import Any, NamedTuple

from harness.clock import NS_PER_S, now_ns
from harness.measure.liveness import DeadDomain, describe, find_dead
from harness.measure.session import MeterSession
from harness.plugins import Reader

_OPEN_LIMIT_S = 15.0
"""A meter that is not open by then is left out."""


class Opened(NamedTuple):
    """The result of opening one meter."""

    name: str
    reader: Reader | None
    reason: str
    """Why there is no reader."""
    dead: Sequence[DeadDomain] = ()
    """Domains that are not read since their sensors do not work."""


def load_meter(meter: Mapping[str, Any]) -> Any:
    """The meter object that a configuration entry names.

    Raises:
        ImportError: the module does not exist or cannot be loaded.
        AttributeError: it defines no such attribute.
    """
    attribute = meter.get("attribute") or "METER"
    if meter.get("target"):
        module, _, named = str(meter["target"]).partition(":")
        return getattr(importlib.import_module(module), named or attribute)
    spec = importlib.util.spec_from_file_location(f"joulemark_meter_{meter['name']}", meter["path"])
    if spec is None or spec.loader is None:
        raise ImportError(f"{meter['path']}: not a Python module")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded
    spec.loader.exec_module(loaded)
    return getattr(loaded, attribute)


def open_meter(meter: Mapping[str, Any]) -> Opened:
    """Import and open one meter; whatever it raises becomes the reason."""
    options = {str(key): str(value) for key, value in meter.get("options", {}).items()}
    try:
        reader = load_meter(meter).open(options)
    except Exception as error:  # noqa: BLE001 - plug-ins raise what they like
        text = " ".join(str(error).split()) or "no message"
        return Opened(meter["name"], None, f"{type(error).__name__}: {text}")
    if not isinstance(reader, Reader):
        return Opened(
            meter["name"], None, "open() must return a subclass of harness.plugins.Reader"
        )
    return _without_dead(meter["name"], reader)


def _without_dead(name: str, reader: Reader) -> Opened:
    """The meter with its domains whose sensors are dead; closed without a live one."""
    try:
        dead = find_dead(reader)
    except Exception:  # noqa: BLE001 - the session reports it as a fault
        dead = []
    if not dead or len(dead) < len(reader.domains):
        return Opened(name, reader, "", dead)
    reader.close()
    return Opened(name, None, describe(dead), dead)


def open_meters(
    meters: Sequence[Mapping[str, Any]], limit_s: float = _OPEN_LIMIT_S
) -> list[Opened]:
    """Open all meters at once, so that a slow one does not delay the others."""
    late = f"it did not open within {limit_s:g} s"
    results = [Opened(meter["name"], None, late) for meter in meters]

    def run(index: int) -> None:
        results[index] = open_meter(meters[index])

    threads = [Thread(target=run, args=(index,), daemon=True) for index in range(len(meters))]
    for thread in threads:
        thread.start()
    deadline_ns = now_ns() + int(limit_s * NS_PER_S)
    for thread in threads:
        thread.join(max(0.0, (deadline_ns - now_ns()) / NS_PER_S))
    return list(results)


def start_sessions(
    opened: Sequence[Opened],
) -> tuple[list[MeterSession], list[dict[str, str]]]:
    """Sessions of the opened meters, and the meters that cannot be used with the reason.

    A meter that declares a domain which another one reads already is not used.
    """
    taken: dict[str, str] = {}
    sessions: list[MeterSession] = []
    failed: list[dict[str, str]] = []
    for name, reader, fault, dead in opened:
        left_out = [item.domain.name for item in dead]
        names = (
            [spec.name for spec in reader.domains if spec.name not in left_out] if reader else []
        )
        double = next((item for item in names if item in taken or names.count(item) > 1), None)
        reason = fault or ("" if names else "it has no domain to read")
        if double:
            reason = f"the domain '{double}' is read by {taken.get(double, 'itself')} already"
        if reason or reader is None:
            failed.append({"meter": name, "reason": reason})
            continue
        taken.update(dict.fromkeys(names, name))
        sessions.append(MeterSession(name, reader, dead=left_out))
    return sessions, failed


def dead_domains(opened: Sequence[Opened]) -> list[dict[str, Any]]:
    """The dead domains of the meters that opened, as `meter`, `domain` and `reason`."""
    return [
        {"meter": item.name, "domain": asdict(dead.domain), "reason": dead.reason}
        for item in opened
        if item.reader is not None
        for dead in item.dead
    ]
