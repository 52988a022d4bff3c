"""A full ICE agent (aioice) and a foreign DTLS stack (aiortc) find a lane over the loopback."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import aioice
import numpy as np
import pytest
from OpenSSL import SSL
from voicecodecs.g711 import decode_ulaw, encode_ulaw

from gateway.clock import RandomIds
from gateway.media.engine import Lane, MediaEngine
from gateway.media.events import Mark
from gateway.media.ports import PortPool
from gateway.rtc.transport import Dtls, Ice, make_certificate, sha256_of
from gateway.rtp.dtls import DtlsState, Handshake, Identity
from gateway.rtp.packet import RtpPacket
from gateway.sdp.description import SessionDescription
from gateway.sdp.negotiate import OfferAnswer
from gateway.sdp.terms import Terms
from gateway.testing.hearing import tone_share
from gateway.testing.media import tone

pytestmark = pytest.mark.interop

CERTIFICATE = make_certificate()


class Caller:
    """A lane, the exchange of descriptions for it, and an agent that calls it."""

    def __init__(self, engine: MediaEngine) -> None:
        self.chunks: list[bytes] = []
        self.refusals: list[str] = []
        self.packets: list[RtpPacket] = []
        self.lane: Lane = engine.open(lambda _: None, self.chunks.append)
        terms = Terms(("PCMU",), srtp="optional")
        self.media = OfferAnswer(
            "127.0.0.1",
            self.lane.port,
            terms,
            ids=RandomIds(),
            peer_host="127.0.0.1",
            fingerprint=self.lane.fingerprint,
        )
        self.ice = Ice(is_controlling=True, is_local=True)
        self.dtls = Dtls(self.ice, CERTIFICATE, self._hear, lambda _: None)

    def _hear(self, data: bytes) -> None:
        self.packets.append(RtpPacket.parse(data))

    async def call(self, fingerprint: str | None = None) -> SessionDescription:
        """Offer, and return the answer; ``fingerprint`` is ours unless another is to be told."""
        await self.ice.gather_candidates()
        (candidate,) = self.ice.local_candidates
        offer = (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {candidate.port} UDP/TLS/RTP/SAVPF 0\r\na=rtcp-mux\r\na=setup:actpass\r\n"
            f"a=fingerprint:sha-256 {fingerprint or sha256_of(CERTIFICATE)}\r\n"
            f"a=ice-ufrag:{self.ice.local_username}\r\na=ice-pwd:{self.ice.local_password}\r\n"
            f"a=candidate:{candidate.to_sdp()}\r\n"
        )
        answer = SessionDescription.parse(self.media.answer(offer.encode()))
        assert self.media.negotiated is not None
        self.lane.configure(self.media.negotiated, self.refusals.append)
        return answer

    async def connect(self, answer: SessionDescription) -> bool:
        """Find the lane and shake hands."""
        (section,) = answer.media
        assert answer.attributes("ice-lite") == [""]
        self.ice.remote_is_lite = True
        self.ice.remote_username = section.attribute("ice-ufrag")
        self.ice.remote_password = section.attribute("ice-pwd")
        for value in section.attributes("candidate"):
            await self.ice.add_remote_candidate(aioice.Candidate.from_sdp(value))
        await self.ice.add_remote_candidate(None)  # type: ignore[arg-type]
        await self.ice.connect()
        algorithm, digest = (section.attribute("fingerprint") or "").split()
        return await self.dtls.shake_hands([(algorithm, digest)], is_client=True)

    async def speak(self, seconds: float) -> None:
        said = encode_ulaw(tone(1004, seconds, 8000)).tobytes()
        for n in range(round(seconds / 0.02)):
            packet = RtpPacket(0, n, n * 160, 7, said[n * 160 :][:160])
            self.dtls.send_packet(bytes(packet))
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def caller() -> AsyncIterator[Caller]:
    engine = MediaEngine(PortPool("32000-32999"))
    engine.start()
    one = Caller(engine)
    try:
        yield one
    finally:
        await one.dtls.stop()
        with contextlib.suppress(asyncio.CancelledError):
            if one.dtls.receiving is not None:
                await asyncio.wait({one.dtls.receiving}, timeout=2)
        await one.ice.close()
        one.lane.close()
        engine.close()


async def test_a_full_agent_finds_the_lane_and_both_hear_each_other_under_keys() -> None:
    async with caller() as one, asyncio.timeout(20):
        one.lane.play(tone(611, 10.0, 24000).tobytes(), Mark("resp_1", "item_1"))
        assert await one.connect(await one.call())
        await one.speak(1.5)
        stats = one.lane.stats()
    assert stats.srtp
    assert (stats.forged, stats.wrong_source, one.refusals) == (0, 0, [])
    assert stats.packets_received > 50
    heard = decode_ulaw(b"".join(packet.payload for packet in one.packets))
    assert tone_share(heard[800:8000], 611, 8000) > 0.95
    sound = np.frombuffer(b"".join(one.chunks), np.int16)
    assert tone_share(sound[-24000:-4800], 1004, 24000) > 0.9


async def test_nothing_is_sent_to_who_has_not_proved_to_be_the_caller() -> None:
    async with caller() as one, asyncio.timeout(20):
        await one.call()
        await asyncio.sleep(0.3)
        assert one.lane.stats().packets_sent == 0


async def test_an_agent_with_another_certificate_is_refused_in_words() -> None:
    async with caller() as one, asyncio.timeout(20):
        answer = await one.call(":".join(["AB"] * 32))
        assert not await one.connect(answer)
        while not one.refusals:
            await asyncio.sleep(0.02)
        stats = one.lane.stats()
    assert one.refusals == ["the certificate is not the one that the description tells of"]
    assert stats.packets_sent == 0


def test_a_foreign_server_whose_last_word_is_lost_is_asked_again_in_a_way_it_hears() -> None:
    """OpenSSL takes what it has had before for a repetition, and answers only what is new."""
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_max_proto_version(0xFEFD)
    context.set_tlsext_use_srtp(b"SRTP_AES128_CM_SHA1_80")
    context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
    context.use_privatekey(CERTIFICATE._key)
    context.use_certificate(CERTIFICATE._cert)
    server = SSL.Connection(context, None)
    server.set_accept_state()
    digest = bytes.fromhex(sha256_of(CERTIFICATE).replace(":", ""))
    start = time.monotonic()
    client = Handshake(Identity(), [("sha-256", digest)], is_client=True, now=start)

    def answer() -> bytes:
        for datagram in client.data_to_send():
            server.bio_write(datagram)
            with contextlib.suppress(SSL.WantReadError):
                server.do_handshake()
                server.recv(1)
        return server.bio_read(8000)

    client.receive(answer(), start)
    lost = answer()
    assert lost
    assert client.state is DtlsState.SHAKING
    while client.state is DtlsState.SHAKING and client.deadline is not None:
        time.sleep(max(0.0, client.deadline - time.monotonic()))
        now = time.monotonic()
        client.wake(now)
        with contextlib.suppress(SSL.WantReadError):
            client.receive(answer(), now)
    assert client.state is DtlsState.DONE
