"""Queries for events: one, those that are found, those of one repository."""

from at_protocol.syntax.datetime import parse_datetime
from groundwork.clock import Instant
from groundwork.database.words import MAX_WORDS
from groundwork.errors import InvalidInput
from groundwork.points import Near
from openmeet.domain.events.map_points import coordinate_of
from openmeet.domain.events.vocabulary import Category, normalised
from openmeet.domain.search import event_lists, search
from openmeet.domain.search.event_lists import position_of
from openmeet.domain.search.query import MAX_QUERY
from openmeet.domain.search.search import Source, Wanted
from openmeet.web.xrpc import queries
from openmeet.web.xrpc.call import Call, Query
from openmeet.web.xrpc.resolve import event_at
from openmeet.web.xrpc.schemas import Events, OneEvent
from openmeet.web.xrpc.views import view_of, views_of


async def get_event(call: Call) -> OneEvent:
    """Raises NotFound (``EventNotFound``)."""
    return OneEvent(event=await view_of(call, await event_at(call, "uri")))


async def list_events(call: Call) -> Events:
    """Raises InvalidInput (``InvalidCursor``, or for what its Lexicon cannot say)."""
    wanted = _wanted(call)
    after, limit = event_lists.unpack(call.text("cursor")), call.number("limit")
    found = await search.coming(call.reader, wanted, after, limit + 1)
    cursor = event_lists.pack(search.position_in(wanted, found[limit - 1])) if len(found) > limit else None
    return Events(events=await views_of(call, found[:limit]), cursor=cursor)


async def list_actor_events(call: Call) -> Events:
    """Raises InvalidInput (``InvalidCursor``)."""
    after, limit = event_lists.unpack(call.text("cursor")), call.number("limit")
    found = await queries.of_repository(
        call.reader,
        call.text("actor"),
        viewer=call.viewer,
        since=instant_in(call, "since"),
        until=instant_in(call, "until"),
        after=after,
        limit=limit + 1,
        is_reverse=call.is_set("reverse"),
    )
    cursor = event_lists.pack(position_of(found[limit - 1])) if len(found) > limit else None
    return Events(events=await views_of(call, found[:limit]), cursor=cursor)


def instant_in(call: Call, name: str) -> Instant | None:
    """A point in time; None where it is absent."""
    text = call.text(name)
    return Instant(parse_datetime(text)) if text else None


def _wanted(call: Call) -> Wanted:
    query, category, source, tag = (call.text(name) for name in ("q", "category", "source", "tag"))
    if len(query) > MAX_QUERY:
        raise InvalidInput("q", f"At most {MAX_QUERY} characters.")
    if category and category not in set(Category):
        raise InvalidInput("category", "Choose one of: " + ", ".join(Category) + ".")
    if source and source not in set(Source):
        raise InvalidInput("source", "Choose one of: " + ", ".join(Source) + ".")
    if tag and not normalised(tag):
        raise InvalidInput("tag", "A tag has letters or digits.")
    topics = {"category": category, "tag": normalised(tag)}
    return Wanted(
        words=tuple(query.split()[:MAX_WORDS]),
        topics=tuple(f"{kind}:{value}" for kind, value in topics.items() if value),
        source=Source(source) if source else Source.ALL,
        near=_near(call),
        since=instant_in(call, "since"),
        until=instant_in(call, "until"),
        viewer=call.viewer,
    )


def _near(call: Call) -> Near | None:
    latitude, longitude = call.text("latitude"), call.text("longitude")
    if not latitude and not longitude:
        return None
    north, east = coordinate_of(latitude, 90), coordinate_of(longitude, 180)
    if north is None or east is None:
        raise InvalidInput(
            "latitude", "A point has a latitude and a longitude in decimal degrees, like 52.52 and 13.405."
        )
    return Near(float(north), float(east), call.number("within"))


QUERIES = (
    Query("getEvent", get_event),
    Query("listEvents", list_events),
    Query("listActorEvents", list_actor_events),
)
