"""Series: distinct seeds from one secret, one bundle each, one series at a time on a machine."""

import fcntl
import hashlib
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from harness.bundle import Bundle, find_bundles
from harness.launchers.choice import LauncherUnavailable
from harness.ledger import MachineBusy, read_ledger
from harness.measure.choice import MeterUnavailable
from harness.records import reference_of
from harness.registry import BrokenPlugin, UnknownPlugin
from harness.run.series import run_series, seeds_of
from harness.run.submission import SubmissionError
from harness.sign import SignError, generate
from tests.run.made import HONEST, Folder, Silent, check_bundle, logs


class Interrupting(Silent):
    """An operator who presses Ctrl-C as soon as the first training has begun."""

    def phase(self, text: str) -> None:
        super().phase(text)
        if text == "training":
            os.kill(os.getpid(), 2)


# --- seeds ---------------------------------------------------------------------------------------


def test_number_of_seeds_is_the_ruleset_s_unless_asked_otherwise(folder: Folder) -> None:
    request = folder.request()
    assert len(seeds_of(request)) == 1
    drawn = seeds_of(replace(request, seeds_count=None))
    assert len(drawn) == request.ruleset.run.seeds_count == 3
    assert len({item.session for item in drawn}) == 3
    assert len({item.secret for item in drawn}) == 1
    assert [item.index for item in drawn] == [0, 1, 2]


def test_every_series_draws_again(folder: Folder) -> None:
    request = folder.request()
    assert len({seeds_of(request)[0].secret for _ in range(20)}) == 20


def test_declared_seeds_are_taken_once_every_in_order(folder: Folder) -> None:
    pairs = seeds_of(folder.request(declared_seeds=(5, 3, 5)))
    assert [(pair.session, pair.source) for pair in pairs] == [(5, "declared"), (3, "declared")]


# --- what is refused before anything starts ------------------------------------------------------


def test_reference_is_taken_where_none_is_named(folder: Folder) -> None:
    assert reference_of("tiny") == "tiny-adamw"
    folder.entry("def train(session): ...", name="tiny-adamw")
    assert folder.order(None).entry.source.submission.name == "tiny-adamw"


@pytest.mark.parametrize("interleave", [False, True])
def test_a_workload_without_a_reference_names_what_there_is(
    folder: Folder, *, interleave: bool
) -> None:
    folder.entry(HONEST, name="other")
    (folder.entry(HONEST, name="broken") / "submission.toml").write_text("title = ")
    named = "other" if interleave else None
    said = "'tiny' has no reference submission 'tiny-adamw'.* name entry or other by --submission"
    with pytest.raises(SubmissionError, match=said):
        run_series(folder.request(named, interleave=interleave), Silent())
    assert not folder.results.exists()


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"workload": "tinny"}, UnknownPlugin, "did you mean tiny"),
        ({"submission": "entri"}, UnknownPlugin, "did you mean entry"),
        ({"submission": "./entry"}, SubmissionError, "no such folder"),
        ({"meters": ("fakke",)}, UnknownPlugin, "did you mean fake"),
        ({"meters": ("rapl",)}, MeterUnavailable, "rapl"),
        ({"launcher": "bubblewarp"}, UnknownPlugin, "did you mean bubblewrap"),
        ({"workload": "markov-lm"}, SubmissionError, "names tiny, not 'markov-lm'"),
    ],
)
def test_what_cannot_run_is_refused_before_the_first_run(
    folder: Folder, change: dict, error: type[Exception], said: str
) -> None:
    if change.get("meters") == ("rapl",) and list(Path("/sys/class/powercap").glob("*rapl*")):
        pytest.skip("this machine has RAPL")
    with pytest.raises(error, match=said):
        run_series(folder.request(**change), Silent())
    assert not folder.results.exists()


def test_a_bad_key_is_refused_before_the_first_run(folder: Folder, tmp_path: Path) -> None:
    """A sentence that names the file, and neither a folder nor a row in the ledger."""
    folder.entry(HONEST)
    key = tmp_path / "key"
    generate(key)
    (tmp_path / "empty").write_bytes(b"")
    bad = {"absent": "No such file", "empty": "not a PEM", "key.pub": "not a PEM private key"}
    for name, said in bad.items():
        with pytest.raises(SignError, match=said) as caught:
            run_series(folder.request(key=tmp_path / name), Silent())
        assert "joulemark keygen" in str(caught.value)
    assert not folder.results.exists()


