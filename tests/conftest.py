"""Keeps the frames of the embedded service, judged last; gives each test a log of its own."""

import os
import tempfile
from collections.abc import Iterator

import pytest
import structlog
from frame_tap import FOLDER, tap

LAST = "test_sdk_frames.py"


def pytest_configure(config: pytest.Config) -> None:
    folder = tempfile.TemporaryDirectory(prefix="frames-")
    config.add_cleanup(folder.cleanup)
    os.environ[FOLDER] = folder.name
    tap()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name == LAST)


@pytest.fixture(autouse=True)
def log() -> Iterator[None]:
    """Have a command that a test ran in this process leave its way of logging to nobody else."""
    yield
    structlog.reset_defaults()
