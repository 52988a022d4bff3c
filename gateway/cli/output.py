"""What the commands print: results on standard output, complaints and progress on the other."""

import json
import sys
from typing import Any

from rich.console import Console, RenderableType

__all__ = ["complain", "progress", "say", "say_json", "show"]

_out = Console(highlight=False, soft_wrap=True)
_err = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str = "", style: str | None = None) -> None:
    """Print a line for a person on standard output."""
    _out.print(text, style=style, markup=False)


def show(picture: RenderableType) -> None:
    """Print a table or a panel on standard output."""
    _out.print(picture)


def say_json(value: dict[str, Any] | list[Any]) -> None:
    """Print one JSON value as one line on standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def progress(text: str) -> None:
    """Tell on standard error what is going on."""
    _err.print(text, style="dim", markup=False)


def complain(text: str) -> None:
    """Say on standard error, in one line, what is wrong."""
    _err.print(f"voice-gateway: {' '.join(text.split())}", style="red", markup=False)
