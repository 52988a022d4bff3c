"""SIP messages a second on one core: parsed and typed, and parsed and written again.

The message is an INVITE of some 1.4 kB as a large trunk sends it, different
each time.  The ratio is to a plain Python loop that only splits the same bytes
into names and values, measured in the same run.

    python benchmarks/bench_sip_parse.py
"""

import time
from collections.abc import Callable

from rig.report import options, report

from gateway.sip.flow import Flow
from gateway.sip.transactions.layer import RequestReceived, TransactionLayer
from gateway.sip.wire.message import Request, parse, read, response_to

COUNT = 4000
ROUNDS = 7

SDP = """v=0
o=root 1821034591 1821034591 IN IP4 203.0.113.70
s=Media Gateway
c=IN IP4 203.0.113.70
t=0 0
m=audio 14776 RTP/AVP 0 8 101
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=ptime:20
a=maxptime:20
a=sendrecv
"""

HEAD = """INVITE sip:+15550100@gateway.example.com;transport=udp SIP/2.0
Record-Route: <sip:203.0.113.10:5060;r2=on;transport=udp;ftag=8811_c3;lr>
Record-Route: <sip:203.0.113.10:5060;r2=on;transport=tls;ftag=8811_c3;lr>
From: "+15550111" <sip:+15550111@trunk.example.net:5060>;tag=8811_c3{n}
To: <sip:+15550100@gateway.example.com;user=phone>
CSeq: {n} INVITE
Max-Forwards: 61
P-Asserted-Identity: <sip:+15550111@203.0.113.20:5060>
Diversion: <sip:+15550122@trunk.example.net>;reason=unconditional
Call-ID: 5f3ba9c1d86b4e{n}@203.0.113.30
Via: SIP/2.0/UDP 203.0.113.10:5060;rport;branch=z9hG4bK9c4d.{n}.0
Via: SIP/2.0/TLS 172.25.4.10:5060;rport=5060;received=203.0.113.30;branch=z9hG4bKa{n}
Contact: <sip:+15550111@172.25.4.10:5060;transport=udp>
Allow: INVITE,ACK,CANCEL,OPTIONS,BYE,REFER,INFO,NOTIFY,UPDATE
User-Agent: Large Trunk Gateway
X-Trunk-AccountSid: AC00000000000000000000000000000000
X-Trunk-CallSid: CA0000000000000000000000{n}
X-Trunk-Region: earth-north-1;edge=anywhere;routing="a, b; c"
Supported: timer, replaces, histinfo
Session-Expires: 1800;refresher=uac
Content-Type: application/sdp
Content-Length: {length}

"""


def messages(count: int) -> list[bytes]:
    """Make ``count`` INVITEs, no two alike."""
    body = SDP.replace("\n", "\r\n").encode()
    head = HEAD.replace("\n", "\r\n")
    return [head.format(n=100_000 + n, length=len(body)).encode() + body for n in range(count)]


def split_only(data: bytes) -> list[tuple[str, str]]:
    """The reference: names and values, nothing understood."""
    head, _, _ = data.partition(b"\r\n\r\n")
    pairs = []
    for line in head.decode().split("\r\n")[1:]:
        name, _, value = line.partition(":")
        pairs.append((name.strip().lower(), value.strip()))
    return pairs


def per_second(work: Callable[[bytes], object], batch: list[bytes]) -> float:
    """Return messages per second of CPU, the best of several rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        for data in batch:
            work(data)
        best = min(best, time.process_time() - start)
    return len(batch) / best


def serve(data: bytes) -> None:
    """Take an INVITE through parser and transaction to its 200 on the wire."""
    layer = TransactionLayer()
    request = parse(data)
    layer.receive(request, Flow("udp", ("192.0.2.1", 5060), ("203.0.113.10", 5060)), 0.0)
    (event,) = layer.events()
    if isinstance(event, RequestReceived) and isinstance(request, Request):
        layer.respond(event.key, response_to(request, 200, to_tag="b2"), 0.0)
    layer.data_to_send()


if __name__ == "__main__":
    chosen = options(__doc__)
    batch = messages(COUNT)
    reference = per_second(split_only, batch)
    works: dict[str, Callable[[bytes], object]] = {
        "parse, every header typed": parse,
        "parse and write again": lambda data: bytes(read(data)),
        "parse, typed, and write again": lambda data: bytes(parse(data)),
        "parse, transaction, 200 written": serve,
    }
    rows = []
    for name, work in works.items():
        rate = per_second(work, batch)
        rows.append(
            {
                "what": name,
                "bytes": len(batch[0]),
                "per_second": round(rate),
                "split_only_per_second": round(reference),
                "ratio": round(reference / rate, 1),
            }
        )
    report("sip", rows, ">= 10 k typed, >= 35 k parsed and written", as_json=chosen.json)
