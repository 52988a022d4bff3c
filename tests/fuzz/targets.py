"""What is fuzzed: each target takes bytes, and may raise nothing but one of our own errors.

A target goes on to use what it has read, as the gateway would, and checks what must always hold.
Seeds are in ``corpus/TARGET``; those named ``crash-…`` once broke something.
"""

import contextlib
import ipaddress
from collections.abc import Callable
from typing import Final

from gateway.clock import CountedIds
from gateway.config.sip import GuardSettings
from gateway.errors import GatewayError, NegotiationError
from gateway.rtp.association import Association
from gateway.rtp.dtls import Identity
from gateway.rtp.dtmf import EventReceiver, KeyDown, KeyUp
from gateway.rtp.ice import IceLite
from gateway.rtp.order import GapHold, Lost
from gateway.rtp.packet import RtpPacket, is_rtcp
from gateway.rtp.receive import Arrival, Reception
from gateway.rtp.records import is_dtls
from gateway.rtp.report import ReportSession
from gateway.rtp.stun import is_stun as is_check
from gateway.rtp.stun import parse as parse_stun
from gateway.sdp.browser import BrowserOffer, Ours
from gateway.sdp.description import SessionDescription
from gateway.sdp.fragment import MOST_CANDIDATES, IceFragment
from gateway.sdp.ice import new_credentials
from gateway.sdp.negotiate import OfferAnswer
from gateway.sdp.terms import Srtp, Terms
from gateway.sip.admission import Verdict
from gateway.sip.agent import Invited, UserAgent
from gateway.sip.credentials.account import Account, Tries
from gateway.sip.credentials.challenger import Challenger
from gateway.sip.credentials.digest import Challenge, Credentials, Secret
from gateway.sip.flow import Flow
from gateway.sip.guard.guard import Guard
from gateway.sip.guard.scanners import scanner_watch
from gateway.sip.ways.binding import Binding, is_stun
from gateway.sip.wire.framing import StreamFramer
from gateway.sip.wire.headers import NameAddr, Via
from gateway.sip.wire.message import (
    Headers,
    MessageError,
    Request,
    Response,
    parse,
    response_to,
    stamp_received,
)
from gateway.sip.wire.reason import Reason
from gateway.sip.wire.uri import Uri
from gateway.sip.wire.websocket import WebSocketFramer

__all__ = ["TARGETS"]

_LOCAL: Final = ("192.0.2.2", 5060)
_CUT: Final = b"\x00|\x00"  # between the messages of an input that holds several
_CODECS: Final = ("PCMU", "PCMA", "G722", "opus", "L16")
_NO_LINE_ENDS: Final = {10: 32, 13: 32}
_IDENTITY: Final = Identity()
_IS_SCANNER: Final = scanner_watch()


def sip_message(data: bytes) -> None:
    """A datagram, the answer to it, and what is read of it in passing."""
    _IS_SCANNER(data)
    try:
        message = parse(data)
    except MessageError as error:
        if error.answerable is not None:
            stamp_received(error.answerable, _LOCAL)
            bytes(response_to(error.answerable, error.status, str(error), to_tag="t"))
        raise
    Reason.of(message)
    again = parse(bytes(message))
    assert again.headers.get_all("via") == message.headers.get_all("via")
    assert again.body == message.body
    if isinstance(message, Request):
        stamp_received(message, _LOCAL)
        answer = parse(bytes(response_to(message, 200, to_tag="t")))
        assert isinstance(answer, Response)
        assert answer.cseq == message.cseq


def sip_agent(data: bytes) -> None:
    """Datagrams to a user agent in their order, every fourth of them of a stranger.

    ``@@`` in one stands for the tag that the agent has given itself in its last answer.
    """
    agent = UserAgent(
        CountedIds("f"),
        advertise=lambda flow: flow.local,
        accepts=lambda request, flow: Verdict(200 if flow.remote[0] == "192.0.2.1" else 401),
        guard=Guard(
            GuardSettings(trunk_requests_per_second=1e6, requests_per_second=1e6, ban_seconds=0),
            knows=lambda flow: flow.remote[0] == "192.0.2.1",
            report=lambda notice: None,
        ),
    )
    now, tag = 0.0, b"x"
    for number, piece in enumerate(data.split(_CUT)[:16]):
        host = "192.0.2.1" if number % 4 != 3 else "198.51.100.1"
        agent.receive(piece.replace(b"@@", tag), Flow("udp", _LOCAL, (host, 5060)), now)
        for event in agent.events():
            if isinstance(event, Invited) and event.session.offer is not None:
                event.session.answer(b"v=0\r\n", now)
        for sent, _ in agent.data_to_send():
            tag = (parse(sent).to.tag or "x").encode("utf-8", "surrogateescape")
        now += 0.3
        agent.wake(now)
    for _ in range(64):
        if (deadline := agent.deadline) is None:
            break
        now = max(now, deadline)
        agent.wake(now)
        agent.events()
        agent.data_to_send()