def test_a_key_inside_the_submission_would_be_published(folder: Folder) -> None:
    entry = folder.entry(HONEST)
    generate(entry / "key")
    with pytest.raises(SignError, match="lies in the submission"):
        folder.order(key=entry / "key")


def test_a_key_of_the_series_reaches_every_run(folder: Folder, tmp_path: Path) -> None:
    folder.entry(HONEST)
    generate(tmp_path / "key")
    request = folder.request(key=tmp_path / "key", seeds_count=2)
    ordered = folder.orders(request)
    assert [order.rig.key is not None for order in ordered] == [True, True]
    assert repr(ordered[0].rig.key) not in repr(ordered[0])


def test_launcher_that_does_not_work_is_refused_by_name(folder: Folder) -> None:
    launchers = folder.plugins / "launchers"
    launchers.mkdir()
    (launchers / "odd.py").write_text(
        "from harness.plugins import Availability\n\n\nclass Odd:\n    level = 'none'\n\n"
        "    def probe(self):\n        return Availability(False, 'no moon', 'wait')\n\n\n"
        "LAUNCHER = Odd()\n"
    )
    with pytest.raises(LauncherUnavailable, match=r"odd is not available here: no moon .*wait"):
        run_series(folder.request(launcher="odd"), Silent())


def test_broken_workload_is_reported_with_its_error(folder: Folder) -> None:
    folder.workload.write_text("import nothing_of_that_name\n")
    with pytest.raises(BrokenPlugin, match="nothing_of_that_name"):
        run_series(folder.request(), Silent())


def test_orders_are_alike_but_for_the_seeds(folder: Folder) -> None:
    made = folder.orders(folder.request(seeds_count=3, hyperparameters={"lr": 1}))
    assert [(item.index, item.count) for item in made] == [(0, 3), (1, 3), (2, 3)]
    assert len({item.seeds.session for item in made}) == 3
    assert all(item.entry.hyperparameters == {"lr": 1} for item in made)


# --- running -------------------------------------------------------------------------------------


def test_a_bundle_for_every_seed_and_a_chain_over_all(folder: Folder) -> None:
    outcomes = run_series(folder.request(seeds_count=2), Silent())
    assert [outcome.run.status for outcome in outcomes] == ["ok", "ok"]
    assert find_bundles(folder.results) == sorted(outcome.bundle for outcome in outcomes)
    first, second = (check_bundle(outcome, folder.results) for outcome in outcomes)
    assert first.manifest.previous_manifest_sha256 is None
    assert second.manifest.previous_manifest_sha256 == first.manifest_sha256
    assert first.run.seeds.secret == second.run.seeds.secret
    assert first.run.seeds.instance != second.run.seeds.instance
    (ledger,) = (folder.results / "ledgers").iterdir()
    rows = read_ledger(ledger)
    assert [row.kind for row in rows] == ["started", "finished"] * 2
    secret = bytes.fromhex(first.run.seeds.secret)
    assert {row.seed_commitment for row in rows} == {hashlib.sha256(secret).hexdigest()}


def test_seeded_data_differ_from_seed_to_seed_and_repeat_for_one(folder: Folder) -> None:
    folder.entry(
        "def train(session):\n"
        "    session.log(seed=session.seed, total=float(session.train['x'].sum()))\n"
        "    session.snapshot({'w': fitted(session)})\n"
    )
    outcomes = run_series(folder.request(declared_seeds=(1, 2)), Silent())
    outcomes += run_series(folder.request(declared_seeds=(1,)), Silent())
    seen = [
        next(event.data for event in Bundle(outcome.bundle).events() if event.kind == "log")
        for outcome in outcomes
    ]
    assert seen[0] != seen[1]
    assert seen[0] == seen[2]


def test_ctrl_c_leaves_the_rest_of_the_series_out(folder: Folder) -> None:
    folder.entry("import time\ndef train(session): time.sleep(60)")
    watcher = Interrupting()
    outcomes = run_series(folder.request(seeds_count=3), watcher)
    assert [outcome.run.status for outcome in outcomes] == ["aborted"]
    assert watcher.phases.count("training") == 1
    check_bundle(outcomes[0], folder.results)


def test_a_second_series_on_this_machine_is_refused(folder: Folder, own_lock: Path) -> None:
    with own_lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(MachineBusy, match="another run uses this machine"):
            run_series(folder.request(), Silent())
        assert not folder.results.exists()
    assert run_series(folder.request(), Silent())[0].run.status == "ok", "and later it goes"


def test_a_series_may_run_in_another_thread(folder: Folder) -> None:
    statuses: list[str] = []
    thread = threading.Thread(
        target=lambda: statuses.extend(
            run_sery.run.status for run_sery in run_series(folder.request(), Silent())
        )
    )
    thread.start()
    thread.join(60)
    assert statuses == ["ok"]


