"""The command line: `voice-gateway demo | serve | embedded | call | check | report | calls | …`.

Exit codes: 0 done, 1 failed, 2 bad usage or configuration (one line: what, where, how to mend).
"""

import sys
from typing import Final

import structlog
from cyclopts import App, CycloptsError

from .. import __version__
from ..errors import ConfigError, GatewayError
from .output import complain

__all__ = ["app", "main"]

app = App(
    name="voice-gateway",
    help="Answer phone calls with a realtime speech service, and act on what it says.",
    version=__version__,
    version_flags=["--version"],
)

_COMMANDS: Final = {
    "demo": "Gateway and embedded service on this machine; --self-test proves the whole call.",
    "serve": "The gateway.",
    "embedded": "The embedded realtime service alone.",
    "call": "A softphone for scripts.",
    "check": "Validate the configuration, reach every neighbour, draw rules and menus.",
    "report": "Draw one call: voices, barge-ins, keys, actions and waits on one axis of time.",
    "replay": "Run a call's timeline through today's configuration; show the first difference.",
    "calls": "Calls that are over, out of the database or a running gateway.",
    "events": "The service's 47 events and what is done about each.",
}
for _name, _help in _COMMANDS.items():
    app.command(f"gateway.cli.{_name}:{_name}", name=_name, help=_help)


def main() -> None:
    """Run the command line and exit; no traceback ever reaches the user."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    try:
        result = app(
            arguments, exit_on_error=False, print_error=False, result_action="return_value"
        )
    except (CycloptsError, ConfigError) as error:
        complain(str(error))
        return 2
    except (GatewayError, OSError) as error:
        complain(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        structlog.get_logger().debug("fault inside the gateway", exc_info=True)
        complain(f"fault inside the gateway: {type(error).__name__}: {error}")
        return 1
    return result if isinstance(result, int) else 0
