"""Reads a power log by its format plug-in."""

from pathlib import Path

from harness.formats.format import Archive, Format


def import_log(plugin: Format, path: Path) -> Archive:
    """What the plug-in reads at the path."""
    assert plugin.read is not None
    return plugin.read(path)
