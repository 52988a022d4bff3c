"""The admin endpoint: faults on demand and a look at what goes on; for this machine alone."""

import ipaddress

from aiohttp import web

from ...clock import Ids
from ..calls.book import Calls
from ..faults import Faults, inflict
from ..sessions import Sessions
from .bodies import read_json
from .errors import HttpRefusal
from .keys import Keys

__all__ = ["AdminRoutes"]


class AdminRoutes:
    """Takes orders from those on this machine who hold the key."""

    def __init__(
        self, sessions: Sessions, calls: Calls, keys: Keys, faults: Faults, ids: Ids
    ) -> None:
        self._sessions = sessions
        self._calls = calls
        self._keys = keys
        self._faults = faults
        self._ids = ids

    def routes(self) -> list[web.RouteDef]:
        """Return what is served where."""
        return [
            web.post("/admin/faults", self._inflict),
            web.delete("/admin/faults", self._clear),
            web.get("/admin/sessions", self._look),
        ]

    async def _inflict(self, request: web.Request) -> web.Response:
        self._admit(request)
        asked = await read_json(request)
        struck = inflict(
            asked, self._faults, list(self._sessions.live), self._ids, self._sessions.clock
        )
        return web.json_response({"sessions": struck})

    async def _clear(self, request: web.Request) -> web.Response:
        self._admit(request)
        self._faults.clear()
        for live in self._sessions.live:
            live.faults.clear()
            live.pump()
        return web.json_response({"sessions": len(self._sessions)})

    async def _look(self, request: web.Request) -> web.Response:
        self._admit(request)
        calls = [call.describe() for call in self._calls.all]
        return web.json_response({"sessions": self._sessions.describe(), "calls": calls})

    def _admit(self, request: web.Request) -> None:
        self._keys.check_key(request.headers, request.query)
        try:
            is_near = ipaddress.ip_address(request.remote or "").is_loopback
        except ValueError:
            is_near = False
        if not is_near or "Origin" in request.headers:
            raise HttpRefusal(403, "forbidden", "This is for programs on this machine.")
