"""A missing part of the machine is a skip with its reason, and a failure where it is demanded."""

import pytest

from tests.conftest import absence, needs, pytest_runtest_setup

MISSING = "no-such-program-anywhere"


def test_absent_part_skips_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOULEMARK_REQUIRE", raising=False)
    with pytest.raises(pytest.skip.Exception, match=MISSING):
        needs(MISSING)


def test_absent_part_fails_where_it_is_demanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOULEMARK_REQUIRE", f"chromium {MISSING}")
    with pytest.raises(pytest.fail.Exception, match="JOULEMARK_REQUIRE demands"):
        needs(MISSING)


def test_present_part_lets_the_test_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOULEMARK_REQUIRE", "sh")
    needs("sh")
    assert absence("sh") == ""


@pytest.mark.needs("sh")
def test_marker_lets_the_test_run_where_the_part_is_present() -> None:
    assert absence("sh") == ""


def test_marker_skips_where_the_part_is_absent(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JOULEMARK_REQUIRE", raising=False)
    request.node.add_marker(pytest.mark.needs(MISSING))
    with pytest.raises(pytest.skip.Exception, match=MISSING):
        pytest_runtest_setup(request.node)
