"""STUN by the vectors of RFC 5769, and ICE-lite: who is answered, and where media then goes."""

import pytest
from aioice.stun import Message, Method
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import RtpError
from gateway.rtp.ice import SOURCES, IceLite
from gateway.rtp.stun import Class, is_stun, parse

PASSWORD = "VOkJxbRl1RmTxUk/WvJxBt"  # of the vectors: for nothing else
TRANSACTION = "2112a442 b7e7a701 bc34d686 fa87dfae"
REQUEST = bytes.fromhex(
    f"00010058 {TRANSACTION} 80220010 5354554e 20746573 7420636c 69656e74"
    "00240004 6e0001ff 80290008 932ff9b1 51263b36 00060009 6576746a 3a683676 59202020"
    "00080014 9aeaa70c bfd8cb56 781ef2b5 b2d3f249 c1b571a2 80280004 e57a3bcf"
)
RESPONSE = bytes.fromhex(
    f"0101003c {TRANSACTION} 8022000b 74657374 20766563 746f7220 00200008 0001a147 e112a643"
    "00080014 2b91f599 fd9e90c3 8c7489f9 2af9ba53 f06be7d7 80280004 c07d4c96"
)
RESPONSE_6 = bytes.fromhex(
    f"01010048 {TRANSACTION} 8022000b 74657374 20766563 746f7220"
    "00200014 0002a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9"
    "00080014 a382954e 4be67bf1 1784c97c 8292c275 bfe3ed41 80280004 c8fb0b4c"
)
SOURCE = ("192.0.2.1", 32853)


def lite() -> IceLite:
    return IceLite("evtj", PASSWORD, "h6vY")


def check(
    *,
    username: str = "evtj:h6vY",
    password: str = PASSWORD,
    is_named: bool = False,
    priority: int = 1,
    role: str = "ICE-CONTROLLING",
) -> bytes:
    attributes = {"USERNAME": username, "PRIORITY": priority, role: 7}
    if is_named:
        attributes["USE-CANDIDATE"] = None
    message = Message(Method.BINDING, Class.REQUEST, attributes=attributes)
    message.add_message_integrity(password.encode())
    return bytes(message)


def test_the_request_of_the_rfc_is_read_and_its_signature_holds() -> None:
    message = parse(REQUEST)
    assert message.attributes["USERNAME"] == "evtj:h6vY"
    assert message.attributes["PRIORITY"] == 0x6E0001FF
    assert message.check_message_integrity(PASSWORD.encode())
    assert not message.check_message_integrity(b"another")


@pytest.mark.parametrize(
    ("response", "address"),
    [(RESPONSE, "192.0.2.1"), (RESPONSE_6, "2001:db8:1234:5678:11:2233:4455:6677")],
)
def test_the_responses_of_the_rfc_are_read(response: bytes, address: str) -> None:
    message = parse(response)
    assert message.attributes["XOR-MAPPED-ADDRESS"] == (address, 32853)
    assert message.check_message_integrity(PASSWORD.encode())


@given(st.binary(max_size=200), st.integers(0, 3))
def test_garbage_comes_to_our_error_alone(body: bytes, first: int) -> None:
    for datagram in (
        body,
        bytes([first, 1]) + len(body).to_bytes(2) + REQUEST[4:20] + body,
        REQUEST[:20] + body,
    ):
        try:
            parse(datagram)
        except RtpError:
            continue
        assert is_stun(datagram)


@given(st.integers(0, len(REQUEST) - 1), st.integers(1, 255))
def test_one_wrong_byte_is_not_answered(at: int, change: int) -> None:
    datagram = bytearray(check())
    datagram[at % len(datagram)] ^= change
    ice = lite()
    assert ice.receive(bytes(datagram), SOURCE) is None
    assert ice.refused == 1
    assert ice.remote is None


def test_a_signed_check_is_answered_with_where_it_came_from_and_signed() -> None:
    ice = lite()
    request = check()
    answer = ice.receive(request, SOURCE)
    assert answer is not None
    assert len(answer) <= len(request)  # nothing to be gained by a false address
    message = parse(answer)
    assert message.message_class is Class.RESPONSE
    assert message.transaction_id == parse(request).transaction_id
    assert message.attributes["XOR-MAPPED-ADDRESS"] == SOURCE
    assert message.check_message_integrity(PASSWORD.encode())
    assert ice.is_proved(SOURCE)
    assert ice.remote == SOURCE
    assert not ice.is_nominated


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "y" * 22},
        {"username": "evtj:other"},
        {"username": "other:h6vY"},
        {"username": ""},
    ],
)
def test_a_check_of_somebody_else_is_not_answered(wrong: dict[str, str]) -> None:
    ice = lite()
    assert ice.receive(check(**wrong), SOURCE) is None  # type: ignore[arg-type]
    assert (ice.refused, ice.remote) == (1, None)


def test_an_unsigned_check_is_not_answered() -> None:
    ice = lite()
    bare = Message(Method.BINDING, Class.REQUEST, attributes={"USERNAME": "evtj:h6vY"})
    assert ice.receive(bytes(bare), SOURCE) is None
    bare.add_fingerprint()
    assert ice.receive(bytes(bare), SOURCE) is None
    assert ice.refused == 2


def test_responses_and_other_methods_are_not_answered_and_keep_alives_are_no_fault() -> None:
    ice = lite()
    other = Message(Method.ALLOCATE, Class.REQUEST, attributes={"USERNAME": "evtj:h6vY"})
    other.add_message_integrity(PASSWORD.encode())
    assert ice.receive(bytes(other), SOURCE) is None
    assert ice.receive(RESPONSE, SOURCE) is None
    assert ice.refused == 2
    assert ice.receive(bytes(Message(Method.BINDING, Class.INDICATION)), SOURCE) is None
    assert ice.refused == 2


def test_media_goes_to_the_pair_that_is_named() -> None:
    ice = lite()
    first, second, third = (("192.0.2.1", port) for port in (1, 2, 3))
    ice.receive(check(), first)
    ice.receive(check(), second)
    assert ice.remote == first
    ice.receive(check(is_named=True, priority=5), second)
    assert (ice.remote, ice.is_nominated) == (second, True)
    ice.receive(check(is_named=True, priority=4), third)
    assert ice.remote == second
    ice.receive(check(is_named=True, priority=6), third)
    assert ice.remote == third
    ice.receive(check(), first)
    assert ice.remote == third


def test_who_would_be_controlled_like_us_is_told_of_the_conflict() -> None:
    ice = lite()
    answer = ice.receive(REQUEST, SOURCE)
    assert answer is not None
    message = parse(answer)
    assert message.message_class is Class.ERROR
    assert message.error_code == 487
    assert message.check_message_integrity(PASSWORD.encode())
    assert ice.remote is None


def test_sources_are_bounded() -> None:
    ice = lite()
    answers = [ice.receive(check(), ("192.0.2.1", port)) for port in range(1, 100)]
    assert sum(answer is not None for answer in answers) == SOURCES
    assert ice.receive(check(is_named=True), ("192.0.2.1", 1)) is not None
