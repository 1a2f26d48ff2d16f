"""The base class of records, and their conversion to and from JSON."""

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, TypeAdapter, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from harness.errors import JouleMarkError

FORMAT = 1
"""Format number of the files that this version writes and reads."""

Status = Literal[
    "ok",
    "target_missed",
    "budget_exceeded",
    "diverged",
    "oom",
    "crashed",
    "killed",
    "aborted",
    "degraded",
    "invalid",
]
"""How a run ended (docs/design.md, section 3)."""


class RecordError(JouleMarkError, ValueError):
    """A file that is not a valid record; the message names the file, the key and what is wrong."""


class Record(BaseModel):
    """A frozen, strict model without unknown keys; attribute docstrings go into the JSON Schema."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        allow_inf_nan=False,
    )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The schema, with the docstrings of attributes as descriptions.

        Pydantic's own `use_attribute_docstrings` would parse the sources of all records at import.
        """
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for kind in cls.__mro__:
            if issubclass(kind, Record):
                for name, text in _attribute_docstrings(kind):
                    if name in properties:
                        properties[name].setdefault("description", text)
        return schema


def _attribute_docstrings(kind: type[Record]) -> Iterator[tuple[str, str]]:
    """Names of the attributes of a class, with their docstrings."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    for above, below in pairwise(body):
        if isinstance(above, ast.AnnAssign) and isinstance(above.target, ast.Name):
            match below:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    yield above.target.id, inspect.cleandoc(text)


Loaded = TypeVar("Loaded")


def dump(record: Record) -> bytes:
    """The record as JSON in UTF-8, with sorted keys, without NaN, with a newline at the end."""
    tree = record.model_dump(mode="json")
    return (json.dumps(tree, sort_keys=True, indent=1, allow_nan=False) + "\n").encode()


def _first_errors(error: ValidationError, limit: int = 3) -> str:
    rows = error.errors(include_url=False, include_input=False)
    texts = [f"{'.'.join(map(str, row['loc'])) or 'document'}: {row['msg']}" for row in rows]
    more = f" (+{len(texts) - limit} more)" if len(texts) > limit else ""
    return "; ".join(texts[:limit]) + more


def load(kind: type[Loaded], data: bytes | dict[str, Any], where: Path | str) -> Loaded:
    """Read a record of the given kind: a `Record`, or a dataclass that records contain.

    Raises:
        RecordError: the data are not that record; the message names `where` and the errors.
    """
    try:
        # `json` writes NaN, so that the message can name its key.
        text = data if isinstance(data, bytes) else json.dumps(data)
        record: Loaded = TypeAdapter(kind).validate_json(text)
    except ValidationError as error:
        raise RecordError(
            f"{where}: not a valid {kind.__name__} record: {_first_errors(error)}"
        ) from error
    except (TypeError, ValueError, RecursionError) as error:
        raise RecordError(f"{where}: not a valid {kind.__name__} record: {error}") from error
    return record
