"""The pieces of grammar that every SIP header shares (RFC 3261, section 25.1)."""

import re
from typing import Final

from ...errors import SipError

__all__ = ["Params", "is_token", "parse_number", "parse_params", "quote", "split_list", "unquote"]

Params = dict[str, str | None]

_TOKEN: Final = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")

# token *( ";" name [ "=" value ] ), blanks allowed around every sign.
_PARAM: Final = re.compile(
    r"""\s*+;\s*+([^\s;,="<>]++)\s*+(?:=\s*+("(?:[^"\\]|\\.)*+"|[^\s;,"<>]*+)\s*+)?""",
    re.DOTALL,
)

# One element of a comma-separated list: commas inside quotes or <> do not count.
_ELEMENT: Final = re.compile(r"""((?:[^",<]++|"(?:[^"\\]|\\.)*+"|<[^<>]*+>)*+)(,|$)""", re.DOTALL)

_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_NUMBER: Final = re.compile(r"0*([0-9]{1,10})")


def is_token(text: str) -> bool:
    """Say whether ``text`` is a token: a method, a header name, an option tag."""
    return _TOKEN.fullmatch(text) is not None


def parse_params(text: str) -> Params:
    """Read ``;name=value;flag``: names in lower case, values verbatim, quotes kept.

    Raises:
        SipError: A parameter is empty or cannot be read.

    """
    params: Params = {}
    position, end = 0, len(text)
    while position < end:
        match = _PARAM.match(text, position)
        if match is None:
            raise SipError(f"unreadable parameters {text[position : position + 40]!r}")
        name, value = match.groups()
        params.setdefault(name.lower(), value)
        position = match.end()
    return params


def split_list(text: str) -> list[str]:
    """Split a header value at its commas, leaving those in quotes and brackets alone.

    Raises:
        SipError: There are commas, and a quote or a bracket that is never closed.

    """
    if "," not in text:
        return [text.strip()]
    if '"' not in text and "<" not in text:
        return [part.strip() for part in text.split(",")]
    parts: list[str] = []
    position = 0
    while True:
        match = _ELEMENT.match(text, position)
        if match is None:
            raise SipError(f"unbalanced quotes or brackets in {text[:60]!r}")
        parts.append(match.group(1).strip())
        if not match.group(2):
            return parts
        position = match.end()


def parse_number(text: str, *, largest: int = 2**32 - 1) -> int | None:
    """Read a decimal number, leading zeros allowed; ``None`` where it is none or too large."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    number = int(match.group(1))
    return number if number <= largest else None


def quote(text: str) -> str:
    """Write ``text`` as a quoted string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def unquote(text: str) -> str:
    """Read what stands between the quotes of a quoted string."""
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text
