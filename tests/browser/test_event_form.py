"""The event form on a phone: the Enter key does nothing that cannot be undone, the cover hides no label, and dates are in
the language of the page.
"""

import pytest
from playwright.async_api import Browser, expect

from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport
from tests.browser.browsers import PHONE, Deployment, context, sideways
from tests.external_dependencies import needs
from tests.openmeet.series.practice import create_weekly_series
from tests.openmeet.site_under_test import event_by, person

pytestmark = needs("chromium")


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
async def test_the_enter_key_never_publishes(browser: Browser, openmeet: Deployment, *, script: bool) -> None:
    async with openmeet.db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        event = await event_by(tx, ana)
        token = (await sign_in.open_session(tx, ana.user_id, SessionTransport.BROWSER)).token
    async with context(browser, openmeet, java_script_enabled=script, viewport=PHONE) as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        page = await opened.new_page()
        await page.goto("/events/new")
        await page.get_by_label("Title").fill("Soup for everybody")
        await page.keyboard.press("Enter")
        if script:
            await expect(page.get_by_label("Starts")).to_be_focused()
        else:
            # The field grows. The title is one line again once it is saved.
            await expect(page.get_by_label("Title")).to_have_value("Soup for everybody\n")
            await page.get_by_role("button", name="Save draft").click()
            await expect(page.get_by_role("heading", level=1, name="Your draft")).to_be_visible()
        await expect(page.get_by_label("Title")).to_have_value("Soup for everybody")
        # In a field of one line, Enter saves.
        if not script:
            await page.goto(f"/events/{event.slug}/edit")
            await page.get_by_label("Title").fill("Chess")
            await page.get_by_text("Places, and who can come").click()
            await page.get_by_label("Number of places").press("Enter")
            await expect(page.get_by_role("heading", level=1, name="Chess")).to_be_visible()
        # The cover of a series cannot be changed in this form, so nothing is drawn on top of it.
        await page.goto(f"/series/{series.slug}/edit")
        cover, label = (
            await page.locator(".make-picture").bounding_box(),
            await page.get_by_text("Title", exact=True).bounding_box(),
        )
        assert cover is not None
        assert label is not None
        assert label["y"] >= cover["y"] + cover["height"]


async def test_dates_are_shown_in_the_language_of_the_page(browser: Browser, openmeet: Deployment) -> None:
    """The words on top of the fields. The fields themselves are in the language of the browser’s own menus."""
    async with openmeet.db.transaction() as tx:
        ana, _ = await create_weekly_series(tx)
        token = (await sign_in.open_session(tx, ana.user_id, SessionTransport.BROWSER)).token
    async with context(browser, openmeet, viewport=PHONE, locale="de-DE") as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        page = await opened.new_page()
        await page.goto("/events/new")
        field = page.get_by_label("Beginn", exact=True)
        starts, ends = page.locator(".make-date").first, page.locator(".make-date").last
        await field.fill("2099-07-04T18:00")
        await expect(starts).to_be_hidden()
        await page.get_by_label("Titel", exact=True).focus()
        await expect(starts).to_have_text("Sa., 4. Juli 2099, 18:00 Uhr")
        await expect(ends).to_have_text("Sa., 4. Juli 2099, 20:00 Uhr")
        assert await field.evaluate("input => getComputedStyle(input).color") == "rgba(0, 0, 0, 0)"


@pytest.mark.parametrize("language", ["en", "de"])
async def test_the_buttons_of_the_bar_share_a_row(browser: Browser, openmeet: Deployment, language: str) -> None:
    """The bar covers the form, so it must not be higher than necessary."""
    async with openmeet.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        token = (await sign_in.open_session(tx, ana.user_id, SessionTransport.BROWSER)).token
    async with context(browser, openmeet, viewport={"width": 360, "height": 740}, locale=language) as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        page = await opened.new_page()
        await page.goto(f"/events/{event.slug}/edit")
        boxes = [await one.bounding_box() for one in await page.locator(".make-bar .button").all()]
        assert len(boxes) == 2
        assert len({box["y"] for box in boxes if box is not None}) == 1


