"""Chooses the meters that a run reads: those of the command line, or what the machine has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.errors import ExitCode, JouleMarkError
from harness.measure.liveness import check_meter
from harness.plugins import Availability
from harness.records import MeterStatus
from harness.registry import Broken, Plugin, UnknownPlugin, discover, find, suggestion

_PROCESSOR_KINDS = frozenset({"cpu", "node", "wall"})
"""Without a domain of these kinds a run has no energy of its processor."""

MODELLED = "codecarbon"
"""The meter that estimates the processor's energy where the machine has no sensor for it."""


class MeterUnavailable(JouleMarkError, RuntimeError):
    """A meter that was requested by name cannot be read here; the message says what to do."""

    exit_code = ExitCode.MISSING


@dataclass(frozen=True, kw_only=True)
class MeterChoice:
    """One meter that the sampler is to open."""

    name: str
    target: str = ""
    """Dotted module, as `harness.meters.nvml`; empty: load by path."""
    path: str = ""
    attribute: str = "METER"
    options: dict[str, str] = field(default_factory=dict)
    asked: bool = False
    """Whether it was requested by name: then there is no run without it."""


@dataclass(frozen=True)
class Probed:
    """One meter plug-in and the result of its probe."""

    name: str
    plugin: Plugin | None
    availability: Availability

    @property
    def origin(self) -> str:
        """`hardware`, `external`, `modelled` or `simulated`, as the plug-in declares."""
        return str(getattr(self.plugin.value, "origin", "hardware")) if self.plugin else "broken"

    @property
    def kinds(self) -> frozenset[str]:
        """Kinds of the domains that it can read here."""
        return frozenset(getattr(self.plugin.value, "kinds", ())) if self.plugin else frozenset()

    @property
    def replaces(self) -> str:
        """Another meter of the same silicon; this one is chosen only where that is missing."""
        return str(getattr(self.plugin.value, "stands_in_for", "")) if self.plugin else ""

    def choice(self, options: dict[str, str]) -> MeterChoice:
        """This meter with options.

        Raises:
            MeterUnavailable: its plug-in does not load.
        """
        if self.plugin is None:
            raise MeterUnavailable(
                f"meter '{self.name}' cannot be read here: {self.availability.reason}"
            )
        source = self.plugin.source
        path = str(source.path) if source.path and not source.target else ""
        return MeterChoice(name=self.name, target=source.target, path=path, options=options)


def probe_all() -> list[Probed]:
    """Probe every meter plug-in; broken ones are listed as unavailable with their error."""
    return [_probe(plugin) for plugin in discover("meters")]


def _probe(plugin: Plugin | Broken) -> Probed:
    if isinstance(plugin, Broken):
        reason = f"the plug-in does not load: {plugin.error}"
        advice = f"fix or remove {plugin.source.path or plugin.source.origin}"
        return Probed(plugin.name, None, Availability(ok=False, reason=reason, advice=advice))
    try:
        probed = Probed(plugin.name, plugin, plugin.value.probe())
    except Exception as error:  # noqa: BLE001 - plug-ins raise what they like
        reason = f"its probe failed: {type(error).__name__}: {error}"
        return Probed(plugin.name, None, Availability(ok=False, reason=reason))
    if probed.availability.ok and probed.origin == "hardware":
        return replace(probed, availability=check_meter(plugin.value, probed.availability))
    return probed


def parse(text: str) -> tuple[str, dict[str, str]]:
    """Split `name:key=value,key=value` into name and options; commas within a value are kept.

    Raises:
        ValueError: an option is not `key=value`.
    """
    name, _, rest = text.partition(":")
    options: dict[str, str] = {}
    key = ""
    for piece in rest.split(",") if rest else []:
        before, equals, after = piece.partition("=")
        if equals:
            key = before.strip()
            options[key] = after.strip()
        elif key:
            options[key] += f",{piece}"
        else:
            raise ValueError(
                f"--meter {text}: '{piece}' is not key=value; write name:key=value,key=value"
            )
    return name.strip(), options


def choose(text: Sequence[str]) -> tuple[list[MeterChoice], list[MeterStatus]]:
    """Turn `--meter` values into choices, and record for every meter why it is read or not.

    Args:
        text: `auto` (also where nothing is given), `none`, or `name[:key=value,...]`.

    Raises:
        harness.registry.UnknownPlugin: no meter of that name; the message lists similar names.
        MeterUnavailable: a meter that was requested by name cannot be read here.
        ValueError: the options cannot be parsed.
    """
    wanted = [parse(item) for item in text or ("auto",)]
    names = [name for name, _ in wanted]
    if "none" in names and len(names) > 1:
        raise ValueError("--meter none excludes other meters; leave one of them out")
    _check_names(names)
    probed = probe_all()
    choices: dict[str, MeterChoice] = {}
    for name, options in wanted:
        if name == "auto":
            choices |= {item.name: item.choice({}) for item in automatic(probed)}
        elif name != "none":
            choices[name] = _by_name(probed, name, options).choice(options)
    meters = [
        MeterStatus(
            name=item.name,
            available=item.availability.ok,
            reason=item.availability.reason,
            advice=item.availability.advice,
            chosen=item.name in choices,
        )
        for item in probed
    ]
    return [replace(choice, asked=choice.name in names) for choice in choices.values()], meters


def require_opened(choices: Sequence[MeterChoice], failed: Mapping[str, str]) -> None:
    """Refuse to go on without a meter that was requested by name.

    Args:
        choices: the meters that the sampler was to open.
        failed: the names of those that it could not open, with the reason.

    Raises:
        MeterUnavailable: names the first of them, with the reason.
    """
    for choice in choices:
        if choice.asked and choice.name in failed:
            raise MeterUnavailable(
                f"meter '{choice.name}' was requested and did not open: {failed[choice.name]}; "
                f"see joulemark doctor, or leave --meter {choice.name} out"
            )


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if name in ("auto", "none"):
            continue
        try:
            find("meters", name)
        except UnknownPlugin:
            known = [plugin.name for plugin in discover("meters")]
            hint = suggestion(name, [*known, "auto", "none"])
            raise UnknownPlugin(f"unknown meter '{name}': {hint}") from None
        except RuntimeError as error:
            raise MeterUnavailable(str(error)) from error


def _by_name(probed: Sequence[Probed], name: str, options: dict[str, str]) -> Probed:
    meter = next(item for item in probed if item.name == name)
    # A path or host given as an option can make a meter available.
    if not meter.availability.ok and not options:
        advice = f"; {meter.availability.advice}" if meter.availability.advice else ""
        raise MeterUnavailable(
            f"meter '{name}' cannot be read here: {meter.availability.reason}{advice}"
        )
    return meter


def automatic(probed: Sequence[Probed]) -> list[Probed]:
    """All available hardware meters; the modelled one where none of them covers the processor."""
    available = [item for item in probed if item.availability.ok and item.origin == "hardware"]
    names = {item.name for item in available}
    chosen = [item for item in available if item.replaces not in names]
    if not any(_PROCESSOR_KINDS & item.kinds for item in chosen):
        chosen += [item for item in probed if item.name == MODELLED and item.availability.ok]
    return chosen


def sensors() -> list[MeterChoice]:
    """Every meter that can be read here without options, estimates included."""
    origins = ("hardware", "modelled")
    return [
        item.choice({}) for item in probe_all() if item.availability.ok and item.origin in origins
    ]
