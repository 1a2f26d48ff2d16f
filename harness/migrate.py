"""Lifts files of older formats to the present one, step by step, in memory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.errors import JouleMarkError
from harness.records.base import FORMAT

Tree = dict[str, Any]
Step = Callable[[Tree], Tree]

STEPS: dict[tuple[str, int], Step] = {}
"""(kind of file, format it lifts from) to the function that lifts it by one; none yet, as format 1
is the first."""


class FormatError(JouleMarkError, ValueError):
    """A file of a format that this version cannot read."""


def lift(kind: str, tree: Tree, where: Path | str) -> Tree:
    """The tree in the present format.

    Args:
        kind: Kind of file, as `run` or `manifest`.
        tree: Parsed JSON with its `format` number.
        where: For the message.

    Raises:
        FormatError: no format number, a newer format, or an older one without a step.
    """
    number = tree.get("format")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise FormatError(f"{where}: has no valid format number; it is not a JouleMark {kind} file")
    if number > FORMAT:
        raise FormatError(
            f"{where}: format {number} is newer than this version reads ({FORMAT}); update it"
        )
    while number < FORMAT:
        step = STEPS.get((kind, number))
        if step is None:
            raise FormatError(f"{where}: no step lifts a {kind} file of format {number}")
        tree = {**step(tree), "format": number + 1}
        number += 1
    return tree
