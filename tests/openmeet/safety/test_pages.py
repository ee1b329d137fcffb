"""From a person's name to blocking the person: for hosts and group members, by links on pages."""

import re

import httpx
import pytest

from groundwork.clock import HandClock
from openmeet.domain.attendance import actions, host_decisions, invitations, registration
from openmeet.domain.attendance.model import ReplyDetails, RsvpReply
from openmeet.domain.attendance.registration import RegistrationQuestion, RegistrationSettings
from openmeet.domain.events import co_host_queries, ownership
from openmeet.domain.moderation import blocks
from openmeet.domain.moderation.model import ModeratedKind, ReportReason, Subject
from openmeet.domain.safety import actions as safety
from openmeet.web.safety.pages import PER_PAGE
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, api_session, event_by, person, sign_up, signed_in, site_on

EVENT = {
    "title": "Board games",
    "starts": "2026-07-04T18:00",
    "time_zone": "Europe/Berlin",
    "mode": "in_person",
    "visibility": "public",
    "submission": "k",
}


@pytest.fixture
async def site(make_database: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_database("openmeet"), clock)


def ways_to_keep_away(html: str) -> list[str]:
    return re.findall(r'href="(/people/[^"]+/report)"', html)


async def page_of_only_attendee(host: httpx.AsyncClient, event: str, tab: str) -> str:
    (path,) = set(
        re.findall(rf'href="({event}/attendees/[0-9a-f-]+)"', (await host.get(f"{event}/attendees?tab={tab}")).text)
    )
    return (await host.get(path)).text


async def test_a_host_blocks_somebody_from_the_page_of_their_answer(site: Site) -> None:
    async with site.browser() as ana, site.browser() as ben:
        await sign_up(ana, "ana@example.org", "Ana")
        await sign_up(ben, "ben@example.org", "Ben")
        event = (await ana.post("/events/new", data=EVENT)).headers["location"]
        await ben.post(f"{event}/answer", data={"reply": "going"})
        (away,) = ways_to_keep_away(await page_of_only_attendee(ana, event, "going"))
        shown = (await ana.get(away)).text
        assert "Block Ben" in shown
        (subject,) = set(re.findall(r'name="subject" value="([^"]+)"', shown))
        blocked = await ana.post("/settings/safety", data={"act": "block", "subject": subject, "next": away})
        assert blocked.status_code == 303, blocked.text
        assert "Ben" in (await ana.get("/settings/safety")).text
        assert "Nobody yet" in (await ana.get(f"{event}/attendees?tab=going")).text


async def test_a_blocked_person_sees_no_reply_that_would_be_refused(site: Site) -> None:
    """The page of one's own answer has the same buttons as the event page."""
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        await blocks.block(tx, ana.user_id, ben.user_id)
    async with signed_in(site, ben.user_id) as browser:
        shown = (await browser.get(f"/events/{event.slug}/answer")).text
    assert re.findall(r'name="reply" value="([^"]+)"', shown) == []
    assert "You can’t answer this event." in shown


async def test_an_invited_address_reveals_nobody_before_they_answer(site: Site) -> None:
    async with site.browser() as ana, site.browser() as ben:
        await sign_up(ana, "ana@example.org", "Ana")
        await sign_up(ben, "ben@example.org", "Benjamin")
        event = (await ana.post("/events/new", data=EVENT)).headers["location"]
        await ana.post(f"{event}/attendees/invite", data={"email": "ben@example.org"})
        shown = await page_of_only_attendee(ana, event, "invited")
        assert "ben@example.org" in shown
        assert ways_to_keep_away(shown) == []
        (who,) = set(re.findall(r'name="who" value="([^"]+)"', shown))
        await ana.post(f"{event}/attendees", data={"who": who, "act": "remove"})
        for gone in (
            (await ana.get(f"{event}/attendees?tab=out")).text,
            (await ana.get(f"{event}/attendees/{who}")).text,
            (await ana.get(f"{event}/attendees.csv")).text,
        ):
            assert "Benjamin" not in gone
            assert ways_to_keep_away(gone) == []
        assert who in (await ana.get(f"{event}/attendees?tab=out&q=ben@")).text
        assert who not in (await ana.get(f"{event}/attendees?tab=out&q=Benjamin")).text


async def test_members_block_each_other_from_the_list_of_members(site: Site) -> None:
    async with site.browser() as ana, site.browser() as ben:
        await sign_up(ana, "ana@example.org", "Ana")
        await sign_up(ben, "ben@example.org", "Ben")
        group = {
            "name": "Chess",
            "join_policy": "open",
            "visibility": "public",
            "promotion_level": "public",
            "time_zone": "UTC",
        }
        made = await ana.post("/groups/new", data={**group, "submission": "k"})
        assert made.status_code == 303, made.text
        path = made.headers["location"]
        await ben.post(f"{path}/join", data={"answer": ""})
        listed = await ben.get(f"{path}/members")
        (away,) = ways_to_keep_away(listed.text)
        assert "Block Ana" in (await ben.get(away)).text
        (away,) = ways_to_keep_away((await ana.get(f"{path}/members")).text)
        assert "Block Ben" in (await ana.get(away)).text


