"""Each of the service's 47 events does something to a call, and without it that is not done.

Every case is played twice through a real controller in virtual time: with the event, as it
stands on the wire, and without it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from call_scenes import said, settings

from gateway.control import (
    Answer,
    Connect,
    HangUp,
    Log,
    Play,
    Respond,
    Say,
    Stop,
    TimelineEntry,
    first_difference,
    replay,
)
from gateway.control.events import Heard, PlayoutFlushed
from gateway.control.settings import APOLOGY, COMFORT
from gateway.realtime import events as wire
from gateway.realtime.commands import (
    ConversationItemCreate,
    ConversationItemTruncate,
    ResponseCreate,
)
from gateway.realtime.events import (
    PREVIEW_ALIASES,
    SERVER_EVENTS,
    TRANSPORTS,
    ContentPart,
    ErrorDetail,
    Event,
    Item,
    RateLimit,
    ResponseInfo,
    Transport,
    decode,
    encode,
    wire_name,
)
from gateway.realtime.faults import classify
from gateway.testing.flow import Flow
from gateway.testing.scripted_service import EPOCH, Reply

CRM = {"type": "mcp", "server_label": "crm", "server_url": "https://crm.example/mcp"}
SHOP = {"type": "mcp", "server_label": "shop", "server_url": "https://shop.example/mcp"}
AGENT: Any = {"item_id": "agent", "response_id": "r", "output_index": 0, "content_index": 0}
CALL: Any = {"item_id": "f", "response_id": "r", "call_id": "c"}
TOOL: Any = {"item_id": "t", "response_id": "r", "output_index": 0}


# What a case begins with


def quiet(transport: Transport = "websocket", **tables: Any) -> Flow:
    """Return a call that nobody greets, answered and silent."""
    flow = Flow(settings(call={"greet": False, **tables.pop("call", {})}, **tables), transport)
    flow.start()
    flow.run(1.0)
    return flow


def over_webrtc() -> Flow:
    return quiet("webrtc")


def hosted() -> Flow:
    return quiet("sip")


def greeting() -> Flow:
    """Return a call in the middle of its greeting."""
    flow = Flow(settings())
    flow.service.replies.append(Reply(speech_ms=3000))
    flow.start()
    flow.run(1.0)
    return flow


def unconfirmed() -> Flow:
    """Return a call whose session the service has not confirmed."""
    flow = Flow(settings())
    flow.service.is_confirming = False
    flow.start()
    flow.run(0.5)
    return flow


def waiting_for_tools(*tools: dict[str, Any]) -> Callable[[], Flow]:
    """Return what begins a call that waits for its servers' tools."""

    def start() -> Flow:
        flow = Flow(settings(session={"tools": list(tools)}))
        flow.start()
        flow.run(0.3)
        return flow

    return start


# What happens around the event


def together(*steps: Callable[[Flow], None]) -> Callable[[Flow], None]:
    def do(flow: Flow) -> None:
        for step in steps:
            step(flow)

    return do


def emit(*events: Event) -> Callable[[Flow], None]:
    def do(flow: Flow) -> None:
        for event in events:
            flow.emit(event)  # type: ignore[arg-type]

    return do


def ask(*requests: Any) -> Callable[[Flow], None]:
    """Have somebody outside ask for something."""

    def do(flow: Flow) -> None:
        for request in requests:
            flow._perform(flow.controller.request([request], flow.now))

    return do


def wait(seconds: float) -> Callable[[Flow], None]:
    return lambda flow: flow.run(seconds)


def reconnect(flow: Flow) -> None:
    flow.lose_service()
    flow.run(5.0)


def flushed(flow: Flow) -> None:
    flow.post(PlayoutFlushed("r", (Heard("r", "agent", 0, 100, 100),)))


def created(response_id: str = "r") -> Event:
    return wire.ResponseCreated(response=ResponseInfo(id=response_id, status="in_progress"))


