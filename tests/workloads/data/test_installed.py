"""Data files of packages are found without importing the package, or the remedy is told."""

import sys

import pytest

from workloads.data.installed import installed


def test_file_is_located_without_the_import() -> None:
    before = "sklearn.datasets" in sys.modules
    assert installed("sklearn", "datasets", "data", "iris.csv").is_file()
    assert ("sklearn.datasets" in sys.modules) == before


@pytest.mark.parametrize("package", ["no_such_package_at_all", "sklearn"])
def test_missing_file_names_itself_and_the_remedy(package: str) -> None:
    with pytest.raises(FileNotFoundError, match=f"{package}/data/x.csv .* pip install .*{package}"):
        installed(package, "data", "x.csv")
