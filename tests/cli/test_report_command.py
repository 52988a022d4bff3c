"""`voice-gateway report`: a call of a file as a picture, and what is said where that cannot be."""

import json
from pathlib import Path

import pytest

from gateway.cli import run

RECORD = Path(__file__).parents[1] / "ops" / "data" / "call.json"


def test_a_record_is_drawn_with_the_recording_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "call.png"
    assert run(["report", str(RECORD), "-o", str(picture), "--theme", "dark", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "picture": str(picture),
        "call_id": "8de55647e02fd840",
        "bytes": picture.stat().st_size,
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "Expecting property name"),
        (b'{"call_id": 3}', "Expected `str`"),
        (b"[]", "name a call's record"),
        (b'{"call_id": "c", "duration": 1e300}', "its times are no call's"),
        (b"\xff\xfe", "name a call's record"),
    ],
)
def test_what_is_no_record_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, words: str
) -> None:
    path = tmp_path / "call.json"
    path.write_bytes(content)
    assert run(["report", str(path), "-o", str(tmp_path / "call.png")]) == 2
    error = capsys.readouterr().err
    assert str(path) in error.replace("\n", "")
    assert " ".join(words.split()) in " ".join(error.split())
    assert not (tmp_path / "call.png").exists()


def test_a_picture_that_cannot_be_written_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", str(RECORD), "-o", str(tmp_path / "none" / "call.png")]) == 2
    assert "name another file" in capsys.readouterr().err
