"""Times that contradict each other: what can never come, as something else is always earlier."""

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from pydantic import BaseModel

from ..config import Settings

__all__ = ["contradictions"]

Path: TypeAlias = tuple[str | int, ...]

_MILLI: Final = 1000


def contradictions(settings: Settings) -> Iterator[tuple[Path, str]]:
    """Yield each setting that cannot be meant, and why, with a remedy."""
    yield from _of_idle(settings)
    yield from _of_barge_in(settings)
    yield from _longer_than_a_call(settings)


def _of_idle(settings: Settings) -> Iterator[tuple[Path, str]]:
    idle = settings.idle
    if idle.limit and len(idle.ladder) >= idle.limit:
        problem = f"step {idle.limit} is never reached: limit = {idle.limit} says goodbye"
        yield ("idle", "ladder"), f"{problem}; remove it, or raise limit"


def _of_barge_in(settings: Settings) -> Iterator[tuple[Path, str]]:
    barge_in = settings.barge_in
    if barge_in.mode != "pause":
        return
    if not barge_in.by:
        problem = "nobody may interrupt, so there is nothing to pause for; name some in by"
        yield ("barge_in", "mode"), problem
    if settings.realtime.link != "websocket":
        problem = f'the service plays its speech itself over link = "{settings.realtime.link}"'
        yield ("barge_in", "mode"), f'{problem}; choose "cut"'
    is_meant = "voice" in barge_in.by or "voice_ms" in barge_in.model_fields_set
    if is_meant and barge_in.voice_ms > barge_in.confirm_ms:
        name = "voice_ms" if "voice_ms" in barge_in.model_fields_set else "confirm_ms"
        problem = f"voice_ms = {barge_in.voice_ms} is more than confirm_ms = {barge_in.confirm_ms}"
        yield ("barge_in", name), f"{problem}, so that it never counts; raise confirm_ms"


def _longer_than_a_call(settings: Settings) -> Iterator[tuple[Path, str]]:
    """Yield the times that are written and that no call lasts."""
    longest = settings.call.max_seconds
    tables: list[tuple[Path, BaseModel, Mapping[str, float]]] = [
        (("idle",), settings.idle, {"seconds": 1}),
        (("dial",), settings.dial, {"seconds": 1}),
        *((("targets", n), one, {"seconds": 1}) for n, one in settings.targets.items()),
        *((("menus", n), one, {"timeout_ms": _MILLI}) for n, one in settings.menus.items()),
        *(
            (("collects", n), one, {"timeout_ms": _MILLI, "inter_digit_ms": _MILLI})
            for n, one in settings.collects.items()
        ),
    ]
    for path, table, units in tables:
        for name, unit in units.items():
            if name in table.model_fields_set and getattr(table, name) / unit >= longest:
                problem = f"a call ends after call.max_seconds = {longest:g}"
                yield (*path, name), f"{problem}; wait for less, or raise it"
