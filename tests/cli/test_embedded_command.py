"""`voice-gateway embedded` refuses what cannot be, before it listens."""

import pytest

from gateway.cli import run

SECRET = "whsec_c2VjcmV0IG9mIGEgdGVzdA=="


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--key-env", "NO_SUCH_NAME"], "NO_SUCH_NAME is not set"),
        (["--sip", "udp:127.0.0.1:0", "--webhook-secret-env", "NO_SUCH_NAME"], "NO_SUCH_NAME"),
        (["--engine", "oracle"], "oracle"),
        (["--engine", "echo", "--script", "a.toml"], "not both"),
        (["--sip", "carrier-pigeon:here"], "carrier-pigeon"),
        (["--session-seconds", "0"], "session-seconds"),
        (["--tokens-per-minute", "none"], "tokens-per-minute"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    options: list[str],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OPENAI_WEBHOOK_SECRET", SECRET)
    assert run(["embedded", "--port", "0", *options]) == 2
    complaint = capsys.readouterr().err
    assert told in complaint
    assert SECRET not in complaint


def test_a_secret_that_is_no_base64_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_WEBHOOK_SECRET", "whsec_!!!secret!!!")
    assert run(["embedded", "--port", "0", "--sip", "udp:127.0.0.1:0"]) == 2
    complaint = capsys.readouterr().err
    assert "webhook secret" in complaint
    assert "!!!" not in complaint
