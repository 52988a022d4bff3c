"""The offers of browsers: what is taken of them, what is refused, and how we answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import NegotiationError, SdpError
from gateway.sdp.browser import BrowserOffer, Channel
from gateway.sdp.description import MediaDescription, SessionDescription
from gateway.testing.offers import (
    CODECS,
    FINGERPRINT,
    OURS,
    answered,
    chromium,
    firefox,
    picture_first,
)


def refusal(offer: str, *codecs: str) -> int:
    with pytest.raises(NegotiationError) as caught:
        BrowserOffer(offer.encode(), codecs or CODECS)
    return caught.value.status


def values(section: MediaDescription | SessionDescription, *names: str) -> list[str]:
    return [value for name in names for value in section.attributes(name)]


def test_chromium_is_answered_in_one_bundle_with_opus_keys_and_messages() -> None:
    read, answer = answered(chromium())
    audio, data = answer.media
    assert answer.attributes("group") == ["BUNDLE 0 2"]
    assert (audio.formats, read.codec.name) == (["111", "110", "126"], "opus")
    assert audio.attribute("mid") == "0"
    assert audio.attribute("rtcp-mux") == audio.attribute("rtcp-rsize") == ""
    assert "111 minptime=10;useinbandfec=1;maxplaybackrate=24000" in audio.attributes("fmtp")
    assert audio.attributes("ssrc") == ["4660 cname:4e8a1f2c"]
    assert audio.attribute("msid") == "gateway voice"
    assert (data.attribute("mid"), data.attribute("sctp-port")) == ("2", "5000")
    for section in answer.media:
        assert values(section, "ice-ufrag", "setup", "fingerprint", "candidate") == [
            OURS.credentials.ufrag,
            "passive",
            FINGERPRINT,
            "1 1 udp 2130706431 203.0.113.9 10000 typ host",
        ]
        assert (section.port, section.connection) == (10000, "203.0.113.9")
        assert section.attribute("end-of-candidates") == ""


def test_what_comes_of_an_offer_is_left_to_ice_and_a_handshake() -> None:
    read, _ = answered(chromium())
    agreed = read.agree(OURS.credentials)
    assert (agreed.remote, agreed.is_held, agreed.direction) == (None, False, "sendrecv")
    assert agreed.is_secure
    assert agreed.is_rtcp_mux
    assert (agreed.dtmf_send_type, agreed.dtmf_send_clock) == (110, 48000)
    assert agreed.dtmf_receive_types == {110: 48000, 126: 8000}
    assert agreed.ice is not None
    assert (agreed.ice.remote.ufrag, agreed.ice.local) == ("Xy9z", OURS.credentials)
    assert read.channel == Channel(5000, 262144)
    assert [c.split()[4] for c in read.candidates] == ["192.0.2.4", "192.0.2.4"]


def test_firefox_says_once_what_holds_for_all_and_has_keys_at_another_clock() -> None:
    read, answer = answered(firefox())
    agreed = read.agree(OURS.credentials)
    assert (read.channel, len(answer.media)) == (None, 1)
    assert (agreed.dtmf_send_type, agreed.dtmf_receive_types) == (101, {101: 8000})
    assert agreed.dtls == read.dtls
    assert not read.dtls.is_client


@pytest.mark.parametrize("codec", CODECS)
def test_our_own_preference_chooses_the_codec(codec: str) -> None:
    read, answer = answered(chromium(), codec, *CODECS)
    assert read.codec.name == codec
    has_noise = codec in ("G722", "PCMU", "PCMA")
    assert ("13" in answer.media[0].formats) is has_noise
    assert read.agree(OURS.credentials).dtmf_send_clock == read.codec.rate


def test_a_picture_is_refused_and_the_call_goes_on_without() -> None:
    _, answer = answered(chromium(video=True))
    assert [section.port > 0 for section in answer.media] == [True, False, True]
    assert answer.attributes("group") == ["BUNDLE 0 2"]
    assert [section.attribute("mid") for section in answer.media] == ["0", "1", "2"]


@pytest.mark.parametrize("bundle_only", [False, True])
def test_a_picture_that_stands_for_the_bundle_is_kept_idle_and_tells_the_way(
    bundle_only: bool,
) -> None:
    read, answer = answered(picture_first(bundle_only=bundle_only))
    video, audio, data = answer.media
    assert answer.attributes("group") == ["BUNDLE 1 0 2"]
    assert [section.port for section in answer.media] == [10000, 10000, 10000]
    assert (video.formats, values(video, "rtpmap", "fmtp")) == (
        ["96"],
        ["96 VP8/90000", "96 max-fr=30"],
    )
    assert video.attribute("inactive") == video.attribute("rtcp-mux") == ""
    assert video.attribute("ice-ufrag") == audio.attribute("ice-ufrag") == OURS.credentials.ufrag
    assert (audio.attribute("sendrecv"), data.attribute("mid")) == ("", "2")
    assert (read.tag, read.remote.ufrag, len(read.candidates)) == ("1", "Xy9z", 2)
    assert read.codec.name == "opus"
    assert read.channel is not None


def test_what_is_bundle_only_is_none_without_its_bundle() -> None:
    offer = picture_first(bundle_only=True).replace("BUNDLE 1 0 2", "BUNDLE 1 2")
    assert refusal(offer) == 422


def test_a_section_that_could_not_be_kept_idle_stands_for_nothing() -> None:
    strange = "m=application 9 TCP/MRCPv2 1\r\na=mid:9\r\n"
    offer = chromium().replace("BUNDLE 0 2\r\n", "BUNDLE 9 0 2\r\n" + strange)
    read, answer = answered(offer)
    assert (read.tag, answer.attributes("group")) == ("0", ["BUNDLE 0 2"])
    assert [section.port > 0 for section in answer.media] == [False, True, True]


def test_a_second_sound_and_messages_of_their_own_way_are_refused() -> None:
    offer = chromium()
    twice = offer.replace("BUNDLE 0 2", "BUNDLE 0") + offer[offer.index("m=audio") :].replace(
        "a=mid:0", "a=mid:3"
    ).replace("a=mid:2", "a=mid:4")
    read, answer = answered(twice)
    assert [section.port > 0 for section in answer.media] == [True, False, False, False]
    assert answer.attributes("group") == ["BUNDLE 0"]
    assert read.channel is None


@pytest.mark.parametrize(
    ("theirs", "ours", "speaks"),
    [("sendonly", "recvonly", False), ("recvonly", "sendonly", True), ("inactive",) * 2 + (False,)],
)
def test_who_only_speaks_is_only_listened_to(theirs: str, ours: str, speaks: bool) -> None:
    read, answer = answered(chromium().replace("a=sendrecv", f"a={theirs}"))
    assert answer.media[0].attribute(ours) == ""
    assert bool(answer.media[0].attributes("msid")) is speaks
    assert read.agree(OURS.credentials).direction == ours
    assert not read.agree(OURS.credentials).is_held


def test_an_active_side_begins_the_handshake_and_a_passive_one_waits_for_us() -> None:
    read, answer = answered(chromium().replace("setup:actpass", "setup:passive"))
    assert (answer.media[0].attribute("setup"), read.dtls.is_client) == ("active", True)
    read, answer = answered(chromium().replace("setup:actpass", "setup:active"))
    assert (answer.media[0].attribute("setup"), read.dtls.is_client) == ("passive", False)


AMISS = {
    "no sound": (chromium().replace("m=audio 9", "m=audio 0"), 422),
    "only a picture": (chromium().replace("m=audio", "m=video"), 422),
    "plain sound": (chromium().replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"), 406),
    "no certificate": (chromium().replace("a=fingerprint", "a=x-fingerprint"), 406),
    "a digest that proves nothing": (chromium().replace("sha-256 ", "md5 "), 406),
    "no ICE": (chromium().replace("a=ice-pwd", "a=x-pwd"), 406),
    "nobody who checks": (chromium().replace("t=0 0", "t=0 0\r\na=ice-lite"), 406),
    "two ports": (chromium().replace("a=rtcp-mux", "a=x-mux"), 406),
    "a handshake later": (chromium().replace("setup:actpass", "setup:holdconn"), 422),
}


@pytest.mark.parametrize("fault", AMISS)
def test_an_offer_of_which_nothing_can_come_is_answered_by_what_is_amiss(fault: str) -> None:
    offer, status = AMISS[fault]
    assert refusal(offer) == status


def test_no_codec_in_common_is_not_acceptable() -> None:
    assert refusal(chromium(), "L16") == 406


@pytest.mark.parametrize(
    "offer",
    [
        "",
        "hello",
        chromium().replace("a=mid:0", "a=mid:0 <b>"),
        chromium().replace("sctp-port:5000", "sctp-port:0"),
        chromium() + "a=x\r\n" * 2000,
    ],
)
def test_what_cannot_be_read_says_so(offer: str) -> None:
    with pytest.raises(SdpError):
        BrowserOffer(offer.encode(), CODECS)


def test_candidates_are_bounded_and_unreadable_ones_left_out() -> None:
    lines = "".join(f"a=candidate:{n} 1 udp 1 192.0.2.{n} 9 typ host\r\n" for n in range(100))
    offer = chromium(data=False, candidates=False) + "a=candidate:junk\r\n" + lines
    assert len(BrowserOffer(offer.encode(), CODECS).candidates) == 64


@given(st.data())
def test_a_mangled_offer_is_answered_or_refused_and_nothing_else(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([chromium(video=True), picture_first(bundle_only=True)]))
    lines = whole.split("\r\n")
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        lines[at] = data.draw(st.sampled_from([lines[at][:-1], lines[at] * 2, "", lines[at - 1]]))
    try:
        answer = BrowserOffer("\r\n".join(lines).encode(), CODECS).answer(OURS)
    except (SdpError, NegotiationError):
        return
    assert len(SessionDescription.parse(answer).media) > 0
