"""sipp as the caller: how many calls came to what, and how long their set-up took."""

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["Placed", "place_calls", "sipp"]


@dataclass
class Placed:
    """What became of a load of calls.

    Attributes:
        successful: calls that went from INVITE to the answer to BYE as they should.
        failed: all others.
        setup_ms: INVITE → 200 of each call, in ms.

    """

    successful: int
    failed: int
    setup_ms: NDArray[np.float64]


def sipp(*options: str, core: int | None = None) -> list[str]:
    """Return the command that runs sipp on loopback, on one core if asked."""
    program = shutil.which("sipp")
    if program is None:
        raise SystemExit("sipp is missing: apt-get install sip-tester")
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    return [*pinned, program, "-i", "127.0.0.1", "-mi", "127.0.0.1", "-nostdin", *options]


def place_calls(port: int, count: int, rate: float, *, core: int | None = None) -> Placed:
    """Place calls by sipp's own caller, each hung up as soon as it is answered."""
    with tempfile.TemporaryDirectory() as folder:
        options = [
            "-sn", "uac", "-s", "demo", "-m", str(count), "-r", str(rate), "-d", "0",
            "-trace_rtt", "-rtt_freq", "1", "-trace_stat", "-timeout", "120s",
        ]  # fmt: skip
        command = sipp(*options, f"127.0.0.1:{port}", core=core)
        subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=150)
        (stats,) = Path(folder).glob("uac_*_.csv")
        names, *lines = stats.read_text().splitlines()
        last = dict(zip(names.split(";"), lines[-1].split(";"), strict=False))
        times = [
            float(line.split(";")[1])
            for path in Path(folder).glob("uac_*_rtt.csv")
            for line in path.read_text().splitlines()[1:]
        ]
    return Placed(int(last["SuccessfulCall(C)"]), int(last["FailedCall(C)"]), np.array(times))
