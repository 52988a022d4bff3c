"""TLS and proxies: whom the links and requests trust, and which way they go."""

import asyncio
import base64
import contextlib
import ssl
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from aiohttp import web
from certificates import Authority

from gateway.errors import LinkError
from gateway.realtime.client import ServiceClient
from gateway.realtime.connection import open_socket, tls_context
from gateway.realtime.credentials import Key
from gateway.realtime.endpoint import Endpoint

pytestmark = pytest.mark.interop

HOST = "service.example"  # found by the proxy alone
PROXY_NAMES = (
    "http_proxy",
    "https_proxy",
    "ws_proxy",
    "wss_proxy",
    "socks_proxy",
    "all_proxy",
    "no_proxy",
)


class Service:
    """A WebSocket and a REST interface behind TLS on one port."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.keys: list[str] = []
        self.port = 0
        self._context = context

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.keys.append(request.headers.get("Authorization", ""))
        if request.method == "POST":
            return web.Response()
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for _ in socket:
            pass
        return socket

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Service"]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self._context)
        await site.start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            await runner.cleanup()


class Proxy:
    """An HTTP proxy that knows one tunnel: to ``port`` on loopback, whatever is asked for."""

    def __init__(self, port: int) -> None:
        self.asked: list[str] = []
        self.passes: set[str] = set()
        self.refusal = b""
        self.port = 0
        self._target = port

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Proxy"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lines = head.split("\r\n")
            self.asked.append(lines[0])
            self.passes |= {
                line.partition(" ")[2] for line in lines if line.lower().startswith("proxy-auth")
            }
            if self.refusal:
                writer.write(self.refusal)
                return
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with contextlib.closing(far_writer):
                await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof() if writer.can_write_eof() else writer.close()


@pytest.fixture
def trust(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """Have the machine trust an authority."""

    def trust(file: Path) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        tls_context.cache_clear()

    yield trust
    tls_context.cache_clear()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


async def reach(endpoint: Endpoint) -> None:
    """Open a socket, and send a request."""
    socket = await open_socket(endpoint)
    socket.listen(lambda _: None, lambda: None, lambda _: None)
    await socket.close()
    client = ServiceClient(endpoint)
    try:
        await client.hangup("rtc_1")
    finally:
        await client.close()


async def refusals(endpoint: Endpoint) -> list[LinkError]:
    """Return why neither the socket nor the request comes through."""
    with pytest.raises(LinkError) as first:
        await open_socket(endpoint)
    client = ServiceClient(endpoint)
    with pytest.raises(LinkError) as second:
        await client.hangup("rtc_1")
    await client.close()
    return [first.value, second.value]


async def test_a_service_that_proves_its_name_is_trusted(
    tmp_path: Path, trust: Callable[[Path], None]
) -> None:
    authority = Authority(tmp_path)
    trust(authority.file)
    async with Service(authority.server("127.0.0.1")).running() as service:
        await reach(Endpoint(f"wss://127.0.0.1:{service.port}/v1/realtime", Key("sk-1")))
    assert service.keys == ["Bearer sk-1"] * 2


@pytest.mark.parametrize("wrong", ["stranger", "name", "expired"])
async def test_a_service_that_does_not_gets_no_key(
    tmp_path: Path, trust: Callable[[Path], None], wrong: str
) -> None:
    authority = Authority(tmp_path)
    trust((Authority(tmp_path, "another") if wrong == "stranger" else authority).file)
    host = "localhost.example" if wrong == "name" else "127.0.0.1"
    context = authority.server(host, is_expired=wrong == "expired")
    async with Service(context).running() as service:
        endpoint = Endpoint(f"wss://127.0.0.1:{service.port}/v1/realtime", Key("sk-1"))
        for refused in await refusals(endpoint):
            assert "a certificate we do not trust" in str(refused)
            assert not refused.retryable
    assert service.keys == []


async def test_the_proxy_of_the_environment_is_used_and_sees_no_key(
    tmp_path: Path, trust: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    trust(authority.file)
    async with (
        Service(authority.server(HOST)).running() as service,
        Proxy(service.port).running() as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://ann:secret@127.0.0.1:{proxy.port}")
        await reach(Endpoint(f"wss://{HOST}/v1/realtime", Key("sk-1")))
    assert service.keys == ["Bearer sk-1"] * 2
    assert proxy.asked == [f"CONNECT {HOST}:443 HTTP/1.1"] * 2
    assert proxy.passes == {f"Basic {base64.b64encode(b'ann:secret').decode()}"}


async def test_behind_a_proxy_the_certificate_is_checked_all_the_same(
    tmp_path: Path, trust: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    trust(authority.file)
    async with (
        Service(authority.server("elsewhere.example")).running() as service,
        Proxy(service.port).running() as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        for refused in await refusals(Endpoint(f"wss://{HOST}/v1/realtime", Key("sk-1"))):
            assert "a certificate we do not trust" in str(refused)
    assert service.keys == []


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])
async def test_what_needs_no_proxy_goes_by_none(
    host: str, tmp_path: Path, trust: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    trust(authority.file)
    async with (
        Service(authority.server("0.0.0.0", "127.0.0.1")).running() as service,
        Proxy(service.port).running() as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        if host != "127.0.0.1":  # this machine needs no leave
            monkeypatch.setenv("NO_PROXY", f"other.example,{host}")
        await reach(Endpoint(f"wss://{host}:{service.port}/v1/realtime"))
    assert proxy.asked == []


async def test_a_proxy_that_refuses_is_a_link_error(
    closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Proxy(closed_port).running() as proxy:
        proxy.refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"
        monkeypatch.setenv("HTTPS_PROXY", f"http://ann:secret@127.0.0.1:{proxy.port}")
        for refused in await refusals(Endpoint(f"wss://{HOST}/v1/realtime?api-key=sk-1")):
            assert "cannot be reached" in str(refused)
            assert "secret" not in str(refused)
            assert "sk-1" not in str(refused)


async def test_no_proxy_at_its_address_is_a_link_error(
    closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://ann:secret@127.0.0.1:{closed_port}")
    for refused in await refusals(Endpoint(f"wss://{HOST}/v1/realtime")):
        assert "cannot be reached" in str(refused)
        assert "secret" not in str(refused)
        assert refused.retryable


async def test_a_proxy_of_a_kind_not_spoken_here_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCKS_PROXY", "socks5://ann:secret@127.0.0.1:1080")
    for refused in await refusals(Endpoint(f"wss://{HOST}/v1/realtime")):
        assert "socks5 proxy" in str(refused)
        assert "secret" not in str(refused)
        assert not refused.retryable


@pytest.mark.parametrize(
    "proxy",
    [
        "http://ann:secret@",
        "http://ann:secret@127.0.0.1:99999",
        "http://ann:secret@[bad",
        "http://127.0.0.1:1/?token=secret",
        "ann:secret@127.0.0.1:3128",
        "secret@127.0.0.1:3128",
    ],
)
async def test_a_proxy_that_is_no_address_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    for refused in await refusals(Endpoint(f"wss://{HOST}/v1/realtime")):
        assert "the environment names a proxy" in str(refused)
        assert "secret" not in "".join(traceback.format_exception(refused))
        assert not refused.retryable
