"""What is written of trunks: what goes together, and passwords from the environment alone."""

import pytest

from gateway.config import load
from gateway.errors import ConfigError

SERVER = "server = 'sip:pbx.example'\n"
ENV = {"PBX": "sesame"}


def row(more: str) -> str:
    return f"[[trunks]]\nname = 'a'\n{more}"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("", "nobody may call"),
        ("register = true\nhosts = ['10.0.0.1']", "register = true needs to know where"),
        (SERVER + "register = true", "register = true needs to know as whom"),
        ("authenticate = 'digest'", "needs username and password_env"),
        ("authenticate = 'digest'\nusername = 'bob'", "needs username and password_env"),
        (SERVER + "password_env = 'PBX'", "is the password of somebody"),
        (SERVER + "username = 'a\"b'", "quotes"),
        (SERVER + "caller = 'sip:nobody'", "write +15550100 or sip:USER@HOST"),
        ("hosts = ['10.0.0.1']\ncaller = '+15550100'", "write sip:+15550100@HOST"),
        (SERVER + "digests = ['SHA-1']", "write some of SHA-512-256, SHA-256, MD5"),
        ("hosts = ['10.0.0.0/8']\noptions_seconds = 30", "needs to know whom to ask"),
        (SERVER + "username = 'ann'\npassword_env = 'NONE'", "export the trunk's password"),
        (SERVER + "password = 'sesame'", "secrets stay out of files"),
    ],
)
def test_what_does_not_go_together_is_refused_with_a_remedy(more: str, words: str) -> None:
    with pytest.raises(ConfigError) as told:
        load(None, {"GATEWAY_CONFIG_BODY": row(more), **ENV})
    assert words in str(told.value)
    assert "sesame" not in str(told.value)
    assert "\n" not in str(told.value)


def test_two_that_authenticate_may_not_share_a_name() -> None:
    more = "authenticate = 'digest'\nusername = 'bob'\npassword_env = 'PBX'\n"
    body = row(more) + row(more).replace("'a'", "'b'")
    with pytest.raises(ConfigError, match="two that authenticate are called 'bob'"):
        load(None, {"GATEWAY_CONFIG_BODY": body, **ENV})


def test_a_password_comes_from_the_environment_and_is_never_printed() -> None:
    more = SERVER + "username = 'ann'\npassword_env = 'PBX'"
    settings = load(None, {"GATEWAY_CONFIG_BODY": row(more), **ENV})
    password = settings.trunks[0].password
    assert password is not None
    assert password.get_secret_value() == "sesame"
    assert "sesame" not in repr(settings) + settings.model_dump_json()


@pytest.mark.parametrize(
    ("more", "probed"),
    [
        (SERVER + "hosts = ['10.0.0.1']", "sip:pbx.example"),
        ("hosts = ['10.0.0.0/8', '10.1.1.1']", "sip:10.1.1.1"),
        ("hosts = ['2001:db8::1']", "sip:[2001:db8::1]"),
        ("hosts = ['10.0.0.0/8']", ""),
    ],
)
def test_whom_to_ask_is_the_server_or_the_first_host(more: str, probed: str) -> None:
    settings = load(None, {"GATEWAY_CONFIG_BODY": row(more)})
    assert settings.trunks[0].probed == probed
