"""What requests and answers say of the transport they go by, and which way they go."""

from dataclasses import replace

import pytest

from gateway.sip.dialogs.session_events import Ended
from gateway.sip.flow import Flow, Transport
from gateway.sip.transport.address import Advertiser
from gateway.sip.ways.routing import transport_of, way_towards
from gateway.sip.wire.message import Request, Response, read
from gateway.sip.wire.uri import Uri
from gateway.testing.sip import VirtualNetwork

NAMED = [
    ("udp", "SIP/2.0/UDP", ""),
    ("tcp", "SIP/2.0/TCP", ";transport=tcp"),
    ("tls", "SIP/2.0/TLS", ";transport=tls"),
    ("ws", "SIP/2.0/WS", ";transport=ws"),
    ("wss", "SIP/2.0/WSS", ";transport=ws"),
]


@pytest.mark.parametrize(("transport", "protocol", "param"), NAMED)
def test_requests_and_answers_name_their_transport(
    network: VirtualNetwork, transport: Transport, protocol: str, param: str
) -> None:
    ann = network.phone("2001:db8::1", transport=transport)
    bob = network.phone("2001:db8::2", transport=transport)
    ann.connect(bob)
    invite, answer = network.last("INVITE"), network.last("200 INVITE")
    assert (invite.headers.get("Via") or "").startswith(f"{protocol} [2001:db8::1]:5060;branch=")
    assert invite.headers.get("Contact") == f"<sip:[2001:db8::1]:5060{param}>"
    assert answer.headers.get("Contact") == f"<sip:[2001:db8::2]:5060{param}>"
    assert answer.via.received == "2001:db8::1"


def test_only_over_tls_is_a_connection_offered_for_use_the_other_way(
    network: VirtualNetwork,
) -> None:
    for number, (transport, _, _) in enumerate(NAMED):
        ann = network.phone(f"192.0.2.{number}", transport=transport)  # type: ignore[arg-type]
        ann.call(ann, b"offer")
        assert ("alias" in network.sent[-1].message.via.params) == (transport == "tls")


@pytest.mark.parametrize("transport", [transport for transport, _, _ in NAMED])
def test_answers_go_where_the_request_came_from_whatever_its_sender_says(
    network: VirtualNetwork, transport: Transport
) -> None:
    ann = network.phone("192.0.2.1", transport=transport)
    bob = network.phone("192.0.2.2", transport=transport)
    ann.call(bob, b"offer")
    invite = network.sent[-1].message
    assert isinstance(invite, Request)
    invite.headers.set_first(
        "Via", f"SIP/2.0/{transport.upper()} elsewhere.example;branch=z9hG4bKx"
    )
    arrival = Flow(transport, bob.address, ("192.0.2.9", 40_000), id=7)
    bob.agent.receive(bytes(invite), arrival, network.now)
    bob.calls.clear()
    bob.flush()
    bob.calls[-1].ring(network.now)
    ((data, flow),) = bob.agent.data_to_send()
    assert flow == arrival
    answer = read(data)
    assert isinstance(answer, Response)
    assert answer.via.received == "192.0.2.9"


@pytest.mark.parametrize("transport", ["udp", "tls", "wss"])
def test_who_is_called_by_sips_is_found_by_sips_where_that_is_true(
    network: VirtualNetwork, transport: Transport
) -> None:
    ann = network.phone("192.0.2.1", transport=transport)
    bob = network.phone("192.0.2.2", transport=transport)
    call = ann.agent.invite(
        Uri.parse("sips:bob@192.0.2.2"),
        ann.flow_to(bob),
        network.now,
        from_uri=ann.uri,
        sdp=b"offer",
    )
    network.run(0.1)
    bob.calls[-1].answer(b"answer", network.now)
    network.run(0.1)
    scheme = "sip" if transport == "udp" else "sips"
    for title in ("INVITE", "200 INVITE"):
        assert network.last(title).contacts[0].uri.scheme == scheme
    call.hang_up(network.now)
    network.run(0.1)
    bye = network.last("BYE")
    assert isinstance(bye, Request)
    assert bye.request_uri.scheme == scheme


