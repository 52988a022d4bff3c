"""sipp's scenarios in few words: who says what, and what must come back.

    script(invite(), hears(100, optional=True), answered(), says("ACK", 1), bye(2))

is the text of a scenario in which sipp calls, is answered and hangs up.  Words in brackets are
sipp's own.  A pattern is looked for in a header (``CSeq="^ 2 INVITE"``) or, as ``message``, in the
whole message; the scenario fails where it is not found.
"""

import itertools
import re
from typing import Final
from xml.sax.saxutils import quoteattr

__all__ = [
    "OFFER", "SERVICE", "answered", "answers", "asks", "bye", "called", "cancel", "hears",
    "invite", "pause", "refused", "rings", "says", "script", "sdp", "wants",
]  # fmt: skip

SERVICE: Final = "sip:[service]@[remote_ip]:[remote_port]"
HERE: Final = "[local_ip]:[local_port]"
_TAG: Final = "[pid]T[call_number]"


def sdp(*lines: str, media: str = "m=audio [media_port] RTP/AVP 0", address: str = "") -> str:
    """Return a description; ``lines`` follow the section."""
    connection = f"c=IN IP4 {address or '[media_ip]'}"
    head = ("v=0", "o=- 1 [cseq] IN IP4 [local_ip]", "s=-", connection, "t=0 0", media)
    return "\n".join([*head, *lines, ""])


OFFER: Final = sdp("a=rtpmap:0 PCMU/8000")


def script(*steps: str) -> str:
    """Return the text of a scenario."""
    numbers = itertools.count(1)
    text = re.sub("FOUND", lambda _: f"found{next(numbers)}", "\n".join(steps))
    names = ",".join(re.findall('assign_to="([^"]+)"', text))
    unused = f'<Reference variables="{",".join(set(names.split(",")))}"/>' if names else ""
    return f'<?xml version="1.0" encoding="ISO-8859-1" ?>\n<scenario>\n{text}\n{unused}</scenario>'


def pause(milliseconds: int) -> str:
    """Wait."""
    return f'<pause milliseconds="{milliseconds}"/>'


def says(
    method: str,
    number: int,
    *headers: str,
    body: str = "",
    uri: str = "[next_url]",
    to: str = "[$there]",
    tag: str = _TAG,
    call: str = "[call_id]",
    branch: str = "",
    via: str = HERE,
    contact: str = f"<sip:caller@{HERE}>",
    version: str = "SIP/2.0",
) -> str:
    """Send a request of the one who called; ``branch`` is its transaction, if not its own."""
    typed = not any(header.startswith("Content-Type") for header in headers)
    way = f"z9hG4bK-[pid]-[call_number]-{branch}" if branch else "[branch]"
    return _sent(
        f"{method} {uri} {version}",
        f"Via: SIP/2.0/[transport] {via};branch={way};rport",
        "" if uri == SERVICE else "[routes]",
        f'From: "caller" <sip:caller@{HERE}>;tag={tag}',
        to if to.startswith("[last") else f"To: {to.strip()}",
        f"Call-ID: {call}",
        f"CSeq: {number} {method}",
        f"Contact: {contact}",
        "Max-Forwards: 70",
        *(header for header in headers if header != "Content-Type:"),
        "Content-Type: application/sdp" if body and typed else "",
        "Content-Length: [len]" if body else "Content-Length: 0",
        body=body,
    )


def invite(*headers: str, number: int = 1, body: str = OFFER, **words: str) -> str:
    """Call the gateway, as :func:`says` would."""
    return says(
        *("INVITE", number, *headers),
        **{"uri": SERVICE, "to": f"<{SERVICE}>", "branch": f"i{number}", **words},
        body=body,
    )


def refused(
    status: int,
    number: int = 1,
    *,
    branch: str = "",
    call: str = "[call_id]",
    tag: str = _TAG,
    **patterns: str,
) -> str:
    """Expect an INVITE to be refused, and acknowledge that."""
    which = {"branch": branch or f"i{number}", "call": call, "tag": tag}
    ack = says("ACK", number, uri=SERVICE, to="[last_To:]", **which)
    return hears(status, CSeq=f"{number} INVITE", **patterns) + ack


