"""Plug-ins: a file in a folder is enough, a broken one is told, a wrong name gets a hint."""

import importlib.metadata
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness import registry
from harness.registry import (
    KINDS,
    PLUGINS_VARIABLE,
    Broken,
    BrokenPlugin,
    Plugin,
    UnknownPlugin,
    discover,
    find,
    load_target,
    locate,
    plugin_name,
    sources,
    suggestion,
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A plug-in folder that the registry looks into."""
    monkeypatch.setenv(PLUGINS_VARIABLE, str(tmp_path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    (tmp_path / "checks").mkdir()
    return tmp_path


def drop(folder: Path, text: str, name: str = "my_check") -> Path:
    path = folder / "checks" / f"{name}.py"
    path.write_text(text)
    return path


def of_name(name: str) -> Plugin | Broken:
    (plugin,) = (item for item in discover("checks") if item.name == name)
    return plugin


def test_a_dropped_file_is_a_plug_in_with_no_edit_elsewhere(folder: Path) -> None:
    path = drop(folder, "CHECK = 42\n")
    plugin = of_name("my-check")
    assert isinstance(plugin, Plugin)
    assert (plugin.value, plugin.source.path, plugin.source.origin) == (42, path, str(folder))
    assert find("checks", "my-check").value == 42


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("CHECK = ", "SyntaxError"),
        ("import nothing_of_that_name\nCHECK = 1\n", "ModuleNotFoundError"),
        ("OTHER = 1\n", "defines no CHECK"),
        ("raise SystemExit('gone')\n", "SystemExit: gone"),
        ("raise ValueError\n", "ValueError: no message"),
        ("1 / 0\n", "ZeroDivisionError"),
    ],
)
def test_a_broken_plug_in_is_listed_with_its_error(folder: Path, text: str, error: str) -> None:
    drop(folder, text)
    plugin = of_name("my-check")
    assert isinstance(plugin, Broken)
    assert error in plugin.error
    assert "\n" not in plugin.error
    with pytest.raises(BrokenPlugin, match=r"my-check.*does not load") as caught:
        find("checks", "my-check")
    assert error in str(caught.value)


def test_a_broken_plug_in_hides_no_other_one(folder: Path) -> None:
    drop(folder, "raise OSError\n", "a_broken")
    drop(folder, "CHECK = 1\n", "z_sound")
    assert isinstance(of_name("a-broken"), Broken)
    assert isinstance(of_name("z-sound"), Plugin)
    assert isinstance(of_name("isolation"), Plugin)


def test_a_name_that_is_taken_is_reported_not_overridden(folder: Path) -> None:
    drop(folder, "CHECK = 'mine'\n", "isolation")
    first, second = (item for item in discover("checks") if item.name == "isolation")
    assert isinstance(first, Plugin)
    assert first.source.origin == "built-in"
    assert isinstance(second, Broken)
    assert "taken by" in second.error
    assert find("checks", "isolation").value != "mine"


def test_names_with_an_underscore_in_front_are_no_plug_ins(folder: Path) -> None:
    drop(folder, "CHECK = 1\n", "_private")
    drop(folder, "CHECK = 1\n", "__init__")
    assert not [
        source for source in sources("checks") if "private" in source.name or "init" in source.name
    ]


def test_a_folder_that_is_not_there_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PLUGINS_VARIABLE, f"{tmp_path / 'none'}::{tmp_path}")
    assert {source.origin for source in sources("checks")} == {"built-in"}


def test_submissions_are_folders_and_rulesets_are_toml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PLUGINS_VARIABLE, str(tmp_path))
    mine = tmp_path / "submissions" / "my-entry"
    mine.mkdir(parents=True)
    (mine / "submission.toml").write_text("")
    (tmp_path / "submissions" / "no-entry").mkdir()
    (tmp_path / "rulesets").mkdir()
    (tmp_path / "rulesets" / "my_rules.toml").write_text("")
    assert find("submissions", "my-entry").value == mine
    assert "no-entry" not in {source.name for source in sources("submissions")}
    assert find("rulesets", "my-rules").value.name == "my_rules.toml"


def test_installed_packages_bring_plug_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    point = importlib.metadata.EntryPoint("gauge", "json:dumps", "joulemark.checks")
    named = SimpleNamespace(name=point.name, value=point.value, dist=SimpleNamespace(name="acme"))
    points = {"joulemark.checks": (named,)}
    monkeypatch.setattr(registry, "_entry_points", lambda group: points.get(group, ()))
    plugin = of_name("gauge")
    assert isinstance(plugin, Plugin)
    assert plugin.source.origin == "acme"
    assert plugin.value([1]) == "[1]"


def test_an_unknown_name_gets_near_ones() -> None:
    with pytest.raises(UnknownPlugin, match=r"unknown check .isolaton.: did you mean isolation\?"):
        find("checks", "isolaton")
    with pytest.raises(UnknownPlugin, match="there are: "):
        find("checks", "qqqqqq")


def test_suggestions() -> None:
    assert suggestion("abc", []) == "there are: none"
    assert suggestion("digits-mpl", ["digits-mlp", "markov-lm"]) == "did you mean digits-mlp?"
    assert plugin_name("digits_mlp") == "digits-mlp"


def test_a_plug_in_can_be_handed_to_another_process(folder: Path) -> None:
    drop(folder, "CHECK = [1, 2]\n")
    place = locate(find("checks", "my-check").source)
    assert all(isinstance(item, str) for item in place.values())
    assert load_target(place, "CHECK") == [1, 2]
    built_in = locate(find("checks", "isolation").source)
    assert load_target(built_in, "CHECK") is find("checks", "isolation").value
    with pytest.raises(AttributeError, match="defines no METER"):
        load_target(place, "METER")


def test_listing_imports_nothing(folder: Path) -> None:
    drop(folder, "raise RuntimeError('was imported')\n")
    assert "my-check" in {source.name for source in sources("checks")}


@pytest.mark.parametrize("kind", KINDS)
def test_every_built_in_plug_in_loads(kind: str) -> None:
    broken = [item for item in discover(kind) if isinstance(item, Broken)]
    assert not broken


@pytest.mark.parametrize("kind", KINDS)
def test_names_are_unique_and_typeable(kind: str) -> None:
    names = [source.name for source in sources(kind)]
    assert len(names) == len(set(names))
    assert all(name == name.lower() and "_" not in name for name in names)
