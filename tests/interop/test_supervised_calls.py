"""People have their say in live calls, over HTTP: who may, what is refused, what comes of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from aiohttp import ClientSession

from gateway.testing.bare_phone import BarePhone
from gateway.testing.loopback import loopback_gateway, sip_address
from gateway.testing.service import LoopbackService, ServiceSession

pytestmark = pytest.mark.interop

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
}


class Desk:
    """A call in progress, and people who ask for something of it."""

    def __init__(
        self, session: ClientSession, phone: BarePhone, service: ServiceSession, call_id: str
    ) -> None:
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

    async def record(self) -> dict[str, Any]:
        """Return the call's record as it stands."""
        status, record = await self.ask("GET", f"v1/calls/{self.call_id}", who="wall")
        assert status == 200
        return dict(record)


@asynccontextmanager
async def desk() -> AsyncIterator[Desk]:
    async with (
        LoopbackService(reply_seconds=60.0) as service,
        loopback_gateway(service.url, **SETTINGS) as gateway,
        BarePhone(sip_address(gateway)) as phone,
        ClientSession(gateway.page) as session,
    ):
        await phone.dial()
        (call,) = gateway.registry.records()
        yield Desk(session, phone, await service.session(0), call.call_id)


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
        assert (status, told["detail"]) == (409, "the call is over")
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
