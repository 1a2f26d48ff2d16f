"""Evaluation: after the submission is dead, off the clock, each snapshot against hidden labels."""

import contextlib
import hashlib
import os
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from harness.api import Array, Ask, Splits
from harness.plugins import Exit
from harness.records import Evaluation, MetricValue, PredictorCost, Snapshot
from harness.run.drain import Drain
from harness.run.judge import NotFinite, Unjudged, digest, examples_of, judge
from harness.run.memory import read_bytes
from harness.run.order import Order
from harness.run.predictor import Caps, Predictor, PredictorFault, all_at_once, in_lockstep
from harness.run.stage import Launched, launch_predictor
from harness.run.watch import Held
from harness.storage import write_file

RESTARTS_MAX = 3
"""Predictors that broke a cap are replaced so often; then the rest goes without a value."""
DIVERGED = "diverged: "
"""Begins the reason of a snapshot whose outputs are not finite."""


class Evaluator:
    """Serves all snapshots of one run, restarting a predictor that had to be killed."""

    def __init__(self, order: Order, source: Path, splits: Splits) -> None:
        """Prepare; nothing is started yet."""
        self._order = order
        self._source = source
        self._splits = splits
        rules = order.ruleset.evaluation
        spec = order.workload
        shape = 1
        for length in spec.outputs.shape:
            shape *= length
        self.caps = Caps(
            cpu_s=max(rules.predict_cpu_ratio * spec.predict_cpu_s, rules.predict_cpu_floor_s),
            answer_wall_s=rules.answer_wall_s,
            start_wall_s=rules.start_cap_s,
            output_bytes=8 * max(examples_of(splits) * shape, spec.answer_values or 0) + 4096,
        )
        self.exits: list[Exit] = []
        self.drains: list[Drain] = []

    def values(self, held: Sequence[Held], stop: Callable[[], bool]) -> list[MetricValue]:
        """A value, or a reason, for each snapshot whose bytes are held; in order of index.

        They are served in an order drawn from the run's seed, so that a predictor that keeps
        something from one to the next cannot plan for it.
        """
        waiting = [each for each in held if each.descriptor is not None]
        random.Random(self._order.seeds.instance).shuffle(waiting)  # noqa: S311 - no secret
        results: list[MetricValue] = []
        for _ in range(RESTARTS_MAX):
            if waiting and not stop():
                results += self._serve(waiting, stop)
        results += [_without(each.record, "no predictor was left to serve it") for each in waiting]
        return sorted(results, key=lambda value: value.snapshot)

    def _serve(self, waiting: list[Held], stop: Callable[[], bool]) -> Iterator[MetricValue]:
        """Serve from the list until it is empty or the predictor has to go."""
        launched = launch_predictor(self._order, self._source)
        self.drains += launched.drains
        predictor = Predictor(launched.sandbox, launched.channel, self.caps)
        try:
            with predictor:
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

    def _bury(self, predictor: Predictor, launched: Launched) -> None:
        self.exits.append(predictor.end())
        for drain in launched.drains:
            drain.finish()

    def _one(self, predictor: Predictor, held: Held) -> tuple[MetricValue, bool]:
        assert held.descriptor is not None
        try:
            answer = predictor.evaluate(held.descriptor, self._drive())
        except PredictorFault as fault:
            return _without(held.record, str(fault)), fault.fatal
        try:
            metric, loss = judge(answer.outputs, self._order.workload, self._splits)
        except Unjudged as fault:
            prefix = DIVERGED if isinstance(fault, NotFinite) else ""
            return _without(held.record, f"{prefix}{fault}", answer.wall_s, answer.cpu_s), False
        value = MetricValue(
            snapshot=held.record.index,
            value=metric,
            loss=loss,
            outputs_sha256=digest(answer.outputs),
            wall_s=answer.wall_s,
            cpu_s=answer.cpu_s,
        )
        return value, False

    def _drive(self) -> Callable[[Ask], Array]:
        """How this workload puts its questions."""
        spec = self._order.workload
        if spec.evaluation == "interactive" and spec.interact is not None:
            return self._interactive(spec.interact)
        inputs = self._splits.test_inputs
        return in_lockstep(inputs) if spec.evaluation == "lockstep" else all_at_once(inputs)

    def _interactive(self, interact: Callable[[Splits, Ask], Array]) -> Callable[[Ask], Array]:
        """The workload's own play; outputs that it cannot use are the predictor's fault."""

        def drive(ask: Ask) -> Array:
            try:
                return interact(self._splits, ask)
            except (ValueError, IndexError, TypeError) as error:
                message = f"outputs that the workload cannot play with: {error}"
                raise PredictorFault(message, fatal=False) from error

        return drive


def _without(
    record: Snapshot, reason: str, wall_s: float = 0.0, cpu_s: float | None = None
) -> MetricValue:
    clean = "".join(each if each.isprintable() else "?" for each in reason)
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
    order: Order, source: Path, splits: Splits, held: Sequence[Held], stop: Callable[[], bool]
) -> tuple[Evaluation, list[Drain]]:
    """The metric of every held snapshot, and the predictors' output."""
    evaluator = Evaluator(order, source, splits)
    values = evaluator.values(held, stop)
    cpu = [each.cpu_s for each in evaluator.exits if each.cpu_s is not None]
    peaks = [each.peak_rss_bytes for each in evaluator.exits if each.peak_rss_bytes is not None]
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
    return evaluation, evaluator.drains


def take_custody(held: Sequence[Held], folder: Path, keep_bytes: int) -> list[Snapshot]:
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


def _custody(held: Sequence[Held], folder: Path, keep_bytes: int) -> list[Snapshot]:
    records = {each.record.index: each.record for each in held}
    kept_bytes = 0
    for each in reversed(held):
        if each.descriptor is None:
            continue
        data = read_bytes(each.descriptor)
        digest_hex = hashlib.sha256(data).hexdigest()
        keep = kept_bytes + len(data) <= keep_bytes
        if keep:
            kept_bytes += len(data)
            write_file(folder / f"{each.record.index:04d}.safetensors", data)
        change = {"sha256": digest_hex, "kept": keep}
        records[each.record.index] = each.record.model_copy(update=change)
    return [records[index] for index in sorted(records)]


def release(held: Sequence[Held]) -> None:
    """Close the descriptors; the memory goes with them."""
    for each in held:
        if each.descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(each.descriptor)
