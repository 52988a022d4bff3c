"""What a lane is opened with: settled for the length of a call."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from .transcode import ServiceAudio

__all__ = ["EchoGuardKind", "LaneOptions", "VoiceKind"]

VoiceKind: TypeAlias = Literal["", "energy", "silero"]
EchoGuardKind: TypeAlias = Literal["off", "gate", "cancel"]


@dataclass(frozen=True, slots=True)
class LaneOptions:
    """How one lane is to treat its sound.

    Attributes:
        uplink: the format of the caller's sound as it is handed on, ``None`` for none.
        downlink: the format of what is given to :meth:`Lane.play`, as ``uplink`` if not given.
        detect_inband: hear keys in the sound too, and keep their tones from the service; once
            keys come as telephone events, tones are kept from it without being told.
        keys_in_recordings: leave the tones of the caller's keys in recordings.
        round_trip: hold what is still on its way to the caller for unheard, as far as the
            reports of the other side tell how long that takes.
        voice: tell of voices, found by loudness or by a network; "" for not.
        voice_ms: a sound as long as this is a voice.
        hears_beeps: tell of single steady tones that end in silence.
        echo_guard: keep from the service, and from ``voice``, what comes back of what is played:
            "gate" puts sound that is only that to noise, "cancel" also takes it out of voices.

    """

    uplink: ServiceAudio | None = "pcm24"
    downlink: ServiceAudio | None = None
    detect_inband: bool = True
    keys_in_recordings: bool = True
    round_trip: bool = False
    voice: VoiceKind = ""
    voice_ms: int = 120
    hears_beeps: bool = False
    echo_guard: EchoGuardKind = "off"

    @property
    def played(self) -> ServiceAudio:
        """The format of what is given to a lane to be played."""
        return self.downlink or self.uplink or "pcm24"
