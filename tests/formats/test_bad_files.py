"""Damaged recordings of every format: each is named, and none loses the good one beside it."""

from pathlib import Path

import pytest

from harness.formats.format import Format
from harness.records import Finding
from harness.registry import find

GOOD = {
    "codecarbon-csv": ("a.csv", "run_id,duration,energy_consumed\nr1,10.0,1e-5\nr2,11.0,2e-5\n"),
    "zeus-csv": (
        "a.csv", ("start_time,window_name,elapsed_time,gpu0_energy\n1.0,epoch,9.5,900.5\n"
        "11.0,epoch,9.25,905.5\n"),
    ),
    "nvidia-smi-csv": (
        "a.csv", ("timestamp, index, power.draw [W]\n2026/01/01 00:00:00.000, 0, 100.00 W\n"
        "2026/01/01 00:00:01.000, 0, 100.00 W\n"),
    ),
    "perf-stat": (
        "a.txt", ("1.0;20.50;Joules;power/energy-pkg/;1;100.00;;\n"
        "2.0;20.50;Joules;power/energy-pkg/;1;100.00;;\n"),
    ),
    "turbostat": ("a.txt", "CPU\tPkg_J\n-\t100.0\n0\t100.0\n-\t200.0\n"),
    "ptdaemon": (
        "spl.txt", ("Time,01-02-2026 10:00:00.000,Watts,20.5,Mark,r_testing\n"
        "Time,01-02-2026 10:00:01.000,Watts,20.5,Mark,r_testing\n"),
    ),
    "modded-nanogpt": (
        "a.log", "step:0/2 val_loss:10.8 train_time:0ms\nstep:2/2 val_loss:3.2 train_time:90ms\n",
    ),
}  # fmt: skip

DAMAGES = {
    "empty": lambda text: "",
    "truncated": lambda text: text[: len(text) * 3 // 4],
    "only its header": lambda text: text.splitlines()[0][:20],
    "other locale": lambda text: text.replace(".", ","),
    "twice in one": lambda text: text + text,
    "reordered": lambda text: "\n".join(reversed(text.splitlines())) + "\n",
    "nul bytes": lambda text: text.replace("0", "\0"),
    "hostile": lambda text: "=cmd|' /C calc'!A0," * 3000 + "\n" + "\x1b[31m" * 50 + "9" * 9000,
    "huge numbers": lambda text: text.replace("1", "9e999"),
}


def good(plugin: Format, folder: Path, name: str, text: str) -> list[tuple[str, object]]:
    """Write a good recording; returns its runs."""
    folder.mkdir(parents=True)
    (folder / name).write_text(text)
    assert plugin.read is not None
    return [(run.run, run.energy_by_method_j) for run in plugin.read(folder).runs]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", GOOD)
def test_a_damaged_recording_never_loses_its_neighbour(
    name: str, damage: str, tmp_path: Path
) -> None:
    plugin: Format = find("formats", name).value
    file, text = GOOD[name]
    expected = good(plugin, tmp_path / "good", file, text)
    assert expected
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / file).write_text(DAMAGES[damage](text), newline="")
    assert plugin.read is not None
    archive = plugin.read(tmp_path)
    kept = [(run.run, run.energy_by_method_j) for run in archive.runs if run.submission == "good"]
    assert kept == expected
    stated = [*archive.findings, *(finding for run in archive.runs for finding in run.findings)]
    bad = [run for run in archive.runs if run.submission == "bad"]
    assert stated or bad, "no finding and no run"
    assert all(_is_a_sentence(item, tmp_path) for item in stated)


def _is_a_sentence(finding: Finding, root: Path) -> bool:
    """One line, not endless, that names the file."""
    text = finding.message
    return "\n" not in text and "\x1b" not in text and len(text) < 1000 and str(root) in text
