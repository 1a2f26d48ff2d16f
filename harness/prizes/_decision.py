"""A decision on a prize as Markdown that an organizer can publish."""

from collections.abc import Iterator, Sequence

from harness.prizes._board import ANY_MACHINE
from harness.records import MultiRanking, Standing, Unranked
from harness.records.award import Award, Challenge
from harness.records.compare import TestKind

HEADINGS = {
    "awarded": "awarded to {winner}",
    "tied": "shared: no entry is told apart from all others",
    "unopposed": "unopposed: one entry has a place",
    "not_awarded": "not awarded",
}


HOLDS = {True: "holds", False: "does not hold", None: "cannot be told"}


def plain(text: object) -> str:
    """Text of a contestant that cannot become markup, a link or a second line."""
    flat = " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{item}" if item in "\\`*_[]|#" else item for item in flat)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(plain(cell) for cell in row)} |"
    yield ""


def _end(value: float | None) -> str:
    return "open" if value is None else f"{value:.6g}"


def _rival(each: Standing | Unranked, award: Award) -> str:
    """What competes: a submission, or a machine."""
    return each.entry.machine if award.machine == ANY_MACHINE else each.entry.submission


def _candidates(award: Award) -> Iterator[str]:
    yield "## Candidates"
    yield ""
    if not award.standings:
        yield "None."
        yield ""
        return
    head = (
        "rank",
        "could be",
        "tie",
        "entry",
        "n",
        award.unit or award.quantity,
        "interval",
        "chance of rank 1",
    )
    rows = [
        (
            candidate.rank,
            f"{candidate.rank_low} to {candidate.rank_high}",
            candidate.tie_group,
            _rival(candidate, award),
            candidate.n,
            f"{candidate.score:.6g}",
            f"{_end(candidate.low)} to {_end(candidate.high)}",
            "unknown" if candidate.p_first is None else f"{candidate.p_first:.1%}",
        )
        for candidate in award.standings
    ]
    yield from _table(head, rows)
    mean = "score" if award.across else "geometric mean" if award.unit else "mean"
    least = "at least " if award.across else ""
    yield f"Intervals: {award.confidence:.0%}, of the {mean} over {least}n distinct seeds."
    yield ""


def _out(award: Award) -> Iterator[str]:
    if award.not_ranked:
        yield "## Without a place"
        yield ""
        rows = [(_rival(item, award), item.status, item.reason) for item in award.not_ranked]
        yield from _table(("entry", "status", "why"), rows)


TESTS: dict[TestKind, str] = {
    "paired": "paired: the runs of the two are interleaved on the same seeds and instances; a "
    "t-test on the differences of pairs.",
    "via_reference": "via_reference: the runs of each are paired with runs of the reference; a "
    "Welch test on costs divided by those of the paired reference runs.",
    "independent": "independent: the two ran on different machines; a Welch test.",
    "not_comparable": "not_comparable: the runs are not paired, directly or via the reference, so "
    "that a change of the machine may be the cause; no test is made.",
}


def _test(challenge: Challenge) -> str:
    return challenge.test.replace("_", " ")


def _no_number(challenge: Challenge) -> str:
    """What to say where no number of seeds up to a thousand settles a lead."""
    return "run them interleaved" if challenge.test == "not_comparable" else "over 1000"


def _tests(award: Award) -> Iterator[str]:
    if not award.challenges:
        return
    scale = " on logarithms" if award.unit else ""
    yield "## Tests"
    yield ""
    yield (
        f"The first by value against each other entry: two-sided t tests{scale}, with Holm's "
        f"correction over all of them at {award.separation_alpha:g}."
    )
    yield ""
    yield from (
        f"- {TESTS[kind]}" for kind in TESTS if any(e.test == kind for e in award.challenges)
    )
    yield ""
    rows = [
        (
            challenge.challenger,
            f"{challenge.lead_ratio:+.2%}" if award.unit else f"{challenge.lead_ratio:.4g}",
            _test(challenge),
            f"{challenge.p_differ:.2g}",
            f"{challenge.p_holm:.2g}",
            "told apart" if challenge.significant else "tied",
            "" if challenge.significant else challenge.seeds_count or _no_number(challenge),
        )
        for challenge in award.challenges
    ]
    head = (
        "challenger",
        "costs more by" if award.unit else "worse by",
        "test",
        "p",
        "p (Holm)",
        "verdict",
        "seeds to settle",
    )
    yield from _table(head, rows)
    if award.resolvable_lead is not None:
        yield f"These data could have seen a lead of {award.resolvable_lead:.4g} (power 0.9)."
        yield ""
    if award.resolvable_ratio is not None:
        yield f"These data could have seen a lead of {award.resolvable_ratio:.1%} (power 0.9)."
        yield ""


