"""Bundles that are sealed correctly and contradict themselves: the named check detects it."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.verify import BundleReport, verify
from tests.verify.made import TRACE, Parts, Results, submission_sha256

RUN_ID = "20261122T000000Z-0001"


def report_on(tmp_path: Path, change: Callable[[Parts], Any]) -> BundleReport:
    """The checker's word on a bundle that was changed before it was sealed."""
    made = Results(tmp_path / "results")
    made.add(RUN_ID, change)
    return verify(made.root).bundles[0]


def failures(report: BundleReport) -> dict[str, str]:
    return {check.rule: check.message for check in report.checks if check.verdict == "fail"}


def run(**fields: Any) -> Callable[[Parts], None]:
    return lambda parts: parts.run.update(fields)


def within(key: str, **fields: Any) -> Callable[[Parts], None]:
    return lambda parts: parts.run[key].update(fields)


def snapshot(**fields: Any) -> Callable[[Parts], None]:
    return lambda parts: parts.run["snapshots"][0].update(fields)


def event(place: int, **fields: Any) -> Callable[[Parts], None]:
    return lambda parts: parts.events[place].update(fields)


def run_check(**fields: Any) -> Callable[[Parts], None]:
    def change(parts: Parts) -> None:
        assert parts.evaluation is not None
        parts.evaluation.update(fields)

    return change


def trace(text: str) -> Callable[[Parts], None]:
    return lambda parts: parts.files.update({"trace.csv.gz": gzip.compress(text.encode(), mtime=0)})


def file(name: str, data: bytes) -> Callable[[Parts], None]:
    return lambda parts: parts.files.update({name: data})


def without(name: str) -> Callable[[Parts], object]:
    return lambda parts: parts.files.pop(name)


def no_evaluation(parts: Parts) -> None:
    parts.evaluation = None


def renamed_source(parts: Parts) -> None:
    parts.files["submission/other.py"] = parts.files.pop("submission/train.py")


def drained_after_the_end(parts: Parts) -> None:
    """Sent in time by the kernel's stamp, received when the last process was dead."""
    parts.run["snapshots"][0].update(stamp_ns=9000, kernel_ns=7900)
    parts.events[3].update(kind="end", t_ns=8000)
    parts.events[4].update(kind="snapshot", t_ns=9000)


def crashed(parts: Parts) -> None:
    parts.evaluation = None
    parts.run.update(status="crashed")


def parent(name: str) -> Callable[[Parts], None]:
    return lambda parts: parts.run["domains"][0].update(parents=[name])


VALUE = {"snapshot": 0, "value": 0.95, "wall_s": 0.1, "cpu_s": 0.1}
HEADER = "t_ns,domain,energy_j,power_w,u_ns\n"

