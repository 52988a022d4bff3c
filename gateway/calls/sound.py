"""What one caller hears: the service's speech, prompts from files, and what is recorded of it."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from ..media.events import Mark
from ..media.prompts import Prompt
from ..media.stats import LaneStats
from ..realtime.events import ResponseDone, ResponseOutputAudioDelta, ServerEvent, Unknown

if TYPE_CHECKING:
    from ..media.engine import Lane

__all__ = ["CallSound"]

_NO_LANE = "the service holds the caller's line"


class CallSound:
    """The sound of one call; nothing is heard of it where there is no lane.

    Args:
        prompts: By name.
        recording: Where the call is recorded, if it is; ``None`` where recordings are off.
        is_ours_to_play: Speech comes in events, ahead of time, to be played here.

    """

    def __init__(
        self, prompts: Mapping[str, Prompt], recording: Path | None, *, is_ours_to_play: bool
    ) -> None:
        self._prompts = prompts
        self._recording = recording
        self._is_ours_to_play = is_ours_to_play
        self._lane: Lane | None = None
        self._coming = ""  # the response whose speech is coming in over the present link
        self._stats: LaneStats | None = None  # the last figures, once the lane is closed
        self._log = structlog.get_logger()

    @property
    def figures(self) -> dict[str, Any]:
        """The lane's figures for a record; a score of nothing heard is no score."""
        stats = self._stats or (self._lane.stats() if self._lane is not None else None)
        if stats is None:
            return {}
        return asdict(stats) | {"mos": stats.mos if stats.packets_received else None}

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

    def stream(self, sound: bytes) -> None:
        """Let the caller hear speech as it comes."""
        if self._lane is not None:
            self._lane.stream(sound)

    def end_speech(self) -> None:
        """No more comes over the present link: what there is plays on, and its end is told."""
        if self._coming:
            self._finish(self._coming)

    def stop(self) -> None:
        """Let nothing that waits be heard any more."""
        if self._lane is not None:
            self._lane.flush()

    def play(self, name: str, *, is_repeated: bool) -> bool:
        """Play a prompt; tells whether that can be done."""
        prompt, lane = self._prompts.get(name), self._lane
        if prompt is None or lane is None:
            why = "no such prompt" if prompt is None else _NO_LANE
            self._log.warning("cannot play", prompt=name, why=why)
            return False
        lane.play_prompt(prompt, name, repeat=is_repeated)
        return True

    def record(self, *, is_on: bool) -> None:
        """Start or stop recording."""
        lane = self._lane
        if lane is None:
            self._log.warning("cannot record", why=_NO_LANE)
        elif not is_on:
            lane.stop_recording()
        elif self._recording is None:
            self._log.warning("cannot record", remedy="name a folder in media.recordings")
        else:
            lane.record(str(self._recording))

    def close(self) -> None:
        """Let go of the lane."""
        if self._lane is not None:
            self._stats = self._lane.stats()
            self._lane.close()

    def _finish(self, response_id: str) -> None:
        if response_id == self._coming:
            self._coming = ""
        if self._lane is not None:
            self._lane.finish(response_id)
