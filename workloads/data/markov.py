"""An order-2 Markov source over eight symbols, drawn from a seed, with its exact entropy."""

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from harness.api import Splits

SYMBOLS = 8
CONCENTRATION = 0.3
ENTROPY_BAND_NATS = (1.22, 1.27)
"""About a third of all draws, around their median; keeps instances equally hard."""
TRAIN_TOKENS = 180_000
VALIDATION_TOKENS = 20_000
WINDOWS = 256
WINDOW = 32

Table = npt.NDArray[np.float64]
Tokens = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Source:
    """A source whose next symbol depends on the last two: `table[a, b, c]` = P(c | a, b)."""

    table: Table

    @cached_property
    def pairs(self) -> Table:
        """Stationary probability of each pair (a, b): the solution of pi = pi P, sum 1."""
        k = len(self.table)
        flow = np.zeros((k, k, k, k))
        for b in range(k):
            flow[:, b, b, :] = self.table[:, b, :]
        equations = np.vstack([flow.reshape(k * k, k * k).T - np.eye(k * k), np.ones(k * k)])
        right = np.append(np.zeros(k * k), 1.0)
        solution = np.linalg.lstsq(equations, right, rcond=None)[0]
        return np.asarray(solution.reshape(k, k))

    @cached_property
    def first(self) -> Table:
        """P(c | b) where only one symbol is known: the pair before is averaged out."""
        joint = np.einsum("ab,abc->bc", self.pairs, self.table)
        return np.asarray(joint / joint.sum(axis=1, keepdims=True))

    @cached_property
    def entropy_nats(self) -> float:
        """Entropy rate: sum of pi(a, b) H(next | a, b), in nats a token."""
        return float(np.sum(self.pairs * _entropies(self.table)))

    @cached_property
    def first_nats(self) -> float:
        """Expected loss of the ideal predictor that knows one symbol only, in nats."""
        return float(np.sum(self.pairs.sum(axis=0) * _entropies(self.first)))

    def layout_nats(self, window: int) -> float:
        """Least expected loss a token where each window's first prediction knows one symbol."""
        return (self.first_nats + (window - 1) * self.entropy_nats) / window

    def stream(self, count: int, generator: np.random.Generator) -> npt.NDArray[np.uint8]:
        """One long text of `count` symbols, its first pair from the stationary distribution."""
        sums = np.cumsum(self.table, axis=2)[:, :, :-1].tolist()
        before, last = (int(first_pair) for first_pair in self._first_pairs(1, generator)[0])
        text = bytearray((before, last))
        for u in generator.random(count - 2).tolist():
            before, last = last, bisect_right(sums[before][last], u)
            text.append(last)
        return np.frombuffer(bytes(text), dtype=np.uint8)

    def windows(self, count: int, length: int, generator: np.random.Generator) -> Tokens:
        """Independent stationary texts, int64 of shape (count, length)."""
        sums = np.cumsum(self.table, axis=2)[:, :, :-1]
        texts = np.empty((count, length), dtype=np.int64)
        texts[:, :2] = self._first_pairs(count, generator)
        for at in range(2, length):
            rows = sums[texts[:, at - 2], texts[:, at - 1]]
            texts[:, at] = (rows <= generator.random((count, 1))).sum(axis=1)
        return texts

    def ideal_log_probabilities(self, inputs: Tokens) -> Table:
        """What the ideal predictor says at each position: (windows, length) to (.., length, K)."""
        with np.errstate(divide="ignore"):
            later = np.log(self.table[inputs[:, :-1], inputs[:, 1:]])
            return np.concatenate([np.log(self.first[inputs[:, :1]]), later], axis=1)

    def _first_pairs(self, count: int, generator: np.random.Generator) -> Tokens:
        sums = np.cumsum(self.pairs.reshape(-1))[:-1]
        chosen = np.searchsorted(sums, generator.random(count), side="right")
        return np.stack(np.divmod(chosen, len(self.table)), axis=1)


def _entropies(rows: Table) -> Table:
    safe = np.where(rows > 0, rows, 1.0)
    return np.asarray(-np.sum(rows * np.log(safe), axis=-1))


def draw_source(generator: np.random.Generator) -> Source:
    """A source with rows from a Dirichlet distribution, drawn until its entropy is in the band.

    Sources of higher entropy are harder to learn to the same excess: without the band instances
    differ as much as runs do.
    """
    low, high = ENTROPY_BAND_NATS
    while True:
        rows = generator.dirichlet(np.full(SYMBOLS, CONCENTRATION), size=(SYMBOLS, SYMBOLS))
        source = Source(rows)
        if low <= source.entropy_nats <= high:
            return source


def markov_splits(seed: int) -> Splits:
    """The instance of a seed: `x` is one text for training, independent windows for the test.

    Windows are drawn one by one, since of two neighbours in one text the second's first symbol
    gives the first's last label away. `test_labels["ideal"]` is the ideal predictor's log P of
    each true symbol, in nats. The facts are in nats a token.
    """
    generator = np.random.default_rng([seed, 0x6D61])
    source = draw_source(generator)
    text = source.stream(TRAIN_TOKENS + VALIDATION_TOKENS, generator)
    windows = source.windows(WINDOWS, WINDOW + 1, generator)
    inputs, truth = np.ascontiguousarray(windows[:, :-1]), np.ascontiguousarray(windows[:, 1:])
    ideal = np.take_along_axis(source.ideal_log_probabilities(inputs), truth[..., None], axis=2)
    return Splits(
        train={"x": text[:TRAIN_TOKENS]},
        validation={"x": text[TRAIN_TOKENS:]},
        test_inputs={"x": inputs},
        test_labels={"y": truth, "ideal": ideal[..., 0]},
        facts={
            "entropy_nats": source.entropy_nats,
            "first_nats": source.first_nats,
            "optimum_nats": source.layout_nats(WINDOW),
        },
    )
