"""The main tasks in a real browser: sign up, create, answer, cancel; with and without scripts."""

from datetime import datetime, timedelta

import pytest
from playwright.async_api import expect

from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.model import EventSlug
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.model import Caller, UserId
from tests.browser.browsers import DESK, PHONE, context, enter_code, sideways, sign_up
from tests.external_dependencies import needs
from tests.openmeet.series.practice import create_weekly_series
from tests.openmeet.site_under_test import event_by, person

pytestmark = needs("chromium")

GOING = "I’m going: Board games, Saturday 4 July 2026"
SCRIPT = pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])


async def unfold(page, name):
    """Open a folded part of the form with its summary."""
    await page.locator("summary", has_text=name).click()


async def fill_event(page):
    await page.get_by_label("Title").fill("Board games")
    await page.get_by_label("Starts").fill("2026-07-04T18:00")
    await page.get_by_label("Ends").fill("2026-07-04T20:00")
    await page.get_by_role("textbox", name="Place optional").fill("Town library")


@SCRIPT
async def test_an_event_begun_before_signing_up_is_created_after_it(browser, openmeet, script):
    async with context(browser, openmeet, java_script_enabled=script) as ana:
        page = await ana.new_page()
        await page.goto("/")
        await page.get_by_role("link", name="New event").click()
        await fill_event(page)
        if script:
            await unfold(page, "Time zone")
        # Without a script, the time zone cannot be guessed, so its field is open.
        await page.get_by_label("Time zone").select_option("Europe/Berlin")
        await page.get_by_role("button", name="Sign in to create").click()
        await sign_up(page, openmeet, "Ana", "ana@example.org")
        await page.get_by_text("Here’s the event you started").wait_for()
        assert await page.get_by_label("Title").input_value() == "Board games"
        await page.get_by_role("button", name="Create event").click()
        await page.get_by_role("heading", level=1, name="Board games").wait_for()
        assert await page.get_by_text("Saturday 4 July").first.is_visible()
        assert await page.get_by_text("Your event is live.").is_visible()


@SCRIPT
async def test_custom_rule_shows_its_fields_when_chosen(browser, openmeet, script):
    """The fields open at once, even without scripts. Their content is kept when the form is returned with errors and
    when another choice is made.
    """
    async with context(browser, openmeet, java_script_enabled=script, viewport={"width": 360, "height": 800}) as ana:
        page = await ana.new_page()
        await page.goto("/events/new")
        await fill_event(page)
        await unfold(page, "Repeats")
        own = page.locator(".own-rule")
        assert not await own.is_visible()
        await page.get_by_role("radio", name="Custom…").check()
        assert await own.is_visible()
        await page.locator("#custom_every").fill("3")
        await page.get_by_role("radio", name="Doesn’t repeat").check()
        assert not await own.is_visible()
        await page.get_by_role("radio", name="Custom…").check()
        await page.get_by_role("radio", name="After a number of dates").check()
        await expect(page.locator(".field", has=page.locator("#ends_after"))).not_to_contain_text("optional")
        if not script:
            await page.get_by_role("button", name="Preview").click()
            await own.wait_for()
        assert await page.locator("#custom_every").input_value() == "3"
        assert await sideways(page) == 0


async def test_going_back_and_sending_the_same_again_makes_one_event(browser, openmeet):
    async with context(browser, openmeet) as ana:
        page = await ana.new_page()
        await page.goto("/sign-in?next=/events/new")
        await sign_up(page, openmeet, "Ana", "ana@example.org")
        await fill_event(page)
        await page.get_by_role("button", name="Create event").click()
        await page.get_by_role("heading", level=1, name="Board games").wait_for()
        first = page.url
        await page.go_back()
        assert await page.get_by_label("Title").input_value() == "Board games", "the entered text is still in the form"
        await page.get_by_role("button", name="Create event").click()
        await page.get_by_role("heading", level=1, name="Board games").wait_for()
        assert page.url == first
        await page.go_back()
        await page.get_by_label("Title").fill("Chess")
        await page.get_by_role("button", name="Create event").click()
        await page.get_by_role("alert").get_by_text("already").wait_for()
        await page.goto("/events/new")
        await fill_event(page)
        await page.get_by_role("button", name="Create event").click()
        await page.get_by_role("heading", level=1, name="Board games").wait_for()
        assert page.url != first, "a newly opened form creates another event"


