"""SIP in WebSocket messages, without a socket: the client is the other half of the library's."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.typing import Origin, Subprotocol
from websockets.uri import parse_uri

from gateway.errors import SipError
from gateway.sip.wire.websocket import WebSocketFramer

MESSAGE = b"OPTIONS sip:h SIP/2.0\r\nCall-ID: \xc3\xa9\r\n\r\n"


class Browser:
    """A client, and the server it talks to."""

    def __init__(
        self, subprotocol: str = "sip", origin: str | None = None, allowed: tuple[str, ...] = ()
    ) -> None:
        self.client = ClientProtocol(
            parse_uri("ws://192.0.2.1/"),
            origin=Origin(origin) if origin else None,
            subprotocols=[Subprotocol(subprotocol)] if subprotocol else None,
        )
        self.server = WebSocketFramer(allowed)
        self.client.send_request(self.client.connect())

    def exchange(self) -> list[bytes]:
        """Carry bytes both ways until none are left; return what the server was told."""
        messages: list[bytes] = []
        while True:
            up = b"".join(self.client.data_to_send())
            if up:
                messages += self.server.receive_data(up)
            down = b"".join(self.server.data_to_send())
            if down:
                self.client.receive_data(down)
            if not up and not down:
                return messages

    def heard(self) -> list[Frame]:
        return [event for event in self.client.events_received() if isinstance(event, Frame)]


@pytest.fixture
def browser() -> Browser:
    browser = Browser()
    assert browser.exchange() == []
    assert browser.server.is_open
    assert browser.client.subprotocol == "sip"
    return browser


def test_each_message_is_one_of_sip_whether_text_or_not(browser: Browser) -> None:
    browser.client.send_text(MESSAGE)
    browser.client.send_binary(MESSAGE)
    assert browser.exchange() == [MESSAGE, MESSAGE]


def test_a_message_in_pieces_is_put_together(browser: Browser) -> None:
    browser.client.send_text(MESSAGE[:10], fin=False)
    browser.client.send_continuation(b"", fin=False)
    assert browser.exchange() == []
    assert browser.server.is_amid
    browser.client.send_ping(b"")  # may stand between
    browser.client.send_continuation(MESSAGE[10:], fin=True)
    assert browser.exchange() == [MESSAGE]
    assert not browser.server.is_amid


def test_what_is_text_is_sent_as_text_and_the_rest_as_it_is(browser: Browser) -> None:
    browser.heard()
    browser.server.send(MESSAGE)
    browser.server.send(b"\xff")
    browser.exchange()
    assert [(f.opcode, bytes(f.data)) for f in browser.heard()] == [
        (Opcode.TEXT, MESSAGE),
        (Opcode.BINARY, b"\xff"),
    ]


def test_keep_alives_of_both_kinds_are_answered(browser: Browser) -> None:
    browser.heard()
    browser.client.send_text(b"\r\n\r\n")
    browser.client.send_ping(b"x")
    assert browser.exchange() == []
    assert {(f.opcode, bytes(f.data)) for f in browser.heard()} == {
        (Opcode.TEXT, b"\r\n"),
        (Opcode.PONG, b"x"),
    }
    browser.client.send_text(b"\r\n")
    assert browser.exchange() == []
    assert browser.heard() == []


@pytest.mark.parametrize("subprotocol", ["", "chat"])
def test_who_does_not_ask_for_sip_is_told_so_and_refused(subprotocol: str) -> None:
    browser = Browser(subprotocol)
    with pytest.raises(SipError):
        browser.exchange()
    assert b"".join(browser.server.data_to_send()).startswith(b"HTTP/1.1 400 ")


def test_who_only_wants_a_page_is_told_so_and_refused() -> None:
    server = WebSocketFramer()
    with pytest.raises(SipError):
        server.receive_data(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert b"".join(server.data_to_send()).startswith(b"HTTP/1.1 426 ")


@pytest.mark.parametrize(
    ("origin", "is_let_in"),
    [("https://phone.example", True), ("https://evil.example", False), (None, True)],
)
def test_pages_of_others_are_kept_out_where_origins_are_named(
    origin: str | None, is_let_in: bool
) -> None:
    browser = Browser(origin=origin, allowed=("https://phone.example",))
    if is_let_in:
        browser.exchange()
    else:
        with pytest.raises(SipError):
            browser.exchange()
    assert browser.server.is_open == is_let_in


def test_a_message_that_is_too_long_closes_the_connection(browser: Browser) -> None:
    browser.client.send_binary(bytes(400_000))
    with pytest.raises(SipError):
        browser.exchange()


def test_a_goodbye_is_answered_and_is_no_fault(browser: Browser) -> None:
    browser.client.send_close(1000)
    with pytest.raises(SipError) as caught:
        browser.exchange()
    assert caught.value.status == 0
    assert not browser.server.is_open
    assert b"".join(browser.server.data_to_send())


@given(st.binary(max_size=200), st.integers(0, 2**32))
def test_garbage_is_refused_with_our_error_or_awaits_more(garbage: bytes, seed: int) -> None:
    browser = Browser()
    browser.exchange()
    browser.client.send_text(MESSAGE)
    wire = bytearray(b"".join(browser.client.data_to_send()) + garbage)
    wire[random.Random(seed).randrange(len(wire))] ^= 1 << seed % 8
    for server, data in ((browser.server, bytes(wire)), (WebSocketFramer(), garbage)):
        try:
            server.receive_data(data)
        except SipError:
            continue
        server.send(MESSAGE)
