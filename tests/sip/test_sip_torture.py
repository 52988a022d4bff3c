"""The torture messages of RFC 4475 get the verdicts the RFC gives them; so do our own."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from gateway.sip.wire.message import MessageError, Request, Response, parse, response_to
from gateway.testing.torture import BROKEN, ODD_BUT_RIGHT

SHARED = Path(__file__).parents[2].parent / "shared" / "sip"
TORTURE = SHARED / "torture"
VERDICTS: dict[str, Any] = (
    json.loads((TORTURE / "expected.json").read_text())
    if (TORTURE / "expected.json").exists()
    else {}
)
CAPTURES = sorted(SHARED.glob("captures/*.sip"))


@pytest.mark.skipif(not VERDICTS, reason="the RFC's messages are not beside this tree")
@pytest.mark.parametrize("name", sorted(VERDICTS))
def test_every_torture_message_gets_its_verdict(name: str) -> None:
    data = (TORTURE / f"{name}.dat").read_bytes()
    verdict = VERDICTS[name]
    kind = Request if verdict["kind"] == "request" else Response
    if verdict["parse"] != "invalid" or "accept" in verdict["uas"]:
        message = parse(data)
        assert isinstance(message, kind)
        again = parse(bytes(message))
        assert (again.headers.get_all("via"), again.body) == (
            message.headers.get_all("via"),
            message.body,
        )
        return
    with pytest.raises(MessageError) as caught:
        parse(data)
    wanted = re.match(r"\d+", verdict["uas"])
    assert caught.value.status == (int(wanted.group()) if wanted else 0)
    if wanted:
        assert caught.value.answerable is not None
        answer = response_to(caught.value.answerable, caught.value.status)
        assert bytes(answer).startswith(b"SIP/2.0 4" if caught.value.status < 500 else b"SIP/2.0 5")
        assert answer.headers.get("Via")


@pytest.mark.skipif(not CAPTURES, reason="the captured requests are not beside this tree")
@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_the_first_request_of_a_real_client_is_read_to_the_letter(path: Path) -> None:
    data = path.read_bytes()
    request = parse(data)
    assert isinstance(request, Request)
    assert request.contacts[0].uri.host in ("127.0.0.1", "[fd00::2]")
    assert request.from_.tag is not None
    padded = re.compile(rb"Content-Length: *\d+\r\n")
    assert sorted(padded.sub(b"", bytes(request)).split(b"\r\n")) == sorted(
        padded.sub(b"", data).split(b"\r\n")
    )


@pytest.mark.parametrize("name", ODD_BUT_RIGHT)
def test_an_odd_message_is_understood(name: str) -> None:
    data, path, wanted = ODD_BUT_RIGHT[name]
    value: Any = parse(data)
    for step in re.findall(r"\w+", path):
        value = value[int(step)] if step.isdigit() else getattr(value, step)
    assert value == wanted


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_message_is_refused_and_can_be_answered(name: str) -> None:
    with pytest.raises(MessageError) as caught:
        parse(BROKEN[name])
    assert caught.value.status == 400
    assert caught.value.answerable is not None
