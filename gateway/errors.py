"""The errors a caller of this package can meet.

* GatewayError                   base of every error raised on purpose
    * ConfigError                a setting is wrong: what, where, how to mend it
    * ProtocolError              the other side broke a rule
        * SipError               answered with ``status``
        * SdpError               a session description cannot be read
        * RtpError               the packet is dropped and counted
        * RealtimeError          the service said, or did, what it must not
        * WebhookError           forged, stale, replayed or unreadable (answered 400)
        * RtcError               a WebRTC peer cannot be agreed with, or cannot be written to
    * NegotiationError           no codec, no direction, no route in common (answered 488)
    * CapacityError              no port, lane or call slot is free (answered 503)
    * DialError                  a call may not be placed, or not so (answered by ``status``)
    * LinkError                  the realtime service cannot be reached or went away
    * RecordError                the database of calls cannot be reached, or does not take them
"""

__all__ = [
    "CapacityError",
    "ConfigError",
    "DialError",
    "GatewayError",
    "LinkError",
    "NegotiationError",
    "ProtocolError",
    "RealtimeError",
    "RecordError",
    "RtcError",
    "RtpError",
    "SdpError",
    "SipError",
    "WebhookError",
]


class GatewayError(Exception):
    """Base of every error raised on purpose."""


class ConfigError(GatewayError):
    """A setting is wrong; the message is one line: what, where, how to mend it."""


class ProtocolError(GatewayError):
    """The peer sent something its protocol does not allow."""


class SipError(ProtocolError):
    """A SIP message cannot be served; ``status`` is the answer it deserves, 0 for none."""

    def __init__(self, reason: str, *, status: int = 400) -> None:
        super().__init__(reason)
        self.status = status


class SdpError(ProtocolError):
    """A session description cannot be read."""


class RtpError(ProtocolError):
    """A datagram is not a well-formed RTP or RTCP packet."""


class RealtimeError(ProtocolError):
    """The realtime service sent what its protocol does not allow."""


class WebhookError(ProtocolError):
    """A webhook is not to be believed; it is answered 400, and nothing is done."""


class RtcError(ProtocolError):
    """A WebRTC connection cannot be agreed on, or is not there to be written to."""


class NegotiationError(GatewayError):
    """The two sides have no codec, no direction or no route in common."""

    def __init__(self, reason: str, *, status: int = 488) -> None:
        super().__init__(reason)
        self.status = status


class CapacityError(GatewayError):
    """No port, lane or call slot is free."""


class DialError(GatewayError):
    """A call that somebody asks for is not placed; ``status`` is the HTTP answer to that."""

    def __init__(self, reason: str, *, status: int = 403) -> None:
        super().__init__(reason)
        self.status = status


class LinkError(GatewayError):
    """The realtime service cannot be reached, refused us, or went away.

    ``retryable`` says whether another attempt may go better; ``status`` is the
    HTTP answer where there was one, otherwise 0.
    """

    def __init__(self, reason: str, *, retryable: bool = True, status: int = 0) -> None:
        super().__init__(reason)
        self.retryable = retryable
        self.status = status


class RecordError(GatewayError):
    """The database of calls cannot be reached, or does not take them; the message says why.

    ``retry_after`` is how many seconds later it is worth asking again, 0 where nobody knows.
    """

    def __init__(self, reason: str, *, retry_after: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
