"""Lanes whose other side must be proved: handshakes, checks, and what comes before and between."""

import dataclasses
import gc
import random
from types import FunctionType, ModuleType

import pytest
from aioice.stun import Class, Message, Method

from gateway.media.cipher import Cipher
from gateway.media.events import Mark
from gateway.media.path import Datagram, Keyed, Path
from gateway.media.porter import MOST
from gateway.rtp.dtls import DtlsState, Handshake, Identity, Keys
from gateway.rtp.rtcp import ReceiverReport, pack_compound
from gateway.sdp.crypto import SrtpKeys
from gateway.sdp.dtls import Dtls, Fingerprint
from gateway.sdp.ice import Credentials, Ice
from gateway.sdp.negotiate import Negotiated
from gateway.testing.hearing import tone_share
from gateway.testing.media import MediaCall, MediaWorld, tone
from gateway.testing.rtp import MemoryNetwork, MemoryPort, Phone

SPEECH = Mark("resp_1", "item_1")
OURS, THEIRS, STRANGER = Identity(), Identity(), Identity()
ICE = Ice(Credentials("ours", "o" * 22), Credentials("them", "t" * 22))


class Shaker(Phone):
    """A telephone that shakes hands for its keys, at its port for sound or at both."""

    def __init__(
        self,
        network: MemoryNetwork,
        number: int,
        *,
        is_client: bool = True,
        host: str = "192.0.2.1",
    ) -> None:
        super().__init__(network, number, host=host)
        self.reports: MemoryPort = network.bind(self.port.address[0], number + 1)
        self.identity = THEIRS
        self.is_client = is_client
        self.shakes: dict[MemoryPort, Handshake] = {}
        self.begins = [self.port]
        self.clear = 0  # packets of sound that came before there were keys
        self.came_to: Keys | None = None
        self.problems: list[str] = []

    def shake(self, world: MediaWorld) -> None:
        """Begin to shake hands."""
        digest = world.engine.identity.digest
        self.shakes = {
            port: Handshake(
                self.identity, [digest], is_client=self.is_client, now=self._network.now
            )
            for port in self.begins
        }

    def tick(self) -> None:
        assert self.target is not None
        now, (host, number) = self._network.now, self.target
        for port, shake in self.shakes.items():
            if shake.deadline is not None and now >= shake.deadline:
                shake.wake(now)
            for datagram in shake.data_to_send():
                port.sendto(datagram, (host, number + (port is self.reports)))
        super().tick()

    def listen(self) -> None:
        for port in (self.port, self.reports):
            kept = []
            while port.is_ready:
                size, source = port.recvfrom_into(self._buffer)
                data = bytes(self._buffer[:size])
                if port in self.shakes and 20 <= data[0] <= 63:
                    self.shakes[port].receive(data, self._network.now)
                    self._settle()
                else:
                    self.clear += self.cipher is None and data[0] >= 128
                    kept.append((data, source))
            if port is self.port:
                for data, source in kept:
                    port.arrive(self._network.now, data, source)
        super().listen()

    def _settle(self) -> None:
        shake = self.shakes[self.port]
        if shake.state is DtlsState.FAILED:
            self.problems.append(shake.problem)
        keys = shake.keys
        if keys is not None and keys is not self.came_to:
            self.came_to = keys
            ours = SrtpKeys(keys.suite, bytearray(keys.local), bytearray(keys.remote))
            if self.cipher is None:
                self.cipher = Cipher(ours)
            else:
                self.cipher.change(ours)

    def agreed(self, **changes: object) -> Negotiated:
        """Return what an exchange that asks for a handshake comes to."""
        fingerprint = Fingerprint(*self.identity.digest)
        dtls = Dtls(frozenset([fingerprint]), is_client=not self.is_client)
        plain = dataclasses.replace(self.negotiated(), is_secure=True, srtp=None, dtls=dtls)
        return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


class Scene:
    """A lane that is called by a telephone which shakes hands."""

    def __init__(
        self, *, is_client: bool = True, network: MemoryNetwork | None = None, **changes: object
    ) -> None:
        self.world = MediaWorld(network)
        self.phone = Shaker(self.world.network, 20000, is_client=is_client)
        self.refusals: list[str] = []
        agreed = self.phone.agreed(**changes)
        self.call: MediaCall = self.world.call(phone=self.phone, negotiated=agreed)
        self.call.lane.configure(agreed, self.refusals.append)

    def exchange(self, **changes: object) -> None:
        """Agree on something else."""
        self.call.lane.configure(self.phone.agreed(**changes), self.refusals.append)

    def talk(self, seconds: float = 2.0) -> None:
        """Let both sides say something."""
        self.phone.say(tone(1004, seconds, 8000))
        self.call.lane.play(tone(611, seconds, 24000).tobytes(), SPEECH)
        self.world.run(seconds)


