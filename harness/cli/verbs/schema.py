"""`joulemark schema`: JSON Schemas of every file on disk and of every verb's document."""

import json

import click

from harness.cli.failure import unknown


@click.command("schema")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="The list of names as a JSON document, too.")
def COMMAND(name: str | None, *, as_json: bool) -> int:  # noqa: N802 - the name verbs go by
    """The JSON Schema of a record or of a verb's --json document; without NAME, the names."""
    from harness.cli.schemas import names, schema_of

    known = names()
    if name is None:
        text = json.dumps({"format": 1, "names": known}, indent=1) if as_json else "\n".join(known)
        click.echo(text)
        return 0
    if name not in known:
        raise click.UsageError(unknown("schema", name, known))
    click.echo(json.dumps(schema_of(name), indent=1, sort_keys=True))
    return 0
