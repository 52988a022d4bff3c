"""How long a caller is without the agent when the connection to the service is lost.

The service is cut off while it speaks, and comes back at once or after an outage.  Each session
speaks in a tone of its own, so that what the caller is sent tells which it is.  `recovered_ms` is
from the loss to the first packet of the second session, less the outage; `without_ms` from the last
packet of the first one; `silent_ms` is the longest stretch of that in which there was no sound at
all, not even that of comfort.  The ratio is of `recovered_ms` to what a bare WebSocket client takes
to connect to the same service and have its session confirmed.

    python benchmarks/bench_reconnect.py
"""

import asyncio
import statistics
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rig.load import run_gateway, said
from rig.outage import TONES, OutageService
from rig.report import options, report

from gateway.testing.bare_phone import BarePhone
from gateway.testing.hearing import tone_share

OUTAGES = (0.0, 1.0, 5.0)  # seconds
FRAME_MS = 20
BEFORE, MOST = 2.0, 20.0  # seconds of speech before the loss, and to wait after it
SILENT = 200  # the largest sample of a frame without sound


@dataclass
class Heard:
    """When each of the sessions was heard, frame by frame, and when anything was."""

    times: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))
    sounds: list[float] = field(default_factory=list)

    async def listen(self, phone: BarePhone) -> None:
        """Note what comes, until the second session was heard."""
        while not self.times[1]:
            frame = await phone.hears(FRAME_MS / 1000, within=MOST)
            now = time.monotonic()
            if np.abs(frame).max() > SILENT:
                self.sounds.append(now)
            for index, frequency in enumerate(TONES):
                if tone_share(frame, frequency, 8000) > 0.8:
                    self.times[index].append(now)


async def once(address: tuple[str, int], service: OutageService, outage: float) -> dict[str, float]:
    """Have one call cut off; returns milliseconds."""
    heard = Heard()
    async with BarePhone(address) as phone:
        assert (await phone.dial()).status == 200
        listening = asyncio.create_task(heard.listen(phone))
        await asyncio.sleep(BEFORE)
        assert heard.times[0], "the first session was not heard"
        lost = await service.cut(outage)
        await asyncio.wait_for(listening, MOST)
        await phone.hang_up()
    last, first = heard.times[0][-1], heard.times[1][0]
    between = [last, *(at for at in heard.sounds if last < at < first), first]
    return {
        "recovered_ms": (first - lost - outage) * 1000,
        "without_ms": (first - last) * 1000,
        "silent_ms": float(np.diff(between).max() * 1000 - FRAME_MS),
        "bare_ms": await service.bare() * 1000,
    }


async def measure(repeats: int) -> list[dict[str, Any]]:
    """Return a row for each outage."""
    rows = []
    for outage in OUTAGES:
        figures = []
        for _ in range(repeats):
            async with OutageService() as service:
                with run_gateway(service.port) as process:
                    port = int(said(process)["sip"].rsplit(":", 1)[1].split(";")[0])
                    figures.append(await once(("127.0.0.1", port), service, outage))
        row = {name: statistics.median(f[name] for f in figures) for name in figures[0]}
        ratio = row["recovered_ms"] / row["bare_ms"]
        rounded = {name: round(value) for name, value in row.items()}
        rows.append({"outage_s": outage, **rounded, "ratio": round(ratio, 1)})
    return rows


if __name__ == "__main__":
    chosen = options(__doc__, repeats=5)
    target = "recovered within 1000 ms of a cut; within the longest back-off, 8 s, of an outage"
    report("reconnect", asyncio.run(measure(chosen.repeats)), target, as_json=chosen.json)
