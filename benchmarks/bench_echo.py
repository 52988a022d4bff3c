"""How often the agent's own echo interrupts it, and what the echo guard costs those who do.

Calls in virtual time, the same for every guard; the reference is ``off`` in the same run.  First
callers who say nothing: the voices that were heard though nobody spoke, for each minute of the
agent's speech, by our own two detectors and by the embedded service's, which hears what is
forwarded.  Then callers who talk over the agent: how many were not heard in time, how much later
than without any agent and guard (milliseconds, p50/p90), and how purely their words were
forwarded.  Who is taken to be speaking already, for an echo, was not heard: the agent is cut too
early then.  At last what all of it costs in the tick of 100 calls.

    OPENBLAS_NUM_THREADS=1 python benchmarks/bench_echo.py
"""

import statistics
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rig.report import options, report
from voicecodecs.silero import SileroJudge
from voicecodecs.voice import VoiceDetector

from gateway.embedded.speech.vad import SpeechStart, Vad
from gateway.testing.echo import FRAME, RATE, Played, Scene, play_scenes, scene

Pcm: TypeAlias = NDArray[np.int16]
Starts: TypeAlias = list[list[float]]

GUARDS: Final = ("off", "gate", "cancel")
LOSSES: Final = (10.0, 15.0, 20.0, 25.0, 30.0)
LEVELS: Final = (-10.0, -15.0, -20.0, -25.0, -30.0)
TALKED_OVER: Final = (10.0, 20.0, None)
VOICE_MS: Final = 120


def by_silero(sounds: list[Pcm]) -> Starts:
    """When the network hears voices start in what was forwarded."""
    detector = VoiceDetector(len(sounds), SileroJudge(len(sounds)))
    found: Starts = [[] for _ in sounds]
    rows, heard = np.arange(len(sounds)), np.ones(len(sounds), np.bool_)
    for row in rows.tolist():
        detector.reset(row, VOICE_MS)
    for at in range(0, min(map(len, sounds)) - FRAME + 1, FRAME):
        frames = np.stack([sound[at : at + FRAME] for sound in sounds])
        for edge in detector.process(frames, rows, heard):
            if edge.is_on:
                found[edge.row].append((at + FRAME) / RATE)
    return found


def by_service(sounds: list[Pcm]) -> Starts:
    """When the embedded service does."""
    found: Starts = []
    for sound in sounds:
        detector = Vad(RATE)
        frames = ((at, sound[at : at + FRAME]) for at in range(0, len(sound), FRAME))
        events = ((at, detector.process(frame)) for at, frame in frames)
        is_start = SpeechStart
        found.append(
            [(at + FRAME) / RATE for at, e in events if any(isinstance(x, is_start) for x in e)]
        )
    return found


DETECTORS: Final[dict[str, Callable[[Played], Starts]]] = {
    "energy": lambda played: played.starts,
    "silero": lambda played: by_silero(played.forwarded),
    "service": lambda played: by_service(played.forwarded),
}


def echo_row(
    guard: str, erl: float, scenes: list[Scene], found: dict[str, Starts]
) -> dict[str, Any]:
    """Count the voices of callers who said nothing."""
    chosen = [i for i, one in enumerate(scenes) if one.erl == erl and one.near_dbov is None]
    minutes = sum(scenes[i].spoken for i in chosen)
    row: dict[str, Any] = {"guard": guard, "echo_db": -erl, "minutes": round(minutes, 1)}
    for name, times in found.items():
        row[f"{name}_per_min"] = round(sum(len(times[i]) for i in chosen) / minutes, 2)
    return row


def near_row(
    guard: str,
    erl: float | None,
    level: float,
    scenes: list[Scene],
    played: Played,
    found: dict[str, Starts],
    alone: dict[str, Starts],
) -> dict[str, Any]:
    """Say how callers who talk over the agent were heard, against when they are alone."""
    chosen = [i for i, one in enumerate(scenes) if (one.erl, one.near_dbov) == (erl, level)]
    row: dict[str, Any] = {"guard": guard, "echo_db": -erl if erl else "none", "near_dbov": level}
    for name, times in found.items():
        late = [ms for i in chosen for ms in _delays(scenes[i], times[i], alone[name][i])]
        known = [ms for ms in late if ms is not None]
        row[f"{name}_missed"] = f"{len(late) - len(known)}/{len(late)}"
        half, most = np.percentile(known, [50, 90]).round() if known else (np.nan, np.nan)
        row[f"{name}_ms"] = f"{half:.0f}/{most:.0f}"
    ratios = [sdr for i in chosen for sdr in _sdrs(scenes[i], played.forwarded[i])]
    row["sdr_db"] = round(statistics.median(ratios), 1)
    return row


