"""Which link a call gets, and what sound goes over it: one decision, made in one place."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from ..config import Settings
from ..control.events import AudioFormat, Transport
from ..media.transcode import ServiceAudio
from ..realtime.endpoint import Endpoint
from ..realtime.link import Link, OnClosed, OnEvent
from ..realtime.websocket import WebSocketLink
from .attachment import MakeLink, OnAudio

__all__ = ["Law", "LinkPlan", "Links"]

Law: TypeAlias = Literal["PCMU", "PCMA", ""]
"""The caller's own G.711, or none."""

_LAWS: Final[dict[Law, ServiceAudio]] = {"PCMU": "pcmu", "PCMA": "pcma", "": "pcm24"}
_FORMATS: Final[dict[ServiceAudio, AudioFormat]] = {
    "pcmu": "audio/pcmu",
    "pcma": "audio/pcma",
    "pcm24": "audio/pcm",
}
_BYTES_PER_MS: Final[dict[ServiceAudio, int]] = {"pcmu": 8, "pcma": 8, "pcm24": 48}


@dataclass(frozen=True, slots=True)
class LinkPlan:
    """What the links of one call are made of."""

    make: MakeLink
    transport: Transport
    audio_format: AudioFormat  # to ask the service for; empty: it is not for us to say
    lane_audio: ServiceAudio | None  # of the lane, both ways; None: no lane


class Links:
    """Plans the links of calls by what is configured and by what the caller speaks."""

    def __init__(self, settings: Settings, endpoint: Endpoint) -> None:
        self._settings = settings
        self._endpoint = endpoint

    @property
    def passes_law(self) -> bool:
        """Whether a caller's G.711 goes to the service as it is."""
        return self._settings.media.pass_through

    def plan(self, law: Law) -> LinkPlan:
        """Plan for a caller of our own, who speaks ``law``."""
        audio = _LAWS[law if self.passes_law else ""]
        return self._over_websocket(audio)

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
