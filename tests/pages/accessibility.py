"""What the accessibility checker says of a page that is open: no more of it than what it complains of, and where."""

from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Page

# Of the rules about colours those that the checker applies by itself: the tag has a stricter contrast, too.
_COLOUR = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}

_COMPLAINTS = """async (options) => (await axe.run({resultTypes: ["violations"], ...options})).violations
    .map((one) => `${one.id}: ${one.nodes[0].html}`)"""


async def complaints(page: Page) -> list[str]:
    """Every rule of the checker that the page breaks, with the first element that does."""
    await page.evaluate(AXE_SCRIPT)
    found: list[str] = await page.evaluate(_COMPLAINTS, {})
    return found


async def complaints_of_colours(page: Page) -> list[str]:
    """The same of what depends on colours alone, on a page that was looked at in another scheme."""
    found: list[str] = await page.evaluate(_COMPLAINTS, {"runOnly": _COLOUR})
    return found
