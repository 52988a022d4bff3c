"""Whom a far end may have us call in its place."""

import asyncio
from typing import Any, cast

import pytest

from gateway.calls.referrals import Headers, Referrals, Way
from gateway.config import Settings, Target
from gateway.errors import CapacityError
from gateway.legs.sip_leg import SipLeg
from gateway.sdp.terms import Terms
from gateway.sip.dialogs.session_events import ReferReceived
from gateway.sip.wire.uri import Uri

SETTINGS = Settings(
    targets={"operator": Target(uri="sip:operator@pbx.example;transport=tcp")},
    dial={"allow": ["sip:+1555*@pbx.example", "sip:sip.pstnhub.example:5061"]},  # type: ignore[arg-type]
)


class NotedLeg:
    id = "call"

    def __init__(self) -> None:
        self.refused: list[int] = []
        self.followed: list[tuple[str, tuple[tuple[str, str], ...]]] = []

    def refuse_referral(self, status: int, words: str) -> None:
        assert words
        self.refused.append(status)

    async def follow(self, target: Uri, terms: Terms, **how: Any) -> None:
        self.followed.append((str(target), how["headers"]))


def way(uri: Uri, headers: Headers) -> Way:
    return Way(uri, Terms(("PCMU",)), {"headers": headers})


async def ask(wish: ReferReceived) -> NotedLeg:
    leg = NotedLeg()
    Referrals(SETTINGS, way).begin(cast("SipLeg", leg), wish)
    await asyncio.sleep(0)
    return leg


@pytest.mark.parametrize(
    "address",
    [
        "sip:operator@pbx.example",
        "sip:operator@pbx.example;transport=udp;ob",
        "sip:+15550100@pbx.example;user=phone",
        "sip:sip.pstnhub.example:5061;transport=tls;x-m=8%3Aorgid;x-t=1",
    ],
)
async def test_targets_and_what_is_allowed_to_be_dialled_may_be_called(address: str) -> None:
    leg = await ask(ReferReceived(Uri.parse(address)))
    assert leg.followed == [(address, ())]
    assert leg.refused == []


@pytest.mark.parametrize(
    "address",
    [
        "sip:+19005550100@pbx.example",
        "sip:operator@elsewhere.example",
        "sip:operator@pbx.example:5070",
        "sip:+15550100@pbx.example;maddr=203.0.113.9",
        "sip:+15550100@pbx.example;lr",
        "sip:x@elsewhere.example;a=sip:+15550100@pbx.example",
        "sip:+15550100@pbx.example.elsewhere.example",
    ],
)
async def test_nobody_else_is_called_whatever_the_address_says_besides(address: str) -> None:
    leg = await ask(ReferReceived(Uri.parse(address)))
    assert leg.followed == []
    assert leg.refused == [603]


async def test_the_new_call_says_whose_place_it_takes_and_who_asked() -> None:
    named = "a@b;to-tag=1;from-tag=2"
    wish = ReferReceived(Uri.parse("sip:operator@pbx.example"), named, "<sip:ann@pbx.example>")
    leg = await ask(wish)
    ((_, headers),) = leg.followed
    assert headers == (
        ("Replaces", named),
        ("Require", "replaces"),
        ("Referred-By", "<sip:ann@pbx.example>"),
    )


async def test_where_there_is_no_way_the_asker_is_told_so() -> None:
    def nowhere(uri: Uri, headers: Headers) -> Way:
        raise CapacityError("its trunk has calls enough")

    leg = NotedLeg()
    wish = ReferReceived(Uri.parse("sip:operator@pbx.example"))
    Referrals(SETTINGS, nowhere).begin(cast("SipLeg", leg), wish)
    assert leg.refused == [503]
