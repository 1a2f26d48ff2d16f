"""Our figure and those of other projects for one simulated course of power, in one run.

python -m benchmarks.peers [--venvs DIR] [--seconds S] [--tools NAME,...] [--json]

Each tool is installed into an environment of its own (about 1.3 GB together, kept in --venvs) and
reads the same two simulated NVIDIA cards, whose joules are known exactly. Told are the error, what
is said where there is no sensor, and CPU and memory. A figure is wrong where it misses the truth
by more than the tool itself states, or by more than 5 % where it states nothing.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.peers.programs import PRELUDE, PROGRAMS
from tests.lab.nvml import knobs, truth_j

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = {
    "codecarbon": "codecarbon==3.3.2",
    "zeus": "zeus==0.16.0",
    "carbontracker": "carbontracker==2.4.7",
    "perun": "perun==1.0.0",
}
CARDS = 2
TOLERANCE_RATIO = 0.05

CASES: dict[str, dict[str, object]] = {
    "constant 300 W": {"shape": "constant"},
    "square 100/300 W, 4 s": {"shape": "square", "wave_s": 4},
    "pulse 100/300 W, 1 s in 5": {"shape": "pulse", "wave_s": 5},
    "sine 100..300 W, 0.9 s": {"shape": "sine", "wave_s": 0.9},
    "constant, card without fields": {"shape": "constant", "architecture": 4, "no_fields": 1},
    "card lost halfway": {"shape": "constant", "fault": "lost"},
    "no library at all": {},
}
_WARNS = re.compile(
    r"gpu.*(lost|fail|not found|unavailable|no )|no gpu|no .*components|nvml.*(fail|not)|is lost"
    r"|u \d+ J|no meter|modelled",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Outcome:
    """What one tool said in one case."""

    tool: str
    case: str
    joules: float | None
    truth_j: float | None
    warned: bool
    wrong: bool
    note: str
    stages_cpu_s: Mapping[str, float]
    mib: float

    @property
    def shown(self) -> str:
        """For the table."""
        if self.joules is None:
            figure = "none"
        elif self.truth_j:
            figure = f"{100 * (self.joules / self.truth_j - 1):+.1f} %"
        else:
            figure = f"{self.joules:.0f} J"
        mark = " **wrong**" if self.wrong else ""
        return f"{figure}{mark}{', says so' if self.wrong and self.warned else ''}"


def python_of(tool: str, venvs: Path) -> Path:
    """The interpreter of a tool's own environment, made where it is not there yet."""
    if tool == "joulemark":
        return Path(sys.executable)
    folder = venvs / tool
    python = folder / "bin/python"
    if not (folder / ".ready").exists():
        print(f"installing {VERSIONS[tool]}", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*command, VERSIONS[tool], "nvidia-ml-py"], check=True)
        (folder / ".ready").touch()
    return python


