import pytest

from gateway.embedded.agents.agent import (
    AgentEvent,
    AgentStep,
    CallTool,
    Idle,
    Interrupted,
    KeyPressed,
    PlayTurn,
    Recalled,
    Remark,
    ResponseRequested,
    Say,
    SessionStarted,
    ToolReturned,
    TurnEnded,
    read_user_text,
)
from gateway.embedded.agents.echo import EchoAgent
from gateway.embedded.agents.engine import ScriptAgent
from gateway.embedded.agents.script import load_script, parse_script
from gateway.embedded.agents.states import Script

TOOLS = SessionStarted(("transfer_call", "hang_up"))
PLEASE_HOLD = Say("Please hold while I connect you to an operator.")
GOODBYE: list[AgentStep] = [Say("Thank you for calling. Goodbye."), CallTool("hang_up")]


@pytest.fixture(scope="module")
def script() -> Script:
    return load_script("demo")


@pytest.fixture
def agent(script: Script) -> ScriptAgent:
    agent = ScriptAgent(script)
    tell(agent, TOOLS)
    said = tell(agent, ResponseRequested())
    assert [s.text[:20] for s in said if isinstance(s, Say)] == [
        "Thank you for callin",
        "For sales, press 1 o",
    ]
    assert agent.state == "main"
    return agent


def tell(agent: ScriptAgent, *events: AgentEvent) -> list[AgentStep]:
    steps: list[AgentStep] = []
    for event in events:
        steps = agent.handle(event, now=0.0)
    return steps


def press(agent: ScriptAgent, keys: str, now: float = 0.0) -> list[AgentStep]:
    steps: list[AgentStep] = []
    for key in keys:
        steps = agent.handle(KeyPressed(key), now)
    return steps


@pytest.mark.parametrize(
    ("key", "words", "state"),
    [
        ("1", "sales", "sales"),
        ("2", "I need technical support!", "support"),
        ("3", "When are you open?", "main"),
        ("0", "um, an agent please", "operator"),
        ("9", "good bye", "goodbye"),
        ("*", "say that again", "main"),
    ],
)
def test_a_key_and_its_words_lead_to_the_same_state(
    script: Script, key: str, words: str, state: str
) -> None:
    by_key, by_voice = ScriptAgent(script), ScriptAgent(script)
    tell(by_key, ResponseRequested())
    tell(by_voice, ResponseRequested())
    assert press(by_key, key) == tell(by_voice, TurnEnded(words))
    assert by_key.state == by_voice.state == state


def test_the_whole_demo_can_be_walked(agent: ScriptAgent, script: Script) -> None:
    assert press(agent, "1")[0] == Say(script.states["sales"].say)
    assert press(agent, "*") == [Say(script.states["main"].say)]
    assert len(press(agent, "3")) == 2  # the opening hours, and the menu again
    assert press(agent, "2") == [Say(script.states["support"].say)]
    entered = press(agent, "123456#")
    assert isinstance(entered[0], Say)
    assert entered[0].text.startswith("You entered 1 2 3 4 5 6. If")
    tell(agent, TurnEnded("no"))
    assert agent.state == "support"
    press(agent, "9876#")
    assert tell(agent, TurnEnded("yes please"))[0] == Say(script.states["ticket"].say)
    assert press(agent, "0") == [PLEASE_HOLD, CallTool("transfer_call", {"target": "operator"})]
    sorry = tell(agent, ToolReturned("transfer_call", '{"error": "busy"}'))
    assert sorry[0] == Say(script.states["no_operator"].say)
    assert press(agent, "9") == GOODBYE
    assert tell(agent, ToolReturned("hang_up", '{"ok": true}')) == []
    assert tell(agent, TurnEnded("hello"), ResponseRequested()) == []


