"""MLPerf packages: every dialect of logs, three formulas for joules, and what the audit sees."""

import json
from pathlib import Path

import pytest

from harness.archives.formats.mlperf_training import FORMAT
from harness.archives.mlperf.reader import read
from harness.formats.format import FormatError
from harness.records import ImportedRun
from tests.archives.mlperf.made import (
    T0_MS,
    Power,
    Run,
    line,
    power_events,
    result_events,
    text_of,
    write_package,
)

IDLE_AROUND = Power(watts=lambda at_s: 1000.0 if 0 < at_s <= 120 else 100.0)
"""A minute of idle on both sides of two minutes of work."""


def only(root: Path) -> ImportedRun:
    (run,) = read(root).runs
    return run


def energies(root: Path, run: Run) -> dict[str, float]:
    return only(write_package(root / "acme", [run])).energy_by_method_j


def rules_of(root: Path) -> set[str]:
    archive = read(root)
    return {f.rule for f in archive.findings} | {f.rule for r in archive.runs for f in r.findings}


# --- result logs ----------------------------------------------------------------------------------


def test_names_times_and_curve(tmp_path: Path) -> None:
    run = only(write_package(tmp_path / "acme", [Run()], scaling=1.02))
    assert (run.workload, run.submission, run.machine, run.run) == (
        "resnet", "acme", "one", "result_0",
    )  # fmt: skip
    assert (run.status, run.time_s) == ("ok", 120.0)
    assert run.curve is not None
    assert run.curve.metric == {"eval_accuracy": (0.5, 0.76)}
    assert run.curve.time_s == (59.99, 119.99)
    assert (run.curve.steps_count, run.curve.steps_unit) == ((1.0, 2.0), "epoch")
    assert run.facts["seed"] == 1234
    assert run.facts["scaling_ratio"] == 1.02
    assert run.facts["system_accelerator_model_name"] == "gpu"
    assert (run.energy_by_method_j, run.energy_kind) == ({}, None)


@pytest.mark.parametrize(
    "changes",
    [{"prefix": "0: "}, {"prefix": "[1,0]<stdout>:junk :::MLLOG x "},
     {"prefix": "+ echo 'Beginning trial 1 of 5'\r\n"},
     {"dumps": {"separators": (",", ":")}}, {"dumps": {"sort_keys": True}}],
    ids=["rank prefix", "token twice", "shell trace", "compact", "other order of keys"],
)  # fmt: skip
def test_dialects_of_lines(tmp_path: Path, changes: dict) -> None:
    plain = only(write_package(tmp_path / "a/acme", [Run()]))
    other = only(write_package(tmp_path / "b/acme", [Run().but(**changes)]))
    assert (other.time_s, other.status, other.curve) == (plain.time_s, plain.status, plain.curve)


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"status": "aborted"}, "aborted", "aborted"),
        ({"status": None}, "invalid", "'None'"),
        ({"stop": False}, "crashed", "run_stop is not in the log"),
        ({"run_s": -5.0}, "invalid", "run_stop is not after run_start"),
    ],
)
def test_runs_that_do_not_count_say_why(
    tmp_path: Path, change: dict, status: str, said: str
) -> None:
    run = only(write_package(tmp_path / "acme", [Run(**change)]))
    assert run.status == status
    assert said in run.reason
    assert any(f.rule == "mlperf-run-status" and "result_0.txt" in f.message for f in run.findings)


def test_foreign_keys_and_latin_1_do_not_matter(tmp_path: Path) -> None:
    root = write_package(tmp_path / "acme", [Run()])
    path = root / "results/one/resnet/result_0.txt"
    noise = "caf\xe9 :::MLLOG " + json.dumps(line("own_key", T0_MS, "\x00")) + "\n"
    path.write_bytes(noise.encode("latin-1") + path.read_bytes())
    assert only(root).status == "ok"


@pytest.mark.parametrize(
    "bad",
    [
        ':::MLLOG {"key": "run_stop", "time_ms": 1} trailing\n',
        ':::MLLOG {"key": "run_sto\n',
        ":::MLLOG [1]\n",
        ":::MLLOG " + "[" * 100_000 + "\n",
        ':::MLLOG {"key": "run_stop", "time_ms": "soon"}\n',
    ],
    ids=["text behind", "cut", "no object", "deep", "no time"],
)
def test_a_broken_line_is_named_and_loses_only_itself(tmp_path: Path, bad: str) -> None:
    root = write_package(tmp_path / "acme", [Run()])
    path = root / "results/one/resnet/result_0.txt"
    path.write_text(bad + path.read_text())
    run = only(root)
    assert run.status == "ok"
    assert any(f"{path}, line 1" in f.message for f in run.findings)


