"""Signs manifests: a DSSE envelope with ed25519 over an in-toto statement (extra `sign`).

The envelope contains the SHA-256 of the manifest, and the manifest that of every file, so one
signature covers the bundle. Formats: DSSE v1 (secure-systems-lab/dsse), in-toto Statement v1.
"""

import base64
import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from harness.bundle import MANIFEST, SIGNATURE, Bundle
from harness.errors import ExitCode, JouleMarkError
from harness.records import Manifest, dump
from harness.storage import write_all, write_file

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:joulemark:run:1"
PUBLIC_SUFFIX = ".pub"


class SignError(JouleMarkError, ValueError):
    """A key or a bundle that cannot be used; the message names the file."""


class SigningMissing(JouleMarkError, RuntimeError):
    """The package `cryptography` is not installed."""

    exit_code = ExitCode.MISSING


def _need_cryptography() -> None:
    try:
        import cryptography  # noqa: F401 - only whether it can be imported
    except ImportError as error:
        raise SigningMissing(
            "signing needs the package cryptography: pip install 'joulemark[sign]'"
        ) from error


def _raw(key: "Ed25519PublicKey") -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def key_id(key: "Ed25519PublicKey") -> str:
    """SHA-256 of the raw public key, in hex."""
    return hashlib.sha256(_raw(key)).hexdigest()


def pae(payload_type: str, payload: bytes) -> bytes:
    """Pre-authentication encoding: the bytes that are signed (DSSE v1, protocol)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _write_new(path: Path, data: bytes, mode: int) -> None:
    """Create a new file; a key is never overwritten."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except OSError as error:
        raise SignError(
            f"{path}: cannot be created: {error.strerror}; keys are never overwritten"
        ) from error
    try:
        write_all(descriptor, data)
    finally:
        os.close(descriptor)


def generate(path: Path) -> str:
    """Write a new private key (mode 0600) and its public key (`.pub`); returns the id of the key.

    Raises:
        SigningMissing: `cryptography` is not installed.
        SignError: a file exists already, or cannot be written.
    """
    _need_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    _write_new(path, private, 0o600)
    _write_new(path.with_name(path.name + PUBLIC_SUFFIX), public, 0o644)
    return key_id(key.public_key())


def load_key(path: Path) -> "Ed25519PrivateKey":
    """Read a private key.

    Raises:
        SigningMissing: `cryptography` is not installed.
        SignError: the file is missing or contains no ed25519 private key.
    """
    _need_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a PEM private key"
        raise SignError(f"{path}: {reason}; make a key with `joulemark keygen`") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SignError(f"{path}: not an ed25519 key; make one with `joulemark keygen`")
    return key


def statement(manifest: Manifest, manifest_sha256: str) -> bytes:
    """The signed statement: the digest of the manifest, and the run's id and status."""
    tree = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": MANIFEST, "digest": {"sha256": manifest_sha256}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {"run_id": manifest.run_id, "status": manifest.status},
    }
    return json.dumps(tree, sort_keys=True, separators=(",", ":")).encode()


def sign(folder: Path, key: "Ed25519PrivateKey") -> str:
    """Write `manifest.dsse.json` next to the manifest; returns the id of the key.

    A signature of the same key is replaced; those of other keys stay.

    Raises:
        BundleError: the folder is not a sealed bundle.
        SignError: the folder has an envelope for another manifest.
    """
    bundle = Bundle(folder)
    return _write_envelope(folder, statement(bundle.manifest, bundle.manifest_sha256), key)


def sign_before_sealing(folder: Path, manifest: Manifest, key: "Ed25519PrivateKey") -> str:
    """Sign a manifest that is not written yet; returns the id of the key.

    The manifest is the last file of a bundle, so every complete bundle is signed.

    Raises:
        OSError: the signature could not be written; no part of it stays.
    """
    digest = hashlib.sha256(dump(manifest)).hexdigest()
    return _write_envelope(folder, statement(manifest, digest), key)


def _write_envelope(folder: Path, payload: bytes, key: "Ed25519PrivateKey") -> str:
    name = key_id(key.public_key())
    signature = base64.b64encode(key.sign(pae(PAYLOAD_TYPE, payload))).decode()
    encoded = base64.b64encode(payload).decode()
    others = [other for other in _signatures(folder, encoded) if other["keyid"] != name]
    tree = {
        "payloadType": PAYLOAD_TYPE,
        "payload": encoded,
        "signatures": [*others, {"keyid": name, "sig": signature}],
    }
    write_file(folder / SIGNATURE, (json.dumps(tree, indent=1, sort_keys=True) + "\n").encode())
    return name


def _signatures(folder: Path, payload: str) -> list[dict[str, str]]:
    """Existing signatures of the same payload."""
    path = folder / SIGNATURE
    if not path.exists():
        return []
    try:
        tree = json.loads(path.read_bytes())
        if tree["payload"] == payload:
            return [{"keyid": item["keyid"], "sig": item["sig"]} for item in tree["signatures"]]
    except (ValueError, KeyError, TypeError) as error:
        raise SignError(f"{path}: not a DSSE envelope; remove it to sign again") from error
    raise SignError(f"{path}: signs another manifest than the one here; the bundle was changed")
