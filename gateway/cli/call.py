"""`voice-gateway call`: a softphone for scripts."""

import asyncio
import math
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Final, Literal

from ..calls.cues import Cue, DigitsCue, parse_digits, parse_plays
from ..calls.softphone import KEY_SECONDS, DtmfWay, PhoneResult, Softphone, Transport
from ..config import TlsSettings
from ..errors import ConfigError, SipError
from ..media.prompts import Prompt
from ..ops.logs import configure_logging
from ..sip.credentials.account import Account
from ..sip.transport.certificates import Certificates
from ..sip.ways.routing import transport_of
from ..sip.wire.uri import Uri
from .output import complain, progress, say, say_json
from .serve import run_loop, stop_requested

__all__ = ["call"]

_LISTENING: Final = 3.0  # seconds that a call goes on after the last cue
_WITHOUT_CUES: Final = 10.0


def call(
    uri: str,
    /,
    *,
    play: list[str] | None = None,
    digits: str = "",
    dtmf: DtmfWay = "rfc4733",
    record: Path | None = None,
    seconds: float | None = None,
    transport: Literal["udp", "tcp", "tls"] | None = None,
    authorities: str = "",
    certificate: str = "",
    srtp: bool = False,
    host: str | None = None,
    username: str = "",
    password_env: str = "",
    json: bool = False,
) -> int:
    """Call a SIP address, do as told, and say how it went.

    Exits with 0 when the call was answered, 1 when it was refused or lost.  Ctrl-C hangs up.

    Args:
        uri: Whom to call: sip:USER@HOST:PORT, or sips: for TLS.
        play: A sound file to play, FILE or FILE@SECONDS after the answer; may be repeated.
        digits: Keys to press and when, such as "1@2.0 2#@4.5".
        dtmf: How keys are sent: telephone events, SIP INFO, or tones in the sound.
        record: Where to write it down in stereo, left what is heard, right what is said: a WAV, or
            Ogg Opus where the name ends in .opus.
        seconds: Hang up after so long; without it, three seconds after the last cue is done.
        transport: udp, tcp or tls; without it, what the address says, else udp.
        authorities: File (PEM) of those whose certificates are believed over TLS; else the
            system's.
        certificate: File (PEM) of our certificate and its key, shown over TLS to who asks.
        srtp: Encrypt the sound; the call fails where the other side does not.
        host: Our own address; without it, the one that leads to theirs.
        username: Who we are where a password is asked for.
        password_env: The variable that holds the password.
        json: Print the result as one JSON object.

    """
    configure_logging("warning")
    cues: list[Cue] = [*parse_plays(play or []), *parse_digits(digits)]
    length = _length(cues) if seconds is None else seconds
    if not (math.isfinite(length) and length > 0):
        raise ConfigError("--seconds: a call needs some time; give a number above 0")
    target = _target(uri)
    if record is not None:
        _must_be_writable(record)
    way = transport or _named_transport(target)
    if target.scheme == "sips" and way != "tls":
        raise ConfigError(f"--transport: {target} is only reached over tls")
    tls = _tls(authorities, certificate)
    phone = _Job(target, cues, length, record)
    make = partial(
        Softphone,
        host or _own_address(target),
        transport=way,
        dtmf=dtmf,
        tls=tls,
        account=_account(username, password_env),
        srtp=srtp,
    )
    return run_loop(lambda: phone.run(make, as_json=json))


