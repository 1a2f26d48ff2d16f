"""The page over all workloads: performance profiles, one score each, and what hangs on one task."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from harness.prizes import Prize, prizes, rank_workloads
from harness.records import MultiRanking, Score
from harness.report import wording
from harness.report.charts.profile import COLOURS, profile_chart
from harness.report.entries import PRIZE_ORDER, Entry
from harness.report.finite import all_positive
from harness.report.site import Page, Site
from harness.score.multi import profile as profiles
from harness.score.stats.sample import Sample


class Place(NamedTuple):
    """What contenders share, whatever the workload."""

    machine: str
    ruleset: str
    division: str


class Contender(NamedTuple):
    """One method over all workloads that it was entered on."""

    name: str
    team: str
    area: float
    interval: profiles.Interval | None
    ratios: tuple[float, ...]
    """Cost over the best one, by workload; infinite where it has none."""
    without: tuple[float, ...]
    """Score without each workload."""
    entries: tuple[Entry | None, ...]


class Field(NamedTuple):
    """The contenders of one prize on one machine under the same rules, best first."""

    ident: str
    title: str
    place: Place
    workloads: tuple[str, ...]
    contenders: tuple[Contender, ...]
    chart: Markup | None
    leaders: tuple[int, ...]
    """Who leads without each workload."""


def contender_of(score: Score) -> tuple[str, str]:
    """Name without the workload's, and team: one contender, on whatever workload it runs."""
    return score.entry.submission.removeprefix(f"{score.entry.workload}-"), score.entry.team


Columns = dict[str, dict[tuple[str, str], Entry]]


def _columns(entries: Sequence[Entry], prize: str) -> Columns:
    """Ranked entries by workload and contender; of two versions the better placed one counts."""
    ranked = [
        (place.standing.rank, entry.anchor, entry)
        for entry in entries
        if (place := entry.places.get(prize)) is not None and place.standing is not None
    ]
    found: Columns = defaultdict(dict)
    for _, _, entry in sorted(ranked, key=lambda each: each[:2]):
        found[entry.score.entry.workload].setdefault(contender_of(entry.score), entry)
    return found


def _sample(prize: Prize, score: Score) -> Sample | None:
    """The costs of an entry by seed; None where no run of it has one."""
    found = prize.sample(score)
    return found if found.logs else None


def _contenders(
    columns: Columns, names: Sequence[tuple[str, str]], prize: Prize
) -> list[Contender]:
    entries = [[columns[workload].get(name) for workload in sorted(columns)] for name in names]
    table: list[list[Sample | None]] = [
        [_sample(prize, each.score) if each else None for each in row] for row in entries
    ]
    without = profiles.without_each(table)
    intervals, areas = profiles.area_intervals(table), profiles.areas(table)
    made = [
        Contender(
            *name,
            areas[at],
            intervals[at],
            tuple(ratios),
            tuple(column[at] for column in without),
            tuple(entries[at]),
        )
        for at, (name, ratios) in enumerate(zip(names, profiles.ratios(table), strict=True))
    ]
    return sorted(made, key=lambda each: (-each.area, each.name, each.team))


def _leaders(contenders: Sequence[Contender]) -> tuple[int, ...]:
    columns = zip(*(contender.without for contender in contenders), strict=True)
    return tuple(column.index(max(column)) for column in columns)


def field_of(entries: Sequence[Entry], place: Place, prize: Prize, ident: str) -> Field | None:
    """The contenders of one prize; None where fewer than two meet on at least two workloads."""
    columns = _columns(entries, prize.name)
    names = sorted({name for column in columns.values() for name in column})
    if len(columns) < 2 or len(names) < 2:  # noqa: PLR2004 - one of them is no comparison
        return None
    contenders = _contenders(columns, names, prize)
    rows = [(contender.name, contender.ratios) for contender in contenders]
    return Field(
        ident,
        wording.PRIZES[prize.name][0],
        place,
        tuple(sorted(columns)),
        tuple(contenders),
        profile_chart(rows, profiles.RATIO_MAX, f"{ident}-profile"),
        _leaders(contenders),
    )


def _by_place(entries: Sequence[Entry]) -> Mapping[Place, list[Entry]]:
    found: dict[Place, list[Entry]] = defaultdict(list)
    for entry in entries:
        score = entry.score
        found[Place(score.entry.machine, score.rules.ruleset, score.entry.division)].append(entry)
    return dict(sorted(found.items()))


def fields_of(entries: Sequence[Entry]) -> list[Field]:
    """A field for each machine, ruleset, division and prize that has something to compare."""
    shown = {prize.name: prize for prize in prizes() if prize.name in PRIZE_ORDER}
    fields: list[Field] = []
    for place, members in _by_place(entries).items():
        for name in PRIZE_ORDER:
            if name in shown:
                found = field_of(members, place, shown[name], f"o{len(fields) + 1}")
                fields += [found] if found else []
    return fields


QUANTITIES = {
    "time_to_target_s": "seconds",
    "energy_to_target_j": "joules",
    "steps_to_target": "training steps",
    "cost_to_target_usd": "dollars",
}
"""What a contest against the reference ranks by, in a word."""


class Contest(NamedTuple):
    """A contest over several workloads against the frozen reference."""

    ident: str
    title: str
    found: MultiRanking
    ties: tuple[str, ...]
    """Tie letters of each row, where another one shares them."""


def contests_of(site: Site) -> list[Contest]:
    """Every contest that ranks anybody beside the reference."""
    found = [
        item
        for item in rank_workloads(list(filter(all_positive, site.scores)))
        if len(item.rows) > 1
    ]
    return [
        Contest(
            f"a{number}",
            QUANTITIES.get(element.quantity, element.quantity),
            element,
            tuple(_tie(row.tie_group, element) for row in element.rows),
        )
        for number, element in enumerate(found, 1)
    ]


def _tie(letters: str, contest: MultiRanking) -> str:
    sharing = sum(bool(set(letters) & set(row.tie_group)) for row in contest.rows)
    return letters if sharing > 1 else ""


def _publish(site: Site) -> Iterator[tuple[str, str]]:
    path = "overall.html"
    values = {
        "fields": fields_of(site.entries),
        "contests": contests_of(site),
        "ratio_max": profiles.RATIO_MAX,
        "drawn": COLOURS,
    }
    yield path, site.page(path, "Overall", "overall.html", **values)


PAGE = Page(name="overall", title="Overall", order=25, publish=_publish, landing="overall.html")
