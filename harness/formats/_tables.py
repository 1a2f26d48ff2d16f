"""The tables of a score document: entries, runs, standings, findings; nested values made flat."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Row = dict[str, Any]

UNPREFIXED = ("entry", "rules", "costs")
"""Records whose fields are columns without the record's name before them."""


def flat(tree: Mapping[str, Any], prefix: str = "") -> Row:
    """One level of columns: `time_to_target_s.low` and so on; lists become text."""
    row: Row = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            row |= flat(value, "" if key in UNPREFIXED else f"{name}.")
        elif isinstance(value, list | tuple):
            row[name] = " ".join(str(item) for item in value)
        else:
            row[name] = value
    return row


def _runs(document: Mapping[str, Any]) -> Iterator[Row]:
    for score in document["scores"]:
        names = {key: score["entry"][key] for key in ("workload", "submission", "machine")}
        for run in score.get("runs", ()):
            yield names | flat({key: value for key, value in run.items() if key != "findings"})


def tables(document: Mapping[str, Any]) -> dict[str, list[Row]]:
    """All tables by name; empty ones are there too."""
    left_out = ("runs", "findings")
    scores = [
        flat({key: value for key, value in score.items() if key not in left_out})
        for score in document["scores"]
    ]
    return {
        "scores": scores,
        "runs": list(_runs(document)),
        "leaderboard": [flat(row) for row in document["leaderboard"]],
        "findings": [flat(row) for row in document["findings"]],
    }


def columns_of(rows: Sequence[Row]) -> list[str]:
    """Every column of any row, in the order of first appearance."""
    return list(dict.fromkeys(key for row in rows for key in row))
