"""From the callers to the service: a group's frames, in as few numpy calls as there can be.

The stream to the service is continuous.  A lane's frames go on as they come; when none has
come for longer than a gap is held, silence takes their place, because the service's clock
counts the audio written to it.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from voicecodecs.dtmf import DtmfDetector
from voicecodecs.g711 import encode_alaw, encode_ulaw
from voicecodecs.resample import Resampler, StreamResampler, to_int16

from .arrays import SLOTS, LaneArrays, Output, Rows
from .guard import LOOK_BACK, Guarded, noise
from .intake import Intake
from .listener import Listener
from .outbox import Outbox
from .tape import Tape
from .transcode import SERVICE_RATE, ServiceAudio

__all__ = ["Source", "Uplink"]

Pcm: TypeAlias = NDArray[np.int16]
InbandHandler: TypeAlias = Callable[[int, str, bool, int, float], None]

_NARROW: Final = 8000
_OUTPUTS: Final[dict[ServiceAudio | None, Output]] = {
    None: Output.NONE,
    "pcm24": Output.PCM24,
    "pcmu": Output.PCMU,
    "pcma": Output.PCMA,
}


class Source:
    """One lane as the uplink sees it."""

    __slots__ = ("_kept", "_rate", "_resampler", "intake", "on_audio", "output", "tape")

    def __init__(
        self, intake: Intake, audio: ServiceAudio | None, on_audio: Callable[[bytes], None]
    ) -> None:
        self.intake = intake
        self.on_audio = on_audio
        self.output = _OUTPUTS[audio]
        self.tape: Tape | None = None
        self._kept: deque[Pcm] = deque(maxlen=LOOK_BACK + 1)  # of a guarded wideband lane
        self._rate = 0
        self._resampler: StreamResampler | None = None

    def convert(self, pcm: Pcm, rate: int) -> bytes:
        """Turn a wideband frame at ``rate`` into the service's format."""
        wanted = SERVICE_RATE if self.output is Output.PCM24 else _NARROW
        if rate != wanted:
            if self._resampler is None or rate != self._rate:
                self._resampler = StreamResampler(rate, wanted)
                self._rate = rate
            pcm = self._resampler.process(pcm)
        return _pack(pcm, self.output)

    def guard(self, pcm: Pcm, guarded: Guarded, line: int) -> Pcm:
        """Return what is heard in the place of a wideband frame, as its narrow one was judged."""
        self._kept.append(pcm)
        if guarded.is_echo[line]:
            level = np.sqrt(guarded.noise[line])
            return to_int16(level * noise(guarded.beat, len(pcm)))
        return self._kept[max(0, len(self._kept) - 1 - int(guarded.late[line]))]


def _pack(pcm: Pcm, output: Output) -> bytes:
    match output:
        case Output.PCMU:
            return encode_ulaw(pcm).tobytes()
        case Output.PCMA:
            return encode_alaw(pcm).tobytes()
        case _:
            return pcm.tobytes()


