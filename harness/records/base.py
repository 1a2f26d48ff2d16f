"""The base of every record on disk, and how records become bytes and bytes records."""

import json
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

FORMAT = 1
"""Format number written by this version; `migrate` lifts older files."""

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


class RecordError(ValueError):
    """A file that is no valid record: the message names file, key and fault."""


class Record(BaseModel):
    """Frozen, strict, closed to unknown keys; attribute docstrings become the JSON Schema."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )


AnyRecord = TypeVar("AnyRecord", bound=Record)


def dump(record: Record) -> bytes:
    """The record as JSON text in UTF-8: keys sorted, no NaN, newline at the end."""
    tree = record.model_dump(mode="json")
    return (json.dumps(tree, sort_keys=True, indent=1, allow_nan=False) + "\n").encode()


def _first_faults(error: ValidationError, limit: int = 3) -> str:
    rows = error.errors(include_url=False, include_input=False)
    texts = [f"{'.'.join(map(str, row['loc'])) or 'document'}: {row['msg']}" for row in rows]
    more = f" (+{len(texts) - limit} more)" if len(texts) > limit else ""
    return "; ".join(texts[:limit]) + more


def load(kind: type[AnyRecord], data: bytes | dict[str, Any], where: Path | str) -> AnyRecord:
    """Read a record of the given kind.

    Raises:
        RecordError: the data are not that record; the message names `where` and each fault.
    """
    try:
        # NaN travels on as such, so that the message can name the key that holds it.
        text = data if isinstance(data, bytes) else json.dumps(data)
        return kind.model_validate_json(text)
    except ValidationError as error:
        message = f"{where}: not a valid {kind.__name__} record: {_first_faults(error)}"
        raise RecordError(message) from error
    except (TypeError, ValueError, RecursionError) as error:
        message = f"{where}: not a valid {kind.__name__} record: {error}"
        raise RecordError(message) from error
