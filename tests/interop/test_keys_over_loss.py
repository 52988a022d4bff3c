"""Keys by event, by INFO and by sound, where the network really loses datagrams."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.interop

DRIVER = Path(__file__).with_name("lossy_keys.py")
KEYS = "1234567890*#5566ABCD"
RULES = """
table ip loss {{
    chain arriving {{
        type filter hook input priority 0;
        meta l4proto udp numgen random mod 100 < {percent} counter drop
    }}
}}
"""


def keys_through(percent: int, folder: Path) -> dict[str, str]:
    """Press keys in a namespace that loses so many percent of all datagrams on loopback."""
    for program in ("unshare", "nft", "ip"):
        assert shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin"), f"{program} is missing"
    rules = folder / "rules.nft"
    rules.write_text(RULES.format(percent=percent))
    inside = (
        f"ip link set lo up && nft -f {rules} && {sys.executable} {DRIVER} '{KEYS}'"
        " && nft list table ip loss >&2"
    )
    done = subprocess.run(
        ["unshare", "--map-root-user", "--net", "sh", "-c", inside],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    dropped = int(done.stderr.rpartition("packets ")[2].split()[0])
    assert dropped > 50, "the network lost nothing"
    heard: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return heard


def is_within(some: str, whole: str) -> bool:
    """Tell whether the keys of one text come in another, in the same order."""
    keys = iter(whole)
    return all(key in keys for key in some)


def test_no_key_is_missed_or_doubled_where_a_tenth_is_lost(tmp_path: Path) -> None:
    heard = keys_through(10, tmp_path)
    assert heard["rfc4733"] == KEYS
    assert heard["info"] == KEYS
    assert is_within(heard["inband"], KEYS), "a tone was doubled, or taken for another"
    assert len(heard["inband"]) >= 0.8 * len(KEYS)  # nothing tells of a tone but its sound
