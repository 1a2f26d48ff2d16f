"""A policy and the value of its states on a common trunk."""

from torch import Tensor, nn


class ActorCritic(nn.Module):
    """Two layers with tanh, then scores of actions and one value."""

    def __init__(self, *, inputs: int, hidden: int, actions: int) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh()
        )
        self.actor = nn.Linear(hidden, actions)
        self.critic = nn.Linear(hidden, 1)

    def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Float32 (batch, inputs) to scores (batch, actions) and values (batch,)."""
        features = self.trunk(x)
        return self.actor(features), self.critic(features)[:, 0]

    def forward(self, x: Tensor) -> Tensor:
        """Float32 (batch, inputs) to scores (batch, actions)."""
        scores: Tensor = self.actor(self.trunk(x))
        return scores
