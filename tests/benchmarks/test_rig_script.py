"""The call that the benchmark of dispatching tells."""

from rig.script import CALL

from gateway.realtime.events import SERVER_EVENTS, Unknown, decode, wire_name


def test_the_call_is_told_in_every_event_once_each_readable() -> None:
    names = [name for name, _ in CALL]
    assert sorted(names) == sorted(SERVER_EVENTS)
    for name, frame in CALL:
        event = decode(frame)
        assert wire_name(event) == name
        assert not isinstance(event, Unknown), event