def assert_heard(scene: Scene) -> None:
    assert tone_share(scene.phone.heard()[-12000:-2000], 611, 8000) > 0.95
    assert tone_share(scene.call.sound[-36000:-6000], 1004, 24000) > 0.95
    assert scene.call.lane.stats().forged == 0
    assert scene.refusals == []


@pytest.mark.parametrize("is_client", [True, False], ids=["they begin", "we begin"])
def test_both_sides_hear_each_other_under_the_keys_of_a_handshake(is_client: bool) -> None:
    scene = Scene(is_client=is_client)
    scene.phone.shake(scene.world)
    scene.talk()
    assert_heard(scene)
    assert scene.phone.clear == 0
    assert scene.call.lane.stats().srtp == "AEAD_AES_128_GCM"


def test_before_there_are_keys_nothing_is_sent_and_nothing_believed() -> None:
    scene = Scene()
    scene.talk(1.0)
    assert scene.phone.clear == 0
    assert scene.phone.packets == []
    stats = scene.call.lane.stats()
    assert (stats.packets_sent, stats.packets_received) == (0, 0)
    assert tone_share(scene.call.sound, 1004, 24000) < 0.01


@pytest.mark.parametrize("seed", range(4))
def test_a_lossy_network_delays_the_handshake_and_no_more(seed: int) -> None:
    network = MemoryNetwork(loss=0.3, delay=lambda r: r.uniform(0.01, 0.06), seed=seed)
    scene = Scene(network=network)
    scene.phone.shake(scene.world)
    scene.world.run(20.0)
    network.loss = 0.0
    scene.talk(3.0)
    assert scene.phone.came_to is not None
    assert tone_share(scene.call.sound[-36000:-6000], 1004, 24000) > 0.95


def test_a_phone_behind_a_nat_is_found_by_its_handshake() -> None:
    scene = Scene(remote=("10.1.2.3", 4000), peer_host="192.0.2.1")
    scene.phone.shake(scene.world)
    scene.talk()
    assert_heard(scene)


def test_who_moves_with_the_keys_of_a_handshake_is_found_where_they_went() -> None:
    scene = Scene()
    scene.phone.shake(scene.world)
    scene.talk(1.0)
    before = scene.phone
    scene.exchange(remote=("203.0.113.7", 30000))
    scene.world.run(0.02)
    scene.phone = Shaker(scene.world.network, 30000, host="203.0.113.7")
    scene.phone.target, scene.phone.cipher = before.target, before.cipher
    scene.call.phone = scene.phone
    scene.talk()
    assert_heard(scene)
    before.listen()
    assert before.packets[-1][0] < 1.1


def test_reports_at_a_port_of_their_own_have_keys_of_their_own() -> None:
    scene = Scene()
    scene.phone.begins = [scene.phone.port, scene.phone.reports]
    scene.phone.shake(scene.world)
    came: list[bytes] = []
    scene.world.run(1.0)
    reports = scene.phone.shakes[scene.phone.reports].keys
    assert reports is not None
    assert scene.phone.came_to is not None
    assert reports.local != scene.phone.came_to.local
    scene.phone.reports.arrive = lambda at, data, source: came.append(data)  # type: ignore[method-assign]
    scene.world.run(8.0)
    cipher = Cipher(SrtpKeys(reports.suite, bytearray(reports.local), bytearray(reports.remote)))
    assert came
    assert {data[0] >> 6 for data in came} == {2}
    assert cipher.open_report(came[0]) is not None


def test_without_them_no_report_is_sent() -> None:
    scene = Scene()
    scene.phone.shake(scene.world)
    came: list[bytes] = []
    scene.phone.reports.arrive = lambda at, data, source: came.append(data)  # type: ignore[method-assign]
    scene.world.run(11.0)
    assert scene.phone.came_to is not None
    assert came == []