def test_an_empty_log_does_not_lose_the_others(tmp_path: Path) -> None:
    root = write_package(tmp_path / "acme", [Run(), Run()])
    (root / "results/one/resnet/result_0.txt").write_text("")
    statuses = [run.status for run in read(root).runs]
    assert statuses == ["invalid", "ok"]


def test_several_submitters_and_strong_scaling_of_hpc(tmp_path: Path) -> None:
    write_package(tmp_path / "acme", [Run()])
    package = write_package(tmp_path / "zeta", [Run(benchmark="mask")])
    hpc = package / "results/one/strong/deepcam"
    hpc.parent.mkdir()
    (package / "results/one/mask").rename(hpc)
    result = {(run.submission, run.workload) for run in read(tmp_path).runs}
    assert result == {("acme", "resnet"), ("zeta", "deepcam")}


def test_weak_scaling_and_pruned_results_are_no_runs_of_the_benchmark(tmp_path: Path) -> None:
    package = write_package(tmp_path / "acme", [Run(benchmark="cosmoflow")])
    own = package / "results/one/cosmoflow"
    for place in ("strong", "weak", "weak/cosmoflow/pruned_results"):
        at = package / "results/one" / place
        at.mkdir(exist_ok=True, parents=True)
        target = at if at.name == "pruned_results" else at / "cosmoflow"
        target.mkdir(exist_ok=True)
        (target / "result_0.txt").write_text((own / "result_0.txt").read_text())
    (own / "result_0.txt").unlink()
    assert [run.workload for run in read(tmp_path).runs] == [
        "cosmoflow", "weak/cosmoflow", "weak/cosmoflow/pruned_results",
    ]  # fmt: skip


def test_what_editors_and_archivers_leave_is_passed_over(tmp_path: Path) -> None:
    package = write_package(tmp_path / "acme", [Run()])
    folder = package / "results/one/resnet"
    text = (folder / "result_0.txt").read_text()
    for name in (".ipynb_checkpoints", "__MACOSX"):
        (folder / name).mkdir()
        (folder / name / "result_0.txt").write_text(text)
    for name in ("._result_0.txt", ".DS_Store", "README.md"):
        (folder / name).write_bytes(b"\0\5\26\7")
    assert (only(package).workload, only(package).time_s) == ("resnet", 120.0)
    assert read(package).findings == []


def round_06(run: Run) -> str:
    """The same log as round 0.6 wrote it: seconds and key before the object."""
    return "".join(
        f":::MLL {result_event['time_ms'] / 1000:.3f} {result_event['key']}: "
        f"{json.dumps({'value': result_event['value'], 'metadata': result_event['metadata']})}\n"
        for result_event in result_events(run)
    )


def test_round_06_reads_the_same(tmp_path: Path) -> None:
    now, then = (write_package(tmp_path / name / "acme", [Run()]) for name in "ab")
    log = then / "results/one/resnet/result_0.txt"
    log.write_text("+ srun\n" + round_06(Run()) + "RESULT,IMAGE_CLASSIFICATION,,922\n")
    one, two = only(now), only(then)
    assert (two.status, two.facts, two.findings) == (one.status, one.facts, ())
    assert two.time_s == pytest.approx(one.time_s, abs=1e-6)
    assert two.curve is not None
    assert one.curve is not None
    assert two.curve.metric == one.curve.metric
    assert two.curve.time_s == pytest.approx(one.curve.time_s, abs=1e-6)


@pytest.mark.parametrize("bad", ["{", "[1]", "{'value': 1}"])
def test_a_broken_line_of_round_06_is_named(tmp_path: Path, bad: str) -> None:
    log = write_package(tmp_path / "acme", [Run()]) / "results/one/resnet/result_0.txt"
    log.write_text(round_06(Run()) + f":::MLL 1558511260.864 run_stop: {bad}\n")
    run = only(tmp_path / "acme")
    assert run.status == "ok"
    assert run.time_s == pytest.approx(120.0)
    (finding,) = run.findings
    assert finding.rule == "mlperf-broken-line"


