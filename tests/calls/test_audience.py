"""Those who look on at calls: told of everything, and unable to harm any of them."""

from gateway.calls.audience import Audience
from gateway.calls.registry import CallRecord, Registry
from gateway.control.events import CallStarted, TimerElapsed
from gateway.control.timeline import Timeline, TimelineEntry
from gateway.realtime.events import ResponseOutputAudioDelta, ResponseOutputAudioTranscriptDelta


class Onlooker:
    def __init__(self, *, is_broken: bool = False) -> None:
        self.told: list[str] = []
        self._is_broken = is_broken

    def call_began(self, record: CallRecord) -> None:
        self._note(f"began {record.call_id}")

    def call_told(self, call_id: str, entry: TimelineEntry) -> None:
        self._note(f"{entry.name} {call_id}")

    def call_ended(self, record: CallRecord) -> None:
        self._note(f"ended {record.call_id}")

    def _note(self, what: str) -> None:
        self.told.append(what)
        if self._is_broken:
            raise RuntimeError("fault of an onlooker")


class Line:
    call_id = "c1"

    def record(self) -> CallRecord:
        return CallRecord("c1", "ann", "demo", 0.0, "talking", 1.0)

    def hang_up(self, reason: str) -> None:
        raise AssertionError(reason)


def test_one_who_stumbles_is_counted_and_the_next_is_told_all_the_same() -> None:
    audience, broken, sound = Audience(), Onlooker(is_broken=True), Onlooker()
    audience.add(broken)
    audience.add(sound)
    audience.call_began(Line().record())
    assert (broken.told, sound.told, audience.faults) == (["began c1"], ["began c1"], 1)


def test_the_registry_tells_of_the_end_of_each_call_once() -> None:
    registry, onlooker, line = Registry(2), Onlooker(), Line()
    registry.audience.add(onlooker)
    registry.admit(line)
    registry.release(line)
    registry.release(line)
    assert onlooker.told == ["ended c1"]


def delta(text: str) -> ResponseOutputAudioTranscriptDelta:
    return ResponseOutputAudioTranscriptDelta(
        response_id="r", item_id="i", output_index=0, content_index=0, delta=text
    )


def sound() -> ResponseOutputAudioDelta:
    return ResponseOutputAudioDelta(
        response_id="r", item_id="i", output_index=0, content_index=0, delta=b"\0\0"
    )


def test_a_timeline_that_is_watched_gives_what_is_new_and_what_grew_but_no_sound() -> None:
    timeline = Timeline()
    timeline.add_event(0.0, CallStarted("c1", "ann", "demo"))
    timeline.watch()
    assert timeline.drain() == []
    timeline.add_event(1.0, delta("Good "))
    timeline.add_event(1.1, sound())
    timeline.add_event(1.2, delta("morning"))
    (entry,) = timeline.drain()
    assert getattr(entry.subject, "delta", "") == "Good morning"
    timeline.add_event(1.3, delta("."))
    assert timeline.drain() == [entry]
    timeline.add_timer(1.4)
    timeline.add_event(1.5, sound())
    assert timeline.drain() == []


def test_a_timeline_that_nobody_watches_keeps_nothing_for_anybody() -> None:
    timeline = Timeline()
    timeline.add_event(1.0, TimerElapsed(1.0))
    assert timeline.drain() == []
