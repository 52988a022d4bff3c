"""Keys pressed by every way over a loopback that loses datagrams; prints what control made of them.

Run in a network namespace of its own, where a rule of the kernel's firewall drops datagrams at
random.  Prints one line of JSON: the keys of each way.
"""

import asyncio
import json
import sys

from gateway.app import Gateway
from gateway.calls.softphone import DtmfWay, Softphone
from gateway.testing.loopback import loopback_gateway, sip_address
from gateway.testing.service import LoopbackService

WAYS: tuple[DtmfWay, ...] = ("rfc4733", "info", "inband")
PATIENCE = {"rfc4733": 10.0, "info": 40.0, "inband": 8.0}  # seconds until all keys are told
DTMF = "input_audio_buffer.dtmf_event_received"


async def press(service_url: str, way: DtmfWay, keys: str) -> str:
    """Call a gateway, press the keys, and return those that were told to call control."""
    async with loopback_gateway(service_url) as gateway, Softphone(dtmf=way) as phone:
        host, port = sip_address(gateway)
        await phone.dial(f"sip:demo@{host}:{port}")
        await asyncio.sleep(0.5)
        phone.press(keys)
        loop = asyncio.get_running_loop()
        latest = loop.time() + PATIENCE[way]  # INFO is sent again after up to four seconds
        while len(told(gateway)) < len(keys) and loop.time() < latest:
            await asyncio.sleep(0.05)
        await asyncio.sleep(2.0)  # so that a key told twice shows
        return told(gateway)


def told(gateway: Gateway) -> str:
    """Return the keys of the only call so far."""
    (record,) = gateway.registry.records()
    return "".join(e["detail"]["event"] for e in record.timeline if e["name"] == DTMF)


async def main(keys: str) -> None:
    """Press the keys by every way, one call after the other."""
    async with LoopbackService(reply_seconds=0.5) as service:
        heard = {way: await press(service.url, way, keys) for way in WAYS}
    print(json.dumps(heard))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
