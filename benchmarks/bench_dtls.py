"""CPU of one side of a DTLS handshake.

The ratio is to what no handshake of these keys can do without, measured in the same run: one key
made, one secret agreed on, one signature given and one checked.

    python benchmarks/bench_dtls.py
"""

import statistics
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from rig.report import options, report

from gateway.rtp.dtls import Handshake, Identity

OURS, THEIRS = Identity(), Identity()


def shaken_hands() -> tuple[float, float]:
    """Return the CPU seconds of client and server."""
    spent = {}
    sides = []
    for is_client, identity, other in ((True, OURS, THEIRS), (False, THEIRS, OURS)):
        start = time.process_time()
        sides.append(Handshake(identity, [other.digest], is_client=is_client, now=0.0))
        spent[is_client] = time.process_time() - start
    client, server = sides
    while client.keys is None or server.keys is None:
        for sender, receiver in ((client, server), (server, client)):
            for datagram in sender.data_to_send():
                start = time.process_time()
                receiver.receive(datagram, 0.0)
                spent[receiver is client] += time.process_time() - start
    return spent[True], spent[False]


def bare_cryptography() -> float:
    """Return the CPU seconds of the least there is to do."""
    key, peer = ec.generate_private_key(ec.SECP256R1()), x25519.X25519PrivateKey.generate()
    start = time.process_time()
    x25519.X25519PrivateKey.generate().exchange(peer.public_key())
    signature = key.sign(b"a transcript", ec.ECDSA(hashes.SHA256()))
    key.public_key().verify(signature, b"a transcript", ec.ECDSA(hashes.SHA256()))
    return time.process_time() - start


if __name__ == "__main__":
    chosen = options(__doc__, repeats=300)
    least, clients, servers = [], [], []
    for _ in range(chosen.repeats):
        least.append(bare_cryptography())
        client, server = shaken_hands()
        clients.append(client)
        servers.append(server)
    reference = statistics.mean(least)
    rows = [
        {
            "side": side,
            "ms": round(statistics.mean(taken) * 1000, 3),
            "least_ms": round(reference * 1000, 3),
            "ratio": round(statistics.mean(taken) / reference, 2),
        }
        for side, taken in (("client", clients), ("server", servers))
    ]
    report("dtls", rows, "<= 2 ms a call, on the event loop", as_json=chosen.json)
