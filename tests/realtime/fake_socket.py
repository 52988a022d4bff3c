"""A socket whose other end is the test."""

import json
from typing import Any

from websockets.frames import Close

from gateway.realtime.connection import OnEnd, OnMessage, OnWritable


class FakeSocket:
    """Takes what the link sends; says what the test has it say."""

    def __init__(self) -> None:
        self.is_clogged = False
        self.sent: list[dict[str, Any]] = []
        self.dropped_with: list[int] = []
        self.is_closed = False
        self.on_end: OnEnd = lambda goodbye: None

    def listen(self, on_message: OnMessage, on_writable: OnWritable, on_end: OnEnd) -> None:
        self.on_message, self.on_writable, self.on_end = on_message, on_writable, on_end

    def send_now(self, text: bytes) -> None:
        assert not self.is_clogged
        self.sent.append(json.loads(text))

    def drop(self, code: int, reason: str) -> None:
        self.dropped_with.append(code)

    async def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self.on_end(Close(1000, ""))

    def unclog(self) -> None:
        self.is_clogged = False
        self.on_writable()

    def say(self, message: Any) -> None:
        self.on_message(json.dumps(message).encode())

    @property
    def names(self) -> list[str]:
        return [message["type"] for message in self.sent]
