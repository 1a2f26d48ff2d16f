"""nvidia-smi's readings: integral by GPU, units anywhere, sensors that say nothing."""

from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.powerlogs.nvidia_smi_csv import FORMAT, gpus_in_bursts
from harness.powerlogs.table import figure
from harness.records import ImportedRun
from tests.powerlogs.importing import import_log

HEADER = "timestamp, index, name, power.draw [W]\n"


def only(path: Path, text: str) -> ImportedRun:
    file = path / "gpu.csv"
    file.write_text(text, newline="")
    (run,) = import_log(FORMAT, file).runs
    return run


def rows(*power: str, gpu: int = 0, second: int = 0) -> str:
    return "".join(
        f"2026/11/22 10:00:{second + i:02d}.500, {gpu}, NVIDIA A100, {item}\n"
        for i, item in enumerate(power)
    )


def test_joules_by_gpu(tmp_path: Path) -> None:
    text = HEADER + rows("100.00 W", "200.00 W", "300.00 W") + rows("49 W", "50 W", "51 W", gpu=1)
    run = only(tmp_path, text)
    assert run.energy_by_domain_j == {"gpu-0": 400.0, "gpu-1": 100.0}
    assert run.energy_by_method_j == {"window": 500.0}
    assert (run.time_s, run.energy_kind) == (2.0, "sampled")
    assert run.machine == "2x NVIDIA A100"
    assert run.facts["power_column"] == "power.draw"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(" W\n", "\n"),
        lambda text: text.replace(" [W]", ""),
        lambda text: "\ufeff" + text.replace("\n", "\r\n"),
        lambda text: text.replace("power.draw", "power.draw.instant"),
        lambda text: text.replace(", ", ","),
        lambda text: text + HEADER,
    ],
    ids=["no units", "no unit in header", "windows", "instant", "no blanks", "header again"],
)
def test_dialects(tmp_path: Path, change) -> None:
    assert only(tmp_path, change(HEADER + rows("100 W", "300 W"))).energy_by_method_j == {
        "window": 200.0
    }


def test_stamps_of_today_keep_their_milliseconds(tmp_path: Path) -> None:
    text = "timestamp, power.draw [W]\n" + "".join(
        f"2026/08/17 22:35:{stamp}, {power} W\n"
        for stamp, power in (("54.844", 44.94), ("55.848", 45.06), ("56.848", 45.05))
    )
    run = only(tmp_path, text)
    assert run.time_s == 2.004
    assert run.energy_by_method_j == {"window": pytest.approx(90.235, rel=1e-12)}


def test_gpus_without_index_go_by_uuid(tmp_path: Path) -> None:
    text = "uuid,power.draw [W],timestamp\nGPU-a,10 W,2026/01/01 00:00:00\n"
    text += "GPU-b,20 W,2026/01/01 00:00:00\nGPU-a,10 W,2026/01/01 00:00:02\n"
    text += "GPU-b,20 W,2026/01/01 00:00:02\n"
    assert only(tmp_path, text).energy_by_domain_j == {"gpu-GPU-a": 20.0, "gpu-GPU-b": 40.0}


def power(second: int, gpu: int) -> int:
    """Power that changes, and whose integral over five seconds is that of its mean."""
    return 100 + gpu + (second % 2 * 2 - 1) * (0 < second < 5)


@pytest.mark.parametrize("apart_ms", [0, 3])
@pytest.mark.parametrize("gpus", [1, 2, 4, 8])
def test_gpus_without_any_mark_go_by_their_bursts(tmp_path: Path, gpus: int, apart_ms: int) -> None:
    text = "timestamp, name, power.draw [W]\n" + "".join(
        f"2026/11/22 10:00:{second:02d}.{100 + gpu * apart_ms}, NVIDIA A100, "
        f"{power(second, gpu)} W\n"
        for second in range(6)
        for gpu in range(gpus)
    )
    run = only(tmp_path, text)
    assert run.energy_by_domain_j == pytest.approx(
        {f"gpu-{gpu}": 5.0 * (100 + gpu) for gpu in range(gpus)}, rel=0.01
    )
    assert run.machine == f"{gpus}x NVIDIA A100"
    assert [finding.rule for finding in run.findings] == ["nvidia-smi-csv-index"] * (gpus > 1)


@given(st.lists(st.floats(0.5, 1.5), min_size=6, max_size=40))
def test_one_gpu_with_jitter_is_no_burst(steps: list[float]) -> None:
    assert gpus_in_bursts(list(accumulate(steps))) == 1


def test_sensors_that_say_nothing_are_missing_not_zero(tmp_path: Path) -> None:
    run = only(tmp_path, HEADER + rows("100 W", "[N/A]", "100 W", "[Not Supported]"))
    assert run.energy_by_method_j == {"window": 200.0}
    assert "2 readings say that power is not available" in run.findings[0].message


def test_a_clock_set_back_and_a_gap_are_reported(tmp_path: Path) -> None:
    back = only(tmp_path, HEADER + rows("9 W", "8 W", second=5) + rows("9 W", "8 W"))
    assert "nvidia-smi-csv-order" in {finding.rule for finding in back.findings}
    assert back.energy_by_method_j == {"window": 25.5}
    watts = [f"{90 + i} W" for i in range(5)]
    gap = only(tmp_path, HEADER + rows(*watts) + rows("9 W", second=30))
    assert gap.energy_by_method_j == {}
    assert any("'gpu-0' was not read for 26 s" in finding.message for finding in gap.findings)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no reading; expected the output of nvidia-smi"),
        (rows("100 W", "100 W"), "record again with a header"),
        (HEADER, "expected the output of nvidia-smi"),
        (HEADER + "2026/11/22 10:00:00, 0, A100\n", "expected the output of nvidia-smi"),
        (HEADER + rows("[N/A]"), "expected the output of nvidia-smi"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "gpu.csv").write_text(text)
    archive = import_log(FORMAT, tmp_path)
    assert archive.runs == []
    assert said in archive.findings[-1].message


def test_a_cut_row_is_named_by_number(tmp_path: Path) -> None:
    run = only(tmp_path, HEADER + rows("100 W", "100 W") + "2026/11/22 10:0")
    assert "line 4" in run.findings[0].message
    assert run.energy_by_method_j == {"window": 100.0}


def test_fields() -> None:
    assert figure("39.43 W") == 39.43
    assert figure("39430 mW") == 39.43
    assert figure("-1 W") is None
    assert figure("ERR!") is None
