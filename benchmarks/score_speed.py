"""CPU seconds to score and rank many bundles: cold, and with the cache of scores.

python -m benchmarks.score_speed [--bundles N]

The bundles are made, not measured: eight seeds an entry, one domain, some 125 readings a trace.
Each figure is of a fresh process that loads, scores and ranks; its import is shown separately.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.lab.results import Plan, series

SEEDS = 8
MACHINES = 25

PROGRAM = """
import json, sys, time
from pathlib import Path
from harness.prizes import score_document
loaded_s = time.process_time()
document = score_document(Path(sys.argv[1]))
found = {"import_s": loaded_s, "score_s": time.process_time() - loaded_s}
print(json.dumps(found | {"entries": len(document.scores)}))
"""


def make(results: Path, bundles_count: int) -> None:
    """So many bundles, eight to an entry, on the boards of some machines."""
    for number in range(bundles_count // SEEDS):
        plan = Plan(
            name=f"entry{number}", source=f"source {number}", machine=f"m{number % MACHINES}"
        )
        series(results, plan, [10 + 0.01 * number + 0.01 * seed for seed in range(SEEDS)])


def scored(results: Path, cache: Path) -> dict[str, float]:
    """CPU seconds of one process that scores the folder."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(results)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"JOULEMARK_CACHE": str(cache)},
    )
    document: dict[str, float] = json.loads(done.stdout)
    return document


def main() -> None:
    """Print the figures as a Markdown table and, last, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundles", type=int, default=10_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results, cache = Path(folder) / "results", Path(folder) / "cache"
        make(results, asked.bundles)
        cold, warm = scored(results, cache), scored(results, cache)
    result = {
        "bundles": asked.bundles,
        "entries": cold["entries"],
        "import, CPU s": cold["import_s"],
        "cold, CPU s": cold["score_s"],
        "from the cache, CPU s": warm["score_s"],
    }
    sys.stdout.write("| figure | value |\n|---|---|\n")
    for name, value in result.items():
        sys.stdout.write(f"| {name} | {value:.3g} |\n")
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