def test_watcher_is_reported_phases_and_figures(folder: Folder) -> None:
    watcher = Silent()
    run_series(folder.request(meters=("fake:watts=50",)), watcher)
    order = ["reading the machine's facts", "drawing the data", "starting the meters"]
    order += ["starting the sandbox", "training", "evaluating 1 snapshots"]
    assert watcher.phases == order
    assert watcher.seen
    for figures in watcher.seen:
        assert (figures.run_index, figures.run_count) == (0, 1)
        assert figures.budget_s == 10.0
        assert figures.joules is None or figures.joules >= 0


# --- interleaved with the reference --------------------------------------------------------------


def test_pairs_share_their_seeds_and_draw_their_order(folder: Folder) -> None:
    folder.entry(HONEST, name="tiny-adamw")
    request = folder.request(seeds_count=40, interleave=True, hyperparameters={"lr": 1})
    made = folder.orders(request)
    assert [item.index for item in made] == list(range(80))
    assert {item.count for item in made} == {80}
    pairs = list(zip(made[::2], made[1::2], strict=True))
    for pair in pairs:
        assert pair[0].seeds == pair[1].seeds
        assert {order.entry.source.submission.name for order in pair} == {"entry", "tiny-adamw"}
        own, reference = sorted(pair, key=lambda item: item.is_reference)
        assert (own.interleaved_with, reference.interleaved_with) == ("tiny-adamw", "entry")
        assert (own.entry.hyperparameters, reference.entry.hyperparameters) == ({"lr": 1}, {})
    # Of 40 fair coins fewer than 6 fall on one side once in two million times.
    assert 6 <= sum(first.is_reference for first, _ in pairs) <= 34


def test_order_of_a_pair_can_be_recomputed_from_the_revealed_secret(folder: Folder) -> None:
    folder.entry(HONEST, name="tiny-adamw")
    for first, _ in [folder.orders(folder.request(interleave=True)) for _ in range(8)]:
        text = f"{first.seeds.secret}|{first.seeds.index}|order"
        secret, _, rest = text.partition("|")
        drawn = hashlib.sha256(bytes.fromhex(secret) + f"|{rest}".encode()).digest()[0] >> 7
        assert first.is_reference == bool(drawn)


def test_reference_is_not_interleaved_with_itself(folder: Folder) -> None:
    folder.entry(HONEST, name="tiny-adamw")
    with pytest.raises(SubmissionError, match="cannot be interleaved with itself"):
        folder.orders(folder.request("tiny-adamw", interleave=True))


def test_three_entries_take_turns_on_every_seed(folder: Folder) -> None:
    for name in ("tiny-adamw", "third"):
        folder.entry(HONEST, name=name)
    request = folder.request(seeds_count=60, interleave_with=("tiny-adamw", "third"))
    made = folder.orders(request)
    assert [order.index for order in made] == list(range(180))
    names = [order.entry.source.submission.name for order in made]
    turns = [tuple(names[i : i + 3]) for i in range(0, 180, 3)]
    assert {frozenset(turn) for turn in turns} == {frozenset({"entry", "tiny-adamw", "third"})}
    assert len(set(turns)) == 6, "all orders occur"
    for name, order in zip(names, made, strict=True):
        assert name not in order.interleaved_with
        assert order.is_reference == (name == "tiny-adamw")
    assert all(made[i].seeds == made[i + 1].seeds == made[i + 2].seeds for i in range(0, 180, 3))


def test_interleaved_series_on_the_same_instances_says_so_in_its_bundles(folder: Folder) -> None:
    train = """
        def train(session):
            session.log(seed=session.seed, total=float(session.train['x'].sum()))
            session.snapshot({'w': fitted(session)})
    """
    folder.entry(train)
    folder.entry(train, name="tiny-adamw")
    request = folder.request(seeds_count=2, interleave=True, provenance="organizer")
    outcomes = run_series(request, Silent())
    assert [outcome.run.status for outcome in outcomes] == ["ok"] * 4
    assert {outcome.run.provenance for outcome in outcomes} == {"organizer"}
    assert sorted(outcome.is_reference for outcome in outcomes) == [False, False, True, True]
    for one, two in (outcomes[:2], outcomes[2:]):
        assert one.run.interleaved_with == two.run.submission.name
        assert logs(one)[0].data == logs(two)[0].data
    for outcome in outcomes:
        check_bundle(outcome, folder.results)
