"""Telephone numbers as a neighbour writes them, and as the world does (E.164)."""

import re
from typing import Final

from ..config import NumberSettings
from ..sip.wire.uri import Uri

__all__ = ["number_of", "to_e164"]

_NUMBER: Final = re.compile(r"\+?[0-9][0-9.\-() ]*")
_NOISE: Final = str.maketrans("", "", "-.() ")
_LONGEST: Final = 15  # digits of a number, its country's code included
_SHORTEST: Final = 7  # digits that can be more than an extension


def number_of(uri: Uri, numbers: NumberSettings) -> str:
    """Return who an address is: a number in E.164 where it is one, else a name, or the whole.

    A number may have parameters of its own (``+15550100;npdi``); they are left out.
    """
    user = uri.username
    number = user.partition(";")[0]
    return to_e164(number, numbers) if _NUMBER.fullmatch(number) else user or str(uri)


def to_e164(text: str, numbers: NumberSettings) -> str:
    """Write a number with ``+`` and its country's code.

    Without a country to reckon from, and where it can be no number of the public network, it
    stays as it is: an extension, a service's short number.
    """
    if not numbers.country or not _NUMBER.fullmatch(text):
        return text
    digits = text.translate(_NOISE)
    international, national = numbers.international_prefix, numbers.national_prefix
    if digits.startswith("+"):
        full = digits[1:]
    elif international and digits.startswith(international):
        full = digits[len(international) :]
    elif national and digits.startswith(national):
        full = numbers.country + digits[len(national) :]
    elif not national and len(digits) >= _SHORTEST:
        full = numbers.country + digits
    else:
        return text
    return f"+{full}" if _SHORTEST <= len(full) <= _LONGEST else text
