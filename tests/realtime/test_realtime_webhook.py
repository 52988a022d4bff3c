"""Webhooks: who is believed, judged by the openai SDK on the same messages."""

import base64
import itertools
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict
from openai import InvalidWebhookSignatureError, OpenAI

from gateway.errors import WebhookError
from gateway.realtime.webhook import IncomingCall, OtherEvent, Replays, verify
from gateway.signing import key_of, sign

KEY = base64.b64encode(b"twenty-four bytes of key").decode()
SECRET = f"whsec_{KEY}"
NOW = 1_760_000_000.0
HEADERS = [
    {"name": "From", "value": '"Ann <a>" <sip:+15550001@example.com;user=phone>;tag=1'},
    {"name": "To", "value": "sip:proj_1@sip.api.openai.com;transport=tls"},
    {"name": "Call-ID", "value": "a1@provider"},
    {"name": "X-Route", "value": "one"},
    {"name": "x-route", "value": "two"},
]
CALL = {
    "object": "event",
    "id": "evt_1",
    "type": "realtime.call.incoming",
    "created_at": 1_760_000_000,
    "data": {"call_id": "rtc_1", "sip_headers": HEADERS, "sip_media_security": "srtp"},
}


def body_of(event: Any) -> bytes:
    return json.dumps(event).encode()


def signed(
    body: bytes, *, secret: str = SECRET, at: float = NOW, webhook_id: str = "wh_1"
) -> dict[str, str]:
    return {
        "Webhook-Id": webhook_id,
        "webhook-timestamp": str(int(at)),
        "webhook-signature": sign(secret, webhook_id, int(at), body),
    }


def test_an_incoming_call_is_read() -> None:
    body = body_of(CALL)
    call = verify([SECRET], signed(body), body, NOW)
    assert isinstance(call, IncomingCall)
    assert (call.call_id, call.media_security, call.front_door) == ("rtc_1", "srtp", "realtime")
    assert (call.from_uri, call.to_uri) == (
        "sip:+15550001@example.com;user=phone",
        "sip:proj_1@sip.api.openai.com",
    )
    assert (call.sip_call_id, call.webhook_id) == ("a1@provider", "wh_1")
    assert [h.value for h in call.sip_headers if h.name.lower() == "x-route"] == ["one", "two"]
    assert call.header("X-ROUTE") == "one"


def test_the_newer_front_door_names_the_same_call_otherwise() -> None:
    data = {"type": "sip", "session_id": "live_1", "sip_headers": HEADERS}
    body = body_of({"type": "live.transport.incoming", "data": data})
    call = verify([SECRET], signed(body), body, NOW)
    assert isinstance(call, IncomingCall)
    assert (call.call_id, call.front_door, call.sip_call_id) == ("live_1", "live", "a1@provider")


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.completed", "data": {"id": "resp_1"}},
        {"type": "batch.completed"},
        {"type": "live.transport.incoming", "data": {"type": "webrtc", "session_id": "live_1"}},
    ],
)
def test_a_genuine_webhook_about_something_else_is_no_error(event: dict[str, Any]) -> None:
    body = body_of(event)
    assert verify([SECRET], signed(body), body, NOW) == OtherEvent(
        type=event["type"], webhook_id="wh_1"
    )


# The judge: the SDK's verifier must say of every message what ours says.


def sdk_believes(
    secret: str, headers: dict[str, str], body: bytes, now: float, monkeypatch: pytest.MonkeyPatch
) -> bool:
    monkeypatch.setattr("time.time", lambda: now)
    client = OpenAI(api_key="unused", webhook_secret=secret)
    try:
        client.webhooks.verify_signature(body, headers)
    except (InvalidWebhookSignatureError, ValueError):
        return False
    finally:
        monkeypatch.undo()
        client.close()
    return True


def we_believe(secret: str, headers: dict[str, str], body: bytes, now: float) -> bool:
    try:
        verify([secret], headers, body, now)
    except WebhookError:
        return False
    return True


BODY = body_of(CALL)
GOOD = signed(BODY)
SIGNATURE = GOOD["webhook-signature"]
FORGED = "v1," + base64.b64encode(bytes(32)).decode()
VECTORS: list[tuple[str, bool, dict[str, str], bytes, float]] = [
    ("good", True, GOOD, BODY, NOW),
    ("second of two", True, GOOD | {"webhook-signature": f"{FORGED} {SIGNATURE}"}, BODY, NOW),
    ("without a version", True, GOOD | {"webhook-signature": SIGNATURE[3:]}, BODY, NOW),
    ("just fresh", True, GOOD, BODY, NOW + 299),
    ("just early", True, GOOD, BODY, NOW - 299),
    ("stale", False, GOOD, BODY, NOW + 302),
    ("from the future", False, GOOD, BODY, NOW - 302),
    ("tampered body", False, GOOD, BODY.replace(b"rtc_1", b"rtc_2"), NOW),
    ("another id", False, GOOD | {"Webhook-Id": "wh_2"}, BODY, NOW),
    ("another time", False, GOOD | {"webhook-timestamp": str(int(NOW) + 1)}, BODY, NOW),
    ("forged", False, GOOD | {"webhook-signature": FORGED}, BODY, NOW),
    ("not base64", False, GOOD | {"webhook-signature": "v1,%%%"}, BODY, NOW),
    ("an empty signature", False, GOOD | {"webhook-signature": "v1,"}, BODY, NOW),
    ("words for a time", False, GOOD | {"webhook-timestamp": "soon"}, BODY, NOW),
    *(
        (f"no {name}", False, {k: v for k, v in GOOD.items() if k != name}, BODY, NOW)
        for name in GOOD
    ),
]


