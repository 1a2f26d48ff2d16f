"""`joulemark sign`: puts a signature beside the manifest of bundles that are intact."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.answer import Answer, answers

if TYPE_CHECKING:
    from harness.cli.page import Page


@click.command("sign")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    required=True,
    envvar="JOULEMARK_KEY",
    show_envvar=True,
    metavar="FILE",
    help="Private key, made by `joulemark keygen`.",
)
@answers
def COMMAND(path: Path, key: Path) -> Answer:  # noqa: N802 - the name by which verbs are found
    """Sign a bundle, or every sealed bundle of a results tree.

    Refuses where `joulemark verify` finds a fault: a signature says that it was intact.
    """
    from harness.cli.documents import SignDocument
    from harness.sign import SignError, key_id, load_key, sign
    from harness.verify import verify

    private = load_key(key)
    report = verify(path)
    if fault := next(report.faults(), ""):
        raise SignError(f"nothing was signed: {fault}")
    sealed = [bundle.bundle for bundle in report.bundles if bundle.state == "sealed"]
    for place in sealed:
        sign(report.root / place, private)
    document = SignDocument(key_id=key_id(private.public_key()), signed=tuple(sealed))

    def show(page: "Page") -> None:
        for place in document.signed:
            page.line(f"signed {place}")
        page.line(f"key id: {document.key_id}")

    return Answer(document, show)
