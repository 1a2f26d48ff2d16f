"""Speech Commands: the published lists decide, and every recording is a second of one kind."""

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.api import DataFault, DataMissing
from tests.workloads.data.originals import sound, speech_commands
from workloads.data import speech_commands as module
from workloads.data.speech_commands import SILENCE, SPEECH_COMMANDS, UNKNOWN, read, read_wave


def gathered(folder: Path) -> dict[str, np.ndarray]:
    result: dict[str, list[np.ndarray]] = {}
    for name, rows in read(folder):
        result.setdefault(name, []).append(rows)
    return {name: np.concatenate(pieces) for name, pieces in result.items()}


def pitch_hz(samples: np.ndarray) -> float:
    return float(np.abs(np.fft.rfft(samples.astype(float), 16_000)).argmax())


def test_lists_decide_and_tones_keep_their_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 7)
    arrays = gathered(speech_commands(tmp_path))
    assert np.bincount(arrays["train/y"]).tolist() == [4] * 10 + [4, 4]
    assert np.bincount(arrays["labels/y"]).tolist() == [1] * 12
    for group in ("train", "validation"):
        spoken = arrays[f"{group}/y"] < SILENCE
        for samples, label in zip(
            arrays[f"{group}/x"][spoken], arrays[f"{group}/y"][spoken], strict=True
        ):
            assert pitch_hz(samples) == pytest.approx(200 * (label + 2), abs=1)
    assert arrays["train/x"].dtype == np.int16
    assert arrays["train/x"].shape[1] == 16_000
    # The speaker's number was added to the tone: no speaker is in both training and test.
    spoken = arrays["labels/y"] < SILENCE
    assert set(np.round(arrays["inputs/x"][spoken][:, :14_400].mean(axis=1))) == {5.0}


def test_short_recordings_are_followed_by_zeros(tmp_path: Path) -> None:
    arrays = gathered(speech_commands(tmp_path))
    spoken = arrays["train/y"] <= UNKNOWN
    assert not arrays["train/x"][spoken][:, 15_000:].any()
    assert arrays["train/x"][~spoken].any(axis=1).all()


def test_the_same_folder_gives_the_same_arrays(tmp_path: Path) -> None:
    first, second = gathered(speech_commands(tmp_path)), gathered(tmp_path)
    assert all(np.array_equal(first[name], second[name]) for name in first)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def stereo(path: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(400))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (cut, "samples where its header says"),
        (lambda path: path.write_bytes(b"RIFF"), "no WAV file that can be read"),
        (lambda path: sound(path, np.zeros(90), 8_000), "8000 Hz"),
        (stereo, "2 channels"),
        (lambda path: sound(path, np.zeros(0)), "0 samples"),
    ],
)
def test_damage_is_reported_by_file(
    tmp_path: Path, damage: Callable[[Path], object], says: str
) -> None:
    path = tmp_path / "a.wav"
    sound(path, np.ones(100))
    assert len(read_wave(path)) == 100
    damage(path)
    with pytest.raises(DataFault, match=rf"a\.wav: .*{says}"):
        read_wave(path)


def test_more_than_a_second_is_refused(tmp_path: Path) -> None:
    sound(speech_commands(tmp_path) / "yes" / "1_nohash_0.wav", np.ones(16_001))
    with pytest.raises(DataFault, match=r"1_nohash_0\.wav: 16001 samples, more than one second"):
        gathered(tmp_path)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("testing_list.txt", r"testing_list\.txt: missing"),
        ("off/5_nohash_0.wav", "missing, though a list names it"),
        ("_background_noise_/pink_noise.wav", "no recordings of at least a second"),
    ],
)
def test_a_missing_file_says_how_to_get_it(tmp_path: Path, name: str, says: str) -> None:
    (speech_commands(tmp_path) / name).unlink()
    with pytest.raises(DataMissing, match=rf"{says}.*download\.tensorflow\.org"):
        gathered(tmp_path)


def test_an_empty_class_is_refused(tmp_path: Path) -> None:
    for path in (speech_commands(tmp_path) / "stop").glob("[0-3]_*"):
        path.unlink()
    with pytest.raises(DataFault, match="no utterance of stop"):
        gathered(tmp_path)


def test_the_published_lists_tell_the_whole_set(tmp_path: Path) -> None:
    folder = speech_commands(tmp_path / "originals")
    with pytest.raises(DataFault, match=r"11005 in testing_list\.txt, not 11"):
        SPEECH_COMMANDS.prepare(folder, tmp_path / "root")
    assert SPEECH_COMMANDS.prepare(folder, tmp_path / "root", partial=True)["partial"] is True
