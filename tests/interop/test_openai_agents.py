"""`@openai/agents`, OpenAI's own agent library for JavaScript, talks to the embedded service."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from judges import AGENTS, NODE
from voicecodecs.resample import StreamResampler

from gateway.embedded.server import EmbeddedService
from gateway.embedded.speech.phrases import read_wav
from gateway.embedded.speech.recognise import load_recogniser

openai = pytest.importorskip("openai", reason="the openai SDK is not installed")

pytestmark = pytest.mark.interop

LIMIT = 60.0
SCRIPTS = Path(__file__).parent / "agents"

# Events of the protocol that this version of the library has no schema for.
UNREAD = {"conversation.item.created", "input_audio_buffer.dtmf_event_received"}


@pytest.fixture
async def service() -> AsyncIterator[EmbeddedService]:
    service = EmbeddedService("127.0.0.1", 0, key="sk-test")
    await service.start()
    yield service
    await service.close()


@pytest.fixture
def caller(tmp_path: Path) -> Path:
    """Somebody who says "sales" amid silence: 24 kHz PCM."""
    pcm, rate = read_wav(resources.files("gateway.embedded") / "voice" / "caller" / "sales.wav")
    speech = StreamResampler(rate, 24000).process(pcm)
    silence = np.zeros(24000, np.int16)
    path = tmp_path / "caller.pcm"
    path.write_bytes(np.concatenate([silence[:12000], speech, silence]).tobytes())
    return path


async def run(script: str, *arguments: str) -> tuple[int | None, str, str]:
    """Run a script to its end; returns its exit code and what it said."""
    process = await asyncio.create_subprocess_exec(
        NODE,
        SCRIPTS / script,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "AGENTS_HOME": str(AGENTS.need())},
    )
    try:
        async with asyncio.timeout(LIMIT):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, out.decode(), err.decode()


async def judged(script: str, *arguments: str) -> dict[str, Any]:
    """Run a script that must succeed; returns its report."""
    code, out, err = await run(script, *arguments)
    assert code == 0, err[-2000:]
    report: dict[str, Any] = json.loads(out)
    return report


async def test_an_agent_over_a_websocket_greets_is_interrupted_and_hangs_up(
    service: EmbeddedService, caller: Path
) -> None:
    report = await judged("websocket.mjs", service.url, "sk-test", str(caller))
    assert report["errors"] == []
    assert set(report["unread"]) <= UNREAD
    assert report["audioBytes"] > 48000
    assert report["interruptions"] >= 1
    assert report["tools"] == [["hang_up", {}]]
    said = [words for role, words in report["history"] if role == "assistant"]
    assert any("Goodbye" in words for words in said)
    heard = [words for role, words in report["history"] if role == "user"]
    assert heard[0] == ("sales" if load_recogniser() else "")
    assert any("reached sales" in words for words in said) == bool(heard[0])
    assert report["usage"]["outputTokens"] > 0


async def test_an_agent_over_webrtc_greets_is_interrupted_and_hangs_up(
    service: EmbeddedService, caller: Path
) -> None:
    base = service.url.replace("ws:", "http:")
    async with openai.AsyncOpenAI(
        api_key="sk-test", base_url=base.removesuffix("/realtime"), max_retries=0
    ) as client:
        secret = await client.realtime.client_secrets.create(session={"type": "realtime"})
    report = await judged("webrtc.mjs", f"{base}/calls", secret.value, str(caller))
    assert report["errors"] == []
    assert set(report["unread"]) <= UNREAD
    assert report["callId"].startswith("rtc_")
    assert 0 < report["greetedMs"] <= report["heardMs"] + 200
    assert report["answeredMs"] > 2000
    assert report["tools"] == [["hang_up", {}]]
    assert "response.output_audio.delta" not in report["frames"]
    said = [words for role, words in report["history"] if role == "assistant"]
    heard = [words for role, words in report["history"] if role == "user"]
    assert "Goodbye" in said[-1]
    assert heard[0] == ("sales" if load_recogniser() else "")
    assert any("reached sales" in words for words in said) == bool(heard[0])


async def test_an_agent_with_a_wrong_key_is_not_let_in(
    service: EmbeddedService, caller: Path
) -> None:
    code, out, err = await run("websocket.mjs", service.url, "sk-wrong", str(caller))
    assert (code, out) == (1, "")
    assert "401" in err
