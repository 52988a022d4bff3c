"""What strangers get of a user agent: next to nothing, and nothing is kept of them."""

from typing import Any

import pytest

from gateway.config.sip import GuardSettings
from gateway.sip.admission import Verdict
from gateway.sip.flow import Flow
from gateway.sip.guard.guard import Guard, Notice
from gateway.sip.wire.message import Request
from gateway.testing.sip import Phone, VirtualNetwork

TRUNK, STRANGER = "192.0.2.1", "198.51.100.7"
CHALLENGE = ("WWW-Authenticate", 'Digest realm="gateway", nonce="abc"')


TWO = tuple(
    (
        "WWW-Authenticate",
        f'Digest realm="gateway", nonce="{"x" * 36}", algorithm={name}, qop="auth"',
    )
    for name in ("SHA-256", "MD5")
)


def accepts(request: Request, flow: Flow) -> Verdict:
    """Let the trunk in, and whoever shows the right pass."""
    if flow.remote[0] == TRUNK or request.headers.get("Authorization") == "right":
        return Verdict()
    return Verdict(403)


def challenges(request: Request, flow: Flow) -> Verdict:
    verdict = accepts(request, flow)
    return verdict if verdict.lets_in else Verdict(401, (CHALLENGE,))


def doubts(request: Request, flow: Flow) -> Verdict:
    """Take every password for a wrong one."""
    return Verdict(403, why="a wrong password for 'bob'")


class House:
    """A guarded phone with a trunk and a stranger as its neighbours."""

    def __init__(self, network: VirtualNetwork, *, judge: Any = accepts, **settings: Any) -> None:
        self.network = network
        self.notices: list[Notice] = []
        self.guard = Guard(
            GuardSettings(**settings),
            knows=lambda flow: flow.remote[0] == TRUNK,
            report=self.notices.append,
        )
        self.phone = network.phone("192.0.2.2", accepts=judge, guard=self.guard)
        self.trunk, self.stranger = network.phone(TRUNK), network.phone(STRANGER)

    def told(self, data: bytes, sender: Phone | None = None) -> list[str]:
        """Hand the phone a message and return what it says to it."""
        before = len(self.network.titles(by=self.phone))
        sender = sender or self.stranger
        self.phone.agent.receive(data, self.phone.flow_to(sender), self.network.now)
        self.phone.flush()
        return self.network.titles(by=self.phone)[before:]

    @property
    def is_untouched(self) -> bool:
        return self.phone.agent.is_idle and not self.phone.calls


@pytest.fixture
def house(network: VirtualNetwork) -> House:
    return House(network)


def forge(
    method: str, *lines: str, branch: str = "1", to: str = "<sip:bob@192.0.2.2>", version: str = "2"
) -> bytes:
    text = "\r\n".join(
        [
            f"{method} sip:bob@192.0.2.2 SIP/{version}.0",
            f"Via: SIP/2.0/UDP {STRANGER}:5060;branch=z9hG4bK-{branch};rport",
            f"From: <sip:ann@{STRANGER}>;tag=a",
            f"To: {to}",
            f"Call-ID: {branch}",
            f"CSeq: 1 {method}",
            f"Contact: <sip:ann@{STRANGER}>",
            *lines,
            "",
            "",
        ]
    )
    return text.encode()


PROBES = {
    "INVITE": (forge("INVITE"), 403),
    "OPTIONS": (forge("OPTIONS"), 403),
    "REGISTER": (forge("REGISTER"), 403),
    "unknown method": (forge("DANCE"), 403),
    "unknown extension": (forge("INVITE", "Require: sec-agree"), 403),
    "unknown body": (forge("INVITE", "Content-Type: text/plain", "Content-Length: 0"), 403),
    "CANCEL of nothing": (forge("CANCEL"), 403),
    "BYE of no call": (forge("BYE", to="<sip:bob@192.0.2.2>;tag=x"), 481),
    "malformed": (forge("OPTIONS", "Max-Forwards: many"), 400),
    "SIP of the future": (forge("OPTIONS", version="7"), 505),
}


