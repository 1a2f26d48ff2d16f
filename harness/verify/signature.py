"""Checks the signature of a bundle: a DSSE envelope over an in-toto statement."""

import base64
import binascii
import hashlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from harness.verify.disk import Unreadable, read
from harness.verify.reader import MANIFEST, SIGNATURE, BundleReader
from harness.verify.report import BadKey, Problem, SkipCheck
from harness.verify.strict import tree_of

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
KEY_BYTES_MAX = 1 << 16


class PublicKey:
    """An ed25519 public key in a PEM file."""

    def __init__(self, path: Path) -> None:
        """Name the file; it is read when needed."""
        self.path = path

    @cached_property
    def _key(self) -> Any:
        try:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
            from cryptography.hazmat.primitives.serialization import load_pem_public_key
        except ImportError as error:
            raise BadKey(
                "checking signatures needs cryptography: pip install 'joulemark[sign]'"
            ) from error
        try:
            key = load_pem_public_key(read(self.path.parent, self.path.name, KEY_BYTES_MAX))
        except (Unreadable, ValueError, TypeError) as error:
            raise BadKey(f"{self.path}: not a PEM public key") from error
        if not isinstance(key, Ed25519PublicKey):
            raise BadKey(f"{self.path}: not an ed25519 public key")
        return key

    def load(self) -> None:
        """Read the key now.

        Raises:
            BadKey: the file is missing or holds no ed25519 public key.
        """
        _ = self._key

    @cached_property
    def name(self) -> str:
        """SHA-256 of the raw key, in hex: its name in envelopes."""
        return hashlib.sha256(self._key.public_bytes_raw()).hexdigest()

    def made(self, signature: "EnvelopeSignature", message: bytes) -> bool:
        """Whether a signature has the name of this key and was made by it."""
        from cryptography.exceptions import InvalidSignature

        if signature.name != self.name:
            return False
        try:
            self._key.verify(signature.value, message)
        except InvalidSignature:
            return False
        return True


class EnvelopeSignature(NamedTuple):
    """One signature of an envelope."""

    name: str
    value: bytes


def _text(tree: dict[str, Any], key: str) -> str:
    value = tree.get(key)
    if not isinstance(value, str):
        raise Unreadable(SIGNATURE, f"{key} is not a text")
    return value


def _bytes(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unreadable(SIGNATURE, "not valid base64") from error
    # The last character has unused bits; only one of its forms is accepted.
    if base64.b64encode(data).decode() != text:
        raise Unreadable(SIGNATURE, "not base64 in its canonical form")
    return data


def pre_authentication_encoding(kind: str, payload: bytes) -> bytes:
    """The signed message: `DSSEv1 <length> <type> <length> <payload>`."""
    head = f"DSSEv1 {len(kind.encode())} {kind} {len(payload)} "
    return head.encode() + payload


def _subject(payload: bytes) -> str:
    """SHA-256 of the manifest that the statement is about."""
    tree = tree_of(payload, SIGNATURE)
    if tree.get("_type") != STATEMENT_TYPE:
        raise Unreadable(SIGNATURE, "the payload is not an in-toto statement")
    try:
        (subject,) = tree["subject"]
        if subject["name"] == MANIFEST:
            return str(subject["digest"]["sha256"])
    except (KeyError, TypeError, ValueError) as error:
        raise Unreadable(SIGNATURE, "the statement has not exactly one subject") from error
    raise Unreadable(SIGNATURE, f"the statement is not about {MANIFEST}")


def _signatures_of(tree: dict[str, Any]) -> list[EnvelopeSignature]:
    rows = tree.get("signatures")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise Unreadable(SIGNATURE, "has no signatures")
    return [EnvelopeSignature(_text(row, "keyid"), _bytes(_text(row, "sig"))) for row in rows]


def signers(bundle: BundleReader) -> tuple[str, ...]:
    """Ids of the keys that the envelope names, sorted; they are not checked."""
    try:
        tree = tree_of(read(bundle.folder, SIGNATURE), SIGNATURE)
        return tuple(sorted({signature.name for signature in _signatures_of(tree)}))
    except Unreadable:
        return ()


def signed(bundle: BundleReader, key: PublicKey | None) -> Iterator[Problem]:
    """The envelope is about this manifest, and the given key signed it."""
    if not bundle.has(SIGNATURE):
        if key is not None:
            yield Problem(SIGNATURE, f"is missing: the bundle is not signed by {key.path}")
            return
        raise SkipCheck("the bundle is not signed")
    try:
        tree = tree_of(read(bundle.folder, SIGNATURE), SIGNATURE)
        kind, payload = _text(tree, "payloadType"), _bytes(_text(tree, "payload"))
        signatures = _signatures_of(tree)
        subject = _subject(payload)
    except Unreadable as error:
        yield Problem(SIGNATURE, str(error))
        return
    if kind != PAYLOAD_TYPE:
        yield Problem(SIGNATURE, f"payload of type {kind!a}")
    if subject != bundle.fingerprint(MANIFEST).sha256:
        yield Problem(SIGNATURE, "signs another manifest than that of this bundle")
    if key is None:
        names = sorted({f"key {ascii(item.name[:16])[1:-1]}" for item in signatures})
        raise SkipCheck(
            f"names the signers {', '.join(names)}; give a public key with --key to check it"
        )
    message = pre_authentication_encoding(kind, payload)
    if not any(key.made(signature, message) for signature in signatures):
        yield Problem(SIGNATURE, f"has no signature by {key.path}")
