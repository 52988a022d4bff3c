"""`voice-gateway demo --self-test`: a real call to oneself over UDP, and what it proved."""

import asyncio
import time
from contextlib import AbstractContextManager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..calls.call import Call
from ..calls.softphone import Softphone
from ..control import TimelineEntry
from ..embedded.speech.recognise import load_recogniser
from ..embedded.speech.voice import Voice, load_voice, sentences
from ..testing.hearing import heard_part, heard_pieces
from .findings import ACCOUNT, Findings, tell
from .line import Line, LinkKind, open_line
from .output import progress

__all__ = ["run_self_test"]

_RATE: Final = 24_000
_MOST: Final = 0.8  # of what was said must be heard; live sound may lose a frame
_ENOUGH: Final = 0.6  # of the first two seconds, to know what is being said
_PATIENCE: Final = 15.0
_THANKS: Final = "Our support team will call you back within the hour."

_DTMF: Final = "input_audio_buffer.dtmf_event_received"
_VOICE: Final = "input_audio_buffer.speech_started"
# Where it shows how much of a cut answer the service holds for heard: over a WebSocket we tell
# it, elsewhere it played the answer itself and tells us.
_CUT: Final = {
    "websocket": "conversation.item.truncate",
    "webrtc": "conversation.item.truncated",
    "sideband": "conversation.item.truncated",
}


async def run_self_test(port: int, http_port: int, link: LinkKind, *, as_json: bool) -> int:
    """Run the whole call, print what it showed, and return the exit code."""
    line = await open_line(port, http_port, link)
    started = time.monotonic()
    try:
        test = _SelfTest(line)
        await test.run()
    finally:
        await line.close()
    test.findings.seconds = round(time.monotonic() - started, 1)
    tell(test.findings, test.timeline, as_json=as_json)
    return 1 if test.findings.faults() else 0


