"""The realtime service over WebRTC: sound as RTP both ways, events on a data channel."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeAlias

from ..errors import LinkError, RtcError
from ..rtc import AudioFormat, Decoder, Encoder, Peer, PeerState, PeerStats
from ..rtp.packet import RtpPacket
from .channel import Channel
from .client import Answer
from .endpoint import Endpoint
from .events import Transport
from .link import OnClosed, OnEvent

__all__ = ["CallMaker", "OnAudio", "WebRtcLink"]

OnAudio: TypeAlias = Callable[[bytes], None]

# A caller's own G.711 goes first: it then crosses the gateway untouched.
_OFFERS: Final[Mapping[AudioFormat, Sequence[str]]] = {
    "audio/pcm": ("opus", "PCMU", "PCMA"),
    "audio/pcmu": ("PCMU", "PCMA", "opus"),
    "audio/pcma": ("PCMA", "PCMU", "opus"),
}


class CallMaker(Protocol):
    """What the link needs of the service's REST interface; all of it raises ``LinkError``."""

    endpoint: Endpoint

    async def client_secret(self, session: Mapping[str, Any]) -> str:
        """Return a key for one session."""
        ...

    async def call(self, sdp: str, session: Mapping[str, Any]) -> Answer:
        """Offer a call with our own key."""
        ...

    async def call_with_secret(self, sdp: str, secret: str) -> Answer:
        """Offer a call with a key for one session."""
        ...


class WebRtcLink(Channel):
    """One session with the service, which plays and cuts its own speech.

    Args:
        client: makes the call.
        session: the session to begin with.
        on_event: called with every event, in order.
        on_closed: called once, with what ended the link.
        on_audio: called with the service's sound as it comes, in ``audio_format``.
        audio_format: of the sound both ways.
        with_secret: call with a key made for this session, which is all that Azure takes.

    """

    transport: Transport = "webrtc"

    def __init__(
        self,
        client: CallMaker,
        session: Mapping[str, Any],
        *,
        on_event: OnEvent,
        on_closed: OnClosed,
        on_audio: OnAudio,
        audio_format: AudioFormat = "audio/pcm",
        with_secret: bool = False,
    ) -> None:
        endpoint = client.endpoint
        super().__init__(on_event=on_event, on_closed=on_closed, dialect=endpoint.dialect)
        self.call_id = ""
        self._client = client
        self._session = session
        self._on_audio = on_audio
        self._format = audio_format
        self._encoder: Encoder | None = None
        self._decoder: Decoder | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._with_secret = with_secret
        self._was_open = False
        self._settled = asyncio.Event()  # open, or never going to be
        self._peer = Peer(
            on_rtp=self._hear,
            on_message=self.take,
            on_state=self._follow,
            codecs=_OFFERS[audio_format],
            is_local=endpoint.is_local,
        )

    @property
    def media(self) -> PeerStats:
        """The figures of the sound so far."""
        return self._peer.stats

    @property
    def concealed(self) -> int:
        """Packets of the service's that were lost and made up."""
        return self._decoder.concealed if self._decoder is not None else 0

    async def connect(self) -> None:
        """Call the service and wait until sound and events can go.

        Raises:
            LinkError: It cannot be reached, refuses us, or cannot be agreed with.

        """
        peer = self._peer
        try:
            answer = await self._call(await peer.offer())
            self.call_id = answer.call_id
            await peer.accept(answer.sdp)
            self._encoder = Encoder(self._format, peer.codecs)
            self._decoder = Decoder(self._format, peer.codecs)
            await self._settled.wait()
            if not peer.is_open:
                raise LinkError(f"the service was called, but {peer.reason or 'it was let go'}")
        except RtcError as error:
            await peer.close()
            raise LinkError(f"the service cannot be spoken with: {error}") from error
        except BaseException:
            await peer.close()
            raise

    def append(self, chunk: bytes) -> None:
        """Send some of the caller's sound."""
        encoder, peer = self._encoder, self._peer
        if encoder is None or not peer.is_open or not self.is_live:
            self.stats.dropped_audio_bytes += len(chunk)
            return
        self.stats.audio_bytes += len(chunk)
        for payload in encoder.encode(chunk):
            peer.send_audio(payload, payload_type=encoder.payload_type, samples=encoder.samples)

    async def close(self) -> None:
        """End the connection and wait until it is over."""
        self.is_closing = True
        await self._peer.close()

    async def _call(self, offer: str) -> Answer:
        if not self._with_secret:
            return await self._client.call(offer, self._session)
        secret = await self._client.client_secret(self._session)
        return await self._client.call_with_secret(offer, secret)

    def _put(self, text: bytes) -> None:
        try:
            self._peer.send(text.decode())
        except RtcError as error:
            self.give_up(LinkError(f"the service cannot be told: {error}"))

    def _drop(self, reason: str) -> None:
        self._peer.drop(reason)

    def _follow(self, state: PeerState) -> None:
        self._settled.set()
        if state is PeerState.CLOSED:
            self._stop_timer()
            if self._was_open:
                self.finish(LinkError(f"the service is gone: {self._peer.reason}"))
        else:
            self._was_open = True

    def _hear(self, packet: RtpPacket) -> None:
        decoder = self._decoder
        if decoder is not None and self.is_live:
            self._hand_on(decoder.receive(packet, asyncio.get_running_loop().time()), decoder)

    def _wake(self) -> None:
        self._timer = None
        decoder = self._decoder
        if decoder is not None and self.is_live:
            self._hand_on(decoder.wake(asyncio.get_running_loop().time()), decoder)

    def _hand_on(self, sound: bytes, decoder: Decoder) -> None:
        if sound:
            self._on_audio(sound)
        self._stop_timer()
        if decoder.deadline is not None:
            self._timer = asyncio.get_running_loop().call_at(decoder.deadline, self._wake)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
