"""The notifications page: items that need an action are at the top, and similar ones are grouped in one row."""

import re

import pytest

from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting, invitations
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.users.model import Caller
from openmeet.domain.users.queries import by_email
from tests.openmeet.site_under_test import details, event_by, person, sign_up, site_on
from tests.visible_text import visible_text


@pytest.fixture
async def site(make_sqlite, clock):
    return site_on(await make_sqlite("openmeet", clock=clock), clock)


async def _signed_up(site, browser) -> Caller:
    await sign_up(browser, "ana@example.org", "Ana")
    async with site.db.reader() as reader:
        user = await by_email(reader, "ana@example.org")
    return Caller(user.id, "Ana")


async def test_answers_to_one_event_share_one_row(site):
    """One sentence is about everybody who is going, and each answer is in a fold. Another answer gets its own row."""
    async with site.browser() as browser:
        ana = await _signed_up(site, browser)
        async with site.db.transaction() as tx:
            event = await event_by(tx, ana, title="Tea")
            for name in ("Ben", "Cleo", "Dan"):
                await attendance.answer(tx, await person(tx, name), event.slug, RsvpReply.GOING)
            await attendance.answer(tx, await person(tx, "Eva"), event.slug, RsvpReply.INTERESTED)
        page = (await browser.get("/notifications")).text
    maybe, *rows = re.findall(r'<li class="is-unread">.*?</li>', page, re.DOTALL)
    assert "<strong>Eva</strong> said maybe to " in maybe
    assert "<details" not in maybe
    assert len(rows) == 1
    headline, _, each = rows[0].partition("<details")
    assert "<strong>Dan</strong> and 2 others are going to <a" in headline
    assert re.findall(r"<strong>(\w+)</strong> is going to <a", each) == ["Dan", "Cleo", "Ben"]
    assert 'class="thumbnail"' in rows[0]
    faces = rows[0].partition('class="faces"')[2]
    assert re.findall(r'avatar small tone-\d"[^>]*>(\w)<', faces) == ["D", "C", "B"]


async def test_a_move_to_another_time_zone_names_both(site):
    """Because both times may look the same."""
    async with site.browser() as browser:
        ana = await _signed_up(site, browser)
        async with site.db.transaction() as tx:
            ben = await person(tx, "Ben")
            event = await event_by(tx, ben, title="Tea", starts="2026-07-04T18:00", ends="")
            await attendance.answer(tx, ana, event.slug, RsvpReply.GOING)
            moved = details(starts="2026-07-04T18:00", ends="", time_zone="America/New_York")
            await event_hosting.revise(tx, ben, event.slug, moved)
        page = visible_text((await browser.get("/notifications")).text)
    assert "was moved to Sat 4 Jul, 18:00, New York time. It was Sat 4 Jul, 18:00, Berlin time." in page


async def test_pending_requests_can_be_answered_on_the_page(site):
    """The page lists invitations to answer and requests to decide, but nothing that needs no action."""
    async with site.browser() as browser:
        ana = await _signed_up(site, browser)
        async with site.db.transaction() as tx:
            ben = await person(tx, "Ben")
            theirs = await event_by(tx, ben, title="Choir")
            await invitations.invite(tx, ben, theirs.slug, "ana@example.org")
            mine = await event_by(tx, ana, title="Supper")
            asks = RegistrationSettings(needs_approval=True)
            await event_hosting.change_registration_settings(tx, ana, mine.slug, asks)
            await attendance.answer(tx, ben, mine.slug, RsvpReply.GOING)
        page = (await browser.get("/notifications")).text
        needs = page.partition('class="needs"')[2].partition("</section>")[0]
        assert f'action="/events/{theirs.slug}/answer"' in needs
        assert 'aria-label="Approve Ben: Supper"' in needs
        await browser.post(f"/events/{theirs.slug}/answer", data={"reply": "going"})
        page = (await browser.get("/notifications")).text
        assert f'action="/events/{theirs.slug}/answer"' not in page
        # With three of them, the news begin on the first screen of a phone, because one is collapsed.
        async with site.db.transaction() as tx:
            for title in ("Swing", "Tango"):
                await invitations.invite(tx, ben, (await event_by(tx, ben, title=title)).slug, "ana@example.org")
        needs = (await browser.get("/notifications")).text.partition('class="needs"')[2].partition("</section>")[0]
        shown, _, collapsed = needs.partition("<summary>Show 1 more</summary>")
        assert [part.count('<div class="grow">') for part in (shown, collapsed)] == [2, 1]
