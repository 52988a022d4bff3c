"""What is not to be written is not written, wherever in a call it stands."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from stored_calls import LiveOne, call, keeper, sqlite

from gateway.control.actions import HangUp, RunErrand, SendCommand, SendDtmf
from gateway.control.events import KeyPressed, MenuClosed
from gateway.control.timeline import Timeline
from gateway.ops.records.redaction import Redactor, mask_number
from gateway.realtime.commands import ConversationItemCreate
from gateway.realtime.events import (
    ConversationItemInputAudioTranscriptionCompleted,
    InputAudioBufferDtmfEventReceived,
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
        reason=f"no answer from sip:{NUMBER}@example.com",
        happened=told(),
    )


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
    from gateway.ops.records.packing import unpack

    return "\n".join([*texts, *(str(unpack(one)) for row in (*bodies, *longs) for one in row)])


async def test_without_redaction_all_of_it_is_there(tmp_path: Path) -> None:
    text = await written(tmp_path)
    assert all(one in text for one in (NUMBER, OTHER, "4711", "[DTMF 7]", "'event': '7'"))


async def test_numbers_are_cut_to_country_and_last_digits(tmp_path: Path) -> None:
    text = await written(tmp_path, "numbers")
    assert "30123456" not in text
    assert "987 654" not in text
    assert "+49••••••56" in text
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
