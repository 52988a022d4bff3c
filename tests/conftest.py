"""Has every frame of the embedded service kept, and judged when all else is done."""

import os
import tempfile

import pytest
from frame_tap import FOLDER, tap

LAST = "test_sdk_frames.py"


def pytest_configure(config: pytest.Config) -> None:
    folder = tempfile.TemporaryDirectory(prefix="frames-")
    config.add_cleanup(folder.cleanup)
    os.environ[FOLDER] = folder.name
    tap()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name == LAST)
