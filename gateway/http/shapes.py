"""What is told of a call, as the API describes it."""

from typing import Any

import msgspec

__all__ = ["CallBrief", "CallList", "WholeCall"]


class CallBrief(msgspec.Struct, frozen=True, kw_only=True):
    """A call without its long parts.

    Attributes:
        call_id: its name.
        caller: who called.
        called: who was called.
        started_at: unix seconds.
        state: setup, talking, transferring, leaving or ended.
        duration: seconds since the call came in.
        ended_by: caller, gateway or peer; null while it lasts.
        reason: of its end.
        q850: the cause of its end (ITU-T Q.850).
        trunk: the neighbour it came from, or was placed by.
        leg: what the caller's side is made of.
        recording: the file's name in the folder of recordings.
        recording_problem: why there is none of it, or not all.
        takes: seconds since the call came in at which each recording of it began.
        codec: of the caller's side.
        media: packets, loss, jitter, MOS and more of the caller's side; of a whole call with
            `series`, its figures every five seconds.
        transport: what the link to the service was made of.
        link: what went to and from the service.
        usage: tokens, seconds, cost, and how long answers took.
        caller_name: as the neighbour gave it.

    """

    call_id: str
    caller: str
    called: str
    started_at: float
    state: str
    duration: float
    ended_by: str | None
    reason: str | None
    q850: int | None
    trunk: str
    leg: str
    recording: str
    recording_problem: str
    takes: list[float]
    codec: str
    media: dict[str, Any]
    transport: str
    link: dict[str, int]
    usage: dict[str, Any]
    caller_name: str


class WholeCall(CallBrief, frozen=True, kw_only=True):
    """A call with its long parts.

    Attributes:
        transcript: what was said, of the agent as far as it was heard.
        timeline: every event and action, in order.

    """

    transcript: list[dict[str, Any]]
    timeline: list[dict[str, Any]]


class CallList(msgspec.Struct, frozen=True):
    """A page of calls; ``next`` is empty on the last."""

    calls: list[CallBrief]
    next: str
