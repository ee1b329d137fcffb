"""Run the accessibility checker on an open page and return only its complaints with their places."""

from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Page

# The colour rules that the checker applies by default. The tag also includes a stricter contrast rule.
_COLOUR = ["color-contrast", "link-in-text-block"]
# These rules take three quarters of the checker's time.
_ONLY_COLOURS = {"runOnly": {"type": "rule", "values": _COLOUR}}
_NO_COLOURS = {"rules": {name: {"enabled": False} for name in _COLOUR}}

_COMPLAINTS = """async (options) => (await axe.run({resultTypes: ["violations"], ...options})).violations
    .map((one) => `${one.id}: ${one.nodes[0].html}`)"""

# The styles that contrast depends on. If they differ for an element, its content is also checked, because it may show
# the element's background.
_LOOKS = """window.looksOfAll = () => new Map([...document.querySelectorAll("body, body *")].map((one) => {
      const style = getComputedStyle(one);
      const seen = one.checkVisibility({opacityProperty: true, visibilityProperty: true});
      const names = ["color", "backgroundColor", "backgroundImage", "opacity", "fontSize", "fontWeight", "textDecorationLine"];
      return [one, seen && names.map((name) => style[name]).join(";")];
    }))"""
_CHANGED = """async (options) => {
      const now = window.looksOfAll();
      window.changed ??= [...now.keys()].filter((one) => now.get(one) && now.get(one) !== window.looksBefore.get(one));
      if (!window.changed.length) return [];
      const found = await axe.run({include: window.changed}, {resultTypes: ["violations"], ...options});
      return found.violations.map((one) => `${one.id}: ${one.nodes[0].html}`);
    }"""


async def complaints(page: Page) -> list[str]:
    """Every rule of the checker that the page violates, with the first element that does."""
    await page.evaluate(AXE_SCRIPT)
    found: list[str] = await page.evaluate(_COMPLAINTS, {})
    return found


async def complaints_of_colours(page: Page) -> list[str]:
    """Complaints about colours only, for a page that was already checked in another colour scheme."""
    found: list[str] = await page.evaluate(_COMPLAINTS, _ONLY_COLOURS)
    return found


async def remember_looks(page: Page) -> None:
    """Remember the styles of a checked page before its window is resized."""
    await page.evaluate(f"{_LOOKS}; window.looksBefore = window.looksOfAll()")


async def complaints_of_another_size(page: Page) -> list[str]:
    """After ``remember_looks`` and a resize: complaints about everything except colours, and about the colours of
    elements that are new or look different.
    """
    found: list[str] = await page.evaluate(_COMPLAINTS, _NO_COLOURS)
    return found + await complaints_of_changed_colours(page)


async def complaints_of_changed_colours(page: Page) -> list[str]:
    """Complaints about colours that the resize has changed. The first call finds the elements in one colour scheme;
    later calls check the same elements in the other.
    """
    found: list[str] = await page.evaluate(_CHANGED, _ONLY_COLOURS)
    return found