async def test_going_back_to_the_form_of_a_group_makes_one_group(browser, openmeet):
    async with context(browser, openmeet) as ana:
        page = await ana.new_page()
        await page.goto("/sign-in?next=/groups/new")
        await sign_up(page, openmeet, "Ana", "ana@example.org")
        await page.get_by_role("textbox", name="Name").fill("Chess club")
        await page.get_by_role("button", name="Create group").click()
        await page.get_by_role("heading", level=1, name="Chess club").wait_for()
        first = page.url
        await page.go_back()
        await page.get_by_role("button", name="Create group").click()
        await page.get_by_role("heading", level=1, name="Chess club").wait_for()
        assert page.url == first
        await page.go_back()
        await page.get_by_role("textbox", name="Name").fill("Go club")
        await page.get_by_role("button", name="Create group").click()
        await page.get_by_role("alert").get_by_role("link", name="a group").wait_for()
        await page.get_by_role("button", name="Create group").click()
        await page.get_by_role("heading", level=1, name="Go club").wait_for()


async def test_script_preselects_the_time_zone_and_hides_unneeded_fields(browser, openmeet):
    async with context(browser, openmeet, timezone_id="America/New_York") as ana:
        page = await ana.new_page()
        await page.goto("/events/new")
        assert await page.get_by_label("Time zone").input_value() == "America/New_York"
        assert await page.locator("summary", has_text="Time zone").get_by_text("New York time").is_visible()
        assert not await page.get_by_role("textbox", name="Link to join").is_visible()
        await page.get_by_label("Online", exact=True).check()
        assert await page.get_by_role("textbox", name="Link to join").is_visible()
        assert not await page.locator("#place").is_visible()


async def test_readers_elsewhere_see_their_own_time_of_a_series(browser, openmeet):
    async with openmeet.db.transaction() as tx:
        _, series = await create_weekly_series(tx, "FREQ=WEEKLY;COUNT=3")
    for zone, shown in (("America/New_York", "12:00"), ("Pacific/Auckland", "Wed 06:00"), ("Europe/Berlin", None)):
        async with context(browser, openmeet, timezone_id=zone) as anybody:
            page = await anybody.new_page()
            await page.goto(f"/series/{series.slug}")
            own_time = page.locator("[data-your-time]")
            if shown:
                await expect(own_time).to_have_text(f"{shown} your time")
                await expect(page.get_by_text("Berlin time")).to_be_visible()
                await expect(page.locator(".dotted", has=own_time)).to_contain_text(f"Berlin time {shown} your time")
            else:
                await expect(own_time).to_be_empty()


async def test_a_former_name_of_the_time_zone_is_not_listed_but_kept(browser, openmeet):
    """Browsers in India report Asia/Calcutta. The list has only Asia/Kolkata."""
    async with context(browser, openmeet, timezone_id="Asia/Calcutta") as ana:
        page = await ana.new_page()
        await page.goto("/events/new")
        chosen = page.get_by_label("Time zone")
        listed = await chosen.locator("option:not(:last-child)").all_text_contents()
        assert "Asia/Kolkata" in listed
        assert "Asia/Calcutta" not in listed
        reported = await page.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone")
        assert await chosen.input_value() == reported


async def test_the_end_keeps_its_distance_to_the_start(browser, openmeet):
    """A new form has two hours between start and end. If the end is typed or removed, it does not change until the
    start changes.
    """
    async with context(browser, openmeet) as ana:
        page = await ana.new_page()
        await page.goto("/events/new")
        starts, ends = page.get_by_label("Starts"), page.get_by_label("Ends")
        proposed = [datetime.fromisoformat(await one.input_value()) for one in (starts, ends)]
        assert proposed[1] - proposed[0] == timedelta(hours=2)
        await starts.fill("2026-07-04T23:00")
        assert await ends.input_value() == "2026-07-05T01:00"
        await ends.fill("2026-07-05T00:00")
        await starts.fill("2026-07-03T18:00")
        assert await ends.input_value() == "2026-07-03T19:00"
        await unfold(page, "Time zone")
        await page.get_by_label("Whole days").check()
        await starts.fill("2026-07-10")
        assert await ends.input_value() == "2026-07-10"
        await ends.fill("")
        await starts.fill("2026-07-12")
        assert await ends.input_value() == ""


