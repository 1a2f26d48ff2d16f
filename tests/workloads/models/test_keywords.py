"""Keyword spotting: cepstra agree with their definition, the net has the size it is known for."""

import numpy as np
import pytest
import scipy.fft
import torch

from workloads.models.keywords import BANDS, CEPSTRA, KeywordNet, cosines, mel_weights


def test_cosines_are_the_orthonormal_transform() -> None:
    rows = np.random.default_rng(0).normal(size=(3, BANDS))
    wanted = scipy.fft.dct(rows, norm="ortho")[:, :CEPSTRA]
    assert torch.from_numpy(rows).float().numpy() @ cosines().numpy() == pytest.approx(
        wanted, abs=1e-5
    )


def test_bands_cover_their_range_without_a_hole() -> None:
    weights = mel_weights()
    assert weights.shape == (321, BANDS)
    assert (weights.sum(dim=0) > 0).all(), "no band is empty"
    # 25 Hz a line; neighbours' triangles add up to one between the first and the last middle.
    assert weights.sum(dim=1)[5:150].numpy() == pytest.approx(1, abs=1e-5)
    assert not weights[161:].any()


def test_a_higher_tone_lies_in_a_higher_band() -> None:
    times = np.arange(16_000) / 16_000
    tones = [np.sin(2 * np.pi * hertz * times) * 9000 for hertz in (300, 1000, 3000)]
    cepstra = KeywordNet(12).cepstra(torch.from_numpy(np.stack(tones).astype(np.int16)))
    assert cepstra.shape == (3, 49, CEPSTRA)
    bands = cepstra.mean(dim=1) @ cosines().T
    places = bands.argmax(dim=1).tolist()
    assert places == sorted(set(places))


def test_size_is_that_of_the_small_net() -> None:
    net = KeywordNet(12)
    # 64 x 10 x 4; four times (64 x 9 + 64 x 64); 64 x 12 + 12; nine normalisations of 2 x 64.
    assert (
        sum(parameter.numel() for parameter in net.parameters()) == 2560 + 4 * 4672 + 780 + 9 * 128
    )
    assert net(torch.zeros(2, 16_000, dtype=torch.int16)).shape == (2, 12)


def test_silence_is_finite() -> None:
    assert KeywordNet(12).cepstra(torch.zeros(1, 16_000, dtype=torch.int16)).isfinite().all()