class _SelfTest:
    """One call from a softphone in this process to a gateway in this process."""

    def __init__(self, line: Line) -> None:
        self.findings = Findings(line.link)
        self.timeline: list[dict[str, Any]] = []
        self._line = line
        self._voice: Voice = load_voice()

    async def run(self) -> None:
        """Go through the call; stops at the first thing that does not happen."""
        async with Softphone("127.0.0.1") as phone:
            progress("calling")
            await phone.dial(self._line.uri)
            self.findings.setup_ms = round(phone.setup_seconds * 1000, 1)
            (call,) = self._line.gateway.registry
            assert isinstance(call, Call)
            try:
                await self._talk(phone, call)
            finally:
                record = call.record()
                self.timeline = record.timeline
                said = " ".join(entry.get("heard", "") for entry in record.transcript)
                self.findings.transcript_kept = "Goodbye" in said
                await phone.hang_up()
                self._note_media(phone)
        if self._line.link != "sideband" and self.findings.ended_by:
            await self._reach_operator()

    async def _reach_operator(self) -> None:
        """Call once more and press 0: the operator is the same gateway, in another profile."""
        progress("calling again and asking for the operator")
        async with Softphone("127.0.0.1") as phone:
            await phone.dial(self._line.uri)
            await phone.ear.sound(0.5, within=_PATIENCE)
            phone.press("0")
            greeting = self._line.gateway.settings.profiles["operator"].call["greeting"]
            operator = greeting.partition('"')[2].partition('"')[0]
            self.findings.operator_heard = await self._hears(phone, operator)

    async def _talk(self, phone: Softphone, call: Call) -> None:
        if not await self._choose_language(phone):
            return
        await self._interrupt(phone, call)
        if load_recogniser() is not None and not await self._say_sales(phone):
            return
        if await self._give_account(phone):
            await self._say_goodbye(phone, call)

    async def _choose_language(self, phone: Softphone) -> bool:
        """Hear the greeting and the first language, and press its key."""
        found = self.findings
        progress("listening to the greeting")
        welcome, english, *_ = sentences(self._prompt("menus", "language"))
        if await self._hears(phone, english):
            pieces = heard_pieces(phone.ear.recording(), self._speech(welcome), _RATE)
            found.greeting_heard = sum(pieces) >= _MOST * len(pieces)
        progress("pressing 1 for English")
        before = len(phone.ear)
        phone.press("1")
        first, *_ = sentences(self._prompt("menus", "main"))
        found.language_chosen = await self._hears(phone, first, before)
        return found.language_chosen

    async def _interrupt(self, phone: Softphone, call: Call) -> None:
        """Speak over the menu; note when it was last heard, and what was claimed."""
        progress("talking over the menu")
        begun_at = asyncio.get_running_loop().time()
        with self._caller_says("wait-hold-on-a-second-please.wav") as path:
            phone.play(path)
        claims = await self._claims(call, begun_at)
        if claims is None:
            return
        spoken_at, claimed_ms = claims
        await asyncio.sleep(0.2)
        last_sound_at = phone.ear.last_sound_at
        self.findings.barge_in_stop_ms = round(max(0.0, last_sound_at - spoken_at) * 1000, 1)
        menu = self._speech(self._prompt("menus", "main"))
        heard = heard_part(phone.ear.recording(), menu, _RATE)
        self.findings.truncate_error_ms = round(heard.error_ms(claimed_ms), 1)
        await phone.ear.silence(0.4, within=_PATIENCE)

    async def _claims(self, call: Call, since: float) -> tuple[float, float] | None:
        """Wait for the truncation; return when the caller was noticed, and the end claimed."""
        for _ in range(int(_PATIENCE * 50)):
            entries = [entry for entry in call.controller.timeline.entries if entry.at >= since]
            spoken, cut = _first(entries, _VOICE), _first(entries, _CUT[self._line.link])
            if spoken is not None and cut is not None:
                return spoken.at, cut.detail["audio_end_ms"]
            await asyncio.sleep(0.02)
        return None

    async def _say_sales(self, phone: Softphone) -> bool:
        """Say what the menu offers, and go back from there by key."""
        progress("saying sales")
        found, before = self.findings, len(phone.ear)
        with self._caller_says("sales.wav") as path:
            phone.play(path)
        reached, *_ = sentences(self._prompt("menus", "sales"))
        found.understood = await self._hears(phone, reached, before)
        phone.press("*")
        return found.understood

    async def _give_account(self, phone: Softphone) -> bool:
        """Ask for support, and give an account number by keys."""
        progress("asking for support and giving an account number")
        before = len(phone.ear)
        phone.press("2")
        if not await self._hears(phone, self._prompt("collects", "account"), before):
            return False
        phone.press(f"{ACCOUNT}#")
        self.findings.account_taken = await self._hears(phone, _THANKS, before)
        return self.findings.account_taken

    async def _say_goodbye(self, phone: Softphone, call: Call) -> None:
        """Ask for the end while the menu is heard once more, and listen to the goodbye."""
        progress("pressing 9 while it speaks")
        found = self.findings
        await phone.ear.silence(0.2, within=_PATIENCE)
        await phone.ear.sound(1.0, within=_PATIENCE)
        before = len(phone.ear)
        phone.press("9")
        if await phone.wait_ended(_PATIENCE):
            found.ended_by = await self._ended_by(call)
        found.digits = "".join(
            entry["detail"]["event"]
            for entry in call.record().timeline
            if entry["name"] == _DTMF and entry["detail"].get("event")
        )
        goodbye = self._speech(self._line.gateway.settings.call.goodbye)
        pieces = heard_pieces(phone.ear.recording(before), goodbye, _RATE)
        found.goodbye_heard = pieces[-1] and sum(pieces) >= _MOST * len(pieces)

    async def _ended_by(self, call: Call) -> str:
        """Say who ended the call; where the service holds it, the phone hears of it first."""
        for _ in range(100):
            if (by := call.record().ended_by) is not None:
                return by
            await asyncio.sleep(0.02)
        return ""

    async def _hears(self, phone: Softphone, text: str, since: int = 0) -> bool:
        """Wait until the beginning of a text was heard in what came ``since`` a moment."""
        wanted = self._speech(text)[: 2 * _RATE]
        until = asyncio.get_running_loop().time() + _PATIENCE
        while asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.3)
            heard = phone.ear.recording(since)
            pieces = await asyncio.to_thread(heard_pieces, heard, wanted, _RATE)
            if sum(pieces) >= _ENOUGH * len(pieces):
                return True
        return False

    @staticmethod
    def _caller_says(name: str) -> AbstractContextManager[Path]:
        return as_file(files("gateway.embedded") / "voice" / "caller" / name)

    def _prompt(self, table: str, name: str) -> str:
        """Return the English words of a menu or a collection."""
        say = getattr(self._line.gateway.settings, table)[name].say
        return str(say if isinstance(say, str) else say["en"])

    def _speech(self, text: str) -> NDArray[np.int16]:
        """Return a text as the agent speaks it: 24 kHz."""
        return np.concatenate(list(self._voice.speak(text)))

    def _note_media(self, phone: Softphone) -> None:
        result = phone.result()
        self.findings.codec = result.codec
        self.findings.packets_received = result.packets_received
        self.findings.packets_lost = result.packets_lost
        self.findings.mos = result.mos


def _first(entries: list[TimelineEntry], name: str) -> TimelineEntry | None:
    return next((entry for entry in entries if entry.name == name), None)
