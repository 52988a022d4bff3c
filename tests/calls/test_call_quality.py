"""How well a caller is received is noted every five seconds, within bounds."""

import asyncio
from itertools import pairwise

from gateway.calls.quality import Quality, QualityWatch
from gateway.media.stats import LaneStats
from gateway.testing.virtual_time import run


class Line:
    """A lane on which 250 packets come in five seconds, or are lost."""

    def __init__(self) -> None:
        self.now = LaneStats(codec="PCMU", jitter=0.004)
        self.looks = 0

    def go_on(self, *, lost: int = 0) -> None:
        self.now.packets_received += 250 - lost
        self.now.lost += lost

    def stats(self) -> LaneStats:
        self.looks += 1
        return self.now


def test_each_point_is_of_its_own_seconds() -> None:
    line, quality = Line(), Quality()
    line.go_on()
    quality.note(5.0, line.now)
    line.go_on(lost=25)
    line.now.round_trip, line.now.codec = 0.08, "opus"
    quality.note(10.0, line.now)
    quality.note(15.0, line.now)  # on hold: nothing came
    line.go_on()
    quality.note(20.0, line.now)
    good, bad, held, again = quality.as_list()
    assert good == {
        "at": 5.0,
        "codec": "PCMU",
        "loss_percent": 0.0,
        "jitter_ms": 4.0,
        "mos": 4.41,
        "round_trip_ms": None,
    }
    assert (bad["at"], bad["codec"], bad["loss_percent"], bad["round_trip_ms"]) == (
        10.0, "opus", 10.0, 80.0,
    )  # fmt: skip
    assert bad["mos"] < 3.5
    assert (held["loss_percent"], held["mos"]) == (0.0, None)
    assert again["mos"] > 4.3, "what was lost before is forgiven"


def test_a_day_is_told_in_few_points_that_hide_nothing_bad() -> None:
    line, quality = Line(), Quality()
    looks = 24 * 3600 // 5
    for number in range(1, looks + 1):
        line.go_on(lost=50 if number == 7000 else 0)
        quality.note(5.0 * number, line.now)
    points = quality.as_list()
    assert 250 <= len(points) == len(quality) <= 500
    assert points[-1]["at"] == 24 * 3600
    assert [point["loss_percent"] for point in points if point["loss_percent"]] == [20.0]
    gaps = {round(one["at"] - before["at"]) for before, one in pairwise(points)}
    assert max(gaps) == 5 * 64
    assert len(gaps) <= 2, "every point but the last stands for as long"


def test_a_call_is_looked_at_every_five_seconds_and_at_its_end() -> None:
    async def last(seconds: float) -> tuple[list[float], int]:
        line = Line()
        watch = QualityWatch(line.stats)
        await asyncio.sleep(3)
        watch.start()
        await asyncio.sleep(seconds)
        watch.stop()
        await asyncio.sleep(60)
        watch.stop()
        return [point["at"] for point in watch.quality.as_list()], line.looks

    assert run(last(17.0)) == ([5, 10, 15, 17], 4)
    assert run(last(15.5)) == ([5, 10, 15], 3)
    assert run(last(0.5)) == ([], 0)


def test_a_call_without_a_lane_has_no_points() -> None:
    async def last() -> int:
        watch = QualityWatch(lambda: None)
        watch.start()
        await asyncio.sleep(60)
        watch.stop()
        return len(watch.quality)

    assert run(last()) == 0
