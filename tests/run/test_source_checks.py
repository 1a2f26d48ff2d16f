"""What a submission carries besides source: locks without hashes are refused, odd files told."""

import base64
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.run.series import run_series
from harness.run.source_checks import (
    DATA_BYTES_MAX,
    READABLE_BYTES_MAX,
    check_lock,
    data_bytes,
    data_files,
    opaque_files,
    source_findings,
)
from harness.run.submission import SubmissionError
from tests.run.made import Folder, Silent, check_bundle

ROOT = Path(__file__).parents[2]
SHA = "sha256:" + "0a" * 32
GOOD = (
    f"numpy==2.2.0 --hash={SHA}",
    f"numpy==2.2.0 \\\n    --hash={SHA} \\\n    --hash={SHA}  # two wheels",
    f"torch[opt]==2.13.0 ; python_version > '3.10' --hash={SHA}",
    f"# a comment\n\nscipy == 1.15 --hash={SHA}\n",
    f"mine @ https://example.org/mine-1.0-py3-none-any.whl --hash={SHA}",
    "",
)
BAD = (
    ("numpy==2.2.0", "no hash"),
    ("numpy==2.2.0 --hash=md5:00", "no hash"),
    (f"numpy==2.2.0 --hash={SHA[:-1]}", "no hash"),
    (f"numpy>=2.2.0 --hash={SHA}", "not pinned"),
    (f"numpy==2.* --hash={SHA}", "not pinned"),
    (f"./wheel.whl --hash={SHA}", "not pinned"),
    ("--index-url https://example.org", "is an option"),
    ("-r other.txt", "is an option"),
    (f"numpy==2.2.0 # --hash={SHA}", "no hash"),
    ("numpy==2.2.0 \\", "no hash"),
)


@pytest.mark.parametrize("text", GOOD)
def test_hashed_lock_is_accepted(tmp_path: Path, text: str) -> None:
    (tmp_path / "requirements.lock").write_text(text)
    check_lock(tmp_path)
    assert packing_rules(tmp_path) == ["source-packages-missing"]


@pytest.mark.parametrize(("text", "said"), BAD)
def test_line_at_fault_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "requirements.lock").write_text(f"{GOOD[0]}\n{text}\n")
    with pytest.raises(SubmissionError, match=rf"requirements.lock, line 2: .*{said}"):
        check_lock(tmp_path)


@given(st.lists(st.sampled_from(["a==1", f"b==2 --hash={SHA}", "# c", "", "d==3 \\"]), max_size=6))
def test_whatever_has_fewer_hashes_than_requirements_is_refused(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("lock")
    (folder / "requirements.lock").write_text("\n".join(lines))
    unhashed = [line for line in lines if re.match(r"a==1$", line)]
    if unhashed and not any("\\" in line for line in lines):
        with pytest.raises(SubmissionError):
            check_lock(folder)
    elif not any("==" in line and "hash" not in line for line in lines):
        check_lock(folder)


def test_lock_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "requirements.lock").write_bytes(b"numpy==1 \xff")
    with pytest.raises(SubmissionError, match="cannot be read as text"):
        check_lock(tmp_path)


def packing_rules(folder: Path) -> list[str]:
    return [packing_finding.rule for packing_finding in source_findings(folder)]


@pytest.mark.parametrize(
    ("data", "opaque"),
    [
        (b"", False),
        ("größe\n\t".encode(), False),
        (b"a" * READABLE_BYTES_MAX, False),
        (b"a" * (READABLE_BYTES_MAX + 1), True),
        (b"a\0b", True),
        (b"\x89PNG", True),
        (b"\xff\xfe", True),
        (b"\x1b[2J", True),
    ],
)
def test_what_cannot_be_read_is_reported(tmp_path: Path, data: bytes, opaque: bool) -> None:
    (tmp_path / "weights.bin").write_bytes(data)
    (tmp_path / "train.py").write_text("def train(session): ...\n")
    assert opaque_files(tmp_path) == ([("weights.bin", len(data))] if opaque else [])
    assert packing_rules(tmp_path) == (["source-opaque"] if opaque else [])


def test_largest_come_first_and_the_rest_is_counted(tmp_path: Path) -> None:
    for size in range(1, 9):
        (tmp_path / f"{size}.bin").write_bytes(b"\0" * size)
    (finding,) = source_findings(tmp_path)
    assert finding.message.startswith("8 files")
    assert finding.message.index("8.bin (8 bytes)") < finding.message.index("7.bin")
    assert finding.message.endswith("and 3 more")


# --- stored values in texts -----------------------------------------------------------------------

