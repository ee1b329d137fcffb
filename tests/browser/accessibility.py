"""What the accessibility checker says of a page that is open: no more of it than what it complains of, and where."""

from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Page

# Of the rules about colours those that the checker applies by itself: the tag has a stricter contrast, too.
_COLOUR = ["color-contrast", "link-in-text-block"]
# They take three quarters of the checker's time.
_ONLY_COLOURS = {"runOnly": {"type": "rule", "values": _COLOUR}}
_NO_COLOURS = {"rules": {name: {"enabled": False} for name in _COLOUR}}

_COMPLAINTS = """async (options) => (await axe.run({resultTypes: ["violations"], ...options})).violations
    .map((one) => `${one.id}: ${one.nodes[0].html}`)"""

# What contrast depends on. Where it differs in an element, what is inside is looked at with it: that shows a background of its parents.
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
    """Every rule of the checker that the page breaks, with the first element that does."""
    await page.evaluate(AXE_SCRIPT)
    found: list[str] = await page.evaluate(_COMPLAINTS, {})
    return found


async def complaints_of_colours(page: Page) -> list[str]:
    """The same of what depends on colours alone, on a page that was looked at in another scheme."""
    found: list[str] = await page.evaluate(_COMPLAINTS, _ONLY_COLOURS)
    return found


async def remember_looks(page: Page) -> None:
    """Of a page that was looked at, before its window gets another size."""
    await page.evaluate(f"{_LOOKS}; window.looksBefore = window.looksOfAll()")


async def complaints_of_another_size(page: Page) -> list[str]:
    """Everything but colours, after ``remember_looks`` and a change of size; and colours of what looks different or is new."""
    found: list[str] = await page.evaluate(_COMPLAINTS, _NO_COLOURS)
    return found + await complaints_of_changed_colours(page)


async def complaints_of_changed_colours(page: Page) -> list[str]:
    """Colours of what the change of size has changed: found in the scheme of the first call, and the same in the other."""
    found: list[str] = await page.evaluate(_CHANGED, _ONLY_COLOURS)
    return found
