"""How the lanes of calls treat their sound, by what is configured for each call."""

import dataclasses

from voicecodecs.silero import missing_package

from ..config import Settings
from ..control.settings import ControlSettings
from ..media.engine import MediaEngine
from ..media.options import LaneOptions
from ..media.transcode import ServiceAudio

__all__ = ["called_options", "callee_options", "caller_options", "prepare_hearing"]


def caller_options(
    settings: Settings, control: ControlSettings, audio: ServiceAudio
) -> LaneOptions:
    """Return what a caller's lane is opened with.

    Args:
        settings: What is common to all calls.
        control: What this call goes by; voices are listened for where something follows from it.
        audio: What the lane hands on and plays.

    """
    barge_in = control.barge_in
    is_voice_wanted = "voice" in barge_in.by or control.idle.seconds > 0
    return LaneOptions(
        uplink=audio,
        detect_inband=settings.media.detect_inband,
        keys_in_recordings=settings.media.keys_in_recordings,
        round_trip=barge_in.round_trip,
        voice=barge_in.voice if is_voice_wanted else "",
        voice_ms=barge_in.voice_ms,
        echo_guard=barge_in.echo_guard,
    )


def called_options(
    settings: Settings, control: ControlSettings, audio: ServiceAudio
) -> LaneOptions:
    """Return what the lane of somebody is opened with whom we call to talk to the agent."""
    options = caller_options(settings, control, audio)
    if not control.dial.answering_machine:
        return options
    return dataclasses.replace(options, voice=control.barge_in.voice, hears_beeps=True)


def callee_options(
    settings: Settings, control: ControlSettings, audio: ServiceAudio
) -> LaneOptions:
    """Return what the lane of a second leg is opened with.

    Nothing is kept from two people who talk: what a guard takes for echo may be both at once.
    """
    options = called_options(settings, control, audio)
    is_judged = control.dial.answering_machine
    return dataclasses.replace(options, voice=options.voice if is_judged else "", echo_guard="off")


def prepare_hearing(settings: Settings, control: ControlSettings, engine: MediaEngine) -> None:
    """Load what any call may need to hear voices.

    Raises:
        ConfigError: A package that the settings ask for is missing; says which, and what to do.

    """
    tables = {("barge_in",): control} | {
        ("profiles", name, "barge_in"): one for name, one in control.profiles.items()
    }
    for path, one in tables.items():
        if one.barge_in.voice != "silero":
            continue
        if name := missing_package():
            remedy = 'pip install "voice-gateway[silero]", or write "energy"'
            problem = f'"silero" needs the package {name}, which is not installed: {remedy}'
            raise settings.problem((*path, "voice"), problem)
        engine.prepare(LaneOptions(voice="silero"))
