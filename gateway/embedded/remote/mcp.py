"""A client of MCP servers: streamable HTTP, as far as listing and calling tools needs it.

Model Context Protocol, revision 2025-06-18: JSON-RPC 2.0 in POST requests, each
answered by one JSON message or by a stream of events that ends with it.
"""

import asyncio
import itertools
from typing import Any, Final

import aiohttp
import msgspec

from ...errors import ProtocolError
from ..protocol.mcp_server import McpServer
from .bodies import chunks_of, read_all
from .sse import read_events

__all__ = ["McpClient", "McpError"]

_REVISION: Final = "2025-06-18"
_LIST_SECONDS: Final = 10.0
_CALL_SECONDS: Final = 60.0
_CLOSE_SECONDS: Final = 2.0
_MOST_PAGES: Final = 20  # of a list of tools
_MOST_BYTES: Final = 4_000_000  # of one answer
_GONE: Final = 404  # what a server answers once it has forgotten our session


class McpError(ProtocolError):
    """A server did not do as it was asked; ``detail`` is the ``error`` of an ``mcp_call``."""

    def __init__(self, kind: str, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.detail: dict[str, Any] = {"type": kind, "message": message}
        if code is not None:
            self.detail["code"] = code


class McpClient:
    """One client at one server; it begins when it is first needed.

    Every method raises :class:`McpError`, and nothing else, where the server fails.
    """

    def __init__(self, http: aiohttp.ClientSession, server: McpServer) -> None:
        self.server = server
        self._http = http
        self._ids = itertools.count(1)
        self._is_open = False
        self._session = ""
        self._revision = _REVISION
        self._turn = asyncio.Lock()  # one beginning at a time

    async def list_tools(self) -> list[dict[str, Any]]:
        """Return the server's tools, as ``mcp_list_tools`` items show them."""
        tools: list[dict[str, Any]] = []
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            params = {"cursor": cursor} if cursor else {}
            page = await self._ask("tools/list", params, _LIST_SECONDS)
            tools += [_shown(tool) for tool in _list(page.get("tools")) if _is_tool(tool)]
            cursor = page.get("nextCursor")
            if not isinstance(cursor, str):
                break
        return tools

    async def call_tool(self, name: str, arguments: str) -> str:
        """Call a tool; return its output.  ``arguments`` is the JSON text of an object."""
        try:
            given = msgspec.json.decode(arguments or "{}", type=dict[str, Any])
        except (ValueError, RecursionError) as error:
            message = f"the arguments are no JSON object: {error}"
            raise McpError("tool_execution_error", message) from error
        result = await self._ask("tools/call", {"name": name, "arguments": given}, _CALL_SECONDS)
        output = _text_of(result)
        if result.get("isError"):
            raise McpError("tool_execution_error", output or "the tool failed")
        return output

    async def close(self) -> None:
        """Tell the server that we are done; it need not care."""
        if not self._session:
            return
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._http.delete(
                    self.server.url, headers=self._headers(), allow_redirects=False
                )
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return

    async def _ask(self, method: str, params: dict[str, Any], seconds: float) -> dict[str, Any]:
        if not self.server.url:
            raise McpError("tool_execution_error", "only servers with a server_url can be reached")
        try:
            async with asyncio.timeout(seconds):
                await self._begin()
                try:
                    return await self._request(method, params)
                except McpError as error:
                    if error.code != _GONE or not self._session:
                        raise
                self._is_open, self._session = False, ""
                await self._begin()
                return await self._request(method, params)
        except McpError:
            raise
        except ProtocolError as error:
            raise McpError("tool_execution_error", str(error)) from error
        except TimeoutError as error:
            message = f"the server did not answer within {seconds:g} seconds"
            raise McpError("tool_execution_error", message) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            message = f"the server cannot be reached: {error}"
            raise McpError("tool_execution_error", message) from error

    async def _begin(self) -> None:
        """Introduce ourselves, once."""
        async with self._turn:
            if self._is_open:
                return
            about = {
                "protocolVersion": _REVISION,
                "capabilities": {},
                "clientInfo": {"name": "voice-gateway", "version": "1"},
            }
            answer = await self._request("initialize", about)
            self._revision = str(answer.get("protocolVersion", _REVISION))
            await self._post({"jsonrpc": "2.0", "method": "notifications/initialized"}, None)
            self._is_open = True

    async def _request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        request_id = next(self._ids)
        message = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
        answer = await self._post(message, request_id)
        if isinstance(error := answer.get("error"), dict):
            code, told = error.get("code"), error.get("message")
            raise McpError(
                "protocol_error", str(told), code=code if isinstance(code, int) else -32603
            )
        result = answer.get("result")
        if not isinstance(result, dict):
            raise McpError("protocol_error", f"{method} was not answered", code=-32603)
        return result

    async def _post(self, message: dict[str, Any], request_id: int | None) -> dict[str, Any]:
        """Send a message; return the answer, empty where none is awaited."""
        async with self._http.post(
            self.server.url,
            data=msgspec.json.encode(message),
            headers=self._headers(),
            allow_redirects=False,  # our headers are for this server alone
        ) as response:
            if not response.ok or response.status >= 300:
                raise McpError("http_error", response.reason or "refused", code=response.status)
            if session := response.headers.get("Mcp-Session-Id"):
                self._session = session
            if request_id is None:
                return {}
            if response.content_type == "text/event-stream":
                async for event in read_events(chunks_of(response, _MOST_BYTES)):
                    if found := _answer_to(request_id, event):
                        return found
                return {}
            return _answer_to(request_id, await read_all(response, _MOST_BYTES)) or {}

    def _headers(self) -> dict[str, str]:
        own = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
        }
        if self._is_open:
            own["MCP-Protocol-Version"] = self._revision
        if self._session:
            own["Mcp-Session-Id"] = self._session
        return {**self.server.headers, **own}


def _answer_to(request_id: int, data: bytes | str) -> dict[str, Any] | None:
    """Return a message if it answers our request; other messages are of no interest."""
    try:
        message = msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return None
    if isinstance(message, dict) and message.get("id") == request_id and "method" not in message:
        return message
    return None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_tool(tool: Any) -> bool:
    return isinstance(tool, dict) and isinstance(tool.get("name"), str)


def _shown(tool: dict[str, Any]) -> dict[str, Any]:
    shown = {"name": tool["name"], "input_schema": tool.get("inputSchema") or {"type": "object"}}
    for name in ("description", "annotations"):
        if tool.get(name) is not None:
            shown[name] = tool[name]
    return shown


def _text_of(result: dict[str, Any]) -> str:
    """Return what a tool gave, as text; what is no text is named by its kind."""
    pieces = [
        str(part.get("text", "")) if part.get("type") == "text" else f"[{part.get('type')}]"
        for part in _list(result.get("content"))
        if isinstance(part, dict)
    ]
    if not pieces and "structuredContent" in result:
        return msgspec.json.encode(result["structuredContent"]).decode()
    return "\n".join(pieces)
