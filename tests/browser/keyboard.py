"""Moves through a page with the Tab key, and checks at every stop that the focus can be seen."""

import re
from dataclasses import dataclass

from playwright.async_api import Page

# Longer than the longest form, so that a page that traps the focus fails.
_MAX_STOPS = 120

_STOP = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return { name: "", problem: "" };
  const holder = one.closest(".event-card, .group-card, .date, .pick, .option");
  const shows = (each) => each && getComputedStyle(each).outlineStyle !== "none";
  const name = (one.getAttribute("aria-label") || one.labels?.[0]?.innerText || one.innerText || one.value || "").replace(/\\s+/g, " ").trim();
  // Chromium draws the outline of the button that opens a calendar itself.
  const isDrawn = /^date/.test(one.type) || shows(one) || shows(holder);
  const box = (shows(one) ? one : holder ?? one).getBoundingClientRect();
  const [x, y] = [box.left + box.width / 2, box.top + Math.min(box.height / 2, innerHeight / 3)];
  const top = document.elementFromPoint(x, y);
  const isOnTop = top && (one.contains(top) || top.contains(one) || holder?.contains(top));
  return { name, problem: !isDrawn ? "no outline" : !isOnTop ? "covered, or outside of the window" : "" };
}"""


_PLACE = """() => {
  const one = document.activeElement;
  if (!one.closest("main")) return null;
  let top = 0;
  for (let each = one; each; each = each.offsetParent) {
    // Bars that stay in the window are nowhere on the page.
    if (["fixed", "sticky"].includes(getComputedStyle(each).position)) return null;
    top += each.offsetTop;
  }
  return top;
}"""

# The browser itself, or again the first control of the page.
_IS_END = """() => {
  const one = document.activeElement;
  const isFirst = !window.firstStop;
  window.firstStop ??= one;
  return one === document.body || (!isFirst && one === window.firstStop);
}"""


@dataclass(frozen=True, slots=True)
class Stop:
    """A control in the main part of a page. ``top``: its distance from the top of the page, in pixels."""

    name: str
    top: float


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


async def stops(page: Page) -> list[Stop]:
    """Press Tab through the whole page, and return the stops in its main part."""
    found = []
    for _ in range(_MAX_STOPS):
        await page.keyboard.press("Tab")
        await page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        stop, top = await page.evaluate(_STOP), await page.evaluate(_PLACE)
        if await page.evaluate(_IS_END):
            return found
        assert not stop["problem"], f"{stop} at {page.url}"
        if top is not None:
            found.append(Stop(stop["name"], top))
    raise AssertionError(f"no end after {found} at {page.url}")
