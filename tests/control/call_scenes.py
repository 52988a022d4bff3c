"""Calls to begin a test from, and what to ask of them."""

from gateway.config import Settings
from gateway.control import CallState, HangUp, Reject
from gateway.realtime.commands import ResponseCreate
from gateway.testing.flow import Flow
from gateway.testing.scripted_service import FunctionCall, Reply

HOURS = "We are open from nine to five on every day of the week"
TARGETS = {"operator": "sip:operator@pbx.example"}
DTMF = "input_audio_buffer.dtmf_event_received"
NO_RETURN = {"reconnect_seconds": 0}  # a service that is lost is not tried again
TIMEOUT = "input_audio_buffer.timeout_triggered"


def settings(**tables: object) -> Settings:
    return Settings(**{"targets": TARGETS, **tables})  # type: ignore[arg-type]


def talking(plan: Settings | None = None, *replies: Reply, settle: float = 2.0) -> Flow:
    """Return a call whose greeting (one second of speech) was heard."""
    flow = Flow(plan or settings())
    flow.service.replies.extend([Reply(), *replies])
    flow.start()
    flow.run(settle)
    return flow


def state(flow: Flow) -> CallState:
    return flow.controller.state


def said(flow: Flow) -> list[str]:
    """Return the texts the service was asked to say word for word."""
    return flow.said


def call_of(name: str, arguments: str = "{}", call_id: str = "call-1") -> FunctionCall:
    return FunctionCall(name, arguments, call_id)


def asked(flow: Flow, session: int = -1) -> list[ResponseCreate]:
    """Return what a session was asked to say."""
    return [c for c in flow.service.sessions[session] if isinstance(c, ResponseCreate)]


def assert_alive(flow: Flow) -> None:
    """Assert that the caller is here and being served."""
    assert state(flow) is CallState.TALKING
    assert not flow.did(HangUp)
    assert not flow.did(Reject)
