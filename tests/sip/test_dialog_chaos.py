"""Two agents, acts in any order, any loss: every call ends once, and nothing is left of it.

Each side is held to what its neighbour is configured for: reliable ringing or none, long sessions
or short ones.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from gateway.errors import SipError
from gateway.sip.admission import Policy, Verdict
from gateway.sip.dialogs.incoming import IncomingSession
from gateway.sip.dialogs.session import Session
from gateway.sip.dialogs.session_events import Answered, Confirmed, Ended, OfferReceived, Ringing
from gateway.sip.dialogs.session_state import LIVE
from gateway.sip.wire.message import parse
from gateway.sip.wire.uri import Uri
from gateway.testing.sip import Phone, VirtualNetwork

WAITS = st.sampled_from([0.0, 0.05, 0.4, 3.0, 40.0])
POLICIES = st.builds(
    Policy,
    session_expires=st.sampled_from([0, 90, 600]),
    min_se=st.sampled_from([90, 120]),
    prack=st.sampled_from(["off", "supported", "supported", "required"]),
)
SIDES = st.integers(0, 1)


class Chaos(RuleBasedStateMachine):
    """One call after the other, both sides free to do anything at any time."""

    @initialize(
        loss=st.sampled_from([0.0, 0.2]),
        seed=st.integers(0, 99),
        policies=st.tuples(POLICIES, POLICIES),
    )
    def begin(self, loss: float, seed: int, policies: tuple[Policy, Policy]) -> None:
        self.network = VirtualNetwork(loss=loss, jitter=0.4, seed=seed)
        self.policies = policies
        self.phones = [
            self.network.phone(host, accepts=lambda _, flow, policy=policy: Verdict(policy=policy))
            for host, policy in zip(("192.0.2.1", "192.0.2.2"), policies, strict=True)
        ]
        self.sessions: list[tuple[Phone, Session]] = []
        self.ends: dict[int, int] = {}
        for phone in self.phones:
            phone.on_invite = lambda session, phone=phone: self.sessions.append((phone, session))

    def both(self) -> list[tuple[Phone, Session]]:
        return self.sessions[-2:]

    def one(self, side: int) -> tuple[Phone, Session] | None:
        return self.both()[side] if side < len(self.both()) else None

    @precondition(lambda self: not any(s.state in LIVE for _, s in self.both()))
    @rule(side=SIDES, offer=st.sampled_from([b"offer", None]), seconds=WAITS)
    def call(self, side: int, offer: bytes | None, seconds: float) -> None:
        ann, bob = self.phones[side], self.phones[1 - side]
        self.sessions.append((ann, ann.call(bob, offer, policy=self.policies[side])))
        self.wait(seconds)

    @precondition(lambda self: not any(s.state in LIVE for _, s in self.both()))
    @rule(side=SIDES, offer=st.sampled_from([b"offer", None]), seconds=WAITS)
    def connect(self, side: int, offer: bytes | None, seconds: float) -> None:
        self.call(side, offer, 3.0)
        if self.called():
            self.take("answer")
            self.wait(seconds)

    @rule(seconds=WAITS)
    def wait(self, seconds: float) -> None:
        self.network.run(seconds)
        self.listen()

    @precondition(lambda self: self.both())
    @rule()
    def talk_for_long(self) -> None:
        self.wait(700.0)

    def called(self) -> list[IncomingSession]:
        return [s for _, s in self.both() if isinstance(s, IncomingSession) and s.is_live]

    @precondition(lambda self: self.called())
    @rule(act=st.sampled_from(["ring", "progress", "answer", "answer", "reject"]))
    def take(self, act: str) -> None:
        session, now = self.called()[0], self.network.now
        try:
            match act:
                case "ring":
                    session.ring(now)
                case "progress":
                    session.progress(b"early", now)
                case "answer":
                    session.answer(b"answer", now)
                case _:
                    session.reject(486, now)
        except SipError:
            assert act == "answer"

    @precondition(lambda self: self.one(1))
    @rule(side=SIDES)
    def hang_up(self, side: int) -> None:
        if found := self.one(side):
            found[1].hang_up(self.network.now)

    @precondition(lambda self: self.one(1))
    @rule(side=SIDES, act=st.sampled_from(["reinvite", "info", "refer"]))
    def change(self, side: int, act: str) -> None:
        found = self.one(side)
        if found is None:
            return
        session, now = found[1], self.network.now
        try:
            match act:
                case "reinvite":
                    session.reinvite(b"change", now)
                case "info":
                    session.info("application/dtmf", b"5", now)
                case _:
                    session.refer(Uri.parse("sip:x@192.0.2.9"), now)
        except SipError:
            assert act == "refer"

    def listen(self) -> None:
        for phone, session in self.sessions:
            for event in phone.heard(session):
                assert id(session) not in self.ends, f"{event} after the end"
                match event:
                    case Ended():
                        self.ends[id(session)] = 1
                    case OfferReceived():
                        session.answer_offer(b"yes", self.network.now)
                    case Answered() | Ringing() if not session.request.body:
                        session.answer_offer(b"yes", self.network.now)
                    case Confirmed():
                        assert isinstance(session, IncomingSession)

    def teardown(self) -> None:
        if not hasattr(self, "network"):
            return
        self.listen()
        by_call = {session.call_id: session for _, session in self.sessions}
        for session in by_call.values():  # one side alone: the other must follow
            session.hang_up(self.network.now)
        self.network.run(300.0)
        self.listen()
        assert len(self.ends) == len(self.sessions)
        assert all(phone.agent.is_idle for phone in self.phones)
        for sent in self.network.sent:
            parse(bytes(sent.message))


TestChaos = Chaos.TestCase
TestChaos.settings = settings(max_examples=80, stateful_step_count=25)
