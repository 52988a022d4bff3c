"""Opus packets that are lost on their way to a lane: the copy in the next one takes their place."""

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray
from voicecodecs.libopus import OpusDecoder, is_present
from voicecodecs.wideband import Opus

from gateway.rtp.packet import RtpPacket
from gateway.sdp.codecs import Codec
from gateway.testing.media import MediaWorld

pytestmark = pytest.mark.skipif(not is_present(), reason="there is no libopus here")

OPUS = Codec("opus", 48000, 2, 107)
FRAME = 480
LOST = frozenset(range(30, 140, 9))


def voice() -> NDArray[np.int16]:
    """Return three seconds whose pitch and loudness leap from word to word, at 24 kHz."""
    rng = np.random.default_rng(7)
    pitch = np.repeat(rng.integers(90, 260, 75), 2 * FRAME)
    phase = 2 * np.pi * np.cumsum(pitch) / 24_000
    loud = np.repeat(rng.uniform(0.3, 1.0, 75), 2 * FRAME)
    return (3000 * loud * sum(np.sin(k * phase) / k for k in range(1, 18))).astype(np.int16)


def payloads(sound: NDArray[np.int16]) -> list[bytes]:
    coder = Opus()
    return [coder.encode(frame) for frame in sound.reshape(-1, FRAME)]


def heard_by_a_lane(sent: list[bytes], lost: frozenset[int]) -> NDArray[np.int16]:
    """Return what a lane makes of a stream of which some packets never come."""
    world = MediaWorld()
    call = world.call()
    call.phone.is_silent = True
    types = {OPUS.payload_type: OPUS}
    agreed = dataclasses.replace(call.phone.negotiated(), codec=OPUS, receive_types=types)
    call.lane.configure(agreed)
    phone = call.phone
    for number, payload in enumerate(sent):
        if number not in lost:
            packet = RtpPacket(107, phone.sequence, phone.timestamp, phone.ssrc, payload)
            phone.send(packet)
        phone.sequence = (phone.sequence + 1) & 0xFFFF
        phone.timestamp = (phone.timestamp + 960) & 0xFFFF_FFFF
        world.run(0.02)
    world.run(0.2)
    stats = call.lane.stats()
    assert (stats.lost, stats.concealed) == (len(lost), len(lost))
    return call.sound


def error(sound: NDArray[np.int16], whole: NDArray[np.int16], lost: frozenset[int]) -> float:
    """Return the share of the power of what was lost that is wrong in its place."""
    at = np.array([number * FRAME + np.arange(FRAME) for number in sorted(lost)])
    wrong = sound[: len(whole)].astype(float) - whole
    return float((wrong[at] ** 2).sum() / (whole[at].astype(float) ** 2).sum())


def test_a_lost_packet_is_heard_from_the_copy_in_the_next_and_not_guessed() -> None:
    sent = payloads(voice())
    decoder, guesser = OpusDecoder(), OpusDecoder()
    whole = np.concatenate([decoder.decode(payload) for payload in sent])
    guessed = np.concatenate(
        [guesser.lost(FRAME) if n in LOST else guesser.decode(p) for n, p in enumerate(sent)]
    )
    sound = heard_by_a_lane(sent, LOST)
    start = int(np.flatnonzero(sound)[0]) - int(np.flatnonzero(whole)[0])
    sound = sound[start:]
    assert error(sound, whole, LOST) < 0.5 * error(guessed, whole, LOST)


def test_of_two_lost_packets_the_first_is_guessed_and_no_time_is_missing() -> None:
    sent = payloads(voice())
    lost = LOST | {number + 1 for number in LOST}
    whole = heard_by_a_lane(sent, frozenset())
    sound = heard_by_a_lane(sent, lost)
    assert abs(len(sound) - len(whole)) <= 2 * FRAME
    assert not np.any(np.abs(sound[30 * FRAME : 140 * FRAME].reshape(-1, FRAME)).max(axis=1) == 0)
