"""The tables for people at a browser: what could not work is refused when it is read."""

import pytest

from gateway.config import load
from gateway.errors import ConfigError

SERVERS = "[[webrtc.ice_servers]]\nurls = ["


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (SERVERS + "'http://stun.example']", "write stun:HOST or turn:HOST"),
        (SERVERS + "'stun:']", "'stun:' is no such server"),
        (SERVERS + "'turn:turn.example?transport=sctp']", "is no such server"),
        (SERVERS + "'turn:u@turn.example']", "is no such server"),
        ("[webrtc]\nexternal_ips = ['gw.example']", "webrtc.external_ips: 'gw.example' is no addr"),
        ("[webrtc]\ncandidates = 'relay'", "needs a turn: server in [[webrtc.ice_servers]]"),
        (
            "[webrtc]\ncandidates = 'relay'\n" + SERVERS + "'stun:stun.example']",
            "needs a turn: server",
        ),
        (
            "[http]\ntrusted_proxies = ['proxy.example']",
            "http.trusted_proxies: 'proxy.example' is no",
        ),
        ("[http]\ntrusted_proxies = ['0.0.0.0/0']", "is everybody; name the proxies alone"),
        ("[webrtc]\ncodecs = []", "write such as opus and PCMU"),
    ],
)
def test_what_could_not_work_is_refused(body: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, {"GATEWAY_CONFIG_BODY": body})
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["stun:stun.example", "stun:[2001:db8::1]:3478", "turn:192.0.2.1:80?transport=tcp",
     "turns:turn.example"],
)  # fmt: skip
def test_servers_are_named_as_browsers_name_them(url: str) -> None:
    settings = load(None, {"GATEWAY_CONFIG_BODY": f"{SERVERS}'{url}']"})
    assert settings.webrtc.ice_servers[0].urls == [url]


def test_nothing_but_relays_is_possible_where_there_is_one() -> None:
    body = f"[webrtc]\ncandidates = 'relay'\n{SERVERS}'stun:a.example', 'turns:b.example']"
    assert load(None, {"GATEWAY_CONFIG_BODY": body}).webrtc.candidates == "relay"
