"""Ways of browsers to a lane, in virtual time: found, lost, found again, and what nobody may do."""

import asyncio

import pytest
from aioice.stun import Class, Message, Method, parse_message
from aiortc.rtcsctptransport import WEBRTC_STRING
from hypothesis import given, settings
from hypothesis import strategies as st
from way_world import OURS, THEIRS, Address, Net, Side, meet

from gateway.errors import RtcError
from gateway.rtc.agent import LOST, MOST_CANDIDATES
from gateway.rtc.bases import MOST_IN_VAIN
from gateway.rtc.way import WayState, WayTerms
from gateway.rtp.dtls import Handshake
from gateway.sdp.ice import Credentials
from gateway.testing.loss import Loss
from gateway.testing.virtual_time import run

GATEWAY = ("203.0.113.1", 30_000)
PAGE = ("198.51.100.9", 40_000)
PRIVATE = ("10.0.0.2", 40_000)
MOBILE = ("192.0.2.77", 50_000)
ATTACKER = ("192.0.2.66", 666)


def candidate(address: Address, kind: str = "host") -> str:
    return f"candidate:1 1 udp 2130706431 {address[0]} {address[1]} typ {kind}"


async def pair(net: Net, terms: WayTerms | None = None, at: Address = PAGE) -> tuple[Side, Side]:
    return Side(net, GATEWAY, OURS, terms), Side(net, at, THEIRS)


async def end(*sides: Side) -> None:
    for side in sides:
        await side.way.close()
    await asyncio.sleep(1)
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize(("loss", "delay"), [(0.0, 0.005), (0.2, 0.03), (0.1, 0.4)])
def test_both_sides_have_the_same_keys_and_hear_each_other(loss: float, delay: float) -> None:
    async def main() -> None:
        ours, page = await pair(Net(Loss(loss), delay))
        await meet(ours, page)
        await asyncio.gather(ours.reach(WayState.CONNECTED), page.reach(WayState.CONNECTED))
        await asyncio.gather(ours.opened.wait(), page.opened.wait())
        assert ours.way.send("for the page")
        assert page.way.send("for the gateway")
        async with asyncio.timeout(60):
            while not (ours.messages and page.messages):
                await asyncio.sleep(0.1)
        assert (ours.messages, page.messages) == (["for the gateway"], ["for the page"])
        assert ours.lane.settled == [PAGE]
        assert ours.lane.keys[0].local == page.lane.keys[0].remote
        await end(ours, page)

    run(main())


def test_a_page_that_hides_its_address_behind_a_name_and_a_nat_is_found_by_its_checks() -> None:
    async def main() -> None:
        net = Net()
        net.nat[PRIVATE] = PAGE
        ours, page = await pair(net, at=PRIVATE)
        hidden = "candidate:1 1 udp 2130706431 4e8a1f2c-0000-4000-8000-1234.local 40000 typ host"
        await meet(ours, page, told=[hidden, ""])
        await ours.reach(WayState.CONNECTED)
        assert ours.lane.settled == [PAGE]
        assert ours.way.stats.pair == f"host/prflx {PAGE[0]}:{PAGE[1]}"
        assert ours.way.stats.bad_candidates == 0
        await end(ours, page)

    run(main())


def test_a_candidate_that_is_told_later_is_tried() -> None:
    async def main() -> None:
        ours, page = await pair(net := Net())
        here, _ = await meet(ours, page, told=[], hears=False)
        await asyncio.sleep(1)
        assert net.sent == []
        ours.way.add_candidate(candidate(PAGE))
        await asyncio.sleep(0.1)
        assert {to for source, to, _ in net.sent if source == GATEWAY} == {PAGE}
        page.way.connect(here.credentials, ours.dtls(is_client=True), here.candidates, is_lite=True)
        await ours.reach(WayState.CONNECTED)
        await end(ours, page)

    run(main())


