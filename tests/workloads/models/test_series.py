"""Nets over time are those of the recipes."""

import torch

from workloads.models.series import SeriesCNN


def test_published_counts_of_parameters() -> None:
    def count(**sizes: int) -> int:
        return sum(parameter.numel() for parameter in SeriesCNN(**sizes).parameters())

    assert count(channels=64, width=64, parts=2, classes=8) == 25_992
    assert count(channels=12, width=64, parts=1, classes=9) == 15_561


def test_single_part_does_not_hear_the_order_of_distant_sounds() -> None:
    """With one mean over time two far apart clicks may change places; with two they may not."""
    series = torch.zeros(2, 3, 40)
    series[0, 0, 10] = series[0, 1, 30] = series[1, 1, 10] = series[1, 0, 30] = 1.0
    torch.manual_seed(0)
    whole = SeriesCNN(channels=3, width=8, parts=1, classes=4).eval()(series)
    halves = SeriesCNN(channels=3, width=8, parts=2, classes=4).eval()(series)
    assert torch.allclose(whole[0], whole[1], atol=1e-5)
    assert not torch.allclose(halves[0], halves[1], atol=1e-3)
