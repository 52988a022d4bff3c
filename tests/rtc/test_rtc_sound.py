"""Sound to packets and back: what is coded, what is put in order, and what is made up."""

import numpy as np
import pytest
from numpy.typing import NDArray
from voicecodecs.g711 import decode_ulaw, encode_ulaw
from voicecodecs.libopus import is_present

from gateway.errors import RtcError
from gateway.rtc.sound import AudioFormat, Decoder, Encoder
from gateway.rtp.packet import RtpPacket
from gateway.testing.hearing import tone_share
from gateway.testing.media import tone

CODECS = {111: "opus", 0: "PCMU", 8: "PCMA"}
PIECE = 0.020


def packets(encoder: Encoder, sound: bytes, *, first: int = 65_530) -> list[RtpPacket]:
    """Return the packets of a sound, numbered across the wrap."""
    return [
        RtpPacket(
            encoder.payload_type, (first + n) & 0xFFFF, n * encoder.samples, 7, payload, n == 0
        )
        for n, payload in enumerate(encoder.encode(sound))
    ]


def pcm(sound: bytes) -> NDArray[np.int16]:
    return np.frombuffer(sound, "<i2")


@pytest.mark.parametrize(
    ("audio_format", "codecs", "chosen"),
    [
        ("audio/pcm", CODECS, 111),
        ("audio/pcm", {0: "PCMU"}, 0),
        ("audio/pcmu", CODECS, 0),
        ("audio/pcma", CODECS, 8),
        ("audio/pcma", {111: "opus", 0: "PCMU"}, 0),
        ("audio/pcma", {96: "opus"}, 96),
    ],
)
def test_the_codec_that_changes_the_sound_least_is_chosen(
    audio_format: AudioFormat, codecs: dict[int, str], chosen: int
) -> None:
    assert Encoder(audio_format, codecs).payload_type == chosen


def test_nothing_in_common_is_an_error() -> None:
    with pytest.raises(RtcError, match="no codec"):
        Encoder("audio/pcm", {})


@pytest.mark.parametrize(("audio_format", "payload_type"), [("audio/pcmu", 0), ("audio/pcma", 8)])
def test_the_callers_g711_is_not_touched_either_way(
    audio_format: AudioFormat, payload_type: int
) -> None:
    sound = bytes(range(256)) * 5  # eight payloads
    sent = packets(Encoder(audio_format, CODECS), sound)
    assert [p.payload_type for p in sent] == [payload_type] * 8
    decoder = Decoder(audio_format, CODECS)
    assert b"".join(decoder.receive(p, n * PIECE) for n, p in enumerate(sent)) == sound


@pytest.mark.parametrize("codecs", [CODECS, {0: "PCMU"}, {8: "PCMA"}])
def test_24_khz_sound_comes_back_through_every_codec(codecs: dict[int, str]) -> None:
    spoken = tone(997, 1.0, 24_000)
    encoder, decoder = Encoder("audio/pcm", codecs), Decoder("audio/pcm", codecs)
    sent = packets(encoder, spoken.tobytes())
    heard = pcm(b"".join(decoder.receive(p, n * PIECE) for n, p in enumerate(sent)))
    assert len(heard) == pytest.approx(24_000, abs=480)
    assert tone_share(heard[4800:], 997, 24_000) > 0.98


def test_a_telephones_g711_is_heard_where_only_opus_was_agreed() -> None:
    codecs = {96: "opus"}
    encoder, decoder = Encoder("audio/pcmu", codecs), Decoder("audio/pcmu", codecs)
    sent = packets(encoder, encode_ulaw(tone(697, 1.0, 8000)).tobytes())
    heard = decode_ulaw(b"".join(decoder.receive(p, n * PIECE) for n, p in enumerate(sent)))
    assert tone_share(heard[1600:], 697, 8000) > 0.97


def test_pieces_of_any_length_become_payloads_of_20_ms() -> None:
    encoder = Encoder("audio/pcmu", CODECS)
    sound = bytes(range(200)) * 4
    pieces = [sound[i : i + 77] for i in range(0, len(sound), 77)]
    payloads = [payload for piece in pieces for payload in encoder.encode(piece)]
    assert payloads == [sound[i : i + 160] for i in range(0, 800, 160)]


