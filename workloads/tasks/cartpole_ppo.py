"""A drawn pole on a cart to be balanced, seen through a drawn mixing."""

from typing import TYPE_CHECKING

from harness.api import Metric, Outputs, Splits, Target, WorkloadSpec
from workloads.data.cartpole import cartpole_splits, play
from workloads.metrics import mean_return

if TYPE_CHECKING:
    from torch import nn


def _data(seed: int) -> Splits:
    return cartpole_splits(seed)


def _model() -> "nn.Module":
    from workloads.models.actor import ActorCritic

    return ActorCritic(inputs=4, hidden=64, actions=2)


WORKLOAD = WorkloadSpec(
    name="cartpole-ppo",
    title="Cart and pole, actor and critic",
    domain="control",
    size="smoke",
    secrecy="varied",
    metric=Metric(name="mean return", better="higher", unit="steps", digits=0),
    target=Target(
        value=490.0,
        version="2",
        derivation=(
            "Median final mean return of 20 runs of cartpole-ppo-adamw, each on its own "
            "instance (500.0), loosened by three standard deviations (.2447 each, counted as the "
            "one step that the metric resolves) or to the worst run (498.9), whichever is easier, "
            "and rounded down to tens."
        ),
    ),
    budget_s=45.0,
    outputs=Outputs(kind="scores", shape=()),
    data=_data,
    model=_model,
    score=mean_return,
    evaluation="interactive",
    interact=play,
    predict_cpu_s=0.2,
    packages=("numpy", "torch"),
    tags=("reinforcement learning", "generated"),
    about=(
        "CartPole-v1's physics with gravity, masses, length and force each drawn within a tenth "
        "of the standard, and the four observations scaled and turned by a drawn rotation, so "
        "that no policy can be carried in; the deviation above is that of runs and instances "
        "together. The train split tells the instance's parameters; a submission simulates by "
        "workloads.data.cartpole or by its own means. 32 hidden starts are played outside of "
        "every sandbox, at most 500 steps each, by asking for scores of left and right; the "
        "metric is their mean number of steps. The reference stops once it balances, after 12 to "
        "96 rollouts. The budget is nine times the CPU seconds of 100 rollouts (three for the "
        "rule, three for two cores shared with other work)."
    ),
)