def test_round_05_is_reported_and_not_read(tmp_path: Path) -> None:
    log = write_package(tmp_path / "acme", [Run()]) / "results/one/resnet/result_0.txt"
    log.write_text(":::MLPv0.5.0 resnet 1541685083.868862867 (mlperf_log.py:276) run_start\n")
    assert "mlperf-old-log" in rules_of(tmp_path / "acme")
    assert only(tmp_path / "acme").time_s is None


def test_the_old_name_of_mask_rcnn(tmp_path: Path) -> None:
    assert only(write_package(tmp_path / "acme", [Run(benchmark="mask")])).workload == "maskrcnn"


def test_a_bad_system_description_is_reported(tmp_path: Path) -> None:
    root = write_package(tmp_path / "acme", [Run()])
    (root / "systems/one.json").write_text("{")
    assert "mlperf-json" in rules_of(root)
    assert only(root).status == "ok"


@pytest.mark.parametrize("name", ["missing", "file", "empty"])
def test_nothing_to_import_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match="expected a submitter's folder"):
        read(tmp_path / name)
    assert FORMAT.name == "mlperf-training"


# --- joules ---------------------------------------------------------------------------------------


def test_idle_margins_lower_the_official_joules_but_not_ours(tmp_path: Path) -> None:
    result = energies(tmp_path, Run(nodes=(IDLE_AROUND,)))
    assert result["window"] == pytest.approx(120_000, rel=0.005)
    mean_w = (120 * 1000 + 120 * 100) / 240
    assert result["mlperf-current"] == pytest.approx(mean_w * 120)
    assert result["mlperf-2024-06"] == pytest.approx(mean_w * 120)


def test_the_example_with_two_sources_of_power(tmp_path: Path) -> None:
    node = Power(watts=100.0, before_s=0.0, after_s=0.0, conversion=0.9)
    result = energies(tmp_path, Run(run_s=62.0, nodes=(node,), switches=(10.0,)))
    assert result["mlperf-current"] == pytest.approx(6200.0)
    assert result["window"] == pytest.approx(6200.0)
    assert only(tmp_path / "acme").energy_kind == "declared"
    assert only(tmp_path / "acme").energy_by_domain_j == pytest.approx(
        {"node": 5580.0, "switch": 620.0}
    )


def test_edges_are_interpolated(tmp_path: Path) -> None:
    ramp = Power(watts=lambda at_s: at_s + 100, before_s=10.5, after_s=10.5)
    result = energies(tmp_path, Run(run_s=60.0, nodes=(ramp,)))
    assert result["window"] == pytest.approx(60 * 130)


@pytest.mark.parametrize(
    "dialect", [{"as_text": True}, {"metadata_text": True}], ids=["watts as text", "no metadata"]
)
def test_dialects_of_power_lines(tmp_path: Path, dialect: dict) -> None:
    plain = energies(tmp_path / "a", Run(nodes=(Power(),)))
    assert energies(tmp_path / "b", Run(nodes=(Power(**dialect),))) == plain


def test_a_stop_at_the_start_is_undefined_today_and_was_not_in_june(tmp_path: Path) -> None:
    result = energies(tmp_path, Run(nodes=(Power(stop_is_start=True),)))
    assert "mlperf-current" not in result
    assert result["mlperf-2024-06"] == pytest.approx(120_000)
    assert result["window"] == pytest.approx(120_000)
    assert "mlperf-power-stop" in rules_of(tmp_path / "acme")


def test_a_log_out_of_order_is_sorted_today_and_was_not_in_june(tmp_path: Path) -> None:
    tidy = energies(tmp_path / "a", Run(nodes=(Power(),)))
    result = energies(tmp_path / "b", Run(nodes=(Power(shuffle=True),)))
    assert result["window"] == pytest.approx(tidy["window"])
    assert result["mlperf-current"] == pytest.approx(tidy["mlperf-current"])
    assert result["mlperf-2024-06"] != pytest.approx(tidy["mlperf-2024-06"], rel=0.1)


def test_a_missing_stop_is_the_last_reading(tmp_path: Path) -> None:
    result = energies(tmp_path, Run(nodes=(Power(stop=False),)))
    assert result["mlperf-current"] == pytest.approx(120_000)


def test_joules_of_two_nodes_add_up(tmp_path: Path) -> None:
    result = energies(tmp_path, Run(nodes=(Power(watts=300.0), Power(watts=500.0))))
    assert result["window"] == pytest.approx(800 * 120)


def test_one_node_without_joules_leaves_the_run_without(tmp_path: Path) -> None:
    late = Power(before_s=-60.0)
    result = energies(tmp_path, Run(nodes=(Power(), late)))
    assert "window" not in result
    assert "mlperf-current" in result
    assert "mlperf-power-coverage" in rules_of(tmp_path / "acme")


