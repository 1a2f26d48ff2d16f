"""DAWNBench entries: columns by name, scales, encodings, and what a bad entry costs."""

import json
from pathlib import Path

import pytest

from harness.archives.dawnbench.reader import read
from harness.formats.format import FormatError
from harness.records import ImportedRun

SAID = {
    "version": "v1.0", "author": "Ada", "authorEmail": "a@b.c", "framework": "torch 1",
    "model": "resnet", "hardware": "1x V100", "costPerHour": 3.6, "timestamp": "2019-10-01",
    "misc": {},
}  # fmt: skip
TABLE = "epoch\thours\ttop1Accuracy\n1\t0.01\t80.5\n2\t0.02\t94.0\n3\t0.03\t95.0\n"


def entry(
    root: Path, table: str = TABLE, task: str = "CIFAR10", name: str = "ada", **said: object
) -> Path:
    """Write one entry; returns the path of its table."""
    folder = root / task / "train"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(SAID | said))
    path = folder / f"{name}.tsv"
    path.write_text(table, encoding="utf-8", newline="")
    return path


def only(root: Path) -> ImportedRun:
    (run,) = read(root).runs
    return run


def test_names_curve_and_price(tmp_path: Path) -> None:
    entry(tmp_path)
    run = only(tmp_path)
    assert (run.workload, run.submission, run.machine) == ("CIFAR10", "ada", "1x V100")
    assert run.curve is not None
    assert run.curve.time_s == pytest.approx((36.0, 72.0, 108.0))
    assert run.curve.metric == {"top1Accuracy": (80.5, 94.0, 95.0)}
    assert (run.curve.steps_count, run.curve.steps_unit) == ((1.0, 2.0, 3.0), "epoch")
    assert run.facts["price_usd_per_h"] == 3.6
    assert run.facts["author"] == "Ada"
    assert run.findings == ()


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("hours\t", "hours \t"),
        lambda text: text + "\n\n",
        lambda text: text.rstrip("\n"),
        lambda text: text.replace(".", ","),
        lambda text: text.replace("\t", " "),
        lambda text: text.replace("top1Accuracy", "top1accuracy"),
    ],
    ids=["bom", "cr", "crlf", "blank in name", "empty lines", "no end", "decimal comma", "blanks",
         "small letters"],
)  # fmt: skip
def test_dialects_read_the_same(tmp_path: Path, damage) -> None:
    entry(tmp_path / "a")
    entry(tmp_path / "b", damage(TABLE))
    assert only(tmp_path / "b").curve == only(tmp_path / "a").curve


@pytest.mark.parametrize(
    "table",
    [
        TABLE.replace("\t8", " 8").replace("\t9", " 9"),
        TABLE.replace("\t80.5\n", " 80.5\t\n").replace("\t94.0", " 94.0 "),
        TABLE.replace("epoch\thours\t", "epoch   hours   "),
        TABLE.replace("\t", "   ").replace("0   9", "0\t9"),
    ],
    ids=["rows of tab and blank", "with an end", "blanks above tabs", "all together"],
)
def test_header_and_rows_may_be_parted_by_different_marks(tmp_path: Path, table: str) -> None:
    entry(tmp_path / "a")
    entry(tmp_path / "b", table)
    assert only(tmp_path / "b").curve == only(tmp_path / "a").curve
    assert only(tmp_path / "b").findings == ()


def test_a_field_that_is_empty_between_tabs_moves_no_other(tmp_path: Path) -> None:
    head = "epoch\thours\ttop1Accuracy\ttop5Accuracy\n"
    entry(tmp_path, head + "1\t0.5\t\t90.0\n2\t1.0\t70.0\t93.5\n", "ImageNet")
    curve = only(tmp_path).curve
    assert curve is not None
    assert curve.metric == {"top1Accuracy": (None, 70.0), "top5Accuracy": (90.0, 93.5)}


def test_hours_by_epoch_alone_are_reported_with_their_sum(tmp_path: Path) -> None:
    rows = "".join(f"{i}\t{0.131 - 0.01 * (i % 3)}\t{i}\n" for i in range(1, 10))
    entry(tmp_path / "a", "epoch\thours\ttop1Accuracy\n" + rows)
    (finding,) = only(tmp_path / "a").findings
    assert "add up to 1.089 h" in finding.message
    entry(tmp_path / "b", TABLE + "4\t0.025\t95.1\n5\t0.04\t95\n6\t0.05\t95\n7\t0.06\t95\n")
    (finding,) = only(tmp_path / "b").findings
    assert "add up" not in finding.message


def test_exchanged_names_are_righted_and_reported(tmp_path: Path) -> None:
    swapped = "hours\tepoch\ttop1Accuracy\n1\t0.01\t80.5\n2\t0.02\t94.0\n3\t0.03\t95.0\n"
    entry(tmp_path / "a")
    entry(tmp_path / "b", swapped)
    run = only(tmp_path / "b")
    assert run.curve == only(tmp_path / "a").curve
    assert "taken as exchanged" in run.findings[0].message


@pytest.mark.parametrize(
    "table",
    [
        "hours\tepoch\ttop1Accuracy\n1\t1\t80.5\n2\t2\t94.0\n3\t3\t95.0\n",
        "hours\tepoch\ttop1Accuracy\n1\t0.5\t80.5\n2\t1.5\t94.0\n",
        "hours\tepoch\ttop1Accuracy\n1\t0.5\t80.5\n2\t1.5\t94.0\n4\t2.5\t95.0\n",
        "hours\tepoch\ttop1Accuracy\n1\t0.5\t80.5\n2\t1.5\t94.0\n3\t0.2\t95.0\n",
        "hours\ttop1Accuracy\n1\t80.5\n2\t94.0\n3\t95.0\n",
    ],
    ids=["whole epochs", "too few", "no count", "falling", "no epochs"],
)
def test_names_are_believed_unless_the_figures_give_them_away(tmp_path: Path, table: str) -> None:
    entry(tmp_path, table)
    run = only(tmp_path)
    assert run.curve is not None
    assert run.curve.time_s[:2] == (3600.0, 7200.0)
    assert not [finding for finding in run.findings if finding.rule == "dawnbench-exchanged"]


