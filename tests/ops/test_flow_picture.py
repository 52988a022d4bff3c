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


def test_every_way_between_menus_is_an_arrow_and_every_way_out_a_mark() -> None:
    drawn = flow_boxes(Settings.model_validate(FLOW))
    inner = {box.id for box in drawn if box.kind not in ("target", "agent", "end")}
    ways = [to for box in drawn for row in box.rows for to in row.leads_to]
    root = ElementTree.fromstring(flow_svg(drawn, "A call's flow"))
    arrows = [path for path in root.iter(f"{SVG}path") if "arrow" in path.get("class", "")]
    marks = [text.text for text in root.iter(f"{SVG}text") if text.get("class") == "mark"]
    assert len(arrows) == sum(to in inner for to in ways)
    assert len(marks) == sum(to not in inner for to in ways)
    assert set(marks) == {"operator", "the agent", "hang up"}


def test_what_is_said_in_a_menu_is_written_in_its_box_in_the_first_language() -> None:
    words = " ".join(ElementTree.fromstring(flow_svg(list(boxes().values()), "x")).itertext())
    for text in ("menu main", "collect account", "operator", "Press one & listen <now>"):
        assert text in words
    assert "Taste eins" not in words


def test_what_is_said_at_length_is_cut_after_three_lines() -> None:
    menus = {"main": FLOW["menus"]["main"] | {"say": "word " * 200}}  # type: ignore[index]
    root = ElementTree.fromstring(flow_svg(list(boxes(menus=menus).values()), "x"))
    said = [text.text or "" for text in root.iter(f"{SVG}text") if text.get("class") == "said"]
    assert len(said) == 3
    assert said[-1].endswith("…")


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
