from importlib import resources
from typing import TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray
from voicecodecs.resample import StreamResampler

from gateway.embedded.speech.phrases import read_wav
from gateway.embedded.speech.vad import SpeechEvent, SpeechStart, SpeechStop, Vad, VadSettings

Pcm: TypeAlias = NDArray[np.int16]

RATE = 24000
FOLDER = resources.files("gateway.embedded") / "voice" / "caller"
LINES = ["sales", "support", "yes-please", "wait-hold-on-a-second-please"]


@pytest.fixture(params=["webrtcvad", "energy"], autouse=True)
def classifier(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Everything holds with the classifier and, in clean audio, without it."""
    if request.param == "energy":
        monkeypatch.setattr("gateway.embedded.speech.vad.webrtcvad", None)
    else:
        pytest.importorskip("webrtcvad", reason="pip install 'voice-gateway[local]'")
    return str(request.param)


def line(name: str, rate: int = RATE) -> Pcm:
    pcm, from_rate = read_wav(FOLDER / f"{name}.wav")
    return pcm if rate == from_rate else StreamResampler(from_rate, rate).process(pcm)


def ms(pcm: Pcm, rate: int = RATE) -> int:
    return len(pcm) * 1000 // rate


def quiet(duration_ms: int, rate: int = RATE) -> Pcm:
    return np.zeros(rate * duration_ms // 1000, np.int16)


def noisy(pcm: Pcm, deviation: float) -> Pcm:
    noise = np.random.default_rng(7).normal(0, deviation, len(pcm))
    return np.clip(pcm + noise, -32768, 32767).astype(np.int16)


def listen(vad: Vad, pcm: Pcm, frame: int = 480) -> list[tuple[SpeechEvent, int]]:
    """Return each event with the clock at which it was told."""
    told = []
    for start in range(0, len(pcm), frame):
        told += [(event, vad.clock_ms) for event in vad.process(pcm[start : start + frame])]
    return told


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("deviation", [0, 30, 300])
def test_a_line_is_one_turn_found_soon_and_ended_after_its_silence(
    name: str, deviation: float
) -> None:
    speech = line(name)
    audio = noisy(np.concatenate([quiet(2000), speech, quiet(1500)]), deviation)
    told = listen(Vad(RATE), audio)
    assert [type(event) for event, _ in told] == [SpeechStart, SpeechStop]
    (start, start_told), (stop, stop_told) = told
    loud = np.flatnonzero(np.abs(speech.astype(int)) > 700) * 1000 // RATE
    first, last = 2000 + loud[0], 2000 + loud[-1]
    late = 200 if deviation < 300 else 450  # a soft consonant drowns in noise
    assert first - 400 <= start.at_ms <= first + late - 420
    assert start_told <= first + late
    assert last - 200 <= stop.at_ms - 500 <= last + 200
    assert stop_told == stop.at_ms


@pytest.mark.parametrize("deviation", [3, 30, 300, 1000])
def test_steady_noise_from_the_first_sample_is_not_speech(deviation: float) -> None:
    assert listen(Vad(RATE), noisy(quiet(4000), deviation)) == []


def test_a_step_in_the_noise_is_not_speech(classifier: str) -> None:
    if classifier == "energy":
        pytest.skip("level alone cannot tell a louder line from a voice")
    audio = np.concatenate([quiet(2000), noisy(quiet(3000), 300)])
    assert listen(Vad(RATE), audio) == []


def test_a_click_is_not_speech() -> None:
    audio = quiet(2000)
    audio[24000:24960] = 12000
    assert listen(Vad(RATE), audio) == []


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000])
def test_every_rate_finds_the_same_turn(rate: int) -> None:
    audio = np.concatenate([quiet(1000, rate), line("support", rate), quiet(1000, rate)])
    told = listen(Vad(rate), audio, rate // 50)
    assert [type(event) for event, _ in told] == [SpeechStart, SpeechStop]
    assert 1200 <= told[0][1] <= 1460


def test_the_size_of_the_pieces_makes_no_difference() -> None:
    audio = np.concatenate([quiet(1000), line("sales"), quiet(1000), line("support"), quiet(800)])
    by_frame = [event for event, _ in listen(Vad(RATE), audio)]
    assert len(by_frame) == 4
    for size in (77, 1001, len(audio)):
        assert [event for event, _ in listen(Vad(RATE), audio, size)] == by_frame


def test_settings_say_how_much_belongs_to_a_turn() -> None:
    audio = np.concatenate([quiet(2000), line("sales"), quiet(2000)])
    plain = [event.at_ms for event, _ in listen(Vad(RATE), audio)]
    wide = Vad(RATE, VadSettings(prefix_ms=700, silence_ms=1200))
    assert [event.at_ms for event, _ in listen(wide, audio)] == [plain[0] - 400, plain[1] + 700]


def test_a_turn_never_reaches_back_into_the_one_before() -> None:
    speech = line("sales")
    audio = np.concatenate([quiet(500), speech, quiet(450), speech, quiet(1000)])
    settings = VadSettings(prefix_ms=2000, silence_ms=200)
    events = [event for event, _ in listen(Vad(RATE, settings), audio)]
    assert events[0].at_ms == 0
    assert events[2].at_ms == events[1].at_ms


def test_a_higher_threshold_wants_a_voice_that_stands_out_more() -> None:
    soft = (line("support") // 15).astype(np.int16)
    audio = noisy(np.concatenate([quiet(2000), soft, quiet(1500)]), 60)
    assert listen(Vad(RATE, VadSettings(threshold=0.1)), audio)
    assert not listen(Vad(RATE, VadSettings(threshold=1.0)), audio)


def test_clearing_forgets_the_turn_but_not_the_time() -> None:
    vad = Vad(RATE)
    audio = np.concatenate([quiet(1000), line("support")])
    assert len(listen(vad, audio)) == 1
    clock = vad.clock_ms
    vad.reset()
    assert not vad.is_speaking
    assert listen(vad, quiet(1000)) == []
    assert vad.clock_ms == clock + 1000