@pytest.mark.parametrize("language", ["en", "de"])
async def test_long_words_do_not_widen_the_form(browser: Browser, openmeet: Deployment, language: str) -> None:
    word = "W" * 60
    async with openmeet.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, title=word, street=word, price=word, tags=f"{'w' * 30}", access_note=word)
        token = (await sign_in.open_session(tx, ana.user_id, SessionTransport.BROWSER)).token
    async with context(browser, openmeet, viewport={"width": 320, "height": 640}, locale=language) as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        page = await opened.new_page()
        await page.goto(f"/events/{event.slug}/edit")
        assert await sideways(page) <= 0


async def test_what_was_typed_is_kept_until_it_is_sent(browser: Browser, openmeet: Deployment) -> None:
    """Another page, an empty battery: whoever comes back to the form finds it as it was, and nobody else does."""
    async with openmeet.db.transaction() as tx:
        ana = await person(tx, "Ana")
        ben = await person(tx, "Ben")
        tokens = [(await sign_in.open_session(tx, one.user_id, SessionTransport.BROWSER)).token for one in (ana, ben)]
    async with context(browser, openmeet, viewport=PHONE) as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": tokens[0], "url": openmeet.url}])
        page = await opened.new_page()
        await page.goto("/events/new")
        notice = page.get_by_text("This is what you typed last time.")
        await expect(notice).to_be_hidden()
        title, starts = page.get_by_label("Title"), page.get_by_label("Starts")
        await title.fill("Soup 🍲 for everybody")
        await page.get_by_label("Description").fill("Bring a bowl.\n\n- and a spoon")
        await page.get_by_label("Online", exact=True).check()
        await page.get_by_text("All day, time zone").click()
        await page.locator("#all_day").check()
        await starts.fill("2099-07-04")
        await page.goto("/home")
        await page.goto("/events/new")
        await expect(notice).to_be_visible()
        await expect(title).to_have_value("Soup 🍲 for everybody")
        await expect(page.get_by_label("Description")).to_have_value("Bring a bowl.\n\n- and a spoon")
        await expect(page.get_by_label("Online", exact=True)).to_be_checked()
        await expect(starts).to_have_value("2099-07-04")
        # A form that comes back with an error is kept as well.
        await title.fill("")
        await page.get_by_role("button", name="Create event").click()
        await expect(page.get_by_text("Give the event a title.").first).to_be_visible()
        await page.goto("/events/new")
        await expect(page.get_by_label("Description")).to_have_value("Bring a bowl.\n\n- and a spoon")

        # Another person in the same browser does not see it.
        await opened.add_cookies([{"name": "openmeet_session", "value": tokens[1], "url": openmeet.url}])
        await page.goto("/events/new")
        await expect(page.get_by_label("Description")).to_have_value("")
        await opened.add_cookies([{"name": "openmeet_session", "value": tokens[0], "url": openmeet.url}])
        await page.goto("/events/new")
        await title.fill("Soup for all")
        await page.get_by_role("button", name="Create event").click()
        await expect(page.get_by_role("heading", level=1, name="Soup for all")).to_be_visible()
        await page.goto("/events/new")
        await expect(title).to_have_value("")
        await expect(notice).to_be_hidden()

        await title.fill("Something else")
        await page.goto("/home")
        await page.goto("/events/new")
        await page.get_by_role("button", name="Start over").click()
        await expect(title).to_have_value("")
        await expect(notice).to_be_hidden()


async def test_what_a_visitor_typed_is_kept_in_its_tab_only(browser: Browser, openmeet: Deployment) -> None:
    """Whoever uses a shared computer next, in a tab of their own, does not see it. Old drafts of accounts are deleted."""
    old, fresh = "openmeet:draft:event:somebody:", "openmeet:draft:event:somebody else:"
    async with context(browser, openmeet, viewport=PHONE) as opened:
        page = await opened.new_page()
        await page.goto("/events/new")
        await page.get_by_label("Title").fill("Soup for everybody")
        await page.goto("/help")
        await page.evaluate("([key, at]) => localStorage.setItem(key, JSON.stringify({ at, values: [] }))", [old, 0])
        await page.evaluate("(key) => localStorage.setItem(key, JSON.stringify({ at: Date.now(), values: [] }))", fresh)
        await page.goto("/events/new")
        await expect(page.get_by_text("This is what you typed last time.")).to_be_visible()
        await expect(page.get_by_label("Title")).to_have_value("Soup for everybody")

        other = await opened.new_page()
        await other.goto("/events/new")
        assert await other.evaluate("Object.keys(localStorage)") == [fresh]
        await expect(other.get_by_label("Title")).to_have_value("")
