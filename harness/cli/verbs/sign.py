"""`joulemark sign`: sign the manifests of intact bundles."""

from pathlib import Path

import click

from harness.cli.command import CommandResult, Document, json_command
from harness.cli.options import PATH
from harness.cli.printer import Printer
from harness.sign import SignError, key_id, load_key, sign
from harness.verify import verify


class SignDocument(Document):
    """`joulemark sign`."""

    key_id: str
    signed: tuple[str, ...]
    """Folders of the bundles that were signed."""


def _show(document: SignDocument, printer: Printer) -> None:
    for place in document.signed:
        printer.line(f"signed {place}")
    printer.line(f"key id: {document.key_id}")


@json_command("sign")
@click.argument("path", type=PATH)
@click.option(
    "--key",
    type=PATH,
    required=True,
    envvar="JOULEMARK_KEY",
    show_envvar=True,
    metavar="FILE",
    help="Private key, made by `joulemark keygen`.",
)
def command(path: Path, key: Path) -> CommandResult:
    """Sign a bundle, or every sealed bundle of a results folder.

    Nothing is signed if `joulemark verify` finds a fault, since a signature states that the
    bundles were intact.
    """
    private = load_key(key)
    report = verify(path)
    if fault := next(report.failures(), ""):
        raise SignError(f"nothing was signed: {fault}")
    sealed = [bundle.bundle for bundle in report.bundles if bundle.state == "sealed"]
    for place in sealed:
        sign(report.root / place, private)
    document = SignDocument(key_id=key_id(private.public_key()), signed=tuple(sealed))
    return CommandResult(document, _show)
