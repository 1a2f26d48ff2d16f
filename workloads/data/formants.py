"""Synthesised glides between two vowels whose resonances are newly drawn for each run."""

import numpy as np
import numpy.typing as npt

from harness.api import Splits

RATE_HZ = 4000
SAMPLES = 2000
CLASSES = 8
CLIPS = (1200, 100, 6000)
"""To train, to validate, hidden: that many, since each run has hidden clips of its own."""
HOP, FRAME, BINS = 128, 256, 64
LEAST = 1e-4
"""Magnitude below which all are alike."""
HIGHEST_HZ = 1900.0
BANDWIDTH_HZ = 80.0
GLIDE_S = 0.2
FORMANTS_HZ = np.array(
    [
        [[730, 1090], [270, 1800]],
        [[300, 870], [530, 1700]],
        [[660, 1500], [490, 1350]],
        [[440, 1020], [390, 1700]],
    ],
    dtype=np.float64,
)
"""F1 and F2 of four pairs of vowels, before an instance moves them."""
SCALE_RANGE = (0.98, 1.02)
FORMANT_SPREAD = 0.005
"""Around the instance's scale; with more of either some instances are far harder than others."""
SPEAKER_SPREAD = 0.06

Floats = npt.NDArray[np.float64]


def draw_formants(generator: np.random.Generator) -> Floats:
    """Hz, shape (class, start or end, F1 or F2): each pair glides both ways, in drawn order."""
    scale = generator.uniform(*SCALE_RANGE)
    moved = FORMANTS_HZ * scale * generator.normal(1, FORMANT_SPREAD, FORMANTS_HZ.shape)
    both = np.concatenate([moved, moved[:, ::-1]])
    return np.asarray(both[generator.permutation(CLASSES)])


def envelope(formants: Floats, harmonics: Floats) -> Floats:
    """Amplitude of each harmonic: a Lorentzian 80 Hz wide (half width) around F1 and around F2.

    `formants` is (clips, 2) and `harmonics` (clips, count), both in Hz.
    """
    offsets = (harmonics[:, None, :] - formants[:, :, None]) / BANDWIDTH_HZ
    return np.asarray((1 / (1 + offsets**2)).sum(axis=1))


def voices(ends: Floats, generator: np.random.Generator) -> npt.NDArray[np.float32]:
    """Clips of half a second at 4 kHz, one for each row of `ends` (clips, 2, 2), with noise.

    Pitches are multiples of 2 Hz, so that all harmonics are whole bins of one inverse transform.
    """
    count = len(ends)
    ends = ends * generator.normal(1, SPEAKER_SPREAD, size=(count, 2, 1))
    begin = 0.1 + generator.uniform(0, 0.15, size=(count, 1))
    fade = np.clip((np.arange(SAMPLES) / RATE_HZ - begin) / GLIDE_S, 0, 1).astype(np.float32)
    clips, change = np.fft.irfft(_harmonic_spectra(ends, generator), n=SAMPLES, axis=2)
    change -= clips
    change *= fade
    clips += change
    clips /= clips.std(axis=1, keepdims=True)
    noise = generator.standard_normal(clips.shape, dtype=np.float32)
    noise *= generator.uniform(0.3, 1.2, size=(count, 1)).astype(np.float32)
    clips += noise
    return np.asarray(clips)


def _harmonic_spectra(ends: Floats, generator: np.random.Generator) -> npt.NDArray[np.complex64]:
    """Spectra of both end vowels, (2, clips, bins of 2 Hz), with the same random phases."""
    count, bin_hz = len(ends), RATE_HZ / SAMPLES
    base = generator.integers(round(90 / bin_hz), round(230 / bin_hz), size=(count, 1))
    bins = base * np.arange(1, round(HIGHEST_HZ / 90))
    heard = bins * bin_hz < HIGHEST_HZ
    bins = np.where(heard, bins, 0)
    phases = np.exp(2j * np.pi * generator.random(bins.shape)) * heard
    spectra = np.zeros((2, count, SAMPLES // 2 + 1), dtype=np.complex64)
    rows = np.arange(count)[:, None]
    for at in (0, 1):
        spectra[at, rows, bins] = envelope(ends[:, at], np.asarray(bins * bin_hz)) * phases
    spectra[:, :, 0] = 0
    return spectra


def log_spectra(clips: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Log magnitudes of 64 bins in 16 centred Hann frames: (clips, 64, 16)."""
    padded = np.pad(clips, ((0, 0), (FRAME // 2, FRAME // 2)), mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME, axis=1)[:, ::HOP]
    waves = np.exp(-2j * np.pi * np.outer(np.arange(FRAME), np.arange(BINS)) / FRAME)
    waves *= np.hanning(FRAME + 1)[:-1, None]
    # A product with a quarter of the Fourier matrix: only the lowest bins are wanted.
    real, imaginary = (frames @ part.astype(np.float32) for part in (waves.real, waves.imag))
    power = np.maximum(real**2 + imaginary**2, LEAST**2)
    return np.asarray(np.log(power) / 2, dtype=np.float32).transpose(0, 2, 1)


def formant_splits(seed: int) -> Splits:
    """Clips of one instance as spectra of mean 0 and deviation 1 over the training clips."""
    generator = np.random.default_rng([seed, 0x666F])
    formants = draw_formants(generator)
    labels = generator.integers(0, CLASSES, size=sum(CLIPS))
    spectra = log_spectra(voices(formants[labels], generator))
    train = spectra[: CLIPS[0]]
    spectra = np.ascontiguousarray((spectra - train.mean()) / train.std())
    a, b = CLIPS[0], CLIPS[0] + CLIPS[1]
    return Splits(
        train={"x": spectra[:a], "y": labels[:a]},
        validation={"x": spectra[a:b], "y": labels[a:b]},
        test_inputs={"x": spectra[b:]},
        test_labels={"y": labels[b:]},
    )
