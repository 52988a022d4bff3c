"""The picture of rules and menus: every place is a box, every way between them an arrow."""

from xml.etree import ElementTree

from gateway.config import Settings
from gateway.ops.flow_graph import Box, flow_boxes
from gateway.ops.flow_picture import flow_svg

SVG = "{http://www.w3.org/2000/svg}"
FLOW = {
    "targets": {"operator": {"uri": "sip:operator@pbx.example", "mode": "attended"}},
    "call": {"menu": "main"},
    "menus": {
        "main": {
            "say": {"en": "Press one & listen <now>", "de": "Taste eins"},
            "listens": True,
            "keys": {
                "1": {"collect": "account"},
                "2": {"menu": "repeat"},
                "0": {"transfer": "operator"},
                "9": [{"say": "Goodbye."}, "hangup"],
            },
            "no_input": [{"menu": "repeat"}],
        },
    },
    "collects": {"account": {"min": 4, "max": 8, "sensitive": True, "then": {"menu": "main"}}},
    "rules": [
        {
            "on": "input_audio_buffer.dtmf_event_received",
            "digit": "0",
            "do": {"transfer": "operator"},
        },
        {"on": "call.started", "time": "sat-sun 00:00-24:00", "do": {"reject": 480}},
    ],
    "profiles": {"sales": {"called": ["+4930*"], "call": {"menu": "main"}}},
}


def boxes(**changes: object) -> dict[str, Box]:
    return {box.id: box for box in flow_boxes(Settings.model_validate({**FLOW, **changes}))}


def ways(box: Box) -> dict[str, tuple[str, ...]]:
    return {row.label: row.leads_to for row in box.rows}


def test_a_menu_shows_what_each_key_leads_to() -> None:
    drawn = ways(boxes()["menu main"])
    assert drawn["1"] == ("collect account",)
    assert drawn["0"] == ("target operator",)
    assert drawn["9"] == ("end",)
    assert drawn["2"] == ()
    assert drawn["speech"] == ("agent",)
    assert drawn["in the end"] == ("end",)


def test_a_collection_shows_its_length_that_it_is_secret_and_where_it_goes_on() -> None:
    assert ways(boxes()["collect account"])["4-8 keys •"] == ("menu main",)


def test_rules_are_told_by_their_conditions() -> None:
    assert list(ways(boxes()["rules"])) == ["key 0", "started, sat-sun 00:00-24:00"]


def test_a_profile_is_a_beginning_of_its_own() -> None:
    assert ways(boxes()["profile sales"]) == {"+4930*": ("menu main",)}


def test_nothing_leads_to_a_place_that_is_not_drawn() -> None:
    drawn = boxes()
    assert {to for box in drawn.values() for row in box.rows for to in row.leads_to} <= set(drawn)


def test_without_menus_and_rules_a_call_goes_to_the_agent() -> None:
    plain = {box.id: box for box in flow_boxes(Settings())}
    assert list(plain) == ["start", "agent"]
    assert ways(plain["start"]) == {"answered": ("agent",)}


def test_the_picture_is_well_formed_and_has_an_arrow_for_every_way() -> None:
    drawn = flow_boxes(Settings.model_validate(FLOW))
    root = ElementTree.fromstring(flow_svg(drawn, "A call's flow"))
    arrows = [path for path in root.iter(f"{SVG}path") if path.get("class") == "arrow"]
    assert len(arrows) == sum(len(row.leads_to) for box in drawn for row in box.rows)
    words = " ".join(root.itertext())
    for text in ("menu main", "collect account", "operator", "& listen"):
        assert text in words


def test_no_two_boxes_lie_on_each_other() -> None:
    root = ElementTree.fromstring(flow_svg(flow_boxes(Settings.model_validate(FLOW)), "A flow"))
    frames = [
        {key: float(box.get(key, "")) for key in ("x", "y", "width", "height")}
        for box in root.iter(f"{SVG}rect")
        if box.get("class") == "box"
    ]
    for number, one in enumerate(frames):
        for other in frames[number + 1 :]:
            apart = any(
                one[at] + one[size] <= other[at] or other[at] + other[size] <= one[at]
                for at, size in (("x", "width"), ("y", "height"))
            )
            assert apart
