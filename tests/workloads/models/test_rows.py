"""Nets for rows of a table: one value, or the error of rebuilding."""

import torch

from workloads.models.autoencoder import Autoencoder
from workloads.models.smooth import Regressor


def test_regressor_gives_one_value_a_row() -> None:
    model = Regressor(9, 128, 128)
    assert model(torch.zeros(5, 9)).shape == (5,)
    assert sum(parameter.numel() for parameter in model.parameters()) == 17_921


def test_anomaly_score_is_the_squared_error_of_the_rebuilt_row() -> None:
    torch.manual_seed(0)
    model = Autoencoder(inputs=9, hidden=16, code=3)
    x = torch.randn(6, 9)
    rebuilt = model.decoder(model.encoder(x))
    assert torch.allclose(model(x), ((rebuilt - x) ** 2).mean(dim=1))
    assert model.encoder(x).shape == (6, 3)


def test_a_rebuilt_row_scores_nothing() -> None:
    model = Autoencoder(inputs=2, hidden=4, code=1)
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    assert model(torch.zeros(3, 2)).tolist() == [0, 0, 0]