def test_who_never_comes_is_given_up_in_time_and_in_words() -> None:
    async def main() -> None:
        ours, page = await pair(Net(), WayTerms(connect_seconds=7.0))
        await meet(ours, page, hears=False)
        assert await ours.reach(WayState.GONE) == pytest.approx(7.0, abs=0.1)
        assert "in time" in ours.way.reason
        await end(ours, page)

    run(main())


def test_the_loss_of_the_other_side_is_told_within_seconds_and_then_believed() -> None:
    async def main() -> None:
        ours, page = await pair(net := Net())
        await meet(ours, page)
        await asyncio.gather(ours.reach(WayState.CONNECTED), page.reach(WayState.CONNECTED))
        await asyncio.sleep(20)
        assert [state for state, _ in ours.states] == [WayState.CONNECTED]
        cut = asyncio.get_running_loop().time()
        net.down.add(PAGE)
        assert await ours.reach(WayState.QUIET) - cut < 7
        assert LOST - 3 < await ours.reach(WayState.GONE) - cut < LOST + 4
        assert ours.way.reason == "the other side fell silent"
        await end(ours, page)

    run(main())


def test_a_short_silence_is_told_and_forgotten() -> None:
    async def main() -> None:
        ours, page = await pair(net := Net())
        await meet(ours, page)
        await asyncio.gather(ours.reach(WayState.CONNECTED), page.reach(WayState.CONNECTED))
        net.down.add(PAGE)
        await ours.reach(WayState.QUIET)
        net.down.clear()
        await asyncio.sleep(5)
        told = [state for state, _ in ours.states]
        assert told == [WayState.CONNECTED, WayState.QUIET, WayState.CONNECTED]
        await end(ours, page)

    run(main())


def test_after_a_restart_the_old_pair_is_used_until_another_is_named() -> None:
    async def main() -> None:
        ours, page = await pair(net := Net())
        await meet(ours, page)
        await asyncio.gather(ours.reach(WayState.CONNECTED), page.reach(WayState.CONNECTED))
        await asyncio.gather(ours.opened.wait(), page.opened.wait())
        there = page.way._finder._renew()  # the page offers new credentials
        here = ours.way.restart(there.credentials)
        await asyncio.sleep(1)
        assert ours.way.send("by the old pair")
        await asyncio.sleep(1)
        net.nat[PAGE] = MOBILE  # it has moved to another network: the old pair is dead
        page.way._finder.begin(here.credentials, here.candidates, is_lite=True)
        await asyncio.sleep(2)
        assert ours.lane.settled == [PAGE, MOBILE]
        assert ours.way.send("by the new pair")
        await asyncio.sleep(5)
        assert page.messages == ["by the old pair", "by the new pair"]
        assert ours.way.state is WayState.CONNECTED
        assert len(ours.lane.keys) == 1  # under the same keys
        await end(ours, page)

    run(main())


def test_a_restart_that_nobody_follows_leaves_the_old_pair_in_use_for_good() -> None:
    async def main() -> None:
        ours, page = await pair(Net())
        await meet(ours, page)
        await asyncio.gather(ours.reach(WayState.CONNECTED), page.reach(WayState.CONNECTED))
        ours.way.restart(Credentials("strange", "s" * 22), [candidate(MOBILE)])
        await asyncio.sleep(60)
        assert ours.way.state is page.way.state is WayState.CONNECTED
        assert ours.lane.settled == [PAGE]
        assert len(ours.way._finder._agents) == 1
        await end(ours, page)

    run(main())


def check(user: str, password: str, **more: object) -> bytes:
    """Return a connectivity check."""
    told: dict[str, object] = {"USERNAME": user, "PRIORITY": 1, "ICE-CONTROLLING": 7, **more}
    message = Message(Method.BINDING, Class.REQUEST, attributes=told)
    message.add_message_integrity(password.encode())
    return bytes(message)


def hello() -> bytes:
    (datagram,) = Handshake(THEIRS, [OURS.digest], is_client=True, now=0.0).data_to_send()
    return datagram


