"""A call's story, its recording and its picture over HTTP, and drawn from the command line."""

import asyncio
import json
import wave
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import ClientSession
from peers import free_port

from gateway.cli import run
from gateway.http import Access, HttpServer, Keyring, Role, StoryDoor
from gateway.http import story as door
from gateway.media.soundfile import create
from gateway.ops.recordings import Recordings
from gateway.ops.stories import Stage, Stories

RECORD = Path(__file__).parents[1] / "ops" / "data" / "call.json"
SECONDS = 24
KEYRING = Keyring([], b"key")

pytestmark = pytest.mark.interop


@dataclass
class Records:
    known: dict[str, dict[str, Any]]

    async def stage(self, call_id: str) -> Stage:
        if call_id not in self.known:
            return ""
        return "over" if self.known[call_id]["ended_by"] else "live"

    async def get(self, call_id: str) -> dict[str, Any] | None:
        return self.known.get(call_id)


@pytest.fixture
def records() -> dict[str, dict[str, Any]]:
    record = json.loads(RECORD.read_text("utf-8"))
    live = record | {"call_id": "live", "ended_by": None, "state": "talking"}
    return {"over": record | {"call_id": "over"}, "live": live, "mute": record}


@pytest.fixture
async def http(records: dict[str, dict[str, Any]], tmp_path: Path) -> AsyncIterator[ClientSession]:
    for name in ("over", "live", "secret"):
        with wave.open(str(tmp_path / f"{name}.wav"), "wb") as file:
            file.setparams((2, 2, 8000, 0, "NONE", ""))
            file.writeframes(b"\0\x20" * 2 * 8000 * SECONDS)

    access = Access(KEYRING, is_open_here=True)
    stories = Stories(Records(records), Recordings(tmp_path))
    server = HttpServer([StoryDoor(stories)], host="127.0.0.1", port=0, access=access)
    await server.start()
    async with ClientSession(server.url) as session:
        yield session
    await server.close()
    stories.close()


async def test_a_story_is_told_with_what_the_recording_sounds_like(http: ClientSession) -> None:
    async with http.get("/v1/calls/over/story") as answer:
        assert (answer.status, answer.content_type) == (200, "application/json")
        story = await answer.json()
    assert [take["number"] for take in story["takes"]] == [1]
    caller = story["lanes"][0]
    assert (caller["name"], max(caller["sound"]["peaks"])) == ("caller", 64)
    assert story["interruptions"][1]["by"] == "speech"


async def test_a_story_of_a_call_in_progress_says_so_and_offers_no_recording(
    http: ClientSession,
) -> None:
    async with http.get("/v1/calls/live/story") as answer:
        story = await answer.json()
    assert (story["is_live"], story["takes"]) == (True, [])
    async with http.get("/v1/calls/live/recording") as answer:
        assert answer.status == 404
        assert "goes on" in (await answer.json())["detail"]


async def test_a_recording_is_played_from_any_point(http: ClientSession) -> None:
    size = 44 + 4 * 8000 * SECONDS
    async with http.get("/v1/calls/over/recording") as answer:
        assert (answer.status, answer.content_type) == (200, "audio/wav")
        whole = await answer.read()
    assert len(whole) == size
    wanted = {"Range": "bytes=100000-100999"}
    async with http.get("/v1/calls/over/recording", headers=wanted) as answer:
        assert answer.status == 206
        assert answer.headers["Content-Range"] == f"bytes 100000-100999/{size}"
        assert await answer.read() == whole[100_000:101_000]
    async with http.get("/v1/calls/over/recording", headers={"Range": "bytes=-44"}) as answer:
        assert await answer.read() == whole[-44:]
    beyond = {"Range": f"bytes={size}-"}
    async with http.get("/v1/calls/over/recording", headers=beyond) as answer:
        assert (answer.status, answer.content_type) == (416, "application/problem+json")
        assert answer.headers["Content-Range"] == f"bytes */{size}"


