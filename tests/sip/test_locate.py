"""From an address to the servers to try (RFC 3263 section 4), with the answers handed in."""

from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest

from gateway.clock import CountedIds
from gateway.sip.ways.findings import Findings
from gateway.sip.ways.locate import Naptr, Question, Reach, Record, Srv, Target, locate
from gateway.sip.wire.uri import Uri

UDP: Reach = [("udp", "A")]
ALL: Reach = [("udp", "A"), ("tcp", "A"), ("tls", "A")]
BOTH: Reach = [("udp", "AAAA"), ("udp", "A")]


class Domain:
    """Answers questions from a table, and notes them."""

    def __init__(self, **records: Sequence[Record]) -> None:
        self.records = {
            Question(*key.split(" ", 1)): found  # type: ignore[arg-type]
            for key, found in records.items()
        }
        self.rounds: list[list[str]] = []

    def find(
        self, uri: str, reach: Reach = ALL, *, seed: int = 1, local: bool = False
    ) -> list[str]:
        plan = locate(Uri.parse(uri), reach, Lots(seed), has_services=not local)
        try:
            questions = next(plan)
            while True:
                self.rounds.append([f"{kind} {name}" for kind, name in questions])
                questions = plan.send({q: self.records.get(q, ()) for q in questions})
        except StopIteration as end:
            return [spell(target) for target in end.value]


