"""`voice-gateway call`: a softphone for scripts."""

from dataclasses import asdict
from pathlib import Path
from typing import Literal

from ..calls.cues import Cue, parse_digits, parse_plays
from ..calls.softphone import DtmfWay, PhoneResult, Softphone
from ..errors import ConfigError, SipError
from ..ops.logs import configure_logging
from .output import complain, progress, say, say_json
from .serve import run_loop

__all__ = ["call"]


def call(
    uri: str,
    /,
    *,
    play: list[str] | None = None,
    digits: str = "",
    dtmf: DtmfWay = "rfc4733",
    record: Path | None = None,
    seconds: float | None = None,
    transport: Literal["udp", "tcp"] = "udp",
    host: str = "127.0.0.1",
    json: bool = False,
) -> int:
    """Call a SIP address, do as told, and say how it went.

    Exits with 0 when the call was answered, 1 when it was refused or lost.

    Args:
        uri: Whom to call: sip:USER@HOST:PORT.
        play: A sound file to play, FILE or FILE@SECONDS after the answer; may be repeated.
        digits: Keys to press and when, such as "1@2.0 2#@4.5".
        dtmf: How keys are sent: telephone events, SIP INFO, or tones in the sound.
        record: Where to write a stereo WAV file: left what is heard, right what is said.
        seconds: Hang up after so long; without it, three seconds after the last cue.
        transport: udp or tcp.
        host: Our own address.
        json: Print the result as one JSON object.

    """
    configure_logging("warning")
    cues: list[Cue] = [*parse_plays(play or []), *parse_digits(digits)]
    if seconds is None:
        seconds = max((cue.at for cue in cues), default=7.0) + 3.0
    if seconds <= 0:
        raise ConfigError("--seconds: a call needs some time; give a number above 0")
    if not uri.lower().startswith("sip:"):
        raise ConfigError(f"URI: {uri!r} is no SIP address; write sip:USER@HOST:PORT")

    async def main() -> int:
        async with Softphone(host, transport=transport, dtmf=dtmf) as phone:
            progress(f"calling {uri}")
            try:
                await phone.dial(uri)
            except SipError as error:
                _tell(phone.result(), json)
                if not json:
                    complain(str(error))
                return 1
            progress("answered")
            if record is not None:
                phone.record(record)
            await phone.follow(cues, seconds)
            await phone.hang_up()
            result = phone.result()
        _tell(result, json)
        return 0

    return run_loop(main)


def _tell(result: PhoneResult, as_json: bool) -> None:
    if as_json:
        say_json(asdict(result))
        return
    for name, value in asdict(result).items():
        if value is not None:
            say(f"  {name.replace('_', ' '):<18} {value}")
