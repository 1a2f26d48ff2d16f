"""Evaluation: after the submission is dead, off the clock, each snapshot against hidden labels."""

import contextlib
import hashlib
import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from harness.api import Array, Ask, Splits
from harness.clock import NS_PER_S
from harness.plugins import Exit
from harness.records import Evaluation, MetricValue, PredictorCost, Snapshot
from harness.run.batch_independence import Audit
from harness.run.judge import NotFinite, Unjudged, digest, examples_of, judge, passes
from harness.run.memory import read_bytes
from harness.run.order import Order
from harness.run.output_capture import OutputCapture
from harness.run.predictor import Predictor, PredictorCaps, PredictorFault, all_at_once, in_lockstep
from harness.run.sandboxes import LaunchedSandbox, launch_predictor
from harness.run.supervisor import HeldSnapshot, Observation
from harness.storage import write_file

RESTARTS_MAX = 3
"""Predictors that broke a cap are replaced so often; then the rest goes without a value."""
CONFIRMATIONS_MAX = 5
"""Snapshots that may turn out to pass only beside others before the rest is given up."""
DIVERGED = "diverged: "
"""Begins the reason of a snapshot whose outputs are not finite."""
CPU_LOST = "the predictor let children end unseen, so that its CPU seconds are unknown"
UNCONFIRMED = "passed in a predictor that had seen other snapshots, and none was left to confirm it"


