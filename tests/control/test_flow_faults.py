"""Wrong flows, each refused at load in one line: the file, the line, what is wrong, a remedy.

The line that is to be named is marked ``#!`` in the text.
"""

import re

import pytest

from gateway.config import load
from gateway.control.settings import ControlSettings
from gateway.errors import ConfigError

BASE = """
[targets]
operator = "sip:operator@pbx.example"
[prompts]
song = "song.wav"
"""
KEY = 'on = "input_audio_buffer.dtmf_event_received"'
WRONG = [
    # what is not there
    ('[[rules]]\non = "call.strated" #!\ndo = "answer"', "did you mean 'call.started'"),
    ('[[rules]]\non = "call.started"\ndo = "anwser" #!', "unknown action 'anwser'.* answer"),
    ('[[rules]]\non = "call.started"\ndo = { transfer = "boss" } #!', "unknown target 'boss'; add"),
    ('[[rules]]\non = "call.started"\ndo = { redirect = "operater" } #!', "mean 'operator'"),
    ('[[rules]]\non = "call.started"\ndo = { dial = "boss" } #!', "unknown target 'boss'"),
    ('[[rules]]\non = "leg.answered"\ndo = [{ play = "sogn" }] #!', "mean 'song'"),
    ('[[rules]]\non = "leg.answered"\ndo = { say = { text = "x", prompt = "no" } } #!', "prompt"),
    ('[[rules]]\non = "leg.answered"\ndo = { menu = "main" } #!', "unknown menu 'main'; add"),
    ('[[rules]]\non = "leg.answered"\ndo = { collect = "pin" } #!', "unknown collection 'pin'"),
    ('[[rules]]\non = "leg.answered"\ndo = { webhook = "crm" } #!', "unknown webhook 'crm'"),
    ('[[rules]]\non = "leg.answered"\ndo = { transfer = { profile = "x" } } #!', "profile 'x'"),
    ('[[rules]]\non = "leg.answered"\nmenu = "main" #!\ndo = "stop"', "unknown menu 'main'"),
    ('[[rules]]\non = "leg.answered"\ntrunk = "pbx*" #!\ndo = "stop"', "fits no trunk.*local"),
    ('[[rules]]\non = "leg.answered"\ndo = { say = "Hello {nmae}." } #!', "nothing sets.*'nmae'"),
    ('[call]\ngoodbye = "Bye {nmae}." #!', "nothing sets the variable 'nmae'"),
    ('[call]\nmenu = "main" #!', "unknown menu"),
    ('[call]\ntools = ["transfer"] #!', "call.tools"),
    ('[call]\ntimezone = "Europe/Berlim" #!', "no time zone; write such as"),
    ('[fallback]\ntransfer = "boss" #!', "unknown target"),
    ('[fallback]\nkeys = { "0" = { say = "x" } } #!', "say needs the service.*use play"),
    (
        "[profiles.a] #!\ncall = { greet = false }",
        "nobody is sent to it; give it trunks or called.*http.token_env",
    ),
    ('[profiles.a]\ntrunks = "pbx" #!', "fits no trunk"),
    ('[profiles.a]\ncalled = "1*"\n[profiles.b] #!\ncalled = "1*"', "'a' before it takes them all"),
    ('[profiles.a]\ncalled = "1"\ncall = { greeet = false } #!', "unknown setting"),
    (
        '[profiles.a]\ncalled = "1"\n[[profiles.a.rules]]\non = "error"\ndo = { log = "{x}" } #!',
        "'x'",
    ),
    (
        '[profiles.a]\ncalled = "1"\nsession = { audio = { input = { format = {} } } } #!',
        "chooses it",
    ),
    # what can never fire
    (
        f'[[rules]]\n{KEY}\ndo = "stop"\n[[rules]] #!\n{KEY}\ndigit = "1"\ndo = "stop"',
        "never fires",
    ),
    (
        '[[rules]]\non = "call.started"\ncalled = "5*"\ndo = "ring"\n'
        '[[rules]] #!\non = "call.started"\ncalled = "55"\ndo = "answer"',
        "never fires: rule 1",
    ),
    (
        '[[rules]]\non = "call.started"\ncaller = ["6*", "sip:5*@*"]\ndo = "ring"\n'
        '[[rules]] #!\non = "call.started"\ncaller = ["sip:5?@pbx*", "66"]\ndo = "answer"',
        "never fires: rule 1",
    ),
    (
        '[[rules]]\non = "beep.heard"\nwhere = { leg = "*" }\ndo = "stop"\n'
        '[[rules]] #!\non = "beep.heard"\nwhere = { leg = "caller" }\ndo = "stop"',
        "never fires: rule 1",
    ),
    (
        '[profiles.a]\ncalled = "1*"\n[profiles.b] #!\ncalled = ["12", "1?4*"]',
        "'a' before it takes them all",
    ),
    (
        '[[rules]]\non = "menu.closed"\nwhere = { name = "nomenu" } #!\ndo = "stop"',
        "'nomenu' fits no menu or collection; there are none",
    ),
    (
        '[[rules]]\non = ["menu.opened", "menu.closed"]\n'
        'where = { name = ["a", "b*"] } #!\ndo = "stop"\n'
        '[menus.a]\nsay = "x"\nkeys = { "1" = "stop" }',
        r"'b\*' fits no menu or collection; there are a",
    ),
    ('[[rules]]\non = "call.started"\ncount = 2 #!\ndo = "answer"', "comes once in a call"),
    ('[[rules]]\non = "call.started"\ncount = "0+" #!\ndo = "answer"', "three and more"),
    ('[[rules]]\non = "call.started"\nstate = "talking" #!\ndo = "answer"', '"setup" as it starts'),
    ('[[rules]]\non = "leg.answered"\nstate = "setup" #!\ndo = "stop"', "ends with the answer"),
    ('[[rules]]\non = "leg.ended" #!\ndo = { log = "x" }', "once the call is over; remove"),
    ('[[rules]]\non = "call.started"\ndigit = "1" #!\ndo = "answer"', "has a digit; remove it"),
    (f'[[rules]]\n{KEY}\ndigit = "12x" #!\ndo = "stop"', "write one key, or several"),
    (
        '[[rules]]\non = "error"\nwhere = { "error.cod" = "x" } #!\ndo = "stop"',
        "no field 'error.cod'",
    ),
    ('[[rules]]\non = "menu.closed"\nwhere = { outcom = "key" } #!\ndo = "stop"', "mean 'outcome'"),
    ('[[rules]]\non = "leg.answered"\ntime = "mon 25:00-26:00" #!\ndo = "stop"', "00:00 to 24:00"),
    (
        '[[rules]]\non = "leg.answered"\nstate = "bored" #!\ndo = "stop"',
        "unknown state 'bored'; known",
    ),
    ('[[rules]]\non = "leg.answered"\ndo = ["hangup", "stop"] #!', "nothing is done after hangup"),
    ('[[rules]]\non = "leg.answered"\ndo = [] #!', "do"),
    # contradictory times
    ('[[rules]]\non = "timer.elapsed" #!\ndo = "stop"', "belong together; write both"),
    ('[[rules]]\non = "timer.elapsed"\nafter_seconds = 9000 #!\ndo = "stop"', "max_seconds = 7200"),
    ("[call]\nmax_seconds = 60\n[idle]\nseconds = 90 #!", "ends after call.max_seconds = 60"),
    ('[idle]\nlimit = 1\nladder = [{ say = "x" }] #!', "never reached"),
    ('[barge_in]\nmode = "pause" #!\nby = []', "nothing to pause for"),
    ('[collects.a]\nsay = "x"\ntimeout_ms = 1000\ninter_digit_ms = 20000 #!', "ten times timeout"),
    (
        '[call]\nmax_seconds = 60\n[menus.a]\nsay = "x"\nkeys = { "1" = "stop" }\n'
        "timeout_ms = 60000 #!",
        "ends after call.max_seconds = 60; wait for less",
    ),
    (
        "[call]\nmax_seconds = 30\n[collects.a]\ntimeout_ms = 30000 #!",
        "ends after call.max_seconds = 30",
    ),
    (
        "[call]\nmax_seconds = 30\n[collects.a]\ninter_digit_ms = 40000 #!",
        "ends after call.max_seconds = 30",
    ),
    ("[call]\nmax_seconds = 60\n[dial]\nseconds = 60 #!", "ends after call.max_seconds = 60"),
    (
        '[targets]\na = { uri = "sip:a@b", seconds = 90 } #!\n[call]\nmax_seconds = 60',
        "ends after call.max_seconds = 60",
    ),
    (
        '[barge_in]\nmode = "pause"\nvoice_ms = 600 #!\nconfirm_ms = 500',
        "more than confirm_ms = 500.*raise confirm_ms",
    ),
    (
        '[barge_in]\nmode = "pause"\nby = ["voice"]\nconfirm_ms = 100 #!',
        "voice_ms = 120 is more than confirm_ms = 100",
    ),
    # menus and numbers
    ('[menus.a]\nsay = "x"\nkeys = { "1" = "stop" }\nfailed = { menu = "repeat" } #!', "for ever"),
    ('[menus.a]\nsay = "x"\nkeys = { "1" = "stop" }\nno_input = [{ menu = "a" }] #!', "for ever"),
    (
        '[menus.a]\nsay = "x"\nkeys = { "1" = "stop" }\nfailed = { menu = "b" } #!\n'
        '[menus.b]\nsay = "x"\nkeys = { "1" = "stop" }\nfailed = { menu = "a" }',
        "for ever",
    ),
    ('[menus.a]\nsay = "x"\nkeys = { "12" = "stop" } #!', "is not a key; choose from"),
    ('[menus.a] #!\nsay = "x"', "keys: is missing; add a line keys"),
    ('[menus.a]\nsya = "x" #!\nkeys = { "1" = "stop" }', "did you mean 'say'"),
    (
        '[menus.a]\nkeys = { "1" = "stop" }\nretries = 1\nno_input = ["stop", "stop"] #!',
        "never reached",
    ),
    ('[menus.back] #!\nkeys = { "1" = "stop" }', "rename it"),
    ("[collects.a]\nmin = 9 #!\nmax = 4", "exchange them"),
    ('[collects.a]\nkeys = { "#" = "stop" } #!', "ends the number"),
    ('[collects.a]\nkeys = { "1" = "stop" } #!', "cannot lead out"),
    ('[collects.a]\nterminator = "5" #!', "ends no number"),
    ('[collects.a]\npattern = "[1" #!', "no.* regular expression"),
    ('[collects.a]\nto = "webhook" #!', "add a line webhook"),
    ('[menus.a] #!\nkeys = { "1" = "stop" }', "hears nothing of it; add a line say"),
    ('[collects.a]\nmin = 4\nmax = 4\npattern = "[0-9]{5,}" #!', "fits no number of 4 to 4 digits"),
    ('[collects.a]\nmin = 4\npattern = "\\\\d{2}|A\\\\d{5}" #!', "fits no number of 4 to 16"),
    (
        '[menus.a]\nsay = "x"\nkeys = { "1" = "stop" }\ninvalid = [{ menu = "a" }] #!',
        "who presses wrong keys would be in it for ever",
    ),
    (
        '[collects.a]\nsay = "x"\ninvalid = [{ menu = "b" }]\n'
        '[menus.b]\nsay = "x"\nkeys = { "1" = "stop" }\ninvalid = [{ collect = "a" }] #!',
        "who presses wrong keys would be in it for ever",
    ),
    # what is written wrongly
    ('[[rules]]\non = "call.started"\ndo = { reject = 200 } #!', "from 400 to 699"),
    ('[[rules]]\non = "call.started"\ndo = { reject = "busy" } #!', "write a valid integer"),
    (
        '[[rules]]\non = "call.started"\ndo = { hangup = { cause = 500 } } #!',
        "write a number less than or equal to 127",
    ),
    ('[[rules]]\non = "call.started"\ndo = { hold = true } #!', "takes no argument; write 'hold'"),
    ('[[rules]]\non = "call.started"\ndo = "say" #!', "needs an argument"),
    ('[[rules]]\non = "call.started"\ndo = { play = {} } #!', "name a prompt or a tone"),
    (
        '[[rules]]\non = "call.started"\ndo = { play = { tone = "bsuy" } } #!',
        "no tone; write dial, ringback",
    ),
    ('[[rules]]\non = "call.started"\ndo = { mute = "everybody" } #!', "write 'caller', 'agent'"),
    ('[[rules]]\non = "call.started"\ndo = { send_dtmf = "1x" } #!', "keys are"),
    (
        '[[rules]]\non = "error"\ndo = { transfer = { target = "operator", mode = "warm" } } #!',
        "write 'blind', 'attended' or 'bridge'",
    ),
    ('[[rules]]\non = "call.started"\ndo = { set = {} } #!', "is empty"),
    ('[targets]\nboss = "sip:" #!', "names no host; write sip:USER@HOST"),
    ('[targets]\nboss = "sip:boss@" #!', "names no host; write"),
    ('[targets]\nboss = "sips:boss@:5061;transport=tcp" #!', "names no host; write"),
    ('[targets]\nboss = "tel:" #!', "names no number; write"),
    ('[targets]\nboss = "boss@pbx" #!', "cannot be called; write sip:"),
    ('[webhooks.crm]\nurl = "crm.example" #!', "write https"),
    ('[tools.t]\ndescription = "x"\nurl = "x" #!', "write https"),
    ('[tools.t] #!\ndescription = "x"', "name a url or an entry"),
    ('[tools.t]\ndescription = "x"\nentry = "x" #!', "write package.module:function"),
    ('[tools.hang_up] #!\ndescription = "x"\nentry = "a.b:c"', "already; rename it"),
]


def written(text: str) -> str:
    """Return a whole file; targets of its own take the place of the common ones."""
    return text if text.startswith("[targets]") else text + BASE


@pytest.mark.parametrize(
    ("text", "words"), WRONG, ids=[text.split("#!")[0][-50:] for text, _ in WRONG]
)
def test_it_is_refused_where_it_stands_with_a_remedy(text: str, words: str) -> None:
    text = written(text)
    with pytest.raises(ConfigError) as caught:
        ControlSettings.of(load(None, {"GATEWAY_CONFIG_BODY": text}))
    message = str(caught.value)
    line = next(n for n, each in enumerate(text.splitlines(), 1) if "#!" in each)
    assert "\n" not in message
    assert message.startswith(f"GATEWAY_CONFIG_BODY:{line}: "), message
    assert re.search(words, message), message
