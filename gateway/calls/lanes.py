"""How the lanes of calls treat their sound, by what is configured."""

from ..config import Settings
from ..media.options import LaneOptions
from ..media.transcode import ServiceAudio

__all__ = ["lane_options"]


def lane_options(settings: Settings, audio: ServiceAudio) -> LaneOptions:
    """Return what the lane of a leg is opened with; ``audio`` is what it hands on and plays."""
    return LaneOptions(
        uplink=audio,
        detect_inband=settings.media.detect_inband,
        keys_in_recordings=settings.media.keys_in_recordings,
        round_trip=settings.barge_in.round_trip,
    )
