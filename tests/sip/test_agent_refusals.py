"""What is said outside of calls, and the refusals a request earns (BEHAVIOUR of a good UAS)."""

import pytest

from gateway.sip.admission import Verdict
from gateway.sip.wire.message import Request, parse
from gateway.testing.sip import Phone, VirtualNetwork

INVITE = """\
{method} {uri} SIP/2.0
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-{branch};rport
Max-Forwards: 70
From: <sip:ann@192.0.2.1>;tag=a
To: <sip:bob@192.0.2.2>{to_tag}
Call-ID: {branch}@192.0.2.1
CSeq: 1 {cseq}
Contact: <sip:ann@192.0.2.1>
{extra}Content-Length: {length}

{body}"""


def forge(
    method: str,
    *,
    uri: str = "sip:bob@192.0.2.2",
    to_tag: str = "",
    extra: str = "",
    body: str = "",
    branch: str = "1",
) -> bytes:
    text = INVITE.format(
        method=method,
        uri=uri,
        branch=branch,
        to_tag=to_tag,
        cseq=method,
        extra=extra,
        length=len(body),
        body=body,
    )
    return text.replace("\n", "\r\n").encode()


def answers(network: VirtualNetwork, ann: Phone, bob: Phone, data: bytes) -> list[str]:
    bob.agent.receive(data, bob.flow_to(ann), network.now)
    bob.flush()
    return network.titles(by=bob)


def test_options_tells_what_we_can(network: VirtualNetwork, ann: Phone, bob: Phone) -> None:
    assert answers(network, ann, bob, forge("OPTIONS")) == ["200 OPTIONS"]
    reply = network.last("200 OPTIONS")
    assert "INVITE" in (reply.headers.get("Allow") or "")
    assert reply.headers.get("Accept") == "application/sdp"
    assert "Supported" in reply.headers
    assert reply.to.tag


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
def test_draining_agent_turns_callers_and_probes_away(
    network: VirtualNetwork, ann: Phone, bob: Phone, method: str
) -> None:
    bob.agent.is_draining = True
    assert answers(network, ann, bob, forge(method)) == [f"503 {method}"]
    assert network.last(f"503 {method}").headers.get("Retry-After") == "5"
    assert bob.calls == []


