"""A softphone for scripts: calls, plays sound files, presses keys, records, and reports."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Self, TypeAlias

import numpy as np
from voicecodecs.tones import dtmf_tone

from ..clock import RandomIds
from ..config import TlsSettings
from ..errors import SipError
from ..legs import events as legs
from ..legs.sip_leg import SipLeg
from ..media.engine import Lane, MediaEngine
from ..media.events import LaneEvent, RecordingStopped
from ..media.options import LaneOptions
from ..media.ports import PortPool
from ..media.prompts import Prompt
from ..media.stats import LaneStats
from ..sdp.terms import Terms
from ..sip.admission import Policy
from ..sip.agent import UserAgent
from ..sip.credentials.account import Account
from ..sip.dialogs.incoming import IncomingSession
from ..sip.transport.endpoint import SipEndpoint
from ..sip.wire.uri import Uri, bracketed
from .cues import Cue, DigitsCue
from .ear import Ear

__all__ = ["KEY_SECONDS", "DtmfWay", "PhoneResult", "Softphone", "Transport"]

DtmfWay: TypeAlias = Literal["rfc4733", "info", "inband"]
Transport: TypeAlias = Literal["udp", "tcp", "tls"]

KEY_SECONDS: Final = 0.3
"""The longest that one key and the pause behind it take, whatever the way."""

_KEY_MS: Final = 160
_GAP: Final = np.zeros(8 * 100, np.int16)  # between two keys in the sound
_CODECS: Final = ("PCMU", "PCMA")
_PORTS: Final = "20000-40000"


@dataclass(frozen=True, slots=True)
class PhoneResult:
    """How a call went, as the phone saw it."""

    status: int  # final SIP status: 200 for a call that was up
    reason: str
    setup_ms: float | None  # INVITE sent → 200 read; None where it was not answered
    codec: str
    srtp: str | None  # the suite that the sound was encrypted with
    seconds: float
    packets_sent: int
    packets_received: int
    packets_lost: int
    jitter_ms: float
    mos: float | None  # None where nothing was heard
    ended_by: str  # "caller" (us), "peer", or "" while it lasts


class Softphone:
    """One phone with one line; use it as ``async with Softphone() as phone``."""

    def __init__(
        self,
        host: str = "127.0.0.1",
        *,
        transport: Transport = "udp",
        dtmf: DtmfWay = "rfc4733",
        tls: TlsSettings | None = None,
        account: Account | None = None,
        srtp: bool = False,
    ) -> None:
        ids = RandomIds()
        self._dtmf = dtmf
        self._transport = transport
        self._policy = Policy(account=account)
        self._terms = Terms(_CODECS, srtp="required" if srtp else "off")
        self.problems: list[str] = []  # what went wrong beside the call itself
        self._agent = UserAgent(ids, advertise=lambda flow: flow.local, name="voice-gateway call")
        listens = "udp" if transport == "tls" else transport  # TLS is only called by
        self._sip = SipEndpoint(self._agent, [f"{listens}:{bracketed(host)}:0"], self._refuse, tls)
        self._engine = MediaEngine(PortPool(_PORTS, host))
        self._lane: Lane | None = None
        self._leg: SipLeg | None = None
        self._loop = asyncio.get_running_loop()
        self._answered = asyncio.Event()
        self._ended: legs.LegEnded | None = None
        self._over = asyncio.Event()
        self._dialled_at = self._answered_at = self._over_at = 0.0
        self._codec = ""
        self._stats: LaneStats | None = None  # the lane's last figures, once it is closed
        self.ear = Ear()

    async def __aenter__(self) -> Self:
        await self._sip.start()
        self._engine.start()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.hang_up()
        if self._lane is not None:
            self._lane.close()
        await self._sip.close()
        self._engine.close()

    @property
    def setup_seconds(self) -> float:
        """INVITE sent → 200 read."""
        return self._answered_at - self._dialled_at

    async def dial(self, uri: str | Uri, *, ring_seconds: float = 60.0) -> None:
        """Call and wait for the answer.

        Raises:
            SipError: It was refused, or nobody answered; ``status`` says how.

        """
        target = Uri.parse(uri) if isinstance(uri, str) else uri
        if self._transport != "udp" and target.scheme != "sips":
            target = target.replace(params={**target.params, "transport": self._transport})
        self._lane = self._engine.open(
            self._on_lane, self.ear.hear, LaneOptions(detect_inband=False)
        )
        self._dialled_at = self._loop.time()
        self._leg = await SipLeg.outgoing(
            self._sip,
            target,
            self._lane,
            self._terms,
            self._on_leg,
            ring_limit=ring_seconds,
            policy=self._policy,
        )
        waiting = [asyncio.create_task(e.wait()) for e in (self._answered, self._over)]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
        if not self._answered.is_set():
            ended = self._ended
            status, reason = (ended.status, ended.reason) if ended else (408, "no answer")
            raise SipError(f"{target} did not answer: {status} {reason}", status=status)

    async def follow(self, cues: Iterable[Cue], seconds: float | None) -> None:
        """Do what the cues say, then stay until the other side hangs up or the time is over."""
        for cue in sorted(cues, key=lambda cue: cue.at):
            wait = self._answered_at + cue.at - self._loop.time()
            if await self.wait_ended(max(0.0, wait)):
                return
            if isinstance(cue, DigitsCue):
                self.press(cue.digits)
            else:
                self.play(cue.path)
        left = None if seconds is None else self._answered_at + seconds - self._loop.time()
        await self.wait_ended(left)

    def play(self, path: Path) -> None:
        """Say what a sound file says, after whatever is being said."""
        if self._lane is not None:
            self._lane.play_prompt(Prompt.load(path), path.name)

    def press(self, digits: str) -> None:
        """Press keys one after the other."""
        if self._lane is None or self._leg is None:
            return
        if self._dtmf == "rfc4733":
            self._lane.send_digits(digits)
        elif self._dtmf == "info":
            self._leg.send_info_keys(digits)
        else:
            tones = [part for key in digits for part in (dtmf_tone(key, _KEY_MS), _GAP)]
            self._lane.play_prompt(Prompt(np.concatenate(tones), 8000), digits)

    def record(self, path: Path) -> None:
        """Record from now on: left the phone hears, right it says."""
        if self._lane is not None:
            self._lane.record(str(path))

    async def wait_ended(self, seconds: float | None) -> bool:
        """Wait until the call is over; False where ``seconds`` pass first."""
        try:
            async with asyncio.timeout(seconds):
                await self._over.wait()
        except TimeoutError:
            return False
        return True

    async def hang_up(self) -> None:
        """End the call if it lasts, and see it ended."""
        if self._leg is not None and not self._over.is_set():
            self._leg.hang_up()
            await self.wait_ended(2.0)
            for _ in range(40):  # the BYE's answer
                if not self._agent.has_calls:
                    break
                await asyncio.sleep(0.025)

    def result(self) -> PhoneResult:
        """Say how the call went."""
        stats = self._stats or (self._lane.stats() if self._lane is not None else None)
        ended = self._ended
        answered = self._answered.is_set()
        until = self._over_at or self._loop.time()
        return PhoneResult(
            status=200 if answered else ended.status if ended else 0,
            reason=ended.reason if ended else "",
            setup_ms=round(self.setup_seconds * 1000, 1) if answered else None,
            codec=self._codec,
            srtp=(stats.srtp or None) if stats else None,
            seconds=round(until - self._answered_at, 2) if answered else 0.0,
            packets_sent=stats.packets_sent if stats else 0,
            packets_received=stats.packets_received if stats else 0,
            packets_lost=stats.lost if stats else 0,
            jitter_ms=round(stats.jitter * 1000, 2) if stats else 0.0,
            mos=round(stats.mos, 2) if stats and stats.packets_received else None,
            ended_by={"gateway": "caller"}.get(ended.by, "peer") if ended else "",
        )

    def _on_leg(self, event: legs.LegEvent) -> None:
        if isinstance(event, legs.LegMedia):
            self._codec = event.negotiated.codec.name
        elif isinstance(event, legs.LegAnswered):
            self._answered_at = self._loop.time()
            self._answered.set()
        elif isinstance(event, legs.LegEnded):
            self._ended, self._over_at = event, self._loop.time()
            if self._lane is not None:
                self._stats = self._lane.stats()
                self._lane.close()
            self._over.set()

    def _on_lane(self, event: LaneEvent) -> None:
        if isinstance(event, RecordingStopped) and event.problem:
            self.problems.append(f"{event.path}: {event.problem}")

    def _refuse(self, session: IncomingSession) -> None:
        session.reject(486, self._sip.now())
        self._sip.flush()
