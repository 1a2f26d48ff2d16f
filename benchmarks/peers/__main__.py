"""Our figure and those of other projects for one simulated course of power, in one run.

python -m benchmarks.peers [--venvs DIR] [--seconds S] [--tools NAME,...] [--json]

Each tool is installed into an environment of its own (about 1.3 GB together, kept in --venvs) and
sees the same simulated NVIDIA cards, or the same powercap tree in the kernel's own place, whose
joules are known exactly. Told are the error, what is said where there is no sensor, and CPU and
memory.

A figure is wrong where it misses the truth by more than the tool itself states, or by more than
5 % where it states nothing. Where nothing can be measured every figure is wrong, 0 J too, unless
it is called an estimate. A tool "says so" where anything that it prints by default, or the record
that holds the figure, tells of the fault or of the estimate.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers.cases import CARDS, Case, cases
from benchmarks.peers.counters import GO, mounted, running
from benchmarks.peers.programs import PRELUDE, PROGRAMS
from tests.lab.nvml import knobs, truth_j

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = {
    "codecarbon": "codecarbon==3.3.2",
    "zeus": "zeus==0.16.0",
    "carbontracker": "carbontracker==2.4.7",
    "perun": "perun==1.0.0",
}
TOLERANCE_RATIO = 0.05
_ESTIMATE = r"modelled|\btdp of|no meter|estimat(ed|ion)|no cpu tracking|fall(ing|s)? ?back"
_WARNS = {
    "gpu": r"gpu.*(lost|fail|not found|unavailable|no )|no gpu|no .*components"
    r"|nvml.*(fail|not)|is lost|modelled|no meter",
    "cpu": r"dram.*(not|missing|left out)|(rapl|cpu|package|counter).*(fail|negative|wrapp|jump)"
    r"|modelled|no meter",
    "all": rf"{_ESTIMATE}|no .*components|(sensor|rapl|nvml).*(not|no)\b",
}
"""What tells of the fault or of the estimate in a tool's output, by what was asked for."""
_STATED = re.compile(r"^u ([\d.]+) J")


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
            return "none"
        stated = _STATED.search(self.note)
        figure = f"{self.joules:.0f} J"
        if self.truth_j:
            figure = f"{100 * (self.joules / self.truth_j - 1):+.1f} %"
            if stated and float(stated[1]) > 2 * TOLERANCE_RATIO * self.truth_j:
                figure += f", ± {100 * float(stated[1]) / self.truth_j:.0f} %"
        if not self.wrong:
            return figure
        return f"{figure}, says so" if self.warned else f"{figure} **wrong**"


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


def environment(tool: str, case: Case, folder: Path) -> dict[str, str]:
    """What a tool sees: the simulated cards, and a program `nvidia-smi` (one tool asks for it)."""
    made = {} if case.card is None else knobs(gpus=CARDS, **case.card)
    if case.smi:
        stub = folder / "nvidia-smi"
        stub.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA Lab 100'\n")
        stub.chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    home = {"HOME": str(folder), "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    return made | home | ({"PYTHONPATH": str(ROOT)} if tool == "joulemark" else {})


def run(tool: str, case: Case, venvs: Path, seconds: float) -> Outcome:
    """Run one tool in one case."""
    folder = venvs / "runs" / re.sub(r"\W+", "-", f"{tool}-{case.name}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    program = folder / "program_of_a_peer.py"
    program.write_text(PRELUDE + PROGRAMS[tool])
    seen = environment(tool, case, folder)
    tree = folder / "powercap" if case.course else None
    command = [] if case.asks == "gpu" else mounted(tree)
    command += [str(python_of(tool, venvs)), str(program), str(seconds), case.asks]
    counting = running(tree, case.course, folder / GO) if tree and case.course else nullcontext()
    with counting:
        output = _output(command, seen, folder)
    (folder / "output.txt").write_text(output)
    return judged(tool, case, output, seen)


def _output(command: list[str], seen: Mapping[str, str], folder: Path) -> str:
    try:
        done = subprocess.run(
            command, env=seen, cwd=folder, capture_output=True, text=True, timeout=180, check=False
        )
    except subprocess.TimeoutExpired:
        return "it did not end within 180 s"
    return done.stdout + done.stderr


def truth_of(case: Case, reported: Mapping[str, Any], seen: Mapping[str, str]) -> float | None:
    """Exact joules of a window; None where there is nothing to measure."""
    begin_ns, end_ns = reported["begin_ns"], reported["end_ns"]
    if case.card is not None:
        return CARDS * truth_j(seen, begin_ns, end_ns)
    return case.course.truth_j((end_ns - begin_ns) / 1e9) if case.course else None


def judged(tool: str, case: Case, output: str, seen: Mapping[str, str]) -> Outcome:
    """The outcome in a tool's output."""
    line = next((item for item in output.splitlines() if item.startswith("RESULT ")), None)
    if line is None:
        last = output.strip().splitlines()[-1:] or ["no output"]
        return Outcome(
            tool, case.name, None, None, warned=True, wrong=False, note=last[0][:90],
            stages_cpu_s={}, mib=0.0,
        )  # fmt: skip
    document = json.loads(line.removeprefix("RESULT "))
    joules, truth = document["joules"], truth_of(case, document, seen)
    stated = _STATED.search(document["note"])
    room = float(stated[1]) if stated else TOLERANCE_RATIO * (truth or 0.0)
    wrong = joules is not None and (truth is None or abs(joules - truth) > room)
    warned = bool(re.search(_WARNS[case.asks], output, re.IGNORECASE))
    return Outcome(
        tool,
        case.name,
        joules,
        truth,
        warned,
        wrong,
        document["note"],
        document["stages"],
        document["mib"],
    )


def outcomes(
    tools: Sequence[str], chosen: Sequence[Case], venvs: Path, seconds: float
) -> Iterator[Outcome]:
    """All tools in all cases; the tools of one case beside each other, since they mostly sleep."""
    for tool in tools:
        python_of(tool, venvs)
    with ThreadPoolExecutor(len(tools)) as pool:
        for case in chosen:
            jobs = [pool.submit(run, tool, case, venvs, seconds) for tool in tools]
            for job in jobs:
                yield job.result()


def table(result: Sequence[Outcome], tools: Sequence[str]) -> str:
    """The figures as Markdown."""
    named = list(dict.fromkeys(item.case for item in result))
    by_place = {(item.case, item.tool): item for item in result}
    rows = [["error against the truth", *tools], ["---"] * (len(tools) + 1)]
    rows += [[case, *(by_place[case, tool].shown for tool in tools)] for case in named]
    first = named[0]
    rows += [
        [f"{stage}, CPU s", *(_stage(by_place[first, tool], stage) for tool in tools)]
        for stage in ("import", "start")
    ]
    rows.append(
        ["memory above bare Python, MiB", *(f"{by_place[first, t].mib:.0f}" for t in tools)]
    )
    silent = [sum(o.wrong and not o.warned for o in result if o.tool == tool) for tool in tools]
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
    parser.add_argument("--cases", default="", help="only those whose name holds this text")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    tools = options.tools.split(",")
    chosen = [case for case in cases(options.seconds) if options.cases in case.name]
    result = list(outcomes(tools, chosen, options.venvs.resolve(), options.seconds))
    if options.json:
        print(json.dumps([asdict(item) for item in result], indent=1))
    else:
        print(table(result, tools))
        for item in result:
            if item.note:
                print(f"\n{item.tool}, {item.case}: {item.note}", end="")
        print()
    return int(any(item.wrong and not item.warned for item in result if item.tool == "joulemark"))


if __name__ == "__main__":
    raise SystemExit(main())