def test_what_is_not_signed_is_neither_answered_nor_believed() -> None:
    async def main() -> None:
        ours, page = await pair(net := Net())
        here, there = await meet(ours, page, told=[], hears=False)
        user = f"{here.credentials.ufrag}:{there.credentials.ufrag}"
        unsigned = Message(Method.BINDING, Class.REQUEST, attributes={"USERNAME": user})
        unsigned.add_fingerprint()
        junk = [
            check(user, "w" * 22),
            check("some:body", here.credentials.password),
            check(f"{here.credentials.ufrag}:body", here.credentials.password),
            check(user, here.credentials.password)[:-8],  # no fingerprint
            bytes(unsigned),
            bytes(Message(Method.BINDING, Class.RESPONSE)),
            bytes(Message(Method.ALLOCATE, Class.REQUEST)),
            hello(),
            b"\x00",
            b"\x16\xfe",
            b"\x40\x00\x00\x00",
        ]
        for datagram in junk:
            ours.lane.keeper(datagram, ATTACKER)
        await asyncio.sleep(2)
        assert net.sent == []
        assert ours.lane.settled == []
        assert ours.way.stats.refused == len(junk)
        await end(ours, page)

    run(main())


def test_one_who_signed_gets_no_handshake_before_a_check_of_ours_is_answered_from_there() -> None:
    """So a check that was overheard, and sent again under a false address, brings little there."""

    async def main() -> None:
        ours, page = await pair(net := Net())
        here, there = await meet(ours, page, told=[], hears=False)
        user = f"{here.credentials.ufrag}:{there.credentials.ufrag}"
        for _ in range(100):
            ours.lane.keeper(check(user, here.credentials.password), ATTACKER)
            ours.lane.keeper(hello(), ATTACKER)
        await asyncio.sleep(14)
        answers = [data for _, _, data in net.sent if data[:2] == b"\x01\x01"]
        checks = [data for _, _, data in net.sent if data[:2] == b"\x00\x01"]
        assert len(answers) == 100  # each no larger than what was asked
        assert len(checks) <= 6
        assert len(net.sent) == len(answers) + len(checks)
        assert ours.lane.settled == []
        assert len(ours.way._held) <= 8
        await end(ours, page)

    run(main())


def test_however_many_addresses_are_told_few_of_them_are_asked_and_seldom() -> None:
    async def main() -> None:
        ours, page = await pair(net := Net())
        told = [candidate((f"192.0.2.{n % 250 + 1}", 1000 + n)) for n in range(1000)]
        told += ["nonsense", candidate(("224.0.0.1", 5000)), candidate(("127.0.0.1", 5000))]
        told += [candidate(("0.0.0.0", 5000)), candidate(("192.0.2.1", 99_999))]
        await meet(ours, page, told=told, hears=False)
        for n in range(1000):
            ours.way.add_candidate(candidate((f"192.0.2.{n % 250 + 1}", 3000 + n)))
        await ours.reach(WayState.GONE)
        assert len({target for _, target, _ in net.sent}) == MOST_CANDIDATES
        assert len(net.sent) <= 5 * MOST_CANDIDATES
        assert ours.way.stats.bad_candidates == 2000 - MOST_CANDIDATES + 5
        await end(ours, page)

    run(main())


def test_restarts_are_few_before_anybody_answers() -> None:
    async def main() -> None:
        ours, page = await pair(Net())
        await meet(ours, page, hears=False)
        for n in range(2):
            ours.way.restart(Credentials(f"page{n}", "s" * 22))
        with pytest.raises(RtcError, match="too often"):
            ours.way.restart(Credentials("page2", "s" * 22))
        await end(ours, page)

    run(main())


