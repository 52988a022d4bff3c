"""Offers in the manner of browsers, whole and with something amiss."""

from ..clock import RandomIds
from ..sdp.browser import BrowserOffer, Ours
from ..sdp.description import SessionDescription
from ..sdp.ice import new_credentials

__all__ = ["CODECS", "FINGERPRINT", "OURS", "answered", "chromium", "firefox", "picture_first"]

CODECS = ("opus", "G722", "PCMU", "PCMA")
FINGERPRINT = "sha-256 " + ":".join(["AB"] * 32)
OURS = Ours(
    FINGERPRINT,
    new_credentials(RandomIds()),
    ("1 1 udp 2130706431 203.0.113.9 10000 typ host",),
    0x1234,
    "4e8a1f2c",
    7,
)
_WAY = (
    "c=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=ice-ufrag:Xy9z\r\n"
    "a=ice-pwd:4ZcD2x6FJjcJqRr0V0kW8bQp\r\na=ice-options:trickle\r\n"
    f"a=fingerprint:{FINGERPRINT}\r\na=setup:actpass\r\n"
)
_CANDIDATES = (
    "a=candidate:1467250027 1 udp 2122260223 192.0.2.4 46243 typ host generation 0 network-id 1\r\n"
    "a=candidate:435653019 1 tcp 1518280447 192.0.2.4 9 typ host tcptype active generation 0\r\n"
)
_AUDIO = (
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\n" + _WAY + "a=mid:0\r\n"
    "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=sendrecv\r\n"
    "a=msid:- 0f6d0e8b\r\na=rtcp-mux\r\na=rtcp-rsize\r\na=rtpmap:111 opus/48000/2\r\n"
    "a=rtcp-fb:111 transport-cc\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n"
    "a=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\na=rtpmap:9 G722/8000\r\n"
    "a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:13 CN/8000\r\n"
    "a=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\n"
    "a=ssrc:3735928559 cname:x7\r\n"
)
_VIDEO = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n" + _WAY + "a=mid:1\r\na=rtpmap:96 VP8/90000\r\n"
_DATA = (
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n" + _WAY + "a=mid:2\r\n"
    "a=sctp-port:5000\r\na=max-message-size:262144\r\n"
)
_HEAD = "v=0\r\no=- 4611732 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {}\r\n"


def chromium(*, video: bool = False, data: bool = True, candidates: bool = True) -> str:
    """Return an offer as Chromium makes it."""
    sections = [_AUDIO + (_CANDIDATES if candidates else "")]
    sections += [_VIDEO] if video else []
    sections += [_DATA] if data else []
    mids = [section.partition("a=mid:")[2].partition("\r\n")[0] for section in sections]
    return _HEAD.format(" ".join(mids)) + "".join(sections)


def firefox() -> str:
    """Return an offer as Firefox makes it: what is common to all stands before all."""
    common = f"a=fingerprint:{FINGERPRINT}\r\na=ice-options:trickle\r\n"
    audio = (
        "m=audio 9 UDP/TLS/RTP/SAVPF 109 9 0 8 101\r\nc=IN IP4 0.0.0.0\r\na=sendrecv\r\n"
        "a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1\r\na=fmtp:101 0-15\r\n"
        "a=ice-pwd:8d0e5ec2b5b0a7d1cbb6d2ab0d1ad4e2\r\na=ice-ufrag:3e6f4c1a\r\na=mid:0\r\n"
        "a=rtcp-mux\r\na=rtpmap:109 opus/48000/2\r\na=rtpmap:9 G722/8000/1\r\n"
        "a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
        "a=setup:actpass\r\n"
    )
    return _HEAD.format("0") + common + audio


def picture_first(*, bundle_only: bool = False) -> str:
    """Return an offer of who bundles at all costs: a picture first, and the way told there alone.

    Firefox and GStreamer mark what is ``bundle_only``; Chromium does not.
    """
    audio, data = _AUDIO.replace(_WAY, ""), _DATA.replace(_WAY, "")
    if bundle_only:
        mark = "\r\na=bundle-only\r\n"
        audio = audio.replace("audio 9", "audio 0").replace("a=rtcp-mux\r\n", "")
        audio, data = audio.replace("\r\n", mark, 1), data.replace("\r\n", mark, 1)
        data = data.replace("application 9", "application 0")
    video = _VIDEO + "a=rtcp-mux\r\na=fmtp:96 max-fr=30\r\n" + _CANDIDATES
    return _HEAD.format("1 0 2") + video + audio + data


def answered(offer: str, *codecs: str) -> tuple[BrowserOffer, SessionDescription]:
    """Return an offer that was read, and what answers it."""
    read = BrowserOffer(offer.encode(), codecs or CODECS)
    return read, SessionDescription.parse(read.answer(OURS))
