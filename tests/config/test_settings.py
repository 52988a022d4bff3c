"""A configuration is read, overridden and refused with a line that helps."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config import Settings, is_loopback, load
from gateway.errors import ConfigError

AZURE = {
    "AZURE_OPENAI_ENDPOINT": "https://shop.openai.azure.com",
    "AZURE_OPENAI_DEPLOYMENT": "voice",
    "AZURE_OPENAI_API_KEY": "azure-key",
}


PREVIEW = "https://r.openai.azure.com/openai/realtime?api-version=2025-04-01-preview"


def read(body: str, **env: str) -> Settings:
    return load(None, {"GATEWAY_CONFIG_BODY": body, **env})


def refusal(body: str, **env: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(body, **env)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_nothing_configured_listens_on_loopback_and_serves_loopback_callers_only() -> None:
    settings = load()
    assert all("127.0.0.1" in bind for bind in settings.sip.bind)
    assert settings.media_host == "127.0.0.1"
    assert settings.http.bind.startswith("127.0.0.1:")
    assert settings.realtime.provider == "embedded"
    (trunk,) = settings.trunks
    assert trunk.is_from("127.0.0.9")
    assert not trunk.is_from("192.0.2.1")
    assert not trunk.is_from("not an address")


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text("""
[sip]
bind = ["udp:0.0.0.0:5060", "tcp:[::]:5060"]
[[trunks]]
name = "pbx"
hosts = ["10.0.0.5", "203.0.113.0/24"]
[media]
ports = "10000-20000"
codecs = ["pcmu", "OPUS"]
[session]
instructions = "Be brief."
[session.audio.input.turn_detection]
type = "server_vad"
idle_timeout_ms = 8000
[targets]
operator = "sip:operator@pbx.example"
[[rules]]
on = "input_audio_buffer.dtmf_event_received"
digit = "0"
do = [{ transfer = "operator" }]
[[rules]]
on = "input_audio_buffer.timeout_triggered"
count = 3
do = [{ say = "Goodbye." }, "hangup"]
""")
    settings = load(path, {"GATEWAY_CONFIG": "/elsewhere.toml"})
    assert settings.media.codecs == ["PCMU", "opus"]
    assert settings.media_host == "0.0.0.0"
    assert settings.session["audio"]["input"]["turn_detection"]["idle_timeout_ms"] == 8000
    assert [step.kind for step in settings.rules[1].do] == ["say", "hangup"]
    (trunk,) = settings.trunks
    assert trunk.name == "pbx"
    assert trunk.is_from("203.0.113.77")
    assert not trunk.is_from("127.0.0.1")


def test_the_environment_wins_over_the_file() -> None:
    settings = read(
        "[sip]\nbind = ['udp:127.0.0.1:5070']\n[media]\nappend_ms = 40",
        GATEWAY_SIP__BIND="udp:0.0.0.0:5060, tcp:0.0.0.0:5060",
        GATEWAY_MEDIA__APPEND_MS="60",
        GATEWAY_SESSION__AUDIO__INPUT__TURN_DETECTION__IDLE_TIMEOUT_MS="9000",
    )
    assert settings.sip.bind == ["udp:0.0.0.0:5060", "tcp:0.0.0.0:5060"]
    assert settings.media.append_ms == 60
    assert settings.session["audio"]["input"]["turn_detection"]["idle_timeout_ms"] == 9000


def test_names_users_know_choose_the_service() -> None:
    azure = load(None, AZURE).realtime
    assert (azure.provider, azure.model) == ("azure", "voice")
    assert azure.api_key is not None
    assert azure.api_key.get_secret_value() == "azure-key"
    assert load(None, {"OPENAI_API_KEY": "sk"}).realtime.provider == "openai"


def test_what_the_file_leaves_out_is_taken_from_the_names_users_know() -> None:
    mine = '[realtime]\nprovider = "azure"\nurl = "https://mine.x"'
    env = {"AZURE_OPENAI_DEPLOYMENT": "voice", "MY_KEY": "mine"}
    azure = read(f'{mine}\napi_key_env = "MY_KEY"', **env).realtime
    assert (azure.url, azure.model) == ("https://mine.x", "voice")
    assert azure.api_key is not None
    assert azure.api_key.get_secret_value() == "mine"
    both = {**AZURE, "OPENAI_API_KEY": "sk", "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}
    openai = read('[realtime]\nprovider = "openai"', **both).realtime
    assert (openai.url, openai.model) == ("http://127.0.0.1:1/v1", "")


def test_a_key_that_cannot_be_one_is_refused_by_the_name_of_its_variable() -> None:
    with pytest.raises(ConfigError, match="OPENAI_API_KEY holds blanks or odd characters") as told:
        load(None, {"OPENAI_API_KEY": "sk\n1"})
    assert "sk" not in str(told.value)


def test_loopback_is_told_from_the_rest() -> None:
    assert all(map(is_loopback, ("localhost", "127.0.0.9", "::1")))
    assert not any(map(is_loopback, ("127.example.org", "10.0.0.1", "")))


def test_the_file_names_another_service_than_the_well_known_variables() -> None:
    realtime = read('[realtime]\nprovider = "embedded"', **AZURE).realtime
    assert (realtime.provider, realtime.url, realtime.api_key) == ("embedded", "", None)


def test_a_key_never_shows_in_what_is_printed() -> None:
    assert "azure-key" not in repr(load(None, AZURE))
    assert "azure-key" not in load(None, AZURE).model_dump_json()


@pytest.mark.parametrize(
    ("body", "line", "words"),
    [
        ("[sip]\nbin = 1", 2, "did you mean 'bind'"),
        ("[spi]\nbind = []", 1, "did you mean 'sip'"),
        ("[sip]\nbind = ['udp:5060']", 2, "write udp:HOST:PORT"),
        ("[sip]\nnameservers = ['dns.example']", 2, "write 10.0.0.2 or 10.0.0.2:5353"),
        ("[sip]\nbind = ['tcp:[::1]:1']\nexternal_ip = 'stun:a.example'", 1, "add udp:HOST:PORT"),
        ("[sip]\nnameservers = ['10.0.0.256']", 2, "write 10.0.0.2 or 10.0.0.2:5353"),
        ("[sip]\nsession_expires = 60", 1, "is shorter than min_se = 90"),
        ("[sip]\nsession_expires = 600\nmin_se = 1800", 1, "or 0 for no limit"),
        ("[media]\n\nports = '20-10'", 3, "write FIRST-LAST"),
        ("[media]\ncodecs = ['G729']", 2, "choose from PCMU"),
        ("[[trunks]]\nname = 'a'\nhosts = ['pbx']", 3, "write 10.0.0.5"),
        ("[[trunks]]\nname = 'a'\nhosts = []", 3, "no host may call"),
        ("[targets]\nboss = 'boss@pbx'", 2, "write sip:USER@HOST"),
        ("[realtime]\napi_key = 'sk'", 2, "secrets stay out of files"),
        ("[realtime]\nprovider = 'openai'", 1, "export"),
        ("[realtime]\nprovider = 'custom'", 1, "needs a url"),
        ("[realtime]\nprovider = 'custom'\nurl = 'ws://far.example/v1'", 3, "in clear"),
        ("[realtime]\nurl = 'far.example'", 2, "write wss://HOST/PATH"),
        ("[realtime]\nurl = 'wss://far.example:99999/'", 2, "not a service address"),
        ("[realtime]\nprovider = 'azure'", 1, "AZURE_OPENAI_ENDPOINT"),
        ("[realtime]\nprovider = 'azure'\nurl = 'https://r.x'", 1, "AZURE_OPENAI_DEPLOYMENT"),
        (f"[realtime]\nprovider = 'azure'\nurl = '{PREVIEW}'", 3, "preview protocol"),
        ("[realtime]\nprovider = 'bell'", 2, "'embedded', 'azure', 'openai' or 'custom'"),
        ("[[trunks]]\nhosts = ['10.0.0.1']", 1, "name: is missing; add a line name = …"),
        ("[media]\n[[rules]]\non = 'a'", 2, "do: is missing; add a line do = …"),
        ("[[rules]]\non = 'a'\ndo = [\n  'dance',\n]", 3, "unknown action 'dance'"),
        ("[[rules]]\non = 'a'\ndo = []", 3, ""),
        ("[[rules]]\non='a'\ndo=['ring']\n[[rules]]\non='b'\ndo=[{say=1}]", 6, "takes a text"),
        ("[[rules]]\non = 'a'\ndigit = 'X'\ndo = ['hangup']", 3, "write one key"),
        ("[[rules]]\non = 'a'\ndo = ['transfer']", 3, "needs an argument"),
        ("[[rules]]\non = 'a'\ndo = [{ reject = 200 }]", 3, "400 to 699"),
        ("[session.audio.input.turn_detection]\ntype='x'\nidle_timeout_ms = 99", 3, "server_vad"),
        ("[session.audio.input.turn_detection]\nidle_timeout_ms = 99", 2, "5000 to 30000"),
        ("[session.audio.output]\nformat = 'pcm'", 2, "pass_through"),
        ("session = 3", 1, "dictionary"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_line_and_a_remedy(
    body: str, line: int, words: str
) -> None:
    message = refusal(body, AZURE_OPENAI_API_KEY="k")
    if "export" not in words:
        assert message.startswith(f"GATEWAY_CONFIG_BODY:{line}: ")
    assert words in message


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("GATEWAY_FOO__BAR", "1", "no section 'foo'"),
        ("GATEWAY_MEDIA__PORTS", "7", "write FIRST-LAST"),
        ("GATEWAY_MEDIA__PROTS", "7", "did you mean 'ports'"),
        ("GATEWAY_TRUNKS", "[{", "as JSON"),
        ("GATEWAY_CONFIG", "/no/such.toml", "cannot be read"),
    ],
)
def test_a_wrong_variable_is_refused_by_name(name: str, value: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        load(None, {name: value})
    assert "\n" not in str(caught.value)


def test_text_that_is_not_toml_is_refused() -> None:
    assert ":1: not TOML" in refusal("[sip\nbind")
    assert ":3: not TOML" in refusal('[call]\ngreet = true\nmenu = "x\n')
    assert ":2: not TOML" in refusal("[call]\nmenu = '''x")
    assert ":2: not TOML" in refusal("[call]\n[call]")


def test_two_trunks_may_not_share_a_name() -> None:
    row = "[[trunks]]\nname = 'a'\nhosts = ['10.0.0.1']\n"
    assert "used twice" in refusal(row + row)


def test_stealth_asks_nobody_for_a_password_of_whom_nothing_else_is_known() -> None:
    row = "[[trunks]]\nname = 'home'\nauthenticate = 'digest'\nusername = 'ann'\n"
    row += "password_env = 'P'\n"
    told = refusal("[guard]\nstealth = true\n" + row, P="secret")
    assert "nobody would be asked for the password of 'home'" in told
    body = "[guard]\nstealth = true\n" + row + "hosts = ['10.0.0.0/8']\n"
    assert load(None, {"GATEWAY_CONFIG_BODY": body, "P": "secret"}).guard.stealth


def test_a_multi_line_text_does_not_confuse_the_lines() -> None:
    body = '[session]\ninstructions = """\n[media]\nports = "x"\n"""\n[media]\nports = "x"'
    assert refusal(body).startswith("GATEWAY_CONFIG_BODY:7: media.ports")


words = st.sampled_from(["sip", "media", "bind", "rules", "on", "do", "trunks", "x"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100)
@given(st.text(max_size=40) | st.binary(max_size=20).map(lambda b: b.decode("latin-1")))
def test_any_text_is_either_read_or_refused(body: str) -> None:
    with contextlib.suppress(ConfigError):
        read(body)


@settings(max_examples=100)
@given(st.sampled_from(["SIP", "TRUNKS", "RULES", "SESSION", "REALTIME", "CALL"]), values)
def test_any_value_in_the_environment_is_either_read_or_refused(name: str, value: object) -> None:
    with contextlib.suppress(ConfigError):
        load(None, {f"GATEWAY_{name}": json.dumps(value)})
