"""A call as a PNG: whatever is in its record is drawn, and nothing of it is taken for more."""

import io
import struct
import zlib

import numpy as np
import pytest
from call_record import event, record_of, self_test_record
from matplotlib import image

from gateway.ops.call_picture import PictureTheme, draw
from gateway.ops.story import Envelope, tell, told_of

LOUD = [200 if number % 40 < 20 else 0 for number in range(500)]


def pixels(png: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.asarray(image.imread(io.BytesIO(png)), np.float32)


@pytest.mark.parametrize(("theme", "is_bright"), [("light", True), ("dark", False)])
def test_a_call_is_drawn_by_day_and_by_night(theme: PictureTheme, is_bright: bool) -> None:
    sound = Envelope(step=0.05, peaks=LOUD)
    story = tell(told_of(self_test_record()), {"caller": sound, "agent": sound})
    drawn = pixels(draw(story, theme))
    assert drawn.shape[1] == 1920
    assert bool(drawn[..., :3].mean() > 0.5) is is_bright


def test_a_loud_voice_takes_more_ink_than_a_silent_one() -> None:
    told = told_of(self_test_record())
    blue = np.array([0x2C, 0x5A, 0xA8]) / 255

    def ink(peaks: list[int]) -> int:
        drawn = pixels(draw(tell(told, {"caller": Envelope(step=0.05, peaks=peaks)})))
        return int((np.abs(drawn[..., :3] - blue).max(axis=2) < 0.2).sum())

    assert ink(LOUD) > ink([0] * 500) + 5000


def test_nothing_in_a_record_is_a_formula_or_breaks_the_picture() -> None:
    odd = "$\\frac{1}{0}$ <b>&\n\x07 漢字 \N{TELEPHONE RECEIVER} ' $"
    record = record_of(
        event(0, "call.started", trunk=odd),
        event(1, "menu.opened", "derived", name=odd * 20),
        event(2, "input_audio_buffer.dtmf_event_received", event=odd),
        caller=odd,
        called=odd * 50,
        reason=odd,
        codec=odd,
        transcript=[{"at": 1, "type": "message", "role": "user", "item_id": "i", "text": odd}],
    )
    assert draw(tell(told_of(record))).startswith(b"\x89PNG")


@pytest.mark.parametrize("duration", [0.0, 0.4, 59.0, 7200.0, 500_000.0])
def test_a_call_of_any_length_and_without_any_events_is_drawn(duration: float) -> None:
    assert len(draw(tell(told_of(record_of(duration=duration))))) > 5000


def test_the_picture_says_whose_it_is() -> None:
    png = draw(tell(told_of(record_of(call_id="abc123"))))
    assert "Call abc123" in texts(png)


def texts(png: bytes) -> str:
    """Return the texts that stand in a PNG beside the picture."""
    place, found = 8, ""
    while place < len(png):
        (length,) = struct.unpack_from("!I", png, place)
        kind, body = png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        if kind == b"tEXt":
            found += body.decode("latin-1")
        elif kind == b"iTXt" and body.split(b"\0")[1:2] == [b"\1"]:
            found += zlib.decompress(body.split(b"\0", 5)[-1]).decode()
        place += 12 + length
    return found


def test_how_well_the_caller_was_heard_is_drawn_as_far_as_it_is_known() -> None:
    green = np.array([0x18, 0x71, 0x3F]) / 255

    def drawn(*points: dict[str, object]) -> tuple[int, int]:
        image = pixels(draw(tell(told_of(record_of(media={"series": list(points)})))))
        close = np.abs(image[..., :3] - green).max(axis=2) < 0.1
        return image.shape[0], int(close.sum())

    point = {"at": 5.0, "codec": "PCMU", "loss_percent": 1.0, "jitter_ms": 4.0}
    known = point | {"mos": 4.1, "round_trip_ms": 30.0}
    bare, without = drawn()
    some, none = drawn(point | {"mos": None, "round_trip_ms": None})
    most, scored = drawn(known, known | {"at": 10.0, "mos": 2.0})
    assert bare < some < most
    assert without == none == 0
    assert scored > 500
