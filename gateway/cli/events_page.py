"""The page docs/events.md, written from the table that the controller dispatches by."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from ..control.event_table import EVENT_TABLE, MADE_HERE, OWN_TABLE, PARTS
from ..control.events import OWN_EVENTS
from ..realtime.events import PREVIEW_ALIASES, SERVER_EVENTS, TRANSPORTS

__all__ = ["LINKS", "events_page"]

LINKS: Final = ("websocket", "webrtc", "sip")
_OLD_NAMES: Final[Mapping[str, str]] = {name: old for old, name in PREVIEW_ALIASES.items()}
# Headings, and the beginnings of the names below them; the first that fits is taken.
_GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "Sessions, errors and limits": (
        "error",
        "session.",
        "transcription_session.",
        "rate_limits.",
    ),
    "The conversation": ("conversation.",),
    "The caller": ("input_audio_buffer.",),
    "What the caller hears": ("output_audio_buffer.",),
    "Tools at MCP servers": ("mcp_list_tools.", "response.mcp_call"),
    "Answers": ("response.",),
}
_INTRO: Final = """\
# Events

What can happen to a call, and what the gateway does about it. `voice-gateway events` prints these
tables, `voice-gateway events --json` the service's events as data. This page is written by
`voice-gateway events --markdown`, from the table that the controller dispatches by.

An event is taken by the parts named, in that order; then the first of your `[[rules]]` that fits
is carried out. A rule comes on top of what the parts do, except where the last column says
"rules; else": there it comes in its place. Any name on this page may stand in a rule's `on`:

```toml
[[rules]]
on = "conversation.item.input_audio_transcription.failed"
count = 3
do = [{ say = "The line is bad. I will put you through to somebody." }, { transfer = "operator" }]
```

**Links** are where the service sends an event: on a `websocket`, over `webrtc`, or beside a call
that it holds itself (`sip`). "Made here" is where the gateway makes the same event, because the
service does not send it there: rules need not know which link a call has. Names of the preview
protocol are read as the present ones.
"""
_OWN: Final = """\
## The gateway's own events

What the caller's side, the link and the playout tell. They are the same on every link.
"""
_PARTS: Final = """\
## The parts

Who "handled by" means. Each owns one concern of a call, and its state.
"""
_REST: Final = """\
## Anything else

An event newer than this gateway, or one that cannot be read, is kept in the call's timeline,
logged and counted. It never ends a call.
"""


def events_page() -> str:
    """Return the page as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _INTRO
    yield f"## The service's {len(EVENT_TABLE)} events"
    for heading in _GROUPS:
        names = [name for name in EVENT_TABLE if _group_of(name) == heading]
        yield f"\n### {heading}\n"
        rows = (
            (
                _named(name),
                _meaning(SERVER_EVENTS[name]),
                _links(name),
                EVENT_TABLE[name].handler,
                EVENT_TABLE[name].default,
            )
            for name in names
        )
        yield from _table(("event", "means", "links", "handled by", "by default"), rows)
    yield f"\n{_OWN}"
    own = (
        (f"`{name}`", _meaning(OWN_EVENTS[name]), handling.handler, handling.default)
        for name, handling in OWN_TABLE.items()
    )
    yield from _table(("event", "means", "handled by", "by default"), own)
    yield f"\n{_PARTS}"
    yield from _table(("part", "does"), PARTS.items())
    yield f"\n{_REST.rstrip()}"


def _group_of(name: str) -> str:
    return next(heading for heading, starts in _GROUPS.items() if name.startswith(starts))


def _named(name: str) -> str:
    """Return an event's name, and the one it had in the preview protocol."""
    old = _OLD_NAMES.get(name)
    return f"`{name}`" + (f"; preview: `{old}`" if old else "")


def _links(name: str) -> str:
    is_everywhere = TRANSPORTS[name] == frozenset(LINKS)
    sent = "all" if is_everywhere else ", ".join(one for one in LINKS if one in TRANSPORTS[name])
    made = ", ".join(link for link in LINKS if link in MADE_HERE.get(name, ()))
    return f"{sent}; made here: {made}" if made else sent


def _meaning(event: type) -> str:
    """Return the first sentence that an event's type says about itself."""
    return (event.__doc__ or "").strip().splitlines()[0].rstrip(".").replace("``", "`")


def _table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield f"|{' --- |' * len(headings)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
