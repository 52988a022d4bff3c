"""`voice-gateway demo`: the gateway and the embedded service on this machine, ready for calls."""

import tempfile
from pathlib import Path
from typing import Final

from ..http import Role
from ..ops.logs import configure_logging
from .line import LinkKind, open_line
from .output import progress, say, say_json
from .selftest import run_self_test
from .serve import LogLevel, Port, run_loop, stop_requested

__all__ = ["demo"]

_TOKEN_SECONDS: Final = 24 * 60 * 60  # and no longer than the demo runs: its key ends with it


def demo(
    *,
    link: LinkKind = "websocket",
    self_test: bool = False,
    json: bool = False,
    port: Port | None = None,
    http_port: Port | None = None,
    log_level: LogLevel = "warning",
) -> int:
    """Take calls on this machine with the embedded realtime service: no account, no network.

    Args:
        link: How the gateway attaches to the service: websocket, webrtc, or sideband, where the
            service itself answers the call and the gateway only steers it.
        self_test: Place a real call over UDP to the gateway, judge all that was heard and
            done, and exit with 0 only if everything happened.
        json: Print JSON instead of text.
        port: SIP port to dial; 0 picks a free one. Default 5060, else a free one.
        http_port: Port of the page; 0 picks a free one. Default 8080, else a free one.
        log_level: debug, info, warning or error.

    """
    configure_logging(log_level)
    if self_test:
        return run_loop(lambda: run_self_test(port or 0, http_port or 0, link, as_json=json))
    return run_loop(lambda: _serve(port, http_port, link, json))


async def _serve(port: int | None, http_port: int | None, link: LinkKind, as_json: bool) -> int:
    line = await open_line(port, http_port, link)
    uri, page = line.uri, line.gateway.page
    token = line.gateway.surface.make_token("demo", Role.ADMIN, _TOKEN_SECONDS)
    if as_json:
        ready = {"event": "ready", "sip": uri, "page": page, "service": line.service.url}
        say_json({**ready, "link": link, "open": f"{page}#token={token}", "token": token})
    else:
        say("voice-gateway demo: the line is open.")
        say("  talk   from a browser, with all rights there:")
        say(f"         {page}#token={token}", "bold")
        ways = "UDP" if link == "sideband" else "UDP or TCP"
        say(f"  call   {uri}   (any softphone on this machine, {ways})", "bold")
        folder = Path(tempfile.gettempdir())
        say(f'  or     voice-gateway call {uri} --digits "3@3.0" --record {folder / "call.wav"}')
        progress("Ctrl-C stops it.")
    await stop_requested().get()
    await line.close()
    return 0
