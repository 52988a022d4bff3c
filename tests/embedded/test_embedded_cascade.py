"""The cascade's parts that need no network: its script, its messages, its sentences."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rote_agent import SECOND, update

from gateway.embedded.agents.agent import CallTool
from gateway.embedded.agents.cascade import Cascade, CascadeAgent, Model
from gateway.embedded.agents.chat import ThoughtOver, ToolAsked, Words
from gateway.embedded.agents.engines import ECHO, load_engine
from gateway.embedded.agents.sentences import Sentences
from gateway.embedded.protocol.outbox import CallMcp, Chat, ListTools
from gateway.embedded.remote.sse import SseParser
from gateway.errors import ConfigError, ProtocolError
from gateway.realtime import commands as c
from gateway.realtime import events as e
from gateway.realtime.items import ErrorDetail
from gateway.testing.service_client import ServiceClient

CASCADE = Cascade("cascade", Model("http://127.0.0.1:1/v1", "m"))
TOOL = {"type": "function", "name": "hang_up", "description": "Ends the call.", "parameters": {}}
SCRIPT = """
engine = "cascade"
[chat]
base_url = "http://127.0.0.1:1/v1"
model = "m"
"""


@pytest.fixture
def client() -> ServiceClient:
    client = ServiceClient(
        lambda: CascadeAgent(CASCADE), words=iter(["what time is it", "thanks"]), speech_ms=1000
    )
    update(client, instructions="Be kind.", audio={"input": {"turn_detection": None}})
    return client


def ask(client: ServiceClient) -> Chat:
    """Return the question to the chat model that waits."""
    (job,) = client.take_waiting()
    assert isinstance(job, Chat)
    return job


def think(client: ServiceClient, *thoughts: Words | ToolAsked | ThoughtOver) -> Chat:
    """Answer the question that waits."""
    job = ask(client)
    for thought in thoughts:
        assert client.session.thought(job.job, thought, client.now)
        client.settle()
    return job


def turn(client: ServiceClient) -> None:
    client.send(c.InputAudioBufferAppend(audio=SECOND))
    client.send(c.InputAudioBufferCommit())
    client.send(c.ResponseCreate())


def test_the_first_sentence_is_spoken_before_the_second_is_thought(client: ServiceClient) -> None:
    turn(client)
    job = ask(client)
    client.session.thought(job.job, Words("It is ten. And"), client.now)
    client.settle()
    assert client.said == ["It is ten."]
    assert client.names[-1] == "response.output_audio.delta"
    client.session.thought(job.job, Words(" a half."), client.now)
    client.session.thought(job.job, ThoughtOver(), client.now)
    client.settle()
    assert client.said == ["It is ten.", "And a half."]
    (item,) = client.last(e.ResponseDone).response.output or []
    assert item.transcript == "It is ten. And a half."
    assert not client.session.thought(job.job, Words("More."), client.now)


def test_the_conversation_is_what_the_model_is_told(client: ServiceClient) -> None:
    client.send(c.user_text("hello"))
    turn(client)
    first = think(client, Words("It is ten."), ThoughtOver())
    assert first.request.messages == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "hello"},
        {"role": "user", "content": "what time is it"},
    ]
    client.sleep(1)
    turn(client)
    assert think(client, ThoughtOver()).request.messages[3:] == [
        {"role": "assistant", "content": "It is ten."},
        {"role": "user", "content": "thanks"},
    ]


def test_what_the_caller_did_not_hear_was_not_said(client: ServiceClient) -> None:
    turn(client)
    think(client, Words("It is ten, as far as anybody can say."), ThoughtOver())
    (item,) = client.last(e.ResponseDone).response.output or []
    cut = c.ConversationItemTruncate(item_id=item.id or "", content_index=0, audio_end_ms=300)
    client.send(cut)
    client.send(c.ResponseCreate())
    assert ask(client).request.messages[-1] == {"role": "assistant", "content": "It is ten,"}


def test_a_function_is_called_and_its_output_thought_about(client: ServiceClient) -> None:
    update(client, tools=[TOOL])
    turn(client)
    first = think(client, Words("Bye. "), ToolAsked("hang_up", '{"why":"done"}'), ThoughtOver())
    assert first.request.tools[0]["function"]["name"] == "hang_up"
    call = client.last(e.ResponseFunctionCallArgumentsDone)
    assert (call.name, call.arguments) == ("hang_up", '{"why":"done"}')
    client.send(c.ResponseCreate())
    assert think(client, ThoughtOver()).request.messages[-1]["content"] == "Bye.", "no output yet"
    client.send(c.function_output(call.call_id, '{"ok":true}'))
    client.send(c.ResponseCreate())
    asked, answered = ask(client).request.messages[-2:]
    assert asked["tool_calls"][0]["id"] == call.call_id
    assert asked["tool_calls"][0]["function"] == {"name": "hang_up", "arguments": '{"why":"done"}'}
    assert answered == {"role": "tool", "tool_call_id": call.call_id, "content": '{"ok":true}'}


def test_a_tool_of_an_mcp_server_is_called_within_the_answer(client: ServiceClient) -> None:
    server = {"type": "mcp", "server_label": "town", "server_url": "http://127.0.0.1:1/"}
    update(client, tools=[{**server, "require_approval": "never"}])
    (listing,) = client.take_waiting()
    assert isinstance(listing, ListTools)
    tool = {"name": "weather", "input_schema": {"type": "object"}}
    client.session.listed(listing.job, [tool], client.now)
    turn(client)
    think(client, ToolAsked("weather", "{}"), ThoughtOver())
    (call,) = client.take_waiting()
    assert isinstance(call, CallMcp)
    client.session.tool_returned(call.job, "rain", client.now)
    client.settle()
    second = think(client, Words("It rains."), ThoughtOver())
    assert second.request.messages[-1]["content"] == "rain"
    done = client.last(e.ResponseDone).response
    assert [item.type for item in done.output or ()] == ["mcp_call", "message"]


def test_an_answer_that_is_cut_by_the_model_is_incomplete(client: ServiceClient) -> None:
    turn(client)
    think(client, Words("It is"), ThoughtOver(is_cut=True))
    response = client.last(e.ResponseDone).response
    assert (response.status, response.reason) == ("incomplete", "max_output_tokens")


def test_a_model_that_fails_fails_the_response_and_a_caller_may_go_on(
    client: ServiceClient,
) -> None:
    turn(client)
    problem = ErrorDetail(type="server_error", code="chat_failed", message="gone")
    job = ask(client)
    client.session.thought(job.job, Words("It is ten. And"), client.now)
    client.session.unthought(job.job, problem, client.now)
    client.settle()
    assert client.last(e.ResponseDone).response.status == "failed"
    turn(client)
    think(client, Words("Yes."), ThoughtOver())
    assert client.last(e.ResponseDone).response.status == "completed"


def test_nobody_thinks_on_once_the_caller_speaks(client: ServiceClient) -> None:
    turn(client)
    job = ask(client)
    client.send(c.ResponseCancel())
    assert not client.session.thought(job.job, Words("It is ten. "), client.now)
    assert client.said == []


def test_a_response_may_be_asked_of_other_words_and_tools(client: ServiceClient) -> None:
    said = {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "sum it up"}],
    }
    params = {"conversation": "none", "input": [said], "instructions": "Brief.", "tools": [TOOL]}
    client.send(c.ResponseCreate(response={**params, "output_modalities": ["text"]}))
    job = think(client, Words("Once. Twice."), ThoughtOver())
    assert job.request.messages == [
        {"role": "system", "content": "Brief."},
        {"role": "user", "content": "sum it up"},
    ]
    assert [tool["function"]["name"] for tool in job.request.tools] == ["hang_up"]
    assert client.last(e.ResponseOutputTextDone).text == "Once. Twice."
    deltas = [event.delta for event in client.all(e.ResponseOutputTextDelta)]
    assert deltas == ["Once.", " Twice."]


def test_a_turn_without_words_is_not_thought_about() -> None:
    client = ServiceClient(lambda: CascadeAgent(CASCADE), words=iter([""]))
    update(client, audio={"input": {"turn_detection": None}})
    turn(client)
    assert client.take_waiting() == []
    assert client.last(e.ResponseDone).response.output == []


@given(st.lists(st.text(alphabet="ab .!?\n", max_size=9), max_size=80))
def test_sentences_are_the_same_however_the_text_is_cut(pieces: list[str]) -> None:
    by_piece = Sentences()
    found = [each for piece in pieces for each in by_piece.feed(piece)] + by_piece.rest()
    whole = Sentences()
    assert found == whole.feed("".join(pieces)) + whole.rest()
    assert re.findall(r"\w+", " ".join(found)) == re.findall(r"\w+", "".join(pieces))


def test_sentences_are_spoken_without_marks_and_never_wait_for_ever() -> None:
    sentences = Sentences()
    assert sentences.feed('**Now.** Он сказал: "Да!" ') == ["Now.", 'Он сказал: "Да!"']
    assert sentences.feed("3.5 percent\n- ") == ["3.5 percent"]
    assert sentences.rest() == []
    long = sentences.feed("word " * 100)
    assert long
    assert all(len(each) <= 300 for each in long)


@given(st.lists(st.binary(max_size=40)))
def test_a_stream_of_events_may_be_garbage(pieces: list[bytes]) -> None:
    parser = SseParser()
    for piece in pieces:
        parser.feed(piece)


def test_events_are_read_whole_however_they_are_cut() -> None:
    stream = b": hello\r\ndata: one\r\n\r\nevent: x\ndata:two\ndata: lines\n\ndata: th"
    parser = SseParser()
    events = [event for at in range(len(stream)) for event in parser.feed(stream[at : at + 1])]
    assert events == ["one", "two\nlines"]
    with pytest.raises(ProtocolError, match="event of more"):
        parser.feed(b"x" * 5_000_000)


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "agent.toml"
    path.write_text(text)
    return path


def test_a_cascade_is_read_from_its_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_KEY", "hush")
    text = SCRIPT + 'key_env = "CHAT_KEY"\n[speech]\nbase_url = "https://tts.example"\nmodel = "t"'
    engine = load_engine(write(tmp_path, text))
    assert isinstance(engine.make_agent(), CascadeAgent)
    assert engine.cascade
    assert engine.cascade.chat.headers == {"Authorization": "Bearer hush"}
    assert engine.cascade.speech
    assert engine.cascade.speech.headers == {}
    assert "hush" not in repr(engine)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('engine = "magic"', 'there is no "magic"'),
        ('engine = "cascade"', "missing required field `chat`"),
        (SCRIPT.replace("http:", "ftp:"), "chat.base_url: give an http or https address"),
        (SCRIPT + 'key_env = "NOBODY_SET_THIS"', "NOBODY_SET_THIS is not set"),
        (SCRIPT + "seconds = 0", "seconds: must lie above 0"),
        (SCRIPT + "surprise = 1", "unknown field `surprise`"),
        (SCRIPT.replace("[chat]", "idle_timeout_ms = 7\n[chat]"), "from 5000 to 30000"),
        ("engine = [", "mend the TOML there"),
    ],
)
def test_a_mistake_in_a_cascade_is_named(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=r"agent\.toml") as raised:
        load_engine(write(tmp_path, text))
    assert told in str(raised.value)


def test_scripts_and_the_echo_are_engines_too() -> None:
    assert load_engine(ECHO).cascade is None
    assert load_engine(None).voice == load_engine("demo").voice == "rms"
    assert CallTool("x", {"a": 1}).text == '{"a":1}'
