"""The event page for its host: each element is on it once. If moderators hid the event, it says where to object."""

import re

import pytest

from groundwork.clock import HandClock, Instant
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.events.model import Event
from openmeet.domain.moderation import visibility
from openmeet.domain.moderation.model import ModeratedKind, Subject, SubjectVisibility
from openmeet.domain.users.model import Caller
from openmeet.domain.users.queries import by_email
from openmeet.recurrence.wall_time import instant_of, parse_local
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, event_by, person, sign_up, signed_in, site_on
from tests.visible_text import visible_text


@pytest.fixture
async def site(make_sqlite, clock) -> Site:
    return site_on(await make_sqlite("openmeet", clock=clock), clock)


async def asked_for(site: Site) -> Event:
    """An event of Ana's for which Ben has sent a request to join."""
    async with site.db.transaction() as tx:
        user = await by_email(tx, "ana@example.org")
        assert user is not None
        ana = Caller(user.id, "Ana")
        event = await event_by(tx, ana, title="Supper")
        asks = RegistrationSettings(needs_approval=True)
        await event_hosting.change_registration_settings(tx, ana, event.slug, asks)
        await attendance.answer(tx, await person(tx, "Ben"), event.slug, RsvpReply.GOING)
    return event


async def test_requests_editing_and_hosting_appear_once(site: Site) -> None:
    """Requests are above the list of people and can be decided there. Only the bar has a button for editing."""
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        event = await asked_for(site)
        page = (await browser.get(f"/events/{event.slug}")).text
    assert page.count("<strong>Ben</strong>") == page.count(">Ben<") == 1
    assert page.count(f'href="/events/{event.slug}/edit"') == 1
    assert page.count("You host this") == 1
    rows = re.findall(r"<li>(?:<a|<details><summary)[^>]*><svg.*?</svg><span>(.*?)</span>", page, re.DOTALL)
    assert rows == ["Guests", "Message guests", "Check-in", "Hosts", "Preview and settings", "Repeat, copy, cancel"]


async def test_the_menu_of_an_event_says_only_what_is_possible(site: Site) -> None:
    """A cancelled event cannot be cancelled again; nothing in that menu is possible for a cancelled date of a series."""
    last = re.compile(
        r"<details><summary>(?:<svg[^>]*>.*?</svg>)<span>([^<]*)</span></summary>\s*<ul[^>]*>(.*?)</ul>", re.DOTALL
    )
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        single = await asked_for(site)
        typed = {"title": "Practice", "starts": "2026-07-04T18:00", "time_zone": "UTC", "visibility": "public"}
        series = await browser.post(
            "/events/new", data=typed | {"repeats": "FREQ=WEEKLY;BYDAY=SA", "ends_how": "never", "submission": "s"}
        )
        shown = (await browser.get(series.headers["location"])).text
        date = re.findall(r'href="(/events/practice[^"?#]*)"', shown)[0]
        seen = {}
        for path in (f"/events/{single.slug}", date):
            for status in ("planned", "cancelled"):
                page = (await browser.get(path)).text
                seen[path == date, status] = {
                    words: re.findall(r"<span>([^<]*)</span>", entries) for words, entries in last.findall(page)
                }
                seen[path == date, status].pop("Preview and settings")
                assert (f'href="{path}/check-in"' in page) == (status == "planned")
                assert (f'href="{path}/cancel"' in page) == (status == "planned")
                await browser.post(f"{path}/cancel", data={"reason": "Storm"})
    assert seen == {
        (False, "planned"): {
            "Repeat, copy, cancel": ["Repeat this event", "Make a copy", "Cancel this event…", "Delete…"]
        },
        (False, "cancelled"): {"Repeat, copy, delete": ["Repeat this event", "Make a copy", "Delete…"]},
        # The only action is a line of its own.
        (True, "planned"): {},
        (True, "cancelled"): {},
    }


async def test_only_a_host_has_the_link_to_share(site: Site) -> None:
    async with site.browser() as browser, site.browser() as anybody:
        await sign_up(browser, "ana@example.org", "Ana")
        event = await asked_for(site)
        path = f"/events/{event.slug}"
        assert 'id="share"' in (await browser.get(path)).text
        others = (await anybody.get(path)).text
    assert 'id="share"' not in others
    assert f'href="{path}/share"' in others


@pytest.mark.parametrize(("starts", "main"), [("2026-07-04T21:00", "Check in"), ("2026-07-05T10:00", "Guests")])
async def test_checking_in_comes_first_on_the_day_of_the_event(
    site: Site, clock: HandClock, starts: str, main: str
) -> None:
    """On the evening before, the button of the next event is the list of guests."""
    clock.turn(Instant(instant_of(parse_local("2026-07-04T19:00", "starts"), "Europe/Berlin") - clock.now()))
    async with site.db.transaction() as tx:
        host = await person(tx, "Hanna")
        await event_by(tx, host, starts=starts, ends="")
    async with signed_in(site, host.user_id) as browser:
        page = (await browser.get("/my/events?which=hosting")).text
    assert re.findall(r'<a class="button small" href="[^"]+">(.*?)</a>', page) == [main]


@pytest.mark.parametrize(("contact", "is_named"), [("ops@town.example", True), ("", False)])
async def test_the_host_of_a_hidden_event_reads_where_to_object(
    make_sqlite: MakeDatabase, clock: HandClock, contact: str, *, is_named: bool
) -> None:
    site = site_on(await make_sqlite("openmeet"), clock, contact=contact)
    async with site.db.transaction() as tx:
        host = await person(tx, "Hanna")
        event = await event_by(tx, host)
        subject = Subject(ModeratedKind.EVENT, event.id)
        await visibility.change(
            tx, subject, SubjectVisibility.SHOWN, SubjectVisibility.HIDDEN, reason="Spam", by=host.user_id
        )
    async with signed_in(site, host.user_id) as browser:
        shown = visible_text((await browser.get(f"/events/{event.slug}")).text)
    assert "has hidden it: Spam" in shown
    assert ("Do you think this is a mistake? Write to ops@town.example" in shown) is is_named
