"""An MCP server as a session names it: where it is, what may be used of it, who must agree."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .checks import Check, Refused, anything, choice, either, flag, list_of, optional, record, text

__all__ = ["MCP_TOOL", "McpServer", "read_server"]

_MOST_HEADERS: Final = 32


def _headers(value: Any, path: str) -> dict[str, str]:
    """Accept an object of strings."""
    fits = isinstance(value, dict) and len(value) <= _MOST_HEADERS
    if not fits or not all(isinstance(each, str) for each in value.values()):
        told = f"Invalid '{path}': expected at most {_MOST_HEADERS} pairs of strings."
        raise Refused("invalid_value", told, path)
    return dict(value)


_FILTER: Final = record({"tool_names": list_of(text, most=128), "read_only": flag})
MCP_TOOL: Final[Check] = record(
    {
        "type": text,
        "server_label": text,
        "server_url": text,
        "connector_id": text,
        "tunnel_id": text,
        "server_description": text,
        "authorization": optional(text),
        "headers": optional(_headers),
        "allowed_tools": optional(either(_FILTER, list_of(text, most=128))),
        "require_approval": optional(
            either(record({"always": _FILTER, "never": _FILTER}), choice("always", "never"))
        ),
        "allowed_callers": optional(anything),
        "defer_loading": optional(flag),
    },
    required=("server_label",),
)


@dataclass(frozen=True, slots=True)
class McpServer:
    """One server.

    Attributes:
        label: What the session calls it.
        url: Its streamable-HTTP endpoint; empty where it is not named by its address.
        headers: What is sent along, secrets among it.
        allowed: Which of its tools may be used: a filter, or ``None`` for all.
        approval: ``always``, ``never``, or filters under these names.

    """

    label: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    allowed: Any = None
    approval: Any = "always"

    def allows(self, tool: Mapping[str, Any]) -> bool:
        """Whether a tool of the server may be used."""
        return self.allowed is None or _matches(self.allowed, tool)

    def needs_approval(self, tool: Mapping[str, Any]) -> bool:
        """Whether the client must agree to a call before it is made."""
        if isinstance(self.approval, str):
            return self.approval == "always"
        never, always = self.approval.get("never"), self.approval.get("always")
        if never is not None and _matches(never, tool):
            return False
        return always is None or _matches(always, tool)


def read_server(tool: Mapping[str, Any]) -> McpServer:
    """Return the server that a checked tool of type ``mcp`` names."""
    headers = dict(tool.get("headers") or {})
    if token := tool.get("authorization"):
        headers["Authorization"] = f"Bearer {token}"
    allowed = tool.get("allowed_tools")
    if isinstance(allowed, list):
        allowed = {"tool_names": allowed}
    return McpServer(
        label=tool["server_label"],
        url=tool.get("server_url", ""),
        headers=headers,
        allowed=allowed,
        approval=tool.get("require_approval") or "always",
    )


def _matches(wanted: Mapping[str, Any], tool: Mapping[str, Any]) -> bool:
    names, read_only = wanted.get("tool_names"), wanted.get("read_only")
    if names is not None and tool["name"] not in names:
        return False
    hints = tool.get("annotations") or {}
    return read_only is None or bool(hints.get("readOnlyHint")) == read_only
