"""Public series that have an upcoming date, from this site or other apps: a list ordered by next date, and a search."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.http.json_bodies import json_response
from openmeet.domain.events.model import Event
from openmeet.domain.page_paths import event_path, series_path
from openmeet.domain.search import corrected_search, my_event_lists, query
from openmeet.domain.search import search as finding
from openmeet.domain.search.filters import SourceName
from openmeet.domain.search.search import SearchQuery
from openmeet.domain.series import queries
from openmeet.domain.series.model import Series, SeriesId
from openmeet.recurrence.describe import describe_rhythm
from openmeet.web.api.operations import ApiOperation, Parameter
from openmeet.web.api.pagination import CURSOR, LIMIT
from openmeet.web.events.api import paging
from openmeet.web.events.listing import CardList, EventCard, day_cards, with_days
from openmeet.web.series import json_views
from openmeet.web.series.schemas import SeriesList
from openmeet.web.site.caller import viewer_of
from openmeet.web.site.layout import page
from openmeet.web.site.services import front_page_policy, services
from openmeet.web.site.tenant_routing import database_of

PAGE_SIZE = 30


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """A series in a list. ``day`` and ``card`` are those of its next date, ``rhythm`` is like ``Every Tuesday``,
    or empty.
    """

    day: str
    card: EventCard
    path: str
    rhythm: str


def routes() -> list[Route]:
    return [Route("/series", show_list, methods=["GET"])]


async def show_list(request: Request) -> Response:
    search_fields = {name: request.query_params.get(name, "")[: query.MAX_QUERY] for name in ("q", "source")}
    if query.source_or_none(search_fields["source"]) is None:
        search_fields["source"] = ""
    after = my_event_lists.unpack(request.query_params.get("after", ""))
    async with database_of(request).reader() as reader:
        search_query = _search_query(request, search_fields)
        matched_words = ""
        if any(search_fields.values()):
            search_result = await corrected_search.coming(
                database_of(request), reader, search_query, after, PAGE_SIZE + 1
            )
            events, search_query = search_result.events, search_result.query
            matched_words = search_result.shown
        else:
            events = await finding.coming_on_front_page(
                reader,
                search_query.viewer,
                front_page_policy(request),
                after,
                PAGE_SIZE + 1,
                once_per_series=True,
                only_series=True,
            )
        card_list = CardList(services(request).settings.public_url, viewer_of(request), only_series=True)
        rows = await _rows(reader, events[:PAGE_SIZE], card_list)
    more = ""
    if len(events) > PAGE_SIZE:
        parameters = {name: text for name, text in search_fields.items() if text} | (
            {"q": matched_words} if matched_words else {}
        )
        more = "/series?" + urlencode(
            {**parameters, "after": my_event_lists.pack(finding.position_in(search_query, events[PAGE_SIZE - 1]))}
        )
    context = {
        "rows": rows,
        "more": more,
        "words": search_fields["q"].strip(),
        "source": search_fields["source"],
        "matched_words": matched_words,
    }
    return page(request, "series/series_list.html", context)


async def search(request: Request) -> Response:
    search_fields = {name: request.query_params.get(name, "") for name in ("q", "source")}
    query.source_of(search_fields["source"])
    search_query = _search_query(request, search_fields)
    after, limit = paging(request)
    viewer = viewer_of(request)
    async with database_of(request).reader() as reader:
        search_result = await corrected_search.coming(database_of(request), reader, search_query, after, limit + 1)
        dates, search_query = search_result.events, search_result.query
        cursor = (
            my_event_lists.pack(finding.position_in(search_query, dates[limit - 1])) if len(dates) > limit else None
        )
        ids = [
            SeriesId(one.position_in_series.series_id) for one in dates[:limit] if one.position_in_series is not None
        ]
        series = await queries.by_ids(reader, ids)
        url = services(request).settings.public_url
        shown = [
            await json_views.series_output(reader, series[one], viewer, url)
            for one in ids
            if one in series and series[one].deleted_at is None and not series[one].is_hidden
        ]
    return json_response(SeriesList(shown, cursor))


async def _rows(reader: Reader, next_dates: Sequence[Event], card_list: CardList) -> list[SeriesRow]:
    series_ids = [SeriesId(event.position_in_series.series_id) for event in next_dates if event.position_in_series]
    series = await queries.by_ids(reader, series_ids)
    days = await day_cards(reader, next_dates, card_list)
    return [
        SeriesRow(day, card, *_path_and_rhythm(event, series))
        for event, (day, card) in zip(next_dates, with_days(days), strict=True)
    ]


def _path_and_rhythm(event: Event, several: Mapping[SeriesId, Series]) -> tuple[str, str]:
    """Those of the series of an event. If the viewer cannot open the series, the path of the event and nothing."""
    series = several.get(SeriesId(event.position_in_series.series_id)) if event.position_in_series else None
    if series is None or series.deleted_at is not None or series.is_hidden:
        return event_path(event.slug), ""
    return series_path(series.slug), describe_rhythm(series.timing.pattern)


def _search_query(request: Request, search_fields: dict[str, str]) -> SearchQuery:
    search_query = query.parse_query(search_fields, viewer_of(request))
    return SearchQuery(
        words=search_query.words,
        source=search_query.source,
        viewer=search_query.viewer,
        once_per_series=True,
        only_series=True,
    )


OPERATIONS = (
    ApiOperation(
        "GET",
        "/api/series/search",
        "searchSeries",
        "Public series with an upcoming date, ordered by that date. From this site and other apps",
        search,
        {200: SeriesList},
        parameters=(
            Parameter("q", "Words, or beginnings of words, that must all occur in an upcoming date of the series"),
            Parameter(
                "source", "Where it was created. The value bluesky is another name for atproto", shape=SourceName
            ),
            CURSOR,
            LIMIT,
        ),
        needs_session=False,
    ),
)
