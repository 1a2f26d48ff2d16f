"""Signatures are DSSE as others read it, keys are never overwritten, nothing is signed blindly."""

import base64
import json
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bundle import Bundle, BundleError
from harness.records import dump
from harness.sign import SignError, generate, key_id, load_key, pae, sign, sign_before_sealing
from harness.verify import BadKey, Report, verify
from harness.verify.signature import pre_authentication_encoding
from tests.conftest import needs
from tests.verify.made import Results

RUN_ID = "20261122T000000Z-0001"


@pytest.fixture
def results(tmp_path: Path) -> Results:
    made = Results(tmp_path / "results")
    made.add(RUN_ID)
    return made


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    generate(path)
    return path


def public(key: Path) -> Path:
    return key.with_name(f"{key.name}.pub")


def verdict(report: Report) -> tuple[str, str]:
    check = next(item for item in report.bundles[0].checks if item.rule == "signature")
    return check.verdict, check.message


def envelope(results: Results) -> Path:
    return results.root / results.place(RUN_ID) / "manifest.dsse.json"


def test_the_encoding_is_that_of_the_protocols_example() -> None:
    """The test vector of DSSE v1, protocol.md."""
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pae("http://example.com/HelloWorld", b"hello world") == expected
    assert pre_authentication_encoding("http://example.com/HelloWorld", b"hello world") == expected


@given(st.text(), st.binary())
def test_writer_and_checker_encode_alike(kind: str, payload: bytes) -> None:
    if kind.isprintable():
        assert pae(kind, payload) == pre_authentication_encoding(kind, payload)


def test_a_signed_bundle_passes(results: Results, key: Path) -> None:
    name = sign(results.root / results.place(RUN_ID), load_key(key))
    assert name == key_id(load_key(key).public_key())
    report = verify(results.root, public(key))
    assert report.ok
    assert verdict(report) == ("pass", f"by {public(key)}, key {name[:16]}")
    assert report.bundles[0].signers == (name,)


def test_a_manifest_is_signed_before_it_is_there(results: Results, key: Path) -> None:
    """What is signed ahead is what is written then: both ways leave the same envelope."""
    folder = results.root / results.place(RUN_ID)
    bundle = Bundle(folder)
    (folder / "manifest.json").write_bytes(dump(bundle.manifest))
    sign(folder, load_key(key))
    after = envelope(results).read_bytes()
    envelope(results).unlink()
    manifest = bundle.manifest
    (folder / "manifest.json").unlink()
    sign_before_sealing(folder, manifest, load_key(key))
    assert envelope(results).read_bytes() == after
    assert verify(results.root).bundles[0].state == "incomplete", "a signature seals nothing"


def test_without_a_key_a_signature_is_no_pass(results: Results, key: Path) -> None:
    assert verdict(verify(results.root)) == ("skip", "the bundle is not signed")
    sign(results.root / results.place(RUN_ID), load_key(key))
    report = verify(results.root)
    result, message = verdict(report)
    assert result == "skip"
    assert "--key" in message
    assert f"key {report.bundles[0].signers[0][:16]}" in message
    assert report.bundles[0].signers == (key_id(load_key(key).public_key()),)


def test_the_name_of_a_key_cannot_paint_the_terminal(results: Results, key: Path) -> None:
    sign(results.root / results.place(RUN_ID), load_key(key))
    tree = json.loads(envelope(results).read_bytes())
    tree["signatures"][0]["keyid"] = "\x1b[2J<script>\u202e"
    envelope(results).write_text(json.dumps(tree))
    assert "key \\x1b[2J<script>" in verdict(verify(results.root))[1]
    assert verdict(verify(results.root))[1].isprintable()


def test_an_unsigned_bundle_fails_where_a_key_is_demanded(results: Results, key: Path) -> None:
    assert verdict(verify(results.root, public(key)))[0] == "fail"


