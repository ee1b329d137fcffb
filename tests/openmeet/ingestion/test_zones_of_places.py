"""Events from other apps whose record names no time zone are shown in the zone of their place. Records never get it."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from at_protocol.data import cbor
from at_protocol.syntax.datetime import parse_datetime
from groundwork.clock import Instant
from groundwork.database.transaction import Database
from openmeet.domain.events import event_records, position_queries, submissions, time_and_place, town_positions
from openmeet.domain.events.edits import record_value, with_details, with_values
from openmeet.domain.events.model import Event, ZoneSource
from openmeet.domain.events.queries import by_id
from openmeet.domain.events.rules import check
from openmeet.domain.places.gazetteer import Gazetteer
from openmeet.domain.search import search
from openmeet.domain.search.search import SearchQuery
from openmeet.i18n.formatting import set_reader_zone
from openmeet.network.records.event_writer import publishable, write_event
from openmeet.network.records.places import ADDRESS, GEO
from tests.openmeet.ingestion.network import did, event_value
from tests.openmeet.ingestion.network import event as event_message
from tests.openmeet.ingestion.view import apply_messages
from tests.openmeet.places.world import open_world
from tests.simulation.oracle import EVENT

TEA = f"at://{did(1)}/{EVENT}/tea"
STARTS = "2026-07-04T22:30:00Z"
IN_BERLIN = [{"$type": ADDRESS, "name": "Werkstatt", "locality": "Berlin", "country": "DE"}]


@pytest.fixture(scope="module")
def world() -> Gazetteer:
    return open_world()


def at(latitude: str, longitude: str) -> list[dict[str, Any]]:
    return [{"$type": GEO, "latitude": latitude, "longitude": longitude}]


async def stored(db: Database) -> Event:
    async with db.reader() as reader:
        event = await event_records.by_record_uri(reader, TEA)
    assert event is not None
    return event


async def arrived(db: Database, world: Gazetteer, version: int = 1, **fields: Any) -> Event:
    """The event after this version of its record has arrived and its place was looked up."""
    await apply_messages(db, event_message(1, "tea", version, **({"startsAt": STARTS} | fields)))
    await town_positions.derive_positions_and_zones(db, world)
    return await stored(db)


@pytest.mark.parametrize(
    ("locations", "zone", "local"),
    [
        (IN_BERLIN, "Europe/Berlin", "2026-07-05T00:30:00"),
        (at("52.52", "13.405"), "Europe/Berlin", "2026-07-05T00:30:00"),
        (at("40.71", "-74.0"), "America/New_York", "2026-07-04T18:30:00"),
        (at("27.7", "85.3"), "Asia/Kathmandu", "2026-07-05T04:15:00"),
        (at("0", "-30"), "UTC", "2026-07-04T22:30:00"),
        ([{"$type": ADDRESS, "locality": "Qqqqqq"}], "UTC", "2026-07-04T22:30:00"),
        ([], "UTC", "2026-07-04T22:30:00"),
    ],
)
async def test_an_event_without_a_zone_is_shown_in_that_of_its_place(
    db: Database, world: Gazetteer, locations: list[Any], zone: str, local: str
):
    """The instant stays. At sea, or in a town that is not known, it is UTC. Each place is looked up once."""
    event = await arrived(db, world, locations=locations)
    assert (event.time_zone, event.starts_local) == (zone, local)
    assert (event.starts_at, event.starts_text) == (parse_datetime(STARTS), STARTS)
    assert event.has_zone == (zone != "UTC")
    assert await town_positions.derive_positions_and_zones(db, world) == 0


async def test_the_offset_is_that_of_the_day_of_the_event(db: Database, world: Gazetteer):
    """Berlin has its clocks an hour ahead of UTC in winter and two hours ahead in summer."""
    event = await arrived(db, world, locations=IN_BERLIN, startsAt="2026-12-04T17:00:00Z")
    assert time_and_place.start_label(event) == "Friday 4 December 2026, 18:00 Berlin time"
    event = await arrived(db, world, 2, locations=IN_BERLIN, startsAt="2026-07-04T17:00:00Z")
    assert time_and_place.start_label(event) == "Saturday 4 July 2026, 19:00 Berlin time"


async def test_searches_by_day_use_the_day_at_the_place(db: Database, world: Gazetteer):
    event = await arrived(db, world, locations=IN_BERLIN)
    async with db.transaction() as tx:
        await tx.execute("update moderation_states set state = 'trusted' where state = 'arrival'")
    async with db.reader() as reader:
        query = SearchQuery(first=date(2026, 7, 5), last=date(2026, 7, 5))
        found = await search.local_days(reader, query, 5)
    assert [(one, day.isoformat()) for one, day in found] == [(event.id, "2026-07-05")]


@pytest.mark.parametrize(
    ("named", "zone"),
    [
        ({"timezone": "Asia/Tokyo"}, "Asia/Tokyo"),
        ({"timezone": "UTC"}, "UTC"),
        ({"startsAt": "2026-07-05T02:30:00+04:00"}, "+04:00"),
    ],
)
async def test_a_zone_that_the_record_names_is_never_replaced(
    db: Database, world: Gazetteer, named: dict[str, str], zone: str
):
    """Also if a later version of the record names it."""
    assert (await arrived(db, world, locations=IN_BERLIN)).time_zone == "Europe/Berlin"
    event = await arrived(db, world, 2, locations=IN_BERLIN, **named)
    assert (event.time_zone, event.named_zone, event.zone_source) == (zone, zone, ZoneSource.NAMED)
    assert (await arrived(db, world, 3, locations=IN_BERLIN)).time_zone == "Europe/Berlin"


async def test_the_zone_follows_the_place(db: Database, world: Gazetteer):
    await arrived(db, world, locations=IN_BERLIN)
    await apply_messages(db, event_message(1, "tea", 2, "Coffee", startsAt=STARTS, locations=IN_BERLIN))
    renamed = await stored(db)
    assert (renamed.title, renamed.time_zone) == ("Coffee", "Europe/Berlin"), "without another look-up"
    assert (await arrived(db, world, 3, locations=at("40.71", "-74.0"))).time_zone == "America/New_York"
    assert (await arrived(db, world, 4, locations=[])).time_zone == "UTC"


async def test_a_looked_up_zone_is_a_new_revision(db: Database, world: Gazetteer):
    """A form that still shows UTC cannot overwrite it."""
    await apply_messages(db, event_message(1, "tea", 1, startsAt=STARTS, locations=IN_BERLIN))
    before = await stored(db)
    await town_positions.derive_positions_and_zones(db, world)
    assert (await stored(db)).revision == before.revision + 1


async def test_zones_at_sea_are_looked_up_again_in_a_new_list(db: Database, world: Gazetteer):
    event = await arrived(db, world, locations=at("0", "-30"))
    assert event.zone_source is ZoneSource.NOT_FOUND
    assert await town_positions.retry_unknown_towns(db) == 1
    assert await town_positions.derive_positions_and_zones(db, world) == 1


def written(event: Event, record: dict[str, Any]) -> bytes:
    return cbor.encode(write_event(publishable(event, instance="https://meet.example"), record))


async def test_records_never_get_the_zone_of_the_place(db: Database, world: Gazetteer):
    """The record stays the same to the byte. Also a record that is written anew, or after an edit here, names no zone."""
    record = event_value(startsAt=STARTS, locations=IN_BERLIN, mode=f"{EVENT}#inperson", status=f"{EVENT}#scheduled")
    event = await arrived(db, world, **record)
    assert event.time_zone == "Europe/Berlin"
    assert written(event, record) == cbor.encode(record)
    ours = publishable(event, instance="https://meet.example")
    assert "timezone" not in write_event(ours, None)
    assert record_value(event, "time_zone") == "UTC"

    typed = submissions.submission_of(submissions.values_of_event(event) | {"title": "Coffee"})
    edited = with_details(event, check(typed, event))
    assert (edited.title, edited.starts_at, edited.time_zone) == ("Coffee", event.starts_at, "Europe/Berlin")
    changed = write_event(publishable(edited, instance="https://meet.example"), record)
    assert (changed["name"], changed["startsAt"], "timezone" in changed) == ("Coffee", STARTS, False)


async def test_a_zone_that_the_host_chooses_here_is_written(db: Database, world: Gazetteer):
    event = await arrived(db, world, locations=IN_BERLIN)
    chosen = with_values(event, {"time_zone": "Europe/Paris"})
    assert (chosen.named_zone, chosen.zone_source) == ("Europe/Paris", ZoneSource.NAMED)
    assert write_event(publishable(chosen, instance="https://meet.example"), None)["timezone"] == "Europe/Paris"
    assert with_values(event, {"time_zone": "UTC"}) == event, "what the record says already"
    moved = with_values(event, {"venues": ()})
    assert (moved.time_zone, moved.starts_local, moved.starts_at) == ("UTC", "2026-07-04T22:30:00", event.starts_at)


async def test_an_online_event_without_a_zone_is_shown_on_the_clock_of_its_reader(db: Database, world: Gazetteer):
    """Without a reader, UTC is named. An event with a zone is shown in it."""
    online = await arrived(db, world, mode=f"{EVENT}#virtual", startsAt="2026-07-04T17:00:00Z")
    assert time_and_place.start_label(online) == "Saturday 4 July 2026, 17:00 UTC"
    set_reader_zone("Asia/Tokyo")
    try:
        assert time_and_place.start_label(online) == "Sunday 5 July 2026, 02:00 Tokyo time"
        named = await arrived(db, world, 2, mode=f"{EVENT}#virtual", startsAt="2026-07-04T17:00:00Z", timezone="UTC")
        assert time_and_place.start_label(named) == "Saturday 4 July 2026, 17:00 UTC"
    finally:
        set_reader_zone(None)


async def test_an_event_that_was_changed_meanwhile_is_left_for_the_next_round(db: Database, world: Gazetteer):
    await apply_messages(db, event_message(1, "tea", 1, startsAt=STARTS, locations=at("52.52", "13.405")))
    event = await stored(db)
    async with db.transaction() as tx:
        await tx.execute("update events set revision = revision + 1")
        await position_queries.set_zones(tx, [replace(event, time_zone="Europe/Berlin", zone_source=ZoneSource.PLACE)])
        unchanged = await by_id(tx, event.id)
    assert unchanged is not None
    assert unchanged.zone_source is ZoneSource.UNKNOWN
    assert (await arrived(db, world, 2, locations=at("52.52", "13.405"))).starts_at == Instant(parse_datetime(STARTS))