def environment(tool: str, case: str, folder: Path, seconds: float) -> dict[str, str]:
    """What a tool sees: the simulated cards, a program `nvidia-smi` (one of them asks for it)."""
    settings = dict(CASES[case])
    made = knobs(gpus=CARDS, **settings)
    if settings.get("fault"):
        made["JOULEMARK_LAB_FAULT_AFTER_S"] = str(seconds * 0.75 + 2)
    if case == "no library at all":
        made = {}
    else:
        stub = folder / "nvidia-smi"
        stub.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA Lab 100'\n")
        stub.chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    home = {"HOME": str(folder), "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    return made | home | ({"PYTHONPATH": str(ROOT)} if tool == "joulemark" else {})


def run(tool: str, case: str, venvs: Path, seconds: float) -> Outcome:
    """Run one tool in one case."""
    folder = venvs / "runs" / re.sub(r"\W+", "-", f"{tool}-{case}")
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "program_of_a_peer.py"
    program.write_text(PRELUDE + PROGRAMS[tool])
    seen = environment(tool, case, folder, seconds)
    command = [str(python_of(tool, venvs)), str(program), str(seconds)]
    try:
        done = subprocess.run(
            command, env=seen, cwd=folder, capture_output=True, text=True, timeout=180, check=False
        )
        output = done.stdout + done.stderr
    except subprocess.TimeoutExpired:
        output = "it did not end within 180 s"
    return judged(tool, case, output, seen)


def judged(tool: str, case: str, output: str, seen: Mapping[str, str]) -> Outcome:
    """The outcome in a tool's output."""
    line = next((each for each in output.splitlines() if each.startswith("RESULT ")), None)
    if line is None:
        last = output.strip().splitlines()[-1:] or ["no output"]
        return Outcome(
            tool, case, None, None, warned=True, wrong=False, note=last[0][:90],
            stages_cpu_s={}, mib=0.0,
        )  # fmt: skip
    told = json.loads(line.removeprefix("RESULT "))
    joules = told["joules"]
    truth = None
    if case != "no library at all":
        truth = CARDS * truth_j(seen, told["begin_ns"], told["end_ns"])
    stated = re.search(r"u (\d+) J", told["note"])
    room = float(stated[1]) if stated else TOLERANCE_RATIO * (truth or 0.0)
    wrong = joules is not None and (truth is None or abs(joules - truth) > room)
    warned = bool(_WARNS.search(output))
    return Outcome(
        tool, case, joules, truth, warned, wrong, told["note"], told["stages"], told["mib"]
    )


def outcomes(tools: Sequence[str], venvs: Path, seconds: float) -> Iterator[Outcome]:
    """All tools in all cases; the tools of one case beside each other, since they mostly sleep."""
    for tool in tools:
        python_of(tool, venvs)
    with ThreadPoolExecutor(len(tools)) as pool:
        for case in CASES:
            jobs = [pool.submit(run, tool, case, venvs, seconds) for tool in tools]
            for job in jobs:
                yield job.result()


def table(found: Sequence[Outcome], tools: Sequence[str]) -> str:
    """The figures as Markdown."""
    by_place = {(each.case, each.tool): each for each in found}
    rows = [["error against the truth", *tools], ["---"] * (len(tools) + 1)]
    rows += [[case, *(by_place[case, tool].shown for tool in tools)] for case in CASES]
    first = next(iter(CASES))
    rows += [
        [f"{stage}, CPU s", *(_stage(by_place[first, tool], stage) for tool in tools)]
        for stage in ("import", "start")
    ]
    rows.append(
        ["memory above bare Python, MiB", *(f"{by_place[first, t].mib:.0f}" for t in tools)]
    )
    silent = [sum(o.wrong and not o.warned for o in found if o.tool == tool) for tool in tools]
    rows.append(["**wrong figures without a word**", *map(str, silent)])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _stage(outcome: Outcome, stage: str) -> str:
    names = ("import", "start")
    if stage not in outcome.stages_cpu_s:
        return "-"
    before = names[names.index(stage) - 1] if stage != "import" else None
    return f"{outcome.stages_cpu_s[stage] - (outcome.stages_cpu_s[before] if before else 0):.2f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print; 1 where one of our own figures was wrong without a word."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--venvs", type=Path, default=ROOT / ".benchmarks/peers")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a window")
    parser.add_argument("--tools", default=",".join(PROGRAMS), help="which, with commas")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    tools = options.tools.split(",")
    found = list(outcomes(tools, options.venvs.resolve(), options.seconds))
    if options.json:
        print(json.dumps([asdict(each) for each in found], indent=1))
    else:
        print(table(found, tools))
        for each in found:
            if each.note:
                print(f"\n{each.tool}, {each.case}: {each.note}", end="")
        print()
    return int(any(each.wrong and not each.warned for each in found if each.tool == "joulemark"))


if __name__ == "__main__":
    raise SystemExit(main())
