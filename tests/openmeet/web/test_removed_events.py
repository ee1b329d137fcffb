"""The choice to remove an event after its end: form, pages, JSON, and what is left of the event afterwards."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from groundwork.clock import DAY, HandClock, Instant
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import tasks
from openmeet.domain.attendance.model import RsvpReply
from openmeet.routes import embeds, open_pages, operations, pages, pictures
from tests.databases import MakeDatabase
from tests.openmeet.events.event_forms import EVENT_FORM
from tests.openmeet.events.hosted_event import create_event_with_co_host
from tests.openmeet.guest_rsvps.guest_emails import compose_guest_emails, confirmation_link_in, send_guest_answer
from tests.openmeet.site_under_test import Site, api_session, event_by, inputs_of, person, sign_up, signed_in, site_on
from tests.visible_text import visible_text

# The end of the event in ``TYPED``: 2026-07-04, 20:00 in Berlin.
END = Instant(1_783_188_000_000_000)
DAY_OF_REMOVAL = "This event’s page and chat will be removed on Saturday 11 July."
GONE = "This event is over. The host chose not to keep its page."


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_sqlite("openmeet"), clock)


@pytest.fixture
async def ana(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        yield browser


def parts_of_events() -> list[str]:
    """Every page, file and API operation of one event that can be read."""
    paths = {one.path for one in [*pictures(), *open_pages(), *embeds(), *pages()] if "GET" in (one.methods or ())}
    paths |= {one.path for one in operations() if one.method == "GET"}
    return sorted(path for path in paths if "/events/{slug}" in path and path.count("{") == 1)


async def test_hosts_and_guests_see_the_day_and_then_the_page_is_gone(
    site: Site, ana: httpx.AsyncClient, clock: HandClock
):
    new = (await ana.get("/events/new")).text
    assert '<option value="never" selected>For good</option>' in new
    made = await ana.post("/events/new", data=inputs_of(new) | EVENT_FORM | {"remove_after": "week"})
    path = made.headers["location"]
    assert '<option value="week" selected>For a week</option>' in (await ana.get(f"{path}/edit")).text
    async with site.browser() as ben, site.browser() as visitor:
        await sign_up(ben, "ben@example.org", "Ben")
        assert DAY_OF_REMOVAL not in visible_text((await ben.get(path)).text)
        await ben.post(f"{path}/answer", data={"reply": "going"})
        assert "proofs of attendance end. Save what you’d like to keep." in visible_text((await ben.get(path)).text)
        assert DAY_OF_REMOVAL in visible_text((await ben.get(path)).text)
        await ben.post(f"{path}/answer", data={"reply": "declined"})
        # Whoever said that they are not going is told no more than a visitor.
        assert DAY_OF_REMOVAL not in visible_text((await ben.get(path)).text)
        await ben.post(f"{path}/answer", data={"reply": "going"})
        host_page = visible_text((await ana.get(path)).text)
        assert f"{DAY_OF_REMOVAL} Its photos and list of guests go, too." in host_page
        assert DAY_OF_REMOVAL not in visible_text((await visitor.get(path)).text)
        clock.turn(END + 7 * DAY - clock.now())
        await sign_up(ana, "ana@example.org", "Ana")
        await sign_up(ben, "ben@example.org", "Ben")
        assert (await ben.get(path)).status_code == 200
        assert await tasks.remove_past_events(site.db) == 1
        for one, said in (
            (ana, "“Board games” is over. The host chose not to keep its page."),
            (ben, "“Board games” is over. The host chose not to keep its page."),
            (visitor, GONE),
        ):
            gone = await one.get(path)
            assert (gone.status_code, said in gone.text) == (410, True)
        assert (await visitor.get(f"/api{path}")).json()["detail"] == GONE
        for one in (ana, ben, visitor):
            for part in parts_of_events():
                answer = await one.get(part.replace("/events/{slug}", path))
                assert answer.status_code in {303, 401, 403, 404, 410}, part
                assert "Town library" not in answer.text
        assert "Board games" not in (await ben.get("/my/events?which=past")).text
        assert "Board games" not in (await ana.get("/my/events?which=past")).text


async def test_guests_without_an_account_the_ticket_and_the_chat_tell_the_day(site: Site):
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana, remove_after="week")
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
    async with site.browser() as eve:
        await send_guest_answer(eve, event)
        (letter,) = await compose_guest_emails(site)
        link = confirmation_link_in(letter)
        assert DAY_OF_REMOVAL in visible_text((await eve.get(link)).text)
        own = (await eve.post(link)).headers["location"]
        shown = (await eve.get(own)).text
        assert DAY_OF_REMOVAL in visible_text(shown)
        (ticket,) = re.findall(r'href="(/mail/ticket/[^"]+)"', shown)
        assert DAY_OF_REMOVAL in visible_text((await eve.get(ticket)).text)
    async with signed_in(site, ben.user_id) as browser:
        for part in ("/ticket", "/chat", "/chat/people"):
            page = await browser.get(f"/events/{event.slug}{part}")
            assert (page.status_code, DAY_OF_REMOVAL in visible_text(page.text)) == (200, True), part


async def test_an_event_that_its_host_deletes_earlier_says_so(site: Site, ana: httpx.AsyncClient):
    form = inputs_of((await ana.get("/events/new")).text) | EVENT_FORM | {"remove_after": "day"}
    path = (await ana.post("/events/new", data=form)).headers["location"]
    await ana.post(f"{path}/delete")
    assert "The host deleted “Board games”." in (await ana.get(path)).text


@pytest.mark.parametrize(("visibility", "status"), [("unlisted", 404), ("private", 404)])
async def test_a_removed_event_that_was_not_public_is_gone_only_for_people_who_answered(
    site: Site, clock: HandClock, visibility: str, status: int
):
    async with site.db.transaction() as tx:
        host, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, host, visibility="unlisted", remove_after="day")
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        await tx.execute("update events set visibility = :visibility", visibility=visibility)
    clock.turn(END + DAY - clock.now())
    assert await tasks.remove_past_events(site.db) == 1
    async with signed_in(site, ben.user_id) as guest, site.browser() as visitor:
        assert (await guest.get(f"/events/{event.slug}")).status_code == 410
        assert (await visitor.get(f"/events/{event.slug}")).status_code == status


async def test_a_co_host_does_not_see_the_choice_and_keeps_it(site: Site):
    async with site.db.transaction() as tx:
        ana, ben, event = await create_event_with_co_host(tx, remove_after="month")
    async with signed_in(site, ben.user_id) as browser, signed_in(site, ana.user_id) as host:
        page = (await browser.get(f"/events/{event.slug}/edit")).text
        assert '<input type="hidden" name="remove_after" value="month">' in page
        assert "How long should the page stay?" not in page
        saved = await browser.post(f"/events/{event.slug}/edit", data=EVENT_FORM | inputs_of(page) | {"title": "Chess"})
        assert saved.status_code == 303
        refused = await browser.post(
            f"/events/{event.slug}/edit",
            data=EVENT_FORM
            | inputs_of((await browser.get(f"/events/{event.slug}/edit")).text)
            | {"remove_after": "day"},
        )
        assert refused.status_code == 400
        assert "Only people who can delete this event can choose this." in refused.text
        assert '<option value="month" selected>' in (await host.get(f"/events/{event.slug}/edit")).text


async def test_programs_choose_and_read_the_removal(site: Site):
    said = {
        "title": "Jazz",
        "startsLocal": "2026-07-04T18:00",
        "endsLocal": "2026-07-04T20:00",
        "timeZone": "Europe/Berlin",
    }
    async with site.browser() as ana:
        who = await api_session(ana, "ana@example.org", "Ana")
        made = (await ana.post("/api/events", json=said, headers=who)).json()
        assert (made["removeAfter"], made["removesAt"]) == ("never", None)
        path = f"/api/events/{made['slug']}"
        changed = (await ana.put(path, json=said | {"removeAfter": "month"}, headers=who)).json()
        assert (changed["removeAfter"], changed["removesAt"]) == ("month", "2026-08-03T18:00:00Z")
        wrong = await ana.put(path, json=said | {"removeAfter": "year"}, headers=who)
        assert wrong.status_code == 400
        series = (
            await ana.post("/api/series", json=said | {"recurrence": "FREQ=WEEKLY", "removeAfter": "day"}, headers=who)
        ).json()
        assert series["removeAfter"] == "day"
        documented = (await ana.get("/api/openapi.json")).text
    assert '"removesAt"' in documented
    assert '"removeAfter"' in documented
