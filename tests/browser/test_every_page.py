"""Every page at phone and desktop width, in both colour schemes, with everything unfolded: no sideways scrolling, large
enough targets, unambiguous names, visible focus, one main heading, no complaints of the accessibility checker, and no
violations of the content security policy. With text of twice the size, it still fits a phone.
"""

import pytest

from openmeet.domain.events.values import MAX_TITLE
from openmeet.i18n.markdown import one_line
from tests.browser.accessibility import (
    complaints,
    complaints_of_another_size,
    complaints_of_changed_colours,
    remember_looks,
)
from tests.browser.browsers import (
    DESK,
    PHONE,
    context,
    sideways,
    unfold_all,
)
from tests.browser.example_pages import DOORS, FOR_VISITORS, add_examples
from tests.browser.page_problems import problems_of_pages
from tests.external_dependencies import needs

pytestmark = needs("chromium")

# How many pages one test checks. All pages together take minutes, so workers share them.
PARTS = 4


@pytest.mark.parametrize("part", range(PARTS))
async def test_pages_are_usable(browser, openmeet, part: int):
    token, paths = await add_examples(openmeet)
    names = list(paths)[part::PARTS]
    assert await problems_of_pages(browser, openmeet, {name: paths[name] for name in names}, token) == []


async def test_public_pages_are_usable(browser, openmeet):
    _, paths = await add_examples(openmeet)
    visible = {name: paths[name] for name in FOR_VISITORS} | DOORS
    assert await problems_of_pages(browser, openmeet, visible, None) == []


PALE = "color: #bbb; background: #fff"
STORIES = {
    "pale on a desk": ("main p {{ color: #000 }} @media (min-width: 50rem) {{ main p {{ {pale} }} }}", 1),
    "pale parent on a desk": (
        "p {{ color: #bbb; }} main {{ background: #000 }} @media (min-width: 50rem) {{ main {{ background: #fff }} }}",
        1,
    ),
    "there on a desk": ("p {{ {pale} }} @media (max-width: 50rem) {{ p {{ display: none }} }}", 1),
    "pale there when it is dark": (
        (
            "@media (min-width: 50rem) and (prefers-color-scheme: dark) {{ p {{ {pale} }} }} @media (max-width: "
            "50rem) {{ p {{ display: none }} }}"
        ),
        1,
    ),
    "never pale": ("p {{ color: #000 }}", 0),
}


@pytest.mark.parametrize("story", STORIES)
async def test_colours_of_wide_windows_are_checked(browser, openmeet, story: str):
    style, count = STORIES[story]
    async with context(browser, openmeet, viewport=PHONE, color_scheme="light") as opened:
        page = await opened.new_page()
        words = f"<style>{style.format(pale=PALE)}</style><title>A</title><main><h1>A</h1><p>Some words.</p></main>"
        await page.set_content(f'<!doctype html><html lang="en">{words}</html>')
        assert await complaints(page) == []
        await remember_looks(page)
        await page.set_viewport_size(DESK)
        found = await complaints_of_another_size(page)
        await page.emulate_media(color_scheme="dark")
        found += await complaints_of_changed_colours(page)
    assert len({one for one in found if one.startswith("color-contrast")}) == count, found


async def test_long_title_without_spaces_does_not_widen_the_page(browser, openmeet):
    """A title that is one word of the maximum length, on a phone and a desktop."""
    token, paths = await add_examples(openmeet, "W" * MAX_TITLE)
    wide = {}
    async with context(browser, openmeet) as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        page = await opened.new_page()
        for name, path in paths.items():
            await page.set_viewport_size(PHONE)
            await page.goto(path)
            await unfold_all(page)
            beyond = [await sideways(page)]
            await page.set_viewport_size(DESK)
            beyond.append(await sideways(page))
            if max(beyond) > 0:
                wide[name] = beyond
    assert wide == {}


async def test_letters_with_many_accents_do_not_widen_the_page(browser, openmeet):
    """With all their accents, these letters would be wider than a phone. Forms and records of others are read like
    this.
    """
    title = one_line(" ".join(letter + "\u0363\u033f\u0346" * 12 for letter in "Zalgo"))
    token, paths = await add_examples(openmeet, title)
    async with context(browser, openmeet, viewport=PHONE) as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        page = await opened.new_page()
        for name in ("event", "series", "list of series", "asked to host", "answer from a mail"):
            await page.goto(paths[name])
            assert (name, await sideways(page)) == (name, 0)


async def test_page_at_400_percent_is_not_covered_by_its_bars(browser, openmeet):
    """A desktop window at 400 % is 320 px wide and 200 px high (WCAG 1.4.10)."""
    token, paths = await add_examples(openmeet)
    covered = {}
    bars = """() => [...document.querySelectorAll("body *")]
      .filter((one) => ["fixed", "sticky"].includes(getComputedStyle(one).position) && one.checkVisibility())
      .filter((one) => one.offsetHeight > 20).map((one) => one.className)"""
    async with context(browser, openmeet, viewport={"width": 320, "height": 200}) as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        page = await opened.new_page()
        for name in ("home", "event", "new", "attendees", "dates of a series", "my calendar", "chats", "settings"):
            await page.goto(paths[name])
            assert (name, await sideways(page)) == (name, 0)
            if found := await page.evaluate(bars):
                covered[name] = found
    assert covered == {}


async def test_answer_bar_scrolls_with_the_page_if_the_text_of_a_phone_is_at_200_percent(browser, openmeet):
    """It would cover most of the screen. Such a phone has the size of one with half the width and height in ``rem``."""
    token, paths = await add_examples(openmeet)
    position = "getComputedStyle(document.querySelector('.answer-bar')).position"
    async with context(browser, openmeet) as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        page = await opened.new_page()
        await page.goto(paths["event"])
        assert await page.evaluate(position) == "fixed"
        await page.set_viewport_size({"width": PHONE["width"] // 2, "height": PHONE["height"] // 2})
        assert await page.evaluate(position) == "static"


async def test_rows_and_messages_keep_most_of_the_width_with_text_at_200_percent(browser, openmeet):
    """Icons, portraits and buttons beside the text give way to it."""
    token, paths = await add_examples(openmeet)
    shares = """([text, around]) => [...document.querySelectorAll(text)].filter((one) => one.offsetWidth)
      .map((one) => one.offsetWidth / one.closest(around).offsetWidth)"""
    rows = [".setting-list a > span:not(.chip, .tiny, .avatar, .tile)", ".setting-list"]
    async with context(browser, openmeet) as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        page = await opened.new_page()
        for path, asked, least in (
            (paths["settings"], rows, 0.5),
            (paths["chat"], [".bubble:has(a)", ".msg"], 0.9),
            (paths["event"], [".fact > div:not(.tile)", ".facts"], 0.5),
            (paths["attendees"], [".attendees .option > span", ".attendees"], 0.5),
        ):
            await page.goto(path)
            await page.evaluate("document.documentElement.style.fontSize = '200%'")
            found = await page.evaluate(shares, asked)
            assert (path, [share for share in found if share < least]) == (path, [])
            assert found