def done(*output: Item, usage: dict[str, Any] | None = None) -> Event:
    return wire.ResponseDone(
        response=ResponseInfo(id="r", status="completed", output=list(output), usage=usage)
    )


def user(text: str, item_id: str = "turn") -> Item:
    part = ContentPart(type="input_audio", transcript=text)
    return Item(id=item_id, type="message", role="user", content=[part])


STARTED = wire.InputAudioBufferSpeechStarted(item_id="turn", audio_start_ms=0)
STOPPED = wire.InputAudioBufferSpeechStopped(item_id="turn", audio_end_ms=2_000)
DELTA = wire.ResponseOutputAudioDelta(delta=bytes(4_800), **AGENT)
WORDS = wire.ResponseOutputAudioTranscriptDelta(delta="Good morning to you all. ", **AGENT)
WORKING = wire.ResponseMcpCallInProgress(item_id="t", output_index=0)
FUNCTION = Item(
    id="f", type="function_call", name="fly", arguments="{}", call_id="c", status="completed"
)
APPROVAL = Item(
    id="ask", type="mcp_approval_request", name="look", server_label="crm", arguments="{}"
)


# What is looked at


def row(item_id: str, *fields: str) -> Callable[[Flow], Any]:
    """Return what looks at some fields of an item of the transcript."""

    def look(flow: Flow) -> Any:
        rows = flow.controller.transcript.as_list()
        found: dict[str, Any] = next((one for one in rows if one["item_id"] == item_id), {})
        told = [found.get(field) for field in fields]
        return told[0] if len(told) == 1 else told

    return look


def usage(*path: Any) -> Callable[[Flow], Any]:
    """Return what looks at a figure of the call's usage."""

    def look(flow: Flow) -> Any:
        node: Any = flow.controller.usage.as_dict()
        for name in path:
            node = node[name]
        return node

    return look


def number_of(kind: type[Any]) -> Callable[[Flow], int]:
    return lambda flow: len(flow.did(kind))


def asked(flow: Flow) -> int:
    """How many responses the service was asked for."""
    return len(flow.sent(ResponseCreate))


def truncated(flow: Flow) -> int:
    return len(flow.sent(ConversationItemTruncate))


def results(flow: Flow) -> int:
    """How many function calls were given a result."""
    items = [command.item["type"] for command in flow.sent(ConversationItemCreate)]
    return items.count("function_call_output")


def refusals(flow: Flow) -> list[Any]:
    items = [command.item for command in flow.sent(ConversationItemCreate)]
    return [item["approve"] for item in items if item["type"] == "mcp_approval_response"]


def prompts(flow: Flow) -> list[str]:
    return [action.prompt for action in flow.did(Play)]


def logged(words: str) -> Callable[[Flow], bool]:
    return lambda flow: any(words in action.text for action in flow.did(Log))


def retold(flow: Flow) -> list[str]:
    return flow.service.texts(1)


class Case(NamedTuple):
    """An event, what it is to bring about, and what goes before and after it."""

    event: Event
    seen: Callable[[Flow], Any]
    expected: Any
    scene: Callable[[], Flow] = quiet
    before: Callable[[Flow], None] = wait(0)
    after: Callable[[Flow], None] = wait(0)


