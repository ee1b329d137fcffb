"""Every component of the design in every state, measured at two widths, light and dark, enlarged, in forced colours and
without motion.
"""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from tests.browser.accessibility import complaints
from tests.browser.browsers import DESK, PHONE, Deployment, context, heads, sideways, unclear_names, unfold_all
from tests.browser.page_problems import shape
from tests.external_dependencies import needs
from tests.openmeet.site_under_test import person

pytestmark = needs("chromium")

PATH = "/dev/components"
WHAT_IS_SHOWN = (
    # A CSS class of each component in one of its states.
    *(
        "discover-filters .narrow",
        "map-pin",
        "map-ring",
        "event-tile.is-cancelled",
        "group-card .chip.hold",
        "date.is-cancelled",
    ),
    *(
        "cal .is-maybe",
        "wk-block",
        "wk-above",
        "ticket-picture",
        "setting-list .warn",
        "publish-where",
        "news .is-unread",
    ),
    *(
        "news-more",
        "scope :disabled",
        "rule-preview .chip.warn",
        "empty-picture",
        "offline-waiting .warn",
        "next-up",
        "talk-rows",
    ),
)
DOCUMENT = Path(__file__).parents[2] / "docs" / "design-language.md"
# A whole page, a window above it, a frame around it, and what only paper has.
NOT_ON_ITS_OWN = {"make", "scope-dialog", "as-shown", "only-paper"}
# Font sizes in pixels, from docs/design-language.md. Titles of events grow with the window.
SIZES = (28, 22, 18, 17, 16, 15, 13)
TITLES = (30, 46)
# Where smaller text is allowed: next to or inside a picture, and in the calendar.
SMALL = {
    12: ".cal-bar, .wk-block, .cal-more",
    11: ".count, .cal-dots, .tile-month, .wk-hours, .wk-line, .wk-more",
}
CHOSEN_REACTION = ".reactions [aria-pressed=true] span"
# Letters that are used as a picture, and code in a line of text.
NO_TEXT = "svg, .avatar, code, .mark, .map-control"


@pytest.fixture
async def page(browser: Browser, openmeet: Deployment) -> AsyncIterator[Page]:
    async with context(browser, openmeet, viewport=PHONE, color_scheme="light", reduced_motion="reduce") as opened:
        page = await opened.new_page()
        await page.goto(PATH)
        await unfold_all(page)
        yield page


async def test_every_documented_component_is_shown(page: Page) -> None:
    shown = set(await page.evaluate("[...document.querySelectorAll('[class]')].flatMap((one) => [...one.classList])"))
    missing = documented_classes() - shown - NOT_ON_ITS_OWN
    assert {name for name in missing if not any(one.startswith(f"{name}-") for one in shown)} == set()


def documented_classes() -> set[str]:
    """The CSS classes in the table of components. Macros and files follow after a semicolon."""
    part = DOCUMENT.read_text("utf-8").partition("## Components")[2].partition("## ")[0]
    cells = [line.split("|")[2] for line in part.splitlines() if line.startswith("| ")][1:]
    names = {name for cell in cells for name in re.findall(r"`([a-z-]+)(?:-…)?`", cell.partition(";")[0])}
    assert len(names) > 50
    return names


async def test_every_component_is_shown(page: Page) -> None:
    assert [one for one in WHAT_IS_SHOWN if not await page.locator(f".{one}").count()] == []


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
async def test_components_fit_and_are_readable_and_pressable(page: Page, size: dict[str, int]) -> None:
    """Light and dark: nothing overflows or is covered; targets, contrast and names are correct."""
    await page.set_viewport_size(size)
    found = await unclear_names(page) + await heads(page) + await cut_off(page)
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        found += [
            f"{scheme}: {one}" for one in [*await complaints(page), *await shape(page), *await tiny_targets(page)]
        ]
    assert found == []


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
async def test_font_sizes_are_those_of_the_scale(page: Page, size: dict[str, int]) -> None:
    await page.set_viewport_size(size)
    found = await page.evaluate(
        """([sizes, titles, small, noText]) => [...document.querySelectorAll('main, main *')]
          .filter((one) => [...one.childNodes].some((text) => text.nodeType === 3 && text.data.trim()))
          .filter((one) => !one.closest(noText) && !one.closest('.hidden, option, template') &&
              one.getBoundingClientRect().width > 1)
          .map((one) => [one, Math.round(parseFloat(getComputedStyle(one).fontSize) * 10) / 10])
          .filter(([one, size]) => !sizes.includes(size)
            && !(size >= titles[0] && size <= titles[1] && one.closest('h1, .sample-title, .tile, .fact-main'))
            && !(small[size] && one.closest(small[size])))
          .map(([one, size]) => `${size} px: ${one.outerHTML.slice(0, 90)}`)""",
        [SIZES, TITLES, SMALL, NO_TEXT],
    )
    assert found == []


