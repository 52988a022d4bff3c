"""What other implementations say of themselves, what we say, and what cannot be used."""

from pathlib import Path

import pytest
import yaml
from aioice import Candidate

from gateway.errors import RtcError
from gateway.rtc.description import Local, Remote

# As the realtime service answers: ICE-lite, credentials in each section, TCP beside UDP.
ANSWER = "\r\n".join(
    [
        "v=0",
        "o=- 1 2 IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        "a=msid-semantic:WMS *",
        "a=fingerprint:sha-256 " + ":".join(["AB"] * 32),
        "a=ice-lite",
        "a=group:BUNDLE 0 1",
        "m=audio 9 UDP/TLS/RTP/SAVPF 96 0 8",
        "c=IN IP4 0.0.0.0",
        "a=setup:active",
        "a=mid:0",
        "a=ice-ufrag:abcd/vm-eastus2-4",
        "a=ice-pwd:0123456789012345678901",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        "a=rtpmap:96 opus/48000/2",
        "a=fmtp:96 minptime=10;useinbandfec=1",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=sendrecv",
        "a=candidate:1 1 udp 2130706431 192.0.2.10 3478 typ host ufrag abcd/vm-eastus2-4",
        "a=candidate:1 2 udp 2130706431 192.0.2.10 3478 typ host ufrag abcd/vm-eastus2-4",
        "a=candidate:2 1 tcp 1671430143 192.0.2.10 443 typ host tcptype passive ufrag x",
        "a=candidate:3 1 udp 2130706431 0d1f2a3b-1.local 5000 typ host",
        "a=candidate:nonsense",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        "a=setup:active",
        "a=mid:1",
        "a=sctp-port:5000",
        "a=max-message-size:1073741823",
        "a=ice-ufrag:abcd/vm-eastus2-4",
        "a=ice-pwd:0123456789012345678901",
        "",
    ]
)


RECORDED = Path(__file__).parents[3] / "shared" / "realtime" / "sessions" / "test_webrtc"


@pytest.fixture
def local() -> Local:
    where = Candidate("f", 1, "udp", 2130706431, "127.0.0.1", 4000, "host")
    return Local("ufrag", "password", "CD:EF", [where], 1234, "cname", 99)


def test_the_services_answer_is_read() -> None:
    remote = Remote.parse(ANSWER)
    assert (remote.ufrag, remote.is_lite, remote.setup) == ("abcd/vm-eastus2-4", True, "active")
    assert remote.fingerprints == [("sha-256", ":".join(["AB"] * 32))]
    assert list(remote.codecs.items()) == [(96, "opus"), (0, "PCMU"), (8, "PCMA")]
    assert (remote.sctp_port, remote.max_message) == (5000, 1073741823)
    assert "0123456789012345678901" not in repr(remote)


def test_only_what_udp_and_an_address_can_reach_is_tried() -> None:
    found = Remote.parse(ANSWER).candidates
    assert [(c.component, c.transport, c.host, c.port) for c in found] == [
        (1, "udp", "192.0.2.10", 3478)
    ]


@pytest.mark.parametrize(
    "candidate",
    [
        "1 1 udp 1 192.0.2.1 99999 typ host",  # asyncio closes a socket that is told to send there
        "1 1 udp 1 192.0.2.1 0 typ host",
        "1 1 udp 1 192.0.2.1 -5 typ host",
        "1 1 udp 1 service.example 9 typ host",
        "1 1 udp 1 192.0.2.1",
        f"1 1 udp {'9' * 5000} 192.0.2.1 9 typ host",
    ],
)
def test_where_nobody_can_be_nobody_is_looked_for(candidate: str) -> None:
    lines = f"a=candidate:{candidate}\r\na=candidate:"
    found = Remote.parse(ANSWER.replace("a=candidate:", lines, 1)).candidates
    assert [(c.host, c.port) for c in found] == [("192.0.2.10", 3478)]


