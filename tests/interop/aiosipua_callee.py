"""aiosipua is called: it wants a longer session, rings reliably, answers, waits for the goodbye.

Prints its port, and at the end the requests that came, each with its Session-Expires, and the
interval that was agreed.  A program of its own, as ``aiosipua_caller.py`` is.

    python aiosipua_callee.py
"""

import asyncio
import json
from typing import Any

from aiosipua import IncomingCall, SipMessage, SipRequest, SipUAS, build_sdp
from aiosipua.transport import UdpSipTransport


async def main() -> None:
    transport = UdpSipTransport(local_addr=("127.0.0.1", 0))
    station = SipUAS(transport, session_expires=3600, min_se=3600)
    invited: asyncio.Queue[IncomingCall] = asyncio.Queue()
    gone = asyncio.Event()
    station.on_invite = invited.put_nowait
    station.on_bye = lambda *_: gone.set()
    await station.start()
    asked: list[tuple[str, str]] = []
    onwards = transport.on_message
    assert onwards is not None

    def note(message: SipMessage, address: Any) -> None:
        if isinstance(message, SipRequest):
            asked.append((message.method, message.get_header("session-expires") or ""))
        onwards(message, address)

    transport.on_message = note
    assert transport._udp_transport is not None
    transport.local_addr = transport._udp_transport.get_extra_info("sockname")
    print(transport.local_addr[1], flush=True)
    async with asyncio.timeout(20):
        call = await invited.get()
        call.ringing(reliable=True)
        while "PRACK" not in (method for method, _ in asked):
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.02)  # until it has taken note of it itself
        call.accept(build_sdp("127.0.0.1", 40_000, 0, "PCMU"))
        await gone.wait()
    print(json.dumps([asked, call.session_interval]), flush=True)
    await station.stop()


if __name__ == "__main__":
    asyncio.run(main())
