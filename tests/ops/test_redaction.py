"""What is not to be written is not written, wherever in a call it stands."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from filled_entries import filled, filled_entry, leaves
from stored_calls import LiveOne, call, keeper, sqlite

from gateway.control.actions import HangUp, Log, Request, RunErrand, SendCommand, SendDtmf
from gateway.control.events import OWN_EVENTS, KeyPressed, MenuClosed
from gateway.control.timeline import Timeline
from gateway.ops.records.packing import unpack
from gateway.ops.records.redaction import Redactor, mask_number
from gateway.realtime.commands import CLIENT_EVENTS, ConversationItemCreate
from gateway.realtime.events import (
    SERVER_EVENTS,
    ConversationItemInputAudioTranscriptionCompleted,
    InputAudioBufferDtmfEventReceived,
    decode,
)

NUMBER, OTHER = "+4930123456", "030 987 654-321"


def told() -> Timeline:
    timeline = Timeline()
    timeline.add_event(0.0, InputAudioBufferDtmfEventReceived(event="7"))
    timeline.add_event(0.1, KeyPressed("7", "rfc4733"))
    timeline.add_event(0.2, MenuClosed("account", "collected", "4711"))
    variables = {"account": "4711", "language": "en"}
    timeline.add_action(0.3, RunErrand("w", "webhook", "crm", {"call": {"variables": variables}}))
    timeline.add_action(0.4, SendDtmf("4711"))
    item = {"type": "message", "content": [{"type": "input_text", "text": "[DTMF 7]"}]}
    timeline.add_action(0.5, SendCommand(ConversationItemCreate(item=item)))
    said = f"My number is {OTHER}, call {NUMBER}"
    timeline.add_event(
        0.6,
        ConversationItemInputAudioTranscriptionCompleted(
            item_id="item_1234567", content_index=0, transcript=said
        ),
    )
    timeline.add_action(0.7, HangUp())
    return timeline


def record() -> Any:
    return dataclasses.replace(
        call("a", f"My number is {OTHER}", "[account 4711]"),
        caller=NUMBER,
        caller_name="Zacharias",
        reason=f"no answer from sip:{NUMBER}@example.com",
        happened=told(),
    )


CALL = {"caller": "ann", "called": "desk"}
REQUESTS = {cls.__name__: cls for cls in get_args(Request) if cls is not SendCommand}
WITHOUT_TEXT = {
    kind
    for kind, cls in {**SERVER_EVENTS, **OWN_EVENTS, **CLIENT_EVENTS, **REQUESTS}.items()
    if "my leg" not in str(filled(cls, "my leg", "text"))
}
MAY_STAY = {
    # identifiers
    *("id", "event_id", "item_id", "response_id", "previous_item_id", "call_id", "errand_id"),
    *("prompt_id", "approval_request_id", "conversation_id", "supervisor"),
    # names of what is configured, of states and of kinds
    *("name", "object", "type", "role", "status", "code", "profile", "prompt", "trunk", "speaker"),
    *("server_label", "cause", "by", "caller", "called", "output_modalities", "about", "outcome"),
    "max_output_tokens",
    "•",  # the names of fields themselves
}


async def dumped(path: Path, record: Any, *what: Any) -> list[str]:
    """Return every row of the database of one such call, over or not, legibly."""
    path.mkdir()
    async with sqlite(path / "calls.sqlite") as database:
        one = LiveOne(record)
        keep = keeper(database, [one], redactor=Redactor(what))
        await keep._note()
        live = await database.read("SELECT call_id, record FROM live_calls")
        parts = await database.read("SELECT body FROM live_parts")
        await keep.keep(one.now)
        columns = "call_id, caller, called, trunk, reason, words, record, transcript, timeline"
        rows = await database.read(f"SELECT {columns} FROM calls")
    assert parts
    assert rows
    values = [value for row in (*live, *parts, *rows) for value in row]
    texts = [unpack(one) if isinstance(one, bytes) else one for one in values]
    return [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in texts]


async def written(tmp_path: Path, *what: Any) -> str:
    """Return all that is in the database of one such call, over or not, in one text."""
    async with sqlite(tmp_path / "calls.sqlite") as database:
        one = LiveOne(record())
        keep = keeper(database, [one], redactor=Redactor(what))
        await keep._note()
        texts = []
        for table in ("live_calls", "live_parts"):
            texts += [str(row) for row in await database.read(f"SELECT * FROM {table}")]
        bodies = await database.read("SELECT body FROM live_parts")
        await keep.keep(one.now)
        texts += [str(row) for row in await database.read("SELECT * FROM calls")]
        longs = await database.read("SELECT transcript, timeline FROM calls")
    return "\n".join([*texts, *(str(unpack(one)) for row in (*bodies, *longs) for one in row)])


async def test_without_redaction_all_of_it_is_there(tmp_path: Path) -> None:
    text = await written(tmp_path)
    assert all(one in text for one in (NUMBER, OTHER, "4711", "[DTMF 7]", "'event': '7'"))


async def test_numbers_are_cut_to_country_and_last_digits(tmp_path: Path) -> None:
    text = await written(tmp_path, "numbers")
    assert "30123456" not in text
    assert "987 654" not in text
    assert "+49••••••56" in text
    assert "Zacharias" not in text
    assert "zacharias" not in text
    assert "item_1234567" in text  # is no number


async def test_keys_are_hidden(tmp_path: Path) -> None:
    text = await written(tmp_path, "keys")
    assert "4711" not in text
    assert "DTMF 7" not in text
    assert "'event': '7'" not in text
    assert "'key': '7'" not in text
    assert "'language': 'en'" in text


async def test_what_was_said_is_left_out(tmp_path: Path) -> None:
    text = await written(tmp_path, "transcript")
    assert OTHER not in text
    assert "My number" not in text
    assert "HangUp" in text


async def test_what_happened_is_left_out(tmp_path: Path) -> None:
    text = await written(tmp_path, "timeline")
    assert "HangUp" not in text
    assert "My number" in text


@pytest.mark.parametrize("loose", ["text", "structure"])
@pytest.mark.parametrize("kind", [*SERVER_EVENTS, *OWN_EVENTS, *CLIENT_EVENTS, *REQUESTS, "rule"])
def test_nothing_said_is_left_wherever_in_an_entry_it_stands(kind: str, loose: str) -> None:
    entry = filled_entry(kind, "my leg is broken", loose)
    assert "my leg is broken" in str(entry) or kind in WITHOUT_TEXT
    shown = str(Redactor(["transcript"]).entries([entry], CALL))
    assert "leg is" not in shown


@pytest.mark.parametrize("loose", ["text", "structure"])
@pytest.mark.parametrize("kind", [*SERVER_EVENTS, *OWN_EVENTS, *CLIENT_EVENTS, *REQUESTS, "rule"])
def test_no_key_is_left_wherever_in_an_entry_it_stands(kind: str, loose: str) -> None:
    entry = filled_entry(kind, "pin 4711 #", loose)
    shown = str(Redactor(["keys"]).entries([entry], CALL))
    assert "4711" not in shown
    assert "#" not in shown


@pytest.mark.parametrize("kind", [*SERVER_EVENTS, *OWN_EVENTS, *CLIENT_EVENTS, *REQUESTS])
def test_of_words_without_a_blank_only_names_and_identifiers_are_left(kind: str) -> None:
    entry = filled_entry(kind, "osteoporosis", "structure")
    (shown,) = Redactor(["transcript"]).entries([entry], CALL)
    left = {place for place, text in leaves(shown["detail"]) if "osteoporosis" in text}
    assert {place.split(".")[-1] for place in left} <= MAY_STAY


def test_arguments_lose_the_keys_in_them_however_they_are_written() -> None:
    arguments = {"pin": "1234", "count": 1234, "list": ["1234#"], "name": "Ann"}
    call = {"name": "pay", "call_id": "c1", "arguments": json.dumps(arguments)}
    payload = {"arguments": arguments, "call": {"variables": {"pin": "1234"}}}
    entries = [
        {"name": "response.function_call_arguments.done", "detail": call},
        {"name": "RunErrand", "detail": {"errand_id": "t1", "kind": "tool", "payload": payload}},
        {"name": "errand.done", "detail": {"errand_id": "t1", "body": json.dumps(arguments)}},
    ]
    redactor = Redactor(["keys"])
    shown = str(redactor.entries(entries, CALL)) + str(redactor.items([call], CALL))
    assert "1234" not in shown
    assert "Ann" in shown
    assert "t1" in shown


NEIGHBOURS = [
    "{}",
    "sip:{}@x",
    "sip:u{}@x",
    "tel_{}",
    "{}x",
    "v{}.",
    "({})",
    "call\n{}\n",
    "id={}&n=1",
]
BETWEEN = ["", " ", "-", ".", "/", " – ", "\u00a0", "\u2011", "\u202f", "\u200b", "_", ", ", ") ("]
BEFORE = ["", "+", "00", "%2B", "\\u002b"]


@pytest.mark.parametrize("between", BETWEEN)
async def test_no_number_is_left_wherever_and_however_it_is_written(
    tmp_path: Path, between: str
) -> None:
    digits = between.join(["49", "30", "77", "78", "88"])
    texts = [around.format(begin + digits) for around in NEIGHBOURS for begin in BEFORE]
    texts += [json.dumps({"note": text}) for text in texts]
    told = Timeline()
    for text in texts:
        payload = {"arguments": {text: text, "whole": 4930777888, "float": 4930777888.5}}
        told.add_action(0.0, RunErrand("w", "webhook", text, payload))
        told.add_action(0.0, SendCommand(ConversationItemCreate(item={text: [text], "name": text})))
        told.add_requests(0.0, [Log(text)], by=text)
        told.add_event(0.0, decode(json.dumps({"type": text})))
    record = dataclasses.replace(
        call("a", *texts), caller=NUMBER, reason=texts[0], trunk=texts[1], happened=told
    )
    bare = [re.sub(r"[\W_]", "", text) for text in await dumped(tmp_path / "1", record)]
    assert any("307778" in text for text in bare)
    shown = await dumped(tmp_path / "2", record, "numbers")
    assert all("307778" not in re.sub(r"[\W_]", "", text) for text in shown)
    assert not any(re.search("30.{0,9}77.{0,9}78", text) for text in shown)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_a_number_in_pieces_is_left_in_none_of_them(size: int) -> None:
    number = "4930777888"
    pieces = [number[at : at + size] for at in range(0, 10, size)]
    name = "conversation.item.input_audio_transcription"
    entries = [{"name": f"{name}.delta", "detail": {"delta": f"a {one}"}} for one in pieces]
    entries += [
        {"name": f"{name}.segment", "detail": {"text": one, "speaker": "x"}} for one in pieces
    ]
    item = {
        "text": f"call {number}",
        "heard": f"call {number[:6]}",
        "is_cut": True,
        "segments": [{"text": one, "speaker": "x"} for one in pieces],
    }
    redactor = Redactor(["numbers"])
    assert not re.search(r"\d", str(redactor.entries(entries, CALL)))
    assert re.findall(r"\d+", str(redactor.items([item], CALL))) == [number[-2:]]


def test_what_is_redacted_can_still_be_read_as_a_timeline() -> None:
    for kind in [*SERVER_EVENTS, *OWN_EVENTS, *CLIENT_EVENTS, *REQUESTS]:
        entry = filled_entry(kind, "some 4930777888", "structure")
        for redactor in (Redactor(["transcript"]), Redactor(["keys"]), Redactor(["numbers"])):
            (shown,) = redactor.entries([entry], CALL)
            assert shown["name"] == kind
            assert shown["detail"].keys() == entry["detail"].keys()


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("+4930123456", "+49••••••56"),
        ("030123456", "•••••••56"),
        ("ann", "•"),
        ("100", "•"),
        ("", ""),
        ("sip:ann@example.com", "•"),
    ],
)
def test_a_number_keeps_its_country_and_two_digits(number: str, shown: str) -> None:
    assert mask_number(number) == shown
