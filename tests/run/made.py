"""A tiny workload and submissions for tests, in plug-in folders; nothing of them loads torch."""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

from harness.bundle import Bundle
from harness.ledger import read_ledger
from harness.rules.load import load_ruleset
from harness.run.interrupt import Interrupt
from harness.run.order import Order, Progress
from harness.run.series import SeriesRequest, orders

WORKLOAD = '''
"""Tells two half-planes apart; the line between them is drawn per run.

Both classes are as frequent and a gap is between them: whatever the seed, an honest fit reaches
the target, and one answer to everything does not.
"""

import numpy as np

from harness.api import Metric, Outputs, Splits, Target, WorkloadSpec


def data(seed):
    rng = np.random.default_rng(seed)
    line = rng.uniform(0, 2 * np.pi)
    across, along = np.array([[np.cos(line), np.sin(line)], [-np.sin(line), np.cos(line)]])

    def part(rows):
        y = np.arange(rows) % 2
        distance = (0.5 + abs(rng.normal(size=rows))) * (2 * y - 1)
        x = np.outer(distance, across) + np.outer(rng.normal(size=rows), along)
        return {"x": x.astype(np.float32)}, {"y": y.astype(np.int64)}

    (train_x, train_y), (more_x, more_y), (test_x, test_y) = part(64), part(16), part(40)
    return Splits(
        train={**train_x, **train_y},
        validation={**more_x, **more_y},
        test_inputs=test_x,
        test_labels=test_y,
    )


def accuracy(outputs, labels, facts):
    return float(np.mean(outputs.argmax(1) == labels["y"]))


WORKLOAD = WorkloadSpec(
    name="tiny",
    title="Tiny",
    domain="test",
    size="smoke",
    secrecy="seeded",
    metric=Metric(name="accuracy", better="higher"),
    target=Target(value=0.8, version="1", derivation="for tests"),
    budget_s=10.0,
    outputs=Outputs(kind="scores", shape=(2,)),
    data=data,
    model=lambda: None,
    score=accuracy,
    threads=1,
    predict_cpu_s=1.0,
    packages=("numpy",),
)
'''

TOML = """
title = "{name}"
team = "tests"
division = "open"
workloads = ["tiny"]
imports = ["numpy"]
"""

PREDICTOR = """
import numpy as np


def predictor(weights, workload):
    def predict(inputs):
        score = inputs["x"] @ weights["w"]
        return np.stack([-score, score], 1).astype(np.float32)

    return predict


def fitted(session):
    y = session.train["y"] * 2.0 - 1.0
    return np.linalg.lstsq(session.train["x"], y, rcond=None)[0].astype(np.float32)


"""

HONEST = """
def train(session):
    session.log(step=0, loss=1.0)
    with session.span("fit"):
        w = fitted(session)
    session.snapshot({"w": w}, step=1)
"""


Perform = Callable[..., Any]
"""What the fixture `perform` gives."""


class Silent:
    """No one looks on, but everything is kept."""

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.seen: list[Progress] = []

    def phase(self, text: str) -> None:
        self.phases.append(text)

    def progress(self, progress: Progress) -> None:
        self.seen.append(progress)


class AskedAfter(Interrupt):
    """An operator who presses Ctrl-C when a phase begins."""

    def __init__(self, phase: str) -> None:
        super().__init__()
        self.watcher = Silent()
        self.watcher.phase = self._hear  # type: ignore[method-assign]
        self._phase = phase

    def _hear(self, text: str) -> None:
        self.asked = self.asked or text.startswith(self._phase)


class Folder:
    """A plug-in folder with the tiny workload, to which a test adds submissions."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.results = root / "results"
        (root / "plugins" / "workloads").mkdir(parents=True)
        self.workload = root / "plugins" / "workloads" / "tiny.py"
        self.workload.write_text(WORKLOAD)

    @property
    def plugins(self) -> Path:
        return self.root / "plugins"

    def entry(self, train: str, name: str = "entry", more: str = "") -> Path:
        """Write a submission; its train.py begins with a linear predictor and a fit."""
        folder = self.plugins / "submissions" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "submission.toml").write_text(TOML.format(name=name) + more)
        (folder / "train.py").write_text(PREDICTOR + dedent(train))
        return folder

    def request(self, name: str | None = "entry", *overrides: str, **changes: Any) -> SeriesRequest:
        """One run of one seed in the plain launcher, without a meter unless one is asked for."""
        values: dict[str, Any] = {
            "workload": "tiny",
            "submission": name,
            "ruleset": load_ruleset("smoke", overrides),
            "seeds_count": 1,
            "meters": ("none",),
            "launcher": "plain",
            "results": self.results,
        }
        return SeriesRequest(**{**values, **changes})

    def order(self, name: str | None = "entry", *overrides: str, **changes: Any) -> Order:
        """The order of that one run."""
        return self.orders(self.request(name, *overrides, **changes))[0]

    def orders(self, request: SeriesRequest) -> list[Order]:
        """All orders of a series; its frozen sources stay until the test ends."""
        return list(orders(request, Path(tempfile.mkdtemp(dir=self.root))))


def reason_is_one_sentence(run: Any) -> bool:
    """Printable, on one line, not endless, and without a capital or full stop of its own."""
    text = run.reason
    return text.isprintable() and 5 < len(text) < 600 and not text.endswith((".", "\n"))


def children() -> list[str]:
    """Process ids of our own children, dead or alive."""
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def check_bundle(outcome: Any, results: Path) -> Any:
    """Sealed, readable, intact, listed twice in the ledger."""
    bundle = Bundle(outcome.bundle, checked=True)
    assert bundle.run == outcome.run
    assert bundle.manifest.status == outcome.run.status
    on_disk = {
        path.relative_to(outcome.bundle).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in outcome.bundle.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
    assert {file.path: file.sha256 for file in bundle.manifest.files} == on_disk
    assert {"README.txt", "run.json", "machine.json", "events.jsonl", "log.txt"} <= set(on_disk)
    assert {"ruleset.toml", "submission.tar.gz"} <= set(on_disk)
    events = list(bundle.events())
    assert [event.seq for event in events] == list(range(len(events)))
    _check_ledger(outcome, bundle, results)
    return bundle


def _check_ledger(outcome: Any, bundle: Any, results: Path) -> None:
    (path,) = (results / "ledgers").iterdir()
    started, finished = (row for row in read_ledger(path) if row.run_id == outcome.run.id)
    assert (started.kind, started.status) == ("started", None)
    assert (finished.kind, finished.status) == ("finished", outcome.run.status)
    assert finished.manifest_sha256 == bundle.manifest_sha256
    assert bundle.manifest.ledger_seq == started.seq
    assert results / finished.bundle == outcome.bundle
    assert finished.seed_commitment == outcome.run.seeds.commitment


def logs(outcome: Any) -> list[Any]:
    """The submission's own figures."""
    return [event for event in Bundle(outcome.bundle).events() if event.kind == "log"]
