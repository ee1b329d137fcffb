"""Discover: the front page and the search, as a list, on a map or as a month. The URL contains the whole search."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader
from groundwork.errors import InvalidForm, Unavailable
from groundwork.geo_points import SearchArea
from groundwork.http.forms import FormState, form_with_problems
from openmeet.domain.covers.model import Cover, Motif
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.unsolicited_lists import FrontPageChoice, FrontPagePolicy
from openmeet.domain.events.vocabulary import CATEGORY_LABELS, Category
from openmeet.domain.search import corrected_search, my_event_lists, query, search
from openmeet.domain.search.filters import FIELDS, FILTERS
from openmeet.domain.search.my_event_lists import EventCursor
from openmeet.domain.search.search import EventOrigin
from openmeet.domain.users.model import UserId
from openmeet.domain.users.queries import by_id as user_by_id
from openmeet.i18n.catalogue import gettext, ngettext
from openmeet.recurrence import wall_time
from openmeet.web.calendar_layout.month_view import first_of
from openmeet.web.events import discover, search_hints
from openmeet.web.events.discover_month import DiscoverMonth, MonthPaths, in_period, month_from, read_month
from openmeet.web.events.listing import (
    CardList,
    ListedDay,
    day_in_row,
    facts_of,
    further_dates,
    grouped_by_day,
    with_days,
)
from openmeet.web.events.search_hints import NamedLink, OtherEvent
from openmeet.web.search import map_pages, places
from openmeet.web.site.caller import viewer_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import front_page_policy, services
from openmeet.web.site.tenant_routing import database_of

PAGE_SIZE: Final = 30
# Enough to choose tiles from.
_READ_OF_WEEKEND: Final = 3 * discover.WEEKEND_TILES
_WEEK: Final = 7 * DAY
# The number of events in a week that the front page counts, and the smallest number that it mentions.
_MAX_COUNTED: Final = 100
_MIN_COUNTED: Final = 5
# Illustration above "nothing matches". It is the same for every search, so it reveals nothing about the search.
_NOTHING: Final = Cover(Motif.MUSIC, 0x2B7E_1516_28AE_D2A6)


def routes() -> list[Route]:
    return [Route("/", show_discover, methods=["GET"])]


@dataclass(frozen=True, slots=True)
class SubmittedSearch:
    """The search in the URL. ``search_fields`` has the fields, ``shown`` also their errors. ``choices`` are
    the places that the typed name can mean, if there are several. ``view`` has the fields of the view, as in
    ``discover``. ``after`` is the end of the previous page. ``tiles`` has the slugs of later events that the first page
    showed as tiles.
    """

    search_fields: dict[str, str]
    shown: FormState
    choices: places.PlaceLinks
    view: Mapping[str, str]
    after: EventCursor | None
    tiles: Sequence[str]
    viewer: UserId | None

    @property
    def is_search(self) -> bool:
        """Whether any field is filled in. Otherwise this is the front page."""
        return any(self.search_fields.values())

    @property
    def is_map(self) -> bool:
        return self.view == discover.MAP

    @property
    def is_month(self) -> bool:
        return discover.is_month(self.view)

    @property
    def is_first_page(self) -> bool:
        return self.after is None

    @property
    def is_welcome(self) -> bool:
        """Whether this is the page that visitors see first: not signed in, and nothing searched for."""
        return self.viewer is None and not self.is_search and self.is_first_page and not self.view


@dataclass(frozen=True, slots=True)
class FoundPage:
    """A page of events. ``search_query`` is the search that found the events. It can differ from the requested search.

    ``parts`` has the events by part and day. ``corrected_words`` are the words of the search if they were corrected,
    and ``matched_words`` the words that the events match, for the reader; both are empty if the search matched as it
    was typed. ``cursor`` leads to the next page, which begins with ``next_events``. Both are empty on the last page.
    ``month`` replaces the events if a month was requested. ``weekend_events`` are events of the next weekend that are
    not on this page, in ``weekend`` by day, and ``in_a_week`` says how many events there are in the next seven days:
    only on the page that visitors see first.
    """

    search_query: search.SearchQuery
    events: list[Event]
    parts: list[list[ListedDay]]
    distances: Mapping[EventId, map_pages.Distance]
    named_links: list[NamedLink]
    matched_words: str
    corrected_words: str
    cursor: str
    month: DiscoverMonth | None = None
    next_events: Sequence[Event] = ()
    weekend_events: Sequence[Event] = ()
    weekend: Sequence[ListedDay] = ()
    in_a_week: str = ""


async def show_discover(request: Request) -> Response:
    submitted = await _read_search(request)
    if isinstance(submitted, Response):
        return submitted
    shown = submitted.shown
    found_page: FoundPage | None = None
    others: list[OtherEvent] = []
    others_of: search_hints.NamedLink | None = None
    empty: query.EmptyResult | None = None
    async with database_of(request).reader() as reader:
        now = reader.now
        me = await user_by_id(reader, submitted.viewer) if submitted.viewer else None
        zone = (me.time_zone if me else None) or services(request).settings.time_zone
        if not shown.problems and not submitted.choices.links:
            try:
                search_query = replace(
                    query.parse_query(submitted.search_fields, submitted.viewer), once_per_series=True
                )
            except InvalidForm as wrong:
                shown = form_with_problems(shown.values, wrong)
            else:
                if submitted.is_month:
                    week_start = me.week_start if me else None
                    found_page = await _read_month(request, reader, submitted, search_query, zone, week_start)
                else:
                    found_page = await _read_page(request, reader, submitted, search_query, zone)
        is_empty = found_page is not None and found_page.month is None and not found_page.events
        if found_page is not None and is_empty and submitted.is_search and submitted.is_first_page:
            others_of, others = await search_hints.other_events(
                request, reader, found_page.search_query, found_page.named_links
            )
            empty = await search_hints.next_step(
                reader, submitted.search_fields, found_page.search_query, is_name=bool(found_page.named_links)
            )
    context = (
        _form_context(request, submitted, found_page, now, zone)
        | _events_context(request, submitted, found_page, now, zone)
        | {
            "typed": shown,
            "empty": empty,
            "others": others,
            "others_heading": others_of.others_heading if others_of else "",
        }
    )
    if others_of is not None and others_of.is_topic and not context["matched_words"]:
        # Only the topic matches, so the page must not look as if the words had been found.
        context["matched_words"] = others_of.name
    return page(request, "events/home.html", context, status=400 if shown.problems else 200)


async def _read_search(request: Request) -> SubmittedSearch | Response:
    """Read the search from the URL, or redirect to the only place that the name can mean."""
    search_fields = {name: request.query_params.get(name, "") for name in FIELDS}
    view = _requested_view(request, search_fields)
    choices = places.PlaceLinks()
    shown = FormState(search_fields)
    try:
        search_fields = await places.add_point(request, search_fields)
        shown = FormState(search_fields | {"near": query.near_name(search_fields)})
    except InvalidForm as wrong:
        try:
            choices = await places.links(request, search_fields)
            if choices.credit and len(choices.links) == 1:
                return go(choices.links[0].path + (f"&{urlencode(view)}" if view else ""))
            shown = FormState(search_fields) if choices.links else form_with_problems(search_fields, wrong)
        except Unavailable as later:
            shown = FormState(search_fields, {"near": later.why})
    except Unavailable as later:
        shown = FormState(search_fields, {"near": later.why})
    after = my_event_lists.unpack(request.query_params.get("after", ""))
    tiles = [slug for slug in request.query_params.get("tiles", "").split(",") if slug][: discover.WEEKEND_TILES]
    return SubmittedSearch(search_fields, shown, choices, view, after, tiles, viewer_of(request))


def _requested_view(request: Request, search_fields: Mapping[str, str]) -> Mapping[str, str]:
    """The view in the URL. A search for days is a list, even if the form was sent from the month."""
    view = request.query_params.get("view", "")
    if view == discover.MAP["view"]:
        return discover.MAP
    if view == discover.MONTH["view"] and not (search_fields["from"] or search_fields["to"]):
        day = _day_in(request.query_params.get("on", ""))
        month = {**discover.MONTH, "month": request.query_params.get("month", "")[:7]}
        return month if day is None else {**month, "on": day.isoformat()}
    return discover.LIST


async def _read_month(
    request: Request,
    reader: Reader,
    submitted: SubmittedSearch,
    search_query: search.SearchQuery,
    zone: str,
    week_start: int | None,
) -> FoundPage:
    """Read the events of the month in the URL, or of the current month."""
    today = wall_time.local_of(reader.now, zone).date()
    period = month_from(first_of(submitted.view["month"], today), today, zone, week_start)
    matched_words = corrected_words = ""
    if search_query.words:
        # One event is enough to know which spelling matches.
        corrected = await corrected_search.coming(
            database_of(request), reader, in_period(search_query, period), None, 1, may_drop_words=True
        )
        search_query, matched_words = corrected.query, corrected.shown
        corrected_words = " ".join(corrected.query.words) if corrected.is_corrected else ""
    fields = submitted.search_fields | ({"q": corrected_words} if corrected_words else {})
    month = await read_month(
        reader,
        search_query,
        period,
        chosen=_day_in(submitted.view.get("on", "")),
        card_list=CardList(services(request).settings.public_url, submitted.viewer),
        paths=MonthPaths(
            month=lambda first: discover.path_of(submitted.search_fields, discover.month_of(first)),
            day=lambda day: f"{discover.path_of(fields, {**discover.month_of(day), 'on': day.isoformat()})}#day",
            day_list=lambda day: discover.path_of(
                fields, discover.LIST, **{"from": day.isoformat(), "to": day.isoformat()}
            ),
        ),
    )
    return FoundPage(search_query, [], [], {}, [], matched_words, corrected_words, "", month)


def _day_in(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


async def _read_page(
    request: Request, reader: Reader, submitted: SubmittedSearch, search_query: search.SearchQuery, zone: str
) -> FoundPage:
    """Read one page of events: of the search, or of the front page if nothing was typed."""
    named_links: list[NamedLink] = []
    matched_words = corrected_words = cursor = ""
    if submitted.is_search:
        if search_query.words and submitted.is_first_page:
            named_links = await search_hints.named_links(request, reader, search_query, submitted.search_fields, zone)
        search_result = await corrected_search.coming(
            database_of(request),
            reader,
            search_query,
            submitted.after,
            PAGE_SIZE + 1,
            is_name=any(one.is_place for one in named_links),
            may_drop_words=True,
        )
        coming_events, matched_words = search_result.events, search_result.shown
        if search_query.words and submitted.is_first_page and (search_result.is_corrected or not coming_events):
            more_named, corrected_name = await search_hints.corrected_links(
                request, reader, search_query, submitted.search_fields, zone, named_links
            )
            named_links += more_named
            matched_words = matched_words if coming_events else corrected_name
        search_query, corrected_words = (
            search_result.query,
            " ".join(search_result.query.words) if search_result.is_corrected else "",
        )
    else:
        coming_events = await search.coming_on_front_page(
            reader,
            search_query.viewer,
            front_page_policy(request),
            submitted.after,
            # One more than those that are tiles.
            PAGE_SIZE + discover.WEEKEND_TILES + 1,
            once_per_series=True,
        )
        coming_events = [event for event in coming_events if event.slug not in submitted.tiles]
    events, next_events = coming_events[:PAGE_SIZE], coming_events[PAGE_SIZE:]
    weekend_events: Sequence[Event] = ()
    in_a_week = ""
    if submitted.is_welcome:
        policy = front_page_policy(request)
        in_a_week = await _count_of_week(reader, policy)
        if next_events:
            weekend_events = await _rest_of_weekend(reader, policy, events[-1], zone)
    further = await further_dates(reader, [*events, *weekend_events])
    distances = map_pages.distances(events, search_query.near) if search_query.near is not None else {}
    labels = {event_id: one.label for event_id, one in distances.items()}
    public_url = services(request).settings.public_url
    card_list = CardList(public_url, submitted.viewer, further=further, distances=labels)
    facts = await facts_of(reader, [*events, *weekend_events], card_list)
    parts = []
    # Each part is grouped by day. The second part starts again with its earliest event.
    for part in (0, 1):
        events_of_part = [event for event in events if search.position_in(search_query, event).part == part]
        parts.append(grouped_by_day(events_of_part, facts, reader.now))
    if next_events:
        cursor = my_event_lists.pack(search.position_in(search_query, events[-1]))
    return FoundPage(
        search_query,
        events,
        parts,
        distances,
        named_links,
        matched_words,
        corrected_words,
        cursor,
        next_events=next_events,
        weekend_events=weekend_events,
        weekend=grouped_by_day(weekend_events, facts, reader.now),
        in_a_week=in_a_week,
    )


async def _rest_of_weekend(reader: Reader, policy: FrontPagePolicy, last: Event, zone: str) -> list[Event]:
    """The first events of the next weekend that come after ``last``, the end of the page."""
    saturday, sunday = discover.next_weekend(reader.now, zone)
    begins = wall_time.midnight(saturday, zone)
    ends = wall_time.midnight(sunday + timedelta(days=1), zone)
    after = my_event_lists.position_of(last)
    if after.starts_at >= ends:
        return []
    if after.starts_at < begins:
        after = EventCursor(Instant(begins - 1), "")
    events = await search.coming_on_front_page(reader, None, policy, after, _READ_OF_WEEKEND, once_per_series=True)
    return [event for event in events if event.starts_at is not None and event.starts_at < ends]


async def _count_of_week(reader: Reader, policy: FrontPagePolicy) -> str:
    """The sentence about how many events there are in the next seven days. Empty if there are too few to mention.

    The number has a plus sign if there are more than are counted, or if the page also shows events of other apps: each
    repository has its own index, so counting those is slow.
    """
    source = EventOrigin.ALL if policy.choice is FrontPageChoice.EVERYTHING else EventOrigin.OPENMEET
    until = Instant(reader.now + _WEEK)
    number = await search.count_between(reader, source, reader.now, until, _MAX_COUNTED + 1)
    if number < _MIN_COUNTED:
        return ""
    has_more = number > _MAX_COUNTED or policy.choice is FrontPageChoice.FAMILIAR
    shown = f"{min(number, _MAX_COUNTED)}+" if has_more else str(number)
    return ngettext(
        "Suppers, runs, choirs, repair cafés: %(shown)s event in the next 7 days.",
        "Suppers, runs, choirs, repair cafés: %(shown)s events in the next 7 days.",
        number,
        shown=shown,
    )


def _events_context(
    request: Request, submitted: SubmittedSearch, found_page: FoundPage | None, now: Instant, zone: str
) -> dict[str, object]:
    """The part of the context for the events of the page."""
    parts = found_page.parts if found_page else []
    events = list(found_page.events) if found_page else []
    cards = [dated_card for part in parts for dated_card in with_days(part)]
    distances = found_page.distances if found_page else {}
    is_by_distance = bool(submitted.is_map and distances)
    if is_by_distance:
        # Pins and rows must have the same order.
        events.sort(key=lambda event: distances[event.id].kilometres if event.id in distances else math.inf)
        order: dict[str, int] = {event.slug: number for number, event in enumerate(events)}
        cards.sort(key=lambda dated_card: order[dated_card[1].slug])
    # Before the tiles are taken out of the list, because a small site may have no other events.
    featured = discover.featured_events(parts) if submitted.is_welcome else []
    weekend = (
        discover.take_weekend([*parts, list(found_page.weekend)], now, zone)
        if found_page and submitted.is_welcome
        else []
    )
    events_by_slug: dict[str, Event] = {
        event.slug: event for event in (*events, *(found_page.weekend_events if found_page else ()))
    }
    near = found_page.search_query.near if found_page else None
    month = found_page.month if found_page else None
    more = ""
    tiles = submitted.tiles or [one.slug for one in weekend if events_by_slug[one.slug] not in events]
    if found_page is not None and any(event.slug not in tiles for event in found_page.next_events):
        corrected = found_page.corrected_words
        search_fields = submitted.search_fields | ({"q": corrected} if corrected else {})
        more = discover.path_of(search_fields, submitted.view, after=found_page.cursor, tiles=",".join(tiles))
    return {
        "collage": [OtherEvent(card, day_in_row(events_by_slug[card.slug], now)) for card in featured],
        "weekend": [OtherEvent(card, day_in_row(events_by_slug[card.slug], now)) for card in weekend],
        "in_a_week": found_page.in_a_week if found_page else "",
        "parts_found": parts,
        "rows": cards if is_by_distance else None,
        "dated": with_days,
        "is_found": bool(events),
        "found_words": _count_label(
            month.count if month else len(events),
            near,
            has_more=month.is_cut if month else bool(more),
            is_by_distance=is_by_distance,
        )
        if submitted.is_first_page
        else "",
        "more": more,
        "named": found_page.named_links if found_page else [],
        "matched_words": found_page.matched_words if found_page else "",
        "map": map_pages.of_search(request, events, near, query.query_string(submitted.search_fields), now)
        if submitted.is_map and found_page is not None
        else None,
        "month": month,
    }


def _form_context(
    request: Request, submitted: SubmittedSearch, found_page: FoundPage | None, now: Instant, zone: str
) -> dict[str, object]:
    """The part of the context for the search: its form, chips and links."""
    search_fields, search_query = submitted.search_fields, found_page.search_query if found_page else None
    query_string = query.query_string(search_fields)
    # Private results have no feed, because feed readers have no session.
    follows = search_query is not None and not search_query.is_private
    return {
        "feeds": {"name": query.name_of(search_fields), "query": f"?{query_string}" if query_string else ""}
        if follows
        else None,
        "heading": _page_heading(search_fields, is_map=submitted.is_map),
        "is_search": submitted.is_search,
        "view": submitted.view.get("view", ""),
        "view_fields": submitted.view,
        "list_path": discover.path_of(search_fields, discover.LIST),
        "map_path": discover.path_of(search_fields, discover.MAP),
        "month_path": discover.path_of(search_fields, submitted.view)
        if submitted.is_month
        else discover.month_path(search_fields),
        "is_everything": front_page_policy(request).choice is FrontPageChoice.EVERYTHING,
        "narrowed": sum(1 for name in FIELDS[3:] if name != "within" and search_fields[name].strip()),
        "picture": _NOTHING.path,
        "chips": discover.filter_chips(
            search_fields, now, zone, view=submitted.view, is_valid=search_query is not None
        ),
        "filters": [one for one in FILTERS if submitted.viewer or search_fields[one.name] or not one.is_private],
        "labels": {one.name: one.label for one in FILTERS},
        "is_later": not submitted.is_first_page,
        "is_answered": search_query is not None,
        "may_be_kept": search_query is not None and not search_query.is_private and query.is_specific(search_query),
        "asked": query_string,
        "places": submitted.choices,
    }


def _page_heading(search_fields: dict[str, str], *, is_map: bool) -> str:
    if search_fields["near"].strip() and query.is_point(search_fields["near"]):
        name = query.near_name(search_fields)
        return gettext("Events near you") if query.is_point(name) else gettext("Events near %(place)s", place=name)
    if search_fields["q"].strip():
        return gettext("Results for “%(words)s”", words=search_fields["q"].strip())
    narrowed = [name for name, value in search_fields.items() if value.strip()]
    if narrowed == ["category"] and search_fields["category"] in set(Category):
        return str(CATEGORY_LABELS[Category(search_fields["category"])])
    if narrowed:
        return gettext("Search")
    return gettext("Events on the map") if is_map else gettext("What’s coming up")


def _count_label(number: int, near: SearchArea | None, *, has_more: bool, is_by_distance: bool) -> str:
    if near is None:
        if has_more:
            return gettext("%(number)s+ events", number=number)
        return ngettext("%(number)s event", "%(number)s events", number)
    within = near.within_km
    if has_more and is_by_distance:
        return gettext("The next %(number)s within %(distance)s km", number=number, distance=within)
    if has_more:
        return gettext("%(number)s+ events within %(distance)s km", number=number, distance=within)
    if is_by_distance and number > 1:
        return gettext("%(number)s events within %(distance)s km", number=number, distance=within)
    return ngettext(
        "%(number)s event within %(distance)s km", "%(number)s events within %(distance)s km", number, distance=within
    )
