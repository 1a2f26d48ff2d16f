"""Contests over several workloads together."""

import hashlib
from collections.abc import Sequence
from functools import partial

from harness.prizes._contest import Contest, LeaderTest
from harness.prizes._prize import Prize
from harness.prizes._sensitivity import multi_checks
from harness.records import Leaderboard, MultiRow, Ruleset, Score, Unranked
from harness.score.multi.aggregate import difference_of, to_score, utility
from harness.score.multi.record import ALL_WORKLOADS, RankedTable, record_of
from harness.score.multi.table import MultiTable, tables


def _unranked(row: MultiRow) -> Unranked:
    missing = [f"{cell.workload}: {cell.reason}" for cell in row.cells if cell.cost is None]
    return Unranked(
        entry=row.entry,
        status="missing" if missing else "scored",
        reason="; ".join(missing) or "nothing is ranked",
    )


def _explain_empty(table: MultiTable) -> str:
    """Why nothing can be ranked by these rules; empty where it can."""
    rules = table.rules
    left_out = [f"{name} ({reason})" for name, reason in table.left_out.items()]
    if rules.workloads and left_out:
        return f"no eligible entry: the reference has no cost on {', '.join(left_out)}"
    if len(table.workloads) < rules.workloads_count_min:
        count = f"{len(table.workloads)} of at least {rules.workloads_count_min} workloads"
        more = f"; it has none on {', '.join(left_out)}" if left_out else ""
        return f"no eligible entry: the reference has a cost on {count}{more}"
    return ""


def _leader_tests(ranked: RankedTable) -> list[LeaderTest]:
    spec, tests = ranked.spec, []
    scores = [to_score(utility(row, spec), spec) or 0.0 for row in ranked.rows]
    for at in range(1, len(ranked.rows)):
        difference = difference_of(ranked.rows[0], ranked.rows[at], spec)
        tests.append(
            LeaderTest(
                challenger=ranked.names[at],
                lead=abs(scores[0] - scores[at]),
                p_differ=difference.p_differ,
                ahead=difference.observed > 0,
                kind=difference.kind,
                seeds_needed=partial(difference.seeds_to_settle, ranked.alpha),
            )
        )
    return tests


def multi_contest(
    table: MultiTable, prize: Prize, ruleset: Ruleset, scores: Sequence[Score]
) -> Contest:
    """Rank one table.

    Args:
        table: Costs of all algorithms on all workloads.
        prize: What is awarded.
        ruleset: The rules in force.
        scores: All scores of the machine, as evidence and to rank again under other rules.
    """
    ranked, obstacle = RankedTable(table, ruleset.score.separation_alpha), _explain_empty(table)
    record = record_of(ranked, ruleset.score.confidence)
    standings = [row.standing for row in record.rows if row.standing and not obstacle]
    pairs = zip(table.workloads, table.versions, strict=True)
    versions = " ".join(f"{name}@{version}" for name, version in pairs)
    aggregate = "geometric mean" if table.rules.aggregate == "geometric_mean" else "profile"
    board = Leaderboard(
        workload=ALL_WORKLOADS,
        workload_version=hashlib.sha256(versions.encode()).hexdigest()[:12],
        machine=table.key.machine,
        ruleset=table.key.ruleset,
        division=table.key.division,
        prize=prize.name,
        quantity=f"{aggregate} of {table.rules.quantity}",
        unit="",
        standings=tuple(standings),
        unranked=tuple(_unranked(row) for row in record.rows[len(standings) :]),
        separated=record.separated and not obstacle,
        resolvable_ratio=None,
        resolvable_lead=record.minimum_detectable_difference,
        note=obstacle or ("" if standings else prize.explain_empty(list(scores))),
    )
    return Contest(
        prize=prize,
        board=board,
        names=[standing.entry.submission for standing in standings],
        tests=_leader_tests(ranked) if standings else [],
        checks=multi_checks(ranked, scores) if standings else [],
        scores=scores,
        across=record,
    )


def multi_contests(scores: Sequence[Score], prize: Prize, ruleset: Ruleset) -> list[Contest]:
    """Rank the scores of each machine and division by the section `across` of the ruleset."""
    assert ruleset.across is not None
    contests = []
    for table in tables(scores, ruleset.across):
        on_machine = [score for score in scores if score.entry.machine == table.key.machine]
        contests.append(multi_contest(table, prize, ruleset, on_machine))
    return contests
