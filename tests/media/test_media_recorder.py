"""A recording holds both sides, in step, whatever the order they arrive in."""

import threading
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gateway.media.recorder import Recorder, Recording

FRAME = 160


def pcm(value: int, frames: int = 1) -> bytes:
    return np.full(FRAME * frames, value, np.int16).tobytes()


def read(path: Path) -> tuple[NDArray[np.int16], int]:
    with wave.open(str(path)) as file:
        assert file.getnchannels() == 2
        data = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        return data.reshape(-1, 2), file.getframerate()


def record(path: Path, frames: list[tuple[bytes, bytes]]) -> str:
    problems: list[str] = []
    recorder = Recorder()
    recording = recorder.start(str(path), 8000, lambda _, problem: problems.append(problem))
    for left, right in frames:
        recorder.write(recording, left, right)
    recorder.stop(recording)
    recorder.close()
    (problem,) = problems
    return problem


def test_the_caller_is_on_the_left_and_the_gateway_on_the_right(tmp_path: Path) -> None:
    assert record(tmp_path / "call.wav", [(pcm(1), pcm(2)), (pcm(3), pcm(4))]) == ""
    sound, rate = read(tmp_path / "call.wav")
    assert rate == 8000
    assert sound[:: FRAME // 2].tolist() == [[1, 2], [1, 2], [3, 4], [3, 4]]


def test_a_side_that_comes_in_bursts_is_not_shifted(tmp_path: Path) -> None:
    record(tmp_path / "call.wav", [(b"", pcm(1)), (b"", pcm(2)), (pcm(7, 2), b"")])
    sound, _ = read(tmp_path / "call.wav")
    assert sound[::FRAME].tolist() == [[7, 1], [7, 2]]


def test_a_side_that_stays_away_is_silence(tmp_path: Path) -> None:
    record(tmp_path / "call.wav", [(b"", pcm(5)) for _ in range(30)])
    sound, _ = read(tmp_path / "call.wav")
    assert len(sound) == 30 * FRAME
    assert not sound[:, 0].any()
    assert (sound[:, 1] == 5).all()


def test_a_file_that_cannot_be_written_is_told_and_harms_nobody(tmp_path: Path) -> None:
    problem = record(tmp_path / "no such folder" / "call.wav", [(pcm(1), pcm(2))])
    assert problem == "No such file or directory"


def test_that_it_cannot_be_written_is_told_at_once_and_once(tmp_path: Path) -> None:
    recorder, problems = Recorder(), list[tuple[bool, str]]()
    told = threading.Event()

    def done(recording: Recording, problem: str) -> None:
        problems.append((recording.has_file, problem))
        told.set()

    recording = recorder.start(str(tmp_path / "no such folder" / "call.wav"), 8000, done)
    assert told.wait(10), "the call goes on"
    recorder.write(recording, pcm(1), pcm(2))
    recorder.stop(recording)
    recorder.close()
    assert problems == [(False, "No such file or directory")]


def test_two_recordings_do_not_mix(tmp_path: Path) -> None:
    recorder = Recorder()
    ended: list[Recording] = []
    both = [
        recorder.start(str(tmp_path / name), 8000, lambda r, _: ended.append(r)) for name in "ab"
    ]
    for recording, value in zip(both, (1, 2), strict=True):
        recorder.write(recording, pcm(value), pcm(value))
        recorder.stop(recording)
    recorder.close()
    assert ended == both
    assert read(tmp_path / "b")[0].tolist() == [[2, 2]] * FRAME