LIES: list[tuple[str, Callable[[Parts], Any], str]] = [
    ("identity", run(id="20261122T000000Z-9999"), "is in a folder named"),
    ("identity", lambda p: p.manifest.update(status="target_missed"), "run.json says ok"),
    ("identity", lambda p: p.manifest.update(run_id="x"), "seals run x"),
    ("records", run(status="splendid"), "status"),
    ("records", run(extra=1), "extra"),
    ("records", event(0, seq="0"), "events.jsonl:1"),
    ("records", file("ruleset.toml", b"name = "), "not valid TOML"),
    ("records", run_check(values=[{**VALUE, "value": float("nan")}]), "NaN is not a JSON number"),
    ("records", within("workload", threads=2**60), "beyond 2^53"),
    ("machine-and-rules", run(machine="another"), "run.json says another"),
    ("machine-and-rules", run(ruleset="default"), "run.json says default"),
    ("machine-and-rules", run(snapshot_rule="final"), "another rule"),
    ("events", event(2, seq=5), "event 5 instead of 2"),
    ("events", event(3, t_ns=1400), "goes back in time"),
    ("window", within("window", gun_ns=9000), "before gun"),
    ("window", within("window", gun_ns=1400), "run.json says 1400"),
    ("window", lambda p: p.events.__delitem__(slice(2, None)), "has no event `gun`"),
    ("snapshots", snapshot(stamp_ns=4001), "other snapshot times"),
    ("snapshots", snapshot(stamp_ns=1000), "outside the run window"),
    ("snapshots", snapshot(stamp_ns=9000, kernel_ns=8500), "outside the run window"),
    ("snapshots", snapshot(index=1), "snapshot 1 instead of 0"),
    ("snapshots", snapshot(refused="late"), "accepted and refused"),
    ("snapshots", event(3, kind="log"), "0 snapshots, run.json has 1"),
    ("snapshots-kept", file("snapshots/0000.safetensors", b"other"), "is not a snapshot"),
    ("snapshots-kept", without("snapshots/0000.safetensors"), "1 of the kept"),
    ("snapshots-kept", snapshot(kept=False), "is not a snapshot that run.json states as kept"),
    ("evaluation", no_evaluation, "is missing"),
    ("evaluation", run_check(metric="loss"), "run.json says accuracy"),
    ("evaluation", run_check(examples=10), "10 examples"),
    ("evaluation", run_check(values=[{**VALUE, "snapshot": 3}]), "was not accepted"),
    ("evaluation", run_check(values=[VALUE, VALUE]), "has two values"),
    ("domains", parent("nowhere"), "unknown or a child"),
    ("domains", parent("cpu-package-0"), "unknown or a child"),
    ("domains", lambda p: p.run["domains"].append(p.run["domains"][0]), "have the same name"),
    ("trace", without("trace.csv.gz"), "the sampler wrote 3 readings"),
    ("trace", trace(TRACE.replace("cpu-package-0", "gpu-7")), "'gpu-7' is not in run.json"),
    ("trace", trace(HEADER), "0 readings, the sampler wrote 3"),
    ("trace", trace(TRACE.replace("9000,", "1500,")), "goes back in time"),
    ("trace", trace(TRACE.replace("9.25", "nan")), "not a finite number"),
    ("trace", trace(TRACE.replace("9.25", "")), "neither energy_j nor power_w"),
    ("trace", trace(TRACE.replace("9000", "9e3")), "not an integer"),
    ("trace", trace(TRACE + "1,2\n"), "2 columns"),
    ("trace", trace(TRACE.replace("u_ns", "half_ns")), "the header is not"),
    ("trace", trace(TRACE.replace("cpu-package-0", "cpu-é")), "not ASCII"),
    ("trace", trace(TRACE.rstrip("\n")), "the last line is torn"),
    ("trace", trace(""), "the header is not"),
    ("trace", file("trace.csv.gz", b"no gzip"), "damaged gzip"),
    ("trace", file("trace.csv.gz", gzip.compress(TRACE.encode())[:-3]), "cut off"),
    ("trace", file("trace.csv.gz", gzip.compress(TRACE.encode()) + b"x"), "other data follow"),
    ("trace", file("trace.csv.gz", gzip.compress(bytes(60 << 20))), "a bomb"),
    ("seeds", within("seeds", secret="00"), "is not the SHA-256"),
    ("seeds", within("seeds", secret="zz"), "not hexadecimal"),
    ("seeds", within("seeds", session=1), "it was chosen"),
    ("seeds", within("seeds", instance=1), "seeds.instance does not follow"),
    ("submission", file("submission/extra.py", b""), "digest is not the one"),
    ("submission", renamed_source, "digest is not the one"),
    ("submission", within("submission", files_count=3), "run.json says 3"),
    ("files-required", without("README.txt"), "README.txt"),
    ("harness", run(harness_version="9.9"), "another harness version"),
    ("ledger-row", lambda p: p.manifest.update(ledger_seq=7), "row 7"),
    ("ledger-row", within("workload", name="other"), "differs from row 0"),
    ("previous-manifest", lambda p: p.manifest.update(previous_manifest_sha256="0"), "another"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "change", "said"), LIES, ids=[f"{a}-{c}" for a, _, c in LIES])
def test_a_lie_is_detected_by_the_check_that_is_for_it(
    tmp_path: Path, rule: str, change: Callable[[Parts], Any], said: str
) -> None:
    messages = failures(report_on(tmp_path, change))
    assert said in messages.get(rule, ""), messages


def test_every_check_of_the_contents_is_tried() -> None:
    assert len({rule for rule, _, _ in LIES}) >= 15


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("snapshots", drained_after_the_end),
        ("seeds", lambda p: p.run["seeds"].update(session=7, source="declared")),
        ("evaluation", crashed),
        ("trace", lambda p: (p.files.pop("trace.csv.gz"), p.run.update(sampler=None))),
        ("harness", lambda p: p.manifest.update(harness_sha256="0" * 64)),
    ],
    ids=["sent-in-time", "declared-seed", "crashed", "no-meter", "other-version"],
)
def test_what_is_odd_but_honest_passes_or_is_skipped(
    tmp_path: Path, rule: str, change: Callable[[Parts], Any]
) -> None:
    assert rule not in failures(report_on(tmp_path, change))


def test_a_check_without_its_file_is_skipped_with_the_reason(tmp_path: Path) -> None:
    report = report_on(tmp_path, lambda p: p.run.update(format=99))
    checks = {check.rule: check for check in report.checks}
    assert checks["records"].verdict == "fail"
    assert "format 99 is newer" in checks["records"].message
    assert checks["window"].verdict == "skip"
    assert "run.json" in checks["window"].message


@pytest.mark.parametrize(
    "path", ["../outside", "/etc/passwd", "a/../b", "a//b", "", "a\\b", "a\nb", "./a"]
)
def test_hostile_names_in_a_manifest_are_refused(tmp_path: Path, path: str) -> None:
    made = Results(tmp_path / "results")
    folder = made.add(RUN_ID)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["files"].append({"path": path, "size_bytes": 0, "sha256": "0"})
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert "file-names" in failures(verify(made.root).bundles[0])


def test_the_digest_sorts_by_folder_first(tmp_path: Path) -> None:
    """`a-b` comes after `a/x` by parts and before it by characters."""
    source = {"a/x": b"1", "a-b": b"2"}

    def change(parts: Parts) -> None:
        for name in [name for name in parts.files if name.startswith("submission/")]:
            del parts.files[name]
        parts.files |= {f"submission/{name}": data for name, data in source.items()}
        parts.run["submission"] |= {
            "sha256": submission_sha256(source), "size_bytes": 2, "files_count": 2,
        }  # fmt: skip

    assert "submission" not in failures(report_on(tmp_path, change))
