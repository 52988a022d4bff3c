"""How the key detector keeps the rows of its batch apart, and what losses do to it."""

import numpy as np
from numpy.typing import NDArray
from voicecodecs.dtmf import FRAME, DtmfDetector, DtmfEdge
from voicecodecs.tones import dtmf_tone

SILENCE = np.zeros(FRAME, np.int16)


def frames(key: str, count: int) -> list[NDArray[np.int16]]:
    return list(dtmf_tone(key, count * 20).reshape(-1, FRAME))


def edge(found: list[DtmfEdge]) -> list[tuple[int, str, bool]]:
    return [(e.row, e.key, e.is_on) for e in found]


def test_rows_may_come_in_any_order_and_not_all_at_once() -> None:
    detector = DtmfDetector(6)
    found = []
    for five, nine in zip(frames("5", 6), frames("9", 6), strict=True):
        found += detector.process(np.stack([nine, five]), np.array([4, 1]))
    assert edge(found) == [(1, "5", True), (4, "9", True)] or edge(found) == [
        (4, "9", True),
        (1, "5", True),
    ]


def test_the_batch_makes_no_difference_to_a_row() -> None:
    rng = np.random.default_rng(1)
    stream = np.concatenate([dtmf_tone(key, 70) for key in "159D"])
    stream = np.concatenate([stream, np.zeros(-len(stream) % FRAME + 480, np.int16)])
    alone, crowd = DtmfDetector(1), DtmfDetector(50)
    for x in stream.reshape(-1, FRAME):
        others = rng.integers(-8000, 8000, (50, FRAME)).astype(np.int16)
        others[7] = x
        wanted = [(e.key, e.is_on, e.sample) for e in alone.process(x[None])]
        got = [(e.key, e.is_on, e.sample) for e in crowd.process(others) if e.row == 7]
        assert got == wanted


def test_suspicion_rises_before_the_key_is_known_and_falls_after_it() -> None:
    detector = DtmfDetector(2)
    suspected_at = known_at = None
    for i, x in enumerate(frames("3", 5)):
        found = detector.process(np.stack([SILENCE, x]))
        if detector.maybe[1] and suspected_at is None:
            suspected_at = i
        if found and known_at is None:
            known_at = i
    assert suspected_at is not None
    assert known_at is not None
    assert suspected_at < known_at <= 2
    assert detector.maybe.tolist() == [False, True]
    for _ in range(3):
        detector.process(np.stack([SILENCE, SILENCE]))
    assert detector.maybe.tolist() == [False, False]


def test_lost_frames_within_a_press_do_not_type_it_twice() -> None:
    rng = np.random.default_rng(2)
    lanes = 200
    tones = np.stack([dtmf_tone("159D"[i % 4], 160) for i in range(lanes)])
    detector, downs = DtmfDetector(lanes), np.zeros(lanes, int)
    for i in range(0, tones.shape[1], FRAME):
        lost = rng.random(lanes) < 0.1
        if i < 3 * FRAME:
            lost[:] = False
        for found in detector.process(tones[:, i : i + FRAME], None, lost):
            downs[found.row] += found.is_on
    assert downs.tolist() == [1] * lanes


def test_what_stands_in_for_a_lost_frame_is_not_analysed() -> None:
    detector = DtmfDetector(1)
    frozen = np.array([True])
    assert [e for x in frames("7", 10) for e in detector.process(x[None], None, frozen)] == []


def test_a_key_does_not_stay_down_for_ever_when_the_stream_is_lost() -> None:
    detector = DtmfDetector(1)
    found = [e for x in frames("7", 4) for e in detector.process(x[None])]
    assert edge(found) == [(0, "7", True)]
    found = []
    for _ in range(6):
        assert found == []
        found = detector.process(SILENCE[None], None, np.array([True]))
    assert edge(found) == [(0, "7", False)]


def test_a_row_that_is_reset_forgets_what_was_down() -> None:
    detector = DtmfDetector(2)
    for x in frames("7", 5):
        detector.process(np.stack([x, x]))
    detector.reset(1)
    assert detector.maybe.tolist() == [True, False]
    found = [e for _ in range(4) for e in detector.process(np.stack([SILENCE, SILENCE]))]
    assert edge(found) == [(0, "7", False)]
    found = [e for x in frames("8", 4) for e in detector.process(np.stack([SILENCE, x]))]
    assert edge(found) == [(1, "8", True)]
    assert found[0].sample < 80 + 4 * FRAME


def test_rows_that_stay_keep_their_press_when_the_batch_grows_or_shrinks() -> None:
    for lanes in (1, 5):
        detector = DtmfDetector(2)
        for x in frames("*", 5):
            detector.process(np.stack([x, x]))
        detector.resize(lanes)
        assert detector.lanes == lanes
        silence = np.zeros((lanes, FRAME), np.int16)
        found = [e for _ in range(4) for e in detector.process(silence)]
        assert edge(found) == [(row, "*", False) for row in range(min(lanes, 2))]
