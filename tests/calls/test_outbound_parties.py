"""What the INVITE of a call that we place tells of who calls, by who is called."""

from typing import Any, cast

import pytest

from gateway.calls.facts import Behalf
from gateway.calls.outbound import Outbound
from gateway.calls.trunks import Trunks
from gateway.config import Settings, TrunkSettings
from gateway.media.engine import MediaEngine
from gateway.media.options import LaneOptions
from gateway.sip.transport.address import Advertiser
from gateway.sip.wire.message import Request
from gateway.testing.sip import VirtualNetwork

BEHALF = Behalf("<sip:+15550100@pbx.example>", is_private=True, identities=("a.b.c;info=<x:y>",))
SETTINGS = Settings(
    trunks=[
        TrunkSettings(name="friend", hosts=["192.0.2.1"], trusted=True),
        TrunkSettings(name="other", hosts=["192.0.2.3"]),
    ],
    dial={"caller": "sip:gateway@gw.example"},  # type: ignore[arg-type]
)


class Engine:
    """Gives out lanes that do nothing."""

    def open(self, *_: Any) -> Any:
        return Lane()


class Lane:
    host, port, fingerprint = "192.0.2.2", 40000, ""

    def close(self) -> None:
        raise AssertionError("the call was not placed")


async def invite(host: str, behalf: Behalf | None) -> Request:
    """Call somebody, and return the INVITE."""
    network = VirtualNetwork()
    signalling = network.phone("192.0.2.2")
    engine = cast("MediaEngine", Engine())
    outbound = Outbound(SETTINGS, Trunks(SETTINGS), signalling, engine, Advertiser())
    await outbound.place(
        f"sip:operator@{host}",
        LaneOptions(),
        on_leg=lambda event: None,
        on_lane=lambda event: None,
        on_audio=lambda chunk: None,
        seconds=20.0,
        behalf=behalf,
    )
    message = network.last("INVITE")
    assert isinstance(message, Request)
    return message


async def test_a_trusted_neighbour_is_told_who_calls_and_that_it_is_to_be_kept() -> None:
    request = await invite("192.0.2.1", BEHALF)
    assert str(request.from_.uri) == "sip:anonymous@anonymous.invalid"
    assert request.headers.get("P-Asserted-Identity") == BEHALF.asserted
    assert request.headers.get("Privacy") == "id"
    assert request.headers.get_all("Identity") == list(BEHALF.identities)


async def test_a_trusted_neighbour_is_told_our_own_name_of_our_own_calls() -> None:
    request = await invite("192.0.2.1", None)
    assert request.headers.get("P-Asserted-Identity") == "<sip:gateway@gw.example>"
    assert "Privacy" not in request.headers


@pytest.mark.parametrize("behalf", [BEHALF, None])
async def test_any_other_neighbour_is_told_nothing_of_it(behalf: Behalf | None) -> None:
    request = await invite("192.0.2.3", behalf)
    assert str(request.from_.uri) == "sip:gateway@gw.example"
    for name in ("P-Asserted-Identity", "Privacy", "Identity"):
        assert name not in request.headers
