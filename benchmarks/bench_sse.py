"""Fan-out of `/v1/events` to 50 viewers: CPU for each event of each viewer, and how late they come.

The reference is the plain way to do it with aiohttp, in the same run: for each viewer a queue, and
a loop that encodes each notice and writes it.

    python benchmarks/bench_sse.py
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
from aiohttp import web
from rig.report import report

from gateway.calls.registry import CallRecord, Registry
from gateway.cli.serve import run_loop
from gateway.control.events import CallStarted
from gateway.control.timeline import Timeline, TimelineEntry
from gateway.http import Access, EventsDoor, HttpServer, Keyring, News, Role
from gateway.realtime.events import InputAudioBufferDtmfEventReceived

KEYRING = Keyring([], b"of the benchmark alone, and no secret")
BEAT = 0.01  # seconds between handfuls of notices
SETTLE = 1.0


def key(number: int) -> TimelineEntry:
    """Return a key as a call's timeline has it."""
    event = InputAudioBufferDtmfEventReceived(event=str(number % 10), received_at=0)
    return Timeline().add_event(time.monotonic(), event)


async def pace(rate: int, seconds: float, tell: Callable[[int], None]) -> tuple[int, float]:
    """Tell so many notices a second; return how many there were and the CPU seconds they took."""
    before, begun, sent = time.process_time(), time.monotonic(), 0
    while (now := time.monotonic()) < begun + seconds:
        for _ in range(int((now - begun) * rate) - sent):
            tell(sent)
            sent += 1
        await asyncio.sleep(BEAT)
    await asyncio.sleep(SETTLE)
    return sent, time.process_time() - before


async def serve_ours(ready: Callable[[str], Awaitable[None]], rate: int, seconds: float) -> Any:
    """Tell keys of a call by the gateway's own news."""
    registry = Registry(1)
    news = News(lambda: registry, epoch="b")
    registry.audience.add(news)
    door = EventsDoor(news, registry)
    access = Access(KEYRING, is_open_here=False)
    server = HttpServer([door], host="127.0.0.1", port=0, access=access)
    await server.start()
    news.call_began(CallRecord("c", "ann", "demo", 0.0, "talking", 0.0))
    start = Timeline().add_event(time.monotonic(), CallStarted("c", "ann", "demo"))
    news.call_told("c", start)
    await ready(f"{server.url}v1/events {start.at}")

    def tell(number: int) -> None:
        entry = key(number)
        entry.sources = ["rfc4733"]
        news.call_told("c", entry)

    done = await pace(rate, seconds, tell)
    news.close()
    await server.close()
    return done


async def serve_plain(ready: Callable[[str], Awaitable[None]], rate: int, seconds: float) -> Any:
    """Tell the same by a loop for each viewer."""
    queues: set[asyncio.Queue[dict[str, Any]]] = set()
    start = time.monotonic()

    async def follow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        queues.add(queue)
        try:
            while True:
                notice = await queue.get()
                await response.write(f"id: {notice['n']}\ndata: {json.dumps(notice)}\n\n".encode())
        finally:
            queues.discard(queue)

    app = web.Application()
    app.router.add_get("/", follow)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await ready(f"http://127.0.0.1:{runner.addresses[0][1]}/ {start}")

    def tell(number: int) -> None:
        at = round(time.monotonic() - start, 3)
        told = {"type": "key", "call_id": "c", "at": at, "key": "5", "source": "rfc4733"}
        for queue in queues:
            queue.put_nowait(told | {"n": number})

    done = await pace(rate, seconds, tell)
    await runner.cleanup()
    return done


async def watch(url: str, viewer: str, start: float, late: list[float]) -> int:
    """Read a stream to its end; return how many keys came, and note how late some were.

    Each viewer is somebody else: one visitor has a few places only.
    """
    token = KEYRING.make(viewer, Role.VIEWER, int(time.time()) + 600)
    host, _, rest = url.removeprefix("http://").partition("/")
    name, port = host.split(":")
    reader, writer = await asyncio.open_connection(name, int(port))
    head = f"GET /{rest} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"
    writer.write(head.encode())
    count = 0
    while piece := await reader.read(65_536):
        now = time.monotonic()
        count += piece.count(b'"type":"key"') + piece.count(b'"type": "key"')
        at = piece.rfind(b'"at":')
        if at >= 0 and (end := piece.find(b",", at)) > 0:
            late.append(now - start - float(piece[at + 5 : end]))
    writer.close()
    return count


async def measure(kind: str, viewers: int, rate: int, seconds: float) -> dict[str, Any]:
    """Have a process of its own serve, and watch it by so many connections."""
    command = [sys.executable, __file__, "--serve", kind]
    command += ["--rate", str(rate), "--seconds", str(seconds)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    assert process.stdin is not None
    assert process.stdout is not None
    url, start = (await process.stdout.readline()).decode().split()
    late: list[float] = []
    watching = [
        asyncio.create_task(watch(url, f"viewer {number}", float(start), late))
        for number in range(viewers)
    ]
    await asyncio.sleep(SETTLE)
    process.stdin.write(b"go\n")
    counts = await asyncio.gather(*watching)
    sent, cpu = json.loads(await process.stdout.readline())
    await process.wait()
    return {
        "way": kind,
        "viewers": viewers,
        "notices_per_second": round(sent / seconds),
        "missed": sent * viewers - sum(counts),
        "cpu_percent": round(cpu / seconds * 100, 1),
        "us_per_event_and_viewer": round(cpu / (sent * viewers) * 1e6, 2),
        "late_ms_median": round(float(np.median(late)) * 1000, 1),
        "late_ms_p99": round(float(np.percentile(late, 99)) * 1000, 1),
    }


async def serve(kind: str, rate: int, seconds: float) -> int:
    async def ready(where: str) -> None:
        print(where, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)

    run = {"gateway": serve_ours, "plain": serve_plain}[kind]
    print(json.dumps(await run(ready, rate, seconds)), flush=True)
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--serve", choices=("gateway", "plain"), help=argparse.SUPPRESS)
    parser.add_argument("--viewers", type=int, default=50)
    parser.add_argument("--rate", type=int, default=300, help="notices a second")
    parser.add_argument("--seconds", type=float, default=5.0)
    chosen = parser.parse_args()
    if chosen.serve:
        run_loop(lambda: serve(chosen.serve, chosen.rate, chosen.seconds))
    else:
        rows = [
            asyncio.run(measure(kind, chosen.viewers, chosen.rate, chosen.seconds))
            for kind in ("gateway", "plain")
        ]
        costs = [row["us_per_event_and_viewer"] for row in rows]
        rows.append({"ratio": round(costs[0] / costs[1], 2)})
        report("sse", rows, "nothing missed, half of the plain way's CPU", as_json=chosen.json)
