"""How the ways to browsers are made, by what is configured for all of them."""

from ..clock import Ids
from ..config import WebRtcSettings
from ..legs.web_connection import MakeWay
from ..media.engine import Lane
from ..rtc.servers import Server
from ..rtc.way import Way, WayTerms
from .browsers import WayOf

__all__ = ["terms_of", "ways_of"]


def terms_of(settings: WebRtcSettings) -> WayTerms:
    """Return what is configured, as ways go by it."""
    servers = tuple(
        Server(
            tuple(server.urls),
            server.username,
            server.credential.get_secret_value() if server.credential is not None else "",
        )
        for server in settings.ice_servers
    )
    return WayTerms(
        external_ips=tuple(settings.external_ips),
        servers=servers,
        is_relay_only=settings.candidates == "relay",
        connect_seconds=settings.connect_seconds,
    )


def ways_of(settings: WebRtcSettings, ids: Ids) -> WayOf:
    """Return what makes the way to whoever a lane is for."""
    terms = terms_of(settings)

    def way_of(lane: Lane) -> MakeWay:
        return lambda on_state, on_open, on_message: Way(
            lane, terms, on_state=on_state, on_open=on_open, on_message=on_message, ids=ids
        )

    return way_of
