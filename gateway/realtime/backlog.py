"""What waits while the service takes less than it is sent: all commands, the newest audio."""

from collections import deque
from typing import Final

__all__ = ["Backlog"]

_MOST_APPENDS: Final = 250  # 10 s of them at 40 ms
_MOST_COMMANDS: Final = 1000


class Backlog:
    """Messages in order, each with the bytes of audio in it (0: a command)."""

    def __init__(self) -> None:
        self._messages: deque[tuple[bytes, int]] = deque()
        self._appends = 0

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def is_full(self) -> bool:
        """Whether no further command may wait."""
        return len(self._messages) - self._appends >= _MOST_COMMANDS

    def add(self, text: bytes, audio_bytes: int) -> int:
        """Put a message at the end; returns how many bytes of the oldest audio made room for it."""
        dropped = 0
        if audio_bytes:
            if self._appends >= _MOST_APPENDS:
                dropped = self._drop_oldest_append()
            self._appends += 1
        self._messages.append((text, audio_bytes))
        return dropped

    def pop(self) -> bytes:
        """Take the oldest message out."""
        text, audio_bytes = self._messages.popleft()
        self._appends -= audio_bytes > 0
        return text

    def clear(self) -> None:
        """Forget all of it."""
        self._messages.clear()
        self._appends = 0

    def _drop_oldest_append(self) -> int:
        index = next(n for n, (_, audio_bytes) in enumerate(self._messages) if audio_bytes)
        _, audio_bytes = self._messages[index]
        del self._messages[index]
        self._appends -= 1
        return audio_bytes
