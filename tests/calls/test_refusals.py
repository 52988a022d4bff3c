"""The log says whose call was refused, and does not drown in a flood of them."""

from structlog.testing import capture_logs

from gateway.calls.refusals import Refusals
from gateway.sip.wire.message import Headers, Request


def request(call_id: str) -> Request:
    lines = (("Call-ID", call_id), ("From", "<sip:ann@pbx.example>;tag=1"))
    return Request("INVITE", "sip:demo@gw.example", Headers(*lines))


def test_a_refusal_says_whose_call_it_was() -> None:
    with capture_logs() as told:
        Refusals(lambda: 0.0).tell(request("one"), "pbx", 488, "no codec in common")
    assert told == [
        {
            "event": "refused", "log_level": "warning", "trunk": "pbx", "caller": "ann",
            "call_id": "one", "status": 488, "why": "no codec in common", "more": 0,
        }
    ]  # fmt: skip


def test_a_flood_of_one_kind_is_told_once_a_second_with_its_number() -> None:
    now = 0.0
    refusals = Refusals(lambda: now)
    with capture_logs() as told:
        for _ in range(5):
            refusals.tell(request("flood"), "pbx", 488, "no codec in common")
        refusals.tell(request("other"), "office", 488, "no codec in common")
        refusals.tell(request("full"), "pbx", 503, "no free RTP port pair")
        now = 1.0
        refusals.tell(request("later"), "pbx", 488, "no codec in common")
    assert [(line["call_id"], line["more"]) for line in told] == [
        ("flood", 0),
        ("other", 0),
        ("full", 0),
        ("later", 4),
    ]
