"""A graph convolution whose rows carry their neighbourhood, so that each can be scored alone."""

from torch import Tensor, nn


class NeighbourhoodGCN(nn.Module):
    """Two layers of graph convolution: S relu(S X W1 + b1) W2 + b2, with S X prepared."""

    def __init__(self, features: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Dropout(0.5))
        self.second = nn.Linear(hidden, classes)

    def forward(self, x: Tensor, weight: Tensor) -> Tensor:
        """Rows of S X for each node's neighbours, and their entries of S, to scores.

        `x` is float32 (nodes, neighbours, features), `weight` float32 (nodes, neighbours).
        """
        mixed = (weight.unsqueeze(1) @ self.first(x)).squeeze(1)
        scores: Tensor = self.second(mixed)
        return scores
