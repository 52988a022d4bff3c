"""The other side moves, or somebody else comes into its place, while strangers send too."""

import dataclasses

import pytest

from gateway.media.events import Mark
from gateway.rtp.latch import QUIET
from gateway.testing.hearing import tone_share
from gateway.testing.media import MediaCall, MediaWorld, tone
from gateway.testing.rtp import Phone

USUAL = "AES_CM_128_HMAC_SHA1_80"
ANN, CARL, STRANGER = "192.0.2.1", "192.0.2.99", "203.0.113.66"


class Scene:
    """Ann's call, encrypted or not; somebody at another host comes later, or only sends."""

    def __init__(self, suite: str = "", **changes: object) -> None:
        self.world = MediaWorld()
        self.suite = suite
        self.ann = self.phone(20000, ANN)
        self.agreed = dataclasses.replace(self.ann.negotiated(), **changes)  # type: ignore[arg-type]
        self.call: MediaCall = self.world.call(phone=self.ann, negotiated=self.agreed)

    def phone(self, number: int, host: str, key: int = 1) -> Phone:
        phone = Phone(self.world.network, number, host=host)
        if self.suite and key:
            phone.encrypt(self.suite, key)
        return phone

    def other(self, host: str = CARL, key: int = 1) -> Phone:
        phone = self.phone(30000, host, key)
        phone.target = self.ann.target
        return phone

    def run(self, seconds: float, *phones: Phone) -> None:
        self.world.network.run(seconds, self.world.engine, phones)

    def talk(self, phone: Phone, *besides: Phone, seconds: float = 1.0) -> None:
        """Let one phone and the lane say something."""
        phone.say(tone(1004, seconds, 8000))
        self.call.lane.play(tone(611, seconds, 24000).tobytes(), Mark("resp", "item"))
        self.run(seconds, phone, *besides)

    def assert_with(self, phone: Phone, *others: Phone) -> None:
        """Talk, and see that it is with this phone and no other."""
        self.run(0.3, phone)
        before = {id(other): len(other.packets) for other in others}
        self.talk(phone, *others)
        assert tone_share(phone.heard()[-6000:], 611, 8000) > 0.95
        assert tone_share(self.call.sound[-12000:], 1004, 24000) > 0.95
        assert {id(other): len(other.packets) for other in others} == before


@pytest.mark.parametrize("suite", ["", USUAL, "AEAD_AES_256_GCM"])
@pytest.mark.parametrize("key", [1, 2], ids=["same key", "another key"])
@pytest.mark.parametrize("step", range(4))
def test_a_packet_that_still_comes_from_the_old_place_keeps_nobody_there(
    suite: str, key: int, step: int
) -> None:
    scene = Scene(suite)
    scene.talk(scene.ann)
    scene.run(step * 0.005, scene.ann)  # at any moment of the 20 ms: one waits to be taken
    carl = scene.other(key=key)
    scene.call.lane.configure(carl.negotiated())
    scene.run(0.02, scene.ann)
    scene.assert_with(carl)


@pytest.mark.parametrize("suite", [USUAL, "AEAD_AES_256_GCM"])
@pytest.mark.parametrize("key", [1, 2], ids=["same key", "another key"])
@pytest.mark.parametrize("together", [0.3, 3.0])
def test_who_comes_into_the_place_of_another_is_heard_while_the_other_still_sends(
    suite: str, key: int, together: float
) -> None:
    scene = Scene(suite)
    scene.talk(scene.ann)
    carl = scene.other(key=key)
    scene.call.lane.configure(carl.negotiated())
    scene.run(together, scene.ann)
    scene.run(together, scene.ann, carl)
    scene.assert_with(carl, scene.ann)


def test_who_comes_from_behind_a_nat_is_found_by_the_new_key() -> None:
    scene = Scene(USUAL)
    scene.talk(scene.ann)
    carl = scene.other(key=2)
    private = dataclasses.replace(carl.negotiated(), remote=("10.1.2.3", 4000))
    scene.call.lane.configure(private)
    scene.run(3.0, scene.ann)
    scene.run(0.3, scene.ann, carl)
    scene.assert_with(carl, scene.ann)


@pytest.mark.parametrize("remote", [(ANN, 20000), ("10.1.2.3", 4000)])
def test_who_has_the_key_is_followed_without_a_word(remote: tuple[str, int]) -> None:
    scene = Scene(USUAL, remote=remote)
    scene.talk(scene.ann)
    carl = scene.other()
    carl.cipher, carl.ssrc, carl.sequence = scene.ann.cipher, scene.ann.ssrc, scene.ann.sequence
    carl.timestamp = scene.ann.timestamp
    scene.run(QUIET + 0.1, carl)
    scene.assert_with(carl)


def test_a_hold_without_an_address_moves_nobody() -> None:
    scene = Scene(remote=("10.1.2.3", 4000), peer_host=ANN)
    scene.talk(scene.ann)
    held = dataclasses.replace(
        scene.agreed, remote=None, remote_rtcp=None, direction="recvonly", is_held=True
    )
    scene.call.lane.configure(held)
    stranger = scene.other(STRANGER, 0)
    scene.run(3.0, stranger)
    count = len(scene.ann.packets)
    scene.call.lane.configure(dataclasses.replace(scene.agreed))
    scene.ann.is_silent = True
    scene.run(1.0, scene.ann, stranger)
    assert len(scene.ann.packets) - count > 40, "though it says nothing yet"
    scene.ann.is_silent = False
    scene.assert_with(scene.ann, stranger)
    assert stranger.packets == []


def test_a_call_that_begins_on_hold_is_nobodys() -> None:
    scene = Scene(remote=None, remote_rtcp=None, direction="recvonly", is_held=True)
    stranger = scene.other(STRANGER)
    stranger.say(tone(1004, 3.0, 8000))
    scene.run(3.0, stranger)
    assert scene.call.lane.stats().packets_received == 0
    scene.call.lane.configure(scene.ann.negotiated())
    scene.assert_with(scene.ann, stranger)


@pytest.mark.parametrize("seconds", [0.5, 3.5, 20.0])
@pytest.mark.parametrize("host", ["", ANN, "198.51.100.9"])
def test_a_stranger_gets_nothing_however_long_the_other_side_is_silent(
    host: str, seconds: float
) -> None:
    scene = Scene(peer_host=host)
    stranger = scene.other(STRANGER)
    scene.ann.is_silent = True
    scene.talk(stranger, scene.ann, seconds=seconds)
    assert stranger.packets == []
    assert not scene.call.sound.any()
    assert scene.call.lane.stats().wrong_source == pytest.approx(seconds * 50, abs=2)
    scene.ann.is_silent = False
    scene.assert_with(scene.ann, stranger)


def test_a_name_is_found_by_where_its_sound_comes_from_after_a_while() -> None:
    scene = Scene(remote=None, remote_rtcp=None, peer_host="198.51.100.9")
    scene.run(0.5, scene.ann)
    assert scene.ann.packets == []
    scene.run(1.0, scene.ann)
    scene.assert_with(scene.ann)


def test_whose_address_is_local_is_heard_in_the_place_of_a_stranger_at_any_time() -> None:
    scene = Scene(remote=("10.1.2.3", 4000), peer_host=ANN)
    stranger = scene.other(STRANGER)
    scene.run(20.0, stranger)
    scene.run(0.2, scene.ann, stranger)
    scene.assert_with(scene.ann, stranger)
