"""A WebSocket that hands messages over at once: no queue, no lock and no task between.

The handshake, TLS, proxies, the keep-alive, reading and the goodbye are those of ``websockets``.
Left out is what its ``send`` and ``recv`` cost for each message, which for a call's hundred small
messages a second is more than everything else the call does.
"""

import asyncio
import functools
import os
import ssl
import struct
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol, TypeAlias

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidProxy, InvalidStatus, WebSocketException
from websockets.frames import DATA_OPCODES, Close, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.proxy import get_proxy, parse_proxy
from websockets.uri import parse_uri

from ..errors import LinkError
from .endpoint import Endpoint
from .faults import explain_certificate, explain_status

try:
    from websockets.speedups import apply_mask
except ImportError:  # an installation without its C extension
    from websockets.utils import apply_mask

__all__ = [
    "Connect",
    "DirectConnection",
    "OnEnd",
    "OnMessage",
    "OnWritable",
    "Socket",
    "open_socket",
    "proxy_of",
    "text_frame",
    "tls_context",
]

_OPEN_TIMEOUT: Final = 10.0
_CLOSE_TIMEOUT: Final = 2.0
_MOST_BYTES: Final = 64 << 20  # in one message: an item retrieved with its audio is megabytes
_KEYS: Final = 64  # masking keys drawn at a time

_TEXT: Final = 0x81  # the last, and only, frame of a text message
_MASKED: Final = 0x80
_SHORT: Final = struct.Struct("!BB4s")
_MEDIUM: Final = struct.Struct("!BBH4s")
_LONG: Final = struct.Struct("!BBQ4s")

OnMessage: TypeAlias = Callable[[bytes | bytearray], None]
OnWritable: TypeAlias = Callable[[], None]
OnEnd: TypeAlias = Callable[[Close | None], None]


class Socket(Protocol):
    """What the link needs of a WebSocket."""

    @property
    def is_clogged(self) -> bool:
        """Whether the other side takes less than it is sent: wait for ``on_writable``."""
        ...

    def listen(self, on_message: OnMessage, on_writable: OnWritable, on_end: OnEnd) -> None:
        """From the loop's next turn on, hand over what came and what comes.

        ``on_end`` is called once, when nothing more will come, with the other side's goodbye.
        """
        ...

    def send_now(self, text: bytes) -> None:
        """Send a text message; nothing where the connection is closing or closed."""
        ...

    def drop(self, code: int, reason: str) -> None:
        """Say goodbye; the connection ends soon, whatever the other side does."""
        ...

    async def close(self) -> None:
        """Say goodbye and wait until the connection is over."""
        ...


class _Direct(connect):
    """A connection attempt that goes where it was sent, and nowhere else with our key."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Take a redirect for a refusal."""
        return exc


Connect: TypeAlias = Callable[[Endpoint], Awaitable[Socket]]


async def open_socket(endpoint: Endpoint) -> Socket:
    """Connect to the service, without compression or redirects.

    A token that is refused is replaced once, where another can be had.

    Raises:
        LinkError: It cannot be reached or refuses us.

    """
    return await endpoint.admit(lambda headers: _open(endpoint, headers))


@functools.cache
def tls_context() -> ssl.SSLContext:
    """Return the one context that checks whom we talk to; loading it takes milliseconds."""
    return ssl.create_default_context()


def proxy_of(endpoint: Endpoint) -> str | None:
    """Return the proxy that the environment names for the service; none for this machine.

    Raises:
        LinkError: It is of a kind that is not spoken here, or no address; it may hold a password.

    """
    proxy = None if endpoint.is_local else get_proxy(parse_uri(endpoint.url))
    if proxy is None:
        return None
    kind, mark, _ = proxy.partition("://")
    if kind not in ("http", "https"):
        told = f"a {kind} proxy" if mark else "a proxy without http:// before it"
        raise LinkError(
            f"the environment names {told}; name an HTTP one in HTTPS_PROXY", retryable=False
        )
    try:
        parse_proxy(proxy)
    except (InvalidProxy, ValueError):
        told = "the environment names a proxy whose address cannot be read"
        raise LinkError(told, retryable=False) from None
    return proxy


async def _open(endpoint: Endpoint, headers: Mapping[str, str]) -> Socket:
    try:
        connection = await _Direct(
            endpoint.url,
            additional_headers=dict(headers),
            compression=None,
            max_size=_MOST_BYTES,
            ssl=tls_context() if endpoint.url.startswith("wss:") else None,
            proxy=proxy_of(endpoint),
            open_timeout=_OPEN_TIMEOUT,
            close_timeout=_CLOSE_TIMEOUT,
            create_connection=DirectConnection,
        )
    except InvalidStatus as error:
        body = bytes(error.response.body or b"")
        raise explain_status(error.response.status_code, body) from None
    except ssl.SSLCertVerificationError as error:
        raise explain_certificate(endpoint.where, error) from error
    except (OSError, WebSocketException, ValueError) as error:
        told = str(error) or type(error).__name__
        raise LinkError(f"{endpoint.where} cannot be reached: {told}") from error
    assert isinstance(connection, DirectConnection)
    return connection


