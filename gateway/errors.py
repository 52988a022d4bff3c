"""The errors a caller of this package can meet.

* GatewayError                   base of every error raised on purpose
    * ConfigError                a setting is wrong: what, where, how to mend it
    * ProtocolError              the other side broke a rule
        * SipError               answered with ``status``
        * SdpError               a session description cannot be read
        * RtpError               the packet is dropped and counted
        * RealtimeError          the service said, or did, what it must not
    * NegotiationError           no codec, no direction, no route in common (answered 488)
    * CapacityError              no port, lane or call slot is free (answered 503)
    * LinkError                  the realtime service cannot be reached or went away
"""

__all__ = [
    "CapacityError",
    "ConfigError",
    "GatewayError",
    "LinkError",
    "NegotiationError",
    "ProtocolError",
    "RealtimeError",
    "RtpError",
    "SdpError",
    "SipError",
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


class NegotiationError(GatewayError):
    """The two sides have no codec, no direction or no route in common."""

    def __init__(self, reason: str, *, status: int = 488) -> None:
        super().__init__(reason)
        self.status = status


class CapacityError(GatewayError):
    """No port, lane or call slot is free."""


class LinkError(GatewayError):
    """The realtime service cannot be reached, refused us, or went away.

    ``retryable`` says whether another attempt may go better.
    """

    def __init__(self, reason: str, *, retryable: bool = True) -> None:
        super().__init__(reason)
        self.retryable = retryable
