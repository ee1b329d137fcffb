"""Suggested events with their reasons, events similar to another one, and the switch."""

import re
from html import unescape

import pytest

from groundwork.clock import HandClock
from groundwork.database.transaction import Transaction
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.events.group_of_event import as_group_of_event
from openmeet.domain.events.model import Event
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups.model import GroupDetails
from openmeet.domain.search import suggestions
from openmeet.domain.search.suggestions import SuggestionReason
from openmeet.domain.users.model import Caller
from tests.databases import MakeDatabase
from tests.openmeet.places.located_events import BERLIN, place_event_at
from tests.openmeet.site_under_test import Site, details, event_by, person, signed_in, site_on
from tests.openmeet.statement_counter import StatementCounter

FAR = ("48.14", "11.58")
SOON, LATER = "2026-03-10T18:00", "2026-03-20T18:00"


@pytest.fixture
async def site(make_database: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_database("openmeet"), clock)


async def soon(tx: Transaction, host: Caller, title: str, **typed: str) -> Event:
    return await event_by(tx, host, **{"title": title, "starts": SOON, "ends": "", **typed})


async def follow(tx: Transaction, who: Caller, followed: Caller) -> None:
    await tx.execute(
        "insert into profile_followers (user_id, followed_id, created_at) values (:who, :followed, :now)",
        who=who.user_id,
        followed=followed.user_id,
        now=tx.now,
    )


async def suggested(site: Site, who: Caller) -> list[tuple[str, str]]:
    async with signed_in(site, who.user_id) as browser:
        page = (await browser.get("/home")).text
    part = page.split('id="for-you"')[1].split("</section>")[0] if 'id="for-you"' in page else ""
    tiles = part.split('<article class="event-tile')[1:]
    return [
        (
            unescape(re.findall(r'<a href="/events/[^"]*">([^<]*)<', tile)[0]),
            unescape(re.findall(r'class="why">([^<]*)<', tile)[0]),
        )
        for tile in tiles
    ]


async def test_each_suggestion_has_its_reason(site: Site) -> None:
    """The strongest reason is shown. Answered, own, cancelled, hidden and past events are not suggested."""
    async with site.db.transaction() as tx:
        ana, ben, cleo, dora, me = [await person(tx, name) for name in ("Ana", "Ben", "Cleo", "Dora", "Me")]
        await follow(tx, me, ana)
        await soon(tx, ana, "By Ana")
        off = await soon(tx, ana, "Off")
        await event_hosting.cancel(tx, ana, off.slug, "")
        await soon(tx, ana, "Private", visibility="private")
        going = await soon(tx, ben, "I go", categories="music")
        also = await soon(tx, ben, "I go too", categories="music")
        for one in (going, also):
            await attendance.answer(tx, me, one.slug, RsvpReply.GOING)
        await soon(tx, ben, "Again by Ben", starts=LATER)
        await soon(tx, cleo, "Concert", categories="music")
        await soon(tx, dora, "No reason", categories="food")
        await soon(tx, me, "Mine", categories="music")
    assert await suggested(site, me) == [
        ("By Ana", "Because you follow Ana"),
        ("Again by Ben", "Because you answered an event by Ben"),
        ("Concert", "Because you often choose “Music”"),
    ]


async def test_followed_groups_and_distance(site: Site) -> None:
    """Events on liked topics are suggested near the places where the person goes."""
    async with site.db.transaction() as tx:
        ana, ben, me = [await person(tx, name) for name in ("Ana", "Ben", "Me")]
        group = await groups.create(tx, ana, GroupDetails("Choir", "Europe/Berlin"))
        await events.create(tx, ana, details(title="Rehearsal", starts=SOON, ends=""), group=as_group_of_event(group))
        await tx.execute(
            "insert into group_followers (group_id, user_id, created_at, updated_at) values (:group_id, :me, :now, :now)",
            group_id=group.id,
            me=me.user_id,
            now=tx.now,
        )
        for title in ("One", "Two"):
            one = await soon(tx, me, title, categories="music")
            await place_event_at(tx, one, BERLIN)
            await attendance.answer(tx, me, one.slug, RsvpReply.GOING)
        await place_event_at(tx, await soon(tx, ben, "Near", categories="music"), BERLIN)
        await place_event_at(tx, await soon(tx, ben, "Far", categories="music"), FAR)
        found = await suggestions.for_person(tx, me.user_id, 9)
    assert [(one.event.title, one.reason) for one in found] == [
        ("Rehearsal", SuggestionReason.FOLLOWED_GROUP),
        ("Near", SuggestionReason.TOPIC),
    ]