class Lots(CountedIds):
    """Chance that can be had again."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._random = Random(seed)

    def number(self, below: int) -> int:
        return self._random.randrange(below)


def spell(target: Target) -> str:
    proves = f" as {target.domain}" if target.domain else ""
    return f"{target.transport}:{target.host}:{target.port}{proves}"


@pytest.mark.parametrize(
    ("uri", "targets"),
    [
        ("sip:a@192.0.2.7", ["udp:192.0.2.7:5060"]),
        ("sip:a@192.0.2.7:5080", ["udp:192.0.2.7:5080"]),
        ("sip:a@192.0.2.7;transport=tcp", ["tcp:192.0.2.7:5060"]),
        ("sips:a@192.0.2.7", ["tls:192.0.2.7:5061 as 192.0.2.7"]),
        ("sips:a@192.0.2.7;transport=tcp", ["tls:192.0.2.7:5061 as 192.0.2.7"]),
        ("sip:a@pbx.example;maddr=192.0.2.8", ["udp:192.0.2.8:5060"]),
        ("sip:a@[2001:db8::7]", []),  # we have no socket for it
        ("sip:a@192.0.2.7;transport=sctp", []),
        ("tel:+15550100", []),
        ("sip:a@df7jal23ls0d.Invalid.;transport=tcp", []),
    ],
)
def test_a_host_that_is_no_name_is_its_own_target_and_nobody_is_asked(
    uri: str, targets: list[str]
) -> None:
    domain = Domain()
    assert domain.find(uri) == targets
    assert domain.rounds == []


def test_a_port_rules_out_everything_but_addresses() -> None:
    domain = Domain(
        **{
            "A pbx.example": ["192.0.2.1", "192.0.2.2"],
            "SRV _sip._udp.pbx.example": [Srv(1, 1, 5099, "other.example")],
        }
    )
    assert domain.find("sip:a@PBX.example.:5070") == ["udp:192.0.2.1:5070", "udp:192.0.2.2:5070"]
    assert domain.rounds == [["A pbx.example"]]


@pytest.mark.parametrize(
    ("uri", "service", "transport"),
    [
        ("sip:pbx.example;transport=udp", "_sip._udp", "udp"),
        ("sip:pbx.example;transport=TCP", "_sip._tcp", "tcp"),
        ("sip:pbx.example;transport=tls", "_sips._tcp", "tls"),
        ("sips:pbx.example;transport=tcp", "_sips._tcp", "tls"),
    ],
)
def test_a_transport_without_a_port_is_looked_for_by_its_service(
    uri: str, service: str, transport: str
) -> None:
    domain = Domain(
        **{
            f"SRV {service}.pbx.example": [Srv(1, 0, 5071, "one.example")],
            "A one.example": ["192.0.2.1"],
        }
    )
    proof = " as pbx.example" if transport == "tls" else ""
    assert domain.find(uri) == [f"{transport}:192.0.2.1:5071{proof}"]
    assert domain.rounds == [[f"SRV {service}.pbx.example"], ["A one.example"]]


def test_the_services_of_a_domain_are_taken_in_its_order() -> None:
    domain = Domain(
        **{
            "NAPTR pbx.example": [
                Naptr(20, 10, "s", "SIP+D2U", "_sip._udp.pbx.example"),
                Naptr(10, 20, "s", "SIPS+D2T", "_sips._tcp.pbx.example"),
                Naptr(10, 10, "S", "sip+d2t", "streams.example"),
                Naptr(5, 5, "s", "SIP+D2S", "_sip._sctp.pbx.example"),
                Naptr(1, 1, "u", "E2U+sip", "nobody.example"),
            ],
            "SRV _sip._udp.pbx.example": [Srv(1, 0, 5060, "udp.example")],
            "SRV _sips._tcp.pbx.example": [Srv(1, 0, 5061, "tls.example")],
            "SRV streams.example": [Srv(1, 0, 5062, "tcp.example")],
            "A udp.example": ["192.0.2.1"],
            "A tls.example": ["192.0.2.2"],
            "A tcp.example": ["192.0.2.3"],
        }
    )
    assert domain.find("sip:pbx.example") == [
        "tcp:192.0.2.3:5062",
        "tls:192.0.2.2:5061 as pbx.example",
        "udp:192.0.2.1:5060",
    ]
    assert domain.rounds[0] == ["NAPTR pbx.example"]
    assert domain.find("sip:pbx.example", UDP) == ["udp:192.0.2.1:5060"]


def test_a_secure_address_is_reached_by_tls_alone() -> None:
    domain = Domain(
        **{
            "NAPTR pbx.example": [
                Naptr(1, 1, "s", "SIP+D2U", "_sip._udp.pbx.example"),
                Naptr(2, 1, "s", "SIPS+D2T", "_sips._tcp.pbx.example"),
            ],
            "SRV _sip._udp.pbx.example": [Srv(1, 0, 5060, "one.example")],
            "SRV _sips._tcp.pbx.example": [Srv(1, 0, 5061, "one.example")],
            "A one.example": ["192.0.2.1"],
            "A pbx.example": ["192.0.2.9"],
        }
    )
    assert domain.find("sips:pbx.example") == ["tls:192.0.2.1:5061 as pbx.example"]
    assert Domain(**{"A pbx.example": ["192.0.2.9"]}).find("sips:pbx.example") == [
        "tls:192.0.2.9:5061 as pbx.example"
    ]
    assert domain.find("sips:pbx.example", UDP) == []


def test_a_domain_without_naptr_is_asked_for_each_transport_we_have() -> None:
    domain = Domain(
        **{
            "SRV _sip._tcp.pbx.example": [Srv(1, 0, 5060, "one.example")],
            "A one.example": ["192.0.2.1"],
        }
    )
    assert domain.find("sip:pbx.example") == ["tcp:192.0.2.1:5060"]
    assert domain.rounds[1] == [
        "SRV _sip._udp.pbx.example",
        "SRV _sip._tcp.pbx.example",
        "SRV _sips._tcp.pbx.example",
    ]


def test_a_domain_without_services_is_a_host() -> None:
    domain = Domain(**{"A pbx.example": ["192.0.2.1"]})
    assert domain.find("sip:pbx.example") == ["udp:192.0.2.1:5060"]
    assert domain.find("sip:pbx.example;transport=tcp") == ["tcp:192.0.2.1:5060"]
    assert domain.find("sip:nowhere.example") == []


def test_a_name_of_this_machine_is_not_looked_for_by_services() -> None:
    domain = Domain(**{"A localhost": ["127.0.0.1"]})
    assert domain.find("sip:localhost", local=True) == ["udp:127.0.0.1:5060"]
    assert domain.rounds == [["A localhost"]]


def test_a_service_that_is_decidedly_not_to_be_had_is_not_sought_elsewhere() -> None:
    domain = Domain(
        **{
            "SRV _sip._udp.pbx.example": [Srv(0, 0, 0, "")],
            "A pbx.example": ["192.0.2.1"],
        }
    )
    assert domain.find("sip:pbx.example;transport=udp") == []


def test_both_families_are_asked_for_in_the_order_of_our_sockets() -> None:
    domain = Domain(
        **{
            "SRV _sip._udp.pbx.example": [
                Srv(1, 0, 5060, "a.example"),
                Srv(2, 0, 5062, "b.example"),
            ],
            "A a.example": ["192.0.2.1"],
            "AAAA a.example": ["2001:db8::1"],
            "AAAA b.example": ["2001:db8::2"],
        }
    )
    uri = "sip:pbx.example;transport=udp"
    assert domain.find(uri, BOTH) == [
        *("udp:2001:db8::1:5060", "udp:192.0.2.1:5060", "udp:2001:db8::2:5062"),
    ]
    assert domain.find(uri, UDP) == ["udp:192.0.2.1:5060"]
    assert domain.find("sip:[2001:db8::5]", BOTH) == ["udp:2001:db8::5:5060"]


def test_servers_of_one_priority_are_chosen_by_their_weights() -> None:
    weights = {"a": 60, "b": 30, "c": 10, "d": 0}
    records = [Srv(1, weight, 5060, f"{name}.example") for name, weight in weights.items()]
    records.append(Srv(0, 0, 5060, "first.example"))
    found: dict[str, Sequence[Record]] = {"SRV _sip._udp.pbx.example": records}
    hosts = {"first": "192.0.2.9", "a": "192.0.2.1", "b": "192.0.2.2", "c": "192.0.2.3"}
    hosts["d"] = "192.0.2.4"
    domain = Domain(**found, **{f"A {name}.example": [host] for name, host in hosts.items()})
    runs = 4000
    seconds: Counter[str] = Counter()
    for seed in range(runs):
        targets = domain.find("sip:pbx.example;transport=udp", seed=seed)
        assert targets[0] == "udp:192.0.2.9:5060"
        assert len(set(targets)) == 5
        seconds[targets[1]] += 1
    for name, share in (("a", 60 / 101), ("b", 30 / 101), ("c", 10 / 101), ("d", 1 / 101)):
        assert seconds[f"udp:{hosts[name]}:5060"] / runs == pytest.approx(share, abs=0.025)
    assert seconds["udp:192.0.2.4:5060"] > 0  # weight 0 has a small chance, not none


def test_a_domain_of_countless_records_is_looked_at_in_part() -> None:
    servers = [Srv(1, 1, 5060, f"s{n}.example") for n in range(500)]
    found: dict[str, Sequence[Record]] = {
        "NAPTR pbx.example": [Naptr(1, 1, "s", "SIP+D2U", "_sip._udp.pbx.example")] * 500,
        "SRV _sip._udp.pbx.example": servers,
    }
    addresses = {
        f"A s{n}.example": [f"198.51.{n % 100}.{i}" for i in range(200)] for n in range(500)
    }
    domain = Domain(**found, **addresses)
    assert len(domain.find("sip:pbx.example")) == 16
    assert len(domain.rounds) == 3
    assert len(domain.rounds[2]) == 16


QUESTION = Question("A", "pbx.example")


def test_what_was_found_counts_as_long_as_it_says_within_bounds() -> None:
    findings = Findings()
    assert findings.get(QUESTION, 0.0) is None
    for ttl, life in ((60.0, 60.0), (0.0, 5.0), (1e9, 3600.0)):
        findings.put(QUESTION, ["192.0.2.1"], ttl, 100.0)
        assert findings.get(QUESTION, 100.0 + life - 0.1) == ("192.0.2.1",)
        assert findings.get(QUESTION, 100.0 + life) is None


def test_that_there_is_nothing_is_remembered_too_but_not_for_long() -> None:
    findings = Findings()
    findings.put(QUESTION, [], 86_400.0, 0.0)
    assert findings.get(QUESTION, 299.0) == ()
    assert findings.get(QUESTION, 300.0) is None


def test_what_was_found_last_serves_while_nobody_answers() -> None:
    findings = Findings()
    assert findings.fail(QUESTION, 0.0) == ()
    assert findings.get(QUESTION, 4.9) == ()
    assert findings.get(QUESTION, 5.0) is None
    findings.put(QUESTION, ["192.0.2.1"], 60.0, 10.0)
    assert findings.fail(QUESTION, 100.0) == ("192.0.2.1",)
    assert findings.get(QUESTION, 104.0) == ("192.0.2.1",)
    assert findings.get(QUESTION, 105.0) is None
    assert findings.fail(QUESTION, 4000.0) == ()


def test_only_so_many_answers_are_remembered() -> None:
    findings = Findings()
    for number in range(5000):
        findings.put(Question("A", f"h{number}.example"), [], 60.0, 0.0)
    assert len(findings) == 1024
    assert findings.get(Question("A", "h4999.example"), 1.0) == ()
    assert findings.get(Question("A", "h0.example"), 1.0) is None
