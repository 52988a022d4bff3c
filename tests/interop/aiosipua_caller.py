"""A call by aiosipua: held, a key, refreshed, hung up; prints what each request was answered.

A program of its own, since that library fails an assertion of its own on this loop.

    python aiosipua_caller.py HOST PORT
"""

import asyncio
import json
import sys
from typing import Any

from aiosipua import OutgoingCall, SipMessage, SipResponse, SipUAC, SipUAS, build_sdp
from aiosipua.transport import UdpSipTransport


class Answers:
    """The final responses, as they come."""

    def __init__(self, transport: UdpSipTransport) -> None:
        self.told: dict[str, int] = {}
        self._changed = asyncio.Event()
        onwards = transport.on_message
        assert onwards is not None

        def note(message: SipMessage, address: Any) -> None:
            if isinstance(message, SipResponse) and message.status_code >= 200:
                self.told[f"{message.cseq.seq} {message.cseq.method}"] = message.status_code
                self._changed.set()
            onwards(message, address)

        transport.on_message = note

    async def until(self, call: OutgoingCall, method: str) -> None:
        """Wait for the answer to the latest request of a call."""
        request = f"{call.dialog.local_cseq} {method}"
        async with asyncio.timeout(10):
            while request not in self.told:
                self._changed.clear()
                await self._changed.wait()


async def main(host: str, port: int) -> None:
    transport = UdpSipTransport(local_addr=("127.0.0.1", 0))
    caller = SipUAC(transport)
    station = SipUAS(transport, uac=caller, session_expires=1800)
    await station.start()
    answers = Answers(transport)
    assert transport._udp_transport is not None
    transport.local_addr = transport._udp_transport.get_extra_info("sockname")
    there = (host, port)
    offer = build_sdp("127.0.0.1", 40_000, 0, "PCMU")
    call = caller.send_invite(
        "sip:aiosipua@127.0.0.1", f"sip:demo@{host}:{port}", there, offer, session_expires=1800
    )
    await call.wait_answered(10)
    held = build_sdp("127.0.0.1", 40_000, 0, "PCMU")
    held.media[0].attributes["sendonly"] = held.media[0].attributes.pop("sendrecv", [])
    caller.send_reinvite(call.dialog, held, there)
    await answers.until(call, "INVITE")
    key = "Signal=7\r\nDuration=160\r\n"
    caller.send_info(call.dialog, key, "application/dtmf-relay", there)
    await answers.until(call, "INFO")
    caller.send_update(call.dialog, there)
    await answers.until(call, "UPDATE")
    call.hangup(caller)
    await answers.until(call, "BYE")
    print(json.dumps(answers.told))
    await station.stop()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
