"""Deliveries in virtual time: how often, how long, signed with what, and when they are final."""

import asyncio
import base64
import hashlib
import hmac
import itertools
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from gateway.calls.delivery import Answer, Courier, asked_pause, pause_before
from gateway.clock import CountedIds
from gateway.config.flows import WebhookSettings
from gateway.testing.virtual_time import run

NOW = 1_760_000_000.0
KEY = b"the secret of the tests"
BUSY = Answer(503, problem="it answered 503", may_pass=True)
GONE = Answer(410, problem="it answered 410")
FINE = Answer(200)


class Receiver:
    """Answers as told, one answer a try; the last for ever."""

    def __init__(self, *answers: Answer, seconds: float = 0.0) -> None:
        self.tries: list[tuple[float, dict[str, str], bytes]] = []
        self._answers = list(answers)
        self._seconds = seconds

    async def __call__(
        self, url: str, body: bytes, headers: Mapping[str, str], *, is_answer_wanted: bool
    ) -> Answer:
        del url, is_answer_wanted
        self.tries.append((asyncio.get_running_loop().time(), dict(headers), body))
        await asyncio.sleep(self._seconds)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    @property
    def times(self) -> list[float]:
        return [at for at, _, _ in self.tries]


def delivered(receiver: Receiver, **hook: Any) -> tuple[Answer, float, int]:
    """Deliver a message; return the last answer, the time it took, and the repetitions."""
    to = WebhookSettings(url="https://x.example/", **hook)

    async def scene() -> tuple[Answer, float, int]:
        loop = asyncio.get_running_loop()
        courier = Courier(receiver, ids=CountedIds("t"), unix_clock=lambda: NOW + loop.time())
        answer = await courier.deliver(to, b"{}", is_answer_wanted=False)
        return answer, loop.time(), courier.retried

    return run(scene())


def test_what_is_taken_at_once_is_sent_once() -> None:
    receiver = Receiver(FINE)
    assert delivered(receiver) == (FINE, 0.0, 0)
    assert len(receiver.tries) == 1


def test_a_fault_that_may_pass_is_tried_again_with_growing_pauses() -> None:
    receiver = Receiver(BUSY, BUSY, BUSY, FINE)
    answer, _, retried = delivered(receiver, retries=5)
    assert (answer, retried) == (FINE, 3)
    gaps = [after - before for before, after in itertools.pairwise(receiver.times)]
    assert 0.25 <= gaps[0] <= 0.75
    assert 0.5 <= gaps[1] <= 1.5
    assert 1.0 <= gaps[2] <= 3.0


def test_what_is_final_is_not_tried_again() -> None:
    receiver = Receiver(GONE)
    assert delivered(receiver, retries=5) == (GONE, 0.0, 0)


def test_after_the_last_repetition_the_fault_is_told() -> None:
    receiver = Receiver(BUSY)
    answer, _, retried = delivered(receiver, retries=2)
    assert (answer, retried, len(receiver.tries)) == (BUSY, 2, 3)


def test_who_hangs_is_given_up_each_time_and_in_the_end() -> None:
    receiver = Receiver(FINE, seconds=1000)
    answer, seconds, retried = delivered(receiver, retries=2, timeout_seconds=5)
    assert (answer.problem, retried) == ("it did not answer in time", 2)
    assert 15 < seconds <= 30


def test_who_asks_for_a_pause_gets_it() -> None:
    receiver = Receiver(Answer(429, problem="x", may_pass=True, retry_after="7"), FINE)
    answer, seconds, _ = delivered(receiver)
    assert (answer, seconds) == (FINE, 7.0)


def test_who_asks_for_a_date_gets_it() -> None:
    date = formatdate(NOW + 9, usegmt=True)
    receiver = Receiver(Answer(503, problem="x", may_pass=True, retry_after=date), FINE)
    answer, seconds, _ = delivered(receiver)
    assert (answer, seconds) == (FINE, 9.0)


@pytest.mark.parametrize("asked", ["31", "86400", "9" * 400])
def test_who_asks_for_more_than_our_patience_is_given_up_at_once(asked: str) -> None:
    busy = Answer(429, problem="x", may_pass=True, retry_after=asked)
    assert delivered(Receiver(busy, FINE)) == (busy, 0.0, 0)  # 3 tries of 5 s, and as much again


def test_every_try_has_the_same_name_and_a_time_and_signature_of_its_own() -> None:
    receiver = Receiver(Answer(503, problem="x", may_pass=True, retry_after="3"), FINE)
    secret = SecretStr("whsec_" + base64.b64encode(KEY).decode())
    delivered(receiver, secret=secret)
    times = []
    for at, headers, body in receiver.tries:
        assert headers["webhook-id"] == "wh_t1"
        signed = b"wh_t1." + headers["webhook-timestamp"].encode() + b"." + body
        digest = hmac.new(KEY, signed, hashlib.sha256).digest()
        assert headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
        assert int(headers["webhook-timestamp"]) == int(NOW + at)
        times.append(headers["webhook-timestamp"])
    assert len(set(times)) == 2


def test_without_a_secret_nothing_is_signed() -> None:
    receiver = Receiver(FINE)
    delivered(receiver)
    assert "webhook-signature" not in receiver.tries[0][1]


@given(st.integers(1, 1000), st.floats(0, 1, exclude_max=True))
def test_pauses_are_bounded(attempt: int, chance: float) -> None:
    assert 0.25 <= pause_before(attempt, chance) <= 12.0


@given(st.text() | st.from_regex(r"[0-9]{1,20}") | st.datetimes().map(lambda d: f"{d:%c}"))
def test_whatever_is_asked_for_is_a_time(text: str) -> None:
    assert asked_pause(text, NOW) >= 0


READERS: list[tuple[str, Callable[[float], bool]]] = [
    ("120", lambda s: s == 120),
    (" 2 ", lambda s: s == 2),
    ("-5", lambda s: s == 0),
    ("1.5", lambda s: s == 0),
    ("soon", lambda s: s == 0),
    ("", lambda s: s == 0),
    ("Wed, 21 Oct 2015 07:28:00 GMT", lambda s: s == 0),
    (formatdate(NOW + 60, usegmt=True), lambda s: s == 60),
]


@pytest.mark.parametrize(("text", "fits"), READERS, ids=[text for text, _ in READERS])
def test_retry_after_is_read(text: str, fits: Callable[[float], bool]) -> None:
    assert fits(asked_pause(text, NOW))
