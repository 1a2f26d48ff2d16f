"""Chooses a launcher by trying it: the strongest isolation that works on this machine."""

from typing import cast

from harness import registry
from harness.errors import ExitCode, JouleMarkError
from harness.plugins import Availability, Launcher

ORDER = ("bubblewrap", "landlock", "plain")
AUTO = "auto"


class LauncherUnavailable(JouleMarkError, RuntimeError):
    """The launcher that was asked for does not work here; the message says why, and the cure."""

    exit_code = ExitCode.MISSING


def _advised(found: Availability) -> str:
    return f"{found.reason} (to change that: {found.advice})" if found.advice else found.reason


def _probe(plugin: registry.Plugin | registry.Broken) -> Availability:
    """Try one; a plug-in that breaks while it is tried is no reason to stop."""
    if isinstance(plugin, registry.Broken):
        return Availability(ok=False, reason=f"does not load: {plugin.error}")
    try:
        return cast("Launcher", plugin.value).probe()
    except Exception as error:  # noqa: BLE001 - whatever a plug-in raises is reported
        return Availability(ok=False, reason=f"its probe failed: {type(error).__name__}: {error}")


def _rank(name: str) -> tuple[int, str]:
    return (ORDER.index(name) if name in ORDER else len(ORDER), name)


def probes() -> list[tuple[str, Availability]]:
    """Every launcher plug-in, broken ones too, in the order of choice, and whether it works."""
    found = sorted(registry.discover("launchers"), key=lambda plugin: _rank(plugin.name))
    return [(plugin.name, _probe(plugin)) for plugin in found]


def _named(name: str) -> tuple[str, Launcher, str]:
    plugin = registry.find("launchers", name)
    found = _probe(plugin)
    if not found.ok:
        raise LauncherUnavailable(f"launcher {name} is not available here: {_advised(found)}")
    return name, cast("Launcher", plugin.value), f"{name} was asked for: {found.reason}"


def choose(name: str = AUTO) -> tuple[str, Launcher, str]:
    """The launcher to use: its name, itself, and why it was taken.

    `auto` tries bubblewrap, then landlock, then plain; the reason names each that was passed over.
    Launchers from elsewhere are used only by name.

    Raises:
        UnknownPlugin: there is no launcher of that name.
        BrokenPlugin: it is there but does not load.
        LauncherUnavailable: it is there but does not work here, or none does.
    """
    if name != AUTO:
        return _named(name)
    passed: list[str] = []
    for plugin in sorted(registry.discover("launchers"), key=lambda each: _rank(each.name)):
        if plugin.name not in ORDER:
            continue
        found = _probe(plugin)
        if found.ok and isinstance(plugin, registry.Plugin):
            reason = "; ".join([f"{plugin.name}: {found.reason}", *passed])
            return plugin.name, cast("Launcher", plugin.value), reason
        passed.append(f"{plugin.name} was passed over: {_advised(found)}")
    raise LauncherUnavailable(f"no launcher works here: {'; '.join(passed) or 'there is none'}")