def test_a_call_goes_on_whose_reports_find_no_keys() -> None:
    scene = Scene(is_client=False)  # we begin at both ports, and at one nobody answers
    scene.phone.shake(scene.world)
    scene.world.run(45.0)
    scene.talk()
    assert_heard(scene)


def test_a_refresh_keeps_the_keys_and_another_fingerprint_brings_others() -> None:
    scene = Scene()
    scene.phone.shake(scene.world)
    scene.talk(1.0)
    before = scene.phone.came_to
    scene.exchange(direction="sendrecv", ptime=20, is_held=True)
    scene.phone.shakes.clear()
    scene.talk()
    assert_heard(scene)
    assert scene.phone.came_to is before
    scene.phone.identity = STRANGER
    scene.exchange()
    scene.phone.shake(scene.world)
    scene.talk(3.0)
    assert scene.phone.came_to is not before
    assert_heard(scene)


@pytest.mark.parametrize("is_client", [True, False], ids=["they begin", "we begin"])
def test_another_certificate_ends_it_in_words(is_client: bool) -> None:
    scene = Scene(is_client=is_client)
    scene.phone.identity = STRANGER
    scene.phone.shake(scene.world)
    scene.talk(1.0)
    assert scene.refusals == ["the certificate is not the one that the description tells of"]
    assert scene.phone.packets == []
    assert len(scene.phone.problems) >= 1
    assert scene.call.lane.stats().packets_sent == 0


@pytest.mark.parametrize("ice", [None, ICE])
def test_a_phone_that_never_begins_ends_it_in_words(ice: Ice | None) -> None:
    scene = Scene(ice=ice)
    scene.world.run(29.5)
    assert scene.refusals == []
    scene.world.run(1.0)
    assert scene.refusals == ["nobody began the DTLS handshake in time"]


def test_a_phone_whose_place_is_told_late_is_shaken_hands_with_there() -> None:
    scene = Scene(is_client=False, remote=("10.1.2.3", 4000))
    scene.world.run(1.0)
    scene.phone.shake(scene.world)
    scene.exchange()
    scene.talk()
    assert_heard(scene)


def test_no_key_is_left_behind_where_it_was_made() -> None:
    way, phone = Path(OURS), Handshake(THEIRS, [OURS.digest], is_client=True, now=0.0)
    there = ("192.0.2.1", 20000)
    way.configure(Shaker(MemoryNetwork(), 20000).agreed(remote=there), 0.0)
    while phone.state is DtlsState.SHAKING:
        for data in phone.data_to_send():
            way.receive(Datagram(data, there, is_report=False, at=0.0))
        for data, _ in way.data_to_send():
            phone.receive(data, 0.0)
    (event,) = way.events()
    assert isinstance(event, Keyed)
    assert phone.keys is not None
    key = bytes(phone.keys.remote)
    assert event.keys.local == key
    assert key not in _bytes_within(way)
    kept = event.keys.local
    event.keys.wipe()
    assert not any(kept)


def _bytes_within(thing: object) -> list[bytes]:
    """Return whatever bytes an object holds, directly or not."""
    found, seen, ahead = [], set(), [thing]
    while ahead:
        one = ahead.pop()
        if id(one) in seen or isinstance(one, type | ModuleType | FunctionType):
            continue
        seen.add(id(one))
        if isinstance(one, bytes | bytearray):
            found.append(bytes(one))
        ahead += gc.get_referents(one)
    return found


def test_a_flood_of_stun_and_dtls_is_bounded_and_counted() -> None:
    scene = Scene()
    thief = scene.world.network.bind("203.0.113.66", 666)
    chance = random.Random(1)
    target = (scene.call.lane.host, scene.call.lane.port)
    told = 0

    def count(data: bytes, at: float, source: object) -> None:
        nonlocal told
        told += 1

    thief.arrive = lambda at, data, source: count(data, at, source)  # type: ignore[method-assign]
    for _ in range(100):
        for _ in range(30):
            first = chance.choice([0, 1, 20, 22, 63])
            thief.sendto(bytes([first]) + chance.randbytes(40), target)
        scene.world.run(0.02)
    stats = scene.call.lane.stats()
    assert stats.unproved > 3000 - 10 * MOST
    assert told == 0
    scene.phone.shake(scene.world)
    scene.talk()
    assert_heard(scene)


# Checks