class Uplink:
    """Takes decoded frames from the rows, hears keys in them, and hands them to the loop.

    ``on_key`` is called with row, key, whether it went down, milliseconds it was down, and now.
    """

    def __init__(
        self, arrays: LaneArrays, outbox: Outbox, listener: Listener, on_key: InbandHandler
    ) -> None:
        self._arrays = arrays
        self._outbox = outbox
        self._listener = listener
        self._on_key = on_key
        self._detector = DtmfDetector(arrays.capacity)
        self._resampler = Resampler(_NARROW, SERVICE_RATE, arrays.capacity)
        self._pressed_at: dict[int, int] = {}

    def reset(self, row: int) -> None:
        """Forget a row's past, for a new lane."""
        self._detector.reset(row)
        self._resampler.reset(row)
        self._pressed_at.pop(row, None)

    def tick(self, rows: Rows, sources: Sequence[Source], now: float) -> None:
        """Hand on what has come for a group; ``sources[i]`` is the lane of ``rows[i]``."""
        arrays = self._arrays
        has_frame = arrays.tail[rows] > arrays.head[rows]
        if has_frame.all():
            arrays.starved[rows] = 0
        else:
            has_frame |= self._fill(rows, sources, has_frame)
        chosen, lanes = rows, sources
        while has_frame.any():
            if not has_frame.all():
                some = np.flatnonzero(has_frame)
                chosen, lanes = chosen[some], [lanes[i] for i in some.tolist()]
            self._hand_on(chosen, lanes, now)
            has_frame = arrays.tail[chosen] > arrays.head[chosen]

    def finish(self, row: int, source: Source) -> None:
        """Let a recording have what has come of a row that is about to be left."""
        arrays = self._arrays
        if source.tape is None:
            return
        for frame in arrays.waiting(row):
            self._record(np.array([row]), [source], frame[None])
            if arrays.is_wide[row] and source.intake.pieces:
                source.intake.pieces.pop(0)

    def _fill(
        self, rows: Rows, sources: Sequence[Source], has_frame: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Put a silent frame into each row that has waited long enough; say which."""
        arrays = self._arrays
        starved = np.where(has_frame, 0, arrays.starved[rows] + 1)
        arrays.starved[rows] = starved
        is_silent: NDArray[np.bool_] = starved > arrays.patience[rows]
        silent = rows[is_silent]
        if len(silent):
            slots = arrays.tail[silent] % SLOTS
            arrays.frames[silent, slots] = 0
            # Silence that was told of is heard as such; any other may hide a key that is down.
            arrays.made_up[silent, slots] = arrays.patience[silent] > 0
            arrays.tail[silent] += 1
            arrays.filled[silent] += 1
            for index in np.flatnonzero(is_silent & arrays.is_wide[rows]).tolist():
                sources[index].intake.add_silence()
            for index in np.flatnonzero(is_silent & arrays.is_taped[rows]).tolist():
                if (tape := sources[index].tape) is not None:
                    tape.owe()
        return is_silent

    def _hand_on(self, rows: Rows, sources: Sequence[Source], now: float) -> None:
        """Take one frame of every row, and send it on."""
        arrays = self._arrays
        slots = arrays.head[rows] % SLOTS
        frames = arrays.frames[rows, slots]
        made_up = arrays.made_up[rows, slots]
        arrays.head[rows] += 1
        if arrays.is_taped[rows].any():
            self._record(rows, sources, frames)

        is_squelched = arrays.is_muted[rows]
        is_tone = arrays.is_away[rows]
        if (detects := arrays.detects[rows]).any():
            is_tone |= self._detect(rows, frames, made_up, detects, now)
        is_squelched |= is_tone
        guarded = None
        if (wants := arrays.wants[rows]).any():
            guarded = self._listener.hear(frames, rows, wants, ~(is_tone | made_up), now)
        if is_squelched.any():
            frames[is_squelched] = 0
        wide = arrays.is_wide[rows]
        if wide.any():
            self._send_wide(np.flatnonzero(wide), sources, is_squelched, guarded)
        outputs = np.where(wide, Output.NONE, arrays.output[rows])
        for output in (Output.PCM24, Output.PCMU, Output.PCMA):
            chosen = np.flatnonzero(outputs == output)
            if len(chosen) == len(rows):
                self._send(output, rows, frames, sources)
                return
            if len(chosen):
                lanes = [sources[i] for i in chosen.tolist()]
                self._send(output, rows[chosen], frames[chosen], lanes)

    def _detect(
        self,
        rows: Rows,
        frames: Pcm,
        made_up: NDArray[np.bool_],
        detects: NDArray[np.bool_],
        now: float,
    ) -> NDArray[np.bool_]:
        """Hear keys; say in which rows a tone is so far only suspected."""
        detector = self._detector
        if detects.all():
            edges = detector.process(frames, rows, made_up)
        else:
            edges = detector.process(frames[detects], rows[detects], made_up[detects])
        for edge in edges:
            duration = 0
            if edge.is_on:
                self._pressed_at[edge.row] = edge.sample
            else:
                duration = (edge.sample - self._pressed_at.pop(edge.row, edge.sample)) // 8
            self._on_key(edge.row, edge.key, edge.is_on, duration, now)
        suspected: NDArray[np.bool_] = detector.maybe[rows] & detects
        return suspected

    def _record(self, rows: Rows, sources: Sequence[Source], frames: Pcm) -> None:
        is_concealed = self._arrays.is_concealed[rows]
        for index in np.flatnonzero(self._arrays.is_taped[rows]).tolist():
            source = sources[index]
            if source.tape is None:
                continue
            frame, rate = frames[index], _NARROW
            if source.intake.pieces and source.intake.format is not None:
                frame, rate = source.intake.pieces[0], source.intake.format.rate
            sound = frame.tobytes()
            source.tape.hear(bytes(len(sound)) if is_concealed[index] else sound, rate)

    def _send(self, output: Output, rows: Rows, frames: Pcm, sources: Sequence[Source]) -> None:
        if output is Output.PCM24:
            frames = self._resampler.process_pcm(frames, rows)
        data = _pack(frames, output)
        size = len(data) // len(rows)
        parcel = self._outbox.parcel
        start = 0
        for source in sources:
            parcel.append((source.on_audio, data[start : start + size]))
            start += size

    def _send_wide(
        self,
        indices: Rows,
        sources: Sequence[Source],
        is_squelched: NDArray[np.bool_],
        guarded: tuple[Rows, Guarded] | None,
    ) -> None:
        lines = {} if guarded is None else {i: line for line, i in enumerate(guarded[0].tolist())}
        for index in indices.tolist():
            source = sources[index]
            intake = source.intake
            if not intake.pieces or intake.format is None:
                continue
            piece = intake.pieces.pop(0)
            if guarded is not None and index in lines:
                piece = source.guard(piece, guarded[1], lines[index])
            if source.output is not Output.NONE:
                if is_squelched[index]:
                    piece = np.zeros_like(piece)
                chunk = source.convert(piece, intake.format.rate)
                self._outbox.parcel.append((source.on_audio, chunk))
