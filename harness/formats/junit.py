"""Writes runs as JUnit XML for continuous integration: a suite a workload, a case a run."""

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET

from harness.formats.format import Export, ExportRequest, Format

FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, not even escaped."""

PROPERTIES = ("seed", "energy_j", "method", "metric", "cpu_s", "peak_rss_bytes", "bundle")
BROKEN = ("crashed", "oom", "killed", "aborted", "invalid", "diverged")


def _clean(value: object) -> str:
    return FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", str(value))


def _case(suite: ET.Element, entry: Mapping[str, Any], run: Mapping[str, Any]) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        name=_clean(f"{entry['entry']['submission']} seed {run['seed']} ({run['run_id']})"),
        classname=_clean(f"{entry['entry']['workload']}.{entry['entry']['machine']}"),
        time=_clean(run["time_s"] or run["window_s"] or 0),
    )
    properties = ET.SubElement(case, "properties")
    run = {**run, **run.get("energy", {})}
    for name in PROPERTIES:
        if run.get(name) is not None:
            ET.SubElement(properties, "property", name=name, value=_clean(run[name]))
    if not run["reached"]:
        kind = "error" if run["status"] in BROKEN else "failure"
        ET.SubElement(case, kind, type=_clean(run["status"]), message=_clean(run["reason"]))


def _suite(root: ET.Element, workload: str, entries: list[Mapping[str, Any]]) -> None:
    runs = [(entry, run) for entry in entries for run in entry["runs"]]
    missed = [run for _, run in runs if not run["reached"]]
    broken = sum(run["status"] in BROKEN for run in missed)
    suite = ET.SubElement(
        root,
        "testsuite",
        name=_clean(workload),
        tests=str(len(runs)),
        errors=str(broken),
        failures=str(len(missed) - broken),
    )
    for entry, run in runs:
        _case(suite, entry, run)


def write(request: ExportRequest) -> Export:
    """One file with all suites."""
    by_workload: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for entry in request.scores()["scores"]:
        if entry.get("runs"):
            by_workload[entry["entry"]["workload"]].append(entry)
    root = ET.Element("testsuites", name="joulemark")
    for workload, entries in sorted(by_workload.items()):
        _suite(root, workload, entries)
    ET.indent(root)
    return Export({"junit.xml": ET.tostring(root, "utf-8", xml_declaration=True) + b"\n"}, [])


FORMAT = Format(name="junit", title="JUnit XML", write=write)
