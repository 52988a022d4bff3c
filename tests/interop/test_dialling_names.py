"""Calls to a name: the gateway finds its servers, and turns from one that is dead to the next."""

import asyncio

import pytest
from name_server import name_server
from peers import Sipp, free_port

from gateway.calls.dialling import Wish
from gateway.testing.loopback import loopback_gateway
from gateway.testing.service import LoopbackService

pytestmark = pytest.mark.interop


async def test_a_call_to_a_name_reaches_its_second_server_when_the_first_is_dead(
    sipp: Sipp,
) -> None:
    """The Contact is a name as well: ACK and BYE find their way by it."""
    with name_server({}) as names, sipp.called("answers", contact="desk.pbx.test") as address:
        live = address.rpartition(":")[2]
        names.records.update(
            {
                ("pbx.test", "NAPTR"): ['10 10 "s" "SIP+D2U" "" _sip._udp.pbx.test.'],
                ("_sip._udp.pbx.test", "SRV"): [
                    f"10 0 {free_port()} dead.pbx.test.",
                    f"20 0 {live} live.pbx.test.",
                ],
                ("dead.pbx.test", "A"): ["127.0.0.1"],
                ("live.pbx.test", "A"): ["127.0.0.1"],
                ("_sip._udp.desk.pbx.test", "SRV"): [f"10 0 {live} live.pbx.test."],
            }
        )
        async with (
            LoopbackService() as service,
            loopback_gateway(
                service.url,
                sip={"bind": ["udp:127.0.0.1:0"], "nameservers": [names.address]},
                targets={"desk": {"uri": "sip:user@pbx.test"}},
            ) as gateway,
        ):
            call = await gateway.dialling.dial(Wish("desk"))
            async with asyncio.timeout(20):
                while "leg.answered" not in [
                    e["name"] for e in call.record().as_dict()["timeline"]
                ]:
                    await asyncio.sleep(0.05)
                call.hang_up("done")
                while len(gateway.registry):
                    await asyncio.sleep(0.05)
            assert gateway.facts()["counted"]["sip"]["failovers"] == 1
    assert ("pbx.test", "NAPTR") in names.asked
