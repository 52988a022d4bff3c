"""Every configuration that is offered as an example can be loaded."""

import re
from pathlib import Path

import pytest

from gateway.config import load
from gateway.control.settings import ControlSettings

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "path",
    sorted(ROOT.glob("sip_configs/*/gateway.toml")),
    ids=lambda path: path.parent.name,
)
def test_an_offered_configuration_is_sound(path: Path) -> None:
    settings = load(path, needs_secrets=False)
    assert ControlSettings.of(settings).targets


@pytest.mark.parametrize("folder", sorted(p.parent for p in ROOT.glob("sip_configs/*/README.md")))
def test_an_offered_configuration_is_listed(folder: Path) -> None:
    assert f"[`{folder.name}`]" in (ROOT / "sip_configs" / "README.md").read_text()


def test_the_line_that_the_readme_shows_is_sound() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (body,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    control = ControlSettings.of(load(None, {"GATEWAY_CONFIG_BODY": body}))
    assert set(control.menus) == {"main"}
    assert control.collects["card"].is_sensitive
