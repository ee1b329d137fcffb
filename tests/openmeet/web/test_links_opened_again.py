"""Links from e-mails that are opened after they were used, or after what they are for has ended."""

import re

import httpx
import pytest

from groundwork.clock import DAY, HandClock
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.tasks import end_expired_offers
from openmeet.domain.events import co_host_queries
from openmeet.domain.events.actions import cancel, delete
from openmeet.domain.events.co_host_invitations import CoHostState, token_of
from openmeet.domain.events.model import Event
from openmeet.domain.guest_rsvps import actions as guest_rsvps
from openmeet.domain.notifications import email_links
from openmeet.domain.notifications.email_links import EmailLink, LinkPurpose
from openmeet.domain.sign_in import model
from openmeet.domain.users.model import Caller
from openmeet.domain.users.queries import by_email
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import CODE_KEY, Site, event_by, h1_of, person, sign_up, signed_in, site_on

# Lists of events, and what they say once a held place is no longer held.
LISTS = {
    "/home": "The place is no longer held for you.",
    "/notifications": "The place is no longer held for you.",
    "/my/events?which=waiting": "Place no longer held",
}


def main_of(text: str) -> str:
    return text.partition("<main")[2]


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_sqlite("openmeet"), clock)


async def _caller(site: Site, email: str) -> Caller:
    async with site.db.reader() as reader:
        user = await by_email(reader, email)
    assert user is not None
    return Caller(user.id, user.display_name)


async def test_accepted_co_host_invitation_leads_to_the_event(site: Site) -> None:
    """An answer that is neither yes nor no does not decline it."""
    async with site.browser() as ana, site.browser() as ben, site.browser() as nobody:
        await sign_up(ana, "ana@example.org", "Ana")
        await sign_up(ben, "ben@example.org", "Ben")
        host = await _caller(site, "ana@example.org")
        async with site.db.transaction() as tx:
            event = await event_by(tx, host, visibility="private")
        await ana.post(f"/events/{event.slug}/hosts", data={"whom": "ben@example.org"})
        async with site.db.reader() as reader:
            (one,) = await co_host_queries.of_event(reader, event.id, [CoHostState.INVITED])
        link = f"/co-hosting/{token_of(CODE_KEY, one.id)}"
        assert (await ben.post(link, data={"answer": "maybe"})).status_code == 400
        for _ in range(2):
            assert (await ben.post(link, data={"answer": "yes"})).headers["location"] == f"/events/{event.slug}"
            assert (await ben.get(link)).headers["location"] == f"/events/{event.slug}"
        assert h1_of((await nobody.get(link)).text) == "This link doesn’t work"
        await ana.post(f"/events/{event.slug}/delete")
        assert (await ben.get(link)).status_code == 410
        assert (await nobody.get(link)).status_code == 404


async def test_used_group_invitation_leads_members_to_the_group(site: Site) -> None:
    """Others read that it was used and whom to ask."""
    async with site.browser() as ana, site.browser() as ben, site.browser() as eve:
        for browser, name in ((ana, "Ana"), (ben, "Ben"), (eve, "Eve")):
            await sign_up(browser, f"{name.lower()}@example.org", name)
        form = {"name": "Choir", "time_zone": "Europe/Berlin", "visibility": "private", "join_policy": "invite"}
        group = (await ana.post("/groups/new", data=form)).headers["location"].partition("?")[0]
        await ana.post(f"{group}/invitations/link", data={"uses": "1", "days": "7"})
        (link,) = re.findall(r"(/groups/invitations/[^\"]+)\"", (await ana.get(f"{group}/invitations")).text)
        await ben.post(link, data={"answer": "yes"})
        assert (await ben.get(link)).headers["location"] == group
        for answer in (await eve.get(link), await eve.post(link, data={"answer": "yes"})):
            assert (answer.status_code, h1_of(answer.text)) == (404, "This link doesn’t work")
            assert "Ask the person who invited you for a new one." in answer.text
            assert "Choir" not in answer.text


