"""What clients really offer, in offers of our own after their manner and in captured ones."""

from pathlib import Path

import pytest
from sdp_sides import agreed, leg, offer

from gateway.sdp.description import SessionDescription

CAPTURES = Path(__file__).parents[2].parent / "shared" / "sip" / "captures"

DESK_PHONE = ["m=audio 11780 RTP/AVP 9 0 8 18 101", "a=rtpmap:9 G722/8000", "a=rtpmap:0 PCMU/8000",
              "a=rtpmap:8 PCMA/8000", "a=rtpmap:18 G729/8000", "a=fmtp:18 annexb=no",
              "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15", "a=ptime:20"]  # fmt: skip
TRUNK = ["m=audio 40002 RTP/AVP 8 0 13 101", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16",
         "a=rtpmap:13 CN/8000", "a=maxptime:40", "a=sendrecv", "a=rtcp:40003"]  # fmt: skip
APPLICATION = ["b=AS:96", "m=audio 7078 RTP/AVP 96 97 0 98 99", "a=rtpmap:96 opus/48000/2",
               "a=fmtp:96 useinbandfec=1", "a=rtpmap:97 speex/16000", "a=fmtp:97 vbr=on",
               "a=rtpmap:98 telephone-event/48000", "a=rtpmap:99 telephone-event/8000",
               "a=rtcp-fb:* trr-int 5000"]  # fmt: skip
BARE_TESTER = ["m=audio 6000 RTP/AVP 0"]
TERSE_PBX = ["m=audio 18888 RTP/AVP 0 96", "a=rtpmap:96 telephone-event/8000/1", "a=sendonly"]
VIDEO_PHONE = ["m=audio 5004 RTP/AVP 8 100", "a=rtpmap:100 telephone-event/8000", "a=label:1",
               "m=video 5006 RTP/AVP 96", "a=rtpmap:96 H264/90000", "a=label:2"]  # fmt: skip
OFTEN_ENCRYPTED = ["m=audio 20072 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000",
                   "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + "A" * 40]  # fmt: skip
OFFERS = {
    "desk phone": (DESK_PHONE, "G722", {101: 8000}),
    "trunk": (TRUNK, "PCMA", {101: 8000}),
    "application": (APPLICATION, "opus", {98: 48_000}),
    "bare tester": (BARE_TESTER, "PCMU", {}),
    "terse PBX, on hold": (TERSE_PBX, "PCMU", {96: 8000}),
    "video phone": (VIDEO_PHONE, "PCMA", {100: 8000}),
    "encryption if you can": (OFTEN_ENCRYPTED, "PCMU", {101: 8000}),
}


@pytest.mark.parametrize("client", OFFERS)
def test_a_client_is_answered_with_its_first_codec_and_its_own_numbers(client: str) -> None:
    lines, codec, events = OFFERS[client]
    side = leg()
    body = side.answer(offer(*lines))
    answer = SessionDescription.parse(body)
    assert b"crypto" not in body
    assert [section.port for section in answer.media] == [10_000, 0][: len(answer.media)]
    assert agreed(side).codec.name == codec
    assert agreed(side).dtmf_receive_types == events
    assert agreed(side).remote == ("192.0.2.1", int(next(x for x in lines if "m=" in x).split()[1]))


@pytest.mark.skipif(not CAPTURES.is_dir(), reason="the captured requests are not at hand")
@pytest.mark.parametrize(
    ("name", "codec", "events"),
    [
        ("baresip-1.0.0-udp", "PCMU", {101: 8000}),
        ("baresip-1.0.0-srtp", "opus", {101: 8000}),
        ("linphonec-5.1.65", "opus", {99: 48_000}),
        ("pjsua2-2.15.1", "PCMU", {121: 8000}),
        ("sipp-3.6.1-uac", "PCMU", {}),
        ("twinkle-1.10.2", "PCMU", {101: 8000}),
    ],
)
def test_real_clients_are_answered(name: str, codec: str, events: dict[int, int]) -> None:
    body = (CAPTURES / f"{name}-invite.sip").read_bytes().partition(b"\r\n\r\n")[2]
    side = leg()
    answer = side.answer(body)
    assert b"crypto" not in answer
    assert agreed(side).codec.name == codec
    assert agreed(side).dtmf_receive_types == events
    assert (agreed(side).remote is None) == name.startswith("linphone")
