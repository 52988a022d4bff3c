"""Functions as somebody may write them for the model: good ones, slow ones, and bad ones."""

import asyncio
import sys
import threading
from collections.abc import Mapping
from typing import Any

HELD = threading.Event()  # what `held` waits for
AT_ONCE: list[str] = []  # of those that are held now
THREADS: list[str] = []


def weather(town: str, unit: str = "C") -> dict[str, str]:
    THREADS.append(threading.current_thread().name)
    return {"town": town, "sky": "blue", "unit": unit}


async def order(number: str, call: Mapping[str, Any]) -> str:
    await asyncio.sleep(1)
    return f"{number} of {call['caller']}"


async def patient(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "done"


def held() -> None:
    AT_ONCE.append("")
    HELD.wait(10)


def raises() -> None:
    raise LookupError("no such\n  customer: 4711")


def leaves() -> None:
    sys.exit(3)


async def leaves_the_loop() -> None:
    sys.exit(3)


async def cancels_itself() -> None:
    raise asyncio.CancelledError


async def times_out_by_itself() -> None:
    raise TimeoutError("its own")


def stops_an_iteration() -> None:
    next(iter(()))


def writes_much() -> str:
    return "x" * 100_000


def is_no_json() -> object:
    return object()


def turns_in_circles() -> list[Any]:
    circle: list[Any] = []
    circle.append(circle)
    return circle


def nothing() -> None:
    """Returns nothing."""


def by_position(town: str, /) -> str:
    return town


def anything(**arguments: Any) -> dict[str, Any]:
    return arguments


class Shop:
    """Holds a function, as modules do."""

    @staticmethod
    def hours() -> str:
        return "9 to 5"


NUMBER = 5