class Evaluator:
    """Serves all snapshots of one run, restarting a predictor that had to be killed."""

    def __init__(self, order: Order, source: Path, splits: Splits, gun_ns: int) -> None:
        """Prepare; nothing is started yet."""
        self._order = order
        self._source = source
        self._splits = splits
        self._gun_ns = gun_ns
        rules = order.ruleset.evaluation
        spec = order.workload
        shape = 1
        for length in spec.outputs.shape:
            shape *= length
        self.caps = PredictorCaps(
            cpu_s=max(rules.predict_cpu_ratio * spec.predict_cpu_s, rules.predict_cpu_floor_s),
            answer_wall_s=rules.answer_wall_s,
            start_wall_s=rules.start_cap_s,
            output_bytes=8 * max(examples_of(splits) * shape, spec.answer_values or 0) + 4096,
        )
        self.exits: list[Exit] = []
        self.captures: list[OutputCapture] = []
        self._alone: dict[int, Array | None] = {}
        """Outputs of each snapshot that was the first of its predictor; None: no outputs."""
        self._audited: set[int] = set()

    @property
    def _is_open(self) -> bool:
        """Whether the predictor runs code of the submission's own."""
        return self._order.source.file.division == "open"

    def _cap_cpu_s(self, record: Snapshot) -> float:
        """CPU seconds for one snapshot; in the open division by how long it was trained for.

        Otherwise a snapshot of the training rows, sent at once, could be trained on off the clock.
        """
        if not self._is_open:
            return self.caps.cpu_s
        rules, spec = self._order.ruleset.evaluation, self._order.workload
        trained_s = max(0, record.stamp_ns - self._gun_ns) / NS_PER_S
        earned_s = rules.open_cpu_training_ratio * trained_s * spec.threads
        least_s = max(rules.open_cpu_ratio * spec.predict_cpu_s, rules.predict_cpu_floor_s)
        return min(self.caps.cpu_s, max(least_s, earned_s))

    def values(self, held: Sequence[HeldSnapshot], stop: Callable[[], bool]) -> list[MetricValue]:
        """A value, or a reason, for each snapshot whose bytes are held; in order of index.

        They are served in an order drawn from the run's seed, so that a predictor that keeps
        something from one to the next cannot plan for it; the last one that may count comes first.
        """
        waiting = [each for each in held if each.descriptor is not None]
        random.Random(self._order.seeds.instance).shuffle(waiting)  # noqa: S311 - no secret
        waiting.sort(key=lambda each: each.record.index == _last(held))
        results: list[MetricValue] = []
        for _ in range(RESTARTS_MAX):
            if waiting and not stop():
                results += self._serve(waiting, stop)
        results += [_without(each.record, "no predictor was left to serve it") for each in waiting]
        values = {value.snapshot: value for value in results}
        if self._is_open:
            self._confirm(values, held, stop)
        if any(each.cpu_lost for each in self.exits):
            return [_without(each.record, CPU_LOST) for each in held if each.record.index in values]
        return [values[index] for index in sorted(values)]

    def _confirm(
        self, values: dict[int, MetricValue], held: Sequence[HeldSnapshot], stop: Callable[[], bool]
    ) -> None:
        """Replace what may count by the value of a predictor that has seen nothing else.

        Else it could answer for an early snapshot by what it kept of a late one.
        """
        by_index = {item.record.index: item for item in held}
        confirmed_count = 0
        while not stop():
            suspect = self._suspect(values, _last(held))
            first = next(self._unconfirmed(values), None)
            if suspect is not None:
                self._audit(values, by_index[suspect], stop)
            elif first is None:
                return
            elif confirmed_count < CONFIRMATIONS_MAX:
                confirmed_count += 1
                for value in self._serve([by_index[first]], stop):
                    values[first] = value
            else:
                self._give_up(values, by_index)
                return

    def _give_up(
        self, values: dict[int, MetricValue], by_index: Mapping[int, HeldSnapshot]
    ) -> None:
        for index in list(self._unconfirmed(values)):
            value = values[index]
            record = by_index[index].record
            values[index] = _without(record, UNCONFIRMED, value.wall_s, value.cpu_s)

    def _suspect(self, values: Mapping[int, MetricValue], last: int | None) -> int | None:
        """The next that may count, under either rule, and was not yet asked for a few alone."""
        passing = [i for i in sorted(values) if passes(values[i].value, self._order.workload)]
        counting = {passing[0], last} if passing else set()
        ready = (i for i in passing if i in counting and i in self._alone)
        return next((i for i in ready if i not in self._audited), None)

    def _audit(
        self, values: dict[int, MetricValue], held: HeldSnapshot, stop: Callable[[], bool]
    ) -> None:
        """Ask once more for a few examples, away from the others; no value if that was its luck."""
        index, workload = held.record.index, self._order.workload
        value, beside = values[index], self._alone[index]
        self._audited.add(index)
        if beside is None or value.value is None:
            return
        seed = self._order.seeds.instance
        audit = Audit(workload, self._splits, seed, value.value, beside)
        while (few := audit.due()) is not None and not stop():
            try:
                audit.take(self._ask_apart(held, few))
            except PredictorFault as fault:
                audit.refuse(str(fault))
        if audit.reason:
            values[index] = _without(held.record, audit.reason, value.wall_s, value.cpu_s)

    def _ask_apart(self, held: HeldSnapshot, few: Splits) -> Array:
        """Outputs of a predictor that sees nothing but these examples.

        Raises:
            PredictorFault: there are none.
        """
        assert held.descriptor is not None
        launched = launch_predictor(self._order, self._source)
        self.captures += launched.captures
        predictor = Predictor(launched.sandbox, launched.channel, self.caps)
        try:
            with predictor:
                cap_s = self._cap_cpu_s(held.record)
                return predictor.evaluate(held.descriptor, self._drive(few), cap_s).outputs
        finally:
            self._bury(predictor, launched)

    def _unconfirmed(self, values: dict[int, MetricValue]) -> Iterator[int]:
        """Snapshots that pass, up to the first one that does so on its own."""
        for index in sorted(values):
            if passes(values[index].value, self._order.workload):
                if index in self._alone:
                    return
                yield index

    def _serve(
        self, waiting: list[HeldSnapshot], stop: Callable[[], bool]
    ) -> Iterator[MetricValue]:
        """Serve from the list until it is empty or the predictor has to go."""
        launched = launch_predictor(self._order, self._source)
        self.captures += launched.captures
        predictor = Predictor(launched.sandbox, launched.channel, self.caps)
        try:
            with predictor:
                self._alone[waiting[-1].record.index] = None
                while waiting and not stop():
                    value, fatal = self._one(predictor, waiting.pop())
                    yield value
                    if fatal:
                        return
        except PredictorFault as fault:  # it did not even get ready
            while waiting:
                yield _without(waiting.pop().record, str(fault))
        finally:
            self._bury(predictor, launched)

    def _bury(self, predictor: Predictor, launched: LaunchedSandbox) -> None:
        self.exits.append(predictor.end())
        for capture in launched.captures:
            capture.finish()

    def _one(self, predictor: Predictor, held: HeldSnapshot) -> tuple[MetricValue, bool]:
        assert held.descriptor is not None
        try:
            cap_s = self._cap_cpu_s(held.record)
            answer = predictor.evaluate(held.descriptor, self._drive(self._splits), cap_s)
        except PredictorFault as fault:
            return _without(held.record, str(fault)), fault.fatal
        try:
            metric, loss = judge(answer.outputs, self._order.workload, self._splits)
        except Unjudged as fault:
            prefix = DIVERGED if isinstance(fault, NotFinite) else ""
            return _without(held.record, f"{prefix}{fault}", answer.wall_s, answer.cpu_s), False
        if held.record.index in self._alone:
            self._alone[held.record.index] = answer.outputs
        value = MetricValue(
            snapshot=held.record.index,
            value=metric,
            loss=loss,
            outputs_sha256=digest(answer.outputs),
            wall_s=answer.wall_s,
            cpu_s=answer.cpu_s,
        )
        return value, False

    def _drive(self, splits: Splits) -> Callable[[Ask], Array]:
        """How this workload puts its questions."""
        spec = self._order.workload
        if spec.evaluation == "interactive" and spec.interact is not None:
            return _interactive(spec.interact, splits)
        inputs = splits.test_inputs
        return in_lockstep(inputs) if spec.evaluation == "lockstep" else all_at_once(inputs)


