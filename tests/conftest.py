"""Keeps the frames of the embedded service, judged last; gives each test a log of its own.

Processes that share one run (`pytest -n 2`) keep the frames together, and whoever judges them
waits for the others to be done.
"""

import gc
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from frame_tap import FOLDER, tap
from hypothesis import settings
from turns import Attendance

LAST = "test_sdk_frames.py"
_TURNS = "VOICE_GATEWAY_TEST_TURNS"
_attendance = pytest.StashKey[Attendance]()

settings.register_profile("untimed", deadline=None)  # a machine may be as slow as it likes
settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # what starts the others, if there are any
        for name in (FOLDER, _TURNS):
            folder = tempfile.TemporaryDirectory(prefix="tests-")
            config.add_cleanup(folder.cleanup)
            os.environ[name] = folder.name
    tap()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the tests that wait the most run first, so that they end together with the others."""
    items.sort(key=lambda item: (item.path.name == LAST, item.path.parent.name != "interop"))


def pytest_sessionstart(session: pytest.Session) -> None:
    if hasattr(session.config, "workerinput"):
        session.stash[_attendance] = Attendance(Path(os.environ[_TURNS]))


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _attendance in session.stash:
        session.stash[_attendance].leave()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.path.name == LAST and _attendance in item.session.stash:
        item.session.stash[_attendance].outstay()


@pytest.fixture(autouse=True)
def log() -> Iterator[None]:
    """Have a command that a test ran in this process leave its way of logging to nobody else."""
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True, scope="module")
def collector() -> Iterator[None]:
    """Take back what a gateway in this process has set for its clock: what is over shall go."""
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()
    gc.collect()
