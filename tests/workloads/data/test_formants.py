"""The synthesised clips have the resonances that were drawn, and instances differ."""

import numpy as np
import pytest
import torch

from workloads.data.formants import (
    CLASSES,
    RATE_HZ,
    SAMPLES,
    draw_formants,
    envelope,
    formant_splits,
    log_spectra,
    voices,
)


def test_spectra_are_those_of_torch() -> None:
    clips = np.random.default_rng(0).normal(size=(3, SAMPLES)).astype(np.float32)
    peer = torch.stft(
        torch.from_numpy(clips), 256, 128, window=torch.hann_window(256), return_complex=True
    )
    expected = peer.abs()[:, :64].clamp(min=1e-4).log().numpy()
    assert log_spectra(clips).shape == (3, 64, 16)
    assert np.allclose(log_spectra(clips), expected, atol=1e-3)


def test_every_glide_is_there_in_both_directions() -> None:
    formants = draw_formants(np.random.default_rng(4))
    assert formants.shape == (CLASSES, 2, 2)
    assert all(
        sum(np.allclose(formant[::-1], other) for other in formants) == 1 for formant in formants
    )


def test_second_formant_stays_above_the_first() -> None:
    for seed in range(50):
        formants = draw_formants(np.random.default_rng(seed))
        assert np.all(formants[..., 1] > 1.4 * formants[..., 0])


def test_envelope_is_greatest_at_the_formants_and_half_at_the_bandwidth() -> None:
    heights = envelope(np.array([[500.0, 10_000.0]]), np.array([[500.0, 580.0, 420.0]]))[0]
    assert heights[0] == pytest.approx(1, abs=1e-4)
    assert heights[1:] == pytest.approx([0.5, 0.5], abs=1e-3)


def test_clips_start_with_one_vowel_and_end_with_the_other() -> None:
    """Mean power near each formant, over many clips of one glide."""
    glide = np.array([[400.0, 1000.0], [700.0, 1600.0]])
    clips = voices(np.tile(glide, (400, 1, 1)), np.random.default_rng(1)).astype(np.float64)
    clips -= clips.mean(axis=1, keepdims=True)
    halves = clips[:, :400], clips[:, -400:]
    start, end = (np.abs(np.fft.rfft(half)).mean(axis=0) for half in halves)
    bins = np.fft.rfftfreq(400, 1 / RATE_HZ)
    for low, high in glide.T:
        at_low, at_high = (np.abs(bins - hz) < 60 for hz in (low, high))
        assert start[at_low].mean() > 1.2 * start[at_high].mean()
        assert end[at_high].mean() > 1.2 * end[at_low].mean()


def test_harmonics_lie_at_multiples_of_the_pitch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without noise a clip repeats after half a second and is silent above 1,900 Hz."""
    generator = np.random.default_rng(2)
    monkeypatch.setattr("workloads.data.formants.GLIDE_S", 1e-9)
    ends = np.tile([[500.0, 1500.0]], (1, 2, 1)).reshape(1, 2, 2)
    clip = voices(ends, generator)[0]
    power = np.abs(np.fft.rfft(clip)) ** 2
    loud = np.flatnonzero(power > 0.05 * power.max()) * RATE_HZ / SAMPLES
    assert loud.max() < 1900
    assert loud.min() >= 90


def test_inputs_are_standardised_on_the_training_clips() -> None:
    splits = formant_splits(3)
    assert splits.train["x"].mean() == pytest.approx(0, abs=1e-3)
    assert splits.train["x"].std() == pytest.approx(1, abs=1e-3)
    assert splits.test_inputs["x"].shape == (6000, 64, 16)
    assert splits.test_inputs["x"].dtype == np.float32
    assert np.bincount(splits.test_labels["y"], minlength=CLASSES).min() > 600