@pytest.mark.parametrize("name", PROBES)
def test_a_stranger_is_judged_before_anything_else(house: House, name: str) -> None:
    data, status = PROBES[name]
    (title,) = house.told(data)
    assert title.startswith(f"{status} ")
    reply = house.network.sent[-1].message
    telling = ("Server", "Allow", "Accept", "Supported", "Unsupported")
    assert not any(name in reply.headers for name in telling)
    assert reply.to.tag


@pytest.mark.parametrize("name", PROBES)
def test_nothing_is_kept_of_a_refused_stranger_and_nothing_repeated(
    house: House, name: str
) -> None:
    house.told(PROBES[name][0])
    assert house.is_untouched
    house.network.run(40.0)
    assert len(house.network.titles(by=house.phone)) == 1


@pytest.mark.parametrize("name", PROBES)
def test_in_stealth_a_stranger_gets_no_answer(network: VirtualNetwork, name: str) -> None:
    house = House(network, stealth=True)
    assert house.told(PROBES[name][0]) == []
    assert house.is_untouched


@pytest.mark.parametrize("name", PROBES)
def test_the_trunk_is_answered_in_stealth_as_well(network: VirtualNetwork, name: str) -> None:
    house = House(network, stealth=True)
    house.told(PROBES[name][0], house.trunk)
    network.run(1.0)
    assert len(network.titles(by=house.phone)) >= 1


def test_no_answer_is_larger_than_a_little(house: House) -> None:
    vias = [f"Via: SIP/2.0/UDP 10.0.0.{n};branch=z9hG4bK{'x' * 40}" for n in range(40)]
    assert house.told(forge("OPTIONS", *vias)) == []
    for data, _ in PROBES.values():
        house.told(data)
        answer = bytes(house.network.sent[-1].message)
        assert len(answer) < len(data) + 120


@pytest.mark.parametrize(("size", "challenges_left"), [(100, 0), (130, 1), (300, 2)])
def test_an_answer_is_never_more_than_three_times_as_long_as_what_came(
    network: VirtualNetwork, size: int, challenges_left: int
) -> None:
    house = House(network, judge=lambda request, flow: Verdict(401, TWO))
    tiny = (
        b"INVITE sip:a SIP/2.0\r\nv:SIP/2.0/UDP a;rport\r\nf:<sip:a>;tag=1\r\nt:<sip:a>\r\n"
        b"i:1\r\nCSeq:1 INVITE\r\n"
    )
    data = tiny + b"P: " + b"x" * (size - len(tiny) - 7) + b"\r\n\r\n"
    assert len(data) == size
    assert len(house.told(data)) == bool(challenges_left)
    if challenges_left:
        reply = network.sent[-1].message
        assert len(reply.headers.get_all("WWW-Authenticate")) == challenges_left
        assert len(bytes(reply)) <= 3 * size


def test_of_wrong_passwords_no_more_lines_are_told_than_of_anything_else(
    network: VirtualNetwork,
) -> None:
    house = House(network, judge=doubts)
    for n in range(3000):
        flow = Flow("udp", house.phone.address, (f"10.0.{n >> 8}.{n & 255}", 5060))
        house.phone.agent.receive(forge("INVITE", branch=str(n)), flow, n / 100)
    assert 28 <= len(house.notices) <= 33
    assert {notice.why for notice in house.notices} == {"a wrong password for 'bob'"}


def test_a_trunk_with_a_wrong_password_is_told_of_once_a_minute_and_never_banned(
    network: VirtualNetwork,
) -> None:
    house = House(network, judge=doubts)
    for n in range(130):
        assert house.told(forge("INVITE", branch=str(n)), house.trunk) == ["403 INVITE"]
        network.run(1.0)
    assert [(each.source, each.why) for each in house.notices] == 3 * [
        (TRUNK, "a wrong password for 'bob'")
    ]
    assert house.guard.bans(network.now) == []


