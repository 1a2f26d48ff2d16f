"""The base of every record on disk, and how records become bytes and bytes records."""

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
"""What became of a run (DESIGN section 3)."""


class RecordError(JouleMarkError, ValueError):
    """A file that is no valid record: the message names file, key and fault."""


class Record(BaseModel):
    """Frozen, strict, closed to unknown keys; attribute docstrings become the JSON Schema."""

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
        """The schema, with each attribute's docstring as its description.

        Pydantic's own `use_attribute_docstrings` reads the sources of all records at every start.
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
    """Names of a class's own attributes, and the strings that stand below them."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    for above, below in pairwise(body):
        if isinstance(above, ast.AnnAssign) and isinstance(above.target, ast.Name):
            match below:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    yield above.target.id, inspect.cleandoc(text)


Loaded = TypeVar("Loaded")


def dump(record: Record) -> bytes:
    """The record as JSON text in UTF-8: keys sorted, no NaN, newline at the end."""
    tree = record.model_dump(mode="json")
    return (json.dumps(tree, sort_keys=True, indent=1, allow_nan=False) + "\n").encode()


def _first_faults(error: ValidationError, limit: int = 3) -> str:
    rows = error.errors(include_url=False, include_input=False)
    texts = [f"{'.'.join(map(str, row['loc'])) or 'document'}: {row['msg']}" for row in rows]
    more = f" (+{len(texts) - limit} more)" if len(texts) > limit else ""
    return "; ".join(texts[:limit]) + more


def load(kind: type[Loaded], data: bytes | dict[str, Any], where: Path | str) -> Loaded:
    """Read a record of the given kind: a `Record`, or a dataclass that records contain.

    Raises:
        RecordError: the data are not that record; the message names `where` and each fault.
    """
    try:
        # NaN travels on as such, so that the message can name the key that holds it.
        text = data if isinstance(data, bytes) else json.dumps(data)
        record: Loaded = TypeAdapter(kind).validate_json(text)
    except ValidationError as error:
        raise RecordError(
            f"{where}: not a valid {kind.__name__} record: {_first_faults(error)}"
        ) from error
    except (TypeError, ValueError, RecursionError) as error:
        raise RecordError(f"{where}: not a valid {kind.__name__} record: {error}") from error
    return record
