"""`voice-gateway demo --self-test`: a real call to oneself over UDP, and what it proved."""

import asyncio
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from ..app import Gateway
from ..calls.call import Call
from ..calls.softphone import Softphone
from ..embedded.recognise import load_recogniser
from ..embedded.script import load_script
from ..embedded.states import Script
from ..embedded.voice import Voice, load_voice
from ..testing.hearing import heard_part, match
from .line import open_line
from .output import complain, progress, say, say_json, show

__all__ = ["run_self_test"]

_RATE: Final = 24_000
_ALIKE: Final = 0.5  # correlation from which two sounds are the same words by the same voice
_PATIENCE: Final = 12.0
_STOP_MS: Final = 250.0  # the old speech may be heard for so long, on a busy machine
_TRUNCATE_MS: Final = 20.0

_DTMF: Final = "input_audio_buffer.dtmf_event_received"


@dataclass(slots=True)
class Findings:
    """What the self-test found; the figures are ``None`` where the thing did not happen."""

    setup_ms: float | None = None
    greeting_heard: bool = False
    barge_in_stop_ms: float | None = None
    truncate_error_ms: float | None = None
    understood: bool | None = None  # None: no recogniser is installed
    digits: str = ""
    goodbye_heard: bool = False
    ended_by: str = ""
    codec: str = ""
    packets_received: int = 0
    packets_lost: int = 0
    mos: float | None = None
    seconds: float = 0.0

    @property
    def expected(self) -> str:
        """The keys that are pressed: from sales, the star leads back to the menu."""
        return "39" if self.understood is None else "*39"

    @staticmethod
    def _is_below(figure: float | None, limit: float) -> bool:
        return figure is not None and abs(figure) <= limit

    def faults(self) -> list[str]:
        """Say in words what did not happen as it must."""
        stops = self._is_below(self.barge_in_stop_ms, _STOP_MS)
        tells = self._is_below(self.truncate_error_ms, _TRUNCATE_MS)
        checks = {
            "the greeting was not heard": self.greeting_heard,
            "the gateway did not stop at once when the caller spoke": stops,
            "the service was not told exactly how much was heard": tells,
            "the word sales was not understood": self.understood is not False,
            f"the keys {self.expected} did not arrive": self.digits == self.expected,
            "the goodbye was not heard to its end": self.goodbye_heard,
            f"the call was ended by {self.ended_by or 'nobody'}": self.ended_by == "gateway",
        }
        return [fault for fault, is_well in checks.items() if not is_well]


async def run_self_test(port: int, http_port: int, *, as_json: bool) -> int:
    """Run the whole call, print what it showed, and return the exit code."""
    gateway, service = await open_line(port, http_port)
    started = time.monotonic()
    try:
        test = _SelfTest(gateway)
        await test.run()
    finally:
        await gateway.close()
        await service.close()
    test.findings.seconds = round(time.monotonic() - started, 1)
    _tell(test, as_json)
    return 1 if test.findings.faults() else 0


