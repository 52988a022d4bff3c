"""A thousand calls that are up and say nothing: CPU and memory of the SIP side alone.

The dialogs have session timers running and no sound.  The reference is the same process before
the first call.

    python benchmarks/bench_idle_dialogs.py
"""

import subprocess
import time

from rig.load import cpu_seconds, memory_mb, run_part, said
from rig.report import options, report
from rig.sipp import sipp

if __name__ == "__main__":
    chosen = options(__doc__, dialogs=1000, seconds=20.0, rate=200.0)
    coming = chosen.dialogs / chosen.rate
    with run_part("rig.dialogs") as side:
        port = said(side)["port"]
        time.sleep(1.0)
        empty_mb, before = memory_mb(side.pid), cpu_seconds(side.pid)
        time.sleep(chosen.seconds)
        idle = cpu_seconds(side.pid) - before
        up_for = int((coming + chosen.seconds + 4.0) * 1000)
        load = ["-m", str(chosen.dialogs), "-l", str(chosen.dialogs), "-r", str(chosen.rate)]
        command = sipp("-sn", "uac", *load, "-d", str(up_for), "-timeout", "120s")
        command.append(f"127.0.0.1:{port}")
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as far:
            time.sleep(coming + 3.0)
            full_mb, before = memory_mb(side.pid), cpu_seconds(side.pid)
            time.sleep(chosen.seconds)
            busy = cpu_seconds(side.pid) - before
            status = far.wait(60)
    row = {
        "dialogs": chosen.dialogs,
        "sipp_status": status,
        "cpu_percent": round(busy / chosen.seconds * 100, 2),
        "cpu_percent_empty": round(idle / chosen.seconds * 100, 2),
        "memory_kb_per_dialog": round((full_mb - empty_mb) * 1000 / chosen.dialogs, 1),
    }
    report("idle dialogs", [row], "none stated", as_json=chosen.json)