def test_the_grammar_is_what_may_be_said_now(agent: ScriptAgent) -> None:
    grammars = []
    for keys in ("", "1", "0"):
        press(agent, keys)
        grammars.append(agent.grammar)
    main, sales, operator = grammars
    assert main is not None
    assert {"sales", "opening hours"} <= set(main.phrases)
    assert sales is not None
    assert "yes please" in sales.phrases
    assert operator is None


def test_digits_end_by_themselves_at_the_most_there_can_be(agent: ScriptAgent) -> None:
    press(agent, "2")
    press(agent, "12345678")
    assert agent.state == "account"


def test_digits_end_after_a_pause(agent: ScriptAgent) -> None:
    press(agent, "2")
    deadlines = [agent.deadline]
    press(agent, "1234", now=10.0)
    deadlines.append(agent.deadline)
    assert agent.wake(13.9) == []
    assert isinstance(agent.wake(14.0)[0], Say)
    assert agent.state == "account"
    assert [*deadlines, agent.deadline] == [None, 14.0, None]


def test_too_few_digits_are_asked_for_again(agent: ScriptAgent) -> None:
    press(agent, "2")
    assert press(agent, "12#")[0] == Say("An account number has four to eight digits.")
    press(agent, "5678#")
    assert agent.state == "account"


def test_a_noise_between_two_keys_loses_no_digit(agent: ScriptAgent) -> None:
    press(agent, "2")
    press(agent, "12")
    assert tell(agent, TurnEnded("")) == []
    press(agent, "34#")
    assert agent.state == "account"


def test_who_is_not_understood_three_times_in_a_row_gets_an_operator(agent: ScriptAgent) -> None:
    sorry = Say("Sorry, I did not get that.")
    assert tell(agent, TurnEnded(""))[0] == sorry
    assert press(agent, "7")[0] == sorry
    assert tell(agent, TurnEnded("gibberish"))[0] == PLEASE_HOLD
    assert agent.state == "operator"


def test_being_understood_once_forgives_what_was_not(agent: ScriptAgent) -> None:
    tell(agent, TurnEnded(""), TurnEnded(""))
    press(agent, "*")
    tell(agent, TurnEnded(""), TurnEnded(""))
    assert agent.state == "main"


def test_silence_ends_in_a_goodbye(agent: ScriptAgent) -> None:
    assert tell(agent, Idle()) == [Say("Are you still there?")]
    assert tell(agent, Idle()) == [Say("Are you still there?")]
    assert tell(agent, Idle()) == GOODBYE


def test_a_goodbye_cannot_be_interrupted(agent: ScriptAgent) -> None:
    assert agent.barge_in
    press(agent, "9")
    assert not agent.barge_in


def test_a_key_or_a_word_starts_the_silences_afresh(agent: ScriptAgent) -> None:
    tell(agent, Idle(), Idle(), KeyPressed("*"), Idle(), Idle(), TurnEnded("mumble"), Idle())
    assert tell(agent, Idle()) == [Say("Are you still there?")]


def test_a_tool_the_session_lacks_is_taken_for_failed(script: Script) -> None:
    agent = ScriptAgent(script)
    tell(agent, SessionStarted(()), ResponseRequested())
    steps = press(agent, "0")
    assert steps[0] == PLEASE_HOLD
    assert agent.state == "main"
    assert not any(isinstance(step, CallTool) for step in steps)


def test_an_interrupted_call_is_made_again(agent: ScriptAgent) -> None:
    press(agent, "0")
    assert tell(agent, TurnEnded("hello")) == []  # the tool's answer is awaited
    assert tell(agent, Interrupted(), TurnEnded("hello"))[0] == PLEASE_HOLD


def test_a_request_out_of_the_blue_repeats_the_question(agent: ScriptAgent) -> None:
    assert tell(agent, ResponseRequested()) == tell(agent, KeyPressed("*"))


