"""People have their say in live calls, by HTTP and WHIP: who may, and what comes of it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import pytest
from aiohttp import ClientSession
from numpy.typing import NDArray
from pages import RATE
from whip_page import WhipPage

from gateway.testing.bare_phone import BarePhone
from gateway.testing.hearing import tone_share
from gateway.testing.loopback import loopback_gateway, sip_address
from gateway.testing.service import LoopbackService, ServiceSession

pytestmark = pytest.mark.interop

Hears: TypeAlias = Callable[[float], Awaitable[NDArray[np.int16]]]

CALLER, AGENT, PAGE = 697.0, 1000.0, 440.0  # Hz: the phone, the service, the supervisor
TOKENS: Final = {"ann": "supervisor", "wall": "viewer", "root": "admin"}
SETTINGS: Final[dict[str, Any]] = {
    "http": {
        "bind": "127.0.0.1:0",
        "tokens": [
            {"name": name, "role": role, "token_env": "X", "token": f"token-of-{name}"}
            for name, role in TOKENS.items()
        ],
    },
    "targets": {"operator": "sip:operator@pbx.example"},
    "rules": [{"on": "leg.answered", "do": [{"record": "start"}]}],
}


class Desk:
    """A call in progress, and people who ask for something of it."""

    def __init__(
        self, session: ClientSession, phone: BarePhone, service: ServiceSession, call_id: str
    ) -> None:
        self.pages: list[WhipPage] = []
        self.phone = phone
        self.service = service
        self.call_id = call_id
        self._session = session

    async def ask(
        self, method: str, path: str, body: Any = None, who: str = "ann"
    ) -> tuple[int, Any]:
        """Ask for something; returns the status, and what was answered."""
        headers = {"Authorization": f"Bearer token-of-{who}"}
        async with self._session.request(method, path, json=body, headers=headers) as answer:
            text = await answer.text()
            return answer.status, await answer.json(content_type=None) if text else None

    async def do(self, *steps: Any, who: str = "ann") -> tuple[int, Any]:
        """Have steps done."""
        return await self.ask("POST", f"v1/calls/{self.call_id}/actions", {"do": steps}, who)

    def page(self, who: str = "ann") -> WhipPage:
        """Return a page of somebody who may join."""
        page = WhipPage(str(self._session._base_url), f"token-of-{who}", PAGE)
        self.pages.append(page)
        return page

    async def record(self) -> dict[str, Any]:
        """Return the call's record as it stands."""
        status, record = await self.ask("GET", f"v1/calls/{self.call_id}", who="wall")
        assert status == 200
        return dict(record)


@asynccontextmanager
async def desk(**tables: Any) -> AsyncIterator[Desk]:
    async with (
        LoopbackService([AGENT], reply_seconds=60.0) as service,
        loopback_gateway(service.url, **SETTINGS, **tables) as gateway,
        BarePhone(sip_address(gateway), frequency=CALLER) as phone,
        ClientSession(gateway.page) as session,
    ):
        await phone.dial()
        (call,) = gateway.registry.records()
        at = Desk(session, phone, await service.session(0), call.call_id)
        try:
            yield at
        finally:
            for page in at.pages:
                await page.close()


async def test_a_whisper_reaches_the_model_and_a_hang_up_the_phone_and_both_the_timeline() -> None:
    async with desk() as at:
        await at.service.until(lambda: bool(at.service.of("response.create")))
        status, taken = await at.do({"whisper": "Offer a refund."}, {"respond": "Go on."})
        assert (status, taken["taken"]) == (202, ["whisper", "respond"])
        await at.service.until(lambda: len(at.service.of("response.create")) == 2)
        (item,) = [one["item"] for one in at.service.of("conversation.item.create")]
        assert item["role"] == "system"
        assert item["content"] == [{"type": "input_text", "text": "Offer a refund."}]
        assert (await at.do("hangup"))[0] == 202
        assert (await at.ask("DELETE", f"v1/calls/{at.call_id}"))[0] == 204
        await at.phone.asked("BYE")
        record = await at.record()
        asked = [entry for entry in record["timeline"] if entry["kind"] == "request"]
        assert {entry["by"] for entry in asked} == {"ann"}
        assert [entry["name"] for entry in asked] == [
            "Whisper", "Respond", "HangUp", "Stop", "HangUp",
        ]  # fmt: skip
        for _ in range(100):
            status, told = await at.do("hangup")
            if status == 409:
                break
            await asyncio.sleep(0.05)
        assert (status, told["detail"]) == (409, "the call is not in progress")
        assert (await at.ask("DELETE", f"v1/calls/{at.call_id}"))[0] == 409


async def test_what_cannot_be_is_refused_in_words_and_nothing_is_done() -> None:
    async with desk() as at:
        before = len([e for e in (await at.record())["timeline"] if e["kind"] == "request"])
        for steps, status, words in (
            ([], 400, "length >= 1"),
            (["sing"], 422, "step 1: unknown action 'sing'"),
            ([{"say": ""}], 422, "step 1: text"),
            (["stop", {"transfer": "oprator"}], 422, "step 2: unknown target 'oprator'; did you"),
            ([{"transfer": "sip:x@premium.example"}], 422, "add it to [targets]"),
            (["hangup", {"say": "Wait."}], 422, "step 2: nothing is done after hangup"),
            ([{"supervise": "speak"}], 409, "you have not joined this call"),
            ([{"supervise": {"mode": "speak", "connection": "x"}}], 409, "no such connection"),
            ([{"update_session": {"instructions": "x"}}], 403, "for the role admin"),
            (["stop"] * 17, 400, "length <= 16"),
            ([7], 400, "does not fit"),
        ):
            found, told = await at.do(*steps)
            assert (found, words in told["detail"]) == (status, True), told
        found, told = await at.do(["stop"], who="ann")
        assert found == 400
        assert (await at.do("stop", who="wall"))[0] == 403
        assert (await at.ask("DELETE", f"v1/calls/{at.call_id}", who="wall"))[0] == 403
        assert (await at.do("stop", who="nobody"))[0] == 401
        assert (await at.ask("POST", "v1/calls/none/actions", {"do": ["stop"]}))[0] == 404
        assert (await at.ask("DELETE", "v1/calls/none"))[0] == 404
        record = await at.record()
        assert len([e for e in record["timeline"] if e["kind"] == "request"]) == before
        assert record["ended_by"] is None
        assert (await at.do({"update_session": {"instructions": "x"}}, who="root"))[0] == 202