@pytest.mark.parametrize("most", [1, 2, 3])
async def test_faces_on_a_card_end_where_their_room_ends(page: Page, most: int) -> None:
    """They overlap more next to a long badge: none is cut off, squeezed or almost covered, and no gap is left between
    them and the words. Initials and pictures.
    """
    found = await page.evaluate(
        """async (most) => {
          const rows = [...document.querySelectorAll('.event-card .faces')];
          for (const faces of rows) {
            const picture = new Image();
            picture.className = faces.children[0].className;
            picture.src = document.querySelector('.next-up img').src;
            await picture.decode();
            faces.replaceChildren(...[picture, ...faces.children, picture.cloneNode()].slice(0, most));
          }
          return rows.map((faces) => {
            const room = faces.getBoundingClientRect();
            const boxes = [...faces.children].map((one) => one.getBoundingClientRect()).filter((one) => one.width);
            const isWhole = boxes.every((one, place) => one.width === 24 && one.height === 24 && one.top === boxes[0].top && one.left > room.left - 0.5
              && (!place || one.left - boxes[place - 1].left >= 8));
            return [isWhole, Math.round(room.right - boxes.at(-1).right)];
          });
        }""",
        most,
    )
    assert found
    assert set(map(tuple, found)) == {(True, 0)}


@pytest.mark.parametrize(("size", "percent"), [(PHONE, 200), (DESK, 200), ({"width": 640, "height": 400}, 100)])
async def test_components_fit_when_enlarged(page: Page, size: dict[str, int], percent: int) -> None:
    """Text at 200 %, and a desktop window zoomed to 200 %, which halves its width."""
    await page.set_viewport_size(size)
    await page.evaluate("(percent) => { document.documentElement.style.fontSize = `${percent}%`; }", percent)
    assert await sideways(page) <= 0
    assert await cut_off(page) == []


async def test_forced_colours_keep_borders_and_states(page: Page) -> None:
    """Without background colours, borders show cards, badges, buttons and the selected item."""
    await page.emulate_media(forced_colors="active")
    bare = await page.evaluate(
        """() => [...document.querySelectorAll(
            'main .card, main .chip, main .banner, main .avatar, main .button, main [aria-current], main .needs, main .bubble, main .ticket,'
            + 'main .cal-bar, main .wk-block, main .count')]
          .filter((one) => one.getBoundingClientRect().width && !one.closest('svg'))
          .filter((one) => {
            const style = getComputedStyle(one);
            const after = getComputedStyle(one, '::after');
            return parseFloat(style.borderTopWidth) + parseFloat(style.borderBottomWidth) +
                parseFloat(style.outlineWidth) === 0
              && parseFloat(after.borderBottomWidth || 0) === 0 && style.textDecorationLine === 'none';
          })
          .map((one) => one.outerHTML.slice(0, 90))"""
    )
    assert bare == []


async def test_selects_have_an_arrow_in_every_mode(page: Page) -> None:
    """It takes the colours of the scheme and changes sides with the direction of the page. With forced colours, browsers
    remove it and draw their own.
    """
    arrow = """() => {
      const style = getComputedStyle(document.querySelector("select"));
      return [style.appearance, style.backgroundImage.split("linear-gradient").length - 1, style.backgroundPositionX,
          style.backgroundImage];
    }"""
    seen = {}
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        *shown, seen[scheme] = await page.evaluate(arrow)
        assert shown == ["none", 2, "calc(100% - 20px), calc(100% - 14px)"]
    assert seen["light"] != seen["dark"]
    await page.evaluate("document.documentElement.dir = 'rtl'")
    assert (await page.evaluate(arrow))[2] == "14px, 20px"
    await page.emulate_media(forced_colors="active")
    assert (await page.evaluate(arrow))[0] == "auto"


