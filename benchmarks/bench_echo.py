"""How often the agent's own echo interrupts it, and what the echo guard costs those who do.

Calls in virtual time, the same for every guard.  First callers who say nothing: voices that were
heard though nobody spoke, for each minute of the agent's speech, by our own two detectors and by
the embedded service's, which hears what is forwarded.  Then callers who talk over the agent: how
many were not heard, how much later than without any echo and guard, and how much of what they
said was forwarded as they said it.  The reference is ``off`` in the same run.  At last what all
of it costs, beside the whole tick.

    OPENBLAS_NUM_THREADS=1 python benchmarks/bench_echo.py
"""

import statistics
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rig.echo import FRAME, RATE, Scene, play_scenes, scene, starts
from rig.report import options, report
from voicecodecs.g711 import decode_ulaw
from voicecodecs.silero import SileroJudge
from voicecodecs.voice import VoiceDetector

from gateway.embedded.speech.vad import SpeechStart, Vad
from gateway.testing.media import MediaCall

Pcm: TypeAlias = NDArray[np.int16]

GUARDS: Final = ("off", "gate", "cancel")
LOSSES: Final = (10.0, 15.0, 20.0, 25.0, 30.0)
LEVELS: Final = (-10.0, -15.0, -20.0, -25.0, -30.0)
TALKED_OVER: Final = (10.0, 20.0, None)
VOICE_MS: Final = 120


def by_us(calls: list[MediaCall]) -> list[list[float]]:
    """Return when our own detector heard voices start."""
    return [starts(call) for call in calls]


def by_silero(calls: list[MediaCall]) -> list[list[float]]:
    """As :func:`by_us`, for the network, which hears what was forwarded."""
    detector = VoiceDetector(len(calls), SileroJudge(len(calls)))
    sounds = [forwarded(call) for call in calls]
    found: list[list[float]] = [[] for _ in calls]
    rows, heard = np.arange(len(calls)), np.ones(len(calls), np.bool_)
    for row in rows.tolist():
        detector.reset(row, VOICE_MS)
    for at in range(0, min(map(len, sounds)) - FRAME + 1, FRAME):
        frames = np.stack([sound[at : at + FRAME] for sound in sounds])
        for edge in detector.process(frames, rows, heard):
            if edge.is_on:
                found[edge.row].append((at + FRAME) / RATE)
    return found


def by_service(calls: list[MediaCall]) -> list[list[float]]:
    """As :func:`by_us`, for the embedded service."""
    return [_service_starts(forwarded(call)) for call in calls]


def _service_starts(sound: Pcm) -> list[float]:
    detector = Vad(RATE)
    return [
        (at + FRAME) / RATE
        for at in range(0, len(sound), FRAME)
        if any(isinstance(e, SpeechStart) for e in detector.process(sound[at : at + FRAME]))
    ]


def forwarded(call: MediaCall) -> Pcm:
    return decode_ulaw(b"".join(call.chunks))


DETECTORS: Final[dict[str, Callable[[list[MediaCall]], list[list[float]]]]] = {
    "energy": by_us,
    "silero": by_silero,
    "service": by_service,
}


def echo_rows(guard: str, scenes: list[Scene], calls: list[MediaCall]) -> list[dict[str, Any]]:
    """Count the voices of callers who said nothing."""
    found = {name: hear(calls) for name, hear in DETECTORS.items()}
    rows = []
    for erl in LOSSES:
        chosen = [i for i, one in enumerate(scenes) if one.label["erl_db"] == erl]
        minutes = sum(scenes[i].spoken for i in chosen)
        row: dict[str, Any] = {"guard": guard, "echo_db": -erl, "minutes": round(minutes, 1)}
        for name, times in found.items():
            row[f"{name}_per_min"] = round(sum(len(times[i]) for i in chosen) / minutes, 2)
        rows.append(row)
    return rows


