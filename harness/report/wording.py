"""Words for the codes in records: statuses, methods, tests, results of boards."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from harness.records import Figure, Leaderboard, RunEnergy, Standing
from harness.report import numbers
from harness.report.entries import Entry, Placement


class PrizeWords(NamedTuple):
    """Title of a prize, what it ranks by, and the base unit."""

    title: str
    quantity: str
    unit: str


PRIZES = {
    "energy": PrizeWords("Energy", "Energy to target", "J"),
    "speed": PrizeWords("Speed", "Time to target", "s"),
    "budget": PrizeWords("Quality", "Quality at the budget", ""),
    "hardware": PrizeWords("Hardware", "Energy to target", "J"),
}
"""By prize, in the order of pages."""


def prize_words(prize: str) -> PrizeWords:
    """Return the words of a prize; those of a plug-in's prize are its name."""
    return PRIZES.get(prize, PrizeWords(prize, prize, ""))


class TestWords(NamedTuple):
    """Name and meaning of a kind of test between two entries."""

    name: str
    meaning: str


TESTS = {
    "paired": TestWords(
        "paired",
        "The runs of the two entries alternated on the same seeds and instances. "
        "Student's t-test on the differences of the pairs.",
    ),
    "via_reference": TestWords(
        "via the reference",
        "The runs of each entry alternated with runs of the same version of the reference. "
        "Welch's t-test on the costs divided by the cost of the paired reference run.",
    ),
    "independent": TestWords(
        "independent",
        "The runs are of machines that compete with each other. Welch's t-test on all runs; the "
        "state of a machine is part of its cost.",
    ),
    "not_comparable": TestWords(
        "not comparable",
        "Any other two entries. No test is made, and the entries are tied: run them interleaved.",
    ),
}
"""By the code of the test in records."""


class Badge(NamedTuple):
    """A short mark with its explanation."""

    text: str
    style: str
    title: str


STATUS_BADGES = {
    "ok": ("good", "valid run"),
    "scored": ("good", "reached the target under the ruleset"),
    "target_missed": ("warn", "the scored snapshot did not reach the target"),
    "budget_exceeded": ("warn", "ended when the budget was spent"),
    "too_few_runs": ("warn", "fewer distinct seeds than the ruleset requires"),
    "degraded": ("warn", "the measurement did not meet the limits of the ruleset"),
    "diverged": ("bad", "weights or outputs were not finite"),
    "oom": ("bad", "ran out of memory"),
    "crashed": ("bad", "the submission ended with an error"),
    "killed": ("bad", "ended from outside"),
    "aborted": ("bad", "interrupted by a person"),
    "invalid": ("bad", "broke a rule"),
    "runs_failed": ("bad", "runs without a metric, where the metric at the budget ranks"),
    "excluded": ("bad", "a check of the ruleset failed"),
}
"""Style and meaning of each status."""


def status_badge(status: str) -> Badge:
    """Return the mark of a status; an unknown one is shown unchanged."""
    return Badge(status.replace("_", " "), *STATUS_BADGES.get(status, ("bad", status)))


METHODS = {
    "counter": Badge("counter", "measured", "measured by a hardware energy counter"),
    "sampled": Badge("sampled", "measured", "measured by sampling a power sensor"),
    "modelled": Badge("modelled", "modelled", "an estimate from load or a table, not measured"),
    "declared": Badge("declared", "modelled", "stated by a person, not measured"),
}
SIMULATED = Badge("simulated", "modelled", "from a fake or replayed meter; it cannot win a prize")


def figure_badges(figure: Figure | RunEnergy | None) -> list[Badge]:
    """Return the marks of how an energy figure was obtained."""
    badges = [SIMULATED] if figure and figure.simulated else []
    return [*badges, METHODS[figure.method]] if figure and figure.method else badges


def is_estimate(figure: Figure | None) -> bool:
    """Whether an energy figure was not measured."""
    return any(badge.style == "modelled" for badge in figure_badges(figure))


