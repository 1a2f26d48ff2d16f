"""docs/workloads.md agrees with the registry."""

from dataclasses import replace
from pathlib import Path

from docs.generate_workloads import _calibration, built_in, workloads_markdown
from harness.score.calibration import committed_record

PAGE = Path(__file__).parents[2] / "docs" / "workloads.md"


def test_page_in_docs_is_the_registrys() -> None:
    expected = workloads_markdown(built_in())
    assert PAGE.read_text(encoding="utf-8") == expected, (
        "write it again: python -m docs.generate_workloads > docs/workloads.md"
    )


def test_every_workload_has_a_row_and_a_section_with_its_derivation() -> None:
    text = workloads_markdown(built_in())
    for spec in built_in():
        assert text.count(f"| [{spec.name}](#{spec.name}) |") == 1
        assert text.count(f"\n### {spec.name}\n") == 1
        assert spec.target.derivation in text


def test_direction_shows_in_the_sign() -> None:
    spec = next(spec for spec in built_in() if spec.name == "digits-mlp")
    assert "accuracy ≥ " in workloads_markdown([spec])
    worse = replace(spec, metric=replace(spec.metric, better="lower"))
    assert "accuracy ≤ " in workloads_markdown([worse])


def test_order_of_discovery_does_not_show() -> None:
    specs = built_in()
    assert workloads_markdown(specs) == workloads_markdown(specs[::-1])


def test_calibrated_workloads_show_spread_and_the_spread_between_instances() -> None:
    text = workloads_markdown(built_in())
    for spec in built_in():
        record = committed_record(spec.name)
        assert (record is None) == (spec.size == "official"), spec.name
        if record is None:
            continue
        section = text.partition(f"\n### {spec.name}\n")[2].partition("\n### ")[0]
        assert f"Calibrated on {len(record.runs)} runs: " in section
        assert f"standard deviation {record.deviation:.2g}, " in section
        assert ("between instances" in section) >= (spec.secrecy == "seeded")
        row = next(line for line in text.splitlines() if line.startswith(f"| [{spec.name}]"))
        assert row.split(" | ")[3] == f"{record.deviation:.2g}"


def test_figures_that_were_not_measured_are_left_out() -> None:
    record = committed_record("digits-mlp")
    assert record is not None
    bare = record.model_copy(update={"median_cpu_s": None, "resolvable_ratio": None})
    (line,) = _calibration(bare)
    assert "CPU seconds" not in line
    assert "detectable" not in line
