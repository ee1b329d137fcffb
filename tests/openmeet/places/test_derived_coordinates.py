"""A search near a town finds events that have the town but no coordinates. The derived coordinates are not published."""

import asyncio
from contextlib import suppress

import pytest

from groundwork.database.transaction import Database
from groundwork.geo_points import SearchArea
from openmeet.domain.attendance import event_hosting
from openmeet.domain.events import town_positions
from openmeet.domain.events.queries import by_slug
from openmeet.domain.events.values import NOWHERE, Venue
from openmeet.domain.places.gazetteer import Gazetteer
from openmeet.domain.search import search
from openmeet.domain.search.search import SearchQuery
from programs.web import derive_positions_when_written
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, change_services, details, event_by, person, site_on

BERLIN, MUNICH = (52.52, 13.405), (48.137, 11.575)


@pytest.fixture
async def site(make_database: MakeDatabase, clock, world: Gazetteer) -> Site:
    site = site_on(await make_database("openmeet"), clock)
    change_services(site.app, places=world)
    return site


async def near(db: Database, point: tuple[float, float], within_km: int = 25) -> list[str]:
    async with db.reader() as reader:
        found = await search.coming(reader, SearchQuery(near=SearchArea(*point, within_km)), None, 30)
    return [event.title for event in found]


async def test_an_event_with_a_town_is_found_near_it(site: Site, world: Gazetteer) -> None:
    """The event is found even by a search within one kilometre, although the town is about five kilometres wide. The
    event page shows no pin.
    """
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, title="Walk", locality="Berlin", country="Germany")
        await event_by(tx, ana, title="No town", locality="")
        await event_by(tx, ana, title="Unknown", locality="Qqqqqq")
    assert await near(site.db, BERLIN) == []
    assert await town_positions.derive_positions_and_zones(site.db, world) == 2
    assert await town_positions.derive_positions_and_zones(site.db, world) == 0, "each is looked up once"
    assert await near(site.db, BERLIN) == await near(site.db, BERLIN, 1) == ["Walk"]
    async with site.browser() as browser:
        page = (await browser.get(f"/events/{event.slug}")).text
        shown = (await browser.get(f"/api/events/{event.slug}")).text
        feed = (await browser.get(f"/events/{event.slug}.ics")).text
    assert "13.4" not in page + shown + feed
    assert "GEO" not in feed
    async with site.db.reader() as reader:
        stored = await by_slug(reader, event.slug)
    assert stored is not None
    assert (stored.place.latitude, stored.place.longitude) == ("", "")


async def test_an_event_is_found_near_its_town_as_soon_as_it_is_written(site: Site, world: Gazetteer) -> None:
    deriving = asyncio.create_task(derive_positions_when_written(site.db, world))
    await asyncio.sleep(0)
    try:
        async with asyncio.timeout(60):
            async with site.db.transaction() as tx:
                ana = await person(tx, "Ana")
                event = await event_by(tx, ana, title="Walk", locality="Berlin", country="DE")
            while await near(site.db, BERLIN) != ["Walk"]:
                pass
            async with site.db.transaction() as tx:
                await event_hosting.revise(tx, ana, event.slug, details(title="Walk", locality="München", country="DE"))
            while await near(site.db, MUNICH) != ["Walk"]:
                pass
    finally:
        deriving.cancel()
        with suppress(asyncio.CancelledError):
            await deriving


async def test_unknown_towns_are_looked_up_again_in_a_new_list(site: Site, world: Gazetteer) -> None:
    """Only those of upcoming events, and only after all that was known."""
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        known, unknown, over = [
            await event_by(tx, ana, title=title, locality=town, country="Germany", starts=starts, ends="")
            for title, town, starts in (
                ("Known", "Berlin", "2026-07-04T18:00"),
                ("Unknown", "Qqqqqq", "2026-07-04T18:00"),
                ("Over", "Qqqqqq", "2026-07-05T18:00"),
            )
        ]
        await tx.execute("update events set over_at = :now where id = :id", now=tx.now, id=over.id)
    assert await town_positions.derive_positions_and_zones(site.db, world) == 3
    assert await town_positions.retry_unknown_towns(site.db) == 1
    async with site.db.transaction() as tx:
        rows = await tx.fetch("select id, derived_from from events order by id")
        assert [row["id"] for row in rows if not row["derived_from"]] == [unknown.id]
        assert known.id in {row["id"] for row in rows if row["derived_from"]}
    assert await town_positions.derive_positions_and_zones(site.db, world) == 1
    assert await town_positions.derive_positions_and_zones(site.db, world) == 0


async def test_a_derived_position_follows_the_town_and_yields_to_coordinates(site: Site, world: Gazetteer) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, title="Walk", locality="Berlin", country="DE")
    await town_positions.derive_positions_and_zones(site.db, world)

    async def change(**typed: str) -> None:
        async with site.db.transaction() as tx:
            await event_hosting.revise(tx, ana, event.slug, details(title="Walk", **typed))

    await change(locality="Berlin", country="DE", description="Bring shoes.")
    assert await near(site.db, BERLIN) == ["Walk"], "the coordinates stay after an unrelated edit"
    await change(locality="München", country="DE")
    assert await near(site.db, BERLIN) == []
    await town_positions.derive_positions_and_zones(site.db, world)
    assert await near(site.db, MUNICH) == ["Walk"]
    await change(locality="München", country="DE", point="52.52, 13.405")
    assert (await near(site.db, BERLIN, 1), await near(site.db, MUNICH)) == (["Walk"], [])
    assert await town_positions.derive_positions_and_zones(site.db, world) == 0


async def test_an_address_that_is_not_public_is_not_found_by_distance(site: Site, world: Gazetteer) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        await event_by(tx, ana, title="Secret", locality="Berlin", place_audience="attendees")
        await event_by(tx, ana, title="Call", locality="Berlin", mode="online")
        event = await event_by(tx, ana, title="Shown", locality="Berlin")
    await town_positions.derive_positions_and_zones(site.db, world)
    assert await near(site.db, BERLIN) == ["Shown"]
    async with site.db.transaction() as tx:
        await event_hosting.revise(
            tx, ana, event.slug, details(title="Shown", locality="Berlin", place_audience="attendees")
        )
    assert await near(site.db, BERLIN) == [], "hidden together with the address"


@pytest.mark.parametrize(
    ("where", "found"),
    [
        (Venue(locality="12045 Berlin"), "Berlin"),
        (Venue(locality="Neukölln, Berlin", country="DE"), "Neukölln"),
        (Venue(locality="Springfield", country="US"), None),
        (Venue(locality="Springfield", region="Illinois", country="US"), "Springfield"),
        (Venue(locality="Berlin", country="US"), None),
        (Venue(locality="東京", country="Japan"), "Tokyo"),
        (NOWHERE, None),
    ],
)
async def test_the_town_of_an_address(world: Gazetteer, where: Venue, found: str | None) -> None:
    place = town_positions.town_named(where, world)
    assert (place and place.name) == found