def sdp(data: bytes) -> None:
    """A description, read, written, and answered."""
    description = SessionDescription.parse(data)
    again = SessionDescription.parse(bytes(description))
    assert len(again.media) == len(description.media)
    for srtp in ("off", "optional", "required"):
        exchange = _exchange(srtp)
        with contextlib.suppress(NegotiationError):
            answer = SessionDescription.parse(exchange.answer(data))
            assert len(answer.media) == len(description.media)


def sdp_answer(data: bytes) -> None:
    """A description as the answer to our offer."""
    for srtp in ("off", "required"):
        exchange = _exchange(srtp)
        exchange.offer()
        with contextlib.suppress(NegotiationError):
            exchange.accept(data)
            exchange.offer()


def browser_offer(data: bytes) -> None:
    """Answer what a page offers: one section for each of its own, our way in those we keep."""
    offer = BrowserOffer(data, _CODECS)
    ours = Ours("sha-256 AB", new_credentials(CountedIds()), (), 1, "c", 1)
    assert offer.agree(ours.credentials).is_secure
    answer = SessionDescription.parse(offer.answer(ours))
    assert len(answer.media) == len(SessionDescription.parse(data).media)
    taken = [section for section in answer.media if section.port]
    assert 1 <= len(taken) <= 3
    assert len(offer.candidates) <= MOST_CANDIDATES


def ice_fragment(data: bytes) -> None:
    """Read what is told of ICE later, write it, and read the same."""
    read = IceFragment.parse(data, "0")
    assert len(read.candidates) <= MOST_CANDIDATES
    if read.credentials is not None:
        assert IceFragment.parse(read.written("0", ("audio", "UDP/TLS/RTP/SAVPF")), "0") == read


def _exchange(srtp: Srtp) -> OfferAnswer:
    terms = Terms(_CODECS, srtp)
    return OfferAnswer("192.0.2.2", 4000, terms, ids=CountedIds("5"), is_private=True)


def uri(data: bytes) -> None:
    """An address, bare, in angles and in a Via."""
    text = data.decode("utf-8", "surrogateescape")
    faults = []
    for read in (Uri.parse, NameAddr.parse, Via.parse):
        try:
            value = read(text)
        except GatewayError as error:
            faults.append(error)
        else:
            assert read(str(value)) == value
    if faults:
        raise faults[0]


def digest(data: bytes) -> None:
    """A line of authentication: as a challenge that is answered, and as credentials judged."""
    line = data.decode("utf-8", "surrogateescape").translate(_NO_LINE_ENDS)
    ids = CountedIds("d")
    request = Request("REGISTER", "sip:h", Headers())
    account = Account("ann", "secret")
    for status, name in ((401, "WWW-Authenticate"), (407, "Proxy-Authenticate")):
        response = Response(status)
        response.headers.add(name, line)
        account.learn(response, Tries())
    account.authorize(request, ids)
    for answer in request.headers.get_all("Authorization"):
        assert Credentials.parse(answer) is not None
    shown = Request("INVITE", "sip:h", Headers())
    shown.headers.add("Authorization", line)
    Challenger("gateway", {"ann": Secret("ann", "secret")}, ids).judge(shown, 1.0)
    str(Credentials.parse(line))
    Challenge.parse_all([line, line])


def websocket(data: bytes) -> None:
    """What a browser sends, from its request for a WebSocket on."""
    framer = WebSocketFramer()
    for at in range(0, len(data), 100):
        for message in framer.receive_data(data[at : at + 100]):
            framer.send(message)
    framer.ping()
    framer.close()
    framer.data_to_send()


