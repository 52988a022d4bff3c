"""Keeps every frame that an embedded service sends while the tests run, to be judged at the end.

The service may run in the tests' own process, or in one that they start through :mod:`tapped`;
each process writes a file of its own, a frame a line behind the name of its dialect.  What a test
has the service break on purpose is broken behind the tap.
"""

import functools
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["FOLDER", "frames", "tap"]

FOLDER = "VOICE_GATEWAY_TEST_FRAMES"  # the environment variable that names where they are kept


def tap() -> None:
    """Keep what is sent from here on, if the environment says where."""
    folder = os.environ.get(FOLDER)
    if folder is None:
        return
    from gateway.embedded.protocol.outbox import Observer

    kept = os.open(Path(folder) / str(os.getpid()), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    take = Observer.data_to_send

    @functools.wraps(take)
    def data_to_send(self: Observer) -> list[bytes]:
        sent = take(self)
        if sent:
            dialect = getattr(self, "dialect", "ga").encode()
            os.write(kept, b"".join(b"%s %s\n" % (dialect, frame) for frame in sent))
        return sent

    Observer.data_to_send = data_to_send  # type: ignore[method-assign]


def frames(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield each frame that was kept, with its dialect."""
    for path in sorted(folder.iterdir()):
        with path.open("rb") as kept:
            for line in kept:
                dialect, _, frame = line.rstrip(b"\n").partition(b" ")
                yield dialect.decode(), frame
