"""Which streams are encrypted, offered and answered, and under whose keys."""

import base64
import re
from pathlib import Path

import pytest
from sdp_sides import agreed, answered, leg, offer, version_of

from gateway.errors import NegotiationError
from gateway.sdp.crypto import OFFERED, SUITES, CryptoLine
from gateway.sdp.description import SessionDescription
from gateway.sdp.negotiate import OfferAnswer
from gateway.sdp.terms import Srtp

CAPTURES = Path(__file__).parents[2].parent / "shared" / "sip" / "captures"
SRTPS: tuple[Srtp, ...] = ("off", "optional", "required")


def crypto(tag: int, suite: str, first: int = 0, parameters: str = "") -> str:
    key = base64.b64encode(bytes((first + n) % 256 for n in range(SUITES[suite]))).decode()
    return f"a=crypto:{tag} {suite} inline:{key}{parameters}"


USUAL = crypto(1, "AES_CM_128_HMAC_SHA1_80")
SHORT = crypto(2, "AES_CM_128_HMAC_SHA1_32", 1)
LOUD = crypto(3, "AES_CM_128_HMAC_SHA1_80", 2, " UNENCRYPTED_SRTP")


def stream(protocol: str, *lines: str, port: int = 4000) -> list[str]:
    return [f"m=audio {port} {protocol} 0 101", "a=rtpmap:101 telephone-event/8000", *lines]


def lines_of(description: bytes) -> list[CryptoLine]:
    section = next(m for m in SessionDescription.parse(description).media if m.port)
    lines = [CryptoLine.parse(value) for value in section.attributes("crypto")]
    return [line for line in lines if line is not None]


def connect(caller: OfferAnswer, called: OfferAnswer) -> None:
    caller.accept(called.answer(caller.offer()))


def check_same_keys(one: OfferAnswer, other: OfferAnswer) -> None:
    ours, theirs = agreed(one).srtp, agreed(other).srtp
    assert ours is not None
    assert theirs is not None
    assert (ours.suite, ours.local, ours.remote) == (theirs.suite, theirs.remote, theirs.local)
    assert ours.local != ours.remote
    assert agreed(one).is_secure
    assert agreed(other).is_secure


@pytest.mark.parametrize("protocol", ["RTP/SAVP", "RTP/SAVPF", "RTP/AVP", "RTP/AVPF"])
@pytest.mark.parametrize("srtp", ["optional", "required"])
def test_an_offer_with_keys_is_answered_with_one_of_the_same_tag(srtp: Srtp, protocol: str) -> None:
    side = leg(srtp=srtp)
    body = side.answer(offer(*stream(protocol, LOUD, SHORT, USUAL)))
    (section,) = SessionDescription.parse(body).media
    assert section.protocol == protocol
    (line,) = lines_of(body)
    assert (line.tag, line.suite) == (2, "AES_CM_128_HMAC_SHA1_32")
    keys = agreed(side).srtp
    assert keys is not None
    assert keys.suite == "AES_CM_128_HMAC_SHA1_32"
    assert keys.local == line.key != keys.remote
    assert keys.remote == bytes(range(1, 31))


@pytest.mark.parametrize("lines", [[], [LOUD], ["a=crypto:1 F8_128_HMAC_SHA1_80 inline:AAAA"]])
@pytest.mark.parametrize("srtp", SRTPS)
def test_a_secure_profile_without_a_key_of_use_deserves_488(srtp: Srtp, lines: list[str]) -> None:
    side = leg(srtp=srtp)
    with pytest.raises(NegotiationError, match="secure") as caught:
        side.answer(offer(*stream("RTP/SAVP", *lines)))
    assert caught.value.status == 488


def test_where_sound_is_never_encrypted_keys_are_passed_over_and_a_secure_profile_refused() -> None:
    side = leg(srtp="off")
    assert lines_of(side.answer(offer(*stream("RTP/AVP", USUAL)))) == []
    assert not agreed(side).is_secure
    with pytest.raises(NegotiationError, match="secure"):
        side.answer(offer(*stream("RTP/SAVP", USUAL)))


