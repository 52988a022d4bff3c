"""Whole configurations drawn at random: every step, condition and ladder, in every combination."""

from typing import Any, get_args

from hypothesis import strategies as st

from gateway.config.steps import StepKind

__all__ = ["configurations"]

Written = st.SearchStrategy[Any]

MENUS = ("main", "deaf", "other")
COLLECTS = ("card", "account")
TARGETS = ("blind", "bridge", "asked")
KEYS = "0123456789*#"

texts = st.sampled_from(["Hello.", "{language}", "{account}", "{card}", "{caller}"])
names_of_menus = st.sampled_from([*MENUS, "repeat", "back", "close"])
targets = st.sampled_from(TARGETS)

STEPS: dict[str, Written] = {
    "answer": st.none(),
    "ring": st.none(),
    "reject": st.sampled_from([404, 486, 603]),
    "redirect": targets,
    "play": st.sampled_from(
        ["song", {"tone": "busy"}, {"prompt": "song", "repeat": True}, {"tone": "ringback"}]
    ),
    "say": st.one_of(texts, texts.map(lambda text: {"text": text, "prompt": "song"})),
    "stop": st.none(),
    "respond": st.one_of(st.none(), texts),
    "send_text": texts,
    "whisper": texts,
    "update_session": texts.map(lambda text: {"instructions": text}),
    "collect": st.sampled_from(COLLECTS),
    "menu": names_of_menus,
    "send_dtmf": st.sampled_from(["1#", "{account}", "{card}"]),
    "hold": st.none(),
    "resume": st.none(),
    "mute": st.sampled_from(["caller", "agent", "both", "none"]),
    "transfer": st.one_of(
        targets,
        st.just({"profile": "night"}),
        targets.map(lambda name: {"target": name, "mode": "bridge", "agent": "stays"}),
        targets.map(lambda name: {"target": name, "mode": "attended", "whisper": "{caller}"}),
    ),
    "dial": targets,
    "record": st.sampled_from(["start", "stop", "pause", "resume"]),
    "set": texts.map(lambda text: {"language": "es", "note": text}),
    "webhook": st.just("crm"),
    "log": texts,
    "hangup": st.one_of(st.none(), st.integers(1, 127).map(lambda cause: {"cause": cause})),
}
assert set(STEPS) == set(get_args(StepKind)) - {"supervise"}
LAST = ("hangup", "reject", "redirect", "transfer", "menu", "collect", "dial")
EVENTS = [
    "call.started",
    "leg.answered",
    "leg.held",
    "link.lost",
    "input_audio_buffer.dtmf_event_received",
    "input_audio_buffer.timeout_triggered",
    "input_audio_buffer.speech_started",
    "response.done",
    "output_audio_buffer.stopped",
    "prompt.stopped",
    "menu.opened",
    "menu.closed",
    "transfer.ended",
    "callee.answered",
    "callee.ended",
    "errand.done",
    "voice.started",
    "answer.classified",
    "key.pressed",
    "session.updated",
]


def _written(kind: str, argument: Any) -> Any:
    return kind if argument is None else {kind: argument}


def _one(kinds: list[str]) -> Written:
    return st.sampled_from(kinds).flatmap(
        lambda kind: STEPS[kind].map(lambda argument: _written(kind, argument))
    )


