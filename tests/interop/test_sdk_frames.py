"""Every frame that the embedded service sent in the tests so far, judged by the openai SDK's types.

`tests/conftest.py` has it run last.  The SDK reads loosely by design, so more is asked here: the
name is one that it knows, and no field stands beside those that it names.
"""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal, get_args

import pytest
from frame_tap import FOLDER, frames

from gateway.realtime.events import PREVIEW_ALIASES, SERVER_EVENTS

pytestmark = pytest.mark.interop

pydantic = pytest.importorskip("pydantic")
realtime = pytest.importorskip("openai.types.realtime", reason="the openai SDK is not installed")
beta = pytest.importorskip("openai.types.beta.realtime")

# The one event that only the preview had, so that the SDK has no other type for it.
PREVIEW_ONLY: Final = {"transcription_session.updated": beta.TranscriptionSessionUpdatedEvent}


def _by_name(union: Any) -> Iterator[tuple[str, Any]]:
    """Yield the models of a union of events, each by its name on the wire."""
    for model in get_args(get_args(union)[0]):
        yield get_args(model.model_fields["type"].annotation)[0], model


class TranscriptionSessionCreated(beta.TranscriptionSessionUpdatedEvent):  # type: ignore[name-defined,misc]
    """The preview's first event of a transcription session, which the SDK has no type for."""

    type: Literal["transcription_session.created"]


GA: Final = {**dict(_by_name(realtime.RealtimeServerEvent)), **PREVIEW_ONLY}
TYPES: Final = {
    "ga": GA,
    # what the preview did not have a type for is as it is in GA
    "preview": {
        **GA,
        **dict(_by_name(beta.realtime_server_event.RealtimeServerEvent)),
        "transcription_session.created": TranscriptionSessionCreated,
    },
}


class Name(pydantic.BaseModel):  # type: ignore[name-defined,misc]
    """Any event, as far as its name goes."""

    type: str


def fault_of(dialect: str, frame: bytes) -> tuple[str, str]:
    """Return the name of the event in a frame, and what is wrong with it, or nothing."""
    try:
        name = Name.model_validate_json(frame).type
    except pydantic.ValidationError:
        return "", "not an event"
    model = TYPES[dialect].get(name)
    if model is None:
        return name, "no such event"
    try:
        event = model.model_validate_json(frame)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        return name, f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return name, f"unknown: {', '.join(sorted(event.model_extra))}" if event.model_extra else ""


def kept() -> Iterator[tuple[str, bytes]]:
    return frames(Path(os.environ[FOLDER]))


def test_every_frame_sent_in_the_tests_fits_the_sdks_types() -> None:
    faults: Counter[tuple[str, str, str]] = Counter()
    example: dict[tuple[str, str, str], bytes] = {}
    count = 0
    for dialect, frame in kept():
        count += 1
        name, fault = fault_of(dialect, frame)
        if fault:
            key = (dialect, name, fault)
            faults[key] += 1
            example.setdefault(key, frame)
    told = [f"{n} times {key}: {example[key][:500]!r}" for key, n in faults.most_common()]
    assert not told, "\n".join(told)
    if not count:
        pytest.skip("no test that ran before this one had the embedded service speak")


def test_every_event_was_sent_for_a_reason_somewhere_in_the_tests(
    request: pytest.FixtureRequest,
) -> None:
    options = request.config.option
    is_whole = request.config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if not is_whole or options.keyword or options.markexpr:
        pytest.skip("only a part of the tests was run")
    seen = {Name.model_validate_json(frame).type for _, frame in kept()}
    assert not set(SERVER_EVENTS) - {PREVIEW_ALIASES.get(name, name) for name in seen}


@pytest.mark.parametrize(
    ("dialect", "frame", "fault"),
    [
        ("ga", b"{}", "not an event"),
        ("ga", b'{"type": "response.audio.done", "event_id": "e"}', "no such event"),
        ("ga", b'{"type": "input_audio_buffer.cleared"}', "event_id: Field required"),
        ("ga", b'{"type": "input_audio_buffer.cleared", "event_id": "e", "x": 1}', "unknown: x"),
        ("ga", b'{"type": "input_audio_buffer.cleared", "event_id": "e"}', ""),
        ("preview", b'{"type": "response.audio.done", "event_id": "e"}', "content_index"),
    ],
)
def test_a_frame_that_does_not_fit_is_found(dialect: str, frame: bytes, fault: str) -> None:
    found = fault_of(dialect, frame)[1]
    assert found.startswith(fault) if fault else not found