def stun(data: bytes) -> None:
    """An answer of a STUN server, or what passes for one."""
    binding = Binding(CountedIds("b"), 0.0)
    binding.wake(0.0)
    is_stun(data)
    binding.receive(data, 0.1)
    if binding.seen is not None:
        host, port = binding.seen
        ipaddress.ip_address(host)
        assert 0 <= port <= 0xFFFF


def rtp(data: bytes) -> None:
    """Packets, each with its length in front, put in order."""
    reception, order, now = Reception(own_ssrc=7), GapHold(), 0.0
    for piece in _packets(data):
        now += 0.02
        packet = RtpPacket.read(piece)
        if packet is None:
            continue
        is_rtcp(piece)
        if reception.receive(packet, now) is Arrival.IN_STREAM:
            order.push(packet, now)
        for entry in order.pop(now):
            assert isinstance(entry, RtpPacket | Lost)
    assert 0.0 <= reception.loss <= 1.0
    if (block := reception.report_block()) is not None:
        bytes(block)
    RtpPacket.parse(data)


def rtcp(data: bytes) -> None:
    """Reports, and ours after them."""
    session = ReportSession(1, "us@host", 8000, Reception())
    session.sent(160, 160, 0.5)
    for number, piece in enumerate(_packets(data)):
        session.receive(piece, 1.0 + number)
    session.receive(data, 90.0)
    session.report(100.0)


def telephone_event(data: bytes) -> None:
    """Packets of telephone events: every press ends once."""
    receiver, now, down = EventReceiver(), 0.0, 0
    events = []
    for piece in _packets(data):
        now += piece[0] / 100 if piece else 0.0
        packet = RtpPacket.read(piece[1:])
        if packet is not None:
            events += receiver.receive(packet, now)
    events += receiver.wake(now + 100.0)
    for event in events:
        down += isinstance(event, KeyDown) - isinstance(event, KeyUp)
        assert down in (0, 1)
    assert down == 0


def demultiplexing(data: bytes) -> None:
    """Datagrams on a port of RTP, RTCP, STUN and DTLS, each with its length in two bytes."""
    source, now = ("192.0.2.1", 4000), 0.0
    ice = IceLite("ours", "a password of twenty-two", "theirs")
    associations = [
        Association(_IDENTITY, [("sha-256", bytes(32))], is_client=False, now=now) for _ in range(2)
    ]
    for piece in _packets(data, width=2)[:16]:
        now += 0.5
        if is_check(piece):
            ice.receive(piece, source)
        elif is_dtls(piece):
            for is_proved, association in enumerate(associations):
                association.receive(piece, source, now, is_proved=bool(is_proved))
        elif not is_rtcp(piece):
            RtpPacket.read(piece)
        for association in associations:
            association.aim(source, now)
            association.wake(now)
            association.data_to_send()
            association.events()
    assert not any(association.is_keyed for association in associations)
    parse_stun(data)


def framing(data: bytes) -> None:
    """A stream, whole and cut at every hundredth byte: the same messages either way."""
    whole, cut = StreamFramer(), StreamFramer()
    pieces = [data[at : at + 100] for at in range(0, len(data), 100)]
    messages, fault = _framed(whole, [data])
    again, again_fault = _framed(cut, pieces)
    assert (fault is None) == (again_fault is None)
    if fault is not None:
        raise fault
    assert messages == again
    assert whole.data_to_send() == cut.data_to_send()


def _framed(framer: StreamFramer, pieces: list[bytes]) -> tuple[list[bytes], GatewayError | None]:
    messages: list[bytes] = []
    try:
        for piece in pieces:
            messages += framer.receive_data(piece)
    except GatewayError as error:
        return messages, error
    return messages, None


def _packets(data: bytes, width: int = 1) -> list[bytes]:
    """Cut an input into packets: a length of ``width`` bytes, then so many bytes."""
    packets, at = [], 0
    while at < len(data):
        start = at + width
        at = start + int.from_bytes(data[at:start])
        packets.append(data[start:at])
    return packets


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    target.__name__: target
    for target in (
        sip_message,
        sip_agent,
        sdp,
        sdp_answer,
        uri,
        rtp,
        rtcp,
        telephone_event,
        framing,
        digest,
        websocket,
        stun,
        demultiplexing,
        browser_offer,
        ice_fragment,
    )
}
