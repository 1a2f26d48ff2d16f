"""`joulemark run`: options reach the conductor, outcomes become a table and a code."""

from pathlib import Path
from typing import Any

import pytest

from harness.bundle import Bundle
from harness.cli.run_document import RunDocument
from harness.cli.verbs import run
from harness.records import TuningTrial
from harness.run.order import Progress, RunResult, Watcher
from harness.run.series import SeriesRequest
from tests.lab.results import Plan, seeds_of, write_run


class Conductor:
    """Stands in for the real one: writes planned bundles, and remembers what was asked for."""

    def __init__(self) -> None:
        self.plans = [Plan(seed=1), Plan(seed=2)]
        self.request: SeriesRequest | None = None

    def __call__(self, request: SeriesRequest, watcher: Watcher) -> list[RunResult]:
        self.request = request
        outcomes = []
        for plan in self.plans:
            watcher.phase("training")
            watcher.progress(Progress(0, 2, 1.0, 6.0, None, None, None, 0))
            folder = write_run(request.results, plan)
            outcomes.append(RunResult(Bundle(folder).run, folder))
        return outcomes


@pytest.fixture
def conductor(monkeypatch: pytest.MonkeyPatch) -> Conductor:
    stand_in = Conductor()
    monkeypatch.setattr(run, "run_series", stand_in)
    return stand_in


def test_a_good_series(conductor: Conductor, joulemark) -> None:
    result = joulemark("run", "toy")
    assert result.exit_code == 0
    assert result.stdout.count(" ok ") == 2
    assert result.stderr.splitlines() == ["toy: training", "toy: training"]


def test_the_document(conductor: Conductor, joulemark) -> None:
    result = joulemark("run", "toy", "--json", "--quiet")
    assert result.stderr == ""
    output = RunDocument.model_validate_json(result.stdout)
    assert [run.seed for run in output.runs] == [1, 2]
    assert {run.energy.method for run in output.runs} == {"counter"}
    assert (Path(output.results) / output.runs[0].bundle / "manifest.json").is_file()


def test_progress_goes_to_standard_error(conductor: Conductor, document, joulemark) -> None:
    assert document("run", "toy")["exit_code"] == 0
    assert "toy: training" in joulemark("run", "toy", "--json").stderr


@pytest.mark.parametrize(
    ("status", "ended_by", "code"),
    [
        ("target_missed", "done", 1), ("invalid", "violation", 3), ("crashed", "exit", 3),
        ("diverged", "done", 3), ("degraded", "done", 5), ("budget_exceeded", "budget", 7),
        ("aborted", "interrupt", 130),
    ],
)  # fmt: skip
def test_the_worst_run_is_the_exit_code(
    conductor: Conductor, joulemark, status: Any, ended_by: str, code: int
) -> None:
    plan = Plan(seed=2, snapshots=((1.0, 0.1),), status=status)
    window = Bundle(write_run(Path("plan"), plan)).run.window.model_copy(
        update={"ended_by": ended_by}
    )
    conductor.plans = [Plan(seed=1), plan.but(changes={"window": window})]
    result = joulemark("run", "toy", "--json")
    assert result.exit_code == RunDocument.model_validate_json(result.stdout).exit_code == code


def test_options_reach_the_conductor(conductor: Conductor, joulemark, tmp_path: Path) -> None:
    joulemark(
        "run", "toy", "--submission", "mine", "--ruleset", "smoke", "--set", "run.seeds_count=5",
        "--seeds", "2", "--seed", "7", "--seed", "8", "--meter", "fake:watts=3", "--meter", "rapl",
        "--launcher", "plain", "--results", "there", "--price-per-hour", "1.5",
    )  # fmt: skip
    asked = conductor.request
    assert asked is not None
    assert (asked.workload, asked.submission) == ("toy", "mine")
    assert (asked.ruleset.name, asked.ruleset.run.seeds_count) == ("smoke", 5)
    assert (asked.seeds_count, asked.declared_seeds) == (2, (7, 8))
    assert asked.meters == ("fake:watts=3", "rapl")
    assert (asked.launcher, asked.results) == ("plain", Path("there"))
    assert asked.price_usd_per_h == 1.5


