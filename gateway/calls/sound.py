"""What one person hears: the service's speech, prompts from files, and what is recorded of it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import structlog

from ..media.events import Mark, RecordingStopped
from ..media.live import LiveFrom
from ..media.prompts import TONE, Prompt, TonePrompt
from ..media.stats import LaneStats
from ..realtime.events import ResponseDone, ResponseOutputAudioDelta, ServerEvent, Unknown

if TYPE_CHECKING:
    from ..media.engine import Lane

__all__ = ["CallSound"]

_MOST_TAKES: Final = 32  # that a record tells of
_NO_LANE = "the service holds the caller's line"


class CallSound:
    """The sound of one leg; nothing is heard of it where there is no lane.

    Args:
        prompts: By name.
        recording: Where the call is recorded, if it is; ``None`` where recordings are off.
        is_ours_to_play: Speech comes in events, ahead of time, to be played here.
        clock: Seconds, by which recordings begin.

    """

    def __init__(
        self,
        prompts: Mapping[str, Prompt],
        recording: Path | None,
        *,
        is_ours_to_play: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._prompts = prompts
        self._recording = recording
        self._is_ours_to_play = is_ours_to_play
        self._lane: Lane | None = None
        self._is_recording = False
        self._takes: list[float] = []  # when each recording was begun
        self._lost_takes = 0  # of which there is no file
        self.recording_problem = ""  # why the last of those that fell short did
        self._coming = ""  # the response whose speech is coming in over the present link
        self._stats: LaneStats | None = None  # the last figures, once the lane is closed
        self._log = structlog.get_logger()

    @property
    def stats(self) -> LaneStats | None:
        """The lane's figures, the last ones once it is closed."""
        return self._stats or (self._lane.stats() if self._lane is not None else None)

    @property
    def figures(self) -> dict[str, Any]:
        """The lane's figures for a record; a score of nothing heard is no score."""
        stats = self.stats
        if stats is None:
            return {}
        return asdict(stats) | {"mos": stats.mos if stats.packets_received else None}

    @property
    def recording(self) -> str:
        """The name of the file that the call is recorded in, once that was begun, if it can be."""
        is_there = len(self._takes) > self._lost_takes
        return self._recording.name if self._recording is not None and is_there else ""

    def takes(self, since: float) -> list[float]:
        """Return when each recording was begun, in seconds since then."""
        return [round(at - since, 3) for at in self._takes[:_MOST_TAKES]]

    def attach(self, lane: "Lane | None") -> None:
        """Use a lane; once."""
        self._lane = lane

    def take(self, event: ServerEvent | Unknown, is_dropped: Callable[[str], bool]) -> None:
        """Play the speech that an event brings, unless its response is to be thrown away."""
        lane = self._lane
        if lane is None or not self._is_ours_to_play:
            return
        if isinstance(event, ResponseOutputAudioDelta):
            if not is_dropped(event.response_id):
                self._coming = event.response_id
                lane.play(event.delta, Mark(event.response_id, event.item_id, event.content_index))
        elif isinstance(event, ResponseDone) and event.response.id:
            self._finish(event.response.id)

    def stream(self, sound: bytes, source: LiveFrom = "agent") -> None:
        """Let the caller hear speech as it comes, of the service or of somebody else."""
        if self._lane is not None:
            self._lane.stream(sound, source)

    def end_speech(self) -> None:
        """No more comes over the present link: what there is plays on, and its end is told."""
        if self._coming:
            self._finish(self._coming)

    def stop(self) -> None:
        """Let nothing that waits be heard any more."""
        if self._lane is not None:
            self._lane.flush()

    def play(self, name: str, *, is_repeated: bool) -> bool:
        """Play a prompt or a tone; tells whether that can be done."""
        prompt, lane = self._find(name, is_repeated), self._lane
        if prompt is None or lane is None:
            why = "no such prompt" if prompt is None else _NO_LANE
            self._log.warning("cannot play", prompt=name, why=why)
            return False
        lane.play_prompt(prompt, name, repeat=is_repeated)
        return True

    def pause(self) -> None:
        """Play nothing until :meth:`resume`; what is queued waits."""
        if self._lane is not None:
            self._lane.pause()

    def resume(self) -> None:
        """Play on."""
        if self._lane is not None:
            self._lane.resume()

    def mute(self, *, is_caller: bool, is_agent: bool) -> None:
        """Say who is not heard: the caller by the service, the agent by the caller."""
        if self._lane is not None:
            self._lane.mute(caller=is_caller, agent=is_agent)
        elif is_caller or is_agent:
            self._log.warning("cannot mute", why=_NO_LANE)

    def conceal(self, *, is_on: bool) -> None:
        """Keep the caller's sound from the service and from the recording, or stop that."""
        if self._lane is None:
            self._log.warning("cannot conceal", why=_NO_LANE)
        else:
            self._lane.conceal(is_on)

    def tap(self, on_played: Callable[[bytes], None] | None) -> None:
        """Have what is played of the agent and of prompts told as it goes out, or no longer."""
        if self._lane is not None:
            self._lane.tap(on_played)

    def guard(self, *, is_on: bool) -> None:
        """Keep the agent's echo from the service, where that is configured, or stop that."""
        if self._lane is not None:
            self._lane.guard(is_on)

    def record(self, do: Literal["start", "stop", "pause", "resume"]) -> None:
        """Start or stop recording, or put silence in its place for a while.

        What is started again after it was stopped goes to a file of its own.
        """
        lane = self._lane
        if lane is None:
            self._log.warning("cannot record", why=_NO_LANE)
        elif do == "stop":
            self._is_recording = False
            lane.stop_recording()
        elif do != "start" or self._is_recording:
            lane.pause_recording(do == "pause")
        elif self._recording is None:
            self._log.warning("cannot record", remedy="name a folder in media.recordings")
        else:
            self._takes.append(self._clock())
            self._is_recording = True
            path, number = self._recording, len(self._takes)
            lane.record(str(path if number == 1 else _take(path, number)))

    def note_recorded(self, event: RecordingStopped) -> None:
        """Take the end of a recording."""
        self._lost_takes += not event.has_file
        if event.problem:
            self.recording_problem = event.problem

    def close(self) -> None:
        """Let go of the lane."""
        if self._lane is not None:
            self._stats = self._lane.stats()
            self._lane.close()

    def _find(self, name: str, is_repeated: bool) -> Prompt | None:
        if not name.startswith(TONE):
            return self._prompts.get(name)
        try:
            return TonePrompt.named(name.removeprefix(TONE), repeat=is_repeated)
        except ValueError:
            return None

    def _finish(self, response_id: str) -> None:
        if response_id == self._coming:
            self._coming = ""
        if self._lane is not None:
            self._lane.finish(response_id)


def _take(path: Path, number: int) -> Path:
    """Return the path of a call's second recording, third, and so on."""
    return path.with_stem(f"{path.stem}-{number}")