def formatted(figure: Figure | None, unit: numbers.Unit) -> numbers.FormattedFigure:
    """Format a figure in a unit."""
    if figure is None:
        return numbers.FormattedFigure(numbers.MISSING, "")
    return numbers.figure(figure.value, figure.low, figure.high, unit)


def cost_units(entries: Sequence[Entry]) -> tuple[numbers.Unit, numbers.Unit]:
    """Return one unit for the energy and one for the time of several entries."""
    energies = [figure.value for entry in entries if (figure := entry.cost("energy"))]
    times = [figure.value for entry in entries if (figure := entry.cost("speed"))]
    return numbers.unit_for(energies, "J"), numbers.unit_for(times, "s")


TIES_MAX = 6
"""Letters of a tie that a page prints; among a thousand entries one may share hundreds."""


def tie_text(letters: str) -> str:
    """Return tie letters for a cell: the first few, and the number of the others."""
    items = letters.split()
    if len(items) <= TIES_MAX:
        return letters
    return f"{' '.join(items[:TIES_MAX])} and {len(items) - TIES_MAX} more"


def shared_ties(row: Standing, standings: Iterable[Standing]) -> str:
    """Return the tie letters of a place; empty where no other place shares one."""
    others = (other for other in standings if other is not row)
    shared = any(set(row.tie_group) & set(other.tie_group) for other in others)
    return row.tie_group if shared else ""


class BoardResult(NamedTuple):
    """The result of a board."""

    kind: str
    """`winner`, `tie`, `single` or `none`."""
    headline: str
    standings: tuple[Standing, ...]
    """The winner, or the tie group of the first entry."""


def board_result(board: Leaderboard) -> BoardResult:
    """Return the winner, or the tie group, or that no entry is eligible."""
    if not board.standings:
        return BoardResult("none", "No eligible entry", ())
    ordered = sorted(board.standings, key=lambda row: (row.rank, row.entry.submission))
    first, letters = ordered[0], set(ordered[0].tie_group)
    if len(ordered) == 1:
        return BoardResult("single", "Only eligible entry", (first,))
    if board.separated:
        return BoardResult("winner", "Winner", (first,))
    group = tuple(row for row in ordered if row is first or letters & set(row.tie_group))
    return BoardResult("tie", f"Tied: {max(len(group), 2)} entries", group)


def difference_text(board: Leaderboard) -> str:
    """Return the minimum detectable difference; empty where it is unknown."""
    if board.resolvable_ratio is not None:
        return f"minimum detectable difference {numbers.percent(board.resolvable_ratio)}"
    if board.resolvable_lead is not None:
        lead = numbers.plain(board.resolvable_lead, 2)
        return f"minimum detectable difference {lead} in the metric"
    return ""


NOT_AWARDED = "no eligible entry: "


def board_note(board: Leaderboard) -> str:
    """Return what the note of a board adds to its headline, without a full stop."""
    note = board.note.rstrip(".")
    reason = note.removeprefix(NOT_AWARDED)
    return note if reason == note else reason[:1].upper() + reason[1:]


def place_text(place: Placement) -> str:
    """Return one sentence about the place of an entry on a board."""
    row, board = place.standing, place.board
    if row is None:
        return f"Not ranked: {place.reason}."
    quantity = PRIZES[board.prize].quantity if board.prize in PRIZES else board.quantity
    parts = [f"Rank {row.rank} of {len(board.standings)} by {quantity.lower()}"]
    if row.rank_low != row.rank_high:
        parts.append(f"rank range {row.rank_low} to {row.rank_high}")
    others = (other for other in board.standings if other is not row)
    best = min(others, key=lambda other: other.rank, default=None)
    if board.unit and best is not None and best.score > 0 and row.score > 0:
        gap = numbers.percent(abs(row.score / best.score - 1))
        side = "below" if row.score < best.score else "above"
        tied = bool(set(row.tie_group) & set(best.tie_group))
        meaning = "tied" if tied else "significantly different"
        parts.append(f"{gap} {side} {best.entry.title}, {meaning}")
    return "; ".join(parts) + "."
