"""The public test kit: call flows in virtual time, lossy networks, and ears that measure.

What a user of the gateway tests a configuration with stands here; see ``docs/testing.md``.

Example:
    ::

        flow = Flow.of("gateway.toml")
        flow.start()
        flow.hear("For sales, press 1")
        flow.press("1")
        flow.hear("You have reached sales")

"""

from .flow import Flow
from .scripted_service import EPOCH, FunctionCall, Reply, ScriptedService
from .virtual_time import VirtualLoop, run

__all__ = ["EPOCH", "Flow", "FunctionCall", "Reply", "ScriptedService", "VirtualLoop", "run"]
