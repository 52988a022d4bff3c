"""What the caller is hearing, or is about to: the responses not yet over, and the prompt.

A response counts from its creation until its audio was heard to the end, was cut, or is
known never to come.
"""

from collections import Counter
from dataclasses import dataclass

__all__ = ["Speech"]


@dataclass(slots=True)
class _Progress:
    has_audio: bool = False
    is_done: bool = False  # the service sends no more of it
    is_heard: bool = False


class Speech:
    """The responses on their way to the caller's ear."""

    def __init__(self) -> None:
        self.prompt: str | None = None
        self.is_repeating = False  # the prompt, until something is queued behind it
        self._unended: Counter[str] = Counter()  # plays whose end was not yet told
        self.is_comforted = False  # by a sound that gives way to everything else
        self._responses: dict[str, _Progress] = {}

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is being said and nothing is about to be."""
        return not self._responses and self.prompt is None

    @property
    def is_over(self) -> bool:
        """Whether everything that ends by itself was heard."""
        return not self._responses and (self.prompt is None or self.is_repeating)

    @property
    def is_audible(self) -> bool:
        """Whether there may be something in the playout to cut."""
        return self.is_comforted or self.is_voiced

    @property
    def is_voiced(self) -> bool:
        """Whether the caller may be hearing words: a prompt, or an answer that brought sound."""
        if self.prompt is not None:
            return True
        return any(progress.has_audio for progress in self._responses.values())

    @property
    def responses(self) -> tuple[str, ...]:
        """The responses not yet over, oldest first."""
        return tuple(self._responses)

    def play(self, prompt: str, *, is_repeated: bool) -> None:
        """A prompt begins to be played."""
        self.prompt, self.is_repeating = prompt, is_repeated
        self._unended[prompt] += 1

    def end_prompt(self, prompt: str) -> None:
        """A play of this prompt is over; the end of one that was cut is told late."""
        self._unended[prompt] -= 1
        if self._unended[prompt] <= 0:
            del self._unended[prompt]
            if self.prompt == prompt:
                self.prompt = None

    def has_audio(self, response_id: str) -> bool:
        """Tell whether a response that is not over has brought any audio."""
        progress = self._responses.get(response_id)
        return progress is not None and progress.has_audio

    def begin(self, response_id: str) -> None:
        """The service began a response that may be heard."""
        self._responses.setdefault(response_id, _Progress())

    def add_audio(self, response_id: str) -> None:
        """Some of its audio came, or went out."""
        self._responses.setdefault(response_id, _Progress()).has_audio = True

    def finish(self, response_id: str) -> None:
        """The service is done with it; without audio it is over."""
        if progress := self._responses.get(response_id):
            progress.is_done = True
            if progress.is_heard or not progress.has_audio:
                del self._responses[response_id]

    def hear(self, response_id: str) -> None:
        """The caller was sent all there is of it; once it is done it is over."""
        if progress := self._responses.get(response_id):
            progress.is_heard = True
            if progress.is_done:
                del self._responses[response_id]

    def outlast(self, response_id: str) -> None:
        """Take it that all before this one was heard: its end may have been told to nobody."""
        for earlier in self.responses:
            if earlier == response_id:
                return
            if self._responses[earlier].is_done:
                del self._responses[earlier]

    def forget(self, response_id: str) -> None:
        """It will not be heard any further."""
        self._responses.pop(response_id, None)

    def seal(self) -> None:
        """No more comes of any response: what is here is all there will be."""
        for response_id in self.responses:
            self.finish(response_id)

    def clear(self) -> None:
        """Nothing will be heard any further."""
        self._responses.clear()
        self.prompt = None
        self.is_comforted = False
