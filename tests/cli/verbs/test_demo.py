"""`joulemark demo`: every reference submission of the smallest workload, ranked and rendered."""

from pathlib import Path

import pytest

from harness.bundle import Bundle
from harness.cli.verbs import demo
from harness.cli.verbs.demo import RULESET, WORKLOAD, DemoDocument, submissions_for
from harness.run.order import RunResult, Watcher
from harness.run.series import SeriesRequest
from tests.lab.results import Plan, write_run


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[SeriesRequest]:
    """Requests that a stand-in conductor answered."""
    requests: list[SeriesRequest] = []

    def conduct(request: SeriesRequest, watcher: Watcher) -> list[RunResult]:
        requests.append(request)
        watcher.phase("training")
        plans = [
            Plan(
                seed=seed, name=name, source=name, workload=WORKLOAD, ruleset=RULESET,
                snapshots=((len(name) / 10 + seed / 100, 0.95),), method="modelled",
            )
            for seed in (1, 2, 3)
            for name in (str(request.submission), *request.interleave_with)
        ]  # fmt: skip
        folders = [write_run(request.results, plan) for plan in plans]
        return [RunResult(Bundle(folder).run, folder) for folder in folders]

    monkeypatch.setattr(demo, "run_series", conduct)
    return requests


def test_at_least_three_submissions_that_differ() -> None:
    names = submissions_for(WORKLOAD)
    assert len(names) == len(set(names)) >= 3


def test_everything_is_run_ranked_and_rendered(
    asked: list[SeriesRequest], joulemark, tmp_path: Path
) -> None:
    result = joulemark("demo")
    assert result.exit_code == 0
    (request,) = asked
    assert [request.submission, *request.interleave_with] == submissions_for(WORKLOAD)
    assert request.ruleset.name == RULESET
    assert "speed: time_to_target_s on digits-mlp" in result.stdout
    assert result.stdout.splitlines()[-1] == f"open {tmp_path / 'reports' / 'demo' / 'index.html'}"
    assert (tmp_path / "reports" / "demo" / "index.html").is_file()


def test_the_document(asked: list[SeriesRequest], joulemark) -> None:
    result = joulemark("demo", "--json")
    shown = DemoDocument.model_validate_json(result.stdout)
    assert len(asked) == 1
    assert [item.submission for item in shown.series] == submissions_for(WORKLOAD)
    assert {len(item.runs) for item in shown.series} == {3}
    assert len(shown.scores.scores) == len(shown.series)


def test_plug_ins_that_are_broken_do_not_stop_it(
    asked: list[SeriesRequest], joulemark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "plugins" / "submissions" / "bad"
    folder.mkdir(parents=True)
    (folder / "submission.toml").write_text("title = ")
    monkeypatch.setenv("JOULEMARK_PLUGINS", str(tmp_path / "plugins"))
    assert joulemark("demo").exit_code == 0
    assert "bad" not in asked[0].interleave_with
