"""The command line: exit codes, one-line complaints, JSON where it is promised."""

import json
from pathlib import Path

import pytest

from gateway.cli import run


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["bogus"], "Unknown command"),
        (["call"], "requires an argument"),
        (["call", "nobody"], "write sip:USER@HOST"),
        (["call", "sip:a@127.0.0.1", "--digits", "x@1"], "--digits"),
        (["call", "sip:a@127.0.0.1", "--play", "none.wav"], "is not a file"),
        (["call", "sip:a@127.0.0.1", "--seconds", "0"], "--seconds"),
        (["call", "sip:a@127.0.0.1", "--seconds", "nan"], "--seconds"),
        (["call", "sip:a@127.0.0.1", "--username", "ann"], "--password-env: is missing beside"),
        (["call", "sip:a@127.0.0.1", "--password-env", "P"], "--username: is missing beside"),
        (["call", "sip:a@127.0.0.1", "--username", "a", "--password-env", "NO_SUCH"], "NO_SUCH"),
        (["call", "sip:a@127.0.0.1", "--record", "/no/such/folder/a.wav"], "--record"),
        (["call", "sip:a@127.0.0.1;transport=ws"], "transport=ws"),
        (["call", "sips:a@127.0.0.1", "--transport", "udp"], "only reached over tls"),
        (["call", "sips:a@127.0.0.1", "--certificate", "none.pem"], "--certificate: none.pem"),
        (["call", "sips:a@127.0.0.1", "--authorities", "none.pem"], "--authorities: none.pem"),
        (["call", "sip:a@no-such-host.invalid"], "no way to"),
        (["demo", "--port", "99999"], "65535"),
        (["demo", "--http-port", "-1"], "0"),
        (["demo", "--log-level", "loud"], "loud"),
        (["serve", "--log-level", "loud"], "loud"),
        (["embedded", "--port", "99999"], "65535"),
        (["demo", "--port", "many"], "many"),
        (["serve", "-c", "none.toml"], "cannot be read"),
    ],
)
def test_bad_usage_is_one_line_and_exits_with_2(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    errors = capsys.readouterr().err
    assert told in errors
    assert "Traceback" not in errors
    assert len(errors.strip().splitlines()) == 1


def test_a_wrong_setting_is_named_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text("[media]\nportz = '1-2'\n")
    assert run(["check", "-c", str(path)]) == 2
    errors = capsys.readouterr().err
    assert f"{path}:2: media.portz" in errors
    assert "did you mean 'ports'?" in errors


def test_a_missing_key_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(
        "GATEWAY_CONFIG_BODY", '[realtime]\nprovider = "openai"\napi_key_env = "NO_SUCH_KEY"'
    )
    assert run(["check"]) == 2
    assert "NO_SUCH_KEY" in capsys.readouterr().err


def test_the_events_are_47(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["events", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 47
    assert all(row["transports"] and row["handler"] and row["default"] for row in rows)


def test_help_tells_of_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    text = capsys.readouterr().out
    for command in ("demo", "serve", "embedded", "call", "check", "events"):
        assert command in text


def test_a_prompt_that_is_not_there_is_named_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text('[prompts]\nb = "/no/such/b.wav"\n')
    assert run(["serve", "-c", str(path)]) == 2
    errors = capsys.readouterr().err
    assert f"{path}:2: prompts.b: /no/such/b.wav: not a readable sound file (No such file" in errors
    assert "name a sound file" in errors