def test_however_often_it_is_restarted_who_never_answers_is_asked_so_often_and_no_more() -> None:
    async def main() -> None:
        ours, page = await pair(net := Net())
        await meet(ours, page)
        await asyncio.gather(ours.reach(WayState.CONNECTED), page.reach(WayState.CONNECTED))
        for n in range(40):
            told = [candidate((f"192.0.2.{m + 1}", 1000 + n)) for m in range(24)]
            ours.way.restart(Credentials(f"page{n}", "s" * 22), told)
            await asyncio.sleep(15)
        asked = [to for source, to, _ in net.sent if source == GATEWAY and to != PAGE]
        assert len(asked) == MOST_IN_VAIN
        there = page.way._finder._renew()
        here = ours.way.restart(there.credentials, there.candidates)
        page.way._finder.begin(here.credentials, here.candidates, is_lite=True)
        await asyncio.sleep(5)
        assert ours.way.state is WayState.CONNECTED  # who has answered before is found again
        assert ours.lane.settled == [PAGE, PAGE]
        await end(ours, page)

    run(main())


def test_a_certificate_that_was_not_told_of_ends_it_in_words() -> None:
    async def main() -> None:
        net = Net()
        ours, page = Side(net, GATEWAY), Side(net, PAGE, OURS)
        page_says = Side(net, MOBILE, THEIRS)
        here, there = await ours.way.gather(), await page.way.gather()
        expected = page_says.dtls(is_client=False)
        ours.way.connect(there.credentials, expected, there.candidates)
        page.way.connect(here.credentials, ours.dtls(is_client=True), here.candidates, is_lite=True)
        await ours.reach(WayState.GONE)
        assert "certificate" in ours.way.reason
        assert ours.lane.keys == []
        await end(ours, page, page_says)

    run(main())


def test_a_page_that_says_more_than_it_may_is_not_heard_out() -> None:
    async def main() -> None:
        ours, page = await pair(Net())
        await meet(ours, page)
        await asyncio.gather(ours.opened.wait(), page.opened.wait())
        for number in range(400):
            page.way.send(str(number))
        assert not page.way.send("x" * 70_000)  # longer than was told may come
        await asyncio.sleep(1.0)
        assert ours.messages[0] == "0"
        assert 100 <= len(ours.messages) <= 200
        assert ours.way.stats.messages_dropped == 400 - len(ours.messages)
        await asyncio.sleep(10)
        assert page.way.send("later")
        await asyncio.sleep(1)
        assert ours.messages[-1] == "later"
        await end(ours, page)

    run(main())


def test_streams_beyond_those_that_there_may_be_are_passed_over_until_they_are_a_flood() -> None:
    async def main() -> None:
        ours, page = await pair(Net())
        await meet(ours, page)
        await asyncio.gather(ours.opened.wait(), page.opened.wait())
        tunnel = page.way._layers.tunnel
        assert tunnel is not None
        for stream in range(100, 160):
            await tunnel._sctp._send(stream, WEBRTC_STRING, b"nobody opened this")
        await asyncio.sleep(5)
        assert ours.way.send("for the page")
        assert page.way.send("for the gateway")
        await asyncio.sleep(5)
        assert (ours.messages, page.messages) == (["for the gateway"], ["for the page"])
        assert 40 <= ours.way.stats.messages_dropped <= 60
        assert ours.way.state is WayState.CONNECTED
        for stream in range(200, 1300):
            await tunnel._sctp._send(stream, WEBRTC_STRING, b"nor this")
        await ours.reach(WayState.GONE)
        assert ours.way.reason == "the other side opens streams without end"
        await ours.way.close()
        await asyncio.sleep(0.1)
        assert page.way.reason == "the other side said goodbye"
        await end(page)

    run(main())


def test_a_page_that_does_not_read_is_told_less_and_costs_a_bounded_room() -> None:
    async def main() -> None:
        ours, page = await pair(net := Net())
        await meet(ours, page)
        await asyncio.gather(ours.opened.wait(), page.opened.wait())
        net.down.add(PAGE)
        sent = [ours.way.send("x" * 60_000) for _ in range(100)]
        assert 10 < sum(sent) < 25
        assert ours.way.stats.messages_dropped == 100 - sum(sent)
        await end(ours, page)

    run(main())


