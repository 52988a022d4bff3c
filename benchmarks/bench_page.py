"""Loading the page: the time to fetch it and all it is made of, and such pages a second.

A page is always all of its files; ``us_per_page`` is the server's CPU time for them.  The reference
is aiohttp's own static files, the same ones, in the same run.

    python benchmarks/bench_page.py
"""

import argparse
import asyncio
import json
import re
import sys
import time
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np
from aiohttp import ClientSession, TCPConnector, web
from rig.report import report

from gateway.cli.serve import run_loop
from gateway.http import Access, HttpServer, Keyring, PageDoor

FOLDER: Final = Path(str(files("gateway.http").joinpath("pages")))
NAMED: Final = re.compile(
    r"""(?:src|href|from|import)\s*[=(]?\s*["']\.?/?(?:pages/)?([\w-]+\.\w+)["']"""
)
AT_ONCE: Final = 6  # connections, as browsers have to one server


def parts(name: str = "index.html") -> list[str]:
    """Return the files of a page, itself first, as far as they name each other."""
    found, waiting = [], [name]
    while waiting:
        one = waiting.pop(0)
        if one in found or not (FOLDER / one).is_file():
            continue
        found.append(one)
        if one.endswith((".html", ".js", ".css")):
            waiting += NAMED.findall((FOLDER / one).read_text())
    return found


async def serve(kind: str) -> int:
    """Serve until somebody closes our input; say where, and at last the CPU seconds."""
    if kind == "gateway":
        access = Access(Keyring([], b""), is_open_here=False)
        server = HttpServer([PageDoor()], host="127.0.0.1", port=0, access=access)
        await server.start()
        print(f"{server.url} {server.url}pages/", flush=True)
    else:
        app = web.Application()
        app.router.add_static("/", FOLDER)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        print(f"{url}index.html {url}", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    before = time.process_time()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    print(time.process_time() - before, flush=True)
    return 0


async def load(page: str, pieces: list[str]) -> tuple[float, int]:
    """Load the page and then its parts, as a browser that was never here; return ms and bytes."""

    async def fetch(url: str) -> int:
        async with http.get(url) as answer:
            assert answer.status == 200, url
            return len(await answer.read())

    async with ClientSession(connector=TCPConnector(limit=AT_ONCE)) as http:
        begun = time.perf_counter()
        count = await fetch(page)
        count += sum(await asyncio.gather(*(fetch(piece) for piece in pieces)))
        return (time.perf_counter() - begun) * 1000, count


async def hurry(page: str, pieces: list[str], seconds: float) -> int:
    """Load the page whole again and again by twenty connections; return how often."""
    async with ClientSession(connector=TCPConnector(limit=20)) as http:
        end = time.monotonic() + seconds

        async def again() -> int:
            count = 0
            while time.monotonic() < end:
                for part in (page, *pieces):
                    async with http.get(part) as answer:
                        assert answer.status == 200, part
                        await answer.read()
                count += 1
            return count

        return sum(await asyncio.gather(*(again() for _ in range(20))))


async def measure(kind: str, loads: int, seconds: float) -> dict[str, Any]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--serve", kind, stdin=pipe, stdout=pipe
    )
    assert process.stdin is not None
    assert process.stdout is not None
    page, folder = (await process.stdout.readline()).decode().split()
    pieces = [folder + part for part in parts()[1:]]
    taken = [await load(page, pieces) for _ in range(loads + 1)][1:]
    process.stdin.write(b"begin\n")
    count = await hurry(page, pieces, seconds)
    process.stdin.write(b"end\n")
    cpu = json.loads(await process.stdout.readline())
    await process.wait()
    times = [ms for ms, _ in taken]
    return {
        "way": kind,
        "files": len(pieces) + 1,
        "kilobytes": round(taken[0][1] / 1000),
        "load_ms_median": round(float(np.median(times)), 1),
        "load_ms_p95": round(float(np.percentile(times, 95)), 1),
        "pages_per_second": round(count / seconds, 1),
        "us_per_page": round(cpu / count * 1e6),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--serve", choices=("gateway", "static"), help=argparse.SUPPRESS)
    parser.add_argument("--loads", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=3.0)
    chosen = parser.parse_args()
    if chosen.serve:
        run_loop(lambda: serve(chosen.serve))
    else:
        rows = [
            asyncio.run(measure(kind, chosen.loads, chosen.seconds))
            for kind in ("gateway", "static")
        ]
        ratio = round(rows[0]["us_per_page"] / rows[1]["us_per_page"], 2)
        report("page", [*rows, {"ratio": ratio}], "<= static files", as_json=chosen.json)
