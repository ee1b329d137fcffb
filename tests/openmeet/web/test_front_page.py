"""The network events that are listed without a search, and those that only a search finds. On both engines."""

import re

import pytest

from groundwork.clock import HOUR, MINUTE, HandClock
from openmeet.domain.events import unsolicited_lists
from openmeet.domain.groups import followed_dids
from openmeet.domain.identities import queries as identities
from openmeet.domain.identities.actions import person_for_did
from openmeet.domain.identities.model import IdentityKind
from openmeet.domain.notifications.queries import newest
from openmeet.domain.saved_searches import actions as saved_searches
from openmeet.domain.saved_searches import tasks
from openmeet.domain.search import my_event_lists, search
from openmeet.domain.search.search import SearchQuery
from openmeet.domain.users.model import Caller
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import group_by
from tests.openmeet.site_under_test import Site, event_by, person, site_on

STRANGER, FOLLOWED, OWN = (f"did:plc:{letter * 24}" for letter in "abc")
FAMILIAR = ["By a member", "By whom a group follows", "Made here"]
EVERYTHING = [*FAMILIAR, "By a stranger"]


@pytest.fixture
async def site(make_database: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_database("openmeet"), clock)


async def written(tx, author: Caller, did: str, title: str, hour: int, point: str = "") -> None:
    """An event of the network, as it was read from its record."""
    # Hosts on this site need a name.
    await tx.execute(
        "update users set display_name = 'Somebody' where id = :id and display_name = ''", id=author.user_id
    )
    event = await event_by(
        tx, author, title=title, starts=f"2026-07-04T{hour}:00", ends="2026-07-04T22:00", point=point
    )
    await tx.execute(
        "update events set origin = 'network', record_did = :did, record_uri = :uri where id = :id",
        did=did,
        uri=f"at://{did}/community.lexicon.calendar.event/{hour}",
        id=event.id,
    )


async def network(tx) -> Caller:
    """Four authors: a user of this site, a member with a repository, one whom a group follows, and a stranger."""
    ana, cleo = await person(tx, "Ana"), await person(tx, "Cleo")
    group = await group_by(tx, ana)
    await followed_dids.follow(tx, ana, group.slug, FOLLOWED)
    await identities.insert(
        tx, OWN, cleo.user_id, IdentityKind.CONNECTED, handle="cleo.example", pds_url="", is_default=True
    )
    stranger, followed = [Caller(await person_for_did(tx, did), "") for did in (STRANGER, FOLLOWED)]
    await written(tx, stranger, STRANGER, "By a stranger", 10)
    await written(tx, cleo, OWN, "By a member", 11)
    await written(tx, followed, FOLLOWED, "By whom a group follows", 12)
    await event_by(tx, ana, title="Made here", starts="2026-07-04T13:00", ends="2026-07-04T15:00")
    return ana


async def test_each_list_shows_exactly_the_events_allowed_by_the_rule(site: Site) -> None:
    async with site.db.transaction() as tx:
        await network(tx)
        slugs = {row["slug"]: row["title"] for row in await tx.fetch("select slug, title from events order by id")}
    shown = {}
    async with site.browser() as nobody:
        for path in ("/", "/events.json", "/sitemap.xml", "/?source=all", "/?q=by", "/api/events", "/events.json?q=by"):
            text = (await nobody.get(path)).text
            shown[path] = {slugs[slug] for slug in re.findall(r"/events/([\w-]+)", text) if slug in slugs}
            shown[path] |= {title for title in slugs.values() if f'"title":"{title}"' in text}
    by = {title for title in EVERYTHING if title.startswith("By")}
    assert shown == {
        **{path: set(FAMILIAR) for path in ("/", "/events.json", "/sitemap.xml")},
        **{path: set(EVERYTHING) for path in ("/?source=all", "/api/events")},
        **dict.fromkeys(("/?q=by", "/events.json?q=by"), by),
    }


async def test_strangers_on_the_network_notify_nobody(site: Site, clock: HandClock) -> None:
    async with site.db.transaction() as tx:
        dan = await person(tx, "Dan")
        await saved_searches.save(tx, dan, {"q": "by"})
    clock.turn(MINUTE)
    async with site.db.transaction() as tx:
        await network(tx)
    clock.turn(HOUR)
    await tasks.announce_public_events(site.db)
    async with site.db.reader() as reader:
        told = {one.subject_id for one in await newest(reader, dan.user_id, 50)}
        rows = await reader.fetch("select id, title from events order by id")
    assert {row["title"] for row in rows if row["id"] in told} == {"By a member", "By whom a group follows"}


