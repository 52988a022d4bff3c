"""What could not work is refused when it is read: which setting, why, and how to mend it."""

import pytest

from gateway.config import load
from gateway.errors import ConfigError

HERE = "name = 'a'\nhosts = ['10.0.0.0/8']\n"
ROW = f"[[trunks]]\n{HERE}"
SERVED = "[[trunks]]\nname = 'a'\nserver = 'sip:pbx.example"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (ROW + "numbers = {country = '+49'}", "trunks[0].numbers.country: '+49' is no country's"),
        (ROW + "numbers = {country = '49\\n'}", "write its digits alone"),
        ('[sip.tls]\nhost = "a b\\r\\nEvil: x"', "is no host name; write one"),
        ('[sip.tls]\nhost = "sbc.example\\n"', "is no host name; write one"),
        (SERVED + ":99999'", "trunks[0].server: 'sip:pbx.example:99999' names a port"),
        (SERVED + ":0'", "write one from 1 to 65535"),
        (SERVED + ";transport=sctp'", "write ;transport=udp, tcp or tls"),
        (SERVED + ";lr;Transport=ws'", "write ;transport=udp, tcp or tls"),
        ("[sip]\nexternal_ip = 'gw.example.com'", "or stun:HOST to ask for it"),
        ("[sip]\nexternal_ip = '0.0.0.0'", "sip.external_ip: '0.0.0.0' is no address that others"),
        ("[sip]\nexternal_ip = '2001:db8::1'", "sip.external_ip: 2001:db8::1 is IPv6, and no"),
        ("[sip]\nlocal_networks = ['lan']", "sip.local_networks: 'lan' is not an IP address"),
        ("[sip]\norigins = ['phone.example']", "sip.origins: 'phone.example' is no origin"),
        ("[sip]\nnameservers = ['127.0.0.1:99999']", "is no name server"),
        (ROW + "users = []", 'write users = ["*"]'),
        (ROW + "srtp = 'off'\nsrtp_keys = 'dtls'", 'write srtp = "optional"'),
        (ROW + "tls_names = ['pbx.example']", "trunks[0].tls_names: nobody shows us a certificate"),
        (
            ROW + "[[trunks]]\nname = 'b'\nhosts = ['10.1.2.3', '10.2.0.0/16']",
            "6: trunks[1].hosts: all of them belong to trunk 'a' before; put 'b' first",
        ),
        (
            ROW + "[targets.ann]\nuri = 'tel:+15550100'\nmode = 'bridge'",
            "targets.ann: tel:+15550100 is a number, and no trunk has a server",
        ),
    ],
)
def test_what_cannot_work_is_refused_with_its_place_and_a_remedy(body: str, words: str) -> None:
    with pytest.raises(ConfigError) as told:
        load(None, {"GATEWAY_CONFIG_BODY": body})
    assert words in str(told.value)
    assert "\n" not in str(told.value)


HIDDEN = 0
DIGEST = "authenticate = 'digest'\nusername = '{}'\npassword_env = 'PW'\n"
TLS = "[sip]\nbind = ['tls:127.0.0.1:5061']\n[sip.tls]\ncertificate = 'own.pem'\n"


@pytest.mark.parametrize(
    "body",
    [
        ROW + "numbers = {country = '49'}",
        TLS + "host = 'sbc.example.com'\n" + ROW + "tls_names = ['pbx.example']",
        SERVED + ":5061;transport=TLS'\ntls_names = ['pbx.example']",
        SERVED + "'\nusers = []",
        "[sip]\norigins = ['https://phone.example:8443']\nnameservers = ['[::1]:53', '127.0.0.1']",
        "[sip]\nbind = ['udp:[::]:5060']\nexternal_ip = '2001:db8::1'",
        ROW + "[[trunks]]\nname = 'b'\nhosts = ['10.0.0.1', '192.0.2.1']",
        ROW + "[[trunks]]\nname = 'b'\nhosts = ['10.0.0.1']\nserver = 'sip:10.0.0.1'",
        ROW + "[targets]\nann = 'tel:+15550100'",
        ROW.replace("hosts", DIGEST.format("u") + "hosts")
        + ROW.replace("'a'", "'b'").replace("hosts", DIGEST.format("v") + "hosts"),
    ],
)
def test_what_may_work_is_taken(body: str) -> None:
    load(None, {"GATEWAY_CONFIG_BODY": body, "PW": "sesame"})
