"""Handshakes for keys, offered and answered: who begins, with whom, and when it is done anew."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sdp_sides import agreed, answered, offer

from gateway.clock import RandomIds
from gateway.errors import NegotiationError
from gateway.sdp.description import SessionDescription
from gateway.sdp.dtls import Fingerprint
from gateway.sdp.negotiate import OfferAnswer
from gateway.sdp.terms import KeyExchange, Srtp, Terms

CAPTURES = Path(__file__).parents[2].parent / "shared" / "sip" / "captures"
OURS = "sha-256 " + ":".join(["0A"] * 32)
THEIRS = "a=fingerprint:SHA-256 " + ":".join(["ab"] * 32)
OTHERS = "a=fingerprint:sha-256 " + ":".join(["CD"] * 32)
WEAK = (
    "a=fingerprint:sha-1 " + ":".join(["11"] * 20),
    "a=fingerprint:md5 " + ":".join(["22"] * 16),
)
CRYPTO = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + "A" * 40


def side(
    srtp: Srtp = "optional",
    keys: KeyExchange = "sdes",
    fingerprint: str = OURS,
    *,
    ice: bool = False,
) -> OfferAnswer:
    terms = Terms(("PCMU",), srtp=srtp, srtp_keys=keys, ice=ice)
    return OfferAnswer("203.0.113.9", 10_000, terms, ids=RandomIds(), fingerprint=fingerprint)


def stream(*lines: str, protocol: str = "UDP/TLS/RTP/SAVPF", port: int = 4000) -> bytes:
    return offer(f"m=audio {port} {protocol} 0", *lines)


@pytest.mark.parametrize(
    "protocol",
    ["UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF", "RTP/SAVP", "RTP/SAVPF", "RTP/AVP", "RTP/AVPF"],
)
@pytest.mark.parametrize("srtp", ["optional", "required"])
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("actpass", "passive"), ("active", "passive"), ("passive", "active"), ("", "passive")],
)
def test_who_begins_is_answered(srtp: Srtp, protocol: str, theirs: str, ours: str) -> None:
    leg = side(srtp)
    lines = [THEIRS, *([f"a=setup:{theirs}"] if theirs else [])]
    (section,) = answered(leg, stream(*lines, protocol=protocol)).media
    assert section.protocol == protocol
    assert section.attribute("setup") == ours
    assert section.attribute("fingerprint") == OURS
    assert section.attribute("crypto") is None
    outcome = agreed(leg)
    assert (outcome.is_secure, outcome.srtp) == (True, None)
    assert outcome.dtls is not None
    assert outcome.dtls.is_client == (ours == "active")
    assert outcome.dtls.fingerprints == {Fingerprint("sha-256", b"\xab" * 32)}


def test_a_handshake_goes_before_keys_in_the_description() -> None:
    leg = side()
    (section,) = answered(leg, stream(THEIRS, CRYPTO, protocol="RTP/SAVP")).media
    assert section.attribute("fingerprint") == OURS
    assert agreed(leg).dtls is not None
    assert agreed(leg).srtp is None


def test_who_waits_is_let_wait() -> None:
    leg = side()
    (section,) = answered(leg, stream(THEIRS, "a=setup:holdconn")).media
    assert section.attribute("setup") == "holdconn"
    assert (agreed(leg).is_secure, agreed(leg).dtls) == (True, None)


def test_fingerprints_of_the_whole_description_count_and_any_of_several() -> None:
    leg = side()
    body = offer(THEIRS, "a=setup:active", "m=audio 4000 UDP/TLS/RTP/SAVP 0")
    leg.answer(body)
    leg = side()
    leg.answer(stream(*WEAK, THEIRS, OTHERS))
    dtls = agreed(leg).dtls
    assert dtls is not None
    assert {one.digest for one in dtls.fingerprints} == {b"\xab" * 32, b"\xcd" * 32}


@pytest.mark.parametrize(
    "lines",
    [(), WEAK, ("a=fingerprint:sha-256 AB:CD",), ("a=fingerprint:sha-256",), (CRYPTO,)],
)
def test_without_a_fingerprint_to_believe_there_is_no_handshake(lines: tuple[str, ...]) -> None:
    with pytest.raises(NegotiationError):
        side().answer(stream(*lines))


def test_an_unknown_role_is_refused() -> None:
    with pytest.raises(NegotiationError):
        side().answer(stream(THEIRS, "a=setup:whatever"))


def test_where_nothing_is_encrypted_a_handshake_is_refused_or_left_out() -> None:
    with pytest.raises(NegotiationError):
        side("off").answer(stream(THEIRS))
    leg = side("off")
    (section,) = answered(leg, stream(THEIRS, protocol="RTP/AVP")).media
    assert section.attribute("fingerprint") is None
    assert not agreed(leg).is_secure


@pytest.mark.parametrize(
    ("srtp", "protocol"), [("required", "UDP/TLS/RTP/SAVP"), ("optional", "RTP/AVP")]
)
def test_our_offer_leaves_it_to_them_who_begins(srtp: Srtp, protocol: str) -> None:
    caller, called = side(srtp, "dtls"), side()
    body = caller.offer()
    (section,) = SessionDescription.parse(body).media
    assert (section.protocol, section.attribute("setup")) == (protocol, "actpass")
    caller.accept(called.answer(body))
    ours, theirs = agreed(caller).dtls, agreed(called).dtls
    assert ours is not None
    assert theirs is not None
    assert ours.is_client != theirs.is_client


def test_an_answer_in_the_clear_is_taken_where_it_may_be_and_only_there() -> None:
    leg = side("optional", "dtls")
    leg.offer()
    leg.accept(stream(protocol="RTP/AVP"))
    assert not agreed(leg).is_secure
    leg = side("required", "dtls")
    leg.offer()
    with pytest.raises(NegotiationError):
        leg.accept(stream(protocol="UDP/TLS/RTP/SAVP"))


@pytest.mark.parametrize("setup", ["actpass", "whatever"])
def test_an_answer_that_decides_nothing_is_refused(setup: str) -> None:
    leg = side("required", "dtls")
    leg.offer()
    with pytest.raises(NegotiationError):
        leg.accept(stream(THEIRS, f"a=setup:{setup}"))


def test_a_refresh_and_a_hold_keep_the_association() -> None:
    leg = side()
    leg.answer(stream(THEIRS, "a=setup:passive"))
    before = agreed(leg)
    (section,) = answered(leg, stream(THEIRS, "a=setup:actpass", "a=sendonly")).media
    assert section.attribute("setup") == "active"  # as before, though we might choose now
    assert agreed(leg).dtls == before.dtls
    leg.answer(stream(THEIRS, "a=setup:actpass", port=4002))
    assert agreed(leg).dtls == before.dtls


@pytest.mark.parametrize(
    "lines",
    [
        (OTHERS, "a=setup:active"),
        (THEIRS, OTHERS, "a=setup:active"),
        (THEIRS, "a=setup:passive"),
        (THEIRS, "a=setup:active", "a=tls-id:abcdefghij0123456789"),
    ],
    ids=["another certificate", "one more", "another role", "by name"],
)
def test_whatever_differs_asks_for_another_association(lines: tuple[str, ...]) -> None:
    leg = side()
    leg.answer(stream(THEIRS, "a=setup:active"))
    before = agreed(leg).dtls
    leg.answer(stream(*lines))
    assert agreed(leg).dtls not in (before, None)


def test_our_own_offers_in_mid_call_keep_our_role() -> None:
    leg = side()
    leg.answer(stream(THEIRS, "a=setup:actpass"))
    (section,) = SessionDescription.parse(leg.offer("sendonly")).media
    assert section.attribute("setup") == "passive"
    before = agreed(leg).dtls
    leg.accept(stream(THEIRS, "a=setup:active", "a=recvonly"))
    assert agreed(leg).dtls == before
    (section,) = SessionDescription.parse(leg.offer(is_full=True)).media
    assert section.attribute("setup") == "actpass"  # somebody else may be there by now


def test_what_baresip_offers_is_answered() -> None:
    path = CAPTURES / "baresip-1.0.0-dtls_srtp-invite.sip"
    if not path.exists():
        pytest.skip("there are no captures beside this tree")
    leg = side("required")
    (section,) = answered(leg, path.read_bytes().split(b"\r\n\r\n", 1)[1]).media
    assert section.protocol == "UDP/TLS/RTP/SAVPF"
    assert section.attribute("setup") == "passive"


@given(st.text(max_size=80))
def test_any_text_is_a_fingerprint_or_none(text: str) -> None:
    found = Fingerprint.parse(text)
    assert found is None or Fingerprint.parse(str(found)) == found
