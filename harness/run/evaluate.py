"""Evaluates each snapshot against hidden labels, after the submission is dead and off the clock."""

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from harness.api import Array, Ask, Splits
from harness.clock import NS_PER_S
from harness.plugins import Exit
from harness.records import Evaluation, MetricValue, PredictorCost, Snapshot
from harness.run.batch_independence import dependence, draw_rows, select_rows
from harness.run.judge import NotFinite, Unjudged, digest, examples_of, judge, passes
from harness.run.order import Order
from harness.run.output_capture import OutputCapture
from harness.run.predictor import (
    Predictor,
    PredictorCaps,
    PredictorFault,
    all_at_once,
    in_lockstep,
)
from harness.run.sandboxes import launch_predictor
from harness.run.snapshots import HeldSnapshot, store_snapshots
from harness.run.state import RunState

RESTARTS_MAX = 3
"""Predictors that broke a cap are replaced this often; the remaining snapshots get no value."""
CONFIRMATIONS_MAX = 5
"""Confirmations by a fresh predictor; the remaining snapshots that need one get no value."""
DIVERGED = "diverged: "
"""Start of the reason of a snapshot whose outputs are not finite."""
CPU_LOST = "the predictor did not wait for its children, so its CPU seconds are unknown"
OUT_OF_TIME = "the answers for other snapshots took all the time of this run's evaluation"
UNCONFIRMED = "passed in a predictor that had seen other snapshots, and was not confirmed"

Stop = Callable[[], bool]
"""Whether the operator asked to stop."""


def evaluate(state: RunState) -> None:
    """Store the snapshots, then compute the metric of each one that was handed over.

    Raises:
        OSError: a snapshot could not be written, or a predictor could not be started.
    """
    observation, order, interrupt = state.observation, state.order, state.interrupt
    keep_bytes = order.ruleset.run.kept_snapshot_bytes
    folder = state.bundle.folder / "snapshots"
    state.snapshots = store_snapshots(observation.held, folder, keep_bytes)
    interrupted = observation.ended_by in ("violation", "interrupt", "fault")
    if interrupted or not observation.held or observation.gun_ns is None:
        return
    state.watcher.phase(f"evaluating {len(observation.held)} snapshots")
    evaluator = Evaluator(order, state.data.splits, observation.gun_ns, lambda: interrupt.asked)
    values = evaluator.values(observation.held)
    state.evaluation = evaluation_record(evaluator, values)
    state.predictor_captures = evaluator.captures
    if interrupt.asked:
        observation.ended_by = "interrupt"


