"""A STUN server on loopback that says of everybody what it is told to say."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aioice.stun import Class, Message, Method, parse_message

__all__ = ["StunServer", "stun_server"]


class StunServer(asyncio.DatagramProtocol):
    """Tells who asks that it is ``seen``."""

    def __init__(self) -> None:
        self.seen: tuple[str, int] | None = ("203.0.113.5", 40123)
        self.asked_by: list[Any] = []
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.asked_by.append(addr)
        if self.seen is not None:
            told = {"XOR-MAPPED-ADDRESS": self.seen}
            token = parse_message(data).transaction_id
            answer = Message(Method.BINDING, Class.RESPONSE, token, told)
            self.transport.sendto(bytes(answer), addr)


@asynccontextmanager
async def stun_server() -> AsyncIterator[tuple[StunServer, str]]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(StunServer, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    try:
        yield server, f"stun:127.0.0.1:{port}"
    finally:
        transport.close()
