"""A lane as its call sees it: what it can be told to do with one person's sound.

A :class:`Lane` belongs to the event loop.  What it is asked to do it hands to the media
thread, which does it at its next tick, in the order asked.  What happens there comes back
through ``on_event`` and ``on_audio``, on the loop.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ..sdp.crypto import SrtpKeys
from ..sdp.negotiate import Negotiated
from .events import Mark
from .formats import PCMU, Format
from .keys import check_digits
from .live import LiveFrom, are_audible
from .ports import Address
from .prompts import Prompt
from .seat import Seat
from .stats import LaneStats
from .tap import Tap
from .transcode import BYTES_PER_MS, ServiceAudio, Transcoder
from .warden import Warden

if TYPE_CHECKING:
    from .engine import MediaEngine

__all__ = ["Lane"]


class Lane:
    """One call's sound, both ways."""

    def __init__(self, engine: "MediaEngine", seat: Seat, downlink: ServiceAudio) -> None:
        self.host = seat.pair.host
        self.port = seat.pair.number
        self.ssrc = seat.outlet.ssrc
        self.cname = seat.reporter.cname
        self.identity = engine.identity
        self.fingerprint = engine.fingerprint
        self._engine = engine
        self._seat = seat
        self._downlink = downlink
        self._bytes_per_ms = BYTES_PER_MS[downlink]
        self._format: Format = PCMU
        self._transcoder = Transcoder(downlink, PCMU)
        self._live: dict[LiveFrom, Transcoder] = {}  # of what is streamed
        self._mark: Mark | None = None  # of what was last given to play
        self._is_open = True
        self._warden = Warden(seat, engine.identity, engine.clock, self._order)

    def configure(
        self, negotiated: Negotiated, on_refused: Callable[[str], None] | None = None
    ) -> None:
        """Send and receive as negotiated; again after every exchange of descriptions.

        Where the other side must prove who it is, ``on_refused`` is called with words if it
        cannot: there will be no sound.
        """
        self._order(self._seat.configure, negotiated)
        self._warden.configure(negotiated, on_refused)
        wanted = Format.of(negotiated.codec)
        if wanted != self._format:
            self._settle()
            self._format = wanted
            self._transcoder = Transcoder(self._downlink, wanted)
            self._live.clear()

    def hand_over(self, keeper: Callable[[bytes, Address], None]) -> None:
        """Have ``keeper`` prove who the other side is, and where, in our place.

        It is handed what comes that is no sound, with where from; by :meth:`send_datagram`,
        :meth:`settle` and :meth:`secure` it answers, and says what came of it.
        """
        self._warden.hand_over(keeper)

    def send_datagram(self, data: bytes, address: Address) -> None:
        """Send what is no sound from the port of the sound."""
        self._order(self._seat.porter.send, data, address, False)

    def settle(self, address: Address) -> None:
        """Send sound there, and hear none from anywhere else."""
        self._order(self._seat.settle, address, False)

    def secure(self, keys: SrtpKeys) -> None:
        """Encrypt under these keys from now on."""
        self._order(self._seat.privacy.secure, keys)

    def play(self, audio: bytes, mark: Mark) -> None:
        """Queue the service's audio behind what waits; its first frame goes at the next tick."""
        if self._mark is not None and self._mark.response_id != mark.response_id:
            self._settle()
        self._mark = mark
        frames = self._transcoder.push(audio)
        received_ms = len(audio) / self._bytes_per_ms
        if self._is_open:
            append = self._seat.playback.append
            self._engine.submit_sound(append, frames, self._format, mark, received_ms)

    def stream(self, audio: bytes, source: LiveFrom = "agent") -> None:
        """Let the caller hear live audio at once, less than 60 ms of it waiting.

        The service's takes the place of what is not queued: a prompt goes before it, a repeated
        prompt only before silence.  What others on the call say is mixed with whatever else
        there is to hear; a supervisor with prompts too, while which nobody else is heard.
        """
        transcoder = self._live.get(source)
        if transcoder is None:
            transcoder = self._live[source] = Transcoder(self._downlink, self._format)
        frames = transcoder.push(audio)
        if frames and self._is_open:
            stream, audible = self._seat.playback.stream, are_audible(frames, self._format)
            self._engine.submit_sound(stream, frames, self._format, audible, source)

    def finish(self, response_id: str) -> None:
        """Say that no more audio of a response will come, so that its end can be told."""
        if self._mark is not None and self._mark.response_id == response_id:
            self._settle()
        self._order(self._seat.playback.finish, response_id)

    def play_prompt(self, samples: Prompt, prompt_id: str, *, repeat: bool = False) -> None:
        """Queue a prompt; a repeated one plays until something is queued behind it."""
        frames = samples.frames(self._format)
        self._order(self._seat.playback.append_prompt, frames, self._format, prompt_id, repeat)

    def flush(self) -> None:
        """Let nothing that was queued be heard any more; told by a ``PlayoutFlushed``.

        A pause is over with it.  Others on the call are heard on.
        """
        self._transcoder.reset()
        if (agent := self._live.get("agent")) is not None:
            agent.reset()
        self._mark = None
        self._order(self._seat.playback.flush)

    def pause(self) -> None:
        """Send silence from the next tick on; what is queued, and what comes, waits."""
        self._order(self._seat.playback.pause, True)

    def resume(self) -> None:
        """Play on from where it was paused."""
        self._order(self._seat.playback.pause, False)

    def mute(self, *, caller: bool, agent: bool) -> None:
        """Say who is not heard: the caller by the service, the agent by the caller.

        Time goes on for both.  A recording has the caller none the less, and of the agent what
        went out.  Prompts are heard by the caller, and so are others on the call.
        """
        self._order(self._seat.mute, caller, agent)

    def conceal(self, is_concealed: bool) -> None:
        """Keep the caller's sound from the service and from the recording, or stop that.

        Silence takes its place in both.  Keys are heard on.
        """
        self._order(self._seat.conceal, is_concealed)

    def guard(self, is_on: bool) -> None:
        """Guard against the caller's echo as the lane was opened to, or leave their sound alone."""
        self._order(self._engine.core.guard, self._seat, is_on)

    def hold(self, is_held: bool) -> None:
        """Put silence in the place of both directions, and keep what is queued, or stop that."""
        self._order(self._seat.hold, is_held)

    def send_digits(self, digits: str, *, duration_ms: int = 100, gap_ms: int = 100) -> None:
        """Press keys at the other side.

        Raises:
            ValueError: One of them is on no telephone.

        """
        self._order(self._seat.press, check_digits(digits), duration_ms, gap_ms)

    def tap(self, on_played: Callable[[bytes], None] | None) -> None:
        """Have what is played of the agent told on the loop as it goes out; ``None``: no longer.

        20 ms at a time in the service's format, prompts too, silence where there is nothing;
        without whoever else the caller hears.  Nothing of it while the caller is on hold.
        """
        hear = None if on_played is None else Tap(self._downlink, on_played).hear
        self._order(self._seat.tap, hear)

    def record(self, path: str, *, rate: int | None = None) -> None:
        """Record both directions into a stereo WAV, at the codec's rate if none is given."""
        self._order(self._seat.record, self._engine.recorder, path, rate)

    def pause_recording(self, is_paused: bool) -> None:
        """Put silence in the place of both sides in the recording, or stop that."""
        self._order(self._seat.pause_recording, is_paused)

    def stop_recording(self) -> None:
        """End the recording; a ``RecordingStopped`` tells when the file is complete."""
        self._order(self._seat.stop_recording)

    def stats(self) -> LaneStats:
        """Return the figures so far."""
        stats = self._seat.stats()
        return replace(stats, unproved=stats.unproved + self._warden.refused)

    def close(self) -> None:
        """End the lane and give its ports back; closing twice does nothing."""
        if self._is_open:
            self._is_open = False
            self._engine.leave(self, self._seat)

    def _settle(self) -> None:
        """Queue what of the last response does not fill a frame."""
        if self._mark is not None:
            frames = self._transcoder.finish()
            self._order(self._seat.playback.append, frames, self._format, self._mark, 0.0)
            self._mark = None

    def _order(self, order: Callable[..., None], *args: object) -> None:
        if self._is_open:
            self._engine.submit(order, *args)
