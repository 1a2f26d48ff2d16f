"""The strongest launcher that works is taken, and the reason names the others."""

from pathlib import Path
from typing import Any

import pytest

from harness import registry
from harness.launchers import _identity, choice, plain
from harness.plugins import Availability

PROBES = Availability(ok=True, reason="it works")
LOST = Availability(ok=False, reason="it is blocked", advice="sudo sysctl -w a.b=0")


class Fake:
    level = "none"

    def __init__(self, result: Availability | Exception) -> None:
        self.result = result

    def probe(self) -> Availability:
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def plugins(monkeypatch: pytest.MonkeyPatch, **launchers: Any) -> None:
    def plugin(name: str) -> registry.Plugin | registry.Broken:
        source = registry.PluginSource(name, None, "test", "")
        value = launchers[name]
        if isinstance(value, str):
            return registry.Broken(name, value, source)
        return registry.Plugin(name, Fake(value), source)

    monkeypatch.setattr(registry, "discover", lambda kind: [plugin(name) for name in launchers])

    def find(kind: str, name: str) -> registry.Plugin:
        probe = plugin(name)
        assert isinstance(probe, registry.Plugin)
        return probe

    monkeypatch.setattr(registry, "find", find)


def test_the_strongest_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    plugins(monkeypatch, plain=PROBES, landlock=PROBES, bubblewrap=PROBES)
    assert choice.choose()[0] == "bubblewrap"
    plugins(monkeypatch, plain=PROBES, landlock=PROBES, bubblewrap=LOST)
    name, _, reason = choice.choose()
    assert name == "landlock"
    assert "bubblewrap does not work here: it is blocked" in reason
    assert "sudo sysctl -w a.b=0" in reason


def test_a_broken_one_is_passed_over_with_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    plugins(monkeypatch, landlock=PROBES, bubblewrap="ImportError: no x")
    name, _, reason = choice.choose("auto")
    assert name == "landlock"
    assert "ImportError: no x" in reason


def test_auto_never_runs_without_isolation(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = {"bubblewrap": "ImportError: no x", "landlock": RuntimeError("odd kernel")}
    plugins(monkeypatch, plain=PROBES, **broken)
    with pytest.raises(choice.LauncherUnavailable) as raised:
        choice.choose("auto")
    assert raised.value.exit_code == 6
    for part in ("ImportError: no x", "RuntimeError: odd kernel", "--launcher plain"):
        assert part in str(raised.value)
    assert [item for item, probe in choice.probes() if probe.ok] == ["plain"]
    assert [element for element, _ in choice.probes()] == ["bubblewrap", "landlock", "plain"]


def test_what_was_asked_for_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    plugins(monkeypatch, plain=PROBES, bubblewrap=LOST)
    with pytest.raises(choice.LauncherUnavailable, match=r"bubblewrap.*blocked.*sysctl"):
        choice.choose("bubblewrap")
    assert choice.choose("plain")[0] == "plain"


def test_strangers_are_used_by_name_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    plugins(monkeypatch, aardvark=PROBES, plain=LOST)
    with pytest.raises(choice.LauncherUnavailable, match="no launcher that isolates works here"):
        choice.choose()
    assert choice.choose("aardvark")[0] == "aardvark"
    assert [name for name, _ in choice.probes()] == ["plain", "aardvark"]


def test_plain_never_runs_as_root_unless_sources_are_trusted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_identity, "is_root", lambda: True)
    monkeypatch.setattr(_identity, "unreachable", lambda paths: Path("/root"))
    monkeypatch.delenv("JOULEMARK_TRUST_SOURCES")
    probe = plain.LAUNCHER.probe()
    assert not probe.ok
    assert "/root: closed to other users" in probe.reason
    monkeypatch.setenv("JOULEMARK_TRUST_SOURCES", "1")
    assert plain.LAUNCHER.probe().ok


def test_an_unknown_name_gets_a_hint() -> None:
    with pytest.raises(registry.UnknownPlugin, match="bubblewrap"):
        choice.choose("bublewrap")


def test_supporting_modules_are_no_launchers() -> None:
    probe = {source.name for source in registry.sources("launchers")}
    assert {"bubblewrap", "landlock", "plain"} <= probe
    folder = Path(choice.__file__).parent
    others = {path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")} - probe
    assert others == {"choice", "interpreter"}
