"""The spine from the command line: run, score, verify, report, as a user and a script would."""

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.clock import now_ns

ROOT = Path(__file__).parents[1]
JOULEMARK = Path(sysconfig.get_path("scripts")) / "joulemark"
# A drawn seed lets a reference miss its target once in a thousand runs; this one is known.
SEED = ("--seed", "4711")
PATIENCE = ("--set", "run.budget_ratio=6")  # a loaded machine must not fail it

pytestmark = pytest.mark.needs("bubblewrap")

USER_SUBMISSION = """
import torch
from torch.nn import functional


def train(session):
    torch.manual_seed(session.seed)
    model = session.workload.model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for step, batch in enumerate(session.batches("train", 32, epochs=25)):
        loss = functional.cross_entropy(
            model(torch.tensor(batch["x"])), torch.tensor(batch["y"]), label_smoothing=0.1
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 40 == 39 and session.snapshot_due():
            session.snapshot(model, step=step)
    session.snapshot(model, step=step)
"""

SUBMISSION_TOML = """
title = "SGD of a stranger"
team = "somebody"
workloads = ["digits-mlp"]
imports = ["torch", "numpy"]
"""


class Result:
    """Exit code, standard output and standard error of one call."""

    def __init__(self, process: subprocess.CompletedProcess[str]) -> None:
        self.code = process.returncode
        self.out = process.stdout
        self.err = process.stderr

    @property
    def document(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.out)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A clean environment with a lock of its own."""
    return {**os.environ, "JOULEMARK_LOCK": str(tmp_path / "lock"), "COLUMNS": "160"}


@pytest.fixture
def joulemark(tmp_path: Path, environment: dict[str, str]) -> Callable[..., Result]:
    """Call the installed command in an empty folder."""

    def call(*arguments: str, **variables: str) -> Result:
        return Result(
            subprocess.run(
                [str(JOULEMARK), *arguments],
                cwd=tmp_path,
                env={**environment, **variables},
                capture_output=True,
                text=True,
                timeout=280,
                check=False,
            )
        )

    return call


@pytest.fixture
def submission(tmp_path: Path) -> Callable[..., Path]:
    """Write a submission outside of the repository."""

    def write(name: str, train: str, toml: str = SUBMISSION_TOML) -> Path:
        folder = tmp_path / "entries" / name
        folder.mkdir(parents=True)
        (folder / "train.py").write_text(train)
        (folder / "submission.toml").write_text(toml)
        return folder

    return write


def test_language_model_end_to_end(joulemark):
    """Seeded data, lockstep evaluation, and each verb prints one valid document."""
    meter = ("--meter", "codecarbon")  # whatever sensors this machine has
    ran = joulemark("run", "markov-lm", "--ruleset", "smoke", *PATIENCE, *SEED, *meter, "--json")
    assert ran.code == 0, ran.err
    (run,) = ran.document["runs"]
    assert run["status"] == "ok"
    scored = joulemark("score", "--json")
    assert scored.code == 0, scored.err
    (score,) = scored.document["scores"]
    assert score["entry"]["workload"] == "markov-lm"
    assert score["costs"]["time_to_target_s"]["value"] > 0
    assert score["costs"]["energy_to_target_j"]["method"] == "modelled"
    assert not score["energy"]["eligible"]
    verified = joulemark("verify", "results", "--json")
    assert verified.code == 0, verified.out
    assert verified.document


def test_stranger_with_a_folder(joulemark, submission):
    """Twenty lines in a folder of their own are a submission; no meter means no joules."""
    folder = submission("my-sgd", USER_SUBMISSION)
    options = ("--ruleset", "smoke", *PATIENCE, *SEED, "--meter", "none", "--json")
    ran = joulemark("run", "digits-mlp", "--submission", str(folder), *options)
    assert ran.code == 0, ran.err + ran.out
    score = joulemark("score", "--json").document["scores"][0]
    assert score["entry"]["submission"] == "my-sgd"
    assert 100e6 < score["peak_rss_bytes"] < 2e9  # torch is in it, this process is not
    assert score["costs"]["energy_to_target_j"] is None
    assert score["costs"]["time_to_target_s"]["value"] > 0
    page = joulemark("report")
    assert page.code == 0, page.err
    (entry,) = (Path(joulemark_folder(page)) / "entry").glob("*my-sgd*.html")
    assert "not measured" in entry.read_text().lower()


def joulemark_folder(result: Result) -> str:
    """The folder of the page that `report` named."""
    (line,) = [line for line in result.out.split() if line.endswith("index.html")]
    return str(Path(line).parent)


def test_bare_protocol_without_the_python_api(joulemark):
    """A command and a predict_command that import nothing of this project."""
    example = ROOT / "docs" / "examples" / "raw-numpy"
    assert "harness" not in "".join(path.read_text() for path in example.glob("*.py"))
    options = ("--ruleset", "smoke", *PATIENCE, *SEED, "--meter", "none", "--json")
    ran = joulemark("run", "digits-mlp", "--submission", str(example), *options)
    (run,) = ran.document["runs"]
    assert run["status"] == "ok", run


def test_interrupt_leaves_a_sealed_bundle(tmp_path, environment, submission, joulemark):
    """Ctrl-C ends the run as aborted, with a bundle that verify accepts and nothing left over."""
    folder = submission("sleeper", "import time\n\n\ndef train(session):\n    time.sleep(600)\n")
    command = [str(JOULEMARK), "run", "digits-mlp", "--submission", str(folder), "--meter", "none"]
    process = subprocess.Popen(
        [*command, "--ruleset", "smoke", "--set", "run.budget_ratio=50"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait_for(lambda: any('"gun"' in path.read_text() for path in tmp_path.rglob("events.jsonl")))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    (bundle,) = tmp_path.rglob("run.json")
    assert json.loads(bundle.read_text())["status"] == "aborted"
    assert joulemark("verify", "results").code == 0


def wait_for(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Wait until something is there."""
    end_ns = now_ns() + int(timeout_s * 1e9)
    while not condition():
        assert now_ns() < end_ns, "it never happened"
        time.sleep(0.05)


