"""A net with feedback that settles to a state of rest, for equilibrium propagation."""

from torch import Tensor, nn

FREE_STEPS = 30
"""Euler steps by which a free net comes to rest."""
STEP = 0.5
SCALE = 0.5
"""Initial weights as a share of Glorot's; the loop through both layers has to die out."""

State = tuple[Tensor, Tensor]
"""Hidden units and output units, each from 0 to 1."""


class EquilibriumNet(nn.Module):
    """Units from 0 to 1 that fall towards what they are driven by (Scellier and Bengio, 2017).

    h moves to W x + b + V^T o, o to V h + c, by Euler steps clipped to 0..1: downhill on the
    energy |h|^2/2 + |o|^2/2 - h W x - o V h - h b - o c.
    """

    def __init__(self, inputs: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, hidden)
        self.second = nn.Linear(hidden, classes)
        for layer in (self.first, self.second):
            nn.init.xavier_uniform_(layer.weight, gain=SCALE)
            nn.init.zeros_(layer.bias)

    def rest(self, x: Tensor) -> State:
        """The state before any input: all units at 0."""
        return x.new_zeros(len(x), self.first.out_features), x.new_zeros(
            len(x), self.second.out_features
        )

    def settle(
        self, x: Tensor, state: State, steps: int, pull: Tensor | float = 0.0, nudge: float = 0.0
    ) -> State:
        """So many Euler steps from a state, the output drawn to `pull` with strength `nudge`."""
        drive = self.first(x)
        h, o = state
        for _ in range(steps):
            up = self.second(h) - o + nudge * (pull - o)
            down = drive + o @ self.second.weight - h
            h, o = (h + STEP * down).clamp(0, 1), (o + STEP * up).clamp(0, 1)
        return h, o

    def forward(self, x: Tensor) -> Tensor:
        """Float32 (batch, inputs) to the output units at equilibrium (batch, classes)."""
        return self.settle(x, self.rest(x), FREE_STEPS)[1]
