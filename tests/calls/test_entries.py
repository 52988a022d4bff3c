"""Python functions as tools: found at the start, called within bounds, never a danger."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import structlog

from gateway.calls.delivery import Answer
from gateway.calls.entries import Entry, load_entries
from gateway.cli import run as run_command
from gateway.config import Settings, load
from gateway.errors import ConfigError
from gateway.testing.virtual_time import run
from tests.calls import own_functions

HERE = "tests.calls.own_functions"
CALL = {"id": "1", "caller": "sip:ann@example.com"}


def parameters(*names: str, required: bool = True) -> dict[str, Any]:
    properties = {name: {"type": "string"} for name in names}
    return {"type": "object", "properties": properties, "required": list(names) if required else []}


def entry(function: str, *names: str) -> Entry:
    """Return a function of ours, loaded as a gateway does that starts."""
    tool = {"description": "x", "entry": f"{HERE}:{function}", "parameters": parameters(*names)}
    return load_entries(Settings.model_validate({"tools": {"mine": tool}}))["mine"]


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as told:
        load_entries(load(env={"GATEWAY_CONFIG_BODY": text}))
    assert "\n" not in str(told.value)
    return str(told.value)


async def test_a_function_runs_beside_the_event_loop() -> None:
    answer = await entry("weather", "town").run({"town": "Rome"}, CALL, 5.0)
    assert answer == Answer(200, b'{"town":"Rome","sky":"blue","unit":"C"}')
    assert own_functions.THREADS.pop() == "entry"


def test_an_async_function_gets_the_call_where_it_asks_for_it() -> None:
    answer = run(entry("order", "number").run({"number": "4711"}, CALL, 5.0))
    assert json.loads(answer.body) == "4711 of sip:ann@example.com"


def test_the_model_cannot_say_which_call_it_is() -> None:
    forged = {"number": "4711", "call": {"caller": "sip:boss@example.com"}}
    answer = run(entry("order", "number").run(forged, CALL, 5.0))
    assert json.loads(answer.body) == "4711 of sip:ann@example.com"


def test_a_function_may_stand_in_a_class() -> None:
    answer = asyncio.run(entry("Shop.hours").run({}, CALL, 5.0))
    assert answer == Answer(200, b'"9 to 5"')


async def test_a_function_that_returns_nothing_says_so() -> None:
    assert await entry("nothing").run({}, CALL, 5.0) == Answer(200, b"null")


def test_an_async_function_is_given_up_in_time() -> None:
    async def scene() -> tuple[Answer, float]:
        answer = await entry("patient", "seconds").run({"seconds": 60}, CALL, 5.0)
        return answer, asyncio.get_running_loop().time()

    assert run(scene()) == (Answer(problem="it took too long"), 5.0)


@pytest.mark.parametrize(
    "function",
    [
        "raises",
        "leaves",
        "leaves_the_loop",
        "cancels_itself",
        "times_out_by_itself",
        "stops_an_iteration",
    ],
)
async def test_a_function_that_fails_is_a_problem_and_no_more(function: str) -> None:
    assert await entry(function).run({}, CALL, 5.0) == Answer(problem="it failed")


async def test_why_it_failed_is_in_the_log_without_a_traceback() -> None:
    with structlog.testing.capture_logs() as lines:
        await entry("raises").run({}, CALL, 5.0)
    assert lines == [
        {
            "event": "a tool failed",
            "log_level": "warning",
            "tool": "mine",
            "error": "LookupError",
            "told": "no such customer: 4711",
        }
    ]


@pytest.mark.parametrize("function", ["is_no_json", "turns_in_circles"])
async def test_what_is_no_json_is_a_problem(function: str) -> None:
    answer = await entry(function).run({}, CALL, 5.0)
    assert answer == Answer(problem="what it returned is not JSON")


async def test_what_is_too_long_is_a_problem() -> None:
    answer = await entry("writes_much").run({}, CALL, 5.0)
    assert answer.problem == "what it returned is longer than 65536 bytes"
    assert not answer.body


async def test_arguments_that_do_not_fit_are_explained_to_the_model() -> None:
    answer = await entry("weather", "town").run({"town": "Rome", "sea": "blue"}, CALL, 5.0)
    assert answer.problem == "the arguments do not fit: got an unexpected keyword argument 'sea'"


@pytest.mark.parametrize(
    ("function", "offered", "required", "said"),
    [
        ("no_such", "", "", f"{HERE} has no no_such; name a function that it has"),
        ("Shop.no_such", "", "", f"{HERE} has no Shop.no_such"),
        ("NUMBER", "", "", "is no function; name one"),
        ("weather", "town = {}, sea = {}", "'town'", "takes no 'sea'"),
        ("weather", "town = {}", "", "needs 'town', which parameters does not require"),
        ("by_position", "town = {}", "'town'", "by its position alone"),
        ("order", "number = {}, call = {}", "'number'", "'call' is the call itself"),
    ],
)
def test_a_function_that_cannot_be_called_is_refused_with_its_line(
    function: str, offered: str, required: str, said: str
) -> None:
    message = refusal(
        f'[tools.mine]\ndescription = "x"\nentry = "{HERE}:{function}"\n[tools.mine.parameters]\n'
        f'type = "object"\nproperties = {{ {offered} }}\nrequired = [{required}]\n'
    )
    assert message.startswith("GATEWAY_CONFIG_BODY:3: tools.mine.entry: ")
    assert said in message


def test_a_function_that_takes_anything_fits_any_schema() -> None:
    assert entry("anything", "town", "call")


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("x = 1/0", "cannot be imported: ZeroDivisionError: division by zero"),
        ("import sys; sys.exit('no licence')", "cannot be imported: SystemExit: no licence"),
        ("import no_such_thing", "cannot be imported: No module named 'no_such_thing'"),
        ("def f(:", "cannot be imported: SyntaxError"),
        (None, "cannot be imported: No module named 'shop_functions'"),
    ],
)
def test_a_module_that_cannot_be_imported_is_refused_with_a_remedy(
    module: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if module is not None:
        (tmp_path / "shop_functions.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    message = refusal('[tools.mine]\ndescription = "x"\nentry = "shop_functions:f"')
    assert message.startswith("GATEWAY_CONFIG_BODY:3: tools.mine.entry: shop_functions ")
    assert said in message
    assert "PYTHONPATH" in message


def test_the_check_finds_a_function_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(f'[tools.mine]\ndescription = "x"\nentry = "{HERE}:no_such"\n')
    assert run_command(["check", "-c", str(path), "--graph", str(tmp_path / "flow.svg")]) == 2
    assert f"{path}:3: tools.mine.entry: " in capsys.readouterr().err


async def test_nobody_waits_for_a_function_whose_errand_is_cancelled() -> None:
    own_functions.HELD.clear()
    own_functions.AT_ONCE.clear()
    try:
        task = asyncio.create_task(entry("held").run({}, CALL, 30.0))
        while not own_functions.AT_ONCE:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    finally:
        own_functions.HELD.set()
