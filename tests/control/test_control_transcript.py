"""What a transcript holds, whatever order its events come in, and what the caller heard of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gateway.config import Settings
from gateway.control import HangUp, SendCommand
from gateway.control.context import Context
from gateway.control.events import (
    CallStarted,
    Event,
    Heard,
    LegEnded,
    LinkLost,
    LinkReady,
    PlayoutFlushed,
)
from gateway.control.seeds import LOST_RESULT, UNHEARD_TURN
from gateway.control.settings import ControlSettings
from gateway.control.transcript import Transcript
from gateway.control.transcript_items import cut_words
from gateway.realtime import events as wire
from gateway.realtime.commands import ConversationItemCreate, function_output, user_text
from gateway.realtime.events import ContentPart, ErrorDetail, Item, ResponseInfo, Transport
from gateway.realtime.faults import classify

HELLO = "Hello, this is the help desk. How can I help you today?"


class Scene:
    """A transcript by itself, and short ways to tell it things."""

    def __init__(self, transport: Transport = "websocket") -> None:
        self.context = Context(ControlSettings.of(Settings()), classify)
        self.context.transport = transport
        self.transcript = Transcript(self.context)
        self.tell(CallStarted("call", "a", "b"))

    def tell(self, *events: Event, at: float | None = None) -> None:
        if at is not None:
            self.context.now = at
        for event in events:
            self.transcript.handle(event)

    def caller_says(self, item_id: str, text: str, previous: str | None = None) -> None:
        self.tell(
            wire.InputAudioBufferSpeechStarted(item_id=item_id, audio_start_ms=0),
            wire.InputAudioBufferSpeechStopped(item_id=item_id, audio_end_ms=900),
            wire.InputAudioBufferCommitted(item_id=item_id, previous_item_id=previous),
            heard(item_id, text),
        )

    def agent_says(self, text: str, item_id: str = "agent", response_id: str = "r1") -> None:
        """Say it all; the response is done, what is heard is another matter."""
        self.tell(
            wire.ResponseOutputAudioTranscriptDelta(delta=text, **where(item_id, response_id)),
            wire.ResponseOutputAudioTranscriptDone(transcript=text, **where(item_id, response_id)),
            done(response_id, [message(item_id, text)]),
        )

    def put_in(self, command: ConversationItemCreate) -> None:
        self.transcript.note([SendCommand(command)])

    def rows(self) -> list[dict[str, Any]]:
        return self.transcript.as_list()

    def row(self, item_id: str) -> dict[str, Any]:
        return next(row for row in self.rows() if row["item_id"] == item_id)

    def texts(self) -> list[str]:
        return [row.get("text", "") for row in self.rows()]


def where(item_id: str = "agent", response_id: str = "r1", content_index: int = 0) -> Any:
    return {
        "item_id": item_id,
        "response_id": response_id,
        "output_index": 0,
        "content_index": content_index,
    }


def heard(item_id: str, text: str) -> wire.ConversationItemInputAudioTranscriptionCompleted:
    return wire.ConversationItemInputAudioTranscriptionCompleted(
        item_id=item_id, content_index=0, transcript=text
    )


def message(item_id: str, text: str, role: str = "assistant", **fields: Any) -> Item:
    kind = "output_audio" if role == "assistant" else "input_audio"
    part = ContentPart(type=kind, transcript=text)
    return Item(id=item_id, type="message", role=role, content=[part], **fields)


def done(
    response_id: str, output: list[Item], status: str = "completed", tokens: int = 0
) -> wire.ResponseDone:
    usage = {"output_token_details": {"audio_tokens": tokens}}
    return wire.ResponseDone(
        response=ResponseInfo(id=response_id, status=status, output=output, usage=usage)
    )


# Words and where they belong


def test_a_transcription_after_the_answer_stands_before_it() -> None:
    scene = Scene()
    scene.tell(wire.InputAudioBufferCommitted(item_id="turn"))
    scene.agent_says("Two of them.")
    scene.tell(heard("turn", "How many are left?"))
    assert scene.texts() == ["How many are left?", "Two of them."]
    assert [row["role"] for row in scene.rows()] == ["user", "assistant"]


def test_items_stand_in_the_order_of_their_predecessors_however_they_come() -> None:
    scene = Scene()
    for item_id, previous in (("c", "b"), ("a", None), ("d", "c"), ("b", "a")):
        scene.tell(
            wire.ConversationItemAdded(
                item=message(item_id, item_id, "user"), previous_item_id=previous
            )
        )
    assert scene.texts() == ["a", "b", "c", "d"]


def test_an_item_added_twice_or_under_its_older_name_is_one_item() -> None:
    scene = Scene()
    item = message("turn", "Hi.", "user")
    scene.tell(
        wire.ConversationItemAdded(item=item),
        wire.ConversationItemCreated(item=item),
        wire.ConversationItemAdded(item=item),
        wire.ConversationItemDone(item=item),
    )
    assert scene.texts() == ["Hi."]


def test_whole_texts_replace_pieces_and_late_pieces_change_nothing() -> None:
    scene = Scene()
    for piece in ("I wuold", " like"):
        scene.tell(
            wire.ConversationItemInputAudioTranscriptionDelta(
                item_id="turn", content_index=0, delta=piece
            )
        )
    assert scene.texts() == ["I wuold like"]
    scene.tell(heard("turn", "I would like one."))
    scene.tell(
        wire.ConversationItemInputAudioTranscriptionDelta(
            item_id="turn", delta=" late", event_id=""
        )
    )
    assert scene.texts() == ["I would like one."]


def test_a_piece_that_comes_twice_is_taken_once() -> None:
    scene = Scene()
    piece = wire.ResponseOutputAudioTranscriptDelta(delta="Well, ", event_id="e1", **where())
    scene.tell(piece, piece)
    assert scene.texts() == ["Well,"]


def test_a_delta_without_text_or_part_is_no_words() -> None:
    scene = Scene()
    scene.tell(wire.ConversationItemInputAudioTranscriptionDelta(item_id="turn"))
    assert scene.texts() == [""]


def test_segments_are_the_text_in_their_order_with_speakers() -> None:
    scene = Scene()
    for name, start, speaker, text in (("2", 1.5, "B", "No."), ("1", 0.2, "A", "Shall we go?")):
        scene.tell(
            wire.ConversationItemInputAudioTranscriptionSegment(
                item_id="turn",
                content_index=0,
                id=name,
                speaker=speaker,
                start=start,
                end=start + 1,
                text=text,
            )
        )
    row = scene.row("turn")
    assert row["text"] == "Shall we go? No."
    assert [segment["speaker"] for segment in row["segments"]] == ["A", "B"]


def test_a_failed_transcription_is_a_gap_with_a_reason_not_an_end() -> None:
    scene = Scene()
    scene.tell(
        wire.InputAudioBufferCommitted(item_id="turn"),
        wire.ConversationItemInputAudioTranscriptionFailed(
            item_id="turn",
            content_index=0,
            error=ErrorDetail(code="audio_unintelligible", message="too noisy"),
        ),
    )
    assert scene.row("turn")["problem"] == "too noisy"
    assert scene.transcript.seeds()[0]["content"][0]["text"] == UNHEARD_TURN


def test_several_parts_of_an_item_are_told_in_the_order_of_their_indexes() -> None:
    scene = Scene()
    for index, text in ((1, "and goodbye."), (0, "Thank you")):
        scene.tell(
            wire.ResponseOutputAudioTranscriptDone(transcript=text, **where(content_index=index))
        )
    assert scene.texts() == ["Thank you and goodbye."]


def test_an_answer_in_writing_is_told_but_was_not_heard() -> None:
    scene = Scene()
    scene.tell(
        wire.ResponseContentPartAdded(part=ContentPart(type="text"), **where()),
        wire.ResponseOutputTextDelta(delta="Written", **where()),
        wire.ResponseOutputTextDone(text="Written words.", **where()),
        wire.ResponseOutputTextDone(text="Written words.", **where("second")),
        done("r1", []),
    )
    assert scene.row("agent")["text"] == "Written words."
    assert "heard" not in scene.row("agent")
    told = [action for action in scene.context.drain() if "writing" in str(action)]
    assert len(told) == 1
    assert scene.transcript.seeds()[0]["content"][0]["text"] == "Written words."


def test_a_retrieved_item_fills_in_what_was_not_known() -> None:
    scene = Scene()
    scene.tell(wire.InputAudioBufferCommitted(item_id="turn"))
    item = Item(
        id="turn",
        type="message",
        role="user",
        content=[ContentPart(type="audio", transcript="Hello?", audio="AAAA", format="pcm16")],
    )
    scene.tell(wire.ConversationItemRetrieved(item=item))
    assert scene.texts() == ["Hello?"]


def test_calls_of_functions_and_tools_are_told_with_what_they_were_given_and_gave() -> None:
    scene = Scene()
    call: Any = {"item_id": "f", "response_id": "r1", "call_id": "c1"}
    for piece in ('{"target":', '"sales"'):
        scene.tell(wire.ResponseFunctionCallArgumentsDelta(delta=piece, **call))
    assert scene.row("f")["arguments"] == '{"target":"sales"'
    scene.tell(
        wire.ResponseFunctionCallArgumentsDone(
            arguments='{"target":"sales"}', name="transfer_call", **call
        ),
        wire.ResponseFunctionCallArgumentsDelta(delta="late", **call),
    )
    scene.put_in(function_output("c1", '{"status":"ok"}'))
    scene.tell(
        wire.ResponseMcpCallArgumentsDelta(
            item_id="m", response_id="r1", output_index=1, delta='{"q":1'
        ),
        wire.ResponseMcpCallArgumentsDone(
            item_id="m", response_id="r1", output_index=1, arguments='{"q":1}'
        ),
        wire.ResponseOutputItemDone(
            response_id="r1",
            output_index=1,
            item=Item(id="m", type="mcp_call", name="look_up", server_label="crm", output="42"),
        ),
    )
    assert scene.row("f")["arguments"] == '{"target":"sales"}'
    assert scene.row("m") | {"at": 0} == {
        "item_id": "m",
        "at": 0,
        "type": "mcp_call",
        "status": "completed",
        "response_id": "r1",
        "name": "look_up",
        "arguments": '{"q":1}',
        "output": "42",
    }
    kinds = [seed["type"] for seed in scene.transcript.seeds()]
    assert kinds == ["function_call", "function_call_output", "message"]


# What was heard


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.0, ""),
        (0.05, ""),
        (0.35, "one two"),
        (0.6, "one two three"),
        (0.999, "one two three four"),
        (1.0, "one two three four five"),
        (7.0, "one two three four five"),
    ],
)
def test_an_answer_is_cut_at_a_whole_word(share: float, expected: str) -> None:
    assert cut_words("one two three four five", share)[: len(expected) + 1] == expected


def test_a_language_without_blanks_is_cut_between_characters() -> None:
    assert cut_words("話" * 100, 0.5) == "話" * 50


def test_on_a_websocket_the_ledger_says_what_was_heard() -> None:
    scene = Scene()
    scene.agent_says(HELLO)
    scene.tell(
        PlayoutFlushed("r1", (Heard("r1", "agent", 0, 1500, 3000),)),
        wire.OutputAudioBufferCleared(response_id="r1", origin="gateway"),
        wire.ConversationItemTruncated(item_id="agent", content_index=0, audio_end_ms=1500),
    )
    assert scene.row("agent")["text"] == HELLO
    assert scene.row("agent")["heard"] == "Hello, this is the help"
    assert scene.row("agent")["is_cut"]


def test_words_that_come_after_the_cut_were_not_heard() -> None:
    scene = Scene()
    scene.tell(wire.ResponseOutputAudioTranscriptDelta(delta="Hello, this is the", **where()))
    scene.tell(PlayoutFlushed("r1", (Heard("r1", "agent", 0, 500, 1000),)))
    scene.agent_says(HELLO)
    assert scene.row("agent")["heard"] == "Hello,"


def test_words_that_come_only_after_the_cut_are_cut_all_the_same() -> None:
    scene = Scene()
    scene.tell(PlayoutFlushed("r1", (Heard("r1", "agent", 0, 1500, 3000),)))
    scene.agent_says(HELLO)
    assert scene.row("agent")["heard"] == "Hello, this is the help"


def test_of_two_items_the_one_heard_whole_stays_whole_and_the_unheard_one_is_nothing() -> None:
    scene = Scene()
    scene.agent_says("First of all.", "one")
    scene.agent_says("Then there is this.", "two")
    scene.agent_says("And that.", "three")
    ledger = tuple(
        Heard("r1", item_id, 0, sent, 1000)
        for item_id, sent in (("one", 1000), ("two", 500), ("three", 0))
    )
    scene.tell(
        PlayoutFlushed("r1", ledger),
        wire.OutputAudioBufferCleared(response_id="r1", origin="gateway"),
        wire.ConversationItemDeleted(item_id="three"),
    )
    assert [row["heard"] for row in scene.rows()] == ["First of all.", "Then", ""]
    assert scene.row("three")["is_deleted"]
    assert len(scene.transcript.seeds()) == 2


def test_where_the_service_plays_its_truncation_says_what_was_heard() -> None:
    for transport in ("webrtc", "sip"):
        scene = Scene(transport)  # type: ignore[arg-type]
        scene.tell(wire.OutputAudioBufferStarted(response_id="r1"), at=1.0)
        scene.tell(wire.ResponseOutputAudioTranscriptDelta(delta=HELLO, **where()), at=1.1)
        scene.tell(wire.OutputAudioBufferCleared(response_id="r1"), at=2.9)
        scene.tell(
            wire.ConversationItemTruncated(item_id="agent", content_index=0, audio_end_ms=1500)
        )
        scene.tell(done("r1", [], "cancelled", tokens=60))
        assert scene.row("agent")["heard"] == "Hello, this is the help"


def test_without_a_truncation_the_time_it_was_played_says_what_was_heard() -> None:
    scene = Scene("sip")
    scene.tell(wire.OutputAudioBufferStarted(response_id="r1"), at=1.0)
    scene.tell(wire.ResponseOutputAudioTranscriptDelta(delta=HELLO, **where()), at=1.1)
    scene.tell(wire.OutputAudioBufferCleared(response_id="r1"), at=2.5)
    assert scene.row("agent")["heard"] == "Hello, this is the"


def test_a_call_teaches_the_pace_at_which_its_agent_speaks() -> None:
    slow = Scene("webrtc")
    slow.tell(wire.OutputAudioBufferStarted(response_id="r0"), at=0.0)
    slow.agent_says("x" * 50, "before", "r0")
    slow.tell(wire.OutputAudioBufferStopped(response_id="r0"), at=10.0)
    slow.tell(wire.OutputAudioBufferStarted(response_id="r1"), at=11.0)
    slow.tell(wire.ResponseOutputAudioTranscriptDelta(delta=HELLO, **where()))
    slow.tell(wire.OutputAudioBufferCleared(response_id="r1"), at=13.5)
    assert slow.row("agent")["heard"] == "Hello, this"


def test_an_answer_played_to_its_end_was_heard_whole() -> None:
    scene = Scene()
    scene.tell(wire.OutputAudioBufferStarted(response_id="r1", origin="gateway"), at=0.1)
    scene.agent_says(HELLO)
    scene.tell(wire.OutputAudioBufferStopped(response_id="r1", origin="gateway"), at=3.2)
    scene.tell(LegEnded("caller"), at=4.0)
    assert scene.row("agent")["heard"] == HELLO
    assert not scene.row("agent")["is_cut"]


@pytest.mark.parametrize("end", [LegEnded("caller"), LinkLost("gone")])
def test_a_caller_or_link_that_goes_in_mid_answer_cuts_it(end: Event) -> None:
    scene = Scene("webrtc")
    scene.tell(wire.OutputAudioBufferStarted(response_id="r1"), at=0.0)
    scene.agent_says(HELLO)
    scene.tell(end, at=1.2)
    assert scene.row("agent")["heard"] == "Hello, this is the"


def test_what_was_still_to_be_played_at_the_hang_up_was_not_heard() -> None:
    scene = Scene()
    scene.tell(wire.OutputAudioBufferStarted(response_id="r0"), at=0.0)
    scene.agent_says("Hi.", "first", "r0")
    scene.tell(wire.OutputAudioBufferStopped(response_id="r0"), at=0.5)
    scene.agent_says(HELLO)
    scene.transcript.note([HangUp()])
    assert [row["heard"] for row in scene.rows()] == ["Hi.", ""]


# What is no turn


def test_a_turn_thrown_away_is_no_turn() -> None:
    scene = Scene()
    scene.tell(wire.InputAudioBufferSpeechStarted(item_id="turn", audio_start_ms=0))
    scene.tell(wire.InputAudioBufferSpeechStopped(item_id="turn", audio_end_ms=500))
    scene.tell(wire.InputAudioBufferCleared())
    assert not scene.transcript.seeds()


def test_silence_made_a_turn_is_no_turn_of_the_callers() -> None:
    scene = Scene()
    scene.tell(
        wire.InputAudioBufferTimeoutTriggered(item_id="s", audio_start_ms=0, audio_end_ms=6000),
        wire.InputAudioBufferCommitted(item_id="s"),
    )
    assert not scene.transcript.seeds()
    assert scene.row("s")["is_silence"]


# What goes into a later session


def test_a_conversation_is_brought_back_as_it_was_heard() -> None:
    scene = Scene()
    scene.agent_says(HELLO, "greeting", "r0")
    scene.tell(PlayoutFlushed("r0", (Heard("r0", "greeting", 0, 1500, 3000),)))
    scene.caller_says("turn", "I need a plumber.")
    scene.put_in(user_text("[DTMF 5]"))
    assert scene.transcript.seeds() == [
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hello, this is the help"}],
        },
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "I need a plumber."}],
        },
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "[DTMF 5]"}],
        },
    ]


def test_a_function_call_without_a_result_is_brought_back_as_lost() -> None:
    scene = Scene()
    scene.tell(
        wire.ResponseFunctionCallArgumentsDone(
            item_id="f", response_id="r1", call_id="c1", arguments="{}", name="hang_up"
        )
    )
    call, result = scene.transcript.seeds()
    assert call == {
        "type": "function_call",
        "name": "hang_up",
        "call_id": "c1",
        "arguments": "{}",
    }
    assert result == {"type": "function_call_output", "call_id": "c1", "output": LOST_RESULT}


def test_what_is_brought_back_is_bounded_newest_first_and_says_so() -> None:
    scene = Scene()
    for number in range(30):
        scene.caller_says(f"turn-{number}", f"Line {number}.")
    seeds = scene.transcript.seeds(max_items=3)
    texts = [seed["content"][0]["text"] for seed in seeds]
    assert texts == ["(What was said before this is left out.)", "Line 27.", "Line 28.", "Line 29."]
    assert len(scene.transcript.seeds(max_chars=200)) < 5


def test_the_echo_of_what_is_brought_back_adds_nothing() -> None:
    scene = Scene()
    scene.agent_says(HELLO, "greeting", "r0")
    scene.caller_says("turn", "I need a plumber.")
    before = scene.texts()
    scene.tell(LinkReady())
    for number, seed in enumerate(scene.transcript.seeds()):
        scene.put_in(ConversationItemCreate(item=seed))
        content = [ContentPart(type=part["type"], text=part["text"]) for part in seed["content"]]
        echo = Item(id=f"new-{number}", type="message", role=seed["role"], content=content)
        scene.tell(wire.ConversationItemAdded(item=echo), wire.ConversationItemDone(item=echo))
    assert scene.texts() == before
    scene.tell(wire.ConversationItemDeleted(item_id="new-1"))
    assert scene.row("turn")["is_deleted"]


def test_the_echo_of_a_result_that_was_made_up_is_no_result() -> None:
    scene = Scene()
    scene.tell(
        wire.ResponseFunctionCallArgumentsDone(
            item_id="f", response_id="r1", call_id="c1", arguments="{}", name="hang_up"
        )
    )
    for number, seed in enumerate(scene.transcript.seeds()):
        scene.put_in(ConversationItemCreate(item=seed))
        fields = {name: seed.get(name) for name in ("name", "call_id", "arguments", "output")}
        echo = Item(id=f"new-{number}", type=seed["type"], **fields)
        scene.tell(wire.ConversationItemAdded(item=echo), wire.ConversationItemDone(item=echo))
    assert [row["item_id"] for row in scene.rows()] == ["f"]


def test_a_turn_that_the_caller_speaks_is_not_taken_for_the_echo_of_a_key() -> None:
    scene = Scene()
    scene.put_in(user_text("[DTMF 5]"))
    spoken = Item(id="turn", type="message", role="user", content=[ContentPart(type="input_audio")])
    scene.tell(wire.ConversationItemAdded(item=spoken), heard("turn", "Five."))
    assert scene.texts() == ["[DTMF 5]", "Five."]


def test_the_echo_of_a_key_is_the_key_and_the_same_key_again_is_another() -> None:
    scene = Scene()
    for number in range(2):
        scene.put_in(user_text("[DTMF 5]"))
        part = ContentPart(type="input_text", text="[DTMF 5]")
        item = Item(id=f"item-{number}", type="message", role="user", content=[part])
        scene.tell(wire.ConversationItemAdded(item=item))
    assert scene.texts() == ["[DTMF 5]", "[DTMF 5]"]


def test_the_record_names_the_conversation() -> None:
    scene = Scene()
    scene.tell(wire.ConversationCreated(conversation={"id": "conv_1"}))
    assert scene.transcript.conversation_id == "conv_1"


# Bounds


def test_a_very_long_call_keeps_its_newest_words_and_counts_the_rest() -> None:
    scene = Scene()
    for number in range(1_500):
        scene.caller_says(f"turn-{number}", f"Line {number}.")
    assert len(scene.rows()) == 1_000
    assert scene.transcript.dropped == 500
    assert scene.texts()[-1] == "Line 1499."


def test_much_text_pushes_old_items_out() -> None:
    scene = Scene()
    for number in range(100):
        scene.caller_says(f"turn-{number}", "x" * 100_000)
    assert sum(len(text) for text in scene.texts()) <= 200_000
    assert scene.transcript.dropped > 0


PIECES = st.sampled_from(["Hello ", "you ", "there. ", ""])
IDS = st.sampled_from(["a", "b", "c"])
STORM = st.one_of(
    st.builds(
        lambda i, p: wire.ConversationItemAdded(item=message(i, ""), previous_item_id=p), IDS, IDS
    ),
    st.builds(lambda i, t: wire.ConversationItemDone(item=message(i, t)), IDS, PIECES),
    st.builds(lambda i: wire.ConversationItemDeleted(item_id=i), IDS),
    st.builds(heard, IDS, PIECES),
    st.builds(
        lambda i, t: wire.ResponseOutputAudioTranscriptDelta(delta=t, **where(i)), IDS, PIECES
    ),
    st.builds(
        lambda i, ms: wire.ConversationItemTruncated(item_id=i, content_index=0, audio_end_ms=ms),
        IDS,
        st.integers(-5, 5000),
    ),
    st.builds(
        lambda i, s, r: PlayoutFlushed("r1", (Heard("r1", i, 0, s, r),)),
        IDS,
        st.integers(-5, 5000),
        st.integers(0, 5000),
    ),
    st.just(wire.OutputAudioBufferStarted(response_id="r1")),
    st.just(wire.OutputAudioBufferCleared(response_id="r1")),
    st.just(wire.OutputAudioBufferStopped(response_id="r1")),
    st.just(LinkLost("gone")),
)


@hypothesis_settings(max_examples=200)
@given(st.lists(STORM, max_size=30), st.sampled_from(["websocket", "webrtc", "sip"]))
def test_no_order_of_events_loses_an_item_or_has_more_heard_than_said(
    events: list[Event], transport: Transport
) -> None:
    scene = Scene(transport)
    for number, event in enumerate(events):
        scene.tell(event, at=number / 10)
    rows = scene.rows()
    assert len({row["item_id"] for row in rows}) == len(rows)
    for row in rows:
        assert len(row.get("heard", "")) <= len(row.get("text", ""))
    scene.transcript.seeds()