def test_copies_get_the_same_answer_to_the_letter(house: House) -> None:
    tags = set()
    for _ in range(3):
        house.told(forge("INVITE"))
        tags.add(house.network.sent[-1].message.to.tag)
    house.told(forge("INVITE", branch="2"))
    assert len(tags) == 1
    assert house.network.sent[-1].message.to.tag not in tags


@pytest.mark.parametrize(
    "data",
    [
        forge("ACK"),
        forge("ACK", to="<sip:bob@192.0.2.2>;tag=x"),
        b"\0" * 100,
        b"GET / HTTP/1.1\r\n\r\n",
        forge("INVITE")[:50],
        b"SIP/2.0 200 OK\r\n\r\n",
        forge("OPTIONS").replace(b"OPTIONS sip:bob@192.0.2.2 SIP/2.0", b"SIP/2.0 200 OK"),
    ],
)
def test_some_of_what_strangers_send_deserves_no_answer(house: House, data: bytes) -> None:
    assert house.told(data) == []
    assert house.is_untouched


def test_strangers_who_try_again_and_again_are_not_heard_for_a_while(house: House) -> None:
    answers = []
    for n in range(30):
        answers += house.told(forge("REGISTER", branch=str(n)))
        house.network.run(0.2)
    assert len(answers) == 10
    (ban,) = house.guard.bans(house.network.now)
    assert ban.source == STRANGER
    house.network.run(600.0)
    assert house.told(forge("OPTIONS")) == ["403 OPTIONS"]


def test_whoever_forges_the_trunks_address_cannot_shut_it_out(house: House) -> None:
    for n in range(200):
        house.told(forge("BYE", branch=str(n), to="<sip:bob@192.0.2.2>;tag=x"), house.trunk)
        house.told(b"\0" * 100, house.trunk)
    call = house.trunk.call(house.phone, b"offer")
    house.network.run(0.1)
    assert len(house.phone.calls) == 1
    assert call.is_live


def test_a_challenge_is_small_and_kept_nowhere(network: VirtualNetwork) -> None:
    house = House(network, judge=challenges)
    assert house.told(forge("INVITE")) == ["401 INVITE"]
    assert network.sent[-1].message.headers.get("WWW-Authenticate") == CHALLENGE[1]
    assert house.told(forge("ACK")) == []
    assert house.is_untouched


def test_a_stranger_with_a_pass_who_places_many_calls_at_once_is_let_in(
    network: VirtualNetwork,
) -> None:
    house = House(network, judge=challenges)
    for n in range(12):
        assert house.told(forge("INVITE", branch=str(n))) == ["401 INVITE"]
        network.run(0.02)
    for n in range(12):
        house.told(forge("ACK", branch=str(n)))
        house.told(forge("INVITE", "Authorization: right", branch=f"right-{n}"))
    assert len(house.phone.calls) == 12
    assert house.guard.bans(network.now) == []


def test_whoever_is_asked_for_a_pass_is_bounded_by_the_rate_and_not_banned(
    network: VirtualNetwork,
) -> None:
    house = House(network, judge=challenges)
    answers = [house.told(forge("INVITE", branch=str(n))) for n in range(100)]
    assert answers.count(["401 INVITE"]) == 20
    assert house.guard.stats.dropped_stranger_rate == 80
    assert house.guard.bans(network.now) == []


def test_a_stranger_who_guesses_passes_is_not_heard_for_a_while(network: VirtualNetwork) -> None:
    def judge(request: Request, flow: Flow) -> Verdict:
        return accepts(request, flow) if "Authorization" in request.headers else Verdict(401)

    house = House(network, judge=judge)
    answers = []
    for n in range(15):
        answers += house.told(forge("INVITE", branch=f"ask-{n}"))
        answers += house.told(forge("INVITE", "Authorization: guess", branch=f"guess-{n}"))
        network.run(0.2)
    assert answers == ["401 INVITE", "403 INVITE"] * 10
    assert [ban.source for ban in house.guard.bans(network.now)] == [STRANGER]


