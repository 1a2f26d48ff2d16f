import dataclasses
import json
from pathlib import Path

import pytest

from harness.records import Score, load
from harness.report.entries import Boards, entries_of
from harness.report.pages.entry import (
    commands_of,
    findings_of,
    rulesets_by_name,
    status_text,
)
from harness.report.site import Site, render
from harness.rules.load import load_ruleset
from tests.lab.results import changed
from tests.report.made import Made, Plan, make
from tests.report.markup import Markup, pages_of, read


@pytest.fixture
def pages(site: Path) -> dict[str, Markup]:
    return {
        path.split("--")[1]: page
        for path, page in pages_of(site).items()
        if path.startswith("entry/")
    }


def test_every_entry_has_a_page(made: Made, pages: dict[str, Markup]) -> None:
    assert set(pages) == {score.entry.submission for score in made.scores}


def test_the_verdict_and_the_place_are_shown(pages: dict[str, Markup]) -> None:
    words = pages["cnn-muon"].words
    assert "3 of 3 runs reached the target" in words
    assert "Rank 1 of 3 by energy to target" in words
    assert "below AdamW, significantly different" in words


def test_why_there_is_no_place_is_shown(pages: dict[str, Markup]) -> None:
    assert "Not ranked: modelled, not measured" in pages["digits-mlp-adamw"].words
    assert "Not ranked: no joules were measured" in pages["cnn-unmetered"].words


def test_every_run_has_a_row(made: Made, pages: dict[str, Markup]) -> None:
    for score in made.scores:
        page = pages[score.entry.submission]
        for run in score.runs:
            assert run.run_id in page.words
            assert run.manifest_sha256 in page.words


def test_failed_runs_say_why(pages: dict[str, Markup]) -> None:
    assert "diverged" in pages["digits-mlp-lion"].words
    assert "ended as crashed" in pages["digits-mlp-broken"].words


def test_every_run_has_its_trace_or_the_reason(made: Made, pages: dict[str, Markup]) -> None:
    for score in made.scores:
        page = pages[score.entry.submission]
        traces = [item for item in page.all("details") if item.values.get("class") == "trace"]
        assert len(traces) == len(score.runs)
    assert pages["cnn-unmetered"].words.count("its energy is missing, not zero") == 3


def test_domains_that_contain_others_are_not_added(pages: dict[str, Markup]) -> None:
    words = pages["cnn-adamw"].words.partition("In the total")[2]
    assert words.index("cpu-package-0") < words.index("dram-0") < words.index("cpu-core-0")
    assert words.count("not added") == 1
    assert words.count(" added ") == 3


def test_estimates_are_marked_wherever_they_stand(pages: dict[str, Markup]) -> None:
    page = pages["digits-mlp-adamw"]
    marks = [
        element for element in page.elements if element.values.get("class") == "badge modelled"
    ]
    # The tile, a row a run, the legend of each trace, the table of domains, the footer.
    assert len(marks) >= 1 + 3 + 3 * 2 + 2 + 1
    assert "tile energy modelled" in {element.values.get("class") for element in page.elements}


def test_findings_are_shown_once_with_their_seeds_and_advice(pages: dict[str, Markup]) -> None:
    words = pages["cnn-muon"].words
    assert words.count("the machine is a virtual one") == 1
    assert "run on bare metal for a prize" in words
    assert "seeds 100, 101, 102" in words


def test_isolation_lists_probes_and_unmet_limits(pages: dict[str, Markup]) -> None:
    words = pages["cnn-muon"].words
    assert "not effective signals" in words
    assert "effective network" in words
    assert "Limits that could not be set: memory_bytes" in words


def test_the_cost_of_the_sampler_is_shown(pages: dict[str, Markup]) -> None:
    assert "of one core" in pages["cnn-muon"].words
    assert "Helper codecarbon 1.31" in pages["digits-mlp-adamw"].words
    assert "there was no sampler" in pages["cnn-unmetered"].words


def test_machine_and_software_are_there_and_unknown_is_unknown(pages: dict[str, Markup]) -> None:
    words = pages["cnn-muon"].words
    assert "AMD EPYC 7B13" in words
    assert "2.13.0+cpu" in words
    assert "cpu-governor could not be read" in words


