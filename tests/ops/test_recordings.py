"""Recordings are found by their calls, and heard for how loud they are."""

import asyncio
import threading
import wave
from pathlib import Path

import numpy as np
import pytest
from call_record import event, record_of

from gateway.ops import recordings as module
from gateway.ops.recordings import Recordings
from gateway.ops.records.redaction import Redactor
from gateway.ops.story import told_of

RATE = 8000


def write(path: Path, *, seconds: float = 2.0, left: int = 12_800, right: int = 0) -> Path:
    """Write a recording whose sides are loud from its first second on."""
    sound = np.zeros((round(seconds * RATE), 2), np.int16)
    sound[RATE:, 0], sound[RATE:, 1] = left, right
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, RATE, 0, "NONE", ""))
        file.writeframes(sound.tobytes())
    return path


async def test_both_sides_are_heard_where_they_were(tmp_path: Path) -> None:
    write(tmp_path / "c1.wav", right=25_600)
    told = told_of(record_of(event(0, "call.started"), takes=[3.0]))
    sounds, takes = await Recordings(tmp_path).listen(told)
    (take,) = takes
    assert (take.number, take.start, take.end) == (1, 3, 5)
    caller, agent = np.array(sounds["caller"].peaks), np.array(sounds["agent"].peaks)
    assert sounds["caller"].step == 0.05
    assert set(caller[:80]) == {0}  # until three seconds and the recording's first one
    assert set(caller[80:100]) == {100}
    assert set(agent[80:100]) == {200}
    assert set(caller[100:]) == {0}


async def test_what_was_begun_again_is_another_take(tmp_path: Path) -> None:
    write(tmp_path / "c1.wav", seconds=1.5)
    write(tmp_path / "c1-2.wav", seconds=1.5)
    told = told_of(record_of(event(0, "call.started"), takes=[1.0, 6.0]))
    _, takes = await Recordings(tmp_path).listen(told)
    assert [(take.number, take.start) for take in takes] == [(1, 1), (2, 6)]


async def test_a_long_call_has_no_more_values_than_a_short_one_by_far(tmp_path: Path) -> None:
    write(tmp_path / "c1.wav")
    told = told_of(record_of(takes=[0.0], duration=7200.0))
    sounds, _ = await Recordings(tmp_path).listen(told)
    assert len(sounds["caller"].peaks) <= 20_000
    assert sounds["caller"].step * len(sounds["caller"].peaks) == pytest.approx(7200, abs=1)


async def test_a_call_that_goes_on_is_not_listened_to(tmp_path: Path) -> None:
    write(tmp_path / "c1.wav")
    told = told_of(record_of(takes=[0.0], ended_by=None, state="talking"))
    assert await Recordings(tmp_path).listen(told) == ({}, [])


@pytest.mark.parametrize("content", [b"", b"RIFF", b"no sound at all" * 100])
async def test_a_file_that_is_no_sound_is_no_recording(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "c1.wav").write_bytes(content)
    told = told_of(record_of(takes=[0.0]))
    assert await Recordings(tmp_path).listen(told) == ({}, [])


def test_a_path_is_of_a_call_alone(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    write(tmp_path / "secret.wav")
    mine = write(folder / "c1.wav")
    recordings = Recordings(folder)
    assert recordings.path("c1") == mine
    for name in ("../secret", "c1.wav", "", ".", "c1/../../secret", "c1\0", "c" * 200):
        assert recordings.path(name) is None
    for number in (0, -1, 2, 10**9):
        assert recordings.path("c1", number) is None
    assert Recordings(None).path("c1") is None


async def test_a_file_is_listened_to_once_for_all_who_ask_on_a_thread_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "c1.wav")
    threads: list[str] = []
    listen = module._listen_to

    def noted(path: Path) -> module._Loudness:
        threads.append(threading.current_thread().name)
        return listen(path)

    monkeypatch.setattr(module, "_listen_to", noted)
    recordings, told = Recordings(tmp_path), told_of(record_of(takes=[0.0]))
    heard = await asyncio.gather(*(recordings.listen(told) for _ in range(12)))
    assert threads == ["recordings_0"]
    assert all(one == heard[0] for one in heard)
    write(path, seconds=3.0)
    _, (take,) = await recordings.listen(told)
    assert (take.end, len(threads)) == (3.0, 2), "another file is another recording"


async def test_what_comes_before_a_fault_of_a_file_is_heard(tmp_path: Path) -> None:
    path = write(tmp_path / "c1.wav", seconds=4.0)
    path.write_bytes(path.read_bytes()[: 44 + 3 * RATE * 4])
    _, (take,) = await Recordings(tmp_path).listen(told_of(record_of(takes=[0.0])))
    assert take.end == 3.0


async def test_a_recording_is_told_of_where_no_timeline_is_kept(tmp_path: Path) -> None:
    write(tmp_path / "c1.wav")
    kept = Redactor(("timeline",)).record(record_of(takes=[2.5])) | {"timeline": []}
    _, (take,) = await Recordings(tmp_path).listen(told_of(kept))
    assert (take.start, take.end) == (2.5, 4.5)