def test_where_sound_is_always_encrypted_a_plain_offer_deserves_488() -> None:
    with pytest.raises(NegotiationError, match="secure") as caught:
        leg(srtp="required").answer(offer(*stream("RTP/AVP")))
    assert caught.value.status == 488


def test_of_a_plain_and_a_secure_stream_the_one_is_taken_that_may_be() -> None:
    both = offer(*stream("RTP/AVP"), *stream("RTP/SAVP", USUAL, port=4002))
    ports = {}
    for srtp in SRTPS:
        answer = answered(leg(srtp=srtp), both)
        ports[srtp] = [section.port for section in answer.media]
    assert ports == {"off": [10_000, 0], "optional": [10_000, 0], "required": [0, 10_000]}


@pytest.mark.parametrize(
    ("srtp", "is_private", "protocol", "suites"),
    [
        ("off", True, "RTP/AVP", []),
        ("optional", False, "RTP/AVP", []),
        ("optional", True, "RTP/AVP", list(OFFERED)),
        ("required", False, "RTP/SAVP", list(OFFERED)),
        ("required", True, "RTP/SAVP", list(OFFERED)),
    ],
)
def test_our_offer_has_keys_where_nobody_reads_them_or_they_must_be(
    srtp: Srtp, is_private: bool, protocol: str, suites: list[str]
) -> None:
    body = leg(srtp=srtp, is_private=is_private).offer()
    (section,) = SessionDescription.parse(body).media
    assert section.protocol == protocol
    lines = lines_of(body)
    assert [line.suite for line in lines] == suites
    assert [line.tag for line in lines] == list(range(1, len(suites) + 1))
    assert len({line.key for line in lines}) == len(suites)


@pytest.mark.parametrize("called", SRTPS)
@pytest.mark.parametrize("caller", SRTPS)
def test_two_sides_come_to_the_same_keys_or_to_none_or_apart(caller: Srtp, called: Srtp) -> None:
    one = leg(srtp=caller, is_private=True)
    other = leg(srtp=called, host="203.0.113.8")
    if {caller, called} == {"off", "required"}:
        with pytest.raises(NegotiationError):
            connect(one, other)
        return
    connect(one, other)
    if "off" in (caller, called):
        assert not agreed(one).is_secure
        assert not agreed(other).is_secure
    else:
        check_same_keys(one, other)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [crypto(9, OFFERED[0])],
        [crypto(1, OFFERED[1])],
        [crypto(1, OFFERED[0], parameters=" UNENCRYPTED_SRTP")],
    ],
)
def test_an_answer_without_a_key_of_ours_fails_where_one_must_be(lines: list[str]) -> None:
    side = leg(srtp="required")
    side.offer()
    with pytest.raises(NegotiationError, match="no key"):
        side.accept(offer(*stream("RTP/SAVP", *lines)))
    assert side.negotiated is None
    side = leg(srtp="optional", is_private=True)
    side.offer()
    side.accept(offer(*stream("RTP/AVP", *lines)))
    assert not agreed(side).is_secure


def test_our_own_key_sent_back_is_no_key() -> None:
    side = leg(srtp="required")
    ours = lines_of(side.offer())[0]
    with pytest.raises(NegotiationError, match="no key"):
        side.accept(offer(*stream("RTP/SAVP", f"a=crypto:{ours}")))


def test_a_plain_offer_of_ours_is_not_encrypted_by_the_answer() -> None:
    side = leg(srtp="optional")
    side.offer()
    side.accept(offer(*stream("RTP/AVP", USUAL)))
    assert not agreed(side).is_secure
    side = leg(srtp="optional")
    side.offer()
    with pytest.raises(NegotiationError, match="no key"):
        side.accept(offer(*stream("RTP/SAVP", USUAL)))


