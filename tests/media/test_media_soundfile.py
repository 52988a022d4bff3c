"""What is written is what is read again, in both formats; cut off anywhere, all up to the cut."""

import os
import shutil
import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.media.recorder import Recorder
from gateway.media.soundfile import WavFile, create
from gateway.testing.hearing import active, tone_share
from gateway.testing.media import tone
from gateway.testing.sound import read_recording

FORMATS = pytest.mark.parametrize("name", ["call.wav", "call.opus"])
RATES = pytest.mark.parametrize("rate", [8000, 24000])
PIECE = 0.5  # seconds that are written at once


def write(path: Path, both: NDArray[np.int16], rate: int, *, is_left_open: bool = False) -> None:
    file = create(str(path), rate)
    size = int(PIECE * rate)
    for start in range(0, len(both), size):
        file.write(both[start : start + size])
    if not is_left_open:
        file.close()
        return
    shutil.copy(path, path.with_stem("cut"))
    file.close()


def bursts(seconds: int, rate: int) -> NDArray[np.int16]:
    """A tone on the left at every third second, on the right at the seconds that follow."""
    both = np.zeros((seconds * rate, 2), np.int16)
    for second in range(seconds):
        if second % 3 < 2:
            sound = tone((1037.0, 611.0)[second % 3], 1.0, rate)
            both[second * rate : (second + 1) * rate, second % 3] = sound
    return both


def spans(side: NDArray[np.int16], rate: int) -> list[tuple[float, float]]:
    """Return from when to when there is sound on one side, in seconds."""
    loud = np.flatnonzero(np.diff(np.concatenate(([0], active(side, rate, 1000.0), [0]))))
    return [(a * 0.005, b * 0.005) for a, b in loud.reshape(-1, 2).tolist()]


@FORMATS
@RATES
def test_sound_is_at_its_place_on_its_side(tmp_path: Path, name: str, rate: int) -> None:
    write(tmp_path / name, bursts(10, rate), rate)
    played = read_recording(tmp_path / name)
    sound, played_at = played.sides, played.rate
    assert sound.shape[1] == 10 * played_at
    left, right = (spans(side, played_at) for side in sound)
    assert left == [pytest.approx((n, n + 1), abs=0.02) for n in (0, 3, 6, 9)]
    assert right == [pytest.approx((n, n + 1), abs=0.02) for n in (1, 4, 7)]
    second = slice(3 * played_at + 1000, 4 * played_at - 1000)
    assert tone_share(sound[0, second], 1037.0, played_at) > 0.95
    quiet = np.abs(sound[1, second]).max()
    assert quiet < 0.01 * np.abs(sound[0, second]).max()


@FORMATS
@pytest.mark.parametrize("seconds", [1, 4, 7])
def test_a_file_is_whole_though_its_writer_was_killed(
    tmp_path: Path, name: str, seconds: int
) -> None:
    write(tmp_path / name, bursts(seconds, 24000), 24000, is_left_open=True)
    played = read_recording((tmp_path / name).with_stem("cut"))
    assert seconds - 1.0 < played.sides.shape[1] / played.rate <= seconds
    assert spans(played.sides[0], played.rate)[0][0] == pytest.approx(0.0, abs=0.02)


def test_a_wav_is_told_the_length_that_others_read(tmp_path: Path) -> None:
    write(tmp_path / "call.wav", bursts(2, 8000), 8000, is_left_open=True)
    for path in (tmp_path / "call.wav", tmp_path / "cut.wav"):
        with wave.open(str(path)) as file:
            assert file.getparams()[:4] == (2, 2, 8000, 16000)
            assert len(file.readframes(99999)) == 16000 * 4


def test_a_wav_of_more_than_its_header_can_tell_says_as_much_as_it_can(tmp_path: Path) -> None:
    file = WavFile(str(tmp_path / "call.wav"), 24000)
    os.truncate(tmp_path / "call.wav", 5 << 30)  # sparse
    file.write(np.zeros((1, 2), np.int16))
    file.close()
    with wave.open(str(tmp_path / "call.wav")) as read_again:
        assert read_again.getnframes() > 12 * 3600 * 24000 * 0.98


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full disk to write")
@pytest.mark.parametrize("name", ["full.wav", "full.opus"])
def test_a_full_disk_is_told_and_the_other_recording_goes_on(tmp_path: Path, name: str) -> None:
    (tmp_path / name).symlink_to("/dev/full")
    problems: dict[str, str] = {}
    recorder = Recorder()
    for path in (tmp_path / name, tmp_path / f"good-{name}"):
        recording = recorder.start(
            str(path), 8000, lambda ended, why: problems.update({ended.path: why})
        )
        for _ in range(4):
            recorder.write(recording, *([tone(1037.0, PIECE, 8000).tobytes()] * 2))
        recorder.stop(recording)
    recorder.close()
    full, good = problems.values()
    assert "No space left" in full
    assert good == ""
    played = read_recording(tmp_path / f"good-{name}")
    assert played.sides.shape[1] == 4 * PIECE * played.rate


@pytest.mark.parametrize("name", ["call.wav", "call.opus", "rtmp:call.opus"])
def test_a_name_is_the_name_of_a_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(OSError, match="No such file"):
        create(str(tmp_path / "no such folder" / name), 24000)
    write(tmp_path / name, bursts(1, 24000), 24000)
    assert [path.name for path in tmp_path.iterdir()] == [name]
