import subprocess
from pathlib import Path

import pytest

from harness.bundle import Bundle, find_bundles
from harness.cli.verbs.report import render_site
from harness.verify.tree import verify

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results" / "reference"
SITE = ROOT / "reports" / "reference"

SITE_BYTES = 9_000_000
RESULTS_BYTES = 11_000_000


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("again")
    render_site(RESULTS, out, None)
    return contents(out)


def test_the_committed_site_is_rendered_again_to_the_same_bytes(again: dict[str, bytes]) -> None:
    kept = contents(SITE)
    advice = "run `make reports` and commit reports/reference"
    assert sorted(again) == sorted(kept), advice
    assert [path for path, data in again.items() if kept[path] != data] == [], advice


def test_the_committed_site_shows_every_committed_run() -> None:
    bundles = find_bundles(RESULTS)
    assert bundles
    pages = " ".join(path.read_text() for path in (SITE / "entry").glob("*.html"))
    for folder in bundles:
        assert Bundle(folder).run.id in pages


def test_the_committed_bundles_are_what_was_sealed() -> None:
    report = verify(RESULTS)
    assert list(report.failures()) == []
    assert len(report.bundles) == len(find_bundles(RESULTS))
    assert report.ledgers


def test_what_is_committed_stays_small() -> None:
    assert sum(map(len, contents(SITE).values())) < SITE_BYTES
    assert sum(map(len, contents(RESULTS).values())) < RESULTS_BYTES


@pytest.mark.parametrize(
    ("path", "ignored"),
    [
        ("results/digits-mlp/x/y/z/run.json", True),
        ("results/ledgers/here.jsonl", True),
        ("reports/index.html", True),
        ("reports/site.json", True),
        ("results/README.md", False),
        ("results/reference.toml", False),
        ("results/reference/ledgers/here.jsonl", False),
        ("reports/README.md", False),
        ("reports/reference/index.html", False),
    ],
)
def test_local_runs_leave_nothing_to_commit(path: str, ignored: bool) -> None:
    command = ["git", "check-ignore", "--quiet", "--no-index", path]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == (0 if ignored else 1)


def test_the_default_folders_leave_the_committed_site_alone(tmp_path: Path) -> None:
    """`joulemark report` writes to `reports/`, beside what `make reports` keeps below it."""
    kept = tmp_path / "reports" / "reference" / "index.html"
    kept.parent.mkdir(parents=True)
    kept.write_text("kept")
    for _ in range(2):
        render_site(tmp_path / "none", tmp_path / "reports", None)
    assert kept.read_text() == "kept"
    assert (tmp_path / "reports" / "index.html").is_file()