def test_a_hold_and_its_end_change_no_key() -> None:
    one, other = leg(srtp="required"), leg(srtp="optional", host="203.0.113.8")
    connect(one, other)
    before = agreed(one).srtp, agreed(other).srtp
    for side, far in ((one, other), (other, one)):
        for direction in ("sendonly", "sendrecv"):
            body = side.offer(direction)  # type: ignore[arg-type]
            assert b"RTP/SAVP" in body
            side.accept(far.answer(body))
            assert (agreed(one).srtp, agreed(other).srtp) == before


def test_a_new_key_of_theirs_has_a_new_key_of_ours_and_the_same_key_the_same() -> None:
    side = leg(srtp="optional")
    first = lines_of(side.answer(offer(*stream("RTP/SAVP", USUAL))))
    same = lines_of(side.answer(offer(*stream("RTP/SAVP", USUAL, "a=sendonly"), version=2)))
    assert same == first
    other = crypto(1, "AES_CM_128_HMAC_SHA1_80", 99)
    body = side.answer(offer(*stream("RTP/SAVP", other), version=3))
    assert lines_of(body) != first
    assert version_of(body) == 3
    keys = agreed(side).srtp
    assert keys is not None
    assert keys.remote == bytes(range(99, 129))


def test_a_refresh_of_an_encrypted_call_changes_nothing() -> None:
    side = leg(srtp="optional")
    body = offer(*stream("RTP/SAVP", USUAL))
    first, before = side.answer(body), agreed(side)
    assert side.answer(body) == first
    assert side.answer(offer(*stream("RTP/SAVP", USUAL), version=2)) == first
    assert agreed(side) is before


def test_a_call_may_become_encrypted_or_plain_where_both_are_allowed() -> None:
    side = leg(srtp="optional")
    verdicts = []
    for lines in ([], [USUAL], [], [SHORT]):
        side.answer(offer(*stream("RTP/AVP", *lines)))
        verdicts.append(agreed(side).is_secure)
    assert verdicts == [False, True, False, True]


def test_a_full_offer_keeps_the_agreed_key_and_brings_the_others_anew() -> None:
    side = leg(srtp="optional")
    (ours,) = lines_of(side.answer(offer(*stream("RTP/SAVP", SHORT))))
    lines = lines_of(side.offer(is_full=True))
    assert lines[0] == ours
    assert [line.suite for line in lines[1:]] == list(OFFERED)
    assert [line.tag for line in lines] == [2, 3, 4, 5]
    plain = leg(srtp="optional")
    plain.answer(offer(*stream("RTP/AVP")))
    assert lines_of(plain.offer(is_full=True)) == []


@pytest.mark.skipif(not CAPTURES.is_dir(), reason="the captured requests are not at hand")
@pytest.mark.parametrize("srtp", SRTPS)
def test_a_real_client_that_would_rather_encrypt_is_met_halfway(srtp: Srtp) -> None:
    body = (CAPTURES / "baresip-1.0.0-srtp-invite.sip").read_bytes().partition(b"\r\n\r\n")[2]
    side = leg(srtp=srtp)
    answer = side.answer(body)
    assert agreed(side).is_secure == (srtp != "off")
    theirs = re.search(rb"a=crypto:(\d+) (\S+)", body)
    assert theirs is not None
    if srtp != "off":
        (line,) = lines_of(answer)
        assert (line.tag, line.name) == (int(theirs[1]), theirs[2].decode())


def test_a_refresh_of_ours_changes_no_key_whoever_called() -> None:
    one, other = leg(srtp="required"), leg(srtp="optional", host="203.0.113.8")
    connect(one, other)
    before = agreed(one), agreed(other)
    for side, far in ((one, other), (other, one)):
        side.accept(far.answer(side.repeat()))
        assert (agreed(one), agreed(other)) == before
        assert agreed(side) is before[side is other]