async def until_heard(hears: Hears, rate: int, least: dict[float, float]) -> None:
    """Wait until half a second has at least such shares of tones, at last the fortieth."""
    shares: dict[float, float] = {}
    for _ in range(40):
        sound = await hears(0.5)
        shares = {hertz: tone_share(sound, hertz, rate) for hertz in least}
        if all(shares[hertz] >= share for hertz, share in least.items()):
            return
    raise AssertionError(f"shares of tones: {shares}, not {least}")


async def test_by_whip_people_listen_speak_and_take_over_and_the_agent_has_the_call_back(
    tmp_path: Path,
) -> None:
    async with desk(media={"recordings": tmp_path}) as at:
        ann = at.page()
        await ann.call(f"?call={at.call_id}&mode=listen")
        await until_heard(ann.hears, RATE, {CALLER: 0.3, AGENT: 0.3})
        assert tone_share(await at.phone.hears(0.5), PAGE, 8000) < 0.01

        assert (await at.do({"supervise": "speak"}))[0] == 202
        await until_heard(at.phone.hears, 8000, {PAGE: 0.3, AGENT: 0.3})
        assert tone_share(await at.service.hears(0.5), PAGE, 24_000) < 0.01

        assert (await at.do({"supervise": "takeover"}))[0] == 202
        await at.service.until(lambda: bool(at.service.of("conversation.item.truncate")))
        assert at.service.of("response.cancel")
        await until_heard(at.phone.hears, 8000, {PAGE: 0.9})
        await until_heard(ann.hears, RATE, {CALLER: 0.9})

        asked = len(at.service.of("response.create"))
        await ann.hang_up()  # gone without a word
        await at.service.until(lambda: len(at.service.of("response.create")) > asked)
        (told,) = [one["item"] for one in at.service.of("conversation.item.create")]
        assert told["content"][0]["text"] == "A colleague spoke with the caller meanwhile."
        await until_heard(at.service.hears, 24_000, {CALLER: 0.9})
        await until_heard(at.phone.hears, 8000, {AGENT: 0.9})

        record = await at.record()
        changes = [e for e in record["timeline"] if e["name"] == "supervision.changed"]
        assert [(e["detail"]["by"], e["detail"]["mode"]) for e in changes] == [
            ("ann", "listen"), ("ann", "speak"), ("ann", "takeover"), ("ann", "leave"),
        ]  # fmt: skip
        assert ann.address.rsplit("/", 1)[1] not in json.dumps(record)
        await at.ask("DELETE", f"v1/calls/{at.call_id}")
        await at.phone.asked("BYE")
    stereo = np.frombuffer((tmp_path / f"{at.call_id}.wav").read_bytes()[44:], "<i2")
    most = [max(tone_share(side, PAGE, 8000) for side in _pieces(stereo[n::2])) for n in (0, 1)]
    assert most[0] < 0.01  # the caller's side
    assert most[1] > 0.9


def _pieces(sound: NDArray[np.int16]) -> list[NDArray[np.int16]]:
    """Cut sound into tenths of a second."""
    return [sound[start : start + 800] for start in range(0, len(sound) - 800, 800)]


async def test_only_supervisors_join_what_there_is_and_all_of_them_go_with_the_call() -> None:
    async with desk() as at:
        ann, root, wall = at.page(), at.page("root"), at.page("wall")
        query = f"?call={at.call_id}"
        for page, asked, status in (
            (wall, f"{query}&mode=listen", 403),
            (ann, "?call=none&mode=listen", 404),
            (ann, f"{query}&mode=sing", 400),
        ):
            with pytest.raises(AssertionError, match=f'"status":{status}'):
                await page.call(asked)
        await ann.call(f"{query}&mode=speak")
        await ann.hears(0.2)
        with pytest.raises(AssertionError, match="ann speaks to the caller already"):
            await root.call(f"{query}&mode=takeover")
        assert (await at.do({"supervise": "leave"}, who="root"))[0] == 409
        await at.phone.hang_up()
        await ann.until(lambda: ann.connection.connectionState in ("closed", "failed"))


async def test_a_caller_is_given_back_at_once_when_whoever_took_over_falls_silent() -> None:
    async with desk() as at:
        ann = at.page()
        await ann.call(f"?call={at.call_id}&mode=takeover")
        await until_heard(at.phone.hears, 8000, {PAGE: 0.9})
        asked = len(at.service.of("response.create"))
        ann.connection.getSenders()[0].transport._send_rtp = _nothing  # a dead network
        await at.service.until(lambda: len(at.service.of("response.create")) > asked)
        await until_heard(at.phone.hears, 8000, {AGENT: 0.9})
        left = [e for e in (await at.record())["timeline"] if e["name"] == "supervisor.left"]
        assert left[0]["detail"]["reason"] == "nothing comes from them any more"


async def _nothing(_data: bytes) -> None:
    """Send nothing."""