def test_another_key_does_not_do(results: Results, key: Path, tmp_path: Path) -> None:
    generate(tmp_path / "other")
    sign(results.root / results.place(RUN_ID), load_key(tmp_path / "other"))
    result, message = verdict(verify(results.root, public(key)))
    assert result == "fail"
    assert "has no signature by" in message


def test_several_people_can_sign(results: Results, key: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    generate(other)
    folder = results.root / results.place(RUN_ID)
    for item in (key, other, key):
        sign(folder, load_key(item))
    assert len(json.loads(envelope(results).read_bytes())["signatures"]) == 2
    for item in (key, other):
        assert verdict(verify(results.root, public(item)))[0] == "pass"


def test_every_flip_of_payload_and_signature_is_detected(results: Results, key: Path) -> None:
    sign(results.root / results.place(RUN_ID), load_key(key))
    whole = envelope(results).read_bytes()
    tree = json.loads(whole)
    texts = [tree["payload"], tree["payloadType"], *tree["signatures"][0].values()]
    places = [whole.index(text.encode()) + n for text in texts for n in range(len(text))]
    missed = []
    for place in places:
        changed = bytearray(whole)
        changed[place] ^= 0x03
        envelope(results).write_bytes(changed)
        if verdict(verify(envelope(results).parent, public(key)))[0] != "fail":
            missed.append((place, whole[place : place + 1]))
    assert missed == []


def test_a_manifest_that_was_written_again_is_detected(results: Results, key: Path) -> None:
    folder = results.root / results.place(RUN_ID)
    sign(folder, load_key(key))
    manifest = folder / "manifest.json"
    manifest.write_bytes(manifest.read_bytes() + b"\n")
    assert "another manifest" in verdict(verify(folder, public(key)))[1]
    with pytest.raises(SignError, match="was changed"):
        sign(folder, load_key(key))


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", '{"payload": 1}', '{"payload": "x", "payloadType": "", "signatures": []}'],
)
def test_what_is_no_envelope_is_a_fault(results: Results, key: Path, text: str) -> None:
    envelope(results).write_text(text)
    assert verdict(verify(results.root, public(key)))[0] == "fail"
    assert verdict(verify(results.root))[0] == "fail"


def test_keys_are_private_and_never_overwritten(key: Path) -> None:
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_bytes()
    with pytest.raises(SignError, match="never overwritten"):
        generate(key)
    assert key.read_bytes() == before


@pytest.mark.parametrize("data", [None, b"", b"nonsense"])
def test_bad_keys_are_named(results: Results, tmp_path: Path, data: bytes | None) -> None:
    path = tmp_path / "bad"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(SignError, match="bad"):
        load_key(path)
    with pytest.raises(BadKey, match="bad"):
        verify(results.root, path)


def test_keys_of_another_kind_are_refused(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    other = ec.generate_private_key(ec.SECP256R1())
    path = tmp_path / "ec"
    path.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(SignError, match="not an ed25519 key"):
        load_key(path)


def test_only_sealed_bundles_can_be_signed(tmp_path: Path, key: Path) -> None:
    with pytest.raises(BundleError, match="not a sealed bundle"):
        sign(tmp_path, load_key(key))


def test_openssl_agrees(results: Results, key: Path, tmp_path: Path) -> None:
    """A peer that knows nothing of us checks the signature from the envelope's bytes."""
    needs("openssl")
    sign(results.root / results.place(RUN_ID), load_key(key))
    tree = json.loads(envelope(results).read_bytes())
    payload = base64.b64decode(tree["payload"])
    kind = tree["payloadType"]
    message = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
    (tmp_path / "message").write_bytes(message)
    (tmp_path / "sig").write_bytes(base64.b64decode(tree["signatures"][0]["sig"]))
    command = [
        "openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(public(key)), "-rawin",
        "-in", str(tmp_path / "message"), "-sigfile", str(tmp_path / "sig"),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