@pytest.mark.parametrize(("choice", "stand"), [("nothing", ["Made here"]), ("everything", EVERYTHING)])
async def test_a_site_can_show_more_or_less(make_database: MakeDatabase, clock: HandClock, choice: str, stand) -> None:
    """The setting applies to its pages and to notifications. A search finds everything in any case."""
    site = site_on(await make_database("openmeet"), clock, network_shown=choice)
    async with site.db.transaction() as tx:
        dan = await person(tx, "Dan")
        for words in ("by", "made"):
            await saved_searches.save(tx, dan, {"q": words})
    clock.turn(MINUTE)
    async with site.db.transaction() as tx:
        await network(tx)
    async with site.browser() as nobody:
        for path in ("/", "/events.json", "/sitemap.xml"):
            text = (await nobody.get(path)).text
            shown = {title for title in EVERYTHING if title in text or f"/{title.lower().replace(' ', '-')}-" in text}
            assert shown == set(stand), path
        assert "By a stranger" in (await nobody.get("/?q=by")).text
        assert ("Include events from other apps" in (await nobody.get("/")).text) is (choice == "nothing")
    clock.turn(HOUR)
    await tasks.announce_public_events(site.db, unsolicited_lists.shown_in(choice, ""))
    async with site.db.reader() as reader:
        told = {one.subject_id for one in await newest(reader, dan.user_id, 50)}
        rows = await reader.fetch("select id, title from events")
    assert {row["title"] for row in rows if row["id"] in told} == set(stand)


async def test_a_site_can_also_show_what_is_near_a_point(make_database: MakeDatabase, clock: HandClock) -> None:
    """The setting applies to its pages, to each page of the list, and to notifications."""
    near = "48.21, 16.37, 20"
    site = site_on(await make_database("openmeet"), clock, network_near=near)
    async with site.db.transaction() as tx:
        dan = await person(tx, "Dan")
        await saved_searches.save(tx, dan, {"q": "by"})
    clock.turn(MINUTE)
    async with site.db.transaction() as tx:
        await network(tx)
        stranger = Caller(await person_for_did(tx, STRANGER), "")
        await written(tx, stranger, STRANGER, "By somebody in Vienna", 14, "48.2, 16.4")
        await written(tx, stranger, STRANGER, "By somebody in Linz", 15, "48.3, 14.3")
    stand = {*FAMILIAR, "By somebody in Vienna"}
    async with site.browser() as nobody:
        for path in ("/", "/events.json", "/sitemap.xml"):
            text = (await nobody.get(path)).text
            every = {*EVERYTHING, *stand, "By somebody in Linz"}
            assert {one for one in every if one in text or f"/{one.lower().replace(' ', '-')}-" in text} == stand, path
    async with site.db.reader() as reader:
        found, after = [], None
        while page := await search.coming_on_front_page(
            reader, None, unsolicited_lists.shown_in("familiar", near), after, 1
        ):
            found += page
            after = my_event_lists.unpack(my_event_lists.pack(search.position_in(SearchQuery(), page[-1])))
    assert [event.title for event in found] == [*FAMILIAR, "By somebody in Vienna"]
    clock.turn(HOUR)
    await tasks.announce_public_events(site.db, unsolicited_lists.shown_in("familiar", near))
    async with site.db.reader() as reader:
        told = {one.subject_id for one in await newest(reader, dan.user_id, 50)}
        rows = await reader.fetch("select id, title from events")
    assert {row["title"] for row in rows if row["id"] in told} == stand - {"Made here"}


async def test_its_pages_have_no_gaps_or_duplicates(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana = await network(tx)
        for hour in range(14, 19):
            await event_by(tx, ana, title=f"Here {hour}", starts=f"2026-07-04T{hour}:00", ends="2026-07-04T22:00")
    async with site.db.reader() as reader:
        every = [
            event for event in await search.coming(reader, SearchQuery(), None, 100) if event.title != "By a stranger"
        ]
        found, after = [], None
        while page := await search.coming_on_front_page(reader, None, unsolicited_lists.FAMILIAR, after, 2):
            found += page
            after = my_event_lists.unpack(my_event_lists.pack(search.position_in(SearchQuery(), page[-1])))
    assert [event.id for event in found] == [event.id for event in every]
    assert len(found) == 8