def cancel(number: int = 1) -> str:
    """Give up an INVITE."""
    return says("CANCEL", number, uri=SERVICE, to=f"<{SERVICE}>", branch=f"i{number}")


def bye(number: int) -> str:
    """Hang up, and be told so."""
    return says("BYE", number) + hears(200, CSeq=f"{number} BYE")


def hears(status: int, *, optional: bool = False, **patterns: str) -> str:
    """Expect a response."""
    allowed = ' optional="true"' if optional else ""
    routes = ' rrs="true"' if status == 200 else ""
    auth = ' auth="true"' if status in (401, 407) else ""
    return f'<recv response="{status}"{allowed}{routes}{auth}>{_looks(patterns)}</recv>'


def answered(**patterns: str) -> str:
    """Expect the answer to an INVITE, whatever comes before it; ``there`` is its To from now on."""
    before = (hears(status, optional=True) for status in (100, 180, 183))
    return "\n".join([*before, _there(hears(200, message_0="CSeq: [0-9]* INVITE", **patterns))])


def rings() -> str:
    """Expect the phone to ring; ``there`` is its To from now on, and ``tag`` the tag in it."""
    return hears(100, optional=True) + _there(hears(180, message="180 Ringing"))


def asks(method: str, **patterns: str) -> str:
    """Expect a request."""
    return f'<recv request="{method}">{_looks(patterns)}</recv>'


def called() -> str:
    """Be called; the headers of the INVITE are kept as ``via``, ``from``, ``to``, ``cseq``."""
    kept = "".join(
        f'<ereg regexp=".*" search_in="hdr" header="{name}:" assign_to="{name.lower()}"/>'
        for name in ("Via", "From", "To", "CSeq")
    )
    where = _look("Contact", "sip:[^>]*").replace("FOUND", "contact")
    return f'<recv request="INVITE"><action>{kept}{where}</action></recv>'


def answers(status: str, *headers: str, tag: str = "", body: str = "") -> str:
    """Answer: the INVITE, as the place ``tag``; without one, the request that came last."""
    names = ("Via", "From", "To", "CSeq")
    kept = [f"{name}:[${name.lower()}]" for name in names] if tag else []
    kept = [f"{line};tag={tag}" if line.startswith("To:") else line for line in kept]
    return _sent(
        f"SIP/2.0 {status}",
        *(kept or (f"[last_{name}:]" for name in names)),
        "[last_Call-ID:]",
        f"Contact: <sip:{tag or 'callee'}@{HERE}>",
        *headers,
        "Content-Type: application/sdp" if body else "",
        "Content-Length: [len]" if body else "Content-Length: 0",
        body=body,
    )


def wants(method: str, number: int, tag: str, *headers: str, body: str = "") -> str:
    """Send a request of the one who was called, as the place ``tag``."""
    return _sent(
        f"{method} [$contact] SIP/2.0",
        f"Via: SIP/2.0/[transport] {HERE};branch=[branch];rport",
        f"From:[$to];tag={tag}",
        "To:[$from]",
        "[last_Call-ID:]",
        f"CSeq: {number} {method}",
        f"Contact: <sip:{tag}@{HERE}>",
        "Max-Forwards: 70",
        *headers,
        "Content-Type: application/sdp" if body else "",
        "Content-Length: [len]" if body else "Content-Length: 0",
        body=body,
    )


def _sent(*lines: str, body: str) -> str:
    head = "\n".join(line for line in lines if line)
    return f"<send><![CDATA[\n{head}\n\n{body}]]></send>"


def _there(expected: str) -> str:
    kept = (
        '<ereg regexp=".*" search_in="hdr" header="To:" assign_to="there"/>'
        '<ereg regexp="tag=([^;]*)" search_in="hdr" header="To:" assign_to="FOUND,tag"/>'
    )
    return expected.replace("</action>", f"{kept}</action>")


def _looks(patterns: dict[str, str]) -> str:
    looks = "".join(_look(name, pattern) for name, pattern in patterns.items())
    return f"<action>{looks}</action>" if looks else ""


def _look(name: str, pattern: str) -> str:
    header = name.replace("_", "-")
    where = '"msg"' if name.startswith("message") else f'"hdr" header="{header}:"'
    found = f"regexp={quoteattr(pattern)} search_in={where}"
    return f'<ereg {found} check_it="true" assign_to="FOUND"/>'