class _SelfTest:
    """One call from a softphone in this process to a gateway in this process."""

    def __init__(self, gateway: Gateway) -> None:
        self.findings = Findings()
        self.timeline: list[dict[str, Any]] = []
        self._gateway = gateway
        self._script: Script = load_script("demo")
        self._voice: Voice = load_voice(self._script.voice)

    async def run(self) -> None:
        """Go through the call; stops at the first thing that does not happen."""
        async with Softphone("127.0.0.1") as phone:
            progress("calling")
            await phone.dial(self._gateway.sip_uri("demo"))
            self.findings.setup_ms = round(phone.setup_seconds * 1000, 1)
            (call,) = self._gateway.registry
            assert isinstance(call, Call)
            try:
                await self._talk(phone, call)
            finally:
                self.timeline = call.record().timeline
                await phone.hang_up()
                self._note_media(phone)

    async def _talk(self, phone: Softphone, call: Call) -> None:
        found = self.findings
        progress("listening to the greeting")
        if not await phone.ear.sound(4.0, within=_PATIENCE):
            return
        greeting = self._speech(self._script.start)
        found.greeting_heard = match(phone.ear.recording(), greeting)[1] > _ALIKE

        progress("talking over it")
        await self._interrupt(phone, call)
        await phone.ear.silence(0.4, within=_PATIENCE)

        if load_recogniser() is not None:
            await self._say_sales(phone)
        progress("pressing 3")
        phone.press("3")
        if not await phone.ear.sound(1.5, within=_PATIENCE):
            return
        progress("pressing 9 while it speaks")
        before = len(phone.ear)
        phone.press("9")
        ended = await phone.wait_ended(_PATIENCE * 2)
        found.digits = "".join(
            entry["detail"]["event"]
            for entry in call.record().timeline
            if entry["name"] == _DTMF and entry["detail"].get("event")
        )
        goodbye = self._speech("goodbye")
        found.goodbye_heard = match(phone.ear.recording(before), goodbye)[1] > _ALIKE
        found.ended_by = call.record().ended_by or "" if ended else ""

    async def _interrupt(self, phone: Softphone, call: Call) -> None:
        """Speak over the greeting; note when it was last heard, and what was claimed."""
        with self._caller_says("wait-hold-on-a-second-please.wav") as path:
            phone.play(path)
        claims = await self._claims(call, phone)
        if claims is None:
            return
        spoken_at, claimed_ms, last_sound_at = claims
        self.findings.barge_in_stop_ms = round(max(0.0, last_sound_at - spoken_at) * 1000, 1)
        passages = [self._speech(self._script.start, "main"), self._speech("main")]
        recording = phone.ear.recording()
        heard = max(
            (heard_part(recording, passage, _RATE) for passage in passages),
            key=lambda part: part.similarity if part.at_least_ms <= claimed_ms + 500 else 0.0,
        )
        self.findings.truncate_error_ms = round(heard.error_ms(claimed_ms), 1)

    async def _say_sales(self, phone: Softphone) -> None:
        """Say what the menu offers, and go back from there by key."""
        progress("saying sales")
        found, before = self.findings, len(phone.ear)
        with self._caller_says("sales.wav") as path:
            phone.play(path)
        wanted = self._speech("sales")[: 2 * _RATE]
        found.understood = False
        for _ in range(int(_PATIENCE / 0.5)):
            await asyncio.sleep(0.5)
            if match(phone.ear.recording(before), wanted)[1] > _ALIKE:
                found.understood = True
                break
        phone.press("*")
        await phone.ear.sound(1.0, within=_PATIENCE)

    @staticmethod
    def _caller_says(name: str) -> AbstractContextManager[Path]:
        return as_file(files("gateway.embedded") / "voice" / "caller" / name)

    async def _claims(self, call: Call, phone: Softphone) -> tuple[float, float, float] | None:
        """Wait for the truncation; return when speech began, the end claimed, the last sound."""
        for _ in range(int(_PATIENCE * 50)):
            entries = call.controller.timeline.entries
            cut = next((e for e in entries if e.name == "conversation.item.truncate"), None)
            if cut is not None:
                started = next(e for e in entries if e.name == "input_audio_buffer.speech_started")
                await asyncio.sleep(0.2)
                return started.at, cut.detail["audio_end_ms"], phone.ear.last_sound_at
            await asyncio.sleep(0.02)
        return None

    def _speech(self, *states: str) -> NDArray[np.int16]:
        """Return what the agent says in these states, as it was sent: 24 kHz."""
        text = " ".join(self._script.states[state].say for state in states)
        return np.concatenate(list(self._voice.speak(text)))

    def _note_media(self, phone: Softphone) -> None:
        result = phone.result()
        self.findings.codec = result.codec
        self.findings.packets_received = result.packets_received
        self.findings.packets_lost = result.packets_lost
        self.findings.mos = result.mos


def _tell(test: _SelfTest, as_json: bool) -> None:
    findings, faults = test.findings, test.findings.faults()
    figures = {name: getattr(findings, name) for name in Findings.__slots__}
    if as_json:
        say_json({"ok": not faults, **figures, "faults": faults})
        return
    _draw(test.timeline)
    for name, figure in figures.items():
        say(f"  {name.replace('_', ' '):<20} {figure}")
    for fault in faults:
        complain(fault)
    say("Everything happened." if not faults else "It failed.", "green" if not faults else "red")


def _draw(timeline: list[dict[str, Any]]) -> None:
    """Show the call's story: what happened on the left, what was done on the right."""
    table = Table("seconds", "happened", "done", title="The call", title_justify="left")
    start = timeline[0]["at"] if timeline else 0.0
    for entry in timeline:
        if entry["kind"] == "timer":
            continue
        facts = entry["detail"].get("event") or entry["detail"].get("audio_end_ms") or ""
        text = f"{entry['name']} {facts}".strip()
        text += f" x{entry['count']}" if entry["count"] > 1 else ""
        row = ("", text) if entry["kind"] == "action" else (text, "")
        table.add_row(f"{entry['at'] - start:.3f}", *row)
    show(table)