def test_the_goodbye_of_either_side_is_told_at_once() -> None:
    async def main() -> None:
        ours, page = await pair(Net())
        await meet(ours, page)
        await asyncio.gather(ours.opened.wait(), page.opened.wait())
        await page.way.close()
        left = asyncio.get_running_loop().time()
        assert await ours.reach(WayState.GONE) - left < 0.1
        assert "other side" in ours.way.reason
        assert page.way.reason == ""
        await end(ours)

    run(main())


def test_relays_alone_without_a_relay_are_refused_at_once() -> None:
    async def main() -> None:
        ours, page = await pair(Net(), WayTerms(is_relay_only=True))
        with pytest.raises(RtcError, match="relay"):
            await ours.way.gather()
        await end(ours, page)

    run(main())


def test_external_addresses_are_told_beside_our_own() -> None:
    async def main() -> None:
        ours, page = await pair(Net(), WayTerms(external_ips=("192.0.2.1", "2001:db8::1")))
        local = await ours.way.gather()
        told = [" ".join(line.split()[4:8]) for line in local.candidates]
        assert told == ["203.0.113.1 30000 typ host", "192.0.2.1 30000 typ srflx"]
        await end(ours, page)

    run(main())


def test_a_worse_pair_takes_over_when_it_is_named_again_and_a_better_one_at_once() -> None:
    async def main() -> None:
        ours, page = await pair(net := Net())
        here, there = await meet(ours, page)
        await asyncio.gather(ours.reach(WayState.CONNECTED), page.reach(WayState.CONNECTED))
        user = f"{here.credentials.ufrag}:{there.credentials.ufrag}"
        key = here.credentials.password

        def answer(data: bytes, source: Address) -> None:
            """Be the page at a second address."""
            message = parse_message(data)
            if message.message_class is Class.REQUEST:
                told = {"XOR-MAPPED-ADDRESS": GATEWAY}
                reply = Message(Method.BINDING, Class.RESPONSE, message.transaction_id, told)
                reply.add_message_integrity(there.credentials.password.encode())
                net.carry(MOBILE, GATEWAY, bytes(reply))

        net.join(MOBILE, answer)
        name = {"USE-CANDIDATE": None}
        net.carry(MOBILE, GATEWAY, check(user, key, **name))
        await asyncio.sleep(0.5)
        assert ours.lane.settled == [PAGE]
        net.carry(MOBILE, GATEWAY, check(user, key, **name))
        await asyncio.sleep(0.5)
        assert ours.lane.settled == [PAGE, MOBILE]
        net.carry(PAGE, GATEWAY, check(user, key, **name))
        await asyncio.sleep(0.5)
        assert ours.lane.settled == [PAGE, MOBILE, PAGE]
        await end(ours, page)

    run(main())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.binary(max_size=200)),
    st.lists(st.binary(max_size=80)),
    st.lists(st.text(max_size=60)),
)
def test_whatever_comes_breaks_nothing(
    junk: list[bytes], attributes: list[bytes], lines: list[str]
) -> None:
    async def main() -> None:
        ours, page = await pair(net := Net())
        await meet(ours, page, told=[], hears=False)
        headers = (b"\x00\x01", b"\x01\x01", b"\x00\x11")
        stun = [
            header + len(rest).to_bytes(2) + b"\x21\x12\xa4\x42" + bytes(12) + rest
            for rest in attributes
            for header in headers
        ]
        for datagram in (*junk, *stun, *(b"\x16\xfe\xfd" + one for one in junk)):
            ours.lane.keeper(datagram, ATTACKER)
        for line in lines:
            ours.way.add_candidate(line)
            ours.way.add_candidate(f"candidate:1 1 udp 1 {line} 5000 typ host")
            ours.way.add_candidate(f"candidate:1 1 udp {line} 192.0.2.1 5000 typ {line}")
        await asyncio.sleep(1)
        assert ours.way.state is WayState.CONNECTING
        assert ours.lane.settled == []
        assert ATTACKER not in {target for _, target, _ in net.sent}
        await end(ours, page)

    run(main())