def text_frame(text: bytes, key: bytes) -> bytes:
    """Return a whole text message as a client puts it on the wire (RFC 6455, section 5.2)."""
    size = len(text)
    if size < 126:
        head = _SHORT.pack(_TEXT, _MASKED | size, key)
    elif size < 1 << 16:
        head = _MEDIUM.pack(_TEXT, _MASKED | 126, size, key)
    else:
        head = _LONG.pack(_TEXT, _MASKED | 127, size, key)
    return head + apply_mask(text, key)


class DirectConnection(ClientConnection):
    """The connection of ``websockets``, its messages written and handed over at once.

    ``send`` and ``recv`` of the base class are not to be used beside these.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.is_clogged = False
        self._on_message: OnMessage | None = None  # set when somebody listens
        self._on_writable: OnWritable | None = None
        self._on_end: OnEnd | None = None
        self._early: list[bytes | bytearray] = []  # what came before that
        self._fragments: bytearray | None = None  # of the message that is coming in
        self._keys = b""
        self._is_over = False
        self._abort: asyncio.TimerHandle | None = None

    # What the link calls

    def listen(self, on_message: OnMessage, on_writable: OnWritable, on_end: OnEnd) -> None:
        """From the loop's next turn on, hand over what came and what comes."""
        self.loop.call_soon(self._start, on_message, on_writable, on_end)

    def send_now(self, text: bytes) -> None:
        """Send a text message; nothing where the connection is closing or closed."""
        if self.protocol.state is State.OPEN:
            keys = self._keys or os.urandom(4 * _KEYS)
            self._keys = keys[4:]
            self.transport.write(text_frame(text, keys[:4]))

    def drop(self, code: int, reason: str) -> None:
        """Say goodbye; the connection ends soon, whatever the other side does."""
        if self.protocol.state is State.OPEN:
            self.protocol.send_close(code, reason)
            self.send_data()
        self._abort_soon()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye and wait until the connection is over."""
        self.drop(code, reason)
        await self.wait_closed()

    # What the transport and the base class call

    def process_event(self, event: Request | Response | Frame) -> None:
        """Take in a frame, or the answer to the handshake."""
        if not isinstance(event, Frame) or event.opcode not in DATA_OPCODES:
            super().process_event(event)
        elif event.fin and event.opcode is not Opcode.CONT:
            self._deliver(event.data)  # type: ignore[arg-type]
        else:
            self._join(event)

    def data_received(self, data: bytes) -> None:
        """Take in what came, and notice where it is the last that can be understood."""
        super().data_received(data)
        protocol = self.protocol
        if protocol.state is not State.OPEN and (protocol.close_rcvd or protocol.parser_exc):
            self._abort_soon()
            self._end()

    def pause_writing(self) -> None:
        """The other side takes less than it is sent."""
        super().pause_writing()
        self.is_clogged = True

    def resume_writing(self) -> None:
        """There is room again."""
        super().resume_writing()
        self.is_clogged = False
        if self._on_writable is not None:
            self._on_writable()

    async def drain(self) -> None:
        """Do not wait for room: the keep-alive could not miss a peer that stopped reading."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over."""
        super().connection_lost(exc)
        if self._abort is not None:
            self._abort.cancel()
        self._end()

    # How it goes on

    def _start(self, on_message: OnMessage, on_writable: OnWritable, on_end: OnEnd) -> None:
        self._on_message, self._on_writable, self._on_end = on_message, on_writable, on_end
        early, self._early = self._early, []
        for message in early:
            on_message(message)
        on_writable()
        if self._is_over:
            on_end(self.protocol.close_rcvd)

    def _join(self, frame: Frame) -> None:
        """Gather a fragmented message; the protocol sees to their order and their size."""
        if self._fragments is None:
            self._fragments = bytearray()
        self._fragments += frame.data
        if frame.fin:
            message, self._fragments = self._fragments, None
            self._deliver(message)

    def _deliver(self, message: bytes | bytearray) -> None:
        if self._on_message is None:
            self._early.append(message)
        else:
            self._on_message(message)

    def _end(self) -> None:
        if not self._is_over:
            self._is_over = True
            if self._on_end is not None:
                self._on_end(self.protocol.close_rcvd)

    def _abort_soon(self) -> None:
        """Cut the connection if its goodbye takes too long; ``websockets`` may wait for ever."""
        if self._abort is None and self.protocol.state is not State.CLOSED:
            wait = _CLOSE_TIMEOUT if self.close_timeout is None else self.close_timeout
            self._abort = self.loop.call_later(wait, self.transport.abort)
