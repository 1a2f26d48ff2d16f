"""Which meters a run reads: what was asked for on the command line, or what the machine has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.errors import ExitCode, JouleMarkError
from harness.plugins import Availability
from harness.records import MeterStatus
from harness.registry import Broken, Plugin, UnknownPlugin, discover, find, suggestion

_WHOLE_KINDS = frozenset({"cpu", "node", "wall"})
"""A run without joules of any of these says nothing of its processor."""

MODELLED = "codecarbon"
"""Meter that stands in, marked as an estimate, where the machine has no sensor for those."""


class MeterUnavailable(JouleMarkError, RuntimeError):
    """A meter that was asked for by name cannot be read here; the message has reason and cure."""

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
    """Asked for by name: without it there is no run; one that `auto` found may be missing."""


@dataclass(frozen=True)
class Probed:
    """One meter plug-in and what its probe said."""

    name: str
    plugin: Plugin | None
    availability: Availability

    @property
    def origin(self) -> str:
        """`hardware`, `external`, `modelled` or `simulated`, as the plug-in declares."""
        return str(getattr(self.plugin.value, "origin", "hardware")) if self.plugin else "broken"

    @property
    def kinds(self) -> frozenset[str]:
        """Kinds of domain that it can give here."""
        return frozenset(getattr(self.plugin.value, "kinds", ())) if self.plugin else frozenset()

    @property
    def stands_in_for(self) -> str:
        """Sturdier meter of the same silicon, beside which this one would only repeat it."""
        return str(getattr(self.plugin.value, "stands_in_for", "")) if self.plugin else ""


def probe_all() -> list[Probed]:
    """Ask every meter plug-in; broken ones are listed as unavailable with their error."""
    return [_probe(found) for found in discover("meters")]


def _probe(found: Plugin | Broken) -> Probed:
    if isinstance(found, Broken):
        reason = f"the plug-in does not load: {found.error}"
        advice = f"mend or remove {found.source.path or found.source.origin}"
        return Probed(found.name, None, Availability(ok=False, reason=reason, advice=advice))
    try:
        return Probed(found.name, found, found.value.probe())
    except Exception as error:  # noqa: BLE001 - plug-ins raise what they like
        reason = f"its probe failed: {type(error).__name__}: {error}"
        return Probed(found.name, None, Availability(ok=False, reason=reason))


def parse(text: str) -> tuple[str, dict[str, str]]:
    """`name:key=value,key=value` as name and options; commas within a value are kept.

    Raises:
        ValueError: something that is no `key=value` stands where one must.
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
    """Turn `--meter` values into choices, and tell of every meter why it is read or not.

    Args:
        text: `auto` (also where nothing is given), `none`, or `name[:key=value,...]`.

    Raises:
        harness.registry.UnknownPlugin: no meter of that name; the message lists near ones.
        MeterUnavailable: a meter asked for by name cannot be read here.
        ValueError: the options cannot be understood.
    """
    wanted = [parse(item) for item in text or ("auto",)]
    names = [name for name, _ in wanted]
    if "none" in names and len(names) > 1:
        raise ValueError("--meter none cannot stand beside other meters; leave one of them out")
    _check_names(names)
    probed = probe_all()
    choices: list[MeterChoice] = []
    for name, options in wanted:
        if name == "auto":
            choices += [_choice(item, {}) for item in automatic(probed)]
        elif name != "none":
            choices.append(_choice(_by_name(probed, name, options), options))
    by_name = {choice.name: choice for choice in choices}
    chosen = [replace(item, asked=item.name in names) for item in by_name.values()]
    return chosen, records(probed, {choice.name for choice in chosen})


def require_opened(choice: Sequence[MeterChoice], failed: Mapping[str, str]) -> None:
    """Refuse to go on without a meter that was asked for by name.

    Args:
        choice: what the sampler was to open.
        failed: meter name to reason, for those that it could not open.

    Raises:
        MeterUnavailable: names the first of them, with the reason.
    """
    for item in choice:
        if item.asked and item.name in failed:
            raise MeterUnavailable(
                f"meter '{item.name}' was asked for and did not open: {failed[item.name]}; "
                f"see joulemark doctor, or leave --meter {item.name} out"
            )


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if name in ("auto", "none"):
            continue
        try:
            find("meters", name)
        except UnknownPlugin:
            known = [item.name for item in discover("meters")]
            hint = suggestion(name, [*known, "auto", "none"])
            raise UnknownPlugin(f"unknown meter '{name}': {hint}") from None
        except RuntimeError as error:
            raise MeterUnavailable(str(error)) from error


def _by_name(probed: Sequence[Probed], name: str, options: dict[str, str]) -> Probed:
    found = next(item for item in probed if item.name == name)
    # A path or host given as an option can make a meter available that has none by itself.
    if not found.availability.ok and not options:
        advice = f"; {found.availability.advice}" if found.availability.advice else ""
        raise MeterUnavailable(
            f"meter '{name}' cannot be read here: {found.availability.reason}{advice}"
        )
    return found


def automatic(probed: Sequence[Probed]) -> list[Probed]:
    """All hardware meters that are there; the modelled one where none covers the processor."""
    there = [item for item in probed if item.availability.ok and item.origin == "hardware"]
    names = {item.name for item in there}
    there = [item for item in there if item.stands_in_for not in names]
    if not any(_WHOLE_KINDS & item.kinds for item in there):
        there += [item for item in probed if item.name == MODELLED and item.availability.ok]
    return there


def sensors() -> list[MeterChoice]:
    """Every meter that can be read here as it is, estimates too: simulated ones need options."""
    origins = ("hardware", "modelled")
    there = [item for item in probe_all() if item.availability.ok and item.origin in origins]
    return [_choice(item, {}) for item in there]


def _choice(probed: Probed, options: dict[str, str]) -> MeterChoice:
    if probed.plugin is None:
        raise MeterUnavailable(
            f"meter '{probed.name}' cannot be read here: {probed.availability.reason}"
        )
    source = probed.plugin.source
    path = str(source.path) if source.path and not source.target else ""
    return MeterChoice(name=probed.name, target=source.target, path=path, options=options)


def records(probed: Sequence[Probed], chosen: set[str]) -> list[MeterStatus]:
    """Every meter with its reason, for the run's record."""
    return [
        MeterStatus(
            name=item.name,
            available=item.availability.ok,
            reason=item.availability.reason,
            advice=item.availability.advice,
            chosen=item.name in chosen,
        )
        for item in probed
    ]
