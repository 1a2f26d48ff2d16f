"""Finds data files of installed packages without importing them."""

import importlib.util
from pathlib import Path


def installed(package: str, *parts: str) -> Path:
    """A file below an installed package.

    Raises:
        FileNotFoundError: the package is not installed, or has no such file (or it is masked).
    """
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder, *parts)
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"no {'/'.join((package, *parts))} in this environment; pip install --no-deps {package}"
    )
