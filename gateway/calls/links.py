"""Which link a call gets, and what sound goes over it: one decision, made in one place."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from ..config import Settings
from ..control.events import AudioFormat, Transport
from ..control.service import session_for
from ..control.settings import ControlSettings
from ..media.transcode import ServiceAudio
from ..realtime.client import ServiceClient
from ..realtime.endpoint import Endpoint
from ..realtime.link import Link, OnClosed, OnEvent
from ..realtime.sideband import SidebandLink
from ..realtime.webrtc import WebRtcLink
from ..realtime.websocket import WebSocketLink
from .attachment import MakeLink, OnAudio

__all__ = ["Law", "LinkPlan", "Links", "first_session", "law_of"]

Law: TypeAlias = Literal["PCMU", "PCMA", ""]
"""The caller's own G.711, or none."""

_LAWS: Final[Mapping[Law, ServiceAudio]] = {"PCMU": "pcmu", "PCMA": "pcma", "": "pcm24"}
_CODECS: Final[Mapping[str, Law]] = {"PCMU": "PCMU", "PCMA": "PCMA"}
_FORMATS: Final[Mapping[ServiceAudio, Literal["audio/pcm", "audio/pcmu", "audio/pcma"]]] = {
    "pcmu": "audio/pcmu",
    "pcma": "audio/pcma",
    "pcm24": "audio/pcm",
}
_BYTES_PER_MS: Final[Mapping[ServiceAudio, int]] = {"pcmu": 8, "pcma": 8, "pcm24": 48}
_MODEL: Final = "gpt-realtime"


@dataclass(frozen=True, slots=True)
class LinkPlan:
    """What the links of one call are made of."""

    make: MakeLink
    transport: Transport
    audio_format: AudioFormat  # to ask the service for; empty: it is not for us to say
    lane_audio: ServiceAudio  # of the caller's lane, both ways, where there is one


def first_session(settings: ControlSettings) -> dict[str, Any]:
    """Return the session that a call begins with where no address names its model.

    The formats of the sound are left out: they are agreed on in SDP.
    """
    session = session_for(settings, "")
    session.setdefault("instructions", "")  # some services insist on it
    return {"model": settings.realtime.model or _MODEL, **session}


def law_of(codec: str) -> Law:
    """Return the G.711 that a caller speaks by this codec, or none."""
    return _CODECS.get(codec, "")


class Links:
    """Plans the links of calls by what is configured and by what the caller speaks."""

    def __init__(
        self,
        settings: Settings,
        control: ControlSettings,
        endpoint: Endpoint,
        client: ServiceClient,
    ) -> None:
        self._settings = settings
        self._control = control
        self._endpoint = endpoint
        self._client = client
        self._is_webrtc = settings.realtime.link == "webrtc"

    @property
    def _passes_law(self) -> bool:
        """Whether a caller's G.711 goes to the service as it is."""
        return self._is_webrtc or self._settings.media.pass_through

    def plan(self, law: Law) -> LinkPlan:
        """Plan for a caller of our own, who speaks ``law``."""
        audio = _LAWS[law if self._passes_law else ""]
        return self._over_webrtc(audio) if self._is_webrtc else self._over_websocket(audio)

    def plan_hosted(self, call_id: str) -> LinkPlan:
        """Plan for a caller whose call the service holds, and knows as ``call_id``."""

        def make(on_event: OnEvent, on_closed: OnClosed, on_audio: OnAudio) -> Link:
            del on_audio  # it never passes here
            reconnect = self._settings.realtime.reconnect_seconds
            return SidebandLink(
                self._endpoint,
                call_id,
                on_event=on_event,
                on_closed=on_closed,
                front_door=self._settings.realtime.front_door,
                reconnect_seconds=reconnect,
            )

        return LinkPlan(make, "sip", "", "pcm24")

    def _over_websocket(self, audio: ServiceAudio) -> LinkPlan:
        def make(on_event: OnEvent, on_closed: OnClosed, on_audio: OnAudio) -> Link:
            del on_audio  # it comes in events, to be played by us
            return WebSocketLink(
                self._endpoint,
                on_event=on_event,
                on_closed=on_closed,
                append_ms=self._settings.media.append_ms,
                bytes_per_ms=_BYTES_PER_MS[audio],
            )

        return LinkPlan(make, "websocket", _FORMATS[audio], audio)

    def _over_webrtc(self, audio: ServiceAudio) -> LinkPlan:
        def make(on_event: OnEvent, on_closed: OnClosed, on_audio: OnAudio) -> Link:
            return WebRtcLink(
                self._client,
                first_session(self._control),
                on_event=on_event,
                on_closed=on_closed,
                on_audio=on_audio,
                audio_format=_FORMATS[audio],
                with_secret=self._settings.realtime.provider == "azure",
            )

        return LinkPlan(make, "webrtc", "", audio)
