"""ICE-lite in descriptions: one candidate a component, and who is left to show the way himself."""

import pytest
from sdp_sides import agreed, answered, offer

from gateway.clock import RandomIds
from gateway.sdp.description import SessionDescription
from gateway.sdp.negotiate import OfferAnswer
from gateway.sdp.terms import Terms

UFRAG, PASSWORD = "a=ice-ufrag:h6vY", "a=ice-pwd:" + "p" * 22
HOST = "a=candidate:1 1 UDP 2130706431 192.0.2.1 4000 typ host"
RELAYED = "a=candidate:2 1 UDP 1694498815 198.51.100.7 31000 typ srflx raddr 10.0.0.1 rport 4000"


def side(*, ice: bool = False) -> OfferAnswer:
    terms = Terms(("PCMU",), ice=ice)
    return OfferAnswer("203.0.113.9", 10_000, terms, ids=RandomIds())


def stream(*lines: str, host: str = "192.0.2.1", port: int = 4000) -> bytes:
    return offer(f"m=audio {port} RTP/AVP 0", *lines, host=host)


def test_an_agent_gets_our_credentials_and_our_one_candidate() -> None:
    leg = side()
    answer = answered(leg, stream(UFRAG, PASSWORD, HOST, RELAYED, "a=rtcp-mux"))
    (section,) = answer.media
    assert answer.attributes("ice-lite") == [""]
    (candidate,) = section.attributes("candidate")
    assert candidate == "1 1 udp 2130706431 203.0.113.9 10000 typ host"
    ice = agreed(leg).ice
    assert ice is not None
    assert (ice.remote.ufrag, ice.remote.password) == ("h6vY", "p" * 22)
    assert section.attribute("ice-ufrag") == ice.local.ufrag
    assert section.attribute("ice-pwd") == ice.local.password
    assert (len(ice.local.ufrag), len(ice.local.password)) == (8, 24)
    assert ice.local.password not in repr(agreed(leg))


def test_keys_in_the_description_go_with_it() -> None:
    leg = OfferAnswer("203.0.113.9", 10_000, Terms(("PCMU",), srtp="required"), ids=RandomIds())
    crypto = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + "A" * 40
    body = offer("m=audio 4000 RTP/SAVP 0", UFRAG, PASSWORD, HOST, RELAYED, crypto)
    (section,) = answered(leg, body).media
    assert section.attribute("crypto") is not None
    assert section.attribute("ice-pwd") is not None
    assert agreed(leg).srtp is not None
    assert agreed(leg).ice is not None


def test_reports_at_a_port_of_their_own_have_a_candidate_of_their_own() -> None:
    (section,) = answered(side(), stream(UFRAG, PASSWORD, HOST)).media
    candidates = [value.split()[1:6:4] for value in section.attributes("candidate")]
    assert candidates == [["1", "10000"], ["2", "10001"]]


def test_credentials_of_the_whole_description_count() -> None:
    leg = side()
    leg.answer(offer(UFRAG, PASSWORD, "m=audio 4000 RTP/AVP 0", HOST))
    assert agreed(leg).ice is not None


@pytest.mark.parametrize(
    "lines",
    [
        (UFRAG,),
        (PASSWORD,),
        ("a=ice-ufrag:abc", PASSWORD),
        (UFRAG, "a=ice-pwd:short"),
        (UFRAG, "a=ice-pwd:" + "p" * 21 + "é"),
        ("a=ice-lite", UFRAG, PASSWORD, HOST),
        (HOST,),
    ],
)
def test_without_what_signs_a_check_there_is_no_ice(lines: tuple[str, ...]) -> None:
    leg = side()
    body = offer(*lines[:1], "m=audio 4000 RTP/AVP 0", *lines[1:])
    answer = answered(leg, body)
    assert agreed(leg).ice is None
    assert answer.attributes("ice-lite") == []
    assert answer.media[0].attribute("candidate") is None


def test_an_address_that_was_changed_on_the_way_is_told_and_the_packets_show_the_way() -> None:
    leg = side()
    (section,) = answered(leg, stream(UFRAG, PASSWORD, HOST, host="198.51.100.99")).media
    assert section.attributes("ice-mismatch") == [""]
    assert section.attribute("ice-ufrag") is None
    assert agreed(leg).ice is None
    assert agreed(leg).remote == ("198.51.100.99", 4000)


@pytest.mark.parametrize(
    ("lines", "host", "port"),
    [((), "192.0.2.1", 4000), ((HOST,), "0.0.0.0", 9), (("a=candidate:x",), "192.0.2.1", 9)],
    ids=["no candidates", "candidates to come", "one that cannot be read"],
)
def test_candidates_may_be_few_or_come_later(lines: tuple[str, ...], host: str, port: int) -> None:
    leg = side()
    (section,) = answered(leg, stream(UFRAG, PASSWORD, *lines, host=host, port=port)).media
    assert section.attribute("ice-ufrag") is not None
    assert agreed(leg).ice is not None


def test_a_restart_has_new_credentials_on_both_sides_and_a_refresh_has_not() -> None:
    leg = side()
    leg.answer(stream(UFRAG, PASSWORD, HOST))
    first = agreed(leg).ice
    leg.answer(stream(UFRAG, PASSWORD, HOST, "a=sendonly"))
    assert agreed(leg).ice == first
    leg.answer(stream("a=ice-ufrag:other", PASSWORD, HOST))
    second = agreed(leg).ice
    assert first is not None
    assert second is not None
    assert second.local != first.local


def test_our_offer_says_that_we_make_no_checks_and_takes_an_answer_with_and_without() -> None:
    for lines in ((UFRAG, PASSWORD, HOST), ()):
        leg = side(ice=True)
        ours = SessionDescription.parse(leg.offer())
        assert ours.attributes("ice-lite") == [""]
        assert len(ours.media[0].attributes("candidate")) == 2
        leg.accept(stream(*lines))
        assert (agreed(leg).ice is not None) == bool(lines)


def test_two_sides_that_make_no_checks_use_their_addresses() -> None:
    caller, called = side(ice=True), side(ice=True)
    caller.accept(called.answer(caller.offer()))
    assert agreed(caller).ice is None
    assert agreed(called).ice is None