def test_packets_that_changed_places_are_put_back_without_a_loss() -> None:
    sound = bytes(range(160)) * 4
    one, two, three, four = packets(Encoder("audio/pcmu", CODECS), sound)
    decoder = Decoder("audio/pcmu", CODECS)
    arrivals = [(one, 0.0), (three, 0.020), (two, 0.025), (four, 0.040)]
    assert b"".join(decoder.receive(p, at) for p, at in arrivals) == sound
    assert decoder.concealed == 0
    assert decoder.deadline is None


@pytest.mark.parametrize(
    ("codecs", "has_libopus"), [({0: "PCMU"}, True), ({111: "opus"}, True), ({111: "opus"}, False)]
)
def test_a_lost_packet_is_made_up_within_10_ms_of_being_missed(
    codecs: dict[int, str], has_libopus: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_libopus:
        monkeypatch.setattr("voicecodecs.wideband.is_present", lambda: False)
    encoder, decoder = Encoder("audio/pcm", codecs), Decoder("audio/pcm", codecs)
    sent = packets(encoder, tone(400, 0.4, 24_000).tobytes())
    heard = []
    for number, packet in enumerate(sent):
        if number == 10:
            continue
        now = number * PIECE
        if decoder.deadline is not None and decoder.deadline <= now:
            heard.append(decoder.wake(now))
        heard.append(decoder.receive(packet, now))
        if number == 11:
            assert decoder.deadline == pytest.approx(now + 0.010)
    sound = pcm(b"".join(heard))
    assert decoder.concealed == 1
    assert len(sound) == pytest.approx(len(sent) * 480, abs=480)
    gap = sound[10 * 480 : 11 * 480].astype(float)
    assert np.sqrt((gap**2).mean()) > 2000  # the tone goes on through it
    assert tone_share(sound[1000:], 400, 24_000) > 0.95


@pytest.mark.parametrize("burst", [1, 2])
def test_the_copy_of_a_lost_opus_packet_in_the_next_one_is_heard(burst: int) -> None:
    if not is_present():
        pytest.skip("there is no libopus here")
    codecs = {111: "opus"}
    # The pitch jumps in the packet that is lost: no guess could know.
    low, high = tone(300, 0.4, 24_000), tone(650, 0.4, 24_000)
    sent = packets(Encoder("audio/pcm", codecs), np.concatenate([low, high]).tobytes())
    decoder = Decoder("audio/pcm", codecs)
    lost = range(23 - burst + 1, 24)
    heard = []
    for number, packet in enumerate(sent):
        if number not in lost:
            heard.append(decoder.receive(packet, number * PIECE))
            heard.append(decoder.wake(number * PIECE + 0.015))
    sound = pcm(b"".join(heard))
    assert decoder.concealed == burst
    assert len(sound) == len(sent) * 480
    assert tone_share(sound[23 * 480 : 24 * 480], 650, 24_000) > 0.7


@pytest.mark.parametrize("change", ["source", "numbering"])
def test_a_stream_that_begins_anew_is_heard_at_once(change: str) -> None:
    encoder = Encoder("audio/pcmu", CODECS)
    old = packets(encoder, bytes(160), first=40_000)
    new = packets(encoder, bytes([9]) * 320, first=10_000 if change == "numbering" else 39_990)
    for packet in new if change == "source" else ():
        packet.ssrc = 8
    decoder = Decoder("audio/pcmu", CODECS)
    decoder.receive(old[0], 0.0)
    assert [decoder.receive(p, 0.1 + n * PIECE) for n, p in enumerate(new)] == [
        bytes([9]) * 160
    ] * 2


def test_a_payload_that_was_not_agreed_or_is_no_opus_ends_nothing() -> None:
    decoder = Decoder("audio/pcm", CODECS)
    assert decoder.receive(RtpPacket(13, 1, 0, 7, b"x"), 0.0) == b""
    decoder.receive(RtpPacket(111, 2, 0, 7, b"\xff" * 3), 0.0)
    assert decoder.receive(RtpPacket(111, 3, 0, 7, b""), 0.0) == b""