def test_a_stranger_with_the_right_pass_is_let_in_and_judged_once(network: VirtualNetwork) -> None:
    seen = []

    def judge(request: Request, flow: Flow) -> Verdict:
        seen.append(request.method)
        return challenges(request, flow)

    house = House(network, judge=judge)
    house.told(forge("INVITE"))
    house.told(forge("INVITE", "Authorization: right", branch="2"))
    assert seen == ["INVITE", "INVITE"]
    (taken,) = house.phone.calls
    taken.answer(b"answer", network.now)
    network.run(0.1)
    assert network.titles(by=house.phone)[-1] == "200 INVITE"
    assert house.guard.is_vouched(house.phone.flow_to(house.stranger), network.now)


def test_what_a_stranger_with_a_pass_may_not_have_is_refused_as_to_anybody(
    network: VirtualNetwork,
) -> None:
    house = House(network, judge=challenges)
    data = forge("INVITE", "Authorization: right", "Require: sec-agree")
    assert house.told(data) == ["420 INVITE"]


def test_a_stranger_whom_we_call_may_end_the_call(house: House) -> None:
    call, taken = house.phone.connect(house.stranger)
    taken.hang_up(house.network.now)
    house.network.run(0.1)
    assert not call.is_live
    assert house.network.titles()[-2:] == ["BYE", "200 BYE"]


def test_a_stranger_whom_we_call_may_not_call_us_for_it(house: House) -> None:
    house.phone.connect(house.stranger)
    house.stranger.call(house.phone, b"offer")
    house.network.run(1.0)
    assert house.network.titles(by=house.phone)[-1] == "403 INVITE"
    assert house.network.titles().count("403 INVITE") == 1
    assert house.phone.calls == []


def test_a_call_goes_on_while_its_peer_floods_what_is_not_the_calls(house: House) -> None:
    call, taken = house.phone.connect(house.stranger)
    for n in range(100):
        house.told(forge("OPTIONS", branch=str(n)))
    house.network.run(1.0)
    taken.reinvite(b"again", house.network.now)
    house.network.run(0.1)
    call.answer_offer(b"answer", house.network.now)
    house.network.run(0.1)
    assert house.network.titles().count("200 INVITE") == 2


def test_answers_from_nowhere_are_dropped_and_counted(house: House) -> None:
    data = forge("OPTIONS").replace(b"OPTIONS sip:bob@192.0.2.2 SIP/2.0", b"SIP/2.0 404 No")
    for _ in range(15):
        assert house.told(data) == []
    assert house.phone.agent.counters["stray_responses"] == 15
    assert house.guard.bans(house.network.now) == []


def test_the_counters_tell_what_was_kept_out(network: VirtualNetwork) -> None:
    house = House(network, requests_per_second=1)
    for n in range(10):
        house.told(forge("OPTIONS", branch=str(n)))
    counters = house.phone.agent.counters
    assert counters["strangers_answered"] == 2
    assert counters["dropped_stranger_rate"] == 8


def test_nothing_is_held_against_whom_we_have_no_room_for(network: VirtualNetwork) -> None:
    house = House(network, judge=lambda request, flow: Verdict(503))
    answers = []
    for n in range(30):
        answers += house.told(forge("INVITE", branch=str(n)))
        network.run(0.2)
    assert answers == ["503 INVITE"] * 30


def test_what_the_judge_cannot_read_is_refused(network: VirtualNetwork) -> None:
    house = House(network, judge=lambda request, flow: Verdict(200 if request.request_uri else 403))
    data = forge("INVITE").replace(b"INVITE sip:bob@192.0.2.2", b"INVITE sip:bob@:::")
    assert house.told(data) == ["400 INVITE"]
    assert house.is_untouched
