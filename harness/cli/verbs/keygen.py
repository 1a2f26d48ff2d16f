"""`joulemark keygen`: a key pair to sign bundles with."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.answer import Answer, answers

if TYPE_CHECKING:
    from harness.cli.page import Page


@click.command("keygen")
@click.argument("file", type=click.Path(path_type=Path))
@answers
def COMMAND(file: Path) -> Answer:  # noqa: N802 - the name by which verbs are found
    """Make an ed25519 key: FILE is the private one (mode 0600), FILE.pub the public one.

    Nothing is ever overwritten. Needs the extra `sign`.
    """
    from harness.cli.documents import KeygenDocument
    from harness.sign import PUBLIC_SUFFIX, generate

    name = generate(file)
    document = KeygenDocument(
        private_key=str(file), public_key=f"{file}{PUBLIC_SUFFIX}", key_id=name
    )

    def show(page: "Page") -> None:
        page.line(f"private key: {document.private_key} (keep it to yourself)")
        page.line(f"public key: {document.public_key}")
        page.line(f"key id: {document.key_id}")

    return Answer(document, show)