async def test_forced_colours_show_what_is_selected(browser: Browser, openmeet: Deployment) -> None:
    """Selected tabs, views, filters, days and reactions have the background that the system uses for selections, so
    that they differ from the items next to them.
    """
    async with openmeet.db.transaction() as tx:
        ana = await person(tx, "Ana")
        session = await open_session(tx, ana.user_id, SessionTransport.BROWSER)
    async with context(browser, openmeet, forced_colors="active") as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": session.token, "url": openmeet.url}])
        page = await opened.new_page()
        found = []
        for path, size, selectors in (
            (
                PATH,
                PHONE,
                (".tabs [aria-current]", ".segments [aria-current]", ".picks [aria-current]", CHOSEN_REACTION),
            ),
            ("/home", PHONE, (".tabbar [aria-current]",)),
            ("/home", DESK, (".nav [aria-current]",)),
            ("/my/calendar", PHONE, (".cal .is-chosen .cal-number", ".tabbar [aria-current]")),
            ("/my/calendar?view=week", PHONE, (".wk-head .is-chosen a",)),
        ):
            await page.set_viewport_size(size)
            await page.goto(path)
            for selector in selectors:
                one = page.locator(selector).first
                await one.wait_for()
                is_marked = await one.evaluate(
                    """(one) => {
                      const sample = document.createElement("p");
                      sample.className = "hidden";
                      document.body.append(sample);
                      sample.attributeStyleMap.set("background-color", "Highlight");
                      return getComputedStyle(one).backgroundColor === getComputedStyle(sample).backgroundColor;
                    }"""
                )
                found += [] if is_marked else [f"{path}: {selector}"]
    assert found == []


async def test_reduced_motion_is_respected(page: Page) -> None:
    moving = await page.evaluate(
        """() => [...document.querySelectorAll('body, body *')]
          .filter((one) => ['', '::before', '::after'].some((part) => {
            const style = getComputedStyle(one, part || null);
            const seconds = (text) => Math.max(...text.split(',').map(parseFloat));
            return seconds(style.transitionDuration) > 0 || (style.animationName !== 'none' &&
                seconds(style.animationDuration) > 0);
          })).map((one) => one.outerHTML.slice(0, 90))"""
    )
    assert moving == []


async def cut_off(page: Page) -> list[str]:
    """Text that is cut off by its own box, except if the box scrolls or shows an ellipsis, or is a bar in the calendar."""
    found: list[str] = await page.evaluate(
        """() => [...document.querySelectorAll('main .button, main .chip, main h2, main h3, main label, main summary, main .card p')]
          .filter((one) => one.getBoundingClientRect().width > 1 && !one.closest('.hidden, .cal-bar, .wk-block'))
          .filter((one) => {
            const style = getComputedStyle(one);
            const isCut = one.scrollWidth > one.clientWidth + 1 && style.overflowX !== 'visible' && style.textOverflow
                !== 'ellipsis';
            return isCut && !['auto', 'scroll'].includes(style.overflowX);
          })
          .map((one) => `cut: ${one.outerHTML.slice(0, 90)}`)"""
    )
    return found


async def tiny_targets(page: Page) -> list[str]:
    """Controls smaller than 24 pixels in one direction (WCAG 2.5.8), except links in a sentence."""
    found: list[str] = await page.evaluate(
        """() => [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary')]
          .filter((one) => {
            const label = one.matches('[type=radio], [type=checkbox]') && one.closest('label');
            const box = (label || one).getBoundingClientRect();
            const isInSentence = one.closest('p') && getComputedStyle(one).display === 'inline';
            const after = getComputedStyle(one, '::after');
            const reaches = after.position === 'absolute' && after.content !== 'none' &&
                one.matches('h2 > a, h3 > a, h4 > a');
            return box.width && Math.min(box.width, box.height) < 23.5 && !isInSentence && !reaches;
          })
          .map((one) => `tiny: ${one.outerHTML.slice(0, 90)}`)"""
    )
    return found