@pytest.mark.parametrize(
    ("is_good", "headers", "body", "now"),
    [vector[1:] for vector in VECTORS],
    ids=[vector[0] for vector in VECTORS],
)
def test_we_and_the_sdk_believe_the_same(
    is_good: bool,
    headers: dict[str, str],
    body: bytes,
    now: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert we_believe(SECRET, headers, body, now) is is_good
    assert sdk_believes(SECRET, headers, body, now, monkeypatch) is is_good


def test_a_secret_without_its_prefix_is_the_key_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    headers = signed(BODY, secret="plain words")
    assert we_believe("plain words", headers, BODY, NOW)
    assert sdk_believes("plain words", headers, BODY, NOW, monkeypatch)


def test_while_a_secret_is_changed_either_is_believed() -> None:
    for secret in (SECRET, "the old one"):
        assert verify(["the old one", SECRET], signed(BODY, secret=secret), BODY, NOW)
    with pytest.raises(WebhookError):
        verify(["the old one"], GOOD, BODY, NOW)
    with pytest.raises(WebhookError):
        verify([], GOOD, BODY, NOW)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_%%%"])
def test_a_secret_that_is_none_believes_nobody(secret: str) -> None:
    with pytest.raises(WebhookError):
        key_of(secret)
    with pytest.raises(WebhookError):
        verify([secret], GOOD, BODY, NOW)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"type": 5}',
        b'{"type":"realtime.call.incoming"}',
        b'{"type":"realtime.call.incoming","data":{"call_id":""}}',
        b'{"type":"realtime.call.incoming","data":{"call_id":"c","sip_headers":[{"name":1}]}}',
        b'{"type":"realtime.call.incoming","data":' + b"[" * 100_000,
        b'{"type":"' + bytes(2_000_000) + b'"}',
    ],
    ids=itertools.count(),
)
def test_signed_nonsense_is_refused(body: bytes) -> None:
    with pytest.raises(WebhookError):
        verify([SECRET], signed(body), body, NOW)


@given(
    headers=st.dictionaries(
        st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature", "x"]), st.text()
    ),
    body=st.binary(),
)
@settings(max_examples=200)
def test_strangers_are_refused_and_nothing_else_happens(
    headers: dict[str, str], body: bytes
) -> None:
    with pytest.raises(WebhookError):
        verify([SECRET], headers, body, NOW)


def test_a_webhook_is_taken_once_within_eleven_minutes() -> None:
    replays = Replays()
    assert replays.is_new("wh_1", 0.0)
    assert not replays.is_new("wh_1", 659.0)
    assert replays.is_new("wh_2", 659.0)
    assert replays.is_new("wh_1", 660.0)


def test_a_webhook_is_remembered_for_as_long_as_it_is_believed() -> None:
    replays = Replays()
    ahead = 300.0  # so far in the future, one is just believed
    assert we_believe(SECRET, GOOD, BODY, NOW - ahead)
    assert replays.is_new("wh_1", NOW - ahead)
    assert we_believe(SECRET, GOOD, BODY, NOW + ahead)
    assert not replays.is_new("wh_1", NOW + ahead)


@pytest.mark.parametrize("name", list(GOOD))
def test_a_header_that_is_there_twice_is_not_chosen_from(name: str) -> None:
    headers = CIMultiDict(GOOD)
    headers.add(name, GOOD[name])
    with pytest.raises(WebhookError, match="several"):
        verify([SECRET], headers, BODY, NOW)


@pytest.mark.parametrize(
    "written", ["0{}", "00{}", "+{}", " {}", "{}.0", "{}e0", "NaN", "9" * 5000]
)
def test_a_timestamp_in_other_digits_is_another_message(written: str) -> None:
    timestamp = written.format(GOOD["webhook-timestamp"])
    with pytest.raises(WebhookError):
        verify([SECRET], GOOD | {"webhook-timestamp": timestamp}, BODY, NOW)


@pytest.mark.parametrize("name", list(GOOD))
def test_bytes_that_are_no_text_are_refused_like_any_stranger(name: str) -> None:
    odd = b"\xff\xfe1".decode(errors="surrogateescape")  # as a server hands such headers over
    with pytest.raises(WebhookError):
        verify([SECRET], GOOD | {name: odd}, BODY, NOW)


def test_a_clock_that_tells_nothing_believes_nobody() -> None:
    with pytest.raises(WebhookError):
        verify([SECRET], GOOD, BODY, math.nan)


def test_a_call_without_headers_is_a_call() -> None:
    body = b'{"type":"realtime.call.incoming","data":{"call_id":"rtc_1","sip_headers":null}}'
    signature = sign(SECRET, "wh_1", int(NOW), body)
    event = verify([SECRET], GOOD | {"webhook-signature": signature}, body, NOW)
    assert isinstance(event, IncomingCall)
    assert (event.call_id, event.sip_headers, event.from_uri) == ("rtc_1", (), "")


def test_what_is_remembered_of_webhooks_is_bounded() -> None:
    replays = Replays(most=3)
    assert all(replays.is_new(f"wh_{n}", 0.0) for n in range(5))
    assert not replays.is_new("wh_4", 0.0)
    assert replays.is_new("wh_0", 0.0)
