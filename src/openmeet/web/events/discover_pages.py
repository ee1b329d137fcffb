"""Discover: the front page and the search, as a list or on a map. The URL contains the whole search."""

import math
from dataclasses import replace
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import InvalidForm, Unavailable
from groundwork.geo_points import Near
from groundwork.http.forms import Typed, typed_again
from openmeet.domain.covers.model import Cover, Motif
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.trust import FrontPageChoice
from openmeet.domain.events.vocabulary import ACCESS_LABELS, CATEGORY_LABELS, AccessFeature, Category
from openmeet.domain.search import event_lists, forgiving, front_page, query, search
from openmeet.domain.users.queries import by_id as user_by_id
from openmeet.i18n.catalogue import gettext, ngettext
from openmeet.web.events import discover, search_hints
from openmeet.web.events.cards import day_cards
from openmeet.web.events.listing import ListedDay, dated, day_in_row, further_dates
from openmeet.web.events.search_hints import NamedLink, OtherEvent
from openmeet.web.search import map_pages, places
from openmeet.web.search.front_choice import shown_of
from openmeet.web.site.caller import caller_or_none
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

PAGE_SIZE: Final = 30
MAP: Final = "map"
# Illustration above "nothing matches". It is the same for every search, so it reveals nothing about the search.
_NOTHING: Final = Cover(Motif.MUSIC, 0x2B7E_1516_28AE_D2A6)


def routes() -> list[Route]:
    return [Route("/", show_discover, methods=["GET"])]


