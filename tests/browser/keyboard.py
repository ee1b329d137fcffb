"""Moves through a page with the Tab key, and checks at every stop that the focus can be seen."""

import re

from playwright.async_api import Page

# Longer than the longest form, so that a page that traps the focus fails.
_MAX_STOPS = 120

_STOP = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return { name: "", problem: "" };
  const holder = one.closest(".event-card, .group-card, .date, .pick, .option");
  const shows = (each) => each && getComputedStyle(each).outlineStyle !== "none";
  const name = (one.getAttribute("aria-label") || one.labels?.[0]?.innerText || one.innerText || one.value ||
      "").replace(/\\s+/g, " ").trim();
  // Chromium draws the outline of the button that opens a calendar itself.
  const isDrawn = /^date/.test(one.type) || shows(one) || shows(holder);
  const box = (shows(one) ? one : holder ?? one).getBoundingClientRect();
  const [x, y] = [box.left + box.width / 2, box.top + Math.min(box.height / 2, innerHeight / 3)];
  const top = document.elementFromPoint(x, y);
  const isOnTop = top && (one.contains(top) || top.contains(one) || holder?.contains(top));
  return { name, problem: !isDrawn ? "no outline" : !isOnTop ? "covered, or outside of the window" : "" };
}"""


async def focused(page: Page) -> str:
    """The name of the focused control, or an empty string if the focus is at the start of the page."""
    return (await page.evaluate(_STOP))["name"]


async def tab_to(page: Page, name: str) -> None:
    """Press Tab until the name of the focused control matches the regular expression ``name``."""
    stops = []
    for _ in range(_MAX_STOPS):
        await page.keyboard.press("Tab")
        # The browser may still be scrolling to the control.
        await page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        stop = await page.evaluate(_STOP)
        assert not stop["problem"], f"{stop} at {page.url}"
        if re.search(name, stop["name"]):
            return
        stops.append(stop["name"])
    raise AssertionError(f"no control {name!r} among {stops} at {page.url}")
