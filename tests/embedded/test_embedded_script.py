import re

import pytest

from gateway.embedded.agents.script import load_script, parse_script
from gateway.errors import ConfigError

GOOD = """
name = "small"
start = "main"

[idle]
say = "Hello?"
then = "bye"

[no_match]
say = "Pardon?"
then = "bye"

[states.main]
say = "Say yes, or press 1."
dtmf = { "1" = "number", "*" = "repeat" }

[states.main.intents]
number = ["yes", "yes please"]

[states.number]
say = "Your number?"
collect = { as = "account", then = "check", digits = { min = 2, max = 4 } }

[states.check]
call = "look_up"
args = { number = "{account}" }
ok = "main"
error = "bye"

[states.bye]
say = "Bye, {account}."
call = "hang_up"
"""


def problem_with(old: str, new: str, **checks: object) -> str:
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    with pytest.raises(ConfigError) as caught:
        parse_script(text, "small.toml", **checks)  # type: ignore[arg-type]
    return str(caught.value)


def line_with(text: str, part: str) -> int:
    return next(n for n, line in enumerate(text.splitlines(), 1) if part in line)


def test_a_good_script_is_read_whole() -> None:
    script = parse_script(GOOD)
    assert list(script.states) == ["main", "number", "check", "bye"]
    assert script.states["number"].collect is not None
    assert script.prompts()[0] == "Say yes, or press 1."


def test_the_shipped_demo_passes_its_own_checks() -> None:
    assert load_script("demo").start == "welcome"


@pytest.mark.parametrize(
    ("old", "new", "marker", "says"),
    [
        ('"1" = "number"', '"1" = "numbr"', '"1"', 'no state "numbr"; did you mean "number"?'),
        ('then = "bye"', 'then = "zzz"', '"zzz"', "add a table [states.zzz]"),
        ('start = "main"', 'start = "man"', "start", 'did you mean "main"?'),
        ('"*" = "repeat"', '"%" = "repeat"', '"%"', "is no key; use 0-9 * # A-D"),
        ('ok = "main"', 'ok = "main"\nthen = "main"', "[states.check]", "keep one of them"),
        ('call = "hang_up"', "barge_in = true", "[states.bye]", "leads nowhere"),
        (
            "[states.bye]",
            '[states.x]\ncall = "y"\n[states.bye]',
            "[states.x]",
            "no state leads here",
        ),
        ("min = 2", "min = 5", "collect", "needs 1 <= min <= max"),
        ("max = 4", 'max = 4, end = "12"', "collect", "is no key; use # or *"),
        ('"yes please"', '"Yes!"', "number = [", "lower-case words"),
        ('"yes please"]', '"si"]\nbye = ["yes"]', "bye = [", '"yes" also means number'),
        ('["yes", "yes please"]', "[]", "number = [", "give at least one"),
        ("Bye, {account}.", "Bye, {acount}.", "{acount}", 'nothing collects "{acount}"'),
        ("Bye, {account}.", "Bye, {account.", "{account.", "for braces"),
        ('say = "Bye', 'sai = "x"\nsay = "Bye', "sai =", "remove it"),
        ('say = "Your number?"', "say = 5", "say = 5", "Expected `str`, got `int`"),
        ('say = "Hello?"', 'say = "Hello?"\ntimeout_ms = 10', "timeout_ms", "from 5000 to 30000"),
        ('args = { number = "{account}" }', "args = { number = 5 }", "args", "Expected `str`"),
        ('name = "small"', "name = small", "name", "mend the TOML"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_remedy(
    old: str, new: str, marker: str, says: str
) -> None:
    problem = problem_with(old, new)
    assert says in problem
    assert "\n" not in problem
    found = re.search(r"small\.toml:(\d+):|\(at line (\d+)", problem)
    assert found
    expected = line_with(GOOD.replace(old, new, 1), marker)
    assert int(found[1] or found[2]) == expected


def test_states_that_only_go_on_must_not_go_round_for_ever() -> None:
    loop = '[states.a]\nsay = "A"\nthen = "b"\n[states.b]\nsay = "B"\nthen = "a"\n'
    with pytest.raises(ConfigError, match=r"goes round for ever"):
        parse_script('name = "x"\nstart = "a"\n' + loop)


def test_a_word_the_recogniser_does_not_know_is_refused() -> None:
    problem = problem_with('"yes please"', '"yes pleese"', knows=lambda word: word != "pleese")
    assert '"pleese" is not in the recogniser\'s dictionary' in problem


def test_a_key_that_is_being_collected_cannot_be_a_choice_too() -> None:
    problem = problem_with("collect = {", 'dtmf = { "5" = "bye" }\ncollect = {')
    assert '"5" is collected here; remove it from dtmf' in problem


def test_a_script_without_states_says_what_to_add() -> None:
    with pytest.raises(ConfigError, match=r"add a table \[states.NAME\]"):
        parse_script('name = "x"\nstart = "a"')


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ConfigError, match=r"nowhere.toml: cannot be read"):
        load_script("/nowhere.toml")
