"""`voice-gateway check --graph`: the picture is written, or it is said why not."""

from pathlib import Path

import pytest

from gateway.cli import run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "gateway.toml"
    path.write_text('[[rules]]\non = "call.started"\ndo = { reject = 480 }\n')
    return str(path)


def test_the_picture_is_written_without_reaching_anybody(config: str, tmp_path: Path) -> None:
    picture = tmp_path / "flow.svg"
    assert run(["check", "-c", config, "--graph", str(picture)]) == 0
    assert picture.read_text().startswith("<svg ")


def test_for_a_picture_no_secret_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(
        '[http]\ntoken_env = "NOT_THERE"\n[realtime]\nprovider = "openai"\n'
        '[webhooks.crm]\nurl = "https://crm.example/"\nsecret_env = "NOT_THERE_EITHER"\n'
        '[[rules]]\non = "call.started"\ndo = { webhook = "crm" }\n'
    )
    assert run(["check", "-c", str(path)]) == 2, "to serve, they are"
    assert run(["check", "-c", str(path), "--graph", str(tmp_path / "flow.svg")]) == 0


def test_a_place_that_cannot_be_written_is_one_line(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["check", "-c", config, "--graph", "/no/such/folder/flow.svg"]) == 2
    errors = capsys.readouterr().err
    assert "/no/such/folder/flow.svg" in errors
    assert len(errors.strip().splitlines()) == 1


def test_the_picture_in_the_documents_is_what_the_command_draws(tmp_path: Path) -> None:
    line, picture = ROOT / "sip_configs" / "demo" / "gateway.toml", tmp_path / "flow.svg"
    assert run(["check", "-c", str(line), "--graph", str(picture)]) == 0
    assert (ROOT / "docs" / "flow.svg").read_text() == picture.read_text()
