"""Requests with a key: done once, answered as often as they come, bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.problems import Refusal
from gateway.http.repeats import Kept, Repeats

ANSWER = Kept(b"{}", "/v1/calls/c1")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def refusal(repeats: Repeats, key: str, body: bytes = b"a", who: str = "ann") -> int:
    with pytest.raises(Refusal) as refused:
        repeats.begin(who, key, body)
    return refused.value.status


def done(repeats: Repeats, key: str, body: bytes = b"a", who: str = "ann") -> None:
    assert repeats.begin(who, key, body) is None
    repeats.finish(who, key, ANSWER)


def test_the_same_request_is_answered_as_the_first_time() -> None:
    repeats = Repeats()
    done(repeats, "k")
    assert repeats.begin("ann", "k", b"a") == ANSWER
    assert repeats.replayed == 1


def test_another_body_with_the_same_key_is_refused() -> None:
    repeats = Repeats()
    done(repeats, "k")
    assert refusal(repeats, "k", b"b") == 422


def test_while_it_is_being_served_it_is_not_served_again() -> None:
    repeats = Repeats()
    assert repeats.begin("ann", "k", b"a") is None
    assert refusal(repeats, "k") == 409
    repeats.forget("ann", "k")
    assert repeats.begin("ann", "k", b"a") is None, "it came to nothing, and may be tried again"


def test_a_key_is_its_owner_s() -> None:
    repeats = Repeats()
    done(repeats, "k", who="ann")
    assert repeats.begin("bob", "k", b"other") is None


def test_answers_are_kept_for_a_day() -> None:
    clock = Clock()
    repeats = Repeats(clock=clock)
    done(repeats, "k")
    clock.now = 24 * 3600.0 - 1
    assert repeats.begin("ann", "k", b"a") == ANSWER
    clock.now += 1
    assert repeats.begin("ann", "k", b"b") is None


def test_there_is_room_for_so_many_and_what_is_being_served_is_never_dropped() -> None:
    repeats = Repeats(most=3)
    assert repeats.begin("ann", "served", b"a") is None
    for number in range(10):
        done(repeats, f"k{number}")
        assert len(repeats) <= 3
    assert refusal(repeats, "served") == 409
    assert repeats.begin("ann", "k9", b"a") == ANSWER
    for number in range(2):
        assert repeats.begin("ann", f"more{number}", b"a") is None
    assert refusal(repeats, "one too many") == 400
    assert refusal(repeats, "one-too-many") == 503


@given(st.text(max_size=300))
def test_any_key_is_taken_or_refused(key: str) -> None:
    repeats = Repeats()
    is_good = 0 < len(key) <= 255 and all("!" <= letter <= "~" for letter in key)
    if is_good:
        done(repeats, key)
    else:
        assert refusal(repeats, key) == 400
        assert len(repeats) == 0