def test_columns_are_detected_by_name(tmp_path: Path) -> None:
    table = "hours\tepoch\ttop1Accuracy\ttop5Accuracy\n0.5\t1\t70\t90\n1.5\t2\t75\t93.2\n"
    entry(tmp_path, table, "ImageNet", usedBlacklist=True, costPerHour=None)
    run = only(tmp_path)
    assert run.curve is not None
    assert run.curve.time_s == (1800.0, 5400.0)
    assert run.curve.metric == {"top1Accuracy": (70.0, 75.0), "top5Accuracy": (90.0, 93.2)}
    assert run.facts["used_blacklist"] is True
    assert "price_usd_per_h" not in run.facts


@pytest.mark.parametrize(
    ("task", "table", "values"),
    [
        ("SQuAD", "epoch\tf1Score\thours\n1\t0.5\t1\n2\t0.76\t2\n", (0.5, 0.76)),
        ("SQuAD", "epoch\thours\tf1Score\n1\t1\t50\n2\t2\t76\n", (0.5, 0.76)),
        ("CIFAR10", "epoch\thours\ttop1Accuracy\n1\t1\t0.5\n2\t2\t0.95\n", (50.0, 95.0)),
    ],
)
def test_both_scales(tmp_path: Path, task: str, table: str, values: tuple) -> None:
    entry(tmp_path, table, task)
    run = only(tmp_path)
    assert run.curve is not None
    assert next(iter(run.curve.metric.values())) == pytest.approx(values)
    assert any(f.rule == "dawnbench-scale" for f in run.findings) is ("f1Score\thours" not in table)


def test_stray_keys_and_a_misc_that_is_text_do_not_matter(tmp_path: Path) -> None:
    entry(tmp_path, misc="text", optimizer="sgd", momentum=0.9, costPerHour="$2.5")
    assert only(tmp_path).facts["price_usd_per_h"] == 2.5


def test_missing_fields_of_the_description_are_reported(tmp_path: Path) -> None:
    entry(tmp_path, hardware="", timestamp="")
    run = only(tmp_path)
    assert run.machine == "unknown"
    assert "has no hardware, timestamp" in run.findings[0].message


def test_inference_entries_are_passed_over(tmp_path: Path) -> None:
    entry(tmp_path)
    (tmp_path / "CIFAR10/inference").mkdir()
    (tmp_path / "CIFAR10/inference/x.json").write_text("{}")
    assert len(read(tmp_path).runs) == 1


@pytest.mark.parametrize("below", ["", "CIFAR10", "CIFAR10/train"])
def test_one_task_may_be_given_alone(tmp_path: Path, below: str) -> None:
    entry(tmp_path)
    assert only(tmp_path / below).workload == "CIFAR10"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("", "line 1: the header has no column hours"),
        ("epoch\thours\n1\t2\n", "no column top1Accuracy or top5Accuracy or f1Score"),
        ("epoch\thours\ttop1Accuracy\n", "no line with an epoch"),
        ("epoch\thours\ttop1Accuracy\n1\tsoon\t94\n", "no line with an epoch"),
        ("\x00" * 4096, "the header has no column hours"),
    ],
)
def test_a_bad_table_is_named_and_loses_nothing_else(tmp_path: Path, table: str, said: str) -> None:
    path = entry(tmp_path, table, name="bad")
    entry(tmp_path, name="good")
    runs = {run.submission: run for run in read(tmp_path).runs}
    assert runs["bad"].status == "invalid"
    assert str(path) in runs["bad"].findings[0].message
    assert said in runs["bad"].findings[0].message
    assert runs["good"].status == "ok"


def test_a_bad_row_is_named_by_number(tmp_path: Path) -> None:
    path = entry(tmp_path, TABLE + "4\t\n")
    run = only(tmp_path)
    assert run.curve is not None
    assert len(run.curve.time_s) == 3
    assert f"{path}, line 5" in run.findings[0].message


def test_hours_that_fall_are_reported(tmp_path: Path) -> None:
    entry(tmp_path, "epoch\thours\ttop1Accuracy\n2\t0.02\t94\n1\t0.01\t95\n")
    assert only(tmp_path).findings[0].rule == "dawnbench-order"


def test_a_bad_description_and_an_orphan_are_reported(tmp_path: Path) -> None:
    entry(tmp_path, name="good")
    folder = tmp_path / "CIFAR10/train"
    (folder / "bad.json").write_text("{")
    (folder / "list.json").write_text("[]")
    (folder / "alone.tsv").write_text(TABLE)
    archive = read(tmp_path)
    assert [run.submission for run in archive.runs] == ["good"]
    text = " ".join(finding.message for finding in archive.findings)
    assert "bad.json: no JSON" in text
    assert "list.json: no JSON object" in text
    assert "alone.tsv: no description alone.json" in text


def test_a_description_without_a_table_is_an_invalid_entry(tmp_path: Path) -> None:
    entry(tmp_path).unlink()
    assert only(tmp_path).status == "invalid"


def test_nothing_to_import_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="expected the root of the entries"):
        read(tmp_path)