async def show_discover(request: Request) -> Response:
    typed = {name: request.query_params.get(name, "") for name in query.FIELDS}
    view = MAP if request.query_params.get("view", "") == MAP else ""
    choices = places.PlaceLinks()
    caller = caller_or_none(request)
    after = event_lists.unpack(request.query_params.get("after", ""))
    groups: list[list[ListedDay]] = []
    events: list[Event] = []
    distances: dict[EventId, map_pages.Distance] = {}
    named: list[NamedLink] = []
    others: list[OtherEvent] = []
    empty: query.Empty | None = None
    forgiven = mended = more = others_heading = ""
    shown = Typed(typed)
    public_url, viewer_id = services(request).settings.public_url, caller.user_id if caller else None
    try:
        typed = places.add_point(request, typed)
        shown = Typed(typed | {"near": query.near_name(typed)})
    except InvalidForm as wrong:
        try:
            choices = await places.links(request, typed)
            if choices.credit and len(choices.links) == 1:
                return go(choices.links[0].path + (f"&view={view}" if view else ""))
            shown = Typed(typed) if choices.links else typed_again(typed, wrong)
        except Unavailable as later:
            shown = Typed(typed, {"near": later.why})
    except Unavailable as later:
        shown = Typed(typed, {"near": later.why})
    async with database_of(request).reader() as reader:
        now = reader.now
        me = await user_by_id(reader, viewer_id) if viewer_id else None
        zone = (me.time_zone if me else None) or services(request).settings.time_zone
        wanted: search.SearchQuery | None = None
        if not shown.problems and not choices.links:
            try:
                wanted = replace(query.wanted_of(typed, viewer_id), once_per_series=True)
            except InvalidForm as wrong:
                shown = typed_again(shown.values, wrong)
        if wanted is not None:
            if any(typed.values()):
                if wanted.words and after is None:
                    named = await search_hints.named_links(request, reader, wanted, typed, zone)
                answer = await forgiving.coming(
                    database_of(request),
                    reader,
                    wanted,
                    after,
                    PAGE_SIZE + 1,
                    is_name=any(one.is_place for one in named),
                    may_drop_words=True,
                )
                found, forgiven = answer.events, answer.shown
                if not found and wanted.words and after is None:
                    more_named, forgiven = await search_hints.corrected_links(
                        request, reader, wanted, typed, zone, named
                    )
                    named += more_named
                wanted, mended = answer.wanted, " ".join(answer.wanted.words) if answer.is_corrected else ""
            else:
                found = await front_page.coming(
                    reader, wanted.viewer, shown_of(request), after, PAGE_SIZE + 1, once_per_series=True
                )
            events = found[:PAGE_SIZE]
            further = await further_dates(reader, events)
            distances = map_pages.distances(events, wanted.near) if wanted.near is not None else distances
            labels = {event_id: one.label for event_id, one in distances.items()}
            # Each part is grouped by day. The second part starts again with its soonest event.
            for part in (0, 1):
                some = [event for event in events if search.position_in(wanted, event).part == part]
                groups.append(await day_cards(reader, public_url, viewer_id, some, further=further, distances=labels))
            if len(found) > PAGE_SIZE:
                cursor = event_lists.pack(search.position_in(wanted, events[-1]))
                more = discover.path_of(typed | ({"q": mended} if mended else {}), view, after=cursor)
            if any(typed.values()) and not events and after is None:
                others_heading, others = await search_hints.other_events(request, reader, wanted, named)
                empty = await search_hints.next_step(reader, typed, wanted, is_name=bool(named))
    cards = [dated_card for part in groups for dated_card in dated(part)]
    is_by_distance = bool(view and distances)
    if is_by_distance:
        # Pins and rows must have the same order.
        events.sort(key=lambda event: distances[event.id].kilometres if event.id in distances else math.inf)
        order: dict[str, int] = {event.slug: number for number, event in enumerate(events)}
        cards.sort(key=lambda dated_card: order[dated_card[1].slug])
    asked = query.asked_again(typed)
    is_search = any(typed.values())
    # Private results have no feed, because feed readers have no session.
    follows = wanted is not None and wanted.of_groups_of is None
    begins = not (caller or is_search or after or view)
    collage = discover.collage(groups) if begins else []
    events_by_slug: dict[str, Event] = {event.slug: event for event in events}
    context = {
        "collage": collage,
        "weekend": [
            OtherEvent(card, day_in_row(events_by_slug[card.slug], now))
            for card in (discover.take_weekend(groups, now, zone) if begins else ())
        ],
        "weekend_path": discover.weekend_path(now, zone),
        "feeds": {"name": query.name_of(typed), "query": f"?{asked}" if asked else ""} if follows else None,
        "typed": shown,
        "heading": _heading(typed, is_map=bool(view)),
        "parts_found": groups,
        "rows": cards if is_by_distance else None,
        "dated": dated,
        "is_found": bool(events),
        "found_words": ""
        if after
        else _count_label(
            len(events), wanted.near if wanted else None, has_more=bool(more), is_by_distance=is_by_distance
        ),
        "more": more,
        "named": named,
        "forgiven": forgiven,
        "is_search": is_search,
        "view": view,
        "list_path": discover.path_of(typed, ""),
        "map_path": discover.path_of(typed, MAP),
        "map": map_pages.of_search(request, events, wanted.near, asked) if view and wanted is not None else None,
        "is_everything": shown_of(request).choice is FrontPageChoice.EVERYTHING,
        "narrowed": sum(1 for name in query.FIELDS[3:] if name != "within" and typed[name].strip()),
        "empty": empty,
        "others": others,
        "others_heading": others_heading,
        "picture": _NOTHING.path,
        "chips": discover.chips(typed, now, zone, view=view, is_valid=wanted is not None),
        "categories": [(one.value, CATEGORY_LABELS[one]) for one in Category],
        "access_features": [(one.value, ACCESS_LABELS[one]) for one in AccessFeature],
        "modes": list(query.MODE_LABELS.items()),
        "sources": list(query.SOURCE_LABELS.items()),
        "is_later": after is not None,
        "is_answered": wanted is not None,
        "may_be_kept": wanted is not None and wanted.of_groups_of is None and query.is_specific(wanted),
        "asked": asked,
        "places": choices,
    }
    return page(request, "events/home.html", context, status=400 if shown.problems else 200)


def _heading(typed: dict[str, str], *, is_map: bool) -> str:
    if typed["near"].strip() and query.is_point(typed["near"]):
        name = query.near_name(typed)
        return gettext("Events near you") if query.is_point(name) else gettext("Events near %(place)s", place=name)
    if typed["q"].strip():
        return gettext("Results for “%(words)s”", words=typed["q"].strip())
    narrowed = [name for name, value in typed.items() if value.strip()]
    if narrowed == ["category"] and typed["category"] in set(Category):
        return str(CATEGORY_LABELS[Category(typed["category"])])
    if narrowed:
        return gettext("Search")
    return gettext("Events on the map") if is_map else gettext("What’s coming up")


def _count_label(number: int, near: Near | None, *, has_more: bool, is_by_distance: bool) -> str:
    if near is None:
        if has_more:
            return gettext("%(number)s+ events", number=number)
        return ngettext("%(number)s event", "%(number)s events", number)
    within = near.within_km
    if has_more and is_by_distance:
        return gettext("The next %(number)s within %(distance)s km, nearest first", number=number, distance=within)
    if has_more:
        return gettext("%(number)s+ events within %(distance)s km", number=number, distance=within)
    if is_by_distance and number > 1:
        return gettext("%(number)s events within %(distance)s km, nearest first", number=number, distance=within)
    return ngettext(
        "%(number)s event within %(distance)s km", "%(number)s events within %(distance)s km", number, distance=within
    )
