"""The command line: `voice-gateway demo | serve | embedded | call | check | events`.

Exit codes: 0 done, 1 failed, 2 bad usage or configuration (one line: what, where, how to mend).
"""

import sys

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
app.command("gateway.cli.demo:demo", name="demo")
app.command("gateway.cli.serve:serve", name="serve")
app.command("gateway.cli.embedded:embedded", name="embedded")
app.command("gateway.cli.call:call", name="call")
app.command("gateway.cli.check:check", name="check")
app.command("gateway.cli.events:events", name="events")


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
    return result if isinstance(result, int) else 0
