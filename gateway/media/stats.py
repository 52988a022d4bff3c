"""What a lane and the engine have counted so far."""

from dataclasses import dataclass
from typing import Final

from ..rtp.quality import mos, r_factor

__all__ = ["EngineStats", "LaneStats", "opinion"]

_TARGET_DELAY: Final = 0.060
"""Seconds from mouth to ear beyond the network: packet time and the listener's buffer."""


def opinion(codec: str, *, loss: float, round_trip: float | None) -> float:
    """Return the estimated score, 1 to 4.5, of sound of which ``loss``, 0 to 1, did not come."""
    return mos(r_factor(codec, loss=loss, delay=_TARGET_DELAY + (round_trip or 0.0) / 2))


@dataclass(slots=True)
class LaneStats:
    """One call's media in figures.

    Attributes:
        codec: the codec being received, or sent as long as nothing was.
        srtp: the suite that both ways are encrypted with, "" for none.
        packets_received: RTP packets of the call's own source.
        packets_sent: RTP packets sent, keys included.
        lost: packets that never came, by their numbers.
        late: packets that came after their place had been given up.
        duplicates: second copies.
        concealed: frames made up in place of lost ones.
        malformed: datagrams that are not RTP version 2.
        wrong_type: packets of a payload type that was not agreed.
        wrong_source: packets from an address that is not the call's.
        wrong_ssrc: packets of another SSRC, or far out of sequence.
        looped: packets of our own that came back.
        forged: encrypted packets that the other side did not send so, or under another key.
        repeated: encrypted packets that had come before.
        unproved: datagrams of STUN and DTLS from strangers, unsigned, unreadable, or too many.
        overruns: frames dropped because too many came at once.
        underruns: ticks in mid-response for which the service had sent no audio.
        dropped_playout: frames the service sent beyond what a ring holds.
        live_dropped: live frames given up so that others wait less.
        live_made_up: live frames made up because none had come in time.
        live_masked: live frames with sound that a prompt took the place of.
        send_errors: packets the system would not send.
        jitter: interarrival jitter, seconds.
        round_trip: seconds, if the other side's reports tell.
        remote_loss: part of our packets lost at the other side, 0 to 1, if it tells.
        mos: estimated opinion score of what we hear, 1 to 4.5.

    """

    codec: str = ""
    srtp: str = ""
    packets_received: int = 0
    packets_sent: int = 0
    lost: int = 0
    late: int = 0
    duplicates: int = 0
    concealed: int = 0
    malformed: int = 0
    wrong_type: int = 0
    wrong_source: int = 0
    wrong_ssrc: int = 0
    looped: int = 0
    forged: int = 0
    repeated: int = 0
    unproved: int = 0
    overruns: int = 0
    underruns: int = 0
    dropped_playout: int = 0
    live_dropped: int = 0
    live_made_up: int = 0
    live_masked: int = 0
    send_errors: int = 0
    jitter: float = 0.0
    round_trip: float | None = None
    remote_loss: float | None = None
    mos: float = 4.5


@dataclass(slots=True)
class EngineStats:
    """The media thread in figures.

    Attributes:
        lanes: lanes open now.
        ticks: group ticks run.
        skipped: group ticks left out after a stall.
        lateness_sum: seconds by which ticks began late, all together.
        lateness_max: seconds by which the latest began late, since this was last read.
        faults: ticks that failed; each is told to the loop's exception handler.
        dropped_orders: pieces of sound to play that were dropped because the ticks had stopped.
        dropped_parcels: ticks whose audio was dropped because the event loop had stopped taking it.

    """

    lanes: int = 0
    ticks: int = 0
    skipped: int = 0
    lateness_sum: float = 0.0
    lateness_max: float = 0.0
    faults: int = 0
    dropped_orders: int = 0
    dropped_parcels: int = 0
