"""What an INVITE tells of a call, as far as its neighbour is to be believed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

from ..config import TrunkSettings
from ..sip.wire.fields import header_key
from ..sip.wire.message import Request
from ..sip.wire.parties import (
    ANONYMOUS,
    caller_of,
    diversions,
    history,
    identities,
    user_to_user,
)
from ..sip.wire.uri import Uri
from .numbers import number_of

__all__ = ["Behalf", "CallFacts", "called_by", "present"]

_MOST: Final = 32  # headers that are kept; the rest is left out
_LONGEST: Final = 8192  # characters of one; a longer one is left out
_LONGEST_NAME: Final = 80  # characters of a caller's name; the rest is left out
_MOST_CHARACTERS: Final = 32_768  # of all


@dataclass(frozen=True, slots=True)
class Behalf:
    """On whose behalf a further call is placed, to be told to trusted neighbours alone."""

    asserted: str = ""  # who calls, as P-Asserted-Identity is written
    is_private: bool = False
    identities: tuple[str, ...] = ()  # Identity, as it came


@dataclass(frozen=True, slots=True)
class CallFacts:
    """Who calls whom, and what else is told.

    ``variables`` are for the call's texts: ``caller_name``, ``diverted_from`` and
    ``diversion_reason`` where they are known, and of the headers that are let through
    ``header.NAME``, the name in lower case, and ``user_to_user`` as text.
    """

    caller: str
    called: str
    variables: Mapping[str, str] = field(default_factory=dict)
    behalf: Behalf | None = None
    left_out: int = 0  # headers that were asked for, too many or too long

    @classmethod
    def of(cls, request: Request, trunk: TrunkSettings) -> "CallFacts":
        """Read the INVITE of a neighbour."""
        caller = caller_of(request, is_trusted=trunk.trusted)
        variables, left_out = _headers(request, trunk)
        name = _shown(caller.address.display)
        if name and not caller.is_private:
            variables["caller_name"] = name
        if trunk.trusted:
            variables |= _diversion(request, trunk)
        if "header.user-to-user" in variables:
            sent = next(iter(user_to_user(request)), None)
            if sent is not None and sent.text:
                variables["user_to_user"] = sent.text
        behalf = None
        if trunk.trusted:
            plain = f"<{caller.address.uri}>" if caller.is_asserted else ""
            behalf = Behalf(plain, caller.is_private, identities(request))
        who = ANONYMOUS.username if caller.is_private else ""
        return cls(
            who or number_of(caller.address.uri, trunk.numbers),
            called_by(request, trunk),
            variables,
            behalf,
            left_out,
        )


def _shown(name: str) -> str:
    """Return a caller's name as it may be shown: bounded, and nothing in it that is not seen."""
    return "".join(letter for letter in name if letter.isprintable()).strip()[:_LONGEST_NAME]


def called_by(request: Request, trunk: TrunkSettings) -> str:
    """Tell who is called: whom the Request-URI names.

    Where that is nobody, or only ourselves, it is whom To names: a server that we are registered
    at sends calls to the address that we gave it, or to our account.
    """
    asked = request.request_uri
    is_account = trunk.register_ or (bool(trunk.username) and asked.username == trunk.username)
    is_nobody = asked.scheme in ("sip", "sips") and not asked.username
    return number_of(request.to.uri if is_account or is_nobody else asked, trunk.numbers)


def present(
    own: Uri | None, behalf: Behalf | None, *, is_trusted: bool
) -> tuple[Uri | None, tuple[tuple[str, str], ...]]:
    """Return the From of a call that we place, and the headers on who calls (RFC 3325).

    ``own`` is who we are to neighbours.  One that is trusted is told on whose behalf we call,
    and whether that is for its eyes only; any other, nothing.
    """
    is_private = behalf is not None and behalf.is_private
    if not is_trusted:
        return own, ()
    known = behalf.asserted if behalf is not None else ""
    told = [("P-Asserted-Identity", known or f"<{own}>")] if known or own is not None else []
    if is_private:
        told.append(("Privacy", "id"))
    told += [("Identity", one) for one in (behalf.identities if behalf is not None else ())]
    return (ANONYMOUS if is_private else own), tuple(told)


def _diversion(request: Request, trunk: TrunkSettings) -> dict[str, str]:
    """Tell who sent the call on, and why, by Diversion or else by History-Info."""
    if sent_on := diversions(request):
        who, why = sent_on[0].address.uri, sent_on[0].reason
        return {"diverted_from": number_of(who, trunk.numbers), "diversion_reason": why}
    entries = history(request)
    if len(entries) > 1 and not entries[-2].is_private:
        before = entries[-2]
        uri = before.address.uri.replace(headers={})
        why = str(before.reason.cause) if before.reason and before.reason.cause else "unknown"
        return {"diverted_from": number_of(uri, trunk.numbers), "diversion_reason": why}
    return {}


def _headers(request: Request, trunk: TrunkSettings) -> tuple[dict[str, str], int]:
    """Return the headers that are let through, repeated ones in one, and how many are not."""
    patterns = [pattern.lower() for pattern in trunk.headers]
    found: dict[str, str] = {}
    left_out = characters = 0
    for name, value in request.headers.items():
        key = header_key(name)
        if not any(fnmatchcase(key, pattern) for pattern in patterns):
            continue
        is_new = key not in found
        has_room = characters + len(value) <= _MOST_CHARACTERS and (
            len(found) < _MOST or not is_new
        )
        if len(value) > _LONGEST or not has_room:
            left_out += 1
            continue
        characters += len(value)
        found[key] = value if is_new else f"{found[key]}, {value}"
    return {f"header.{key}": value for key, value in found.items()}, left_out
