"""Server-sent events, as MCP servers and chat models stream them (WHATWG HTML, section 9.2)."""

from collections.abc import AsyncIterator
from typing import Final

from ...errors import ProtocolError

__all__ = ["SseParser", "read_events"]

_MOST_HELD: Final = 4_000_000  # bytes of one event


class SseParser:
    """Takes a stream of bytes; gives the data of each event."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[str]:
        """Take in more; return the data of the events that are whole by now.

        Raises:
            ProtocolError: An event is beyond all measure.

        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        events = []
        for line in lines:
            line = line.removesuffix(b"\r")
            if line.startswith(b"data:"):
                self._data.append(line.removeprefix(b"data:").removeprefix(b" "))
                self._size += len(line)
            elif not line and self._data:
                events.append(b"\n".join(self._data).decode("utf-8", "replace"))
                self._data, self._size = [], 0
        if self._size + len(self._rest) > _MOST_HELD:
            raise ProtocolError(f"an event of more than {_MOST_HELD} bytes")
        return events


async def read_events(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Yield the data of each event of a stream; the last one need not be closed by a blank line."""
    parser = SseParser()
    async for chunk in chunks:
        for event in parser.feed(chunk):
            yield event
    for event in parser.feed(b"\n\n"):
        yield event
