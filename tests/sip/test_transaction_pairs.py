"""Two transaction layers talk over a network that loses, doubles and reorders."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.sip.flow import Flow
from gateway.sip.transactions.layer import (
    RequestReceived,
    ResponseReceived,
    TransactionLayer,
    TransactionTimedOut,
)
from gateway.sip.wire.message import Headers, Request, parse, response_to

AWAY = Flow("udp", ("192.0.2.1", 5060), ("192.0.2.9", 5060))
HOME = Flow("udp", ("192.0.2.9", 5060), ("192.0.2.1", 5060))


class LossyPair(RuleBasedStateMachine):
    """One side asks, the other answers; whatever happens, both end and nothing is told twice."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.asker, self.answerer = TransactionLayer(), TransactionLayer()
        self.flying: list[tuple[TransactionLayer, Flow, bytes]] = []
        self.count = 0
        self.open: dict[str, Request] = {}  # requests the answering side still owes
        self.ends: dict[str, int] = {}  # how often each of our non-INVITEs ended

    @rule(method=st.sampled_from(["INVITE", "BYE", "OPTIONS"]))
    def ask(self, method: str) -> None:
        self.count += 1
        headers = Headers(
            ("Via", f"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{self.count}"),
            ("From", "<sip:a@h>;tag=a"),
            ("To", "<sip:b@h>"),
            ("Call-ID", f"c{self.count}"),
            ("CSeq", f"{self.count} {method}"),
        )
        self.asker.send_request(Request(method, "sip:b@h", headers), AWAY, self.now)

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), fate=st.sampled_from(["arrive", "arrive", "double", "lose"]))
    def deliver(self, data: st.DataObject, fate: str) -> None:
        place = data.draw(st.integers(0, len(self.flying) - 1))
        layer, flow, message = self.flying.pop(place)
        for _ in range({"arrive": 1, "double": 2, "lose": 0}[fate]):
            layer.receive(parse(message), flow, self.now)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), status=st.sampled_from([100, 180, 200, 404, 486]))
    def answer(self, data: st.DataObject, status: int) -> None:
        key = data.draw(st.sampled_from(sorted(self.open)))
        request = self.open[key] if status < 200 else self.open.pop(key)
        self.answerer.respond(key, response_to(request, status, to_tag="b"), self.now)

    @rule(seconds=st.sampled_from([0.05, 0.3, 1.0, 5.0, 20.0]))
    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        for layer in (self.asker, self.answerer):
            while (due := layer.deadline) is not None and due <= until:
                layer.wake(max(due, self.now))
        self.now = until

    @invariant()
    def nothing_is_told_twice(self) -> None:
        self.flying += [(self.answerer, HOME, d) for d, _ in self.asker.data_to_send()]
        self.flying += [(self.asker, AWAY, d) for d, _ in self.answerer.data_to_send()]
        for event in self.answerer.events():
            if isinstance(event, RequestReceived):
                self.open[event.key] = event.request
        for outcome in self.asker.events():
            if isinstance(outcome, TransactionTimedOut):
                self.ends[outcome.key] = self.ends.get(outcome.key, 0) + 1
            elif isinstance(outcome, ResponseReceived) and outcome.key is not None:
                status = outcome.response.status
                if status >= (300 if outcome.key.endswith("INVITE") else 200):
                    self.ends[outcome.key] = self.ends.get(outcome.key, 0) + 1
        assert all(times == 1 for times in self.ends.values())

    def teardown(self) -> None:
        self.flying.clear()
        for key, request in self.open.items():
            self.answerer.respond(key, response_to(request, 486), self.now)
        self.wait(40.0)
        assert len(self.answerer) == 0
        stuck = [e for e in self.asker._entries.values() if e.transaction.deadline is not None]
        assert stuck == []


LossyPair.TestCase.settings = settings(max_examples=40, stateful_step_count=30)
TestLossyPair = LossyPair.TestCase
