"""How every benchmark speaks: a line of JSON with ``--json``, a small table without."""

import argparse
import json
from typing import Any

__all__ = ["options", "report"]


def options(description: str | None, **numbers: float) -> argparse.Namespace:
    """Read the command line: ``--json``, and one option for each number given with its default."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    for name, default in numbers.items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    return parser.parse_args()


def report(name: str, rows: list[dict[str, Any]], target: str, *, as_json: bool) -> None:
    """Print what was measured, beside the figure to reach."""
    if as_json:
        print(json.dumps({"benchmark": name, "target": target, "rows": rows}))
        return
    print(f"{name}  (to reach: {target})")
    for row in rows:
        print("  " + "  ".join(f"{key} {value}" for key, value in row.items()))