WEIGHTS = np.random.default_rng(0).normal(size=5000).astype("f4")
CODINGS = {
    "base64": base64.b64encode(WEIGHTS.tobytes()).decode(),
    "base64 in lines": base64.encodebytes(WEIGHTS.tobytes()).decode(),
    "base64 in short strings": "\n".join(
        f'    "{base64.b64encode(item.tobytes()).decode()}"' for item in WEIGHTS.reshape(-1, 8)
    ),
    "url-safe": base64.urlsafe_b64encode(WEIGHTS.tobytes()).decode(),
    "hex": WEIGHTS.tobytes().hex(),
    "decimals": ", ".join(f"{weight:.3f}" for weight in WEIGHTS),
    "a column": "\n".join(map(str, WEIGHTS)),
    "whole numbers": repr((WEIGHTS * 127).astype(int).tolist()),
    "TOML": "w = [\n" + "".join(f"  [{a:.3g}, {b:.3g}],\n" for a, b in WEIGHTS.reshape(-1, 2)),
}


@pytest.mark.parametrize("coding", CODINGS)
def test_weights_in_a_text_are_reported_in_any_coding(tmp_path: Path, coding: str) -> None:
    text = f'W = """{CODINGS[coding]}"""\n'
    (tmp_path / "train.py").write_text(text)
    ((name, size_bytes),) = data_files(tmp_path)
    assert name == "train.py"
    assert len(WEIGHTS) < size_bytes <= len(text)
    (finding,) = [
        packing_finding
        for packing_finding in source_findings(tmp_path)
        if packing_finding.rule == "source-data"
    ]
    assert finding.level == "warn"
    assert f"train.py ({size_bytes} bytes)" in finding.message


def test_what_people_write_holds_no_stored_values() -> None:
    for root in ("harness", "workloads/tasks", "workloads/submissions", "docs/examples/raw-numpy"):
        for path in (ROOT / root).rglob("*.py"):
            assert data_bytes(path.read_text(encoding="utf-8")) <= DATA_BYTES_MAX, path


@given(st.text(max_size=3000), st.text(max_size=3000))
def test_values_add_up_and_are_never_more_than_the_text(one: str, other: str) -> None:
    word = "\nword\n"
    assert data_bytes(one + word + other) == data_bytes(one + word) + data_bytes(word + other)
    assert 0 <= data_bytes(one) <= len(one)


def test_hashes_of_a_lock_and_packages_are_no_stored_values(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "table.py").write_text(CODINGS["hex"])
    (tmp_path / "requirements.lock").write_text(f"a==1 --hash={SHA}\n" * 200)
    assert data_files(tmp_path) == []


@pytest.mark.parametrize(
    ("piece", "share"), [("1", 1.0), ("1 ", 0.5), ("a1", 1.0), ("1.", 0.0), ("a", 0.0), ("-", 0.0)]
)
def test_the_largest_text_allowed_is_looked_over_whole(piece: str, share: float) -> None:
    """Two mebibytes of one kind: a search that goes back and forth would take hours."""
    text = piece * ((2 << 20) // len(piece))
    assert data_bytes(text) == share * len(text)


# --- unchanged in a run ------------------------------------------------------------------------


def test_run_tells_of_packages_and_files_and_uses_them(folder: Folder) -> None:
    source = folder.entry("""
        def train(session):
            import answer
            assert answer.VALUE == 42
            session.snapshot({"w": fitted(session)})
    """)
    (source / "site").mkdir()
    (source / "site" / "answer.py").write_text("VALUE = 42\n")
    (source / "site" / "numpy.py").write_text("raise RuntimeError('stands in for numpy')\n")
    (source / "requirements.lock").write_text(f"answer==1 --hash={SHA}\n")
    (source / "stored.npy").write_bytes(b"\x93NUMPY\0")
    (outcome,) = run_series(folder.request(), Silent())
    assert outcome.run.status == "ok", outcome.run.reason
    result = {finding.rule: finding for finding in outcome.run.findings}
    assert result["source-opaque"].level == "warn"
    assert "stored.npy (7 bytes)" in result["source-opaque"].message
    assert result["source-packages"].level == "info"
    sizes = [path.stat().st_size for path in (source / "site").iterdir()]
    assert outcome.run.submission.packages_bytes == sum(sizes)
    assert outcome.run.submission.requirements_sha256 is not None
    check_bundle(outcome, folder.results)


def test_unhashed_lock_stops_a_series_before_it_starts(folder: Folder) -> None:
    source = folder.entry("def train(session): ...")
    (source / "requirements.lock").write_text("numpy\n")
    with pytest.raises(SubmissionError, match="line 1"):
        run_series(folder.request(), Silent())
    assert not folder.results.exists()
