"""Own runs and made archives of other fields in one results folder."""

from pathlib import Path

from harness.formats.imports import import_archive
from tests.archives.algoperf.made import hit, write_tree
from tests.archives.dawnbench.test_reader import entry
from tests.archives.mlperf.made import Power, Run, write_package
from tests.report.made import Plan, make

HOSTILE = "<b>evil</b> \u05d0\u0628 " + "W" * 120


def archives(root: Path) -> dict[str, Path]:
    """One archive of each field."""
    runs = [Run(run_s=100.0 + i, nodes=(Power(),)) for i in range(5)]
    tree = {
        name: {"ogbg": [[hit(1000.0 * pace, 0.3)] for _ in range(3)]}
        for name, pace in (("swift", 1.0), ("slow", 1.7))
    }
    entry(root / "dawnbench", name="ada")
    entry(
        root / "dawnbench",
        name="bob",
        hardware=HOSTILE,
        table="epoch\thours\ttop1Accuracy\n1\t0.5\t60\n",
    )
    return {
        "mlperf-training": write_package(root / "mlperf" / "ACME", runs).parent,
        "algoperf": write_tree(root / "algoperf", tree),
        "dawnbench": root / "dawnbench",
    }


def make_with_imports(root: Path) -> Path:
    """The results folder."""
    plans = (
        Plan(submission="digits-mlp-a", title="A", seeds=2, meter="rapl"),
        Plan(submission="digits-mlp-b", title="B", seeds=2, meter="rapl", speed=2.0),
    )
    made = make(root / "results", plans)
    for source_format, archive in archives(root / "archives").items():
        import_archive(source_format, archive, made.results)
    return made.results