def test_draining_leaves_calls_in_progress_alone(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = ann.connect(bob)
    bob.agent.is_draining = True
    call.reinvite(b"offer", network.now)
    network.run(0.1)
    taken.answer_offer(b"answer", network.now)
    network.run(0.1)
    assert network.titles().count("200 INVITE") == 2


def test_overload_is_a_matter_of_the_moment(network: VirtualNetwork, ann: Phone) -> None:
    room = iter([True, False])
    bob = network.phone("192.0.2.3", overloaded=lambda: next(room), retry_after=lambda: 9)
    assert answers(network, ann, bob, forge("INVITE")) == ["503 INVITE"]
    assert network.last("503 INVITE").headers.get("Retry-After") == "9"
    answers(network, ann, bob, forge("INVITE", branch="2"))
    assert len(bob.calls) == 1


@pytest.mark.parametrize("status", [403, 404])
def test_the_application_says_who_may_call_whom(
    network: VirtualNetwork, ann: Phone, status: int
) -> None:
    seen = []

    def accepts(request: Request, flow: object) -> Verdict:
        seen.append((request.method, flow))
        return Verdict(status)

    bob = network.phone("192.0.2.3", accepts=accepts)
    assert answers(network, ann, bob, forge("INVITE")) == [f"{status} INVITE"]
    assert seen == [("INVITE", bob.flow_to(ann))]
    assert bob.calls == []


@pytest.mark.parametrize(
    ("request_", "status", "header"),
    [
        (forge("DANCE"), 501, "Allow"),
        (forge("PUBLISH"), 405, "Allow"),
        (forge("REFER"), 405, "Allow"),
        (forge("INVITE", uri="gopher:bob"), 416, ""),
        (forge("INVITE", extra="Require: 100rel, sec-agree\n"), 420, "Unsupported"),
        (forge("INVITE", extra="Content-Type: text/plain\n", body="hi"), 415, "Accept"),
        (
            forge(
                "INVITE", extra="Content-Type: application/sdp\nContent-Encoding: gzip\n", body="x"
            ),
            415,
            "Accept-Encoding",
        ),
        (forge("INVITE", extra="Accept: text/plain\n"), 406, ""),
        (forge("INVITE", extra="Contact: <sip:two@192.0.2.1>\n"), 400, ""),
        (forge("BYE", to_tag=";tag=unknown"), 481, ""),
        (forge("INFO", to_tag=";tag=unknown"), 481, ""),
        (forge("INVITE", to_tag=";tag=unknown"), 481, ""),
        (forge("BYE"), 481, ""),
        (forge("CANCEL"), 481, ""),
        (forge("OPTIONS").replace(b"SIP/2.0\r\nVia", b"SIP/7.0\r\nVia"), 505, ""),
        (forge("OPTIONS").replace(b"CSeq: 1 OPTIONS", b"CSeq: 1 INVITE"), 400, ""),
    ],
)
def test_every_refusal_has_the_status_it_deserves(
    network: VirtualNetwork, ann: Phone, bob: Phone, request_: bytes, status: int, header: str
) -> None:
    (title,) = answers(network, ann, bob, request_)
    assert title.startswith(f"{status} ")
    reply = network.sent[-1].message
    assert reply.to.tag
    assert not header or reply.headers.get(header)
    assert bob.calls == []


def test_refusal_for_extensions_names_only_those_unknown(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    answers(network, ann, bob, forge("INVITE", extra="Require: timer, sec-agree\n"))
    assert network.sent[-1].message.headers.get("Unsupported") == "sec-agree"


@pytest.mark.parametrize(
    "data",
    [
        forge("ACK", to_tag=";tag=unknown"),
        forge("ACK"),
        b"",
        b"\r\n\r\n",
        b"garbage",
        bytes(range(256)),
        b"SIP/2.0 200 OK\r\n\r\n",
        forge("INVITE")[:60],
    ],
)
def test_some_things_get_no_answer_at_all(
    network: VirtualNetwork, ann: Phone, bob: Phone, data: bytes
) -> None:
    assert answers(network, ann, bob, data) == []


def test_missing_content_type_is_forgiven(network: VirtualNetwork, ann: Phone, bob: Phone) -> None:
    answers(network, ann, bob, forge("INVITE", body="v=0\n"))
    assert bob.calls[0].offer == b"v=0\r\n"[:4]


def test_bad_messages_do_not_disturb_the_call_in_progress(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = ann.connect(bob)
    for data in (b"\x00" * 40, forge("INVITE")[:80], forge("BYE", to_tag=";tag=x")):
        bob.agent.receive(data, bob.flow_to(ann), network.now)
    network.run(1.0)
    assert call.is_live
    assert taken.is_live


def test_someone_else_cannot_end_a_call_without_its_tags(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = ann.connect(bob)
    assert call.dialog is not None
    bye = call.dialog.request("BYE")
    bye.headers.set("From", "<sip:mallory@192.0.2.66>;tag=guess")
    bye.headers.add_first("Via", "SIP/2.0/UDP 192.0.2.66;branch=z9hG4bK-evil")
    network.carry(bytes(bye), ann.flow_to(bob))
    network.run(0.1)
    assert network.titles()[-1] == "481 BYE"
    assert taken.is_live


def test_answers_go_where_the_request_came_from(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    data = forge("OPTIONS").replace(b"192.0.2.1:5060;branch", b"10.9.9.9:7777;branch")
    answers(network, ann, bob, data)
    assert network.sent[-1].flow.remote == ann.address
    via = network.sent[-1].message.via
    assert (via.received, via.rport) == ann.address


def test_fifty_calls_at_once_stay_apart(network: VirtualNetwork, ann: Phone, bob: Phone) -> None:
    calls = [ann.call(bob, b"offer %d" % n) for n in range(50)]
    network.run(0.1)
    for taken in bob.calls:
        taken.answer(b"answer to " + (taken.offer or b""), network.now)
    network.run(0.1)
    for call in calls:
        (answered,) = ann.heard(call)
        assert answered.sdp == b"answer to " + call.request.body  # type: ignore[union-attr]
        call.hang_up(network.now)
    network.run(40.0)
    assert ann.agent.is_idle
    assert bob.agent.is_idle


def test_big_requests_take_tcp_and_fall_back_to_datagrams(network: VirtualNetwork) -> None:
    ann = network.phone("192.0.2.1", has_streams=True)
    bob = network.phone("192.0.2.2")
    ann.call(bob, b"x" * 1300)
    ann.agent.connection_lost(network.sent[-1].flow, network.now)
    ann.flush()
    assert [sent.flow.transport for sent in network.sent] == ["tcp", "udp"]
    vias = [[via.transport for via in sent.message.vias] for sent in network.sent]
    assert vias == [["TCP"], ["UDP"]]
    network.run(0.1)
    assert len(bob.calls) == 1


def test_a_lost_connection_fails_what_waited_on_it(network: VirtualNetwork) -> None:
    ann = network.phone("192.0.2.1", transport="tcp")
    bob = network.phone("192.0.2.2", transport="tcp")
    call = ann.call(bob, b"offer")
    ann.agent.connection_lost(ann.flow_to(bob), network.now)
    (ended,) = ann.heard(call)
    assert (ended.by, ended.status) == ("peer", 503)  # type: ignore[union-attr]


def test_after_a_lost_connection_the_next_request_goes_to_the_contact(
    network: VirtualNetwork,
) -> None:
    ann = network.phone("192.0.2.1", transport="tcp")
    bob = network.phone("192.0.2.2", transport="tcp")
    call, taken = ann.connect(bob)
    bob.agent.connection_lost(bob.flow_to(ann), network.now)
    taken.hang_up(network.now)
    network.run(0.1)
    assert network.titles()[-2:] == ["BYE", "200 BYE"]
    assert not call.is_live


def test_everything_we_send_can_be_read(network: VirtualNetwork, ann: Phone, bob: Phone) -> None:
    call, taken = ann.connect(bob)
    call.info("application/dtmf", b"1", network.now)
    taken.hang_up(network.now)
    network.run(1.0)
    for sent in network.sent:
        parse(bytes(sent.message))
