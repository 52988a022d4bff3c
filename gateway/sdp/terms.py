"""What we offer and accept of sound towards one neighbour."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from .stream import PTIME

__all__ = ["KeyExchange", "Srtp", "Terms"]

Srtp: TypeAlias = Literal["off", "optional", "required"]
KeyExchange: TypeAlias = Literal["sdes", "dtls"]


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of a call's descriptions.

    Attributes:
        codecs: names from :data:`~gateway.sdp.codecs.SUPPORTED`, the best first.
        srtp: whether sound is encrypted: never, where the other side can, or always.
        srtp_keys: how our own offers exchange keys; of an offer either way is taken.
        ptime: milliseconds of sound in a packet that our own offers ask for.
        ice: whether our own offers bring ICE-lite; one that is offered is always answered.

    """

    codecs: tuple[str, ...]
    srtp: Srtp = "off"
    srtp_keys: KeyExchange = "sdes"
    ptime: int = PTIME
    ice: bool = False
