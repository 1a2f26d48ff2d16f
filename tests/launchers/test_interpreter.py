"""A Python that sees nothing but these folders is the same Python."""

import json
import subprocess
import sys
from pathlib import Path

from harness.launchers.interpreter import below, python_paths


def test_everything_it_runs_from_lies_in_them() -> None:
    folders = python_paths()
    program = "import json, sys, numpy; print(json.dumps([m.__file__ for m in sys.modules.values()"
    program += " if getattr(m, '__file__', None)]))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, check=True, text=True
    )
    loaded = [Path(name) for name in json.loads(done.stdout)]
    assert len(loaded) > 50
    outside = [path for path in loaded if not any(below(path, folder) for folder in folders)]
    assert outside == []


def test_the_interpreter_and_what_it_links_to_lie_in_them() -> None:
    place = Path(sys.executable)
    for path in (place, place.resolve(), Path(sys.prefix), Path(sys.base_prefix)):
        assert any(below(path, folder) for folder in (*python_paths(), Path("/usr")))


def test_neither_home_nor_project_is_shown() -> None:
    project = Path(__file__).resolve().parents[2]
    for folder in python_paths():
        assert folder not in (Path("/"), Path.home(), project)
        assert not below(project, folder)


def test_no_folder_twice() -> None:
    folders = python_paths()
    inside = [(one, two) for one in folders for two in folders if one != two and below(one, two)]
    assert inside == []