async def _guest_link(site: Site, event: Event, browser: httpx.AsyncClient) -> str:
    form = {"email": "eve@example.org", "display_name": "Eve", "reply": "going"}
    await browser.post(f"/events/{event.slug}/guest-answer", data=form)
    async with site.db.reader() as reader:
        rows = await reader.fetch("select id from guest_rsvps order by created_at desc, id desc limit 1")
    return f"/answers/confirm/{guest_rsvps.token_of(CODE_KEY, rows[0]['id'])}"


async def test_confirmed_answer_is_not_confirmed_again(site: Site) -> None:
    async with site.browser() as eve:
        async with site.db.transaction() as tx:
            event = await event_by(tx, await person(tx, "Ana"))
        link = await _guest_link(site, event, eve)
        assert h1_of((await eve.get(link)).text) == "Confirm your answer"
        await eve.post(link)
        assert h1_of((await eve.get(link)).text) == "You’ve confirmed your answer"


async def test_link_to_confirm_an_answer_outlives_its_event(site: Site) -> None:
    """The page leads to the cancelled event, and says that the host deleted it."""
    async with site.browser() as eve:
        async with site.db.transaction() as tx:
            ana = await person(tx, "Ana")
            event = await event_by(tx, ana, visibility="unlisted")
        link = await _guest_link(site, event, eve)
        async with site.db.transaction() as tx:
            await cancel(tx, ana, event.slug, "")
        page = (await eve.get(link)).text
        assert "This event is cancelled." in page
        assert f'href="/events/{event.slug}"' in page
        async with site.db.transaction() as tx:
            await delete(tx, ana, event.slug)
        for answer in (await eve.get(link), await eve.post(link)):
            assert answer.status_code == 410
            assert "The host deleted “Board games”." in answer.text


async def test_link_of_a_held_place_says_that_it_is_no_longer_held(site: Site, clock: HandClock) -> None:
    """So does the event's page. Once they join the waitlist again, both say where they are on it."""
    async with site.db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana, capacity="1")
        for guest in (ben, cleo):
            await attendance.answer(tx, guest, event.slug, RsvpReply.GOING)
    async with site.db.transaction() as tx:
        await attendance.answer(tx, ben, event.slug, RsvpReply.DECLINED)
        token = await email_links.token_for(tx, CODE_KEY, EmailLink(cleo.user_id, LinkPurpose.ANSWER, event.id))
    link, page = f"/mail/answer/{token}", f"/events/{event.slug}"
    async with site.browser() as anybody, signed_in(site, cleo.user_id) as browser:
        assert "A place is held for you until" in (await anybody.get(link)).text
        clock.turn(2 * DAY)
        await end_expired_offers(site.db)
        async with site.db.transaction() as tx:
            await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        for text in ((await anybody.get(link)).text, (await browser.get(page)).text):
            assert "The place is no longer held for you." in text
            assert "You’re invited." not in text
            assert "Join waitlist" in text
        for path, words in LISTS.items():
            text = (await browser.get(path)).text
            assert words in text, path
            assert "invite" not in main_of(text), path
        await anybody.post(link, data={"reply": "going"})
        for text in ((await anybody.get(link)).text, (await browser.get(page)).text):
            assert "no longer held" not in text
            assert "next on the waitlist" in text


async def test_used_sign_in_link_says_that_the_person_is_signed_in(site: Site) -> None:
    """The same applies to the page for the code. Without a session, both offer a new e-mail only."""
    async with site.browser() as browser, site.browser() as other:
        asked = await browser.post("/sign-in", data={"identifier": "ana@example.org", "next": "/groups"})
        challenge = asked.headers["location"].rpartition("challenge=")[2]
        link, form = f"/sign-in/link/{model.link_token(CODE_KEY, challenge)}", asked.headers["location"]
        await browser.post(link, data={"time_zone": ""})
        await browser.post("/welcome", data={"display_name": "Ana"})
        for path, next_path in ((link, "/home"), (form, "/groups")):
            page = await browser.get(path)
            assert page.status_code == 410
            assert "You’re signed in already." in page.text
            assert f'<a class="button" href="{next_path}">' in page.text
            assert "signed in already" not in (await other.get(path)).text
