"""URIs as they are met, and as RFC 3261 section 19.1 and RFC 4475 make them."""

import pytest

from gateway.errors import SipError
from gateway.sip.wire.uri import Uri


def test_a_sip_uri_comes_apart() -> None:
    uri = Uri.parse(
        "SIP:alice:secret@atlanta.example:5070;transport=TCP;lr?Subject=x&Priority=urgent"
    )
    assert (uri.scheme, uri.user, uri.host, uri.port) == (
        "sip",
        "alice:secret",
        "atlanta.example",
        5070,
    )
    assert uri.params == {"transport": "TCP", "lr": None}
    assert uri.headers == {"Subject": "x", "Priority": "urgent"}
    assert uri.is_loose
    assert uri.username == "alice"


@pytest.mark.parametrize(
    "text",
    [
        "sip:x@node1",
        "sip:x@sip_gw:5060",
        "sips:1@h",
        "sip:h",
        "sip:[2001:db8::10]:5070",
        "sip:u@[::1]",
        "sip:a#b@h",
        "sip:%00@host5.example.com",
        "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com",
        "sip:+15550100@h;user=phone;x-i=\xe9",
        "sip:1@h?Replaces=12345%40h%3Bto-tag%3D1%3Bfrom-tag%3D2",
        "sip:1@h;;",
        "tel:+15550100;phone-context=example.com",
        "urn:service:sos",
        "soap.beep://192.0.2.103:3002",
        "isbn:2983792873",
    ],
)
def test_what_was_read_is_written_again_to_the_letter(text: str) -> None:
    assert str(Uri.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip:",
        "sip:@",
        "sip:u@",
        "sip:a@b@c",
        "sip:u@h:99999",
        "sip:u@h:x",
        "sip:u h@h",
        "h",
        "tel:",
        "sip:u@[::1",
        "<sip:u@h>",
        "sip:u@h; lr",
        "sip:u@h\x00",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(SipError) as caught:
        Uri.parse(text)
    assert caught.value.status == 400


def test_the_user_is_unescaped_once_for_comparing() -> None:
    assert Uri.parse("sip:sips%3Auser%40example.com@example.net").username == (
        "sips:user@example.com"
    )
    assert Uri.parse("sip:null-%00-null@h").username == "null-\0-null"
    assert Uri.parse("tel:+15550100").username == "+15550100"
    assert Uri.parse("sip:h").username == ""


def test_a_changed_copy_is_written_anew() -> None:
    uri = Uri.parse("sip:u@h;x=1;lr?Subject=hi")
    assert str(uri.replace(port=5080, params={}, headers={})) == "sip:u@h:5080"
    assert str(uri.replace(host="[::1]")) == "sip:u@[::1];x=1;lr?Subject=hi"
    assert str(Uri("tel", "911")) == "tel:911"
    assert str(Uri("sip", None, "h", 5060, {"lr": None})) == "sip:h:5060;lr"


def test_the_address_of_a_socket_has_no_brackets() -> None:
    assert Uri.parse("sip:u@[2001:db8::1]").address == "2001:db8::1"
    assert Uri.parse("sip:u@192.0.2.1").address == "192.0.2.1"