async def test_whole_days_are_kept_in_a_returned_form(browser, openmeet):
    async with context(browser, openmeet) as ana:
        page = await ana.new_page()
        await page.goto("/events/new")
        await unfold(page, "Time zone")
        await page.get_by_label("Whole days").check()
        await page.get_by_label("Starts").fill("2026-12-24")
        await page.get_by_label("Ends").fill("2026-12-26")
        await page.get_by_role("button", name="Sign in to create").click()
        # The event has no title yet.
        await page.get_by_role("alert").wait_for()
        await unfold(page, "Time zone")
        starts, ends = page.get_by_label("Starts"), page.get_by_label("Ends")
        assert [await starts.input_value(), await ends.input_value()] == ["2026-12-24", "2026-12-26"]
        await page.get_by_label("Whole days").uncheck()
        assert await starts.input_value() == "2026-12-24T00:00"


async def test_errors_are_in_a_focused_summary_with_links_to_the_fields(browser, openmeet):
    async with context(browser, openmeet) as ana:
        page = await ana.new_page()
        await page.goto("/events/new")
        await fill_event(page)
        await page.get_by_label("Ends").fill("2026-07-04T17:00")
        await page.get_by_label("Description").fill("A long text that must not be lost.")
        await page.get_by_role("button", name="Sign in to create").click()
        summary = page.get_by_role("alert")
        await summary.wait_for()
        assert await summary.evaluate("(one) => one === document.activeElement")
        assert await page.get_by_label("Description").input_value() == "A long text that must not be lost."
        await summary.get_by_role("link", name="Ends").click()
        assert await page.get_by_label("Ends").evaluate("(one) => one === document.activeElement")


async def test_folded_part_shows_its_values_and_opens_on_errors(browser, openmeet):
    async with context(browser, openmeet, java_script_enabled=False) as ana:
        page = await ana.new_page()
        await page.goto("/events/new")
        places = page.locator("summary", has_text="Places, and who can come")
        assert await places.get_by_text("No limit, public").is_visible()
        await fill_event(page)
        await places.click()
        await page.get_by_label("Number of places").fill("many")
        await unfold(page, "Price and tickets")
        await page.get_by_label("Price").fill("5 €")
        await page.get_by_role("button", name="Sign in to create").click()
        await page.get_by_role("alert").get_by_role("link", name="Number of places").wait_for()
        await page.get_by_label("Number of places").wait_for()
        tickets = page.locator("summary", has_text="Price and tickets")
        await tickets.get_by_text("5 €").wait_for()
        assert not await page.get_by_label("Price").is_visible()


async def test_changed_part_is_marked_as_not_saved(browser, openmeet):
    async with context(browser, openmeet) as ana:
        page = await ana.new_page()
        await page.goto("/events/new")
        places = page.locator("summary", has_text="Places, and who can come")
        await places.click()
        await page.get_by_label("Number of places").fill("8")
        await places.click()
        await places.get_by_text("Changed, not saved yet").wait_for()


async def test_next_steps_are_shown_to_the_host_until_the_first_answer(browser, openmeet):
    async with context(browser, openmeet) as ana:
        page = await ana.new_page()
        await page.goto("/sign-in?next=/events/new")
        await sign_up(page, openmeet, "Ana", "ana@example.org")
        await fill_event(page)
        await page.get_by_role("button", name="Create event").click()
        await page.get_by_role("heading", name="Now tell people").wait_for()
        address = await page.get_by_label("Link", exact=True).input_value()
        assert address == page.url
        await page.get_by_role("link", name="Invite people by e-mail").click()
        await page.get_by_role("heading", name="Invite by e-mail").wait_for()
        async with openmeet.db.transaction() as tx:
            ben = await person(tx, "Ben")
            await attendance.answer(tx, ben, EventSlug(address.rpartition("/")[2]), RsvpReply.GOING)
        await page.goto(address)
        assert not await page.get_by_role("heading", name="Now tell people").is_visible()