class Evaluator:
    """Evaluates all snapshots of one run; it restarts a predictor that had to be killed."""

    def __init__(self, order: Order, splits: Splits, gun_ns: int, stop: Stop) -> None:
        """Prepare; nothing is started yet."""
        self.order = order
        self.splits = splits
        self._gun_ns = gun_ns
        self._stop = stop
        rules, spec = order.ruleset.evaluation, order.entry.workload
        outputs = max(examples_of(splits) * math.prod(spec.outputs.shape), spec.answer_values or 0)
        self.caps = PredictorCaps(
            cpu_s=max(rules.predict_cpu_ratio * spec.predict_cpu_s, rules.predict_cpu_floor_s),
            answer_wall_s=rules.answer_wall_s,
            start_wall_s=rules.start_cap_s,
            output_bytes=8 * outputs + 4096,
        )
        self.exits: list[Exit] = []
        self.captures: list[OutputCapture] = []
        self._is_open = order.entry.source.file.division == "open"
        """Whether the predictor runs the submission's own code."""
        self._alone: dict[int, Array | None] = {}
        """Outputs of each snapshot that was the first of its predictor; None: no outputs."""
        self._tested: set[int] = set()
        """Snapshots whose independence of the batch was tested."""
        self._rows = draw_rows(order.entry.workload, splits, order.seeds.instance)
        """Examples that are asked separately; None if they cannot be."""
        self._few: dict[int, Array | PredictorFault] = {}
        """Outputs for these examples, by snapshot, or why there are none."""
        self._answers_left_s = max(rules.total_wall_ratio * order.budget_s, rules.answer_wall_s)
        """Seconds that are left for the answers of all snapshots but the last."""

    def _cap_cpu_s(self, record: Snapshot) -> float:
        """CPU seconds for one snapshot; in the open division they grow with the training time.

        Otherwise a snapshot that contains the training rows, sent at once, could be trained on off
        the clock.
        """
        if not self._is_open:
            return self.caps.cpu_s
        rules, spec = self.order.ruleset.evaluation, self.order.entry.workload
        trained_s = max(0, record.stamp_ns - self._gun_ns) / NS_PER_S
        earned_s = rules.open_cpu_training_ratio * trained_s * spec.threads
        least_s = max(rules.open_cpu_ratio * spec.predict_cpu_s, rules.predict_cpu_floor_s)
        return min(self.caps.cpu_s, max(least_s, earned_s))

    def values(self, held: Sequence[HeldSnapshot]) -> list[MetricValue]:
        """A value, or a reason, for each snapshot whose bytes are held; in order of index.

        The snapshots are evaluated in an order drawn from the run's seed, so that a predictor that
        keeps something from one to the next cannot plan for it; the last one that may count is
        first. Of that one a few examples are asked before, in a predictor of their own, when no
        process has seen the others.
        """
        waiting = [snapshot for snapshot in held if snapshot.descriptor is not None]
        random.Random(self.order.seeds.instance).shuffle(waiting)  # noqa: S311 - not a secret
        waiting.sort(key=lambda snapshot: snapshot.record.index == _last(held))
        results: list[MetricValue] = []
        if self._is_open and waiting and waiting[-1].record.index == _last(held):
            self._ask_few(waiting[-1])
        for _ in range(RESTARTS_MAX):
            if waiting and not self._stop():
                results += self._serve(waiting)
        reason = "no predictor was left to serve it"
        results += [_without(snapshot.record, reason) for snapshot in waiting]
        values = {value.snapshot: value for value in results}
        if self._is_open:
            self._confirm(values, {item.record.index: item for item in held}, _last(held))
        if any(exit_.cpu_lost for exit_ in self.exits):
            served = (item.record for item in held if item.record.index in values)
            return [_without(record, CPU_LOST) for record in served]
        return [values[index] for index in sorted(values)]

    def _confirm(
        self, values: dict[int, MetricValue], held: Mapping[int, HeldSnapshot], last: int | None
    ) -> None:
        """Replace a value that may count by that of a predictor that has seen nothing else.

        Otherwise a predictor could answer for an early snapshot with what it kept of a late one.
        """
        confirmed_count = 0
        while not self._stop():
            untested = self._untested(values, last)
            unconfirmed = self._unconfirmed(values)
            if untested is not None:
                self._test_independence(values, held[untested])
            elif not unconfirmed:
                return
            elif confirmed_count < CONFIRMATIONS_MAX:
                confirmed_count += 1
                index = unconfirmed[0]
                values.update((index, value) for value in self._serve([held[index]]))
            else:
                for index in unconfirmed:
                    values[index] = _replaced(values[index], held[index].record, UNCONFIRMED)
                return

    def _untested(self, values: Mapping[int, MetricValue], last: int | None) -> int | None:
        """The next snapshot that may count and was not yet tested for independence."""
        passing = [i for i in sorted(values) if passes(values[i].value, self.order.entry.workload)]
        counting = {passing[0], last} if passing else set()
        ready = (i for i in passing if i in counting and i in self._alone)
        return next((i for i in ready if i not in self._tested), None)

    def _unconfirmed(self, values: Mapping[int, MetricValue]) -> list[int]:
        """Snapshots that pass, up to the first one that passed in a predictor of its own."""
        indices = []
        for index in sorted(values):
            if passes(values[index].value, self.order.entry.workload):
                if index in self._alone:
                    break
                indices.append(index)
        return indices

    def _ask_few(self, held: HeldSnapshot) -> None:
        """Store the outputs for a few examples, asked in a predictor that sees no others."""
        assert held.descriptor is not None
        if self._rows is None or self._stop():
            return
        drive, cap_s = (
            self._drive(select_rows(self.splits, self._rows)),
            self._cap_cpu_s(held.record),
        )
        try:
            with self._predictor() as predictor:
                outputs = predictor.evaluate(held.descriptor, drive, cap_s).outputs
            self._few[held.record.index] = outputs
        except PredictorFault as fault:
            self._few[held.record.index] = fault

    def _test_independence(self, values: dict[int, MetricValue], held: HeldSnapshot) -> None:
        """Remove a value whose outputs depend on which other examples were asked."""
        index = held.record.index
        value, outputs = values[index], self._alone[index]
        self._tested.add(index)
        if outputs is None or value.value is None:
            return
        if index not in self._few:
            self._ask_few(held)
        few = self._few.pop(index, None)
        if few is None or self._rows is None:
            return
        if isinstance(few, PredictorFault):
            reason = f"asked for {len(self._rows)} examples without the others: {few}"
        else:
            reason = dependence(few, outputs[self._rows])
        if reason:
            values[index] = _replaced(value, held.record, reason)

    @contextmanager
    def _predictor(self) -> Iterator[Predictor]:
        """A new predictor that is ready; it is killed and accounted for at exit."""
        launched = launch_predictor(self.order)
        self.captures += launched.captures
        is_program = self._is_open and bool(self.order.entry.source.file.predict_command)
        predictor = Predictor(launched.sandbox, launched.channel, self.caps, is_program=is_program)
        try:
            with predictor:
                yield predictor
        finally:
            self.exits.append(predictor.end())
            for capture in launched.captures:
                capture.finish()

    def _serve(self, waiting: list[HeldSnapshot]) -> Iterator[MetricValue]:
        """Evaluate from the end of the list until it is empty or the predictor has to go."""
        try:
            with self._predictor() as predictor:
                self._alone[waiting[-1].record.index] = None
                while waiting and not self._stop():
                    if self._answers_left_s <= 0:
                        yield _without(waiting.pop().record, OUT_OF_TIME)
                        continue
                    value, fatal = self._evaluate_one(predictor, waiting.pop())
                    self._answers_left_s -= value.wall_s
                    yield value
                    if fatal:
                        return
        except PredictorFault as fault:  # it was never ready
            while waiting:
                yield _without(waiting.pop().record, str(fault))

    def _evaluate_one(self, predictor: Predictor, held: HeldSnapshot) -> tuple[MetricValue, bool]:
        """The value of one snapshot, and whether the predictor is of no further use."""
        record = held.record
        assert held.descriptor is not None
        try:
            cap_s = self._cap_cpu_s(record)
            answer = predictor.evaluate(held.descriptor, self._drive(self.splits), cap_s)
        except PredictorFault as fault:
            return _without(record, str(fault)), fault.fatal
        try:
            metric, loss = judge(answer.outputs, self.order.entry.workload, self.splits)
        except Unjudged as fault:
            prefix = DIVERGED if isinstance(fault, NotFinite) else ""
            return _without(record, f"{prefix}{fault}", answer.wall_s, answer.cpu_s), False
        if record.index in self._alone:
            self._alone[record.index] = answer.outputs
        value = MetricValue(
            snapshot=record.index,
            value=metric,
            loss=loss,
            outputs_sha256=digest(answer.outputs),
            wall_s=answer.wall_s,
            cpu_s=answer.cpu_s,
        )
        return value, False

    def _drive(self, splits: Splits) -> Callable[[Ask], Array]:
        """The function that asks the questions of this workload."""
        spec = self.order.entry.workload
        if spec.evaluation == "interactive" and spec.interact is not None:
            return _interactive(spec.interact, splits)
        inputs = splits.test_inputs
        return in_lockstep(inputs) if spec.evaluation == "lockstep" else all_at_once(inputs)


