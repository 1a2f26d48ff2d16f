"""The first file that runs in a sandbox: makes harness and workloads importable, runs a role.

Started as `python -I -X utf8 sandbox_main.py ROLE FD FOLDER JSON`; ROLE is `train` or `predict`.
"""

import importlib.util
import os
import sys
import traceback
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

ROLES = {"train": "harness.run.submission_shim", "predict": "harness.run.predictor_shim"}
_ROOT = Path(__file__).resolve().parents[2]


class PackageFinder:
    """Finds the two packages without listing the folder that contains them.

    That folder may be unreadable in the sandbox, and nothing else in it can be imported.
    """

    @staticmethod
    def find_spec(
        name: str, _path: object = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The package's spec; None for every other module."""
        if name not in ("harness", "workloads"):
            return None
        folder = _ROOT / name
        return importlib.util.spec_from_file_location(
            name, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )


def main(arguments: list[str]) -> None:
    """Run the role, and exit without the interpreter's clean-up, which costs torch a second."""
    sys.meta_path.append(PackageFinder)
    role, *rest = arguments
    try:
        importlib.import_module(ROLES[role]).main(rest)
    except Exception:  # noqa: BLE001 - every error of a submission is its last output
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
