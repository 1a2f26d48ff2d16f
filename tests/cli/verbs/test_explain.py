"""`joulemark explain`: every joule with its source and every term of its uncertainty."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.bundle import BundleError
from harness.cli.verbs.explain import COLUMNS, ExplainDocument, explain, rows_of
from harness.measure.trace import TraceError
from harness.records import Domain, dump, load
from tests.lab.results import Plan, domains_of, reseal, write_run


def document_of(joulemark, folder: Path) -> ExplainDocument:
    result = joulemark("explain", str(folder), "--json")
    assert result.exit_code == 0, result.stderr
    return ExplainDocument.model_validate_json(result.stdout)


def test_terms_add_up_in_squares(joulemark, tmp_path: Path) -> None:
    shown = document_of(joulemark, write_run(tmp_path / "results", Plan(watts=100.0)))
    domain = shown.domains[0].energy
    assert domain.energy_j == pytest.approx(100.0 * shown.window_s, rel=0.01)
    assert domain.u_j == pytest.approx(math.hypot(*domain.terms.values()))
    assert domain.terms["gain"] == pytest.approx(0.02 / 0.98 * (domain.energy_j or 0))


def test_the_page_names_source_and_terms(joulemark, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "results", Plan(method="modelled", simulated=True))
    text = joulemark("explain", str(folder)).stdout
    for part in ("modelled, simulated", "gain", "rapl: /sys/test", "total: ", "(k = 2)"):
        assert part in text


def test_no_meter_is_said(joulemark, tmp_path: Path) -> None:
    result = joulemark("explain", str(write_run(tmp_path / "results", Plan(watts=None))))
    assert result.exit_code == 3
    assert "read no meter" in result.stderr


def test_no_window_is_said(joulemark, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "results", Plan(gun=False, status="crashed"))
    result = joulemark("explain", str(folder))
    assert result.exit_code == 3
    assert "no start signal" in result.stderr


def test_a_folder_that_is_no_bundle(joulemark, tmp_path: Path) -> None:
    assert joulemark("explain", str(tmp_path)).exit_code == 3


def explained(results: Path, **changes: Any) -> ExplainDocument:
    return explain(write_run(results, Plan(**changes)))


def two_domains(plan: Plan) -> tuple[Domain, ...]:
    """The one that the trace has, and one that nothing was read of."""
    (first,) = domains_of(plan)
    return first, replace(first, name="gpu-0", kind="gpu", parents=())


@pytest.mark.parametrize("method", ["counter", "sampled"])
@pytest.mark.parametrize(("watts", "end_s"), [(100.0, 10.5), (7.5, 4.0), (350.0, 30.0)])
def test_constant_power_is_watts_times_seconds(
    tmp_path: Path, method: str, watts: float, end_s: float
) -> None:
    document = explained(tmp_path, method=method, watts=watts, end_s=end_s, snapshots=((1.0, 0.9),))
    item = document.domains[0].energy
    assert item.energy_j == pytest.approx(watts * end_s, rel=1e-6)
    assert document.window_s == pytest.approx(end_s)
    assert item.method == method
    assert item.coverage_ratio == pytest.approx(1.0)


def test_terms_are_the_uncertainty_in_squares_and_within_the_bound(tmp_path: Path) -> None:
    item = explained(tmp_path).domains[0].energy
    assert item.u_j == pytest.approx(math.hypot(*item.terms.values()))
    assert item.energy_j is not None
    assert item.terms["gain"] == pytest.approx(0.02 / 0.98 * item.energy_j)
    assert item.bound_j is not None
    assert item.bound_j[0] <= item.energy_j <= item.bound_j[1]


def test_a_domain_without_readings_has_no_figure_and_says_why(tmp_path: Path) -> None:
    plan = Plan()
    document = explained(tmp_path, changes={"domains": two_domains(plan)})
    seen, unseen = (item.energy for item in document.domains)
    assert seen.energy_j is not None
    assert (unseen.energy_j, unseen.u_j, unseen.bound_j) == (None, None, None)
    assert "no reading" in unseen.reason
    row = dict(zip(COLUMNS, list(rows_of(document))[1], strict=True))
    assert row["joules"] == row["± (k = 2)"] == "—"
    assert row["bound"] is None


def test_a_meter_of_unknown_class_has_no_uncertainty(tmp_path: Path) -> None:
    (domain,) = domains_of(Plan())
    vague = replace(domain, gain_error_ratio=None)
    document = explained(tmp_path, changes={"domains": (vague,)})
    assert document.domains[0].energy.u_j is None
    assert "unknown uncertainty" in document.total
    assert "±" not in document.total


@pytest.mark.parametrize("simulated", [True, False])
def test_simulated_joules_say_so_in_row_and_total(tmp_path: Path, simulated: bool) -> None:
    document = explained(tmp_path, simulated=simulated)
    (row,) = rows_of(document)
    assert ("simulated" in str(row[1])) is simulated
    assert (", simulated" in document.total) is simulated
    assert document.domains[0].domain.simulated is simulated


def test_total_names_method_and_domains(tmp_path: Path) -> None:
    document = explained(tmp_path)
    assert document.total.startswith("total: 1.00")
    assert document.total.endswith(", counter, of cpu-package-0")


def test_rows_fit_their_columns_and_the_document_reads_back(tmp_path: Path) -> None:
    document = explained(tmp_path)
    assert [len(row) for row in rows_of(document)] == [len(COLUMNS)]
    assert load(ExplainDocument, dump(document), "file") == document


def test_no_meter_and_no_window_are_refused_with_the_run(tmp_path: Path) -> None:
    for changes, said in (
        ({"watts": None}, "read no meter"),
        ({"gun": False}, "has no start signal"),
    ):
        folder = write_run(tmp_path, Plan(**changes))
        with pytest.raises(BundleError, match=f"{folder.name} {said}"):
            explain(folder)


def test_a_trace_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    folder = write_run(tmp_path, Plan())
    (folder / "trace.csv.gz").write_bytes(b"\x1f\x8bno archive")
    reseal(folder, "ok", folder.name)
    with pytest.raises(TraceError, match=r"trace\.csv\.gz"):
        explain(folder)