def test_of_addresses_without_end_the_first_are_tried() -> None:
    many = "".join(f"a=candidate:1 1 udp 1 192.0.2.{n} 9 typ host\r\n" for n in range(250))
    found = Remote.parse(ANSWER.replace("a=candidate:", f"{many}a=candidate:", 1)).candidates
    assert [c.host for c in found] == [f"192.0.2.{n}" for n in range(64)]


@pytest.mark.parametrize("number", ["70000", "9" * 5000, "-1", "²", ""])
def test_numbers_that_cannot_be_are_not_taken(number: str) -> None:
    text = ANSWER.replace("sctp-port:5000", f"sctp-port:{number}")
    text = text.replace("max-message-size:1073741823", f"max-message-size:{'9' * 5000}")
    remote = Remote.parse(text.replace("SAVPF 96", f"SAVPF {number or 128} 96"))
    assert (remote.sctp_port, remote.max_message) == (5000, 65_536)
    assert list(remote.codecs) == [96, 0, 8]


def test_what_we_offer_is_what_another_side_of_ours_reads(local: Local) -> None:
    remote = Remote.parse(local.offer(["PCMU", "opus"]))
    assert list(remote.codecs.items()) == [(0, "PCMU"), (111, "opus")]
    assert (remote.ufrag, remote.password, remote.setup) == ("ufrag", "password", "actpass")
    assert remote.fingerprints == [("sha-256", "CD:EF")]
    assert [(c.host, c.port) for c in remote.candidates] == [("127.0.0.1", 4000)]


def test_an_answer_keeps_the_offers_sections_and_refuses_those_not_wanted(local: Local) -> None:
    video = "m=video 9 UDP/TLS/RTP/SAVPF 100\r\na=mid:v\r\n"
    offer = ANSWER.replace("m=audio", video + "m=audio", 1)
    remote = Remote.parse(offer)
    answer = local.answer(remote, {96: "opus"}, "active")
    kinds = [line.split()[:2] for line in answer.splitlines() if line.startswith("m=")]
    assert kinds == [["m=video", "0"], ["m=audio", "4000"], ["m=application", "4000"]]
    assert "a=group:BUNDLE 0 1\r\n" in answer
    assert "a=mid:v\r\na=inactive\r\n" in answer
    assert Remote.parse(answer).codecs == {96: "opus"}


@pytest.mark.parametrize(
    ("what", "instead", "told"),
    [
        (ANSWER, "hello", "cannot be read"),
        ("m=application 9", "m=application 0", "no usable application"),
        ("UDP/TLS/RTP/SAVPF", "RTP/AVP", "no usable audio"),
        ("a=fingerprint:sha-256", "a=fingerprint:md5", "fingerprint"),
        ("a=ice-pwd", "a=x", "ICE credentials"),
        ("SAVPF 96 0 8", "SAVPF 9 13", "no codec"),
    ],
)
def test_what_cannot_be_used_is_said(what: str, instead: str, told: str) -> None:
    with pytest.raises(RtcError, match=told):
        Remote.parse(ANSWER.replace(what, instead))


def test_the_recorded_answers_of_openai_and_azure_are_read() -> None:
    if not RECORDED.is_dir():
        pytest.skip("the recorded sessions are not here")
    answers = []
    for path in sorted(RECORDED.glob("*answer*.yaml")):
        for exchange in yaml.safe_load(path.read_text())["interactions"]:
            text = exchange["response"].get("body", {}).get("string", "")
            if text.startswith("v=0"):
                answers.append(Remote.parse(text))
    assert len(answers) >= 3
    for remote in answers:
        assert list(remote.codecs.items()) == [(96, "opus"), (0, "PCMU"), (8, "PCMA")]
        assert remote.setup == "active"
        assert {candidate.port for candidate in remote.candidates} == {3478}
        assert {candidate.transport for candidate in remote.candidates} == {"udp"}
    assert {remote.is_lite for remote in answers} == {True, False}