def near_rows(
    guard: str, scenes: list[Scene], calls: list[MediaCall], alone: dict[str, list[list[float]]]
) -> list[dict[str, Any]]:
    """Say how callers who talked over the agent were heard, against when they are alone."""
    found = {name: hear(calls) for name, hear in DETECTORS.items()}
    rows = []
    for erl in TALKED_OVER:
        for level in LEVELS:
            label = {"erl_db": erl, "near_dbov": level}
            chosen = [i for i, one in enumerate(scenes) if one.label == label]
            row: dict[str, Any] = {
                "guard": guard,
                "echo_db": "none" if erl is None else -erl,
                "near_dbov": level,
            }
            for name, times in found.items():
                delays = [
                    delay
                    for i in chosen
                    for delay in _delays(scenes[i], times[i], alone[name][i])
                ]
                known = [delay for delay in delays if delay is not None]
                row[f"{name}_missed"] = f"{len(delays) - len(known)}/{len(delays)}"
                row[f"{name}_ms"] = _percentiles(known)
            row["sdr_db"] = round(
                statistics.median(sdr for i in chosen for sdr in _sdrs(scenes[i], calls[i])), 1
            )
            rows.append(row)
    return rows


def _delays(one: Scene, times: list[float], alone: list[float]) -> list[float | None]:
    """Return how much later each of a caller's voices was heard, ``None`` where it was not.

    A voice that is being heard already, because of an echo, is one that was not: the agent was
    cut before.
    """
    delays: list[float | None] = []
    for at, pcm in one.near:
        until = at + len(pcm) / RATE + 0.1
        expected = [time for time in alone if at <= time <= until]
        if expected:
            heard = [time for time in times if at <= time <= until + 0.2]
            delays.append((heard[0] - expected[0]) * 1000 if heard else None)
    return delays


def _percentiles(values: list[float]) -> str:
    if not values:
        return "-"
    return "/".join(str(round(v)) for v in np.percentile(values, [50, 90]).tolist())


def _sdrs(one: Scene, call: MediaCall) -> list[float]:
    """Return how purely each of a caller's words was forwarded, frame by frame at its best.

    What is forwarded may be up to two frames late.
    """
    sound = forwarded(call).astype(np.float64)
    ratios = []
    for at, pcm in one.near:
        start = round(at * RATE)
        mine = pcm[: len(pcm) // FRAME * FRAME].astype(np.float64).reshape(-1, FRAME)
        errors = []
        for late in range(_WAY, _WAY + 3 * FRAME, FRAME):
            part = sound[start + late : start + late + mine.size]
            if len(part) == mine.size:
                errors.append(np.sum((part.reshape(-1, FRAME) - mine) ** 2, axis=1))
        ratios.append(10 * np.log10(np.sum(mine**2) / np.sum(np.min(errors, axis=0))))
    return ratios


_WAY: Final = 0
"""Samples from a telephone's mouth to what is forwarded; a telephone talks from time 0 on."""


if __name__ == "__main__":
    chosen = options(__doc__, seconds=30.0, calls=5, seed=1)
    rng = np.random.default_rng(chosen.seed)
    silent = [
        scene(rng, chosen.seconds, erl, None) for erl in LOSSES for _ in range(chosen.calls)
    ]
    talking = [
        scene(rng, chosen.seconds, erl, level)
        for erl in TALKED_OVER
        for level in LEVELS
        for _ in range(chosen.calls)
    ]
    quiet = [Scene([], one.near, 0, one.path, one.noise) for one in talking]
    played = play_scenes(quiet, chosen.seconds, voice="energy", voice_ms=VOICE_MS)
    alone = {name: hear(played) for name, hear in DETECTORS.items()}
    rows = []
    near = []
    for guard in GUARDS:
        calls = play_scenes(
            silent + talking,
            chosen.seconds,
            voice="energy",
            voice_ms=VOICE_MS,
            echo_guard=guard,
        )
        rows += echo_rows(guard, silent, calls[: len(silent)])
        near += near_rows(guard, talking, calls[len(silent) :], alone)
    report("echo", rows + near, "at -20 dB and less none in a minute", as_json=chosen.json)
