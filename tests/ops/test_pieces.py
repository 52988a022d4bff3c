"""Long data is made into JSON and read piece by piece."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ops import pieces as module
from gateway.ops.pieces import PIECE, json_of, pieces, read_rows

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


class Row(msgspec.Struct):
    number: int


@given(st.dictionaries(st.text(), PLAIN), st.integers(0, 3 * PIECE))
def test_it_is_the_same_json(fields: dict[str, Any], count: int) -> None:
    fields = fields | {"long": [{"number": number} for number in range(count)]}
    assert json.loads(json_of(fields)) == fields


def test_no_piece_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[int] = []
    encode = module.to_json

    def noted(value: Any) -> bytes:
        lengths.append(len(value))
        return encode(value)

    monkeypatch.setattr(module, "to_json", noted)
    json_of({"rows": [{"number": number} for number in range(20_000)]})
    assert max(lengths) == PIECE
    assert sum(lengths) == 20_000 + len("rows")


def test_rows_are_read_whole_and_in_order() -> None:
    rows = read_rows([{"number": number} for number in range(3 * PIECE + 1)], Row)
    assert [row.number for row in rows] == list(range(3 * PIECE + 1))
    assert [len(piece) for piece in pieces(rows)] == [PIECE, PIECE, PIECE, 1]
    with pytest.raises(msgspec.ValidationError):
        read_rows([{"number": "one"}], Row)


def test_text_that_is_none_is_told_all_the_same() -> None:
    assert json.loads(json_of({"rows": [Row(1), "\udc80"]})) == {"rows": [{"number": 1}, "\ufffd"]}
