"""Whether people can use a page who cannot see it well, hear it, or point at it."""

from pathlib import Path
from typing import Final

from playwright.sync_api import Page

__all__ = ["faults_of", "tab_stops"]

_LOOK: Final = Path(__file__).with_name("accessibility.js")
_NAMELESS: Final = {"RootWebArea", "none", "generic"}


def faults_of(page: Page) -> list[str]:
    """Return what is wrong with a page as it stands, in words."""
    faults: list[str] = page.evaluate(_LOOK.read_text("utf-8"))
    session = page.context.new_cdp_session(page)
    for node in session.send("Accessibility.getFullAXTree")["nodes"]:
        properties = {one["name"]: one["value"].get("value") for one in node.get("properties", [])}
        role = node.get("role", {}).get("value")
        if node["ignored"] or not properties.get("focusable") or role in _NAMELESS:
            continue
        if not node.get("name", {}).get("value", "").strip():
            faults.append(f"a {role} without a name")
    session.detach()
    return faults


def tab_stops(page: Page, most: int = 60) -> list[str]:
    """Return what Tab comes to, in order, until it leaves the page; what shows no focus is marked.

    Raises:
        AssertionError: It never leaves: somebody who has no mouse is caught.

    """
    page.evaluate("document.activeElement.blur()")
    stops: list[str] = []
    for _ in range(most):
        page.keyboard.press("Tab")
        stop = page.evaluate(
            """() => {
                const at = document.activeElement;
                if (at === document.body) return null;
                const { outlineStyle, outlineWidth } = getComputedStyle(at);
                const isSeen = outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
                const label = document.getElementById(at.getAttribute("aria-labelledby"));
                const name = (at.labels?.[0] ?? label)?.innerText ?? at.ariaLabel ?? at.innerText;
                return `${name.split("\\n")[0].trim() || at.id}${isSeen ? "" : " (not seen)"}`;
            }"""
        )
        if stop is None:
            return stops
        stops.append(stop)
    raise AssertionError(f"no way out: {stops}")