CASES = [
    Case(
        wire.ErrorEvent(error=ErrorDetail(code="insufficient_quota", message="no money left")),
        prompts,
        [APOLOGY],
    ),
    Case(  # a session that ends soon is replaced
        wire.SessionCreated(session={"id": "s", "expires_at": EPOCH + 300}),
        number_of(Connect),
        2,
        after=wait(295),
    ),
    Case(wire.SessionUpdated(session={}), number_of(Answer), 1, scene=unconfirmed),
    Case(
        wire.TranscriptionSessionUpdated(session={}),
        lambda flow: (len(flow.did(Answer)), asked(flow)),
        (1, 0),
        scene=unconfirmed,
        after=wait(0.5),
    ),
    Case(
        wire.ConversationCreated(conversation={"id": "conv_1"}),
        lambda flow: flow.controller.transcript.conversation_id,
        "conv_1",
    ),
    Case(  # in its place: before what was heard of first
        wire.ConversationItemAdded(item=user("First.", "a")),
        lambda flow: [one["text"] for one in flow.controller.transcript.as_list()],
        ["First.", "Second."],
        before=emit(wire.ConversationItemAdded(item=user("Second.", "b"), previous_item_id="a")),
    ),
    Case(wire.ConversationItemCreated(item=APPROVAL), refusals, [False]),
    Case(
        wire.ConversationItemDone(item=user("All of it.")),
        row("turn", "text", "status"),
        ["All of it.", "completed"],
        before=emit(wire.ConversationItemAdded(item=user(""))),
    ),
    Case(
        wire.ConversationItemRetrieved(item=user("Fetched.")),
        row("turn", "text"),
        "Fetched.",
        before=emit(wire.InputAudioBufferCommitted(item_id="turn")),
    ),
    Case(
        wire.ConversationItemTruncated(item_id="agent", content_index=0, audio_end_ms=700),
        row("agent", "heard"),
        "Good",
        scene=over_webrtc,
        before=emit(created(), wire.OutputAudioBufferStarted(response_id="r"), WORDS),
    ),
    Case(  # a later session is not told of it
        wire.ConversationItemDeleted(item_id="turn"),
        retold,
        [],
        before=emit(wire.ConversationItemDone(item=user("Forget it.")), created(), done()),
        after=reconnect,
    ),
    Case(
        wire.ConversationItemInputAudioTranscriptionDelta(
            item_id="turn", content_index=0, delta="I wou"
        ),
        row("turn", "text"),
        "I wou",
    ),
    Case(
        wire.ConversationItemInputAudioTranscriptionSegment(
            item_id="turn", content_index=0, id="1", speaker="A", start=0.1, end=1.0, text="Hi."
        ),
        row("turn", "segments"),
        [{"start": 0.1, "end": 1.0, "speaker": "A", "text": "Hi."}],
    ),
    Case(
        wire.ConversationItemInputAudioTranscriptionCompleted(
            item_id="turn", content_index=0, transcript="Hi.", usage={"seconds": 2.5}
        ),
        lambda flow: (row("turn", "text")(flow), usage("transcribed_seconds")(flow)),
        ("Hi.", 2.5),
    ),
    Case(
        wire.ConversationItemInputAudioTranscriptionFailed(
            item_id="turn", content_index=0, error=ErrorDetail(message="too noisy")
        ),
        lambda flow: (row("turn", "problem")(flow), logged("too noisy")(flow)),
        ("too noisy", True),
    ),
    Case(  # our own request waits for the answer that the service is about to give
        wire.InputAudioBufferCommitted(item_id="turn"),
        asked,
        0,
        after=ask(Respond()),
    ),
    Case(  # words thrown away are no turn
        wire.InputAudioBufferCleared(),
        lambda flow: [row.get("is_deleted") for row in flow.controller.transcript.as_list()][-1],
        True,
        before=emit(STARTED, STOPPED),
    ),
    Case(STARTED, number_of(Stop), 1, scene=greeting),
    Case(STOPPED, usage("caller_seconds"), 2.0, before=emit(STARTED)),
    Case(
        wire.InputAudioBufferTimeoutTriggered(item_id="s", audio_start_ms=0, audio_end_ms=6_000),
        said,
        ["Goodbye."],
        scene=lambda: quiet(idle={"limit": 1}),
        after=wait(2.0),
    ),
    Case(
        wire.InputAudioBufferDtmfEventReceived(event="5", received_at=EPOCH),
        lambda flow: flow.service.texts(),
        ["[DTMF 5]"],
        scene=hosted,
    ),
    Case(
        wire.OutputAudioBufferStarted(response_id="r"),
        usage("latency", "heard_ms_max"),
        300,
        scene=over_webrtc,
        before=together(emit(STARTED, STOPPED), wait(0.3), emit(created())),
    ),
    Case(  # who waited for the goodbye to be heard hangs up
        wire.OutputAudioBufferStopped(response_id="r"),
        number_of(HangUp),
        1,
        scene=over_webrtc,
        before=together(
            emit(created(), wire.OutputAudioBufferStarted(response_id="r"), done()),
            ask(HangUp("done")),
        ),
    ),
    Case(
        wire.OutputAudioBufferCleared(response_id="r"),
        lambda flow: (row("agent", "heard")(flow), flow.controller.is_dropped("r")),
        ("Good", True),
        scene=over_webrtc,
        before=together(
            emit(created(), wire.OutputAudioBufferStarted(response_id="r"), WORDS), wait(0.6)
        ),
    ),
    Case(created(), asked, 0, after=ask(Say("Wait."))),  # the floor is taken
    Case(
        done(usage={"input_tokens": 30, "output_tokens": 12}),
        lambda flow: (usage("tokens", "total")(flow), asked(flow)),
        (42, 1),
        before=together(emit(created()), ask(Respond())),
    ),
    Case(
        wire.ResponseOutputItemAdded(
            response_id="r",
            output_index=0,
            item=Item(id="agent", type="message", role="assistant", status="in_progress"),
        ),
        row("agent", "role", "response_id"),
        ["assistant", "r"],
    ),
    Case(
        wire.ResponseOutputItemDone(response_id="r", output_index=0, item=FUNCTION),
        results,
        1,
        before=emit(created()),
        after=emit(done()),
    ),
    Case(  # of a part that is sound it is told what was heard
        wire.ResponseContentPartAdded(part=ContentPart(type="audio"), **AGENT),
        row("agent", "heard"),
        "",
        after=emit(wire.ConversationItemAdded(item=Item(id="agent", role="assistant"))),
    ),
    Case(
        wire.ResponseContentPartDone(
            part=ContentPart(type="audio", transcript="Good morning."), **AGENT
        ),
        row("agent", "text"),
        "Good morning.",
    ),
    Case(
        wire.ResponseOutputTextDelta(delta="Written", **AGENT),
        row("agent", "text", "heard"),
        ["Written", None],
    ),
    Case(
        wire.ResponseOutputTextDone(text="Written.", **AGENT),
        logged("answers in writing"),
        True,
    ),
    Case(  # there is something to cut
        DELTA, number_of(Stop), 1, before=emit(created()), after=emit(STARTED)
    ),
    Case(  # what was heard to its end is not truncated
        wire.ResponseOutputAudioDone(**AGENT),
        truncated,
        0,
        before=emit(created(), DELTA),
        after=flushed,
    ),
    Case(WORDS, row("agent", "text"), "Good morning to you all."),
    Case(
        wire.ResponseOutputAudioTranscriptDone(transcript="Good evening.", **AGENT),
        row("agent", "text"),
        "Good evening.",
        before=emit(WORDS),
    ),
    Case(
        wire.ResponseFunctionCallArgumentsDelta(delta='{"target":', **CALL),
        row("f", "arguments", "call_id"),
        ['{"target":', "c"],
    ),
    Case(
        wire.ResponseFunctionCallArgumentsDone(arguments="{}", name="fly", **CALL),
        results,
        1,
        before=emit(created()),
        after=emit(done()),
    ),
    Case(
        wire.ResponseMcpCallArgumentsDelta(delta='{"q":', **TOOL),
        row("t", "arguments", "type"),
        ['{"q":', "mcp_call"],
    ),
    Case(
        wire.ResponseMcpCallArgumentsDone(arguments='{"q":1}', **TOOL),
        logged('is called with {"q":1}'),
        True,
    ),
    Case(WORKING, prompts, [COMFORT], before=emit(created()), after=wait(1.0)),
    Case(
        wire.ResponseMcpCallCompleted(item_id="t", output_index=0),
        number_of(Stop),
        1,
        before=together(emit(created(), WORKING), wait(1.0)),
    ),
    Case(  # the model is to say so
        wire.ResponseMcpCallFailed(item_id="t", output_index=0),
        lambda flow: (asked(flow), logged("tool t failed")(flow)),
        (1, True),
        before=emit(created(), WORKING, done(Item(id="t", type="mcp_call"))),
        after=wait(1.0),
    ),
    Case(  # listed anew: not there yet
        wire.McpListToolsInProgress(item_id="l1"),
        asked,
        0,
        scene=waiting_for_tools(CRM, SHOP),
        before=emit(wire.McpListToolsCompleted(item_id="l1")),
        after=emit(wire.McpListToolsCompleted(item_id="l2")),
    ),
    Case(wire.McpListToolsCompleted(item_id="l1"), asked, 1, scene=waiting_for_tools(CRM)),
    Case(wire.McpListToolsFailed(item_id="l1"), asked, 1, scene=waiting_for_tools(CRM)),
    Case(
        wire.RateLimitsUpdated(rate_limits=[RateLimit(name="tokens", limit=100, remaining=3)]),
        usage("rate_limits"),
        {"tokens": {"limit": 100, "remaining": 3}},
    ),
]