def _interactive(
    interact: Callable[[Splits, Ask], Array], splits: Splits
) -> Callable[[Ask], Array]:
    """The workload's own play; outputs that it cannot use are the predictor's fault."""

    def drive(ask: Ask) -> Array:
        try:
            return interact(splits, ask)
        except (ValueError, LookupError, TypeError, ArithmeticError) as error:
            raise PredictorFault(
                f"outputs that the workload cannot play with: {error}", fatal=False
            ) from error

    return drive


def _last(held: Sequence[HeldSnapshot]) -> int | None:
    """Index of the last snapshot that may count."""
    return max((item.record.index for item in held if item.record.accepted), default=None)


def _without(
    record: Snapshot, reason: str, wall_s: float = 0.0, cpu_s: float | None = None
) -> MetricValue:
    clean = "".join(item if item.isprintable() else "?" for item in reason)
    return MetricValue(
        snapshot=record.index, value=None, reason=clean[:500], wall_s=wall_s, cpu_s=cpu_s
    )


def _instance_facts(order: Order, splits: Splits) -> dict[str, float]:
    """What is known of the drawn instance, its optimum included."""
    facts = {name: float(value) for name, value in splits.facts.items()}
    spec = order.workload
    if spec.optimum is not None:
        facts["optimum"] = spec.optimum
        if spec.optimum_error is not None:
            facts["optimum_error"] = float(spec.optimum_error(splits.test_labels, splits.facts))
    return facts


def evaluate(
    order: Order, source: Path, splits: Splits, observation: Observation, stop: Callable[[], bool]
) -> tuple[Evaluation, list[OutputCapture]]:
    """The metric of every held snapshot of a run that began, and the predictors' output."""
    assert observation.gun_ns is not None
    evaluator = Evaluator(order, source, splits, observation.gun_ns)
    values = evaluator.values(observation.held, stop)
    cpu = [item.cpu_s for item in evaluator.exits if item.cpu_s is not None]
    peaks = [item.peak_rss_bytes for item in evaluator.exits if item.peak_rss_bytes is not None]
    cost = PredictorCost(
        cap_cpu_s=evaluator.caps.cpu_s,
        cap_wall_s=evaluator.caps.answer_wall_s,
        cpu_s=sum(cpu) if cpu else None,
        peak_rss_bytes=max(peaks, default=None),
    )
    evaluation = Evaluation(
        metric=order.workload.metric.name,
        examples=examples_of(splits),
        values=tuple(values),
        predictor=cost if evaluator.exits else None,
        facts=_instance_facts(order, splits),
    )
    return evaluation, evaluator.captures


def take_custody(held: Sequence[HeldSnapshot], folder: Path, keep_bytes: int) -> list[Snapshot]:
    """Hash every held snapshot and keep the latest ones on disk, up to a total size.

    Raises:
        OSError: one could not be written; none is left there, since none is recorded as kept.
    """
    try:
        return _custody(held, folder, keep_bytes)
    except BaseException:
        for path in folder.glob("*.safetensors"):
            path.unlink(missing_ok=True)
        raise


def _custody(held: Sequence[HeldSnapshot], folder: Path, keep_bytes: int) -> list[Snapshot]:
    records = {item.record.index: item.record for item in held}
    kept_bytes = 0
    for item in reversed(held):
        if item.descriptor is None:
            continue
        data = read_bytes(item.descriptor)
        digest_hex = hashlib.sha256(data).hexdigest()
        keep = kept_bytes + len(data) <= keep_bytes
        if keep:
            kept_bytes += len(data)
            write_file(folder / f"{item.record.index:04d}.safetensors", data)
        change = {"sha256": digest_hex, "kept": keep}
        records[item.record.index] = item.record.model_copy(update=change)
    return [records[index] for index in sorted(records)]


def release(held: Sequence[HeldSnapshot]) -> None:
    """Close the descriptors; the memory goes with them."""
    for item in held:
        if item.descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(item.descriptor)