# --- the audit ------------------------------------------------------------------------------------


def test_a_clean_log_gives_no_warning(tmp_path: Path) -> None:
    write_package(tmp_path / "acme", [Run(nodes=(Power(),))])
    assert rules_of(tmp_path / "acme") == set()


@pytest.mark.parametrize(
    ("power", "rule"),
    [
        (Power(every_s=2.0), "mlperf-power-gap"),
        (Power(skip=lambda at_s: 50 < at_s < 60), "mlperf-power-gap"),
        (Power(every_s=2.5), "mlperf-power-short"),
        (Power(shift_s=-7200.0), "mlperf-power-clock"),
        (Power(conversion=0.94), "mlperf-power-basis"),
        (Power(stop=False), "mlperf-power-stop"),
    ],
)
def test_faults_of_a_node_log(tmp_path: Path, power: Power, rule: str) -> None:
    write_package(tmp_path / "acme", [Run(nodes=(power,))])
    assert rule in rules_of(tmp_path / "acme")


def test_whole_seconds_give_duplicates_and_no_division_by_zero(tmp_path: Path) -> None:
    root = write_package(tmp_path / "acme", [Run(nodes=(Power(every_s=0.5),))])
    path = root / "results/one/resnet/power/result_0/node_0.txt"
    events = power_events(120.0, Power(every_s=0.5))
    for event in events:
        event["time_ms"] = event["time_ms"] // 1000 * 1000
    path.write_text(text_of(events))
    assert "mlperf-power-duplicate" in rules_of(root)
    result = only(root).energy_by_method_j
    assert result["window"] == pytest.approx(120_000)
    assert result["mlperf-current"] == pytest.approx(120_000)


def test_a_switch_that_measured_counts_as_nothing_and_is_reported(tmp_path: Path) -> None:
    root = write_package(tmp_path / "acme", [Run(nodes=(Power(),))])
    place = root / "results/one/resnet/power/result_0"
    events = power_events(120.0, Power(watts=50.0, shift_s=-9000.0))
    (place / "sw_0.txt").write_text(text_of(events))
    run = only(root)
    assert run.energy_by_method_j["mlperf-current"] == pytest.approx(120_000)
    assert run.energy_by_method_j["window"] == pytest.approx(126_000)
    assert run.energy_by_domain_j["switch"] == pytest.approx(6000)
    assert {"mlperf-switch-zero", "mlperf-power-clock"} <= rules_of(root)


def test_copied_node_logs_are_detected_by_bytes_and_by_readings(tmp_path: Path) -> None:
    wave = Power(watts=lambda at_s: 900 + at_s % 7)
    root = write_package(tmp_path / "acme", [Run(nodes=(wave, wave, Power(watts=900.0)))])
    (finding,) = (f for f in read(root).findings if f.rule == "mlperf-power-copied")
    assert "node_0.txt is byte by byte" in finding.message
    path = root / "results/one/resnet/power/result_0/node_1.txt"
    path.write_text("# node 1\n" + path.read_text())
    (finding,) = (f for f in read(root).findings if f.rule == "mlperf-power-copied")
    assert "holds the same readings" in finding.message


def test_pictures_beside_logs_and_other_numbers_do_not_matter(tmp_path: Path) -> None:
    root = write_package(tmp_path / "acme", [Run(nodes=(Power(),))])
    place = root / "results/one/resnet/power/result_0"
    (place / "nodes_1_to_1.png").write_bytes(b"\x89PNG")
    (place / "node_0.txt").rename(place / "node_1.txt")
    assert only(root).energy_by_method_j["window"] == pytest.approx(120_000)


def test_results_named_by_job_find_their_power(tmp_path: Path) -> None:
    root = write_package(tmp_path / "acme", [Run(nodes=(Power(),))])
    folder = root / "results/one/resnet"
    (folder / "result_0.txt").rename(folder / "result_5120_3.txt")
    assert "mlperf-power-missing" in rules_of(root)
    assert only(root).energy_by_method_j == {}
    (folder / "power/result_0").rename(folder / "power/result_5120_3")
    assert only(root).energy_by_method_j["window"] == pytest.approx(120_000)


def test_a_log_keeps_its_events_when_keys_are_wanted() -> None:
    events = result_events(Run())
    assert [event["key"] for event in events].count("eval_accuracy") == 2
