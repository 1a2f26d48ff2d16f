"""Checks a JSON document against a schema of draft 2020-12, with the keywords that ours use."""

from collections.abc import Iterator, Mapping
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}
_SILENT = {"$schema", "$defs", "title", "description", "default", "properties", "examples"}


def violations(value: Any, schema: Mapping[str, Any], whole: Mapping[str, Any]) -> list[str]:
    """What in `value` breaks `schema`, whose references lie in `whole`."""
    result: list[str] = _type(value, schema["type"]) if "type" in schema else []
    if result:
        return result  # the other keywords are of no use to another type
    for keyword, asked in schema.items():
        if keyword in _SILENT:
            continue
        result += _CHECKS[keyword](value, asked, schema, whole)  # KeyError: teach it here
    return result


def _type(value: Any, asked: str, *_: Any) -> list[str]:
    is_bool = isinstance(value, bool)
    ok = isinstance(value, _TYPES[asked]) and (asked == "boolean" or not is_bool)
    return [] if ok else [f"{value!r} is no {asked}"]


def _ref(value: Any, asked: str, _: Any, whole: Mapping[str, Any]) -> list[str]:
    return violations(value, whole["$defs"][asked.removeprefix("#/$defs/")], whole)


def _any_of(value: Any, asked: Any, _: Any, whole: Mapping[str, Any]) -> list[str]:
    case = [violations(value, option, whole) for option in asked]
    return [] if not all(case) else case[0]


def _items(value: Any, asked: Any, _: Any, whole: Mapping[str, Any]) -> list[str]:
    return [text for part in value for text in violations(part, asked, whole)]


def _members(value: Any, schema: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    known = schema.get("properties", {})
    for name, part in value.items():
        yield name, part, known.get(name, schema.get("additionalProperties", True))


def _additional(value: Any, _: Any, schema: Any, whole: Mapping[str, Any]) -> list[str]:
    """Also the properties themselves: every closed object of ours has this keyword."""
    result = []
    for name, part, asked in _members(value, schema):
        if asked is False:
            result.append(f"'{name}' is unknown")
        elif asked is not True:
            result += violations(part, asked, whole)
    return result


_CHECKS: dict[str, Any] = {
    "type": _type,
    "$ref": _ref,
    "anyOf": _any_of,
    "items": _items,
    "additionalProperties": _additional,
    "required": lambda value, asked, *_: [f"'{n}' is missing" for n in asked if n not in value],
    "enum": lambda value, asked, *_: [] if value in asked else [f"{value!r} is not of {asked}"],
    "const": lambda value, asked, *_: [] if value == asked else [f"{value!r} is not {asked!r}"],
}
