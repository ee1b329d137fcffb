"""Events at coordinates in Berlin and Potsdam."""

from dataclasses import replace

from openmeet.domain.events import queries

BERLIN, POTSDAM = ("52.52", "13.405"), ("52.39", "13.06")


async def place_event_at(tx, event, place):
    """Give an event coordinates that only records can have."""
    found = await queries.by_id(tx, event.id)
    venue = replace(found.content.venue, latitude=place[0], longitude=place[1])
    at = replace(found, content=replace(found.content, venue=venue))
    await queries.update(tx, at, search_text=found.title.casefold())