def _interactive(
    interact: Callable[[Splits, Ask], Array], splits: Splits
) -> Callable[[Ask], Array]:
    """The workload's own evaluation; outputs that it cannot use are the predictor's fault."""

    def drive(ask: Ask) -> Array:
        try:
            return interact(splits, ask)
        except (ValueError, LookupError, TypeError, ArithmeticError) as error:
            raise PredictorFault(
                f"outputs that the workload cannot use: {error}", fatal=False
            ) from error

    return drive


def _last(held: Sequence[HeldSnapshot]) -> int | None:
    """Index of the last snapshot that may count."""
    return max((item.record.index for item in held if item.record.accepted), default=None)


def _without(
    record: Snapshot, reason: str, wall_s: float = 0.0, cpu_s: float | None = None
) -> MetricValue:
    """The record of a snapshot without a value."""
    clean = "".join(character if character.isprintable() else "?" for character in reason)
    return MetricValue(
        snapshot=record.index, value=None, reason=clean[:500], wall_s=wall_s, cpu_s=cpu_s
    )


def _replaced(value: MetricValue, record: Snapshot, reason: str) -> MetricValue:
    """The same record without its value."""
    return _without(record, reason, value.wall_s, value.cpu_s)


def _instance_facts(order: Order, splits: Splits) -> dict[str, float]:
    """The facts of the drawn instance, including its optimum if it is known."""
    facts = {name: float(value) for name, value in splits.facts.items()}
    spec = order.entry.workload
    if spec.optimum is not None:
        facts["optimum"] = spec.optimum
        if spec.optimum_error is not None:
            facts["optimum_error"] = float(spec.optimum_error(splits.test_labels, splits.facts))
    return facts


def evaluation_record(evaluator: Evaluator, values: Sequence[MetricValue]) -> Evaluation:
    """`eval.json`: the metric of each snapshot, and the cost of the predictors."""
    exits, order, splits = evaluator.exits, evaluator.order, evaluator.splits
    cpu = [exit_.cpu_s for exit_ in exits if exit_.cpu_s is not None]
    peaks = [exit_.peak_rss_bytes for exit_ in exits if exit_.peak_rss_bytes is not None]
    cost = PredictorCost(
        cap_cpu_s=evaluator.caps.cpu_s,
        cap_wall_s=evaluator.caps.answer_wall_s,
        cpu_s=sum(cpu) if cpu else None,
        peak_rss_bytes=max(peaks, default=None),
    )
    return Evaluation(
        metric=order.entry.workload.metric.name,
        examples=examples_of(splits),
        values=tuple(values),
        predictor=cost if exits else None,
        facts=_instance_facts(order, splits),
    )