@pytest.mark.parametrize(("transport", "taken"), [("udp", "tcp"), ("tls", "tls"), ("ws", "ws")])
def test_only_a_request_too_big_for_a_datagram_changes_its_transport(
    network: VirtualNetwork, transport: Transport, taken: str
) -> None:
    ann = network.phone("192.0.2.1", transport=transport, has_streams=True)
    bob = network.phone("192.0.2.2", transport=transport)
    ann.call(bob, b"x" * 1300)
    sent = network.sent[-1]
    assert (sent.flow.transport, sent.message.via.transport) == (taken, taken.upper())


def test_a_caller_whose_connection_is_gone_is_answered_where_it_listens(
    network: VirtualNetwork,
) -> None:
    ann = network.phone("192.0.2.1", transport="tls")
    bob = network.phone("192.0.2.2", transport="tls")
    ann.call(bob, b"offer")
    invite = bytes(network.sent[-1].message)
    arrival = Flow("tls", bob.address, ("192.0.2.1", 40_000), id=7, names=("ann.example",))
    bob.agent.receive(invite, arrival, network.now)
    bob.flush()
    bob.agent.connection_lost(arrival, network.now)
    bob.calls[-1].answer(b"answer", network.now)
    ((_, flow),) = bob.agent.data_to_send()
    assert flow == replace(arrival, remote=("192.0.2.1", 5060), id=0)
    assert flow.names == ("ann.example",)  # who answers there must be the same
    bob.agent.connection_lost(flow, network.now)  # there is nobody either
    assert bob.agent.data_to_send() == []
    network.run(40.0)
    assert any(isinstance(event, Ended) for event in bob.heard(bob.calls[-1]))


def test_a_connection_that_was_lost_is_looked_for_at_the_port_of_its_transport() -> None:
    lost = Flow("tls", ("192.0.2.1", 5061), ("192.0.2.2", 0), names=("bob.example",))
    way = way_towards(Uri.parse("sip:bob@192.0.2.2"), lost)
    assert isinstance(way, Flow)
    assert (way.transport, way.remote) == ("tls", ("192.0.2.2", 5061))
    assert way.names == ("bob.example",)


def test_a_browser_is_only_reached_over_its_own_connection() -> None:
    flow = Flow("ws", ("192.0.2.1", 80), ("192.0.2.2", 40_000), id=3)
    for contact in ("sip:a@df7jal23ls0d.invalid;transport=ws", "sip:a@192.0.2.2;transport=tcp"):
        assert way_towards(Uri.parse(contact), flow) is flow


@pytest.mark.parametrize(
    ("uri", "usual", "transport"),
    [
        ("sip:a@h", "udp", "udp"),
        ("sip:a@h", "tls", "tls"),
        ("sip:a@h;transport=TCP", "udp", "tcp"),
        ("sips:a@h", "udp", "tls"),
        ("sips:a@h;transport=tcp", "udp", "tls"),
        ("sips:a@h;transport=ws", "udp", "wss"),
        ("sip:a@h;transport=ws", "wss", "wss"),
        ("sip:a@h;transport=ws", "udp", "ws"),
    ],
)
def test_an_address_names_its_transport(uri: str, usual: str, transport: str) -> None:
    assert transport_of(Uri.parse(uri), usual) == transport


def test_over_tls_we_are_called_as_our_certificate_calls_us() -> None:
    advertise = Advertiser("203.0.113.5", secure_host="sbc.example")
    flow = Flow("tls", ("192.0.2.1", 5061), ("198.51.100.1", 5061))
    assert advertise(flow) == ("sbc.example", 5061)
    assert advertise(replace(flow, transport="tcp")) == ("203.0.113.5", 5061)
    assert advertise.host_towards("198.51.100.1") == "203.0.113.5"  # where sound is sent to
