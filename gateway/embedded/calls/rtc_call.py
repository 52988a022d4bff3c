"""A WebRTC call: a peer's sound and data channel joined to a session."""

import asyncio
from typing import Any, Final

import structlog

from ...clock import Clock
from ...errors import RtcError
from ...rtc import Decoder, Encoder, Peer, PeerState
from ...rtp.packet import RtpPacket
from ..connection import Connection, Socket
from ..http.secrets import Preset
from ..live import LiveSession
from ..protocol.checks import Refused
from ..protocol.sounds import Sound
from ..sessions import Sessions
from .rtc_player import Beat, Player

__all__ = ["RtcCall"]

_SILENCE: Final = bytes(960)  # 20 ms
_PATIENCE: Final = 0.100  # seconds without a packet, after which silence is heard instead
_FRAME_SECONDS: Final = 0.020
_MOST_UNREAD: Final = 1000  # messages
_ON_SIP_ALONE: Final = "This is no SIP call that could be {}."


class RtcCall(Socket):
    """One call; the data channel stands in for the client's WebSocket."""

    def __init__(self, call_id: str, clock: Clock, beat: Beat, *, is_local: bool) -> None:
        self._id = call_id
        self._clock = clock
        self._beat_of_all = beat
        self._peer = Peer(
            on_rtp=self._take_packet,
            on_message=self._take_message,
            on_state=self._take_state,
            is_local=is_local,
        )
        self._player = Player()
        self._decoder: Decoder | None = None
        self._encoder: Encoder | None = None
        self._heard_at = 0.0  # up to when the session has heard the caller
        self._live: LiveSession | None = None
        self._messages: asyncio.Queue[str | None] = asyncio.Queue()
        self._opened = asyncio.Event()  # or over

    @property
    def id(self) -> str:
        """The call's name."""
        return self._id

    @property
    def live(self) -> LiveSession | None:
        """Its session."""
        return self._live

    async def answer(self, offer: str) -> str:
        """Take an offer and begin to connect.

        Raises:
            RtcError: It cannot be used.

        """
        answer = await self._peer.answer(offer)
        codecs, payload_type = self._peer.codecs, self._peer.preferred
        self._decoder = Decoder("audio/pcm", codecs)
        self._encoder = Encoder("audio/pcm", {payload_type: codecs[payload_type]})
        return answer

    def play(self, sounds: list[Sound]) -> None:
        """Queue what the session says."""
        self._player.take(sounds, self._clock())

    async def run(self, live: LiveSession, sessions: Sessions) -> None:
        """Live the call to its end."""
        self._live = live
        try:
            async with sessions.running(live):
                await self._opened.wait()
                if self._peer.is_open:
                    self._heard_at = self._clock()
                    self._beat_of_all.join(self._beat)
                    await Connection(self, live).run()
        finally:
            self._beat_of_all.leave(self._beat)
            await self._peer.close()

    async def drop(self) -> None:
        """Give up a call that was never run."""
        await self._peer.close()

    # What can be asked of it

    def accept(self, preset: Preset) -> None:
        """Not possible: it is up already."""
        raise Refused("invalid_value", _ON_SIP_ALONE.format("accepted"))

    def reject(self, status: int) -> None:
        """Not possible: it is up already."""
        raise Refused("invalid_value", _ON_SIP_ALONE.format("rejected"))

    def refer(self, target: str) -> None:
        """Not possible: there is nobody to be told."""
        raise Refused("invalid_value", _ON_SIP_ALONE.format("referred"))

    def hang_up(self) -> None:
        """End it."""
        if self._live is not None:
            self._live.end(1000, "the call was ended")
        self._opened.set()

    def describe(self) -> dict[str, Any]:
        """Return what is worth knowing of it."""
        return {"id": self._id, "kind": "webrtc", "state": self._peer.state.name.lower()}

    # The data channel as a socket

    async def receive(self) -> str | None:
        """Return the next message; ``None`` once the peer has gone."""
        return await self._messages.get()

    async def send(self, frame: bytes) -> None:
        """Send one message."""
        try:
            self._peer.send(frame.decode())
        except RtcError as error:
            raise ConnectionResetError(str(error)) from error

    async def close(self, code: int, reason: str) -> None:
        """End the connection; WebRTC has no words for why."""
        await self._peer.close()

    def abort(self) -> None:
        """End it the same way: the peer is closed when the call has run."""

    # What the peer tells

    def _take_message(self, message: str) -> None:
        if self._messages.qsize() < _MOST_UNREAD:
            self._messages.put_nowait(message)
        elif self._live is not None:
            self._live.end(1008, "too many messages at once")

    def _take_state(self, state: PeerState) -> None:
        self._opened.set()
        if state is PeerState.CLOSED:
            self._messages.put_nowait(None)

    def _take_packet(self, packet: RtpPacket) -> None:
        if self._decoder is not None:
            now = self._clock()
            self._hear(self._decoder.receive(packet, now), now)

    def _hear(self, pcm: bytes, now: float) -> None:
        if pcm and self._live is not None:
            self._heard_at = now
            self._live.hear(pcm)

    # Every 20 ms

    def _beat(self, now: float) -> None:
        """Let time pass: what is late is made up, what is to be said goes out."""
        try:
            self._listen_on(now)
            self._speak(now)
        except Exception:
            structlog.get_logger().exception("fault inside a WebRTC call", call=self._id)
            self.hang_up()

    def _listen_on(self, now: float) -> None:
        decoder = self._decoder
        if decoder is not None and decoder.deadline is not None and now >= decoder.deadline:
            self._hear(decoder.wake(now), now)
        if now - self._heard_at > _PATIENCE and self._live is not None:
            self._heard_at += _FRAME_SECONDS
            self._live.hear(_SILENCE)

    def _speak(self, now: float) -> None:
        frame, live, encoder = self._player.beat(now), self._live, self._encoder
        if frame is not None and encoder is not None:
            for payload in encoder.encode(frame):
                self._peer.send_audio(
                    payload, payload_type=encoder.payload_type, samples=encoder.samples
                )
        played = self._player.played()
        if played and live is not None:
            live.played(played)
