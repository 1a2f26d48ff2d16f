"""What every format shares: one order of runs, and refusals that say what was expected."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.formats.format import (
    Archive,
    Format,
    FormatError,
    make_finding,
    require_path,
    require_runs,
    sorted_runs,
)
from harness.records import ImportedRun
from harness.registry import find, sources

FORMATS: list[Format] = [find("formats", source.name).value for source in sources("formats")]


def made(names: tuple[str, str, str, str]) -> ImportedRun:
    keys = ("submission", "machine", "workload", "run")
    fields = dict(zip(keys, names, strict=True))
    return ImportedRun.model_validate(
        {"source_format": "x", "status": "ok", "source": "a", "sha256": "", **fields}
    )


@given(
    st.lists(st.tuples(*[st.sampled_from("abc")] * 4), unique=True, max_size=8).flatmap(
        lambda result: st.tuples(st.just(result), st.permutations(result))
    )
)
def test_the_order_on_disk_does_not_matter(
    orders: tuple[list[tuple[str, str, str, str]], list[tuple[str, str, str, str]]],
) -> None:
    one, two = ([made(item) for item in order] for order in orders)
    assert sorted_runs(one) == sorted_runs(two)
    assert len(sorted_runs(one)) == len(one)


def test_a_reason_alone_is_an_answer_and_nothing_is_none(tmp_path: Path) -> None:
    message = Archive([], [make_finding("x", "no run")])
    assert require_runs(message, tmp_path, "logs") is message
    with pytest.raises(FormatError, match="nothing to import; expected logs"):
        require_runs(Archive([], []), tmp_path, "logs")


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    require_path(tmp_path, "logs")
    with pytest.raises(FormatError, match=r"gone: no such file or folder; expected logs"):
        require_path(tmp_path / "gone", "logs")


@pytest.mark.parametrize("plugin", FORMATS, ids=lambda plugin: plugin.name)
def test_a_format_reads_or_writes_and_refuses_what_is_not_there(
    plugin: Format, tmp_path: Path
) -> None:
    assert plugin.read or plugin.write
    if plugin.read is not None:
        with pytest.raises(FormatError, match="gone"):
            plugin.read(tmp_path / "gone")


@pytest.mark.parametrize(
    "plugin", [item for item in FORMATS if item.read], ids=lambda plugin: plugin.name
)
@pytest.mark.parametrize("name", ["a.csv", "a.log", "result_0.txt", "a.tsv", "a.txt"])
def test_bytes_of_no_format_give_no_run_and_no_crash(
    plugin: Format, name: str, tmp_path: Path
) -> None:
    assert plugin.read is not None
    (tmp_path / name).write_bytes(bytes(range(256)) * 4)
    try:
        archive = plugin.read(tmp_path)
    except FormatError as error:
        assert str(tmp_path) in str(error)  # noqa: PT017 - either answer will do
    else:
        assert [run for run in archive.runs if run.status == "ok"] == []
        assert archive.findings or archive.runs
