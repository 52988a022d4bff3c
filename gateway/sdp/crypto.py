"""Keys for encrypted sound, and the ``a=crypto`` lines that carry them (RFC 4568).

A line names a suite and the key that its writer sends under.  What a line asks for beyond
that (a key derivation rate, one half left in the clear, forward error correction) is not
done here, and such a line is passed over as if it were not there.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Final

from ..clock import Ids

__all__ = ["OFFERED", "SUITES", "CryptoLine", "SrtpKeys", "new_key"]

SUITES: Final = {
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AES_CM_128_HMAC_SHA1_32": 30,
    "AES_256_CM_HMAC_SHA1_80": 46,
    "AES_256_CM_HMAC_SHA1_32": 46,
    "AEAD_AES_128_GCM": 28,
    "AEAD_AES_256_GCM": 44,
}
"""Bytes of master key and salt together, by suite (RFC 4568 section 6.2, RFC 6188, RFC 7714)."""

OFFERED: Final = ("AEAD_AES_256_GCM", "AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80")
"""What our own offers list: whoever has another suite of ours has the last of these as well."""

# What many write where RFC 6188 has it the other way round.
_ALIASES: Final = {
    "AES_CM_256_HMAC_SHA1_80": "AES_256_CM_HMAC_SHA1_80",
    "AES_CM_256_HMAC_SHA1_32": "AES_256_CM_HMAC_SHA1_32",
}
_LINE: Final = re.compile(r"([0-9]{1,9})\s+(\S{1,64})\s+(\S{1,256})((?:\s+\S+)*)")
_INLINE: Final = re.compile(
    r"inline:([A-Za-z0-9+/]+={0,2})(?:\|(2\^)?([0-9]{1,15}))?(?:\|([0-9]{1,39}):([0-9]{1,3}))?",
    re.IGNORECASE,
)
_LONGEST_LIFE: Final = 1 << 48
_MOST_MKI: Final = 128
# A hint, and extensions that are marked as such, may be left undone.
_HARMLESS: Final = re.compile(r"WSH=[0-9]+|-\S*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """What one stream is encrypted with, however the keys were exchanged.

    Attributes:
        suite: a name in :data:`SUITES`.
        local: master key and salt of what we send, one after the other.
        remote: those of what the other side sends.
        remote_mki: what names the other side's key in its packets; mostly nothing.

    """

    suite: str
    local: bytearray = field(repr=False)
    remote: bytearray = field(repr=False)
    remote_mki: bytes = b""

    def wipe(self) -> None:
        """Overwrite the keys, once they are in use no more."""
        for key in (self.local, self.remote):
            key[:] = bytes(len(key))


@dataclass(frozen=True, slots=True)
class CryptoLine:
    """One ``a=crypto`` that can be used; ``name`` is the suite as its writer spells it."""

    tag: int
    suite: str
    key: bytes = field(repr=False)
    mki: bytes = b""
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> "CryptoLine | None":
        """Read an attribute's value; ``None`` for what cannot be read or is not done here."""
        match = _LINE.fullmatch(text.strip())
        if match is None:
            return None
        tag, name, inline, parameters = match.groups()
        suite = _ALIASES.get(name.upper(), name.upper())
        found = _INLINE.fullmatch(inline)  # several keys, one after the other, do not fit
        if suite not in SUITES or found is None:
            return None
        if not all(_HARMLESS.fullmatch(parameter) for parameter in parameters.split()):
            return None
        key, power, lifetime, mki, mki_size = found.groups()
        if lifetime is not None and not _is_life(int(lifetime), is_power=power is not None):
            return None
        raw = _decode(key)
        name_of_key = _mki(mki, mki_size)
        if raw is None or len(raw) != SUITES[suite] or name_of_key is None:
            return None
        return cls(int(tag), suite, raw, name_of_key, name)

    def is_key_of(self, keys: SrtpKeys) -> bool:
        """Say whether the other side sends under this key already."""
        return (self.suite, self.key) == (keys.suite, bytes(keys.remote))

    def __str__(self) -> str:
        key = base64.b64encode(self.key).decode()
        return f"{self.tag} {self.name or self.suite} inline:{key}"


def new_key(suite: str, ids: Ids) -> bytes:
    """Return a master key and salt that nobody can guess, if ``ids`` is what it should be."""
    size = SUITES[suite]
    return ids.number(1 << 8 * size).to_bytes(size)


def _decode(text: str) -> bytes | None:
    bare = text.rstrip("=")  # which some leave out
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except binascii.Error:
        return None


def _is_life(lifetime: int, *, is_power: bool) -> bool:
    """Say whether a key may live for so many packets; at most 2^48 (RFC 3711 section 9.2)."""
    if is_power:
        return lifetime <= 48
    return 0 < lifetime <= _LONGEST_LIFE


def _mki(value: str | None, size: str | None) -> bytes | None:
    """Return the name of a key as it stands in packets; ``None`` where it has no room."""
    if value is None or size is None:
        return b""
    length = int(size)
    if not 0 < length <= _MOST_MKI or int(value) >> 8 * length:
        return None
    return int(value).to_bytes(length)
