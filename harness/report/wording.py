"""Words for what records state in codes: statuses, methods, places."""

from typing import NamedTuple

from harness.records import Figure, Leaderboard, Standing
from harness.report import numbers
from harness.report.entries import Placement

PRIZES = {
    "energy": ("Energy", "J"),
    "speed": ("Speed", "s"),
    "budget": ("Quality", ""),
    "hardware": ("Hardware", "J"),
}
"""Title and base unit of each prize, in the order of pages."""

QUANTITIES = {
    "energy": "Energy to target",
    "speed": "Time to target",
    "budget": "Quality at the budget",
    "hardware": "Energy to target",
}


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
    "bridged": TestWords(
        "via the reference",
        "The runs of each entry alternated with runs of the same version of the reference. "
        "Welch's t-test on the costs divided by the cost of the paired reference run.",
    ),
    "independent": TestWords(
        "independent",
        "The runs are of machines that compete with each other. Welch's t-test on all runs; the "
        "state of a machine is part of its cost.",
    ),
    "apart": TestWords(
        "not comparable",
        "Any other two entries. No test is made, and the entries are tied: run them interleaved.",
    ),
}
"""Words for the kinds of tests, by their code in records."""


class Badge(NamedTuple):
    """A short mark with its explanation."""

    text: str
    style: str
    title: str


STATUS_STYLES = {
    "ok": "good",
    "scored": "good",
    "target_missed": "warn",
    "budget_exceeded": "warn",
    "too_few_runs": "warn",
    "degraded": "warn",
}
"""Statuses that are no failure; all others are."""

STATUS_TITLES = {
    "ok": "valid run",
    "scored": "reached the target under the ruleset",
    "target_missed": "the snapshot that counts did not reach the target",
    "budget_exceeded": "killed when the budget was spent",
    "diverged": "weights or outputs were not finite",
    "oom": "ran out of memory",
    "crashed": "the submission ended with an error",
    "killed": "ended from outside",
    "aborted": "interrupted by a person",
    "degraded": "the measurement did not meet the ruleset's limits",
    "invalid": "broke a rule",
    "too_few_runs": "fewer distinct seeds than the ruleset asks for",
    "runs_failed": "runs left no metric where the metric at the budget ranks",
    "excluded": "a check of the ruleset failed",
}


def status_badge(status: str) -> Badge:
    """A status as a mark; unknown ones are shown as they are."""
    style = STATUS_STYLES.get(status, "bad")
    return Badge(status.replace("_", " "), style, STATUS_TITLES.get(status, status))


MEASURED = {
    "counter": Badge("counter", "measured", "measured by a hardware energy counter"),
    "sampled": Badge("sampled", "measured", "measured by sampling a power sensor"),
}
ESTIMATED = {
    "modelled": Badge("modelled", "modelled", "an estimate from load or a table, not measured"),
    "declared": Badge("declared", "modelled", "stated by somebody, not measured"),
}


def method_badges(method: str | None, *, simulated: bool) -> list[Badge]:
    """How joules came about; simulated meters are marked on top of their method."""
    badges = []
    if simulated:
        title = "from a fake or replayed meter; never counts in a prize"
        badges.append(Badge("simulated", "modelled", title))
    if method is not None:
        badges.append((MEASURED | ESTIMATED)[method])
    return badges


def figure_badges(figure: Figure | None) -> list[Badge]:
    """Marks of a figure in joules."""
    return [] if figure is None else method_badges(figure.method, simulated=figure.simulated)


def shown(figure: Figure | None, unit: numbers.Unit) -> numbers.FormattedFigure:
    """A figure in a unit, ready for its cell."""
    if figure is None:
        return numbers.FormattedFigure(numbers.MISSING, "")
    return numbers.figure(figure.value, figure.low, figure.high, unit)


def is_estimate(figure: Figure | None) -> bool:
    """Whether joules are shown without having been measured."""
    return figure is not None and (figure.simulated or figure.method in ESTIMATED)


TIES_SHOWN = 6
"""Letters of a tie that a page writes out: among a thousand entries one shares hundreds."""


def ties(letters: str) -> str:
    """Tie letters for a cell: the first few, and how many more there are."""
    found = letters.split()
    if len(found) <= TIES_SHOWN:
        return letters
    return f"{' '.join(found[:TIES_SHOWN])} and {len(found) - TIES_SHOWN} more"


class BoardResult(NamedTuple):
    """What a board says at a glance."""

    kind: str
    """`winner`, `tie`, `single` or `none`."""
    headline: str
    standings: tuple[Standing, ...]
    """The winner, or the tie group of the first."""


def tied_with_first(board: Leaderboard) -> tuple[Standing, ...]:
    """The first and all that share a tie letter with it, by rank."""
    ordered = sorted(board.standings, key=lambda row: (row.rank, row.entry.submission))
    letters = set(ordered[0].tie_group)
    return tuple(row for row in ordered if row is ordered[0] or letters & set(row.tie_group))


def board_result(board: Leaderboard) -> BoardResult:
    """Winner, tie group, or nobody."""
    if not board.standings:
        return BoardResult("none", "No eligible entry", ())
    group = tied_with_first(board)
    if len(board.standings) == 1:
        return BoardResult("single", "Only eligible entry", group)
    if board.separated:
        return BoardResult("winner", "Winner", group[:1])
    count = max(len(group), 2)
    return BoardResult("tie", f"Not separated: tie group of {count}", group)


def lead_text(board: Leaderboard) -> str:
    """Which lead the data could have seen; empty where that is not known."""
    if board.resolvable_ratio is not None:
        return f"these data could have seen a lead of {numbers.percent(board.resolvable_ratio)}"
    if board.resolvable_lead is not None:
        lead = numbers.plain(board.resolvable_lead, 2)
        return f"these data could have seen a lead of {lead} in the metric"
    return ""


NOBODY = "no eligible entry: "


def board_note(board: Leaderboard) -> str:
    """What a board's note adds to the headline of its card, without a full stop."""
    note = board.note.rstrip(".")
    if not note.startswith(NOBODY):
        return note
    why = note.removeprefix(NOBODY)
    return why[:1].upper() + why[1:]


def place_text(place: Placement) -> str:
    """One sentence: where an entry stands on a board, and why."""
    quantity = QUANTITIES.get(place.board.prize, place.board.quantity).lower()
    row = place.standing
    if row is None:
        return f"Not ranked: {place.unranked.reason if place.unranked else 'not on this board'}."
    count = len(place.board.standings)
    parts = [f"Rank {row.rank} of {count} by {quantity}"]
    if row.rank_low != row.rank_high:
        parts.append(f"the data allow ranks {row.rank_low} to {row.rank_high}")
    parts += _distance(place.board, row)
    return "; ".join(parts) + "."


def _distance(board: Leaderboard, row: Standing) -> list[str]:
    """How far a place is from the best other one."""
    others = sorted(
        (each for each in board.standings if each is not row), key=lambda each: each.rank
    )
    if not board.unit or not others or others[0].score <= 0 or row.score <= 0:
        return []
    other = others[0]
    gap = numbers.percent(abs(row.score / other.score - 1))
    side = "below" if row.score < other.score else "above"
    shared = set(row.tie_group) & set(other.tie_group)
    told = "which these data cannot tell apart from it" if shared else "told apart"
    return [f"{gap} {side} {other.entry.title}, {told}"]