def _times(value: float | None) -> str:
    return "infinite" if value is None else f"{value:.4g}"


def _across(award: Award) -> Iterator[str]:
    """Every contender on every workload, and how the figures came about."""
    found = award.across
    if found is None:
        return
    yield "## On each workload"
    yield ""
    yield f"Cost ({found.quantity}) in multiples of that of {plain(found.reference)}."
    yield ""
    rows = [(row.name, *(_times(cell.reference_ratio) for cell in row.cells)) for row in found.rows]
    yield from _table(("entry", *map(plain, found.workloads)), rows)
    why = [
        (row.name, cell.workload, cell.reason)
        for row in found.rows
        for cell in row.cells
        if cell.cost is None
    ]
    if why:
        yield from _table(("entry", "has no cost on", "why"), why)
    if found.left_out:
        yield from _table(("workload", "does not count, since"), list(found.left_out.items()))
    yield from _other_scores(found)
    yield "How the figures came about:"
    yield ""
    yield from (f"- {plain(note)}" for note in found.notes)
    yield ""


def _other_scores(found: MultiRanking) -> Iterator[str]:
    """The other ways to make one score, and the score without each workload."""
    yield "Profile against the reference, geometric mean of the ratios, profile against the best"
    yield "present, and the score without each workload:"
    yield ""
    head = ("entry", "profile", "geometric mean", "against the best",
            *(f"without {plain(name)}" for name in found.workloads))  # fmt: skip
    rows = [
        (
            row.name,
            f"{row.profile_fraction:.4g}",
            _times(row.geometric_ratio),
            f"{row.best_profile_fraction:.4g}",
            *("none" if row.without.get(name) is None else f"{row.without[name]:.4g}"
              for name in found.workloads),
        )
        for row in found.rows
    ]  # fmt: skip
    yield from _table(head, rows)


def _sensitivity(award: Award) -> Iterator[str]:
    if award.sensitivity:
        yield "## What the lead hangs on"
        yield ""
        rows = [
            (item.variation, HOLDS[item.holds], item.leader, item.note)
            for item in award.sensitivity
        ]
        yield from _table(("if", "the lead", "first then", "note"), rows)


def _evidence(award: Award) -> Iterator[str]:
    yield "## Evidence"
    yield ""
    rows = [(e.submission, e.bundle, f"`{e.manifest_sha256}`") for e in award.evidence]
    yield "| entry | bundle | SHA-256 of its manifest |"
    yield "|---|---|---|"
    for entry, bundle, digest in rows:
        yield f"| {plain(entry)} | {plain(bundle)} | {digest} |"
    yield ""


def markdown(award: Award) -> str:
    """The whole record, as Markdown; the same award gives the same text."""
    outcome = HEADINGS[award.outcome].format(winner=plain(award.winner))
    question = plain(award.question[:1].upper() + award.question[1:])
    where = (
        f"{question} Workload {plain(award.workload)}, version "
        f"{plain(award.workload_version)}; machine {plain(award.machine)}; "
        f"{plain(award.division) or 'no'} division; rules "
        f"{plain(award.ruleset)}."
    )
    lines = [
        f"# {plain(award.title)} on {plain(award.workload)}: {outcome}",
        "",
        where,
        "",
        f"**{plain(award.reason)}.**",
        "",
        *_candidates(award),
        *_out(award),
        *_tests(award),
        *_across(award),
        *_sensitivity(award),
        *_evidence(award),
        "## Rules in force",
        "",
        "```toml",
        award.rules_text.replace("```", "'''").rstrip(),
        "```",
        "",
    ]
    return "\n".join(lines)
