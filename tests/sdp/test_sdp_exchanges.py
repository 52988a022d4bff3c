"""Offers refused, crossed, withdrawn and made again."""

import pytest
from sdp_sides import agreed, answered, leg, offer

from gateway.errors import NegotiationError, SdpError
from gateway.sdp.codecs import listed_codecs
from gateway.sdp.description import SessionDescription
from gateway.sdp.negotiate import State


@pytest.mark.parametrize(
    "media",
    [
        [],
        ["m=audio 0 RTP/AVP 0"],
        ["m=audio 5000 RTP/AVP 3 18"],
        ["m=audio 5000 RTP/AVP 101", "a=rtpmap:101 telephone-event/8000"],
        ["m=audio 5000 RTP/AVP 13"],
        ["m=audio 5000 RTP/SAVP 0"],
        ["m=audio 5000 UDP/TLS/RTP/SAVPF 0"],
        ["m=audio 5000 RTP/AVP 300 x"],
        ["m=image 5000 udptl t38"],
    ],
)
def test_an_offer_without_a_common_codec_deserves_488(media: list[str]) -> None:
    side = leg()
    with pytest.raises(NegotiationError) as caught:
        side.answer(offer(*media))
    assert caught.value.status == 488
    assert side.negotiated is None


def test_a_refused_offer_leaves_what_was_agreed() -> None:
    side = leg()
    side.answer(offer("m=audio 5000 RTP/AVP 0"))
    before = side.negotiated
    with pytest.raises(NegotiationError):
        side.answer(offer("m=audio 5000 RTP/AVP 18", version=2))
    assert side.negotiated is before
    assert side.state is State.STABLE


def test_an_offer_without_an_address_cannot_be_read() -> None:
    with pytest.raises(SdpError, match="connection"):
        leg().answer(b"v=0\no=- 1 1 IN IP4 a\ns=-\nt=0 0\nm=audio 5000 RTP/AVP 0\n")


def test_crossed_offers_deserve_491() -> None:
    side = leg()
    side.offer()
    with pytest.raises(NegotiationError) as ours:
        side.offer()
    with pytest.raises(NegotiationError) as theirs:
        side.answer(offer("m=audio 5000 RTP/AVP 0"))
    assert ours.value.status == theirs.value.status == 491


def test_a_withdrawn_hold_leaves_the_direction_as_it_was() -> None:
    side = leg()
    side.answer(offer("m=audio 5000 RTP/AVP 0"))
    side.offer("sendonly")
    side.withdraw()
    side.answer(offer("m=audio 5000 RTP/AVP 0", version=2))
    assert agreed(side).direction == "sendrecv"


def test_our_hold_outlasts_the_other_sides_refresh() -> None:
    side, body = leg(), offer("m=audio 5000 RTP/AVP 0")
    side.answer(body)
    hold = SessionDescription.parse(side.offer("sendonly"))
    assert hold.media[0].formats == ["0"]
    side.accept(offer("m=audio 5000 RTP/AVP 0", "a=recvonly", version=2))
    assert agreed(side).direction == "sendonly"
    assert not agreed(side).is_held
    assert answered(side, body).media[0].attribute("sendonly") == ""


def test_a_later_offer_keeps_every_section_in_its_place() -> None:
    side = leg()
    side.answer(offer("m=video 5002 RTP/AVP 31", "m=audio 5000 RTP/AVP 0"))
    again = SessionDescription.parse(side.offer("inactive"))
    assert [(m.media, m.port) for m in again.media] == [("video", 0), ("audio", 10_000)]
    side.accept(offer("m=video 0 RTP/AVP 31", "m=audio 5000 RTP/AVP 0", "a=inactive"))
    assert agreed(side).direction == "inactive"


def test_numbers_may_differ_each_way() -> None:
    side = leg("opus")
    side.offer()
    side.accept(
        offer(
            "m=audio 5000 RTP/AVP 111 126",
            "a=rtpmap:111 opus/48000/2",
            "a=rtpmap:126 telephone-event/48000",
        )
    )
    assert agreed(side).codec.payload_type == 111
    assert agreed(side).dtmf_send_type == 126
    assert {107, 111} == set(agreed(side).receive_types)
    assert agreed(side).dtmf_receive_types == {103: 48_000, 126: 48_000}


def test_a_final_answer_corrects_a_provisional_one() -> None:
    side = leg()
    side.offer()
    side.accept(offer("m=audio 5000 RTP/AVP 0"))
    side.accept(offer("m=audio 7000 RTP/AVP 8"))
    assert agreed(side).remote == ("192.0.2.1", 7000)
    assert agreed(side).codec.name == "PCMA"


@pytest.mark.parametrize(
    "media",
    [[], ["m=audio 0 RTP/AVP 0"], ["m=audio 5000 RTP/AVP 18"], ["m=audio 5000 RTP/SAVP 0"]],
)
def test_an_answer_that_accepts_nothing_is_an_error(media: list[str]) -> None:
    side = leg()
    side.offer()
    with pytest.raises(NegotiationError):
        side.accept(offer(*media))
    assert side.negotiated is None


def test_an_answer_to_no_offer_is_an_error() -> None:
    with pytest.raises(NegotiationError):
        leg().accept(offer("m=audio 5000 RTP/AVP 0"))


def test_an_ipv6_leg_writes_and_reads_ipv6() -> None:
    side = leg(host="2001:db8::9")
    answer = side.answer(offer("m=audio 5000 RTP/AVP 0", "c=IN IP6 2001:db8::1"))
    assert b"c=IN IP6 2001:db8::9" in answer
    assert agreed(side).remote == ("2001:db8::1", 5000)


def test_a_full_offer_has_every_codec_under_the_numbers_it_had_and_in_its_place() -> None:
    side = leg()
    side.answer(
        offer(
            "m=video 5002 RTP/AVP 31",
            "m=audio 5000 RTP/AVP 107 8 9 96",
            "a=rtpmap:107 L16/16000",
            "a=rtpmap:9 opus/48000/2",
            "a=rtpmap:96 telephone-event/8000",
        )
    )
    assert agreed(side).codec.name == "PCMA"
    video, audio = SessionDescription.parse(side.offer(is_full=True)).media
    assert (video.port, audio.port) == (0, 10_000)
    names = {codec.payload_type: codec.name for codec in listed_codecs(audio)}
    assert sorted(names.values()) == ["G722", "PCMA", "PCMU", "opus", *["telephone-event"] * 2]
    assert (names[8], names[96]) == ("PCMA", "telephone-event")
    assert len(names) == len(audio.formats)


def test_our_offers_ask_for_packets_as_long_as_the_terms_say() -> None:
    side = leg(ptime=30)
    (section,) = SessionDescription.parse(side.offer()).media
    assert section.attribute("ptime") == "30"
    side.accept(offer("m=audio 5000 RTP/AVP 0"))
    assert agreed(side).ptime == 30
    side = leg(ptime=30)
    side.offer()
    side.accept(offer("m=audio 5000 RTP/AVP 0", "a=ptime:20"))
    assert agreed(side).ptime == 20
    side = leg(ptime=30)
    side.answer(offer("m=audio 5000 RTP/AVP 0"))
    assert agreed(side).ptime == 20