async def test_blocked_people_cause_no_suggestions(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana, me = [await person(tx, name) for name in ("Ana", "Me")]
        await follow(tx, me, ana)
        await soon(tx, ana, "By Ana")
        await tx.execute(
            "insert into user_blocks (user_id, blocked_id, created_at) values (:me, :ana, :now)",
            me=me.user_id,
            ana=ana.user_id,
            now=tx.now,
        )
    assert await suggested(site, me) == []


async def test_suggestions_can_be_switched_off(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana, me = [await person(tx, name) for name in ("Ana", "Me")]
        await follow(tx, me, ana)
        await soon(tx, ana, "By Ana")
    assert len(await suggested(site, me)) == 1
    async with signed_in(site, me.user_id) as browser:
        off = await browser.post("/settings/suggestions", data={"wanted": ""})
        assert "Turn on suggestions" in (await browser.get("/settings/suggestions")).text
        assert "Off" in (await browser.get("/settings")).text.split("Suggestions")[1][:120]
    assert off.status_code == 303
    assert await suggested(site, me) == []
    async with signed_in(site, me.user_id) as browser:
        await browser.post("/settings/suggestions", data={"wanted": "yes"})
    assert len(await suggested(site, me)) == 1


async def test_suggestions_take_as_many_statements_for_a_hundred_follows_as_for_two(site: Site) -> None:
    async with site.db.transaction() as tx:
        hosts = [await person(tx, f"Host {number}") for number in range(40)]
        few, many = [await person(tx, name) for name in ("Few", "Many")]
        for number, host in enumerate(hosts):
            await soon(tx, host, f"By {number}")
            await follow(tx, many, host)
            if number < 2:
                await follow(tx, few, host)
        asked = []
        for who in (few, many):
            counting = StatementCounter(tx)
            await suggestions.for_person(counting, who.user_id, 6)
            asked.append(counting.statements)
    assert asked[0] == asked[1]


async def test_the_event_page_shows_similar_events(site: Site) -> None:
    """First by the same host, then on the same topic. An event that is not public has no such list."""
    async with site.db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
        event = await soon(tx, ana, "This one", categories="music")
        await soon(tx, ana, "Also by Ana", starts=LATER)
        await soon(tx, ben, "Same topic", categories="music")
        await soon(tx, ben, "Unlike", categories="food")
        hidden = await soon(tx, ana, "Quiet", visibility="unlisted")
    async with site.browser() as anybody:
        page = (await anybody.get(f"/events/{event.slug}")).text
        quiet = (await anybody.get(f"/events/{hidden.slug}")).text
    part = page.split('id="related"')[1].split("</section>")[0]
    assert re.findall(r'<a href="/events/[^"]*">([^<]*)<', part) == ["Same topic", "Also by Ana"]
    assert 'id="related"' not in quiet


async def test_cancelled_event_leads_guests_to_similar_events(site: Site) -> None:
    """Its host can bring it back instead. Without similar events, there is no link."""
    async with site.db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
        event = await soon(tx, ana, "Chess", categories="games")
        await event_hosting.cancel(tx, ana, event.slug, "")
    path, link = f"/events/{event.slug}", 'href="#related"'
    async with signed_in(site, ana.user_id) as host, signed_in(site, ben.user_id) as guest:
        alone = (await guest.get(path)).text
        async with site.db.transaction() as tx:
            await soon(tx, ana, "Go", categories="games")
        assert [link in page for page in (alone, (await guest.get(path)).text, (await host.get(path)).text)] == [
            False,
            True,
            False,
        ]
