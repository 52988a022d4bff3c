"""The work a session asks for, done outside it and handed back."""

from collections.abc import Callable
from contextlib import aclosing
from typing import TypeAlias

import aiohttp
import numpy as np
from numpy.typing import NDArray

from ..clock import Clock
from ..errors import CapacityError, ConfigError, GatewayError
from ..realtime.items import ErrorDetail
from .protocol.mcp_server import McpServer
from .protocol.outbox import CallMcp, Chat, Hear, Job, ListTools, Speak
from .protocol.session import Session
from .remote import models
from .remote.mcp import McpClient, McpError
from .workers import Workers

__all__ = ["Errands"]

Pcm: TypeAlias = NDArray[np.int16]


class Errands:
    """Runs the jobs of one session: each in a task of the owner's.

    Threads of this machine speak and listen, unless the service's engine is a
    cascade with models of its own for that.

    Args:
        session: Whose jobs they are.
        workers: The threads that speak and listen for every session.
        clock: Monotonic seconds.
        on_news: Called whenever the session may have something to send.

    """

    def __init__(
        self, session: Session, workers: Workers, clock: Clock, on_news: Callable[[], None]
    ) -> None:
        self._session = session
        self._workers = workers
        self._clock = clock
        self._on_news = on_news
        self._cascade = workers.cascade
        self._http: aiohttp.ClientSession | None = None
        self._servers: dict[str, McpClient] = {}

    async def run(self, job: Job) -> None:
        """Do a job and hand its outcome to the session; what goes wrong is an outcome too."""
        match job:
            case Speak():
                await self._speak(job)
            case Hear():
                await self._hear(job)
            case Chat():
                await self._chat(job)
            case ListTools():
                await self._list_tools(job)
            case CallMcp():
                await self._call_mcp(job)
        self._on_news()

    async def close(self) -> None:
        """Let go of whatever was opened for the session."""
        for client in self._servers.values():
            await client.close()
        if self._http is not None:
            await self._http.close()

    async def _speak(self, job: Speak) -> None:
        try:
            speech = await self._speech(job)
        except GatewayError as error:
            self._session.unspoken(job.job, _problem(error, "speech_failed"), self._clock())
        else:
            self._session.spoken(job.job, speech, self._clock())

    async def _hear(self, job: Hear) -> None:
        try:
            words = await self._words(job)
        except GatewayError as error:
            problem = _problem(error, "transcription_failed", "transcription_error")
            self._session.unheard(job.job, problem, self._clock())
        else:
            self._session.heard(job.job, words, self._clock())

    async def _speech(self, job: Speak) -> Pcm:
        if self._cascade is None or self._cascade.speech is None:
            return await self._workers.speak(job)
        with self._workers.slot():
            return await models.speak(self._client(), self._cascade.speech, job.text)

    async def _words(self, job: Hear) -> str:
        if self._cascade is None or self._cascade.transcription is None:
            return await self._workers.hear(job)
        with self._workers.slot():
            model = self._cascade.transcription
            return await models.transcribe(self._client(), model, job.pcm, job.rate)

    async def _chat(self, job: Chat) -> None:
        try:
            await self._think(job)
        except GatewayError as error:
            self._session.unthought(job.job, _problem(error, "chat_failed"), self._clock())

    async def _think(self, job: Chat) -> None:
        """Hand the answer on piece by piece, until nobody wants to hear more of it."""
        if self._cascade is None:
            raise ConfigError("no chat model is configured here")
        with self._workers.slot():
            answer = models.chat(self._client(), self._cascade.chat, job.request)
            async with aclosing(answer):
                async for thought in answer:
                    if not self._session.thought(job.job, thought, self._clock()):
                        return
                    self._on_news()

    async def _list_tools(self, job: ListTools) -> None:
        try:
            tools = await self._server(job.server).list_tools()
        except McpError:
            self._session.unlisted(job.job)
        else:
            self._session.listed(job.job, tools, self._clock())

    async def _call_mcp(self, job: CallMcp) -> None:
        try:
            output = await self._server(job.server).call_tool(job.name, job.arguments)
        except McpError as error:
            self._session.tool_returned(job.job, None, self._clock(), error.detail)
        else:
            self._session.tool_returned(job.job, output, self._clock())

    def _server(self, server: McpServer) -> McpClient:
        """Return our client at an MCP server; one that is named anew begins anew."""
        client = self._servers.get(server.label)
        if client is None or client.server != server:
            client = self._servers[server.label] = McpClient(self._client(), server)
        return client

    def _client(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(trust_env=True)
        return self._http


def _problem(error: GatewayError, code: str, kind: str = "server_error") -> ErrorDetail:
    """Return what a session tells its client of an error; too much work is not a fault."""
    if isinstance(error, CapacityError):
        code = "inference_rate_limit_exceeded"
    return ErrorDetail(type=kind, code=code, message=str(error))
