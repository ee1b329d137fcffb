"""Any search of the front page as a feed, with the same query string.

Without a query it is the feed of the front page. It always has the public view: the groups, blocks and mutes of a user
do not affect a URL that other people read.
"""

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.events.model import Event
from openmeet.domain.search import corrected_search, search
from openmeet.domain.search import query as searches
from openmeet.domain.series.calendar_uids import sequences
from openmeet.web.events import feeds
from openmeet.web.events.feeds import Feed
from openmeet.web.search import places
from openmeet.web.site.services import front_page_policy, services
from openmeet.web.site.tenant_routing import database_of

MOST = 100


def routes() -> list[Route]:
    return [
        Route("/events.ics", serve_calendar, methods=["GET"]),
        Route("/events.atom", serve_atom, methods=["GET"]),
        Route("/events.json", serve_json, methods=["GET"]),
    ]


async def serve_calendar(request: Request) -> Response:
    feed, events, public_url, changed = await _feed_content(request, "ics")
    async with database_of(request).reader() as reader:
        numbers = await sequences(reader, [event.id for event in events])
    file = feeds.calendar_of(feed, events, numbers, public_url)
    return feeds.feed_response(request, file, feeds.CALENDAR, changed, "events.ics", is_shared=True)


async def serve_atom(request: Request) -> Response:
    feed, events, public_url, changed = await _feed_content(request, "atom")
    return feeds.served_as(request, "atom", feed, events, public_url, changed)


async def serve_json(request: Request) -> Response:
    feed, events, public_url, changed = await _feed_content(request, "json")
    return feeds.served_as(request, "json", feed, events, public_url, changed)


async def public_search(
    request: Request, reader: Reader, most: int, *, once_per_series: bool = False
) -> tuple[dict[str, str], list[Event]]:
    """The search in a query string, and the events that it finds in the public view. Without a query string, the events
    of the front page.

    Raises InvalidForm, which names invalid fields, and Unavailable while the place list is being built.
    """
    search_fields = places.add_point(request, {name: request.query_params.get(name, "") for name in searches.FIELDS})
    search_query = replace(searches.parse_query(search_fields), once_per_series=once_per_series)
    if any(search_fields.values()):
        return search_fields, (
            await corrected_search.coming(database_of(request), reader, search_query, None, most)
        ).events
    shown = front_page_policy(request)
    return search_fields, await search.coming_on_front_page(
        reader, None, shown, None, most, once_per_series=once_per_series
    )


async def _feed_content(request: Request, kind: str) -> tuple[Feed, list[Event], str, Instant]:
    """The events of the search, and the time at which the feed changed. Raises InvalidForm, which names invalid fields."""
    async with database_of(request).reader() as reader:
        search_fields, events = await public_search(request, reader, MOST)
        changed = feeds.changed_at(events, reader.now)
    public_url = services(request).settings.public_url
    query_string = searches.query_string(search_fields)
    query = f"?{query_string}" if query_string else ""
    address = f"{public_url}/events.{kind}{query}"
    return Feed(searches.name_of(search_fields), address, f"{public_url}/{query}", address), events, public_url, changed
