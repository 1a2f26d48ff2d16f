"""Which meters are read: asked for by name, or what the machine has."""

from pathlib import Path

import pytest

from harness.measure import choice
from harness.measure.choice import (
    MeterChoice,
    MeterUnavailable,
    Probed,
    automatic,
    choose,
    parse,
    require_opened,
)
from harness.plugins import Availability
from harness.registry import PLUGINS_VARIABLE, Broken, Plugin, PluginSource, UnknownPlugin

HARDWARE = {"nvml", "rapl", "perf-energy", "amdsmi", "hwmon", "ipmi"}


@pytest.fixture(autouse=True)
def _no_host_sensors(monkeypatch):
    """No probe of a hardware meter: the outcome must not depend on this machine."""
    probe = choice._probe

    def guarded(plugin: Plugin | Broken) -> Probed:
        if plugin.name not in HARDWARE or isinstance(plugin, Broken):
            return probe(plugin)
        return Probed(plugin.name, plugin, Availability(ok=False, reason="not probed in tests"))

    monkeypatch.setattr(choice, "_probe", guarded)


class Meter:
    """A meter plug-in as far as the choice looks at it."""

    def __init__(self, origin: str, kinds: tuple[str, ...], stands_in_for: str = "") -> None:
        self.origin = origin
        self.kinds = kinds
        self.stands_in_for = stands_in_for


def probed(
    name: str, meter: Meter | None = None, *, ok: bool = True, reason: str = "there"
) -> Probed:
    source = PluginSource(name, None, "built-in", f"harness.meters.{name}")
    plugin = Plugin(name, meter or Meter("hardware", ("cpu",)), source)
    return Probed(name, plugin, Availability(ok=ok, reason=reason, advice="fix it"))


NVML = probed("nvml", Meter("hardware", ("gpu",)))
RAPL = probed("rapl", Meter("hardware", ("cpu", "dram")))
PERF = probed("perf-energy", Meter("hardware", ("cpu", "dram"), stands_in_for="rapl"))
GUESS = probed("codecarbon", Meter("modelled", ("cpu", "dram")))
FAKE = probed("fake", Meter("simulated", ("node",)))
LOG = probed("logfile", Meter("external", ("wall",)))


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        ([GUESS, FAKE], ["codecarbon"]),
        ([NVML, GUESS, FAKE], ["nvml", "codecarbon"]),
        ([NVML, RAPL, GUESS, FAKE, LOG], ["nvml", "rapl"]),
        ([RAPL, PERF, GUESS], ["rapl"]),
        ([PERF, GUESS], ["perf-energy"]),
        ([FAKE, LOG], []),
        ([probed("rapl", ok=False), GUESS], ["codecarbon"]),
        ([probed("codecarbon", ok=False)], []),
    ],
)
def test_auto_takes_sensors_and_estimates_only_where_none_sees_the_processor(there, chosen):
    assert [item.name for item in automatic(there)] == chosen


@pytest.mark.parametrize(
    ("text", "name", "options"),
    [
        ("nvml", "nvml", {}),
        ("fake:watts=100", "fake", {"watts": "100"}),
        ("fake:watts=100,shape=sine", "fake", {"watts": "100", "shape": "sine"}),
        ("replay:path=/a,b/c.csv,speed=2", "replay", {"path": "/a,b/c.csv", "speed": "2"}),
        ("logfile:columns=t=time", "logfile", {"columns": "t=time"}),
    ],
)
def test_options_are_read_from_text(text, name, options):
    assert parse(text) == (name, options)


def test_what_is_no_option_is_refused():
    with pytest.raises(ValueError, match="'100' is not key=value"):
        parse("fake:100")


def test_none_reads_nothing_and_lists_every_meter():
    chosen, meters = choose(["none"])
    assert chosen == []
    assert {"nvml", "rapl", "codecarbon", "fake", "replay"} <= {meter.name for meter in meters}
    assert not any(meter.chosen for meter in meters)
    assert all(meter.reason for meter in meters)


def test_none_excludes_others():
    with pytest.raises(ValueError, match="excludes other meters"):
        choose(["none", "fake"])


def test_simulation_is_chosen_by_name_alone():
    chosen, meters = choose(["fake:watts=50"])
    assert [(item.name, item.target, item.options) for item in chosen] == [
        ("fake", "harness.meters.fake", {"watts": "50"})
    ]
    assert [meter.name for meter in meters if meter.chosen] == ["fake"]
    assert {"fake", "replay"}.isdisjoint(item.name for item in choose([])[0])


def test_an_unknown_meter_is_answered_with_near_names():
    with pytest.raises(UnknownPlugin, match=r"unknown meter 'rapll': did you mean rapl"):
        choose(["rapll"])


def test_a_meter_that_is_asked_for_and_missing_is_refused_with_advice(monkeypatch):
    absent = probed("rapl", ok=False, reason="no zone")
    monkeypatch.setattr(choice, "probe_all", lambda: [absent])
    with pytest.raises(MeterUnavailable, match="'rapl' cannot be read here: no zone; fix it"):
        choose(["rapl"])


def test_a_path_given_as_option_can_make_a_meter_available(monkeypatch):
    monkeypatch.setattr(choice, "probe_all", lambda: [probed("rapl", ok=False)])
    chosen, _ = choose(["rapl:root=/somewhere"])
    assert chosen[0].options == {"root": "/somewhere"}


def test_a_broken_plug_in_is_listed_with_its_error(monkeypatch, tmp_path: Path):
    folder = tmp_path / "meters"
    folder.mkdir()
    (folder / "broken.py").write_text("import no_such_library\n")
    (folder / "mine.py").write_text(
        "from harness.meters.fake import FakeMeter\nMETER = FakeMeter()\n"
    )
    monkeypatch.setenv(PLUGINS_VARIABLE, str(tmp_path))
    chosen, meters = choose(["mine"])
    by_name = {meter.name: meter for meter in meters}
    assert not by_name["broken"].available
    assert "no_such_library" in by_name["broken"].reason
    assert chosen[0].path == str(folder / "mine.py")
    with pytest.raises(MeterUnavailable, match="does not load"):
        choose(["broken"])


def test_a_probe_that_raises_is_an_unavailable_meter(monkeypatch, tmp_path: Path):
    folder = tmp_path / "meters"
    folder.mkdir()
    (folder / "sour.py").write_text(
        "class Sour:\n    def probe(self):\n        raise OSError('no bus')\nMETER = Sour()\n"
    )
    monkeypatch.setenv(PLUGINS_VARIABLE, str(tmp_path))
    sour = next(item for item in choose(["none"])[1] if item.name == "sour")
    assert not sour.available
    assert "OSError: no bus" in sour.reason


def test_only_what_was_asked_for_by_name_is_required():
    result = {item.name: item.asked for item in choose(["auto", "fake:watts=5"])[0]}
    assert result.pop("fake")
    assert not any(result.values())


def test_a_meter_that_was_asked_for_and_did_not_open_is_refused():
    fake = MeterChoice(name="fake", asked=True)
    result = MeterChoice(name="nvml")
    require_opened([fake, result], {"nvml": "the driver went away"})
    with pytest.raises(MeterUnavailable, match="meter 'fake' was requested and did not open: gone"):
        require_opened([fake, result], {"fake": "gone"})