def check(*, is_named: bool = False, password: str = ICE.local.password) -> bytes:
    attributes: dict[str, object] = {"USERNAME": "ours:them", "PRIORITY": 5, "ICE-CONTROLLING": 1}
    if is_named:
        attributes["USE-CANDIDATE"] = None
    message = Message(Method.BINDING, Class.REQUEST, attributes=attributes)
    message.add_message_integrity(password.encode())
    return bytes(message)


def test_media_goes_where_the_checks_come_from_and_nowhere_before() -> None:
    scene = Scene(ice=ICE, dtls=None, is_secure=False, remote=("10.1.2.3", 4000), is_rtcp_mux=True)
    scene.talk(0.5)
    assert scene.phone.packets == []
    assert scene.call.lane.stats().packets_received == 0
    thief = Phone(scene.world.network, 30000, host="203.0.113.66")
    thief.target = scene.phone.target
    thief.send(check(password="x" * 22))
    scene.phone.send(check())
    scene.world.run(0.1)
    scene.phone.send(check(is_named=True))
    for _ in range(30):
        thief.tick()
        scene.world.run(0.02)
    scene.talk()
    assert_heard(scene)
    thief.listen()
    assert thief.packets == []
    stats = scene.call.lane.stats()
    assert stats.wrong_source >= 30
    assert stats.unproved == 1


def test_keys_of_the_description_go_the_proved_way_too() -> None:
    scene = Scene(ice=ICE, dtls=None, remote=("10.1.2.3", 4000), is_rtcp_mux=True)
    scene.phone.send(check())
    scene.phone.encrypt("AES_CM_128_HMAC_SHA1_80")
    scene.exchange(ice=ICE, dtls=None, srtp=scene.phone.keys, is_rtcp_mux=True)
    scene.talk()
    assert_heard(scene)


def test_a_caller_who_moves_says_so_by_a_check() -> None:
    scene = Scene(ice=ICE, dtls=None, is_secure=False, is_rtcp_mux=True)
    scene.phone.send(check(is_named=True))
    scene.talk(1.0)
    moved = Phone(scene.world.network, 30000, host="203.0.113.7")
    moved.target = scene.phone.target
    moved.tick()
    scene.world.run(0.1)
    assert moved.packets == []
    moved.send(check(is_named=True))
    scene.world.run(0.1)
    scene.call.lane.play(tone(611, 1.0, 24000).tobytes(), SPEECH)
    scene.phone.packets.clear()
    scene.phone.is_silent = True
    scene.world.run(1.0)
    moved.listen()
    assert len(moved.packets) > 45
    assert scene.phone.packets == []


def test_a_handshake_goes_the_proved_way_and_no_other() -> None:
    scene = Scene(ice=ICE, remote=("10.1.2.3", 4000), is_rtcp_mux=True)
    scene.phone.shake(scene.world)
    scene.world.run(0.5)
    assert scene.phone.came_to is None
    scene.phone.send(check(is_named=True))
    scene.world.run(3.0)  # its hello was lost on us, and comes again
    scene.talk()
    assert_heard(scene)


# Reports


def report(ssrc: int) -> bytes:
    return pack_compound([ReceiverReport(ssrc, [])])


@pytest.mark.parametrize("is_mux", [True, False])
def test_no_reports_are_sent_to_strangers_and_none_taken_from_them(is_mux: bool) -> None:
    world = MediaWorld()
    call = world.call()
    agreed = dataclasses.replace(call.phone.negotiated(), is_rtcp_mux=is_mux)
    if is_mux:
        agreed = dataclasses.replace(agreed, remote_rtcp=agreed.remote)
    call.lane.configure(agreed)
    own = world.network.bind("192.0.2.1", 20001)
    stolen: list[bytes] = []
    world.run(0.5)
    # Another host, and another port of the caller's own host once it is known where they come from.
    sources = [("203.0.113.66", 666), ("192.0.2.1", 40_001)]
    port = call.lane.port + (not is_mux)
    if not is_mux:
        own.sendto(report(call.phone.ssrc), (call.lane.host, port))
        world.run(0.1)
    before = call.lane.stats().wrong_source
    for source in sources:
        thief = world.network.bind(*source)
        thief.arrive = lambda at, data, source: stolen.append(data)  # type: ignore[method-assign]
        thief.sendto(report(7), (call.lane.host, port))
    world.run(11.0)
    assert stolen == []
    assert call.lane.stats().wrong_source - before == len(sources)
