"""Certificates from files: read, believed, replaced while running, and refused in words."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from certificates import Authority
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gateway.config import TlsSettings
from gateway.errors import ConfigError, SipError
from gateway.sip.transport.certificates import Certificates, validity_of
from gateway.sip.transport.tls import TlsChannel

SERVER_AUTH = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT_AUTH = ExtendedKeyUsageOID.CLIENT_AUTH


@pytest.fixture(scope="module")
def friends(tmp_path_factory: pytest.TempPathFactory) -> tuple[Certificates, Certificates]:
    """Return two who believe each other."""
    authority = Authority(tmp_path_factory.mktemp("friends"))
    return member(authority, "ann.example"), member(authority, "bob.example")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def settings(**given: object) -> TlsSettings:
    return TlsSettings.model_validate({name: str(value) for name, value in given.items()})


def shake_hands(
    ours: Certificates, theirs: Certificates, *, is_web: bool = False
) -> tuple[TlsChannel, TlsChannel]:
    """Open TLS between two in memory; ours is the client."""
    client = TlsChannel(ours.client, is_server=False, domain="pbx.example")
    server = TlsChannel(theirs.server(is_web=is_web), is_server=True)
    carry(client, server)
    return client, server


def carry(client: TlsChannel, server: TlsChannel) -> tuple[bytes, bytes]:
    """Carry what waits on both sides; return what each is told."""
    told = [b"", b""]
    for _ in range(8):
        told[1] += server.receive_data(client.data_to_send())
        told[0] += client.receive_data(server.data_to_send())
    return told[0], told[1]


def member(authority: Authority, *names: str, **more: object) -> Certificates:
    """Return the certificates of somebody who believes the authority, and has its certificate."""
    own = {"certificate": authority.certificate(*names)} if names else {}
    return Certificates(settings(authorities=authority.file, **own, **more))


def test_both_sides_learn_whom_the_other_has_proven_to_be(authority: Authority) -> None:
    ann, bob = member(authority, "ann.example"), member(authority, "bob.example", "sip:example")
    client, server = shake_hands(ann, bob)
    assert (client.names, server.names) == (("bob.example", "example"), ("ann.example",))
    client.encrypt(b"ping")
    server.encrypt(b"pong" * 50_000)
    assert carry(client, server) == (b"pong" * 50_000, b"ping")


def test_a_client_without_a_certificate_is_nobody_and_is_let_in_unless_one_is_required(
    authority: Authority,
) -> None:
    nobody = member(authority)
    _, server = shake_hands(nobody, member(authority, "bob.example"))
    assert server.is_open
    assert server.names == ()
    for is_web in (False, True):
        with pytest.raises(SipError, match="it showed no certificate"):
            shake_hands(nobody, member(authority, "bob.example", clients="require"), is_web=is_web)


def test_browsers_are_not_asked_for_a_certificate_that_is_not_required(
    authority: Authority,
) -> None:
    _, server = shake_hands(
        member(authority, "ann.example"), member(authority, "bob.example"), is_web=True
    )
    assert server.names == ()


def test_a_client_whose_certificate_is_not_good_is_nobody_unless_it_must_be_somebody(
    authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, "stranger")
    for own in (
        stranger.certificate("ann.example"),
        authority.certificate("ann.example", is_expired=True, file="expired.pem"),
    ):
        ann = Certificates(settings(authorities=authority.file, certificate=own))
        for clients in ("ignore", "ask"):
            _, server = shake_hands(ann, member(authority, "bob.example", clients=clients))
            assert server.is_open
            assert server.names == ()
        with pytest.raises(SipError, match=r"its certificate (has expired|comes from an auth)"):
            shake_hands(ann, member(authority, "bob.example", clients="require"))


def test_a_client_may_show_a_certificate_made_for_servers_and_a_server_none_made_for_clients(
    authority: Authority,
) -> None:
    for_servers = authority.certificate("ann.example", purpose=SERVER_AUTH)
    ann = Certificates(settings(authorities=authority.file, certificate=for_servers))
    for clients in ("ask", "require"):
        _, server = shake_hands(ann, member(authority, "bob.example", clients=clients))
        assert server.names == ("ann.example",)
    for_clients = authority.certificate("bob.example", purpose=CLIENT_AUTH)
    with pytest.raises(SipError, match="is not meant for servers"):
        shake_hands(member(authority), Certificates(settings(certificate=for_clients)))


def test_a_server_is_refused_that_nobody_we_believe_vouches_for(
    authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, "stranger")
    with pytest.raises(SipError, match="an authority that we do not know"):
        shake_hands(member(authority), member(stranger, "bob.example"))
    expired = authority.certificate("bob.example", is_expired=True)
    with pytest.raises(SipError, match="has expired"):
        shake_hands(member(authority), Certificates(settings(certificate=expired)))


def test_a_certificate_that_is_named_is_believed_whoever_signed_it(authority: Authority) -> None:
    own = authority.certificate("bob.example")
    ann = Certificates(settings(authorities=own))
    client, _ = shake_hands(ann, Certificates(settings(certificate=own)))
    assert client.names == ("bob.example",)


def test_a_new_certificate_is_shown_to_the_next_who_comes(
    authority: Authority, tmp_path: Path
) -> None:
    ann = member(authority)
    shown = authority.certificate("old.example", file="shown.pem")
    bob = Certificates(settings(certificate=shown))
    before, server_before = shake_hands(ann, bob)
    authority.certificate("new.example", file="shown.pem")
    after, _ = shake_hands(ann, bob)
    assert (before.names, after.names) == (("old.example",), ("new.example",))
    server_before.encrypt(b"still here")  # who is connected stays so
    assert carry(before, server_before) == (b"still here", b"")


def test_a_new_certificate_that_is_no_good_changes_nothing_and_is_told_once(
    authority: Authority,
) -> None:
    ann = member(authority)
    shown = authority.certificate("old.example", file="shown.pem")
    bob = Certificates(settings(certificate=shown))
    bob.check()
    for broken in (b"nonsense", b""):
        shown.write_bytes(broken)
        with capture_logs() as logs:
            for _ in range(3):
                client, _ = shake_hands(ann, bob)
                assert client.names == ("old.example",)
        (line,) = logs
        assert f"{shown}: no certificate in PEM" in line["problem"]
    shown.unlink()
    with capture_logs() as logs:
        shake_hands(ann, bob)
    assert [line["event"] for line in logs] == ["certificate not replaced"]
    authority.certificate("new.example", file="shown.pem")
    assert shake_hands(ann, bob)[0].names == ("new.example",)
    assert bob.failures == 3


def test_an_expired_certificate_does_not_take_the_place_of_a_good_one(
    authority: Authority,
) -> None:
    ann = member(authority)
    shown = authority.certificate("good.example", file="shown.pem")
    bob = Certificates(settings(certificate=shown))
    bob.check()
    authority.certificate("late.example", file="shown.pem", is_expired=True)
    with capture_logs() as logs:
        for _ in range(2):
            assert shake_hands(ann, bob)[0].names == ("good.example",)
    (line,) = logs
    assert "shown.pem: it expired on" in line["problem"]
    assert "the one before is still good; renew it" in line["problem"]
    authority.certificate("new.example", file="shown.pem")
    assert shake_hands(ann, bob)[0].names == ("new.example",)


def test_an_expired_certificate_may_be_replaced_by_another(authority: Authority) -> None:
    shown = authority.certificate("late.example", file="shown.pem", is_expired=True)
    bob = Certificates(settings(certificate=shown))
    bob.check()
    authority.certificate("later.example", file="shown.pem", is_expired=True)
    with capture_logs() as logs:
        bob.server(is_web=False)
    assert [line["event"] for line in logs] == ["certificate replaced"]


def test_it_is_known_how_long_a_certificate_is_good(authority: Authority) -> None:
    assert validity_of(settings()) is None
    validity = validity_of(settings(certificate=authority.certificate("a.example")))
    assert validity is not None
    now = datetime.now(UTC)
    assert validity.fault(now) == ""
    assert validity.fault(now + timedelta(days=1)).startswith("expired on 20")
    assert validity.fault(now - timedelta(days=1)).startswith("is not valid before 20")


def test_a_certificate_and_its_key_may_change_one_after_the_other(
    authority: Authority, tmp_path: Path
) -> None:
    def write(name: str) -> tuple[bytes, bytes]:
        both = authority.certificate(name, file="both.pem").read_bytes()
        head, _, key = both.partition(b"-----BEGIN PRIVATE KEY-----")
        return head, b"-----BEGIN PRIVATE KEY-----" + key

    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_bytes(write("old.example")[0])
    key.write_bytes((tmp_path / "both.pem").read_bytes())
    ann, bob = member(authority), Certificates(settings(certificate=certificate, key=key))
    assert shake_hands(ann, bob)[0].names == ("old.example",)
    new_certificate, new_key = write("new.example")
    certificate.write_bytes(new_certificate)
    assert shake_hands(ann, bob)[0].names == ("old.example",)
    key.write_bytes(new_key)
    assert shake_hands(ann, bob)[0].names == ("new.example",)


def locked_key(authority: Authority, path: Path) -> Path:
    """Write a certificate whose key asks for a password."""
    pem = authority.certificate("locked.example").read_bytes()
    key = serialization.load_pem_private_key(pem, None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    path.write_bytes(pem.partition(b"-----BEGIN PRIVATE")[0] + locked)
    return path


def test_files_that_are_no_good_are_told_by_setting_name_and_remedy(
    authority: Authority, tmp_path: Path
) -> None:
    own, other = authority.certificate("a.example"), authority.certificate("b.example")
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")
    missing = tmp_path / "missing.pem"
    locked = locked_key(authority, tmp_path / "locked.pem")
    cases = [
        ({"certificate": missing}, "certificate: .*missing.pem: No such file or directory; name"),
        ({"certificate": own, "key": missing}, "key: .*missing.pem: No such file"),
        ({"certificate": own, "key": other}, "certificate: .*the key is that of another"),
        ({"certificate": nonsense}, "certificate: .*no certificate in PEM"),
        ({"certificate": tmp_path}, "certificate: .*Is a directory"),
        ({"certificate": locked}, "certificate: .*the key needs a password"),
        ({"authorities": nonsense}, "authorities: .*no certificate"),
    ]
    for chosen, words in cases:
        with pytest.raises(ConfigError, match=rf"sip\.tls\.{words}") as caught:
            Certificates(settings(**chosen)).check()
        assert "\n" not in str(caught.value)


@given(at=st.integers(0, 1 << 16), bit=st.integers(0, 7), step=st.integers(0, 3))
@settings_of_hypothesis(max_examples=60)
def test_a_handshake_that_is_tampered_with_is_refused_or_awaits_more(
    friends: tuple[Certificates, Certificates], at: int, bit: int, step: int
) -> None:
    ann, bob = friends
    client = TlsChannel(ann.client, is_server=False)
    server = TlsChannel(bob.server(is_web=False), is_server=True)
    try:
        for turn in range(4):
            sender, receiver = (client, server) if turn % 2 == 0 else (server, client)
            data = bytearray(sender.data_to_send())
            if turn == step and data:
                data[at % len(data)] ^= 1 << bit
            receiver.receive_data(bytes(data))
    except SipError:
        assert not (server.is_open and client.is_open and step < 2)


def test_garbage_in_place_of_a_handshake_is_refused(authority: Authority) -> None:
    bob = member(authority, "bob.example")
    for garbage in (
        b"OPTIONS sip:h SIP/2.0\r\n",
        b"\x16\x03\x01\xff\xff" + bytes(70_000),
        bytes(9),
    ):
        with pytest.raises(SipError):
            TlsChannel(bob.server(is_web=False), is_server=True).receive_data(garbage)