def test_the_commands_that_repeat_it(made: Made, pages: dict[str, Markup]) -> None:
    words = pages["cnn-muon"].words
    assert "joulemark run digits-cnn --submission cnn-muon --ruleset smoke" in words
    score = next(item for item in made.scores if item.entry.submission == "cnn-muon")
    assert f"joulemark rerun {score.runs[0].bundle}" in words


def test_rules_of_no_known_name_are_taken_from_the_bundle(made: Made) -> None:
    entry = entries_of(made.scores, Boards(made.boards), made.results)[0]
    bundle = entry.score.runs[0].bundle
    (_, rerun), (_, run) = commands_of(entry, frozenset())
    assert rerun == f"joulemark rerun {bundle}"
    assert run.endswith(f" --ruleset {bundle}/ruleset.toml")
    assert (made.results / bundle / "ruleset.toml").is_file()
    lost = dataclasses.replace(entry, runs=())
    ((_, alone),) = commands_of(lost, frozenset())
    assert alone.endswith(f" --ruleset {entry.score.rules.ruleset}")


def test_rules_changed_by_hand_cannot_be_named(made: Made) -> None:
    changed = load_ruleset("smoke", ["run.seeds_count=4"])
    site = Site(made.results, made.scores, made.boards, [changed])
    assert "smoke" not in rulesets_by_name(site)
    assert "default" in rulesets_by_name(site)


def test_findings_of_one_rule_stand_together(made: Made) -> None:
    for entry in entries_of(made.scores, Boards(made.boards), made.results):
        groups = findings_of(entry)
        kinds = [{(finding.level, finding.rule) for finding, _ in group} for group in groups]
        assert all(len(kind) == 1 for kind in kinds)
        assert len(set().union(*kinds)) == len(groups)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("beats the target (p = 8.1e-06)", "beats the target (p < 0.0001, one-sided)"),
        ("beats the target", "beats the target (p < 0.0001, one-sided)"),
    ],
)
def test_the_verdict_states_its_p_once(made: Made, reason: str, expected: str) -> None:
    score = changed(made.scores[0], reason=reason, p_target=8.1e-6)
    assert status_text(score) == expected
    assert status_text(changed(score, p_target=None)) == reason


def test_the_download_is_the_record(made: Made, site: Path) -> None:
    for path in (site / "entry").glob("*.json"):
        assert load(Score, path.read_bytes(), path) in made.scores
        assert json.loads(path.read_text())


def test_charts_have_a_text_for_those_who_do_not_see_them(pages: dict[str, Markup]) -> None:
    for page in pages.values():
        charts = [item for item in page.all("svg") if item.values.get("class") == "chart"]
        for chart in charts:
            assert chart.values["role"] == "img"
            assert set(chart.values["aria-labelledby"].split()) <= set(page.ids)


def test_raw_readings_and_manifests_are_given_away_as_they_are(made: Made, site: Path) -> None:
    score = next(item for item in made.scores if item.entry.submission == "cnn-muon")
    page = next((site / "entry").glob("*cnn-muon*.html"))
    links = [link for link in read(page.read_text()).links if link.endswith((".gz", "t.json"))]
    assert len(links) == 2 * len(score.runs)
    given = {(page.parent / link).read_bytes() for link in links}
    kept = {
        (made.results / run.bundle / name).read_bytes()
        for run in score.runs
        for name in ("trace.csv.gz", "manifest.json")
    }
    assert given == kept


def test_a_link_in_a_bundle_is_not_followed(tmp_path: Path) -> None:
    made = make(tmp_path / "results", (Plan(submission="sly", title="Sly", meter="rapl"),))
    secret = tmp_path / "secret"
    secret.write_text("secret")
    for path in made.results.rglob("trace.csv.gz"):
        path.unlink()
        path.symlink_to(secret)
    render(made.results, tmp_path / "site", made.scores, made.boards)
    assert not list((tmp_path / "site").rglob("*trace.csv.gz"))
    assert not any(b"secret" in path.read_bytes() for path in (tmp_path / "site").rglob("*.gz"))
