"""What a STUN server says of us (RFC 8489), in a time that moves only when told to."""

from collections.abc import Callable

import pytest
from aioice.stun import Class, Message, Method, parse_message

from gateway.clock import CountedIds
from gateway.sip.ways.binding import PERIOD, Binding, is_stun

SEEN = ("203.0.113.5", 40123)


def answer_to(question: bytes, kind: Class = Class.RESPONSE, **told: object) -> bytes:
    token = parse_message(question).transaction_id
    attributes = {name.replace("_", "-"): value for name, value in told.items()}
    return bytes(Message(Method.BINDING, kind, token, attributes))


@pytest.fixture
def binding() -> Binding:
    return Binding(CountedIds(), 0.0)


def asked(binding: Binding, now: float) -> bytes:
    binding.wake(now)
    (question,) = binding.data_to_send()
    return question


@pytest.mark.parametrize("name", ["XOR_MAPPED_ADDRESS", "MAPPED_ADDRESS"])
@pytest.mark.parametrize("seen", [SEEN, ("2001:db8::5", 5060)])
def test_the_address_that_a_server_sees_is_taken(
    binding: Binding, name: str, seen: tuple[str, int]
) -> None:
    question = asked(binding, 0.0)
    assert is_stun(question)
    binding.receive(answer_to(question, **{name: seen}), 0.1)
    assert binding.seen == seen
    assert binding.deadline == 0.1 + PERIOD
    assert asked(binding, 0.1 + PERIOD) != question


def test_a_server_is_asked_five_times_and_then_given_up(binding: Binding) -> None:
    times = []
    while not binding.is_silent:
        now = binding.deadline
        binding.wake(now)
        times += [now] * len(binding.data_to_send())
    assert times == [0.0, 0.5, 1.5, 3.5, 7.5]
    assert binding.deadline == 15.5


@pytest.mark.parametrize(
    "answer",
    [
        lambda question: answer_to(asked(Binding(CountedIds(), 0.0), 0.0)[:-1] + b"!"),
        lambda question: answer_to(question),
        lambda question: answer_to(question, Class.ERROR, ERROR_CODE=(500, "no")),
        lambda question: answer_to(question, XOR_MAPPED_ADDRESS=SEEN)[:-3],
        lambda question: question[:20],
        lambda question: question[:2] + b"\xff\xff" + question[4:],
        lambda question: b"\x01\x01",
        lambda question: b"",
    ],
)
def test_what_is_no_answer_to_the_question_changes_nothing(
    binding: Binding, answer: Callable[[bytes], bytes]
) -> None:
    question = asked(binding, 0.0)
    binding.receive(answer(question), 0.1)
    assert binding.seen is None
    assert binding.deadline == 0.5


def test_stun_is_told_from_sip() -> None:
    assert not is_stun(b"INVITE sip:a@b SIP/2.0\r\n")
    assert not is_stun(b"\x00\x01\x00\x00\x21\x12\xa4\x42")