class _Job:
    """One call to make, from dialling to the result."""

    def __init__(
        self, target: Uri, cues: Sequence[Cue], seconds: float, record: Path | None
    ) -> None:
        self._target, self._cues = target, cues
        self._seconds, self._record = seconds, record

    async def run(self, make: Callable[[], Softphone], *, as_json: bool) -> int:
        """Call, follow the cues until they end or somebody hangs up, and print the result."""
        stopped = asyncio.create_task(stop_requested().get())
        async with make() as phone:
            calling = asyncio.create_task(self._call(phone))
            await asyncio.wait({calling, stopped}, return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            error = await calling if calling.done() else None
            calling.cancel()
            await phone.hang_up()
        result = phone.result()
        if error is not None and not result.reason:
            result = replace(result, status=error.status, reason=str(error))
        _tell(result, as_json)
        if error is not None and not as_json:
            complain(str(error))
        for problem in phone.problems:
            complain(problem)
        return 0 if result.setup_ms is not None and not phone.problems else 1

    async def _call(self, phone: Softphone) -> SipError | None:
        progress(f"calling {self._target}")
        try:
            await phone.dial(self._target)
        except SipError as error:
            return error
        progress("answered")
        if self._record is not None:
            phone.record(self._record)
        await phone.follow(self._cues, self._seconds)
        return None


def _length(cues: Sequence[Cue]) -> float:
    """Return the seconds that the cues need, and some to listen to what comes of them."""
    ends = [
        cue.at
        + (
            len(cue.digits) * KEY_SECONDS
            if isinstance(cue, DigitsCue)
            else Prompt.load(cue.path).seconds
        )
        for cue in cues
    ]
    return max(ends) + _LISTENING if ends else _WITHOUT_CUES


def _target(uri: str) -> Uri:
    try:
        target = Uri.parse(uri)
    except SipError as error:
        raise ConfigError(f"URI: {uri!r}: {error}; write sip:USER@HOST:PORT") from None
    if target.scheme not in ("sip", "sips") or not target.host:
        raise ConfigError(f"URI: {uri!r} is no SIP address; write sip:USER@HOST:PORT")
    return target


def _account(username: str, variable: str) -> Account | None:
    """Return who we are where a password is asked for, if that was told."""
    if not username and not variable:
        return None
    if not (username and variable):
        missing, other = ("--password-env", "--username")[:: 1 if username else -1]
        raise ConfigError(f"{missing}: is missing beside {other}; give both")
    password = os.environ.get(variable, "")
    if not password:
        raise ConfigError(f"--password-env: the environment has no {variable}; export it")
    try:
        return Account(username, password)
    except SipError as error:
        raise ConfigError(f"--username: {error}; choose another") from None


def _named_transport(target: Uri) -> Transport:
    match transport_of(target):
        case "udp" | "tcp" | "tls" as named:
            return named
        case named:
            raise ConfigError(f"URI: transport={named} is not spoken here; use udp, tcp or tls")


def _tls(authorities: str, certificate: str) -> TlsSettings:
    """Return what is believed over TLS, and shown.

    Raises:
        ConfigError: A file holds nobody to believe, or no certificate with its key.

    """
    tls = TlsSettings(authorities=authorities, certificate=certificate)
    try:
        Certificates(tls).check()
    except ConfigError as error:
        setting, _, problem = str(error).removeprefix("sip.tls.").partition(": ")
        raise ConfigError(f"--{setting}: {problem}") from None
    return tls


def _own_address(target: Uri) -> str:
    """Return the address of ours from which the target is reached; nothing is sent."""
    try:
        found = socket.getaddrinfo(target.address, target.port or 5060, type=socket.SOCK_DGRAM)
        with socket.socket(found[0][0], socket.SOCK_DGRAM) as probe:
            probe.connect(found[0][4])
            return str(probe.getsockname()[0])
    except OSError as error:
        raise ConfigError(f"URI: no way to {target.address}: {error.strerror or error}") from None


def _must_be_writable(path: Path) -> None:
    try:
        path.open("ab").close()
    except OSError as error:
        raise ConfigError(
            f"--record: {path} cannot be written: {error.strerror or error}; name another file"
        ) from None


def _tell(result: PhoneResult, as_json: bool) -> None:
    if as_json:
        say_json(asdict(result))
        return
    for name, value in asdict(result).items():
        if value is not None:
            say(f"  {name.replace('_', ' '):<18} {value}")
