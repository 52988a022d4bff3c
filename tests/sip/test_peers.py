"""What well-known peers send, from their first message to our answer and our goodbye."""

import asyncio
from dataclasses import replace
from typing import cast

import pytest
from peer_scene import CODECS, PEERS, SETTINGS, TEAMS, TWILIO_TLS, Scene

from gateway.calls.neighbours import Neighbours
from gateway.clock import CountedIds
from gateway.legs.events import LegAnswered, LegEnded, LegMedia
from gateway.legs.sip_leg import SipLeg
from gateway.sdp.terms import Terms
from gateway.sip.flow import Flow
from gateway.sip.transport.endpoint import SipEndpoint
from gateway.sip.wire.message import Request, response_to
from gateway.sip.wire.uri import Uri


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_twilio_is_answered_by_both_of_its_proxies_and_let_go_through_them(scene: Scene) -> None:
    agreed = scene.take("twilio")
    assert (agreed.remote, agreed.ptime) == (("203.0.113.12", 15030), 20)
    assert agreed.dtmf_send_type == 101
    answer = scene.reply()
    assert len(answer.headers.get_all("Record-Route")) == 2
    assert answer.call_id == "2b8c-0af1@0.0.0.0"
    facts = scene.facts()
    assert (facts.caller, facts.called) == ("+15550199", "+15550123")
    assert facts.variables["diverted_from"] == "+15550177"
    assert facts.variables["header.x-twilio-callsid"] == "CAexample"
    scene.send("twilio-ack", tag=scene.tag, uri=scene.uri)
    assert scene.told[-1] == LegAnswered()
    scene.phone.calls[-1].hang_up(scene.network.now)
    scene.phone.flush()
    bye = scene.network.last("BYE")
    assert isinstance(bye, Request)
    assert bye.uri == "sip:+15550100@172.25.8.9:5060;transport=udp", "its private Contact"
    assert [route.uri.host for route in bye.routes] == ["203.0.113.10", "203.0.113.11"]
    assert scene.network.sent[-1].flow.remote == ("203.0.113.10", 5060)


