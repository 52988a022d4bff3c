"""What sipp asks of a running gateway, row by row of the document on SIP; it calls."""

import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from peers import Gateway, Sipp, running
from scripts import (
    OFFER,
    SERVICE,
    answered,
    answers,
    asks,
    bye,
    cancel,
    hears,
    invite,
    refused,
    rings,
    says,
    script,
    sdp,
)

pytestmark = pytest.mark.interop

CONFIG = """
[sip]
bind = ["udp:127.0.0.1:0"]
[[trunks]]
name = "pbx"
hosts = ["127.0.0.1"]
trusted = true
accepts_transfer = true
headers = ["X-Account", "User-to-User"]
[[trunks]]
name = "passworded"
authenticate = "digest"
username = "ann"
password_env = "ANNS_PASSWORD"
digests = ["MD5"]
[http]
bind = "127.0.0.1:0"
[realtime]
provider = "custom"
url = "{service}"
[call]
greet = false
[[rules]]
on = "input_audio_buffer.dtmf_event_received"
digit = "9"
do = ["hangup"]
"""
ACK = says("ACK", 1)
UP = (invite(), answered(), ACK)  # a call that is up


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that hangs up on who presses 9, and its service."""
    folder = tmp_path_factory.mktemp("gateway")
    with running(["embedded", "--port", "0", "--json"], folder / "service") as embedded:
        body = CONFIG.format(service=embedded.facts["url"])
        env = {"GATEWAY_CONFIG_BODY": body, "ANNS_PASSWORD": "sesame"}
        with running(["serve", "--json"], folder / "gateway", env) as gateway:
            yield gateway
            assert "Traceback" not in gateway.log.read_text()


@pytest.fixture(scope="module")
def ringing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that rings, since its service never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}/v1/realtime"
        env = {"GATEWAY_CONFIG_BODY": CONFIG.format(service=url), "ANNS_PASSWORD": "sesame"}
        log = tmp_path_factory.mktemp("ringing") / "gateway"
        with running(["serve", "--json"], log, env) as gateway:
            yield gateway
            assert "Traceback" not in log.read_text()


def presses(digit: str, number: int) -> str:
    body, kind = f"Signal={digit}\nDuration=160\n", "Content-Type: application/dtmf-relay"
    return says("INFO", number, kind, body=body)


def changes(number: int, body: str, **words: str) -> str:
    return says("INVITE", number, body=body, branch=f"i{number}", **words)


def keys(record: dict[str, Any]) -> list[str]:
    name = "input_audio_buffer.dtmf_event_received"
    return [e["detail"]["event"] for e in record["timeline"] if e["name"] == name]


def elsewhere(gateway: Gateway, password: str) -> tuple[str, ...]:
    """Return what makes sipp a stranger with a password."""
    asked = f"demo@127.0.0.1:{gateway.sip_port}"
    return "-i", "127.0.0.2", "-au", "ann", "-ap", password, "-auth_uri", asked


class TestDialogs:
    def test_the_same_invite_over_two_branches_is_one_call(self, ours: Gateway, sipp: Sipp) -> None:
        twice = invite(branch="other"), refused(482, branch="other")
        sipp(ours, script(*UP, *twice, bye(2)))
        (record,) = ours.new_calls()
        assert record["ended_by"] == "caller"

    def test_numbers_may_be_left_out_but_neither_fall_nor_come_twice(
        self, ours: Gateway, sipp: Sipp
    ) -> None:
        def info(number: int, branch: str, status: int) -> str:
            kind = "Content-Type: application/dtmf"
            ask = says("INFO", number, kind, body=f"{number % 9}", branch=branch)
            return ask + hears(status, CSeq=f"{number} INFO")

        rows = info(13, "a", 200), info(12, "b", 500), info(13, "c", 482), info(13, "a", 200)
        sipp(ours, script(*UP, *rows, bye(14)), "-nr")
        (record,) = ours.new_calls()
        assert keys(record) == ["4"], "what came in order, once"

    def test_a_second_invite_waits_for_the_ack_of_the_first(
        self, ours: Gateway, sipp: Sipp
    ) -> None:
        second = changes(2, OFFER), refused(491, 2)
        third = changes(3, OFFER), answered(), says("ACK", 3)
        sipp(ours, script(invite(), answered(), *second, ACK, *third, bye(4)), "-nr")
        (record,) = ours.new_calls()
        assert record["ended_by"] == "caller"

    def test_a_bye_that_comes_again_gets_the_same_answer(self, ours: Gateway, sipp: Sipp) -> None:
        once = says("BYE", 2, branch="bye") + hears(200)
        sipp(ours, script(*UP, once, once), "-nr")
        ours.new_calls()
        first, second = (m for m in sipp.came("SIP/2.0 200") if "CSeq: 2 BYE" in m)
        assert first == second

    def test_a_cancel_after_the_answer_changes_nothing(self, ours: Gateway, sipp: Sipp) -> None:
        late = cancel(), hears(200, CSeq="1 CANCEL")
        sipp(ours, script(invite(), answered(), *late, ACK, presses("4", 2), hears(200), bye(3)))
        (record,) = ours.new_calls()
        assert (record["ended_by"], keys(record)) == ("caller", ["4"])

    def test_a_new_contact_is_where_the_goodbye_goes(self, ours: Gateway, sipp: Sipp) -> None:
        moved = changes(2, OFFER, contact="<sip:moved@[local_ip]:[local_port];x=1>")
        steps = moved, answered(), says("ACK", 2), presses("9", 3), hears(200)
        gone = asks("BYE", message="^BYE sip:moved@[0-9.:]*;x=1 SIP"), answers("200 OK")
        sipp(ours, script(*UP, *steps, *gone))
        (record,) = ours.new_calls()
        assert record["ended_by"] == "gateway"

    @pytest.mark.parametrize(
        ("routes", "target", "way"),
        [
            (
                ("<sip:[local_ip]:[local_port];r2=on;lr>", "<sip:[local_ip]:[local_port];lr>"),
                "sip:caller@172.25.8.9:5060",
                ["<sip:HERE;r2=on;lr>", "<sip:HERE;lr>"],
            ),
            (
                ("<sip:[local_ip]:[local_port];strict>",),
                "sip:HERE;strict",
                ["<sip:caller@172.25.8.9:5060>"],
            ),
        ],
        ids=["by two of a proxy", "by a strict router"],
    )
    def test_a_contact_that_we_cannot_reach_is_reached_by_its_routes(
        self, ours: Gateway, sipp: Sipp, routes: tuple[str, ...], target: str, way: list[str]
    ) -> None:
        recorded = [f"Record-Route: {route}" for route in routes]
        private = invite(*recorded, contact="<sip:caller@172.25.8.9:5060>")
        steps = (
            private,
            answered(),
            ACK,
            presses("9", 2),
            hears(200),
            asks("BYE"),
            answers("200 OK"),
        )
        sipp(ours, script(*steps))
        ours.new_calls()
        (bye_,) = (re.sub(r"127\.0\.0\.1:\d+", "HERE", m) for m in sipp.came("BYE"))
        assert bye_.startswith(f"BYE {target} SIP/2.0")
        told = ", ".join(re.findall(r"^Route: (.*)$", bye_, re.MULTILINE))
        assert told.split(", ") == way

    def test_a_wrong_address_in_via_misleads_nobody(self, ours: Gateway, sipp: Sipp) -> None:
        seen = "received=127.0.0.1.*"
        sipp(ours, script(invite(via="192.0.2.7:9"), answered(Via=seen), ACK, bye(2)))
        ours.new_calls()
        (answer,) = (m for m in sipp.came("SIP/2.0 200") if "1 INVITE" in m)
        assert re.search(r"^Via: SIP/2.0/UDP 192.0.2.7:9;.*rport=[1-9]", answer, re.MULTILINE)


class TestRefusals:
    def test_what_we_do_not_take_is_refused_in_the_words_for_it(
        self, ours: Gateway, sipp: Sipp
    ) -> None:
        alone = {"uri": SERVICE, "to": f"<{SERVICE}>"}
        texts, unknown = "Content-Type: text/plain", f"<{SERVICE}>;tag=nobody"
        sipp(
            ours,
            script(
                *(invite("Require: 100rel, frob"), refused(420, Unsupported="^ frob$")),
                *(invite("Proxy-Require: frob", texts, number=2), refused(415, 2, Accept="sdp")),
                *(invite("Accept: text/plain", number=3), refused(406, 3)),
                *(invite(number=4, uri="http://[remote_ip]/"), refused(416, 4)),
                *(invite(number=5, version="SIP/3.0"), refused(505, 5)),
                *(says("FROB", 6, **alone), hears(501)),
                *(says("REGISTER", 7, **alone), hears(405, Allow="INVITE")),
                says("ACK", 8, uri=SERVICE, to=unknown),
                *(says("BYE", 8, uri=SERVICE, to=unknown), hears(481, CSeq="8 BYE")),
                *(says("INFO", 9, uri=SERVICE, to=unknown), hears(481, CSeq="9 INFO")),
            ),
        )
        assert ours.ask("/v1/calls")["calls"][-1]["ended_by"] is not None

    def test_a_length_given_twice_counts_once_or_not_at_all(
        self, ours: Gateway, sipp: Sipp
    ) -> None:
        twice = ("Content-Type: application/sdp", "Content-Type: application/sdp")
        differs = ("Content-Type: application/sdp", "Content-Type: text/plain")
        rows = invite(*differs), refused(400), invite(*twice, number=2), answered()
        sipp(ours, script(*rows, says("ACK", 2), bye(3)))
        (record,) = ours.new_calls()
        assert record["ended_by"] == "caller"


class TestDescriptions:
    def test_an_odd_offer_is_answered_section_by_section_in_its_own_numbers(
        self, ours: Gateway, sipp: Sipp
    ) -> None:
        both = sdp(
            "a=rtpmap:0 PCMU/8000", "a=rtpmap:120 telephone-event/8000", "a=fmtp:120 0-15",
            "a=ptime:30", "m=video 40000 RTP/AVP 31", "a=rtpmap:31 H261/90000",
            media="m=audio [media_port] RTP/AVP 0 120",
        )  # fmt: skip
        old_hold = sdp("a=rtpmap:0 PCMU/8000", "m=video 0 RTP/AVP 31", address="0.0.0.0")
        steps = (
            invite("Content-Type:", body=both),
            answered(
                message_1="m=audio [1-9][0-9]* RTP/AVP 0 120",
                message_2="a=rtpmap:120 telephone-event/8000",
                message_3="a=ptime:30",
                message_4="m=video 0 RTP/AVP 31",
            ),
            ACK,
            changes(2, old_hold),
            answered(message_1="a=recvonly", message_2="m=video 0 RTP/AVP 31"),
            *(says("ACK", 2), bye(3)),
        )
        sipp(ours, script(*steps))
        (record,) = ours.new_calls()
        held = [e["detail"]["is_held"] for e in record["timeline"] if e["name"] == "leg.held"]
        assert held == [True]

    def test_who_asks_for_an_offer_in_mid_call_gets_all_we_have_at_the_same_port(
        self, ours: Gateway, sipp: Sipp
    ) -> None:
        asked = says("INVITE", 2), answered(message="a=rtpmap:[0-9]+ opus/48000/2")
        sipp(ours, script(*UP, *asked, says("ACK", 2, body=OFFER), bye(3)))
        (record,) = ours.new_calls()
        assert record["ended_by"] == "caller"
        first, full = (m for m in sipp.came("SIP/2.0 200") if "m=audio" in m)
        ports = [re.findall(r"m=audio (\d+) RTP/AVP (.*)", m)[0] for m in (first, full)]
        assert ports[0][0] == ports[1][0]
        assert {"0", "8", "9"} <= set(ports[1][1].split())

    def test_who_asks_for_an_offer_and_does_not_answer_it_is_let_go(
        self, ours: Gateway, sipp: Sipp
    ) -> None:
        steps = invite(body=""), answered(message="m=audio"), ACK, asks("BYE"), answers("200 OK")
        sipp(ours, script(*steps))
        (record,) = ours.new_calls()
        assert record["ended_by"] == "gateway"


class TestWhoCalls:
    def test_a_trusted_trunk_tells_who_calls_and_by_whom_it_was_sent_on(
        self, ours: Gateway, sipp: Sipp
    ) -> None:
        headers = (
            'P-Asserted-Identity: "Ann" <sip:+15550100@pbx.example>',
            "Diversion: <sip:+15550177@pbx.example>;reason=user-busy",
            "User-to-User: 4142;encoding=hex",
            "X-Account: 4711",
            "X-Secret: 1",
        )
        sipp(ours, script(invite(*headers), *UP[1:], bye(2)))
        (record,) = ours.new_calls()
        (started,) = (e["detail"] for e in record["timeline"] if e["name"] == "call.started")
        assert record["caller"] == "+15550100"
        assert started["variables"] == {
            "caller_name": "Ann",
            "diverted_from": "+15550177",
            "diversion_reason": "user-busy",
            "header.user-to-user": "4142;encoding=hex",
            "user_to_user": "AB",
            "header.x-account": "4711",
        }

    def test_who_wants_no_name_told_has_none(self, ours: Gateway, sipp: Sipp) -> None:
        headers = "P-Asserted-Identity: <sip:+15550100@pbx.example>", "Privacy: id"
        sipp(ours, script(invite(*headers), *UP[1:], bye(2)))
        (record,) = ours.new_calls()
        assert record["caller"] == "anonymous"

    def test_a_place_is_not_taken_of_an_answered_call_if_early_nor_of_one_that_is_over(
        self, ours: Gateway, sipp: Sipp
    ) -> None:
        mine = "[pid]T[call_number]"
        named = f"[call_id];to-tag=[$tag];from-tag={mine}"
        second = {"call": "second///[call_id]", "tag": "t2", "branch": "second"}
        third = {"call": "third///[call_id]", "tag": "t3", "branch": "third"}
        early = invite(f"Replaces: {named};early-only", **second), refused(486, **second)
        late = invite(f"Replaces: {named}", **third), refused(603, **third)
        steps = *UP, *early, bye(2), *late
        sipp(ours, script(*steps))
        (record,) = ours.new_calls()
        assert record["ended_by"] == "caller"

    def test_a_stranger_proves_itself_by_a_password(self, ours: Gateway, sipp: Sipp) -> None:
        again = invite("[authentication]", number=2), answered(), says("ACK", 2), bye(3)
        asked = invite(), refused(401, WWW_Authenticate='algorithm=MD5.*qop="auth"')
        sipp(ours, script(*asked, *again), *elsewhere(ours, "sesame"))
        (record,) = ours.new_calls()
        assert record["ended_by"] == "caller"

    def test_a_guessed_password_is_refused_at_once(self, ours: Gateway, sipp: Sipp) -> None:
        guess = invite("[authentication]", number=2), refused(403, 2)
        sipp(ours, script(invite(), refused(401), *guess), *elsewhere(ours, "guess"))


class TestRinging:
    def test_who_gives_up_twice_is_told_so_twice(self, ringing: Gateway, sipp: Sipp) -> None:
        gone = cancel() + hears(200, CSeq="1 CANCEL")
        first = invite(), rings()
        sipp(ringing, script(*first, gone, refused(487), gone), "-nr")
        ringing.new_calls()

    def test_offers_before_the_answer_are_put_off(self, ringing: Gateway, sipp: Sipp) -> None:
        early = {"uri": SERVICE}
        update = says("UPDATE", 2, **early, body=OFFER), hears(500, Retry_After="[0-9]")
        second = changes(3, OFFER, **early), refused(500, 3, Retry_After="[0-9]")
        first = invite(), rings()
        gone = cancel(), hears(200, CSeq="CANCEL"), refused(487)
        sipp(ringing, script(*first, *update, *second, *gone))
        ringing.new_calls()
