"""Whom the gateway may call because somebody asks for it."""

from fnmatch import fnmatchcase

from ..config import Settings
from ..errors import SipError
from ..sip.wire.uri import Uri

__all__ = ["is_permitted"]


def is_permitted(uri: Uri, settings: Settings) -> bool:
    """Tell whether an address is that of a target, or one that ``dial.allow`` lets through.

    What is compared is who is called and where, written out anew: nothing else of an address
    may fit a pattern.
    """
    plain = _plain(uri)
    targets = (_plain_text(target.uri) for target in settings.targets.values())
    return plain in targets or any(fnmatchcase(plain, one) for one in settings.dial.allow)


def _plain(uri: Uri) -> str:
    return str(uri.replace(params={}, headers={}))


def _plain_text(address: str) -> str:
    try:
        return _plain(Uri.parse(address))
    except SipError:
        return address