def test_twilio_over_tls_brings_one_key_and_is_answered_with_one_of_ours(scene: Scene) -> None:
    scene.flow = TWILIO_TLS
    agreed = scene.take("twilio-secure")
    assert agreed.srtp is not None
    assert agreed.srtp.suite == "AES_CM_128_HMAC_SHA1_80"
    assert agreed.ptime == 20
    (line,) = [line for line in scene.reply().body.splitlines() if b"a=crypto" in line]
    assert line.startswith(b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:")
    assert b"RTP/SAVP 0 101" in scene.reply().body
    contact = scene.reply().contacts[0].uri
    assert (contact.host, contact.params["transport"]) == ("sbc.example", "tls")
    assert scene.network.sent[-1].flow == TWILIO_TLS


@pytest.mark.parametrize(
    ("name", "flow"), [("twilio-secure", TWILIO_TLS), ("teams", TEAMS), ("teams-options", TEAMS)]
)
@pytest.mark.parametrize("names", [(), ("sip.carrier.example", "pstnhub.example.evil.example")])
def test_whose_certificate_names_somebody_else_is_a_stranger(
    scene: Scene, name: str, flow: Flow, names: tuple[str, ...]
) -> None:
    scene.flow = replace(flow, names=names)
    scene.send(name)
    assert scene.network.titles()[0].startswith("403")
    assert scene.phone.calls == []


@pytest.mark.parametrize(("cause", "q850"), [("16", 16), ("17", 17), ("31", 31), ("102", 102)])
def test_the_cause_that_twilio_gives_is_kept(scene: Scene, cause: str, q850: int) -> None:
    scene.take("twilio")
    scene.send("twilio-ack", tag=scene.tag, uri=scene.uri)
    scene.send("twilio-bye", tag=scene.tag, uri=scene.uri, cause=cause)
    assert scene.network.titles()[-1] == "200 BYE"
    assert scene.told[-1] == LegEnded("caller", 200, "Normal call clearing", q850)


def test_telnyx_gets_its_private_contact_back_as_the_address_of_the_goodbye(scene: Scene) -> None:
    scene.comes_from("192.0.2.40")
    scene.take("telnyx")
    acknowledge(scene)
    session = scene.phone.calls[-1]
    session.hang_up(scene.network.now)
    scene.phone.flush()
    bye = scene.network.last("BYE")
    assert isinstance(bye, Request)
    assert bye.uri == "sip:mod_sofia@10.33.7.2:5070"
    assert scene.network.sent[-1].flow.remote == ("192.0.2.40", 5060)
    assert scene.facts().variables["caller_name"] == "Anne"


def test_telnyx_says_trying_in_its_own_words(scene: Scene) -> None:
    place(scene)
    scene.network.run(0.05)
    reply_with(scene, "telnyx-trying")
    scene.network.run(40.0)
    assert scene.network.titles(by=scene.phone) == ["INVITE"], "it is heard, and waited for"


def test_teams_is_understood_in_capitals_with_all_its_parameters(scene: Scene) -> None:
    scene.flow = TEAMS
    agreed = scene.take("teams")
    assert agreed.remote == ("198.51.100.77", 53780)
    assert agreed.codec.name in CODECS, "neither SILK nor comfort noise is taken for speech"
    contact = scene.phone.calls[-1].request.contacts[0].uri
    assert contact.params["x-c"] == "9c4ad36e55f8/s/1/0d9d7c8b6a5f4e3d2c1b0a9988776655"
    facts = scene.facts()
    assert facts.caller == "anonymous"
    assert facts.behalf is not None
    assert facts.behalf.asserted == "<tel:+15550100>"
    assert (facts.called, facts.variables["diverted_from"]) == ("+15550123", "+15550177")


def test_teams_may_send_us_to_an_address_without_a_user(scene: Scene) -> None:
    scene.flow = TEAMS
    leg = scene.call("teams")
    leg.answer()
    scene.network.run(0.05)
    acknowledge(scene)
    scene.send("teams-refer", tag=scene.tag, uri=scene.uri)
    (wish,) = scene.asked
    assert wish.target.username == ""
    assert str(wish.target).startswith("sip:sip.pstnhub.example:5061;transport=tls;x-m=8%3Aorgid")
    assert wish.referred_by.startswith("<sip:sip.pstnhub.example:5061;transport=tls;x-m=")


def test_teams_asks_whether_we_live(scene: Scene) -> None:
    scene.flow = TEAMS
    scene.send("teams-options")
    answer = scene.network.last("200 OPTIONS")
    assert "INVITE" in (answer.headers.get("Allow") or "")
    assert b"sips:" not in bytes(answer)


def test_teams_is_asked_by_the_name_of_our_certificate_whether_it_lives() -> None:
    scene = Scene("tls")
    scene.network.names["sip.pstnhub.example"] = [TEAMS.remote]
    asyncio.run(ask_whether_it_lives(scene))
    first, second = (sent for sent in scene.network.sent if sent.title == "OPTIONS")
    assert second.at - first.at == pytest.approx(61.0)
    for sent in (first, second):
        asked = sent.message
        assert isinstance(asked, Request)
        assert (sent.flow.transport, sent.flow.remote) == ("tls", TEAMS.remote)
        assert asked.uri == "sip:sip.pstnhub.example:5061;transport=tls"
        assert (asked.via.transport, asked.via.host) == ("TLS", "sbc.example")
        contact = asked.contacts[0].uri
        assert (contact.scheme, contact.host) == ("sip", "sbc.example")
        assert contact.params["transport"] == "tls"


async def ask_whether_it_lives(scene: Scene) -> None:
    """Have our side ask Teams twice, and Teams answer."""
    endpoint = cast("SipEndpoint", scene.phone)  # which does as one here
    neighbours = Neighbours(SETTINGS, scene.trunks, endpoint)
    neighbours.begin()
    for _ in range(2):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        asked = scene.network.last_request("OPTIONS")
        answer = response_to(asked, 200)
        scene.phone.agent.receive(bytes(answer), scene.network.sent[-1].flow, scene.network.now)
        scene.network.run(61.0)
    neighbours.end()


def test_asterisk_pads_its_length_and_refreshes_its_session(scene: Scene) -> None:
    scene.comes_from("192.0.2.50")
    agreed = scene.take("asterisk")
    assert agreed.codec.name == "PCMA", "the first of its own"
    assert agreed.ptime == 20
    assert (scene.reply().headers.get("Session-Expires") or "").startswith("1800")


def test_freeswitch_folds_its_headers_and_names_the_caller_in_its_own(scene: Scene) -> None:
    scene.comes_from("192.0.2.60")
    agreed = scene.take("freeswitch")
    assert agreed.dtmf_send_type == 101
    assert 13 in agreed.receive_types, "its comfort noise is known for what it is"
    request = scene.phone.calls[-1].request
    assert "SUBSCRIBE" in (request.headers.get("Allow") or "")
    facts = scene.facts()
    assert (facts.caller, facts.variables["caller_name"]) == ("+15550111", "Extension 1000")
    assert facts.variables["header.x-fs-support"] == "update_display,send_info"


def test_cisco_leaves_the_offer_to_us_and_limits_how_long_it_lets_us_ring(scene: Scene) -> None:
    scene.comes_from("192.0.2.70")
    leg = scene.call("cisco")
    session = scene.phone.calls[-1]
    assert session.offer is None
    ds0 = session.request.via.params["x-ds0num"]
    assert ds0 == '"ISDN 0/0/1:15 0/0/1:DS1 9:DS0"'
    assert session.request.headers.get_all("Allow")[2] == "INFO, REGISTER"
    leg.answer()
    scene.network.run(0.05)
    assert b"m=audio 40000 RTP/AVP 0" in scene.reply().body
    ds0_echoed = scene.reply().via.params["x-ds0num"]
    assert ds0_echoed == ds0


def test_cisco_gives_up_after_the_time_that_it_told(scene: Scene) -> None:
    scene.comes_from("192.0.2.70")
    leg = scene.call("cisco")
    leg.ring()
    scene.network.run(179.0)
    assert "487 INVITE" not in scene.network.titles()
    scene.network.run(2.0)
    assert "487 INVITE" in scene.network.titles()
    assert isinstance(scene.told[-1], LegEnded)


def test_a_recorder_of_cisco_sends_its_description_among_other_parts(scene: Scene) -> None:
    scene.comes_from("192.0.2.70")
    agreed = scene.take("cisco-recording")
    assert agreed.remote == ("192.0.2.70", 16552)


@pytest.mark.parametrize(
    ("type_", "status"),
    [("application/sdp", "180 INVITE"), ("text/plain", "400 INVITE")],
    ids=["the same twice", "another"],
)
def test_whatsapp_says_everything_twice(scene: Scene, type_: str, status: str) -> None:
    if status.startswith("180"):
        agreed = scene.take("whatsapp", type=type_)
        assert agreed.remote == ("203.0.113.81", 40100)
        assert agreed.codec.name in ("PCMU", "opus")
    else:
        scene.send("whatsapp", type=type_)
        assert scene.phone.calls == []
    assert status in scene.network.titles()


def test_openai_once_forgot_to_say_what_its_answer_was(scene: Scene) -> None:
    place(scene)
    scene.network.run(0.05)
    reply_with(scene, "openai-answer")
    scene.network.run(0.05)
    (agreed,) = scene.lane.agreed
    assert (agreed.codec.name, agreed.dtmf_send_type) == ("PCMU", 101)
    assert agreed.remote == ("203.0.113.90", 31000)
    assert scene.told == [LegMedia(agreed), LegAnswered()]
    assert scene.network.titles(by=scene.phone) == ["INVITE", "ACK"]


@pytest.mark.parametrize("name", sorted(path.stem for path in PEERS.glob("*.sip")))
def test_only_addresses_and_numbers_for_examples_are_used(name: str) -> None:
    text = (PEERS / f"{name}.sip").read_text()
    known = ("192.0.2.", "198.51.100.", "203.0.113.", "172.25.", "10.33.", "127.0.0.", "0.0.0.0")
    for word in text.replace(":", " ").replace("@", " ").replace(";", " ").split():
        parts = word.strip("<>").split(".")
        if len(parts) == 4 and all(part.isdecimal() for part in parts):
            assert word.strip("<>").startswith(known)


def place(scene: Scene) -> None:
    """Have our side call a peer."""
    asyncio.run(
        SipLeg.outgoing(
            scene.phone,
            Uri.parse("sip:peer@203.0.113.10"),
            scene.lane,
            Terms(CODECS),
            scene.told.append,
            ids=CountedIds(),
        )
    )


def reply_with(scene: Scene, name: str) -> None:
    """Have the peer answer our INVITE."""
    invite = scene.network.last("INVITE").headers
    names = ("Via", "From", "To", "Call-ID", "CSeq")
    scene.send(name, **{one.lower(): invite.get(one) or "" for one in names})


def acknowledge(scene: Scene) -> None:
    """Have the peer acknowledge our answer."""
    request = scene.phone.calls[-1].request
    ack = Request("ACK", scene.uri)
    for header in ("From", "Call-ID", "Via"):
        ack.headers.add(header, request.headers.get(header) or "")
    ack.headers.add("To", scene.reply().headers.get("To") or "")
    ack.headers.add("CSeq", f"{request.cseq.number} ACK")
    scene.phone.agent.receive(bytes(ack), scene.flow, scene.network.now)
    scene.phone.flush()
