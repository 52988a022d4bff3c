"""What a process left behind that did not end as it should: its calls, and its webhooks.

Several processes may share a database.  Whose process is gone is told by a lock that it held,
so that the calls of one that lives are never touched.
"""

import asyncio
from typing import Final

import structlog

from .database import Database, Row, Statement
from .journal import joined
from .rows import WholeCall, add_call, brief_of, drop_live

__all__ = ["recover"]

_AT_A_TIME: Final = 100
_WHY: Final = {"state": "ended", "ended_by": "gateway", "reason": "the gateway stopped"}
_KNOWN: Final = """SELECT instance FROM instances UNION SELECT instance FROM live_calls
    UNION SELECT instance FROM outbox"""
_LEFT: Final = f"""SELECT call_id, noted_at, record FROM live_calls WHERE instance = $1
    ORDER BY call_id LIMIT {_AT_A_TIME}"""
_PARTS: Final = "SELECT body FROM live_parts WHERE call_id = $1 ORDER BY part"
_NODE: Final = "SELECT node FROM instances WHERE instance = $1"


async def recover(database: Database, instance: str) -> int:
    """Close the calls of processes that are gone, and take their webhooks over.

    Returns how many calls there were.

    Raises:
        RecordError: The database does not take it; another time will do.

    """
    count = 0
    for (other,) in await database.read(_KNOWN):
        if other == instance or not await database.is_gone(other):
            continue
        nodes = await database.read(_NODE, (other,))
        node = nodes[0][0] if nodes else ""
        while left := await database.read(_LEFT, (other,)):
            await asyncio.gather(*(_close(database, row, node) for row in left))
            count += len(left)
        taken = Statement(
            "UPDATE outbox SET instance = $1 WHERE instance = $2", ((instance, other),)
        )
        gone = Statement("DELETE FROM instances WHERE instance = $1", ((other,),))
        await database.write(lambda taken=taken, gone=gone: [taken, gone])  # type: ignore[misc]
    if count:
        structlog.get_logger().warning("calls of a gateway that stopped are closed", calls=count)
    return count


async def _close(database: Database, row: Row, node: str) -> None:
    call_id, noted_at, text = row
    record = brief_of(text)
    if record.get("ended_by") is None:  # else only its end was not yet kept
        record |= _WHY | {"duration": max(0.0, noted_at - record["started_at"])}
    bodies = [body for (body,) in await database.read(_PARTS, (call_id,))]

    def work() -> list[Statement]:
        entries, items = joined(bodies)
        return [
            *add_call(WholeCall(record, items, entries, node), is_last_word=False),
            *drop_live((call_id,)),
        ]

    await database.write(work)
