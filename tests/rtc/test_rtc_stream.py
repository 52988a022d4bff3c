"""One connection's RTP stream each way: what is let in, and how what goes out is numbered."""

from gateway.clock import CountedIds
from gateway.rtc.stream import AudioStream
from gateway.rtp.packet import RtpPacket

CODECS = {111: "opus", 0: "PCMU"}


class Scene:
    """A stream whose packets go into a list, on a clock that only moves when told to."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sent: list[RtpPacket] = []
        self.heard: list[RtpPacket] = []
        self.stream = AudioStream(self._send, self.heard.append, CountedIds(), lambda: self.now)
        self.stream.use(CODECS)

    def _send(self, data: bytes, is_report: bool) -> bool:
        if not is_report:
            self.sent.append(RtpPacket.parse(data))
        return True

    def hear(self, sequence: int, *, payload_type: int = 0, ssrc: int = 9, size: int = 160) -> None:
        packet = RtpPacket(payload_type, sequence, 160 * sequence, ssrc, bytes(size))
        self.stream.receive(bytes(packet))


def test_what_is_no_packet_of_an_agreed_codec_is_counted_and_not_heard() -> None:
    scene = Scene()
    for junk in (b"", b"\x80", bytes(200), b"\x9f" + bytes(30), b"\xb0" + bytes(15)):
        scene.stream.receive(junk)
    scene.hear(1, payload_type=8)
    assert (scene.stream.malformed, scene.heard) == (6, [])


def test_a_packet_of_seconds_is_not_heard() -> None:
    scene = Scene()
    scene.hear(1, size=60_000)
    scene.hear(2, size=1400)
    assert (scene.stream.malformed, [p.sequence for p in scene.heard]) == (1, [2])


def test_another_source_is_heard_once_it_sends_two_packets_in_order() -> None:
    scene = Scene()
    scene.hear(1, ssrc=9)
    for sequence in (50, 70, 90, 91, 92):  # a stray one, and then one that stays
        scene.hear(sequence, ssrc=10)
    assert [p.sequence for p in scene.heard] == [1, 91, 92]


def test_our_own_packets_sent_back_are_not_heard() -> None:
    scene = Scene()
    for sequence in range(5):
        scene.hear(sequence, ssrc=scene.stream.ssrc)
    assert scene.heard == []


def test_numbers_wrap_and_a_pause_moves_the_clock_on() -> None:
    scene = Scene()
    scene.stream._sequence, scene.stream._timestamp = 0xFFFF, 0xFFFFFFFF - 159
    for _ in range(2):
        scene.stream.send(bytes(160), 0, 160)
        scene.now += 0.020
    scene.now += 1.0
    scene.stream.send(bytes(160), 0, 160)
    assert [p.sequence for p in scene.sent] == [0xFFFF, 0, 1]
    assert [p.timestamp for p in scene.sent] == [0xFFFFFFFF - 159, 0, 160 + 8000]
    assert [p.marker for p in scene.sent] == [True, False, True]
