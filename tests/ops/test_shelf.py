"""What was made is made once for all who ask, and kept while it is good and there is room."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

from gateway.ops.shelf import Made, Shelf
from gateway.testing.virtual_time import run


def timeless(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Have a test take no time."""

    @wraps(test)
    def runs() -> None:
        run(test())

    return runs


class Maker:
    """Makes numbered things, each in a second."""

    def __init__(self, *, size: int = 10, lasts: bool = True, seconds: float = 1.0) -> None:
        self.count = 0
        self.size, self.lasts, self.seconds = size, lasts, seconds

    async def __call__(self) -> Made[int] | None:
        await asyncio.sleep(self.seconds)
        self.count += 1
        return Made(self.count, self.size, self.lasts)


@timeless
async def test_all_who_ask_at_once_wait_for_the_same_one() -> None:
    shelf, maker = Shelf[int](100), Maker()
    assert await asyncio.gather(*(shelf.get("a", maker) for _ in range(9))) == [1] * 9


@timeless
async def test_who_leaves_does_not_take_it_from_the_others() -> None:
    shelf, maker = Shelf[int](100), Maker()
    first, second = (asyncio.create_task(shelf.get("a", maker)) for _ in range(2))
    await asyncio.sleep(0.5)
    first.cancel()
    assert await second == 1


@timeless
async def test_what_lasts_is_made_once() -> None:
    shelf, maker = Shelf[int](100), Maker()
    for _ in range(3):
        assert await shelf.get("a", maker) == 1
        await asyncio.sleep(10_000)


@timeless
async def test_what_grows_old_is_made_anew_and_takes_a_tenth_of_the_time_at_most() -> None:
    shelf, maker = Shelf[int](100, rest=3.0), Maker(lasts=False)
    assert await shelf.get("a", maker) == 1
    await asyncio.sleep(9.9)
    assert await shelf.get("a", maker) == 1
    await asyncio.sleep(0.2)
    assert await shelf.get("a", maker) == 2
    maker.seconds = 0.0
    await asyncio.sleep(10.1)
    assert await shelf.get("a", maker) == 3
    await asyncio.sleep(2.9)
    assert await shelf.get("a", maker) == 3
    await asyncio.sleep(0.2)
    assert await shelf.get("a", maker) == 4


@timeless
async def test_the_one_that_was_not_asked_for_the_longest_goes_first() -> None:
    shelf, makers = Shelf[int](30), {name: Maker() for name in "abcd"}
    for name in "abcad":
        await shelf.get(name, makers[name])
    for name in "acd":
        assert await shelf.get(name, makers[name]) == 1
    assert await shelf.get("b", makers["b"]) == 2


@timeless
async def test_what_takes_too_much_room_is_not_kept() -> None:
    shelf, large, small = Shelf[int](30), Maker(size=16), Maker()
    await shelf.get("small", small)
    assert [await shelf.get("large", large) for _ in range(2)] == [1, 2]
    assert await shelf.get("small", small) == 1


@timeless
async def test_nothing_is_not_kept() -> None:
    async def nothing() -> None:
        return None

    shelf = Shelf[int](30)
    assert await shelf.get("a", nothing) is None
    assert await shelf.get("a", Maker()) == 1
