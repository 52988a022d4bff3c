"""The document on SIP says of every behaviour what is done about it, and names tests that exist."""

import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "sip.md").read_text(encoding="utf-8")
COUNTS = {"T": 30, "E": 22, "S": 17, "R": 14, "P": 12}
NUMBERS = [f"{letter}{n}" for letter, most in COUNTS.items() for n in range(1, most + 1)]
ROWS = [
    (cells[1].strip(), cells[2].strip(), cells[3].strip(), cells[4])
    for cells in (line.split("|") for line in TEXT.splitlines())
    if len(cells) == 6 and cells[1].strip() in NUMBERS
]
NAMED = re.compile(r"`(tests/[\w/]+\.py)?…?(?:::(Test\w+))?(?:::(\w+))?[^`]*`")


@functools.cache
def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("number", NUMBERS)
def test_every_behaviour_is_done_and_shown_or_refused_for_a_reason(number: str) -> None:
    rows = [row for row in ROWS if row[0] == number]
    assert rows, f"nothing is said of {number}"
    for _, behaviour, state, shown in rows:
        assert len(behaviour) > 10, "it is not said what the gateway does"
        assert "tests/" not in behaviour, "tests stand where the behaviour should"
        is_refused = re.fullmatch(r"refused: .{10,}", state) is not None
        assert is_refused or (state.startswith("done") and "`tests/" in shown)


@pytest.mark.parametrize(("number", "shown"), [(row[0], row[3]) for row in ROWS])
def test_the_tests_it_names_exist(number: str, shown: str) -> None:
    path = ""
    names = []
    for named in NAMED.finditer(shown):
        path, function = named[1] or path, named[3]
        names.append(f"{path} {named[0].rpartition('::')[2]}")
        source = ROOT / path
        assert source.is_file(), f"{number}: {path}"
        if function is not None:
            found = re.search(
                rf"(def|class) {function}\b|^{function} = ", text(source), re.MULTILINE
            )
            assert found, f"{number}: {function}"
    assert len(set(names)) == len(names), f"{number} names a test twice"
