"""Runs `voice-gateway` with the frames of its embedded service kept: see tests/frame_tap.py."""

import sys
from pathlib import Path


def main() -> None:
    sys.path[0] = str(Path(__file__).parents[1])
    from frame_tap import tap

    from gateway.cli import main as run

    tap()
    run()


if __name__ == "__main__":
    main()
