"""Every configuration that is offered as an example can be loaded."""

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
    settings = load(path, {"AZURE_OPENAI_API_KEY": "k", "OPENAI_API_KEY": "k"})
    assert ControlSettings.of(settings).targets
