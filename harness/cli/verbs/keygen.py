"""`joulemark keygen`: make a key pair that signs bundles."""

from pathlib import Path

import click

from harness.cli.command import CommandResult, Document, json_command
from harness.cli.options import PATH
from harness.cli.printer import Printer
from harness.sign import PUBLIC_SUFFIX, generate


class KeygenDocument(Document):
    """`joulemark keygen`."""

    private_key: str
    """File to keep secret."""
    public_key: str
    """File to publish."""
    key_id: str
    """SHA-256 of the raw public key."""


def _show(document: KeygenDocument, printer: Printer) -> None:
    printer.line(f"private key: {document.private_key} (keep it secret)")
    printer.line(f"public key: {document.public_key}")
    printer.line(f"key id: {document.key_id}")


@json_command("keygen")
@click.argument("file", type=PATH)
def command(file: Path) -> CommandResult:
    """Make an ed25519 key pair: the private key FILE (mode 0600) and the public key FILE.pub.

    Existing files are never overwritten. The extra `sign` must be installed.
    """
    key_id = generate(file)
    public = f"{file}{PUBLIC_SUFFIX}"
    document = KeygenDocument(private_key=str(file), public_key=public, key_id=key_id)
    return CommandResult(document, _show)
