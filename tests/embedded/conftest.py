"""A session of the embedded service, its agent, and somebody who speaks."""

from importlib import resources

import numpy as np
import pytest
from rote_agent import Fake
from voicecodecs.resample import StreamResampler

from gateway.embedded.speech.phrases import read_wav
from gateway.testing.service_client import ServiceClient


@pytest.fixture
def agent() -> Fake:
    return Fake()


@pytest.fixture
def client(agent: Fake) -> ServiceClient:
    client = ServiceClient(lambda: agent, words=iter(["sales"] * 9), speech_ms=200)
    assert client.take() == ["session.created"]
    return client


@pytest.fixture(scope="module")
def speech() -> bytes:
    """Somebody saying one word amid silence: 24 kHz PCM."""
    folder = resources.files("gateway.embedded") / "voice" / "caller"
    pcm, rate = read_wav(folder / "sales.wav")
    wide = pcm if rate == 24000 else StreamResampler(rate, 24000).process(pcm)
    noise = np.random.default_rng(1).normal(0, 8, 24000).astype(np.int16)
    return np.concatenate([noise, wide, noise]).tobytes()
