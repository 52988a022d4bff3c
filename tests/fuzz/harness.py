"""Fuzzes targets for some seconds: our typed error or a result, and never over 250 ms.

    python tests/fuzz/harness.py SECONDS FINDINGS TARGET…

All targets at once, each a process of its own.  Inputs that broke something, or reached new code,
go into the folder FINDINGS/TARGET, what the fuzzer tells into FINDINGS/TARGET.log.  Ends with 0
only if nothing broke.
"""

import contextlib
import os
import sys
import time
from pathlib import Path
from typing import Final

import atheris

with atheris.instrument_imports(include=["gateway.sip", "gateway.sdp", "gateway.rtp"]):
    from targets import TARGETS

    from gateway.errors import GatewayError

HERE: Final = Path(__file__).parent
CORPUS: Final = HERE / "corpus"
PATIENCE: Final = 0.250  # seconds of CPU for one input
LARGEST: Final = 16_384  # bytes


class TooSlowError(Exception):
    """An input took longer than PATIENCE."""


def fuzz(name: str, seconds: str, findings: Path) -> None:
    """Fuzz one target until time is up, or something breaks; this ends the process."""
    target = TARGETS[name]

    def attempt(data: bytes) -> None:
        start = time.thread_time()
        with contextlib.suppress(GatewayError):
            target(data)
        took = time.thread_time() - start
        if took > PATIENCE:
            raise TooSlowError(f"{took:.3f} s")

    options = [
        f"-max_total_time={seconds}",
        f"-max_len={LARGEST}",
        f"-dict={HERE / 'words.dict'}",
        f"-artifact_prefix={findings}/",
        "-rss_limit_mb=1024",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(findings), str(CORPUS / name)], attempt)
    atheris.Fuzz()


def main(seconds: str, folder: str, *names: str) -> int:
    """Fuzz each target in a process of its own, and return how many broke."""
    children = []
    for name in names:
        findings = Path(folder).resolve() / name
        findings.mkdir(parents=True, exist_ok=True)
        child = os.fork()
        if not child:
            log = os.open(f"{findings}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            os.dup2(log, 1)
            os.dup2(log, 2)
            fuzz(name, seconds, findings)
        children.append(child)
    return sum(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0 for child in children)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
