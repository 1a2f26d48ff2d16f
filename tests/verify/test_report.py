"""Verdicts: no faults is a pass, a reason is a skip, and a skip never hides a fault."""

from collections.abc import Iterator
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from harness.verify import BundleReport, CheckResult, LedgerReport, Report
from harness.verify.report import PROBLEMS_SHOWN, Problem, SkipCheck, run_check

FAULTS = st.lists(st.builds(Problem, st.text(max_size=5), st.text(max_size=5)), max_size=12)


@given(FAULTS)
def test_a_pass_is_the_absence_of_faults(faults: list[Problem]) -> None:
    check = run_check("rule", iter(faults))
    assert check.verdict == ("fail" if faults else "pass")
    assert check.file == (faults[0].file if faults else "")


@given(FAULTS)
def test_a_skip_never_hides_a_fault(faults: list[Problem]) -> None:
    def look() -> Iterator[Problem]:
        yield from faults
        raise SkipCheck("no ledger")

    check = run_check("rule", look())
    assert check.verdict == ("fail" if faults else "skip")
    if not faults:
        assert check.message == "no ledger"


def test_long_lists_of_faults_are_counted() -> None:
    faults = [Problem(f"f{number}", "gone") for number in range(PROBLEMS_SHOWN + 3)]
    message = run_check("rule", iter(faults)).message
    assert "f0: gone" in message
    assert message.endswith("and 3 more")


def bundle(*verdicts: str) -> BundleReport:
    checks = tuple(CheckResult(f"r{n}", v, "why") for n, v in enumerate(verdicts))  # type: ignore[arg-type]
    return BundleReport("b", "sealed", "id", "ok", checks)


def report(**parts: object) -> Report:
    empty: dict[str, object] = {"bundles": (), "ledgers": (), "checks": ()}
    return Report(root=Path("root"), kind="tree", **(empty | parts))  # type: ignore[arg-type]


def test_one_failure_anywhere_fails_the_whole() -> None:
    failed = CheckResult("r", "fail", "why")
    assert report(bundles=(bundle("pass", "skip"),)).ok
    assert not report(bundles=(bundle("pass", "fail"),)).ok
    assert not report(checks=(failed,)).ok
    ledger = LedgerReport("l", 0, "0", (), (failed,))
    assert not report(ledgers=(ledger,)).ok
    assert not ledger.ok


def test_every_failure_has_its_line() -> None:
    lines = list(report(bundles=(bundle("fail", "pass", "fail"),)).failures())
    assert lines == ["b: r0: why", "b: r2: why"]