def test_flipped_byte_is_refused_by_name(joulemark, submission, tmp_path):
    """One altered byte, and verify names the file."""
    folder = submission("quitter", "def train(session):\n    pass\n")
    options = ("--ruleset", "smoke", "--seeds", "1", "--meter", "none")
    ran = joulemark("run", "digits-mlp", "--submission", str(folder), *options)
    assert ran.code == 3
    assert joulemark("verify", "results").code == 0
    (events,) = tmp_path.rglob("events.jsonl")
    data = bytearray(events.read_bytes())
    data[len(data) // 2] ^= 1
    events.write_bytes(data)
    refused = joulemark("verify", "results")
    assert refused.code == 3
    assert "events.jsonl" in refused.out + refused.err


WORKLOAD_PLUGIN = '''
"""Two blobs to classify."""

import numpy as np

from harness.api import Metric, Outputs, Splits, Target, WorkloadSpec


def _data(seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, 300)
    x = (rng.normal(size=(300, 2)) + 4 * y[:, None]).astype("f4")
    parts = {"x": x, "y": y}
    cut = lambda a, b: {name: array[a:b] for name, array in parts.items()}
    return Splits(train=cut(0, 100), validation=cut(100, 150), test_inputs={"x": x[150:]},
                  test_labels={"y": y[150:]})


def _model():
    raise AssertionError("only the open division is used here")


WORKLOAD = WorkloadSpec(
    name="blobs", title="Two blobs", domain="test", size="smoke", secrecy="seeded",
    metric=Metric(name="accuracy", better="higher"),
    target=Target(value=0.9, version="1", derivation="by construction"), budget_s=5.0,
    outputs=Outputs(kind="scores", shape=(2,)), data=_data, model=_model,
    score=lambda out, labels, facts: float((out.argmax(1) == labels["y"]).mean()),
    predict_cpu_s=0.01, packages=("numpy",),
)
'''

METER_PLUGIN = '''
"""A meter that says 42 W, and a little more or less: one that never moves would be dead."""

from harness.clock import now_ns
from harness.plugins import Availability, Domain, Reader, Reading


class ConstantReader(Reader):
    domains = (Domain(name="wall-0", kind="wall", method="sampled", meter="constant",
                          source="nowhere", simulated=True, power_low_w=0.0, power_high_w=50.0),)

    def read(self):
        t_ns = now_ns()
        return [Reading(t_ns, "wall-0", None, 42.0 + (t_ns % 1000 - 500) / 5000)]


class Meter:
    def probe(self):
        return Availability(True, "always there")

    def open(self, options):
        return ConstantReader()


METER = Meter()
'''

PAGE_PLUGIN = '''
"""A page of one's own."""

from harness.report.site import Page


def _publish(site):
    yield "hello.html", "<!doctype html><title>hello</title><p>a page of my own</p>"


PAGE = Page(name="hello", title="Hello", order=99, publish=_publish)
'''

BLOBS_TRAIN = """
import numpy as np


def train(session):
    x, y = session.train["x"], session.train["y"]
    centres = np.stack([x[y == label].mean(0) for label in (0, 1)]).astype("f4")
    session.snapshot({"centres": centres})


def predictor(weights, workload):
    def predict(inputs):
        return -((inputs["x"][:, None] - np.asarray(weights["centres"])) ** 2).sum(-1)

    return predict
"""

BLOBS_TOML = """
title = "Nearest centre"
team = "somebody"
division = "open"
workloads = ["blobs"]
imports = ["numpy"]
"""


@pytest.fixture
def plugins(tmp_path: Path) -> Iterator[Path]:
    """A folder with a workload, a meter and a page, and a meter that is broken."""
    root = tmp_path / "plugins"
    files = {
        "workloads/blobs.py": WORKLOAD_PLUGIN,
        "meters/constant.py": METER_PLUGIN,
        "meters/torn.py": "raise RuntimeError('no such sensor')\n",
        "pages/hello.py": PAGE_PLUGIN,
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    yield root
    shutil.rmtree(root)


def test_plugins_need_no_edit_elsewhere(joulemark, submission, plugins):
    """A workload, a meter and a page in a folder are listed and used; a broken one is listed."""
    variables = {"JOULEMARK_PLUGINS": str(plugins)}
    listed = joulemark("list", "--json", **variables)
    assert listed.code == 0, listed.err
    for name in ("blobs", "constant", "hello", "torn", "no such sensor"):
        assert name in listed.out
    folder = submission("centres", BLOBS_TRAIN, BLOBS_TOML)
    options = ("--ruleset", "smoke", "--seeds", "1", "--meter", "constant", "--json")
    ran = joulemark("run", "blobs", "--submission", str(folder), *options, **variables)
    assert ran.code == 0, ran.err + ran.out
    (score,) = joulemark("score", "--json", **variables).document["scores"]
    window_s = score["costs"]["time_to_target_s"]["value"]
    assert score["costs"]["energy_to_target_j"]["value"] == pytest.approx(42 * window_s, rel=0.02)
    assert score["costs"]["energy_to_target_j"]["simulated"]
    page = joulemark("report", **variables)
    assert page.code == 0, page.err
    assert "a page of my own" in (Path(joulemark_folder(page)) / "hello.html").read_text()


def test_conductor_and_sampler_stay_small(tmp_path, environment):
    """Together under 120 MiB resident; the modelled meter's helper is apart."""
    command = [str(JOULEMARK), "run", "digits-mlp", "--ruleset", "smoke", *PATIENCE, *SEED]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    peak_bytes = 0
    while process.poll() is None:
        peak_bytes = max(peak_bytes, high_water_bytes(process.pid))
        time.sleep(0.05)
    assert process.returncode == 0
    (path,) = tmp_path.rglob("run.json")
    sampler_bytes = json.loads(path.read_text())["sampler"]["peak_rss_bytes"]
    assert 10 << 20 < peak_bytes + sampler_bytes < 120 << 20


def high_water_bytes(pid: int) -> int:
    """Peak resident set of a living process; 0 once it is gone."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    lines = [line for line in text.splitlines() if line.startswith("VmHWM:")]
    return int(lines[0].split()[1]) * 1024 if lines else 0


def test_command_is_the_one_of_this_checkout():
    """The tests above speak of this source, not of another installation."""
    code = "import harness; print(harness.__file__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()).parents[1] == ROOT
