"""The fuzz targets: every seed, and some seconds of new inputs; `tests/fuzz/run` does more."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.errors import GatewayError

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

from targets import TARGETS  # noqa: E402 - the folder is no package

SEEDS = sorted(HERE.glob("corpus/*/*"))
SECONDS = "6"  # for all of them at once


def test_every_target_has_seeds_and_every_seed_a_target() -> None:
    assert {seed.parent.name for seed in SEEDS} == {*TARGETS}


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"{seed.parent.name}/{seed.name}")
def test_a_seed_is_read_or_refused(seed: Path) -> None:
    with contextlib.suppress(GatewayError):
        TARGETS[seed.parent.name](seed.read_bytes())


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fuzz every target for a little, all at once, and return the folder of what was told."""
    pytest.importorskip("atheris", reason="the fuzzer has no wheel for this Python or machine")
    folder = tmp_path_factory.mktemp("findings")
    subprocess.run(
        [sys.executable, str(HERE / "harness.py"), SECONDS, str(folder), *TARGETS],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'codecs'}"},
        timeout=120, check=False,
    )  # fmt: skip
    return folder


@pytest.mark.parametrize("target", TARGETS)
def test_new_inputs_break_nothing(logs: Path, target: str) -> None:
    told = (logs / f"{target}.log").read_text(errors="replace")
    assert "stat::number_of_executed_units" in told, told[-3000:]
    assert not [*(logs / target).glob("crash-*"), *(logs / target).glob("timeout-*")], told[-3000:]
