"""The programs that look for open gateways, by what they write into their requests.

Known from the tools themselves (sipvicious, sippts, nmap, SIVuS) and from what operators of
public SIP servers block.  Whoever can choose a name can choose another: this keeps the noise
away, the rates and bans of :mod:`.guard` keep out the rest.
"""

import fnmatch
import re
from collections.abc import Callable, Iterable
from typing import Final

__all__ = ["scanner_watch"]

_HEAD: Final = 2048  # bytes of a message that are looked at

# The beginnings of User-Agents.  What honest people use as well (sipsak, sipp, a plain eyeBeam,
# the SDKs of softphones) is not among them.
_AGENTS: Final = (
    "friendly-scanner", "friendly-request", "sipvicious", "sundayddr", "svmap", "svwar", "svcrack",
    "sipcli", "sip-scan", "sipscan", "sippts", "siparmyknife", "sivus", "smap", "iWar", "pplsip",
    "VaxSIPUserAgent", "VaxIPUserAgent", "VaxUserAgent", "voiphopper", "Nsauditor", "Nmap NSE",
    "eyeBeam release 1003s stamp 31159",
)  # fmt: skip

# Addresses that only they give themselves: sipvicious' sip:100@1.1.1.1, nmap's sip:nm@nm.
_PEOPLE: Final = (
    rb'[^\r\n]*?(?:"sipvicious"|sip:(?:[^@>\r\n]{1,64}@1\.1\.1\.1|nm2?@nm2?)(?![\w.-]))'
)


def scanner_watch(more: Iterable[str] = ()) -> Callable[[bytes], bool]:
    """Return what tells of a message, unread, whether a scanner wrote it.

    ``more`` are further User-Agents, shell patterns for the whole of the line; upper and lower
    case are the same.
    """
    agents = [re.escape(agent) for agent in _AGENTS]
    agents += [_whole_line(pattern) for pattern in more]
    lines = (
        rb"^User-Agent[ \t]*:[ \t]*(?:" + "|".join(agents).encode() + rb")",
        rb"^(?:From|To|f|t)[ \t]*:" + _PEOPLE,
    )
    found = re.compile(b"|".join(lines), re.IGNORECASE | re.MULTILINE).search
    return lambda data: found(data, 0, _HEAD) is not None


def _whole_line(pattern: str) -> str:
    # fnmatch lets a star run over line ends and asks for the end of the text.
    return fnmatch.translate(pattern).replace("(?s:", "(?:", 1).removesuffix(r"\Z") + r"[ \t]*\r?$"