steps = st.builds(
    lambda first, last: [*first, *last],
    st.lists(_one([kind for kind in STEPS if kind not in LAST]), min_size=1, max_size=3),
    st.lists(_one(list(LAST)), max_size=1),
)
staying = st.lists(_one([kind for kind in STEPS if kind not in LAST]), max_size=2)
rules = st.fixed_dictionaries(
    {"on": st.sampled_from(EVENTS), "do": steps},
    optional={
        "count": st.sampled_from([1, 2, "2+"]),
        "menu": st.sampled_from(["", *MENUS, *COLLECTS]),
        "go_on": st.booleans(),
        "variables": st.sampled_from([{"language": "es"}, {"card": "4*"}]),
    },
)
timers = st.fixed_dictionaries(
    {
        "on": st.just("timer.elapsed"),
        "after_seconds": st.sampled_from([0.5, 3, 9]),
        "do": steps,
    }
)
prompted: dict[str, Written] = {
    "say": st.sampled_from(["", "Press.", {"en": "Press.", "es": "Oprima."}]),
    "prompt": st.sampled_from(["", "song", {"es": "song"}]),
    "barge_in": st.booleans(),
    "timeout_ms": st.sampled_from([500, 2000]),
    "retries": st.just(2),
    "no_input": st.lists(staying, max_size=2),
    "invalid": st.lists(staying, max_size=2),
    "failed": st.one_of(st.just([]), st.just(["hangup"]), targets.map(lambda t: {"transfer": t})),
}
keys = st.dictionaries(st.sampled_from(KEYS), steps, min_size=2, max_size=8)
menus = st.fixed_dictionaries({**prompted, "keys": keys, "listens": st.booleans()}).map(
    lambda menu: menu if menu["say"] else {**menu, "prompt": menu["prompt"] or "song"}
)
collects = st.fixed_dictionaries(
    {
        **prompted,
        "min": st.integers(1, 3),
        "max": st.integers(3, 5),
        "terminator": st.sampled_from(["", "#"]),
        "inter_digit_ms": st.sampled_from([300, 1000]),
        "pattern": st.sampled_from(["", "[1-5]+"]),
        "check": st.sampled_from(["", "luhn"]),
        "keys": st.one_of(st.just({}), steps.map(lambda way: {"*": way})),
        "sensitive": st.booleans(),
        "then": st.one_of(st.just([]), steps),
        "to": st.sampled_from(["model", "nowhere"]),
    }
)
fallbacks = st.fixed_dictionaries(
    {
        "prompt": st.sampled_from(["", "song"]),
        "keys": st.sampled_from([{}, {"0": [{"transfer": "blind"}], "1": [{"menu": "main"}]}]),
        "transfer": st.sampled_from(["", "blind", "asked"]),
    }
)


@st.composite
def configurations(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the tables of a configuration; not every one of them makes sense."""
    return {
        "targets": {
            "blind": "sip:a@pbx.example",
            "bridge": {"uri": "sip:b@pbx.example", "mode": "bridge", "agent": "silent"},
            "asked": {"uri": "sip:c@pbx.example", "mode": "attended", "accept": "1"},
        },
        "prompts": {"song": "song.wav"},
        "webhooks": {"crm": {"url": "http://127.0.0.1:1/"}},
        "tools": {"slow": {"description": "x", "url": "http://127.0.0.1:1/"}},
        "realtime": {"reconnect_seconds": draw(st.sampled_from([0, 3]))},
        "call": {
            "menu": draw(st.sampled_from(["", "main"])),
            "variables": {"language": "en", "note": "", "card": ""},
            "tools": ["transfer_call", "hang_up", "collect_digits", "hold_call", "open_menu"],
            "max_seconds": 200,
            "wind_down": draw(st.sampled_from(["", "Soon."])),
        },
        "barge_in": {
            "by": draw(st.sampled_from([["service", "voice", "key"], ["service", "key"], ["key"]])),
            "mode": draw(st.sampled_from(["cut", "pause"])),
            "protect_greeting": draw(st.booleans()),
            "protect_ms": draw(st.sampled_from([0, 400])),
        },
        "idle": {
            "seconds": draw(st.sampled_from([0, 2])),
            "ladder": draw(st.lists(steps, max_size=2)),
        },
        "fallback": draw(fallbacks),
        "menus": {name: draw(menus) for name in MENUS},
        "collects": {name: draw(collects) for name in COLLECTS},
        "rules": draw(st.lists(st.one_of(rules, timers), max_size=5)),
        "profiles": {
            "night": {
                "called": "nobody",
                "call": {"menu": draw(st.sampled_from(["", "other"]))},
                "rules": draw(st.lists(rules, max_size=1)),
            }
        },
    }