@SCRIPT
async def test_answering_in_one_tap_and_changing_ones_mind(browser, openmeet, script):
    async with openmeet.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Hanna Host"))
    async with context(browser, openmeet, java_script_enabled=script) as ben:
        page = await ben.new_page()
        await page.goto(f"/events/{event.slug}")
        await page.get_by_role("button", name=GOING, exact=True).click()
        await sign_up(page, openmeet, "Ben", "ben@example.org")
        await page.get_by_role("heading", name="You’re going").wait_for()
        assert await page.get_by_text("You", exact=True).is_visible()
        await page.get_by_text("Change", exact=True).click()
        await page.get_by_role("button", name="Can’t go: Board games").click()
        await page.get_by_text("Nobody yet").wait_for()


async def test_a_full_event_puts_people_on_the_waitlist_and_offers_them_a_place(browser, openmeet):
    async with openmeet.db.transaction() as tx:
        greta = await person(tx, "Greta Guest")
        event = await event_by(tx, await person(tx, "Hanna Host"), capacity="1")
        await attendance.answer(tx, greta, event.slug, RsvpReply.GOING)
    async with context(browser, openmeet) as ben:
        page = await ben.new_page()
        await page.goto(f"/sign-in?next=/events/{event.slug}")
        await sign_up(page, openmeet, "Ben", "ben@example.org")
        await page.get_by_role("button", name="Join waitlist: Board games").click()
        await page.get_by_text("You’re next on the waitlist.").wait_for()
        async with openmeet.db.transaction() as tx:
            await attendance.answer(tx, greta, event.slug, RsvpReply.DECLINED)
        await page.reload()
        await page.get_by_text("A place is held for you until").wait_for()
        await page.get_by_role("button", name="Take the place: Board games").click()
        await page.get_by_role("heading", name="You’re going").wait_for()
        await page.get_by_role("link", name="Notifications, 1 unread").click()
        assert await page.get_by_text("A place is held for you at").is_visible()


@SCRIPT
async def test_host_cancels_with_a_reason_and_restores(browser, openmeet, script):
    async with context(browser, openmeet, java_script_enabled=script) as ana:
        page = await ana.new_page()
        await page.goto("/sign-in?next=/events/new")
        await sign_up(page, openmeet, "Ana", "ana@example.org")
        await fill_event(page)
        await page.get_by_role("button", name="Create event").click()
        await page.get_by_text("Repeat, copy, cancel").click()
        await page.get_by_role("link", name="Cancel this event…").click()
        await page.get_by_label("Reason").fill("The roof leaks")
        await page.get_by_role("button", name="Cancel the event").click()
        await page.get_by_text("This event is cancelled.").first.wait_for()
        assert await page.get_by_text("The roof leaks").is_visible()
        await page.get_by_role("button", name="Bring it back").click()
        await page.get_by_text("The event is back on.").wait_for()


async def test_signing_out_and_in_again(browser, openmeet):
    async with context(browser, openmeet) as ana:
        page = await ana.new_page()
        await page.goto("/sign-in")
        await sign_up(page, openmeet, "Ana", "ana@example.org")
        await page.get_by_role("heading", level=1, name="Welcome, Ana").wait_for()
        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_role("link", name="Sign in").click()
        await page.get_by_label("E-mail").fill("ana@example.org")
        await page.get_by_role("button", name="Sign in").click()
        await enter_code(page, openmeet)
        await page.get_by_text("You’re signed in.").wait_for()
        await page.get_by_role("link", name="Your settings").click()
        await page.get_by_role("link", name="Name and e-mail").click()
        assert await page.get_by_label("Your name").input_value() == "Ana"