async def test_after_reporting_people_are_told_what_happens_next(site: Site) -> None:
    async with site.browser() as ana, site.browser() as ben:
        await sign_up(ana, "ana@example.org", "Ana")
        await sign_up(ben, "ben@example.org", "Ben")
        event = (await ana.post("/events/new", data=EVENT)).headers["location"]
        sent = await ben.post(f"{event}/report", data={"reason": "spam", "words": "An ad."})
        assert (sent.status_code, sent.headers["location"]) == (303, f"{event}/report?sent=yes")
        shown = (await ben.get(sent.headers["location"])).text
        assert "What happens next" in shown
        assert 'href="/settings/safety"' in shown
        assert "Block Ana" in shown
        assert "An ad." in shown, "the report can be edited"
        before = (await ana.get(f"{event}/report?sent=yes")).text
        assert "What happens next" not in before, "only the reporter is thanked"


async def test_a_person_who_answered_an_invitation_keeps_their_name(site: Site) -> None:
    """Once they have answered, hosts see their name instead of the address, also after rejecting them: on the page of
    that answer, in the list, in the file and in the API.
    """
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        await registration.put(
            tx, event.id, RegistrationSettings(max_party=2, questions=(RegistrationQuestion("q1", "What do you eat?"),))
        )
        invited = await invitations.invite(tx, ana, event.slug, "ben@example.org")
        wanted = ReplyDetails(party=2, companion_names=("Zoe",), form_responses={"q1": "Mushrooms"})
        await actions.answer(tx, ben, event.slug, RsvpReply.GOING, wanted)
        await host_decisions.reject(tx, ana, event.slug, [invited.id])
    async with signed_in(site, ana.user_id) as host:
        seen = {
            path: (await host.get(path)).text
            for path in (
                f"/events/{event.slug}/attendees/{invited.id}",
                f"/events/{event.slug}/attendees.csv",
                f"/events/{event.slug}/attendees?tab=out",
            )
        }
    async with site.browser() as client:
        token = await api_session(client, "ana@example.org", "Ana")
        seen["api"] = (await client.get(f"/api/events/{event.slug}/attendances", headers=token)).text
    assert {name: ("Ben" in text, "ben@example.org" in text) for name, text in seen.items()} == dict.fromkeys(
        seen, (True, False)
    )


async def test_new_host_is_told_that_blocked_guests_lose_their_place(site: Site) -> None:
    """Before they take over an event."""
    async with site.db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana)
        await actions.answer(tx, cleo, event.slug, RsvpReply.GOING)
        await safety.block(tx, ben, cleo.user_id)
        co_host = ownership.accepted_co_host(tx, event, ben.user_id, by=ana.user_id)
        await co_host_queries.put(tx, co_host)
        await ownership.offer(tx, ana, event.slug, co_host.id)
    async with signed_in(site, ben.user_id) as client:
        shown = (await client.get(f"/events/{event.slug}/hosts")).text
    assert "1 guest whom you’ve blocked will lose their place." in shown


async def test_a_blocked_person_is_offered_no_chat(site: Site) -> None:
    """The chat and the questions to the hosts would be refused."""
    async with site.db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana)
        for who in (ben, cleo):
            await actions.answer(tx, who, event.slug, RsvpReply.GOING)
        await safety.block(tx, ana, ben.user_id)
    for who, is_offered in ((ben, False), (cleo, True)):
        async with signed_in(site, who.user_id) as client:
            shown = (await client.get(f"/events/{event.slug}")).text
        assert (f"/events/{event.slug}/chat" in shown, "Ask the hosts" in shown) == (is_offered, is_offered)


async def test_long_lists_of_blocks_mutes_and_reports_are_paged(site: Site) -> None:
    """Each of the lists has its own pages, which together show everything once."""
    number = PER_PAGE + 2
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, await person(tx, "Host"))
        others = [await person(tx, f"Other {one:03}") for one in range(number)]
        for one in others:
            await actions.answer(tx, one, event.slug, RsvpReply.GOING)
        await actions.answer(tx, ana, event.slug, RsvpReply.GOING)
        for one in others:
            await safety.mute(tx, ana, Subject(ModeratedKind.PERSON, one.user_id))
            await safety.report(tx, ana, ModeratedKind.PERSON, one.user_id, ReportReason.SPAM, "")
            await safety.block(tx, ana, one.user_id)
    async with signed_in(site, ana.user_id) as browser:
        first = (await browser.get("/settings/safety")).text
        for name in ("blocked", "muted", "reports"):
            (following,) = re.findall(rf'href="(/settings/safety\?{name}=[^"#]+)#{name}"', first)
            second = (await browser.get(following)).text
            counts = [len(rows_of(text, name)) for text in (first, second)]
            assert counts == [PER_PAGE, 2], name
            assert f"?{name}=" not in second
            if name != "reports":
                listed = section_of(first, name) + section_of(second, name)
                assert sorted(re.findall(r'name="subject" value="([^"]+)"', listed)) == sorted(
                    one.user_id for one in others
                )
        assert (await browser.get("/settings/safety?muted=x")).status_code == 400


def section_of(page: str, name: str) -> str:
    return page.partition(f'aria-labelledby="{name}"')[2].partition("</section>")[0]


def rows_of(page: str, name: str) -> list[str]:
    return re.findall("<li>", section_of(page, name))
