"""Signs of life on a connection: asked for in time, and missed only of who once gave them."""

from gateway.sip.wire.framing import StreamFramer
from gateway.sip.wire.keepalive import KeepAlive


def test_a_peer_that_never_answered_is_asked_again_and_again_and_never_taken_for_dead() -> None:
    keep_alive, asked, now = KeepAlive(100.0, 25.0), [], 100.0
    while len(asked) < 5:
        now = keep_alive.deadline
        assert not keep_alive.is_dead(now)
        if keep_alive.wake(now):
            asked.append(now)
    assert asked == [125.0, 150.0, 175.0, 200.0, 225.0]


def test_a_peer_that_has_answered_once_is_dead_when_it_stays_silent_for_ten_seconds() -> None:
    keep_alive = KeepAlive(0.0, 25.0)
    assert keep_alive.wake(25.0)
    keep_alive.answered()
    assert keep_alive.deadline == 50.0
    assert keep_alive.wake(50.0)
    assert keep_alive.deadline == 60.0
    assert not keep_alive.is_dead(59.9)
    assert keep_alive.is_dead(60.0)


def test_an_answer_in_time_is_all_that_is_asked() -> None:
    keep_alive = KeepAlive(0.0, 25.0)
    for now in (25.0, 50.0, 75.0):
        assert not keep_alive.wake(now - 1)
        assert keep_alive.wake(now)
        keep_alive.answered()
        assert not keep_alive.is_dead(now + 20)


def test_two_framers_keep_each_other_alive() -> None:
    ours, theirs = StreamFramer(), StreamFramer()
    for count in range(1, 4):
        ours.ping()
        assert theirs.receive_data(b"".join(ours.data_to_send())) == []
        for byte in b"".join(theirs.data_to_send()):
            assert ours.receive_data(bytes([byte])) == []
        assert ours.pongs == count
        assert theirs.pongs == 0
        assert ours.data_to_send() == []


def test_a_single_line_end_that_nobody_asked_for_is_no_answer() -> None:
    framer = StreamFramer()
    framer.receive_data(b"\r\nBYE sip:h SIP/2.0\r\nl: 0\r\n\r\n")
    assert framer.pongs == 0


def test_line_ends_are_no_message_that_has_begun() -> None:
    framer = StreamFramer()
    framer.receive_data(b"\r\n")
    assert not framer.is_amid
    framer.receive_data(b"BYE")
    assert framer.is_amid