def play(case: Case, *, with_event: bool = True) -> Flow:
    flow = case.scene()
    case.before(flow)
    if with_event:
        event = decode(encode(case.event))  # type: ignore[arg-type]
        assert wire_name(event) == wire_name(case.event)
        flow.emit(event)  # type: ignore[arg-type]
    case.after(flow)
    return flow


def name_of(case: Case) -> str:
    return wire_name(case.event)


def test_there_is_a_case_for_every_event() -> None:
    assert sorted(map(name_of, CASES)) == sorted(SERVER_EVENTS)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_the_event_has_its_effect(case: Case) -> None:
    assert case.seen(play(case)) == case.expected


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_without_the_event_there_is_no_such_effect(case: Case) -> None:
    assert case.seen(play(case, with_event=False)) != case.expected


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_the_event_comes_on_the_link_of_its_case(case: Case) -> None:
    assert case.scene().transport in TRANSPORTS[name_of(case)]


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_played_again_from_its_timeline_the_call_does_the_same(case: Case) -> None:
    flow = play(case)
    flow.run(10.0)
    rows = [TimelineEntry.from_dict(one) for one in flow.controller.timeline.as_list()]
    assert first_difference(rows, replay(rows, flow.settings, classify)) is None


@pytest.mark.parametrize("transport", ["websocket", "webrtc", "sip"])
@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_the_event_twice_and_out_of_place_on_any_link_does_no_harm(
    case: Case, transport: Transport
) -> None:
    flow = Flow(settings(), transport)
    flow.start()
    for seconds in (0.01, 0.1, 0.5, 2.0):
        flow.run(seconds)
        flow.emit(case.event)  # type: ignore[arg-type]
        flow.emit(case.event)  # type: ignore[arg-type]
    flow.run(30.0)
    rows = flow.controller.transcript.as_list()
    assert len({one["item_id"] for one in rows}) == len(rows)
    assert not any("Traceback" in action.text for action in flow.did(Log))


@pytest.mark.parametrize(("old", "new"), PREVIEW_ALIASES.items())
def test_an_event_under_its_preview_name_has_the_same_effect(old: str, new: str) -> None:
    case = next(case for case in CASES if name_of(case) == new)
    flow = case.scene()
    case.before(flow)
    message = encode(case.event).replace(new.encode(), old.encode(), 1)  # type: ignore[arg-type]
    flow.emit(decode(message))  # type: ignore[arg-type]
    case.after(flow)
    assert case.seen(flow) == case.expected
