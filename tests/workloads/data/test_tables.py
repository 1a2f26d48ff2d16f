"""Tables from installed packages: diamonds, ratings of films, sensors of the Shuttle."""

import gzip
import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from harness.api import Splits
from workloads.data import diamonds, movielens, shuttle

HEADS = {
    diamonds: '"carat","cut","color","clarity","depth","table","price","x","y","z"\n',
    movielens: "user_id:token\titem_id:token\trating:float\ttimestamp:float\n",
    shuttle: "f1,f2,f3,f4,f5,f6,f7,f8,f9,anomaly\n",
}


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    caches = (diamonds.diamonds, movielens.ratings, shuttle.shuttle)
    for cach in caches:
        cach.cache_clear()
    yield
    for cach in caches:
        cach.cache_clear()


def _needs(package: str) -> pytest.MarkDecorator:
    missing = importlib.util.find_spec(package) is None
    return pytest.mark.skipif(missing, reason=f"{package} is not installed")


def _give(monkeypatch: pytest.MonkeyPatch, module: ModuleType, path: Path, text: str) -> None:
    data = text.encode()
    path.write_bytes(gzip.compress(data) if module is shuttle else data)
    monkeypatch.setattr(module, "installed", lambda *_: path)


@_needs("plotnine")
def test_diamonds_are_standardised_and_parted() -> None:
    splits = diamonds.diamond_splits()
    assert splits.train["x"].shape == (43_920, 9)
    assert (len(splits.validation["y"]), len(splits.test_labels["y"])) == (5_000, 5_000)
    assert np.abs(splits.train["x"].mean(axis=0)).max() < 1e-3
    assert splits.train["x"].std(axis=0) == pytest.approx(np.ones(9), abs=1e-3)
    assert abs(splits.train["y"].mean()) < 1e-3


@_needs("plotnine")
def test_dearer_diamonds_are_heavier() -> None:
    inputs, prices = diamonds.diamonds()
    assert np.corrcoef(inputs[:, 0], prices)[0, 1] > 0.9


def test_diamonds_without_a_size_are_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rows = '0.2,"Ideal","E","SI2",61,55,300,4,4,2\n0.3,"Fair","J","I1",60,50,400,0,4,2\n'
    _give(monkeypatch, diamonds, tmp_path / "d.csv", HEADS[diamonds] + rows)
    inputs, prices = diamonds.diamonds()
    assert np.exp(prices).tolist() == pytest.approx([300])
    assert inputs[0, 6:].tolist() == [4, 5, 1]


def test_unknown_grade_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    row = '0.2,"Superb","E","SI2",61,55,300,4,4,2\n'
    _give(monkeypatch, diamonds, tmp_path / "d.csv", HEADS[diamonds] + row)
    with pytest.raises(ValueError, match=r"d\.csv.*Superb.*plotnine"):
        diamonds.diamonds()


@_needs("recbole")
def test_ratings_are_parted_by_rows() -> None:
    splits = movielens.movielens_splits()
    parts = [splits.train["x"], splits.validation["x"], splits.test_inputs["x"]]
    assert [len(part) for part in parts] == [85_000, 5_000, 10_000]
    every = np.concatenate(parts)
    assert len(np.unique(every, axis=0)) == 100_000
    assert every.max(axis=0).tolist() == [942, 1_681]
    assert set(np.unique(splits.test_labels["y"])) == {1, 2, 3, 4, 5}


def test_truncated_ratings_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _give(monkeypatch, movielens, tmp_path / "r.inter", HEADS[movielens] + "1\t1\t7\t0\n" * 2)
    with pytest.raises(ValueError, match=r"r\.inter: 2 rows .* install an unchanged recbole"):
        movielens.ratings()


@_needs("river")
def test_only_normal_rows_train() -> None:
    splits = shuttle.shuttle_splits()
    truth = splits.test_labels["y"]
    assert (truth == 0).sum() == 10_000
    assert (truth == 1).sum() == 3_511
    assert len(splits.train["x"]) + len(splits.validation["x"]) == 49_097 - 10_000 - 3_511
    assert np.abs(splits.test_inputs["x"]).max() <= 10


def test_other_table_of_sensors_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rows = "1,2,3,4,5,6,7,8,9,0\n" * 2
    _give(monkeypatch, shuttle, tmp_path / "s.csv.gz", HEADS[shuttle] + rows)
    with pytest.raises(ValueError, match=r"s\.csv\.gz: a table of \(2, 10\).*unchanged river"):
        shuttle.shuttle()


@pytest.mark.parametrize(
    ("make", "package"),
    [
        (diamonds.diamond_splits, "plotnine"),
        (movielens.movielens_splits, "recbole"),
        (shuttle.shuttle_splits, "river"),
    ],
)
def test_missing_package_is_reported_with_the_remedy(
    make: Callable[[], Splits], package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match=f"pip install .*{package}"):
        make()
