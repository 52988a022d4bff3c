"""What a lane is opened with: settled for the length of a call."""

from dataclasses import dataclass

from .transcode import ServiceAudio

__all__ = ["LaneOptions"]


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

    """

    uplink: ServiceAudio | None = "pcm24"
    downlink: ServiceAudio | None = None
    detect_inband: bool = True
    keys_in_recordings: bool = True
    round_trip: bool = False

    @property
    def played(self) -> ServiceAudio:
        """The format of what is given to a lane to be played."""
        return self.downlink or self.uplink or "pcm24"
