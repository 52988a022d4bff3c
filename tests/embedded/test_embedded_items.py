"""The items of a conversation: cut, created, fetched and deleted."""

import base64
from collections.abc import Iterator

import pytest

from gateway.realtime import commands as c
from gateway.realtime import events as e
from gateway.testing.service_client import ServiceClient


@pytest.fixture
def spoken(client: ServiceClient) -> Iterator[str]:
    """The id of an item of 200 ms."""
    client.send(c.ResponseCreate())
    item_id = client.last(e.ResponseOutputItemDone).item.id
    client.take()
    assert item_id
    return iter([item_id])


def test_an_item_is_cut_to_what_was_heard(client: ServiceClient, spoken: Iterator[str]) -> None:
    item_id = next(spoken)

    def cut(end_ms: int, index: int = 0) -> str | None:
        client.send(
            c.ConversationItemTruncate(item_id=item_id, content_index=index, audio_end_ms=end_ms)
        )
        last = client.events[-1]
        return last.error.message if isinstance(last, e.ErrorEvent) else None

    assert cut(201) == "Audio content of 200 ms is already shorter than 201 ms"
    assert client.last(e.ErrorEvent).error.code == "item_truncate_invalid_audio_end_ms"
    assert cut(100, index=1) is not None
    assert cut(120) is None
    assert client.last(e.ConversationItemTruncated).audio_end_ms == 120
    assert cut(121) == "Audio content of 120 ms is already shorter than 121 ms"
    client.send(c.ConversationItemRetrieve(item_id=item_id))
    (part,) = client.last(e.ConversationItemRetrieved).item.content or []
    assert part.transcript is None
    assert len(base64.b64decode(part.audio or "")) == 120 * 48


def test_items_come_go_and_keep_their_order(client: ServiceClient, spoken: Iterator[str]) -> None:
    item_id = next(spoken)
    text = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a"}]}
    client.send(c.ConversationItemCreate(item={**text, "id": "first"}, previous_item_id="root"))
    assert client.last(e.ConversationItemAdded).previous_item_id is None
    client.send(c.ConversationItemCreate(item={**text, "id": "next"}, previous_item_id="first"))
    assert client.last(e.ConversationItemDone).previous_item_id == "first"
    client.send(c.ConversationItemCreate(item=text))
    assert client.last(e.ConversationItemDone).previous_item_id == item_id
    client.send(c.ConversationItemDelete(item_id="next"))
    assert client.last(e.ConversationItemDeleted).item_id == "next"
    for command in (
        c.ConversationItemDelete(item_id="next"),
        c.ConversationItemRetrieve(item_id="next"),
        c.ConversationItemTruncate(item_id="next", content_index=0, audio_end_ms=0),
        c.ConversationItemCreate(item=text, previous_item_id="next"),
    ):
        client.send(command)
        assert client.last(e.ErrorEvent).error.code == "item_not_found"
    client.send(c.ConversationItemCreate(item={**text, "id": "first"}))
    assert client.last(e.ErrorEvent).error.param == "item.id"
