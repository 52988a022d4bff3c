"""What the benchmarks report, on packets made up so that the true figure is known."""

import math
from typing import Any

import numpy as np
import pytest
from rig import analysis
from rig.load import Measured

Packet = tuple[float, int, int]  # arrival (s), RTP timestamp, samples with sound
SECONDS = 6.0
TURNS = (1.003, 3.003)  # when the service sends a first delta


def call(sound: dict[int, int] | None = None, late: dict[int, float] | None = None) -> list[Packet]:
    """Return a packet every 20 ms: silent but for ``sound``, punctual but for ``late`` (s)."""
    sound, late = sound or {}, late or {}
    count = round(SECONDS / 0.020)
    return [(n * 0.020 + late.get(n, 0.0), 700 + n * 160, sound.get(n, 0)) for n in range(count)]


def note(what: str, at: float, **more: Any) -> dict[str, Any]:
    return {"what": what, "at": at, "call": 0, **more}


def measured(packets: list[Packet], *notes: dict[str, Any], beat: float = 0.010) -> Measured:
    """Return a run of one call, beside a metronome that beats ``beat`` after each packet."""
    starts = [note("first_delta", at) for at in TURNS]
    return Measured(
        calls=1,
        answered=1,
        seconds=SECONDS,
        cpu_us_per_call_second=0.0,
        memory_mb_per_call=0.0,
        packets={
            "call": np.zeros(len(packets), np.int32),
            "time": np.array([at for at, _, _ in packets]),
            "stamp": np.array([stamp for _, stamp, _ in packets], np.uint32),
            "sound": np.array([sound for _, _, sound in packets], np.int32),
        },
        notes=sorted([*starts, *notes], key=lambda n: float(n["at"])),
        beats=np.arange(len(packets)) * 0.020 + beat,
        trips=np.full(9, 0.001),
        reference_us=100.0,
    )


def passage(first: int, last: int) -> dict[int, int]:
    """Return packets full of sound, from the first to the last."""
    return dict.fromkeys(range(first, last + 1), 160)


@pytest.mark.parametrize("delay_ms", [0, 7, 100])
def test_a_late_packet_is_as_late_as_it_is(delay_ms: int) -> None:
    late = analysis.lateness_ms(measured(call(late={100: delay_ms / 1000})))
    assert np.max(late) == pytest.approx(delay_ms)
    assert np.count_nonzero(late > 0.001) == bool(delay_ms)


def test_packets_out_of_order_are_told_by_their_timestamps() -> None:
    packets = call(late={100: 0.030})
    assert np.max(analysis.lateness_ms(measured(packets[::-1]))) == pytest.approx(30)


def test_timestamps_that_begin_anew_in_mid_call_make_nothing_late() -> None:
    packets = [(at, (stamp - 20_000) % (1 << 32), sound) for at, stamp, sound in call()]
    assert packets[0][1] > packets[-1][1]
    assert np.max(analysis.lateness_ms(measured(packets))) == pytest.approx(0)


def test_a_clock_that_stalls_makes_all_that_follows_late() -> None:
    late = analysis.lateness_ms(measured(call(late=dict.fromkeys(range(120, 300), 0.1))))
    assert analysis.spread(late)["p99"] == pytest.approx(100)
    assert analysis.spread(late)["p50"] == pytest.approx(100)


def test_what_was_late_while_calls_came_in_is_told_apart_from_what_was_when_all_talked() -> None:
    run = measured(call(late={20: 0.03, 200: 0.007}))
    run.talking_from = 2.0
    assert np.max(analysis.lateness_ms(run, is_talking=True)) == pytest.approx(7)
    assert np.max(analysis.lateness_ms(run, is_talking=False)) == pytest.approx(30)
    assert len(analysis.lateness_ms(run, is_talking=False)) == 100


def test_the_metronomes_lateness_is_reckoned_alike_and_what_never_came_is_missed() -> None:
    run = measured(call())
    run.beats[40] += 0.009
    run.beats[41] = math.nan
    figures = analysis.spread(analysis.beat_lateness_ms(run))
    assert (figures["max"], figures["missed"]) == (pytest.approx(9), 1)


@pytest.mark.parametrize("more", [0, 5])
def test_first_audio_waits_for_the_first_packet_with_sound(more: int) -> None:
    run = measured(call(passage(51 + more, 90)))
    assert analysis.first_audio_ms(run) == pytest.approx([17 + 20 * more])


def test_a_response_that_is_never_heard_is_missed_and_not_left_out() -> None:
    figures = analysis.spread(analysis.first_audio_ms(measured(call())))
    assert (figures["n"], figures["missed"]) == (0, 1)


@pytest.mark.parametrize(
    ("last", "old", "silence"),
    [(99, 0, 15), (100, 15, 35), (105, 115, 135)],
)
def test_barge_in_counts_every_packet_of_old_speech(last: int, old: int, silence: int) -> None:
    run = measured(call(passage(51, last)), note("speech_started", 1.985))
    assert analysis.barge_in_ms(run) == pytest.approx([old])
    assert analysis.silence_ms(run) == pytest.approx([silence])


def test_speech_that_never_stops_is_seen() -> None:
    run = measured(call(passage(51, 299)), note("speech_started", 1.985))
    assert analysis.barge_in_ms(run)[0] > 1000
    assert np.isnan(analysis.silence_ms(run)).all()


@pytest.mark.parametrize("off_ms", [0, 100, -100])
def test_a_claim_that_is_off_is_off_by_as_much(off_ms: int) -> None:
    heard_ms = 49 * 20
    claim = note("truncate", 2.0, item="item_0", ms=heard_ms + off_ms)
    run = measured(call(passage(51, 99)), note("speech_started", 1.985), claim)
    assert analysis.truncation_ms(run) == pytest.approx([off_ms])


def test_a_truncation_that_is_never_claimed_is_missed() -> None:
    run = measured(call(passage(51, 99)), note("speech_started", 1.985))
    assert analysis.spread(analysis.truncation_ms(run))["missed"] == 1


def test_the_bare_clocks_claim_errs_by_what_it_does_not_know() -> None:
    run = measured(call(passage(51, 99)), note("speech_started", 1.985))
    assert analysis.clock_truncation_ms(run) == pytest.approx([1985 - 1020 - 980])


def test_the_reference_is_the_metronomes_next_datagram() -> None:
    run = measured(call(), note("speech_started", 1.985))
    assert analysis.next_beat_ms(run, "speech_started") == pytest.approx([5])
    assert analysis.next_beat_ms(run, "first_delta") == pytest.approx([7, 7])


@pytest.mark.parametrize("name", ["p50", "p99"])
def test_the_ratio_is_that_of_what_stands_beside(name: str) -> None:
    figures = analysis.beside(np.full(9, 4.0), np.full(9, 2.0))
    found = [figures[f"{kind}{name}"] for kind in ("", "reference_", "ratio_")]
    assert found == [4.0, 2.0, 2.0]
    assert analysis.beside(np.ones(2), np.zeros(2))[f"ratio_{name}"] is None


def test_responses_outside_of_a_call_count_for_nothing() -> None:
    before = measured(call(passage(51, 90)))
    before.packets["time"] += 2.0  # the caller began to listen after the response
    after = measured(call(passage(51, 90))[:100])  # and hung up before the next one
    assert not len(analysis.first_audio_ms(before))
    assert not len(analysis.first_audio_ms(after))
