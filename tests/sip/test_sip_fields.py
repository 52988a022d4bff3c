"""Header fields keep their order and their letters, and are found by any spelling."""

import pytest

from gateway.errors import SipError
from gateway.sip.wire.fields import Headers, header_key


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Via", "via"),
        ("v", "via"),
        ("V", "via"),
        ("CALL-ID", "call-id"),
        ("I", "call-id"),
        ("x", "session-expires"),
        ("X-Custom", "x-custom"),
    ],
)
def test_all_spellings_of_a_name_are_one(name: str, key: str) -> None:
    assert header_key(name) == key


def test_values_are_found_in_order() -> None:
    headers = Headers(("Via", "a"), ("To", "t"), ("v", "b, c"))
    assert headers.get("VIA") == "a"
    assert headers.get_all("via") == ["a", "b, c"]
    assert headers.values("Via") == ["a", "b", "c"]
    assert headers.get("From") is None
    assert headers.values("From") == []
    assert list(headers.items()) == [("Via", "a"), ("To", "t"), ("v", "b, c")]
    assert "f" not in headers
    assert len(headers) == 3


def test_lines_can_be_put_first_changed_and_dropped() -> None:
    headers = Headers(("Via", "a"), ("To", "t"), ("v", "b"))
    headers.add_first("Via", "top")
    assert headers.get_all("v") == ["top", "a", "b"]
    headers.set_first("Via", "new")
    assert headers.get_all("v") == ["new", "a", "b"]
    headers.set("Via", "only")
    headers.set("Subject", "s")
    assert list(headers.items()) == [("Via", "only"), ("To", "t"), ("Subject", "s")]
    headers.remove("s")
    headers.remove("Absent")
    assert list(headers.items()) == [("Via", "only"), ("To", "t")]


def test_a_copy_does_not_change_with_its_origin() -> None:
    headers = Headers(("Via", "a"))
    other = headers.copy()
    headers.add("Via", "b")
    assert other.get_all("Via") == ["a"]
    assert other != headers
    assert other == Headers(("v", "a"))


@pytest.mark.parametrize("value", ["a\r\nInjected: 1", "a\nb", "a\rb", "\ud800"])
def test_a_value_cannot_break_out_of_its_line(value: str) -> None:
    with pytest.raises(SipError):
        Headers().add("Subject", value)


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\nb"])
def test_a_name_must_be_a_token(name: str) -> None:
    with pytest.raises(SipError):
        Headers().set(name, "x")


def test_bytes_that_are_no_utf8_can_be_carried() -> None:
    headers = Headers(("Subject", b"\xff".decode("utf-8", "surrogateescape")))
    assert headers.get("s") == "\udcff"