def _delays(one: Scene, times: list[float], alone: list[float]) -> list[float | None]:
    """Return how much later each of a caller's voices was heard, ``None`` where it was not."""
    delays: list[float | None] = []
    for at, pcm in one.near:
        until = at + len(pcm) / RATE + 0.1
        expected = [time for time in alone if at <= time <= until]
        if expected:
            heard = [time for time in times if at <= time <= until + 0.2]
            delays.append((heard[0] - expected[0]) * 1000 if heard else None)
    return delays


def _sdrs(one: Scene, forwarded: Pcm) -> list[float]:
    """Return how purely each of a caller's words was forwarded, each frame up to two late."""
    ratios = []
    for at, pcm in one.near:
        start, mine = round(at * RATE), pcm[: len(pcm) // FRAME * FRAME].astype(np.float64)
        errors = [
            np.sum((forwarded[begin : begin + mine.size] - mine).reshape(-1, FRAME) ** 2, axis=1)
            for begin in range(start, start + 3 * FRAME, FRAME)
        ]
        ratios.append(10 * np.log10(np.sum(mine**2) / np.sum(np.min(errors, axis=0))))
    return ratios


def cost_rows(rng: np.random.Generator) -> list[dict[str, Any]]:
    """Time the tick of 100 calls in which the agent speaks, and comes back."""
    scenes = [scene(rng, _TIMED, 15.0, None) for _ in range(100)]
    wanted: list[dict[str, Any]] = [
        {},
        {"hears_beeps": True},
        {"voice": "energy"},
        {"voice": "silero"},
        {"echo_guard": "gate"},
        {"echo_guard": "cancel"},
        {"voice": "energy", "echo_guard": "gate"},
    ]
    rows: list[dict[str, Any]] = []
    for each in wanted:
        taken = play_scenes(scenes, _TIMED, **each).tick_us
        name = " ".join(f"{key}={value}" for key, value in each.items()) or "nothing"
        rows.append({"options": name, "tick_us_per_frame": round(taken, 1)})
        more = taken - float(rows[0]["tick_us_per_frame"])
        rows[-1]["more_us"] = round(more, 1)
    return rows


_TIMED: Final = 10.0


if __name__ == "__main__":
    chosen = options(__doc__, seconds=30.0, calls=6, seed=1)
    rng = np.random.default_rng(chosen.seed)
    kinds: list[tuple[float | None, float | None]] = [(erl, None) for erl in LOSSES]
    kinds += [(erl, level) for erl in TALKED_OVER for level in LEVELS]
    scenes = [scene(rng, chosen.seconds, *kind) for kind in kinds for _ in range(chosen.calls)]
    by_themselves = [Scene([], one.near, 0, np.zeros_like(one.path), one.noise) for one in scenes]
    played = play_scenes(by_themselves, chosen.seconds, voice="energy", voice_ms=VOICE_MS)
    alone = {name: hear(played) for name, hear in DETECTORS.items()}
    echoes, nears = [], []
    for guard in GUARDS:
        played = play_scenes(
            scenes, chosen.seconds, voice="energy", voice_ms=VOICE_MS, echo_guard=guard
        )
        found = {name: hear(played) for name, hear in DETECTORS.items()}
        echoes += [echo_row(guard, erl, scenes, found) for erl in LOSSES]
        nears += [
            near_row(guard, erl, level, scenes, played, found, alone)
            for erl in TALKED_OVER
            for level in LEVELS
        ]
    target = "with a guard none down to -25 dB, and every caller of -25 dBov and up heard"
    report("echo", echoes + nears + cost_rows(rng), target, as_json=chosen.json)
