"""Chooses the launcher with the strongest isolation that works on this machine."""

from typing import cast

from harness import registry
from harness.errors import ExitCode, JouleMarkError
from harness.plugins import Availability, Launcher

ISOLATING = ("bubblewrap", "landlock")
"""Launchers that `auto` chooses from, the strongest isolation first."""
AUTO = "auto"
PLAIN = "plain"


class LauncherUnavailable(JouleMarkError, RuntimeError):
    """The requested launcher does not work here; the message says why and what to do."""

    exit_code = ExitCode.MISSING


def _with_advice(probe: Availability) -> str:
    return f"{probe.reason} (to change that: {probe.advice})" if probe.advice else probe.reason


def _probe(plugin: registry.Plugin | registry.Broken) -> Availability:
    """Probe a launcher; an error of the plug-in becomes a reason."""
    if isinstance(plugin, registry.Broken):
        return Availability(ok=False, reason=f"does not load: {plugin.error}")
    try:
        return cast("Launcher", plugin.value).probe()
    except Exception as error:  # noqa: BLE001 - any error is reported
        return Availability(ok=False, reason=f"its probe failed: {type(error).__name__}: {error}")


def _rank(name: str) -> tuple[int, str]:
    order = (*ISOLATING, PLAIN)
    return (order.index(name) if name in order else len(order), name)


def probes() -> list[tuple[str, Availability]]:
    """Name and availability of every launcher, broken ones too, in the order of preference."""
    plugins = sorted(registry.discover("launchers"), key=lambda plugin: _rank(plugin.name))
    return [(plugin.name, _probe(plugin)) for plugin in plugins]


def _named(name: str) -> tuple[str, Launcher, str]:
    plugin = registry.find("launchers", name)
    probe = _probe(plugin)
    if not probe.ok:
        raise LauncherUnavailable(f"launcher {name} is not available here: {_with_advice(probe)}")
    return name, cast("Launcher", plugin.value), f"{name} was requested: {probe.reason}"


def choose(name: str = AUTO) -> tuple[str, Launcher, str]:
    """Choose a launcher; returns its name, the launcher, and the reason for the choice.

    `auto` tries bubblewrap, then landlock; the reason names those that do not work. `plain`, which
    does not isolate, and launchers of other packages are used only by name.

    Raises:
        UnknownPlugin: no launcher has that name.
        BrokenPlugin: the launcher does not load.
        LauncherUnavailable: the launcher, or with `auto` every launcher, does not work here.
    """
    if name != AUTO:
        return _named(name)
    failed: list[str] = []
    plugins = [plugin for plugin in registry.discover("launchers") if plugin.name in ISOLATING]
    for plugin in sorted(plugins, key=lambda plugin: _rank(plugin.name)):
        probe = _probe(plugin)
        if probe.ok and isinstance(plugin, registry.Plugin):
            reason = "; ".join([f"{plugin.name}: {probe.reason}", *failed])
            return plugin.name, cast("Launcher", plugin.value), reason
        failed.append(f"{plugin.name} does not work here: {_with_advice(probe)}")
    raise LauncherUnavailable(
        f"no launcher that isolates works here: {'; '.join(failed) or 'there is none'}; "
        f"`--launcher {PLAIN}` runs a submission that you trust without isolation"
    )
