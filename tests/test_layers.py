"""Imports point down: a module may use its own floor's parts and every floor below."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# From the ground up.  Names on one line stand side by side and may not meet.
FLOORS = [
    {"gateway.errors", "gateway.clock", "gateway.signing", "gateway.config", "gateway.seldom"},
    {"voicecodecs"},
    {"gateway.sip", "gateway.rtp", "gateway.sdp"},
    {"gateway.media", "gateway.rtc"},
    {"gateway.legs", "gateway.realtime"},
    {"gateway.control"},
    {"gateway.calls"},
    {"gateway.ops"},
    {"gateway.http", "gateway.embedded"},
    {"gateway.cli", "gateway.app"},
]
HEIGHT = {name: height for height, names in enumerate(FLOORS) for name in names}

# The foundations may see each other; the two floors of glue are one storey each.
NEIGHBOURS = {
    "gateway.signing": {"gateway.errors"},
    "gateway.config": {"gateway.errors", "gateway.signing"},
    "gateway.cli": {"gateway.app"},
}

# The rooms of SIP, from the ground up; between rooms too imports only point down.
SIP_ROOMS = (
    ("flow", "deadline", "alarms"),
    ("wire",),
    ("transactions",),
    ("credentials",),
    ("admission",),
    ("ways", "guard"),
    ("dialogs",),
    ("duties",),
    ("agent",),
    ("transport",),
)

# Call control is pure: of what lies below it, it knows only the words the service speaks.
CONTROL_MAY_USE = (
    "gateway.errors",
    "gateway.clock",
    "gateway.config",
    "gateway.control",
    "gateway.realtime.events",
    "gateway.realtime.commands",
)

SANS_IO = ("gateway/sip", "gateway/rtp", "gateway/sdp", "gateway/control")
OUTSIDE_WORLD = {"asyncio", "socket", "threading", "time", "random", "secrets", "logging"}

SOURCES = sorted([*ROOT.glob("gateway/**/*.py"), *ROOT.glob("codecs/**/*.py")])


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts[1:] if parts[0] == "codecs" else parts
    return ".".join(part for part in parts if part != "__init__")


def part_of(module: str) -> str | None:
    """Return the entry of FLOORS that holds ``module``."""
    return max((n for n in HEIGHT if f"{module}.".startswith(f"{n}.")), key=len, default=None)


def imports(path: Path) -> list[str]:
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            stem = ".".join((*base, *filter(None, [node.module])))
            found += [f"{stem}.{alias.name}" for alias in node.names]
    return found


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_imports_point_downwards(path: Path) -> None:
    here = part_of(module_name(path))
    if here is None:
        return
    for module in imports(path):
        there = part_of(module)
        if there is None or there == here or there in NEIGHBOURS.get(here, ()):
            continue
        assert HEIGHT[there] < HEIGHT[here], f"{here} must not import {module}"


@pytest.mark.parametrize("path", sorted(ROOT.glob("gateway/control/**/*.py")), ids=relative)
def test_call_control_knows_only_words(path: Path) -> None:
    for module in imports(path):
        if module.startswith("gateway."):
            assert module.startswith(CONTROL_MAY_USE), f"call control must not import {module}"


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_protocols_hold_no_socket_clock_or_chance(path: Path) -> None:
    name = relative(path)
    if not name.startswith(SANS_IO) or "/transport/" in name:
        return
    used = {module.split(".")[0] for module in imports(path)} & OUTSIDE_WORLD
    assert not used, f"{name} is sans-I/O and must not import {sorted(used)}"


def test_every_package_stands_on_a_floor() -> None:
    packages = {f"gateway.{p.parent.name}" for p in ROOT.glob("gateway/*/__init__.py")}
    assert packages - {"gateway.testing"} <= set(HEIGHT)


@pytest.mark.parametrize("path", sorted(ROOT.glob("gateway/sip/**/*.py")), ids=relative)
def test_within_sip_imports_point_downwards(path: Path) -> None:
    storeys = {name: storey for storey, names in enumerate(SIP_ROOMS) for name in names}

    def room(module: str) -> str:
        return f"{module}.".removeprefix("gateway.sip.").partition(".")[0]

    here = room(module_name(path))
    for found in imports(path):
        there = room(found) if found.startswith("gateway.sip.") else here
        assert there == here or storeys[there] < storeys[here], f"{here} imports {found}"