def test_quoted_instructions_are_spoken_word_for_word(agent: ScriptAgent) -> None:
    asked = ResponseRequested('Say exactly: "Please hold the line."')
    assert tell(agent, asked) == [Say("Please hold the line.")]
    remark = ResponseRequested('The caller pressed "5".')
    assert tell(agent, remark) == tell(agent, ResponseRequested())
    assert agent.state == "main"


def test_whatever_comes_first_is_met_with_the_greeting(script: Script) -> None:
    for event in (TurnEnded("sales"), KeyPressed("1"), Idle()):
        assert tell(ScriptAgent(script), event)[0] == Say("Thank you for calling Northwind.")


def test_tool_arguments_carry_the_digits_unspaced() -> None:
    agent = ScriptAgent(
        parse_script(
            'name = "x"\nstart = "a"\n[states.a]\nsay = "Number?"\n'
            'collect = { as = "n", then = "b" }\n'
            '[states.b]\nsay = "{n}."\ncall = "look_up"\nargs = { n = "{n}" }\nok = "a"\n'
        )
    )
    tell(agent, ResponseRequested())
    assert press(agent, "12#") == [Say("1 2."), CallTool("look_up", {"n": "12"})]
    assert tell(agent, ToolReturned("look_up", "found")) == [Say("Number?")]


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("[DTMF 5]", KeyPressed("5")),
        (" [dtmf a] ", KeyPressed("A")),
        ("[DTMF #]", KeyPressed("#")),
        ("[DTMF 12]", Remark("DTMF 12")),
        ("sales", TurnEnded("sales")),
    ],
)
def test_a_key_told_as_text_is_a_key(text: str, event: AgentEvent) -> None:
    assert read_user_text(text) == event


def test_the_echo_plays_each_turn_back_and_nothing_else() -> None:
    agent = EchoAgent()
    assert agent.handle(TurnEnded("anything"), now=0.0) == [PlayTurn()]
    assert agent.handle(ResponseRequested(), now=0.0) == []
    assert agent.wake(0.0) == []


# Going on in a new session


@pytest.fixture
def newcomer(script: Script) -> ScriptAgent:
    agent = ScriptAgent(script)
    tell(agent, TOOLS)
    return agent


@pytest.mark.parametrize(
    ("heard", "state"),
    [
        ("Thank you for calling Northwind. For sales, press 1 or say sales. For", "main"),
        ("Thank you for calling Northwind.", "main"),
        ("You have reached sales. All garden", "sales"),
        ("Please enter your account number, followed by", "support"),
    ],
)
def test_it_stands_where_the_caller_last_heard_it(
    newcomer: ScriptAgent, heard: str, state: str
) -> None:
    assert tell(newcomer, Recalled(heard)) == []
    assert newcomer.state == state


def test_a_conversation_told_again_leads_where_it_led(newcomer: ScriptAgent) -> None:
    tell(
        newcomer,
        Recalled("Thank you for calling Northwind. For sales, press 1 or say sales."),
        KeyPressed("1"),
        Recalled("You have reached sales. All"),
    )
    assert newcomer.state == "sales"
    said = tell(newcomer, KeyPressed("*"))
    assert newcomer.state == "main"
    assert not any(isinstance(s, Say) and "Thank you for calling" in s.text for s in said)


def test_words_that_are_nobodys_move_it_nowhere(newcomer: ScriptAgent) -> None:
    tell(newcomer, Recalled("Good morning."), Recalled(""))
    assert newcomer.state == ""


def test_a_remark_is_no_turn_of_the_caller(agent: ScriptAgent) -> None:
    (said,) = tell(agent, Remark("The line was interrupted."))
    assert isinstance(said, Say)
    assert said.text.startswith("For sales, press 1")


def test_brackets_tell_a_remark_from_what_was_said() -> None:
    assert read_user_text(" [Go on.] ") == Remark("Go on.")
    assert read_user_text("[DTMF #]") == KeyPressed("#")
    assert read_user_text("[sic] sales") == TurnEnded("[sic] sales")