async def test_groups_and_chats_are_one_tap_away(browser, openmeet):
    """On a phone and a desktop, signed in and not."""
    async with openmeet.db.transaction() as tx:
        session = await open_session(tx, (await person(tx, "Ana")).user_id, SessionTransport.BROWSER)
    for viewport in (PHONE, DESK):
        async with context(browser, openmeet, viewport=viewport) as ana:
            page = await ana.new_page()
            await page.goto("/help")
            await page.get_by_role("link", name="Groups", exact=True).filter(visible=True).click()
            await expect(page.get_by_role("heading", level=1)).to_have_text("Groups")
            await ana.add_cookies([{"name": "openmeet_session", "value": session.token, "url": openmeet.url}])
            for name, heading in {"Groups": "My groups", "Chats": "Chats"}.items():
                await page.goto("/my/calendar")
                await page.get_by_role("link", name=name, exact=True).filter(visible=True).click()
                await expect(page.get_by_role("heading", level=1)).to_have_text(heading)


async def test_event_is_answered_by_keyboard_alone(browser, openmeet):
    async with openmeet.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Hanna Host"))
    async with context(browser, openmeet) as ben:
        page = await ben.new_page()
        await page.goto("/")
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.textContent") == "Skip to the content"
        await page.keyboard.press("Enter")
        assert await page.evaluate("document.activeElement.id") == "main"
        for _ in range(20):
            await page.keyboard.press("Tab")
            if await page.evaluate("document.activeElement.getAttribute('href')") == f"/events/{event.slug}":
                break
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", level=1, name="Board games").wait_for()


@SCRIPT
async def test_notification_settings_say_what_is_chosen_and_open_in_place(browser, openmeet, script):
    async with context(browser, openmeet, java_script_enabled=script) as ana:
        page = await ana.new_page()
        await page.goto("/sign-in?next=/settings/notifications")
        await sign_up(page, openmeet, "Ana", "ana@example.org")
        topics = page.locator("details", has_text="Events you go to")
        await topics.locator("summary").click()
        await page.get_by_role("combobox", name="Changes by e-mail").select_option("E-mail daily")
        reminders = page.get_by_role("group", name="Reminders").get_by_role("checkbox", name="On this site")
        await reminders.uncheck()
        await page.get_by_role("button", name="Save").click()
        await page.get_by_text("Saved. This applies from now on.").wait_for()
        assert "Different for each" in await topics.locator("summary").inner_text()
        await topics.locator("summary").click()
        assert await page.get_by_role("combobox", name="Changes by e-mail").input_value() == "digest"
        assert not await reminders.is_checked()


@SCRIPT
async def test_seen_notifications_are_marked_as_read(browser, openmeet, script):
    """The page marks the notifications as read by itself; without scripts, a button does."""
    async with openmeet.db.transaction() as tx:
        host = await person(tx, "Hanna Host")
        event = await event_by(tx, host)
    async with context(browser, openmeet, java_script_enabled=script) as ben:
        page = await ben.new_page()
        await page.goto("/sign-in")
        await sign_up(page, openmeet, "Ben", "ben@example.org")
        await page.get_by_role("heading", level=1).wait_for()
        async with openmeet.db.transaction() as tx:
            row = await tx.fetch_one("select id from users where display_name = 'Ben'")
            await attendance.answer(tx, Caller(UserId(row["id"]), "Ben"), event.slug, RsvpReply.GOING)
            await event_hosting.cancel(tx, host, event.slug, "")
        await page.goto("/")
        assert await page.get_by_role("link", name="Notifications, 1 unread").count() == 1
        button = page.get_by_role("button", name="Mark all as read")
        await page.get_by_role("link", name="Notifications").click()
        await page.get_by_text("is cancelled").wait_for()
        if script:
            await button.wait_for(state="hidden")
        else:
            await button.click()
        await page.get_by_role("link", name="Notifications, 1 unread").wait_for(state="detached")
        await page.get_by_text("is cancelled").wait_for()
        await page.goto("/")
        assert await page.get_by_role("link", name="Notifications, 1 unread").count() == 0
