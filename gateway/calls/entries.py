"""Tools that are Python functions of the writer's own, named ``package.module:function``.

An ordinary function runs in one of a few threads, an ``async`` one on the event loop, which
it must not block.  It gets the arguments by keyword, and the call under ``call`` where it has
a parameter of that name; what it returns becomes JSON.
"""

import asyncio
import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
import structlog

from ..config import CustomTool, Settings
from ..errors import ConfigError
from .delivery import Answer
from .http_post import MOST_BYTES
from .threads import Threads

__all__ = ["Entry", "load_entries"]

_MOST_THREADS: Final = 8  # of one function
_CALL: Final = "call"
_LONGEST: Final = 200  # characters of an exception's own words
_BY_NAME: Final = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_GATHERING: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Entry:
    """A function the model may call, found and known to fit its schema."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self._name = name
        self._function = function
        self._signature = _signature(function)
        self._takes_call = self._signature is not None and _CALL in self._signature.parameters
        is_async = inspect.iscoroutinefunction
        self._is_async = is_async(function) or is_async(getattr(function, "__call__", None))  # noqa: B004
        self._threads = Threads(_MOST_THREADS)
        self._log = structlog.get_logger()

    async def run(
        self, arguments: Mapping[str, Any], call: Mapping[str, Any], seconds: float
    ) -> Answer:
        """Call the function; whatever becomes of it is an answer, within ``seconds``."""
        keywords = {**arguments, **({_CALL: dict(call)} if self._takes_call else {})}
        try:
            if self._signature is not None:
                self._signature.bind(**keywords)
        except TypeError as error:
            return Answer(problem=f"the arguments do not fit: {error}")
        try:
            async with asyncio.timeout(seconds) as bound:
                body = await self._call(keywords)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return self._failed(error)  # the function's own doing
        except (Exception, SystemExit) as error:
            return Answer(problem="it took too long") if bound.expired() else self._failed(error)
        if body is None:
            return Answer(problem="what it returned is not JSON")
        if len(body) > MOST_BYTES:
            return Answer(problem=f"what it returned is longer than {MOST_BYTES} bytes")
        return Answer(200, body)

    async def _call(self, keywords: Mapping[str, Any]) -> bytes | None:
        """Return the result as JSON, or nothing where it cannot be that."""
        if self._is_async:
            return _json(await self._function(**keywords))
        return await self._threads.run(lambda: _json(self._function(**keywords)))

    def _failed(self, error: BaseException) -> Answer:
        told = _words(error)
        self._log.warning("a tool failed", tool=self._name, error=type(error).__name__, told=told)
        return Answer(problem="it failed")


def load_entries(settings: Settings) -> dict[str, Entry]:
    """Import the functions that tools name.

    Raises:
        ConfigError: One cannot be imported, or cannot be called as its schema has it; says
            which, where it was named, and how to mend it.

    """
    entries = {}
    for name, tool in settings.tools.items():
        if not tool.entry:
            continue
        path = ("tools", name, "entry")
        try:
            function = _import(tool.entry)
        except ConfigError as error:
            raise settings.problem(path, str(error)) from error.__cause__
        if problem := _misfit(function, tool):
            raise settings.problem(path, problem)
        entries[name] = Entry(name, function)
    return entries


def _import(entry: str) -> Callable[..., Any]:
    module_name, _, qualified = entry.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        kind = "" if isinstance(error, ImportError) else f"{type(error).__name__}: "
        raise ConfigError(
            f"{module_name} cannot be imported: {kind}{_words(error)}; "
            "mend or install it, or name its folder in PYTHONPATH"
        ) from error
    for part in qualified.split("."):
        if not hasattr(found, part):
            raise ConfigError(f"{module_name} has no {qualified}; name a function that it has")
        found = getattr(found, part)
    if not callable(found):
        raise ConfigError(f"{qualified} of {module_name} is no function; name one")
    function: Callable[..., Any] = found
    return function


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (ValueError, TypeError):  # some functions written in C have none
        return None


def _misfit(function: Callable[..., Any], tool: CustomTool) -> str:
    """Say why the function cannot be called with what the schema lets through, or nothing."""
    signature = _signature(function)
    if signature is None:
        return ""
    takes = signature.parameters.values()
    named = {one.name: one for one in takes if one.kind in _BY_NAME}
    offered, required = tool.parameters.get("properties", {}), tool.parameters.get("required", [])
    for one in takes:
        if one.default is not one.empty or one.kind in _GATHERING or one.name == _CALL:
            continue
        if one.kind not in _BY_NAME:
            return f"takes {one.name!r} by its position alone; have it taken by name"
        if one.name not in required:
            return (
                f"needs {one.name!r}, which parameters does not require; "
                "name it in required, or give it a default"
            )
    unknown = [name for name in offered if name not in named]
    if unknown and not any(one.kind is inspect.Parameter.VAR_KEYWORD for one in takes):
        return f"takes no {unknown[0]!r}, which parameters offers; add it, or remove it there"
    if _CALL in offered and _CALL in named:
        return f"{_CALL!r} is the call itself, and no parameter of the model's; rename that"
    return ""


def _json(value: Any) -> bytes | None:
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None


def _words(error: BaseException) -> str:
    return " ".join(str(error).split())[:_LONGEST]