def test_defaults_reach_the_conductor(conductor: Conductor, joulemark) -> None:
    joulemark("run", "toy")
    asked = conductor.request
    assert asked is not None
    assert (asked.submission, asked.seeds_count, asked.meters) == (None, None, ("auto",))
    assert (asked.ruleset.name, asked.launcher, asked.results) == (
        "default", "auto", Path("results"),
    )  # fmt: skip


def test_tuning_reaches_the_conductor(conductor: Conductor, joulemark) -> None:
    joulemark("run", "toy", "--tuning", "external", "--trials", "7", "--seeds", "3")
    asked = conductor.request
    assert asked is not None
    assert (asked.tuning, asked.trials_count, asked.seeds_count) == ("external", 7, 3)
    joulemark("run", "toy", "--tuning", "external")
    assert conductor.request is not None
    assert conductor.request.trials_count == 5
    joulemark("run", "toy", "--tuning", "self")
    assert (conductor.request.tuning, conductor.request.trials_count) == ("self", 5)
    joulemark("run", "toy")
    assert conductor.request.tuning == ""


@pytest.mark.parametrize("more", [(), ("--tuning", "self")])
def test_trials_without_studies_are_refused(conductor: Conductor, joulemark, more: Any) -> None:
    result = joulemark("run", "toy", "--trials", "7", *more)
    assert result.exit_code == 2
    assert "--trials needs --tuning external" in result.stderr
    assert conductor.request is None


def test_hyperparameters_of_every_trial_are_shown(conductor: Conductor, joulemark) -> None:
    def tried(seed: int, **drawn: Any) -> Plan:
        tuning = TuningTrial(mode="external", trial=seed - 1, trials_count=2)
        return Plan(seed=seed, changes={"tuning": tuning, "hyperparameters": drawn})

    conductor.plans = [tried(1, lr=0.012345678, kind="wide"), tried(2, lr=0.5, kind="plain")]
    shown = joulemark("run", "toy").stdout
    assert "trials per study: 2" in shown
    assert "kind = wide, lr = 0.01235" in shown
    document = RunDocument.model_validate_json(joulemark("run", "toy", "--json").stdout)
    assert document.runs[1].hyperparameters == {"lr": 0.5, "kind": "plain"}


def test_a_study_with_a_hit_is_a_success_and_one_without_is_none(
    conductor: Conductor, joulemark
) -> None:
    def tried(seed: int, study: int, status: Any) -> Plan:
        tuning = TuningTrial(mode="external", study=study, trial=seed % 2, trials_count=2)
        good = status == "ok"
        output = ((10.0, 0.95 if good else 0.1),)
        plan = Plan(seed=seed, status=status, snapshots=output)
        shared = {"commitment": seeds_of(Plan()).commitment, "index": seed}
        seeds = seeds_of(plan).model_copy(update=shared)
        return plan.but(changes={"tuning": tuning, "seeds": seeds})

    conductor.plans = [tried(1, 0, "ok"), tried(2, 0, "crashed")]
    assert joulemark("run", "toy").exit_code == 0
    conductor.plans = [tried(1, 0, "ok"), tried(2, 0, "ok"), tried(3, 1, "target_missed")]
    assert joulemark("run", "toy").exit_code == 1


def test_results_must_be_a_folder(conductor: Conductor, joulemark, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = joulemark("run", "toy", "--results", "file/below")
    assert result.exit_code == 2
    assert "file is not a folder" in result.stderr
    assert conductor.request is None


@pytest.mark.parametrize("words", [("--set", "nonsense"), ("--ruleset", "gone.toml")])
def test_rules_that_cannot_be_read(conductor: Conductor, joulemark, words) -> None:
    assert joulemark("run", "toy", *words).exit_code == 3
    assert conductor.request is None


def test_a_key_is_named_or_comes_from_the_environment(
    conductor: Conductor, joulemark, monkeypatch: pytest.MonkeyPatch
) -> None:
    joulemark("run", "toy")
    assert conductor.request is not None
    assert conductor.request.key is None
    monkeypatch.setenv("JOULEMARK_KEY", "mine")
    joulemark("run", "toy")
    assert conductor.request.key == Path("mine")
    joulemark("run", "toy", "--sign", "other")
    assert conductor.request.key == Path("other")
