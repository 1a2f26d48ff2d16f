"""Matrix factorisation."""

import torch
from torch import Tensor, nn


class Factorisation(nn.Module):
    """A mean, biases of users and items, and the product of their factors."""

    def __init__(self, *, users: int, items: int, factors: int) -> None:
        super().__init__()
        self.mean = nn.Buffer(torch.zeros(()))
        """Set by training, kept with the weights."""
        self.user = nn.Embedding(users, factors)
        self.item = nn.Embedding(items, factors)
        self.user_bias = nn.Embedding(users, 1)
        self.item_bias = nn.Embedding(items, 1)
        for item in (self.user, self.item):
            nn.init.normal_(item.weight, std=0.1)
        for item in (self.user_bias, self.item_bias):
            nn.init.zeros_(item.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Int64 (rows, 2) of user and item to ratings (rows,)."""
        user, item = x.unbind(dim=1)
        biases = self.user_bias(user) + self.item_bias(item)
        product = (self.user(user) * self.item(item)).sum(dim=1)
        ratings: Tensor = self.mean + biases.squeeze(1) + product
        return ratings