@pytest.mark.parametrize(
    "wanted",
    [
        "bytes=5-2",
        "bytes=-",
        "bytes=",
        "bytes=a-b",
        "seconds=0-1",
        "bytes=0-1,5-6",
        "0-1",
        "bytes 0-1",
    ],
)
async def test_a_range_that_is_none_or_several_gets_the_whole(
    http: ClientSession, wanted: str
) -> None:
    async with http.get("/v1/calls/over/recording", headers={"Range": wanted}) as answer:
        assert (answer.status, answer.headers.get("Content-Range")) == (200, None)
        assert len(await answer.read()) == 44 + 4 * 8000 * SECONDS
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("none/story", 404),
        ("none/recording", 404),
        ("none/picture.png", 404),
        ("mute/recording", 404),
        ("over/recording?take=2", 404),
        ("over/recording?take=-1", 404),
        ("over/recording?take=x", 400),
        ("over/picture.png?theme=pink", 400),
        ("..%2Fsecret/recording", 404),
        ("secret/recording", 404),
        ("secret.wav/recording", 404),
    ],
)
async def test_what_there_is_not_is_refused_in_words(
    http: ClientSession, path: str, status: int
) -> None:
    async with http.get(f"/v1/calls/{path}") as answer:
        assert answer.status == status
        assert answer.content_type == "application/problem+json"


async def test_a_recording_in_opus_is_told_and_played_like_any_other(
    http: ClientSession, tmp_path: Path
) -> None:
    (tmp_path / "over.wav").unlink()
    file = create(str(tmp_path / "over.opus"), 8000)
    file.write(np.full((8000 * 3, 2), 9000, np.int16))
    file.close()
    async with http.get("/v1/calls/over/story") as answer:
        story = await answer.json()
    (take,) = story["takes"]
    assert take["end"] - take["start"] == pytest.approx(3.0, abs=0.1)
    async with http.get("/v1/calls/over/recording") as answer:
        assert (answer.status, answer.content_type) == (200, "audio/ogg")
        assert (await answer.read()).startswith(b"OggS")


async def test_a_caller_may_look_at_none_of_it(http: ClientSession) -> None:
    token = KEYRING.make("somebody", Role.CALLER, 4_000_000_000)
    headers = {"Authorization": f"Bearer {token}"}
    for part in ("story", "recording", "picture.png"):
        async with http.get(f"/v1/calls/over/{part}", headers=headers) as answer:
            assert answer.status == 403


async def test_a_picture_is_drawn_where_there_is_something_to_draw_with(
    http: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with http.get("/v1/calls/over/picture.png?theme=dark") as answer:
        assert (answer.status, answer.content_type) == (200, "image/png")
        assert (await answer.read()).startswith(b"\x89PNG")
    monkeypatch.setattr(door, "is_drawable", lambda: False)
    async with http.get("/v1/calls/over/picture.png") as answer:
        assert answer.status == 501
        assert "pip install 'voice-gateway[report]'" in (await answer.json())["detail"]


async def test_the_command_line_draws_what_a_running_gateway_tells(
    http: ClientSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, picture = str(http._base_url), tmp_path / "call.png"
    order = ["report", "over", "-o", str(picture), "--url", url]
    assert await asyncio.to_thread(run, order) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert await asyncio.to_thread(run, ["report", "none", "--url", url]) == 1
    assert "there is no call 'none'" in capsys.readouterr().err


async def test_a_token_that_is_asked_for_is_taken_from_the_environment(
    http: ClientSession, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GATEWAY_TOKEN", "nobody's")
    order = ["report", "over", "--url", str(http._base_url)]
    assert await asyncio.to_thread(run, order) == 1
    assert "export a viewer's token as GATEWAY_TOKEN" in capsys.readouterr().err


def test_a_gateway_that_does_not_run_is_said_in_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["report", "abc", "--url", f"http://127.0.0.1:{free_port()}/"]) == 1
    assert "it does not answer" in capsys.readouterr().err
