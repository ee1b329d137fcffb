"""Hints next to search results: the day, place, people, groups, series and topic that the words name, and other events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

from groundwork.database.transaction import Reader
from groundwork.geo_points import SearchArea
from openmeet.domain.events.model import Event
from openmeet.domain.events.vocabulary import CATEGORY_LABELS
from openmeet.domain.groups import membership_queries
from openmeet.domain.media.pictures import Size
from openmeet.domain.page_paths import group_path, series_path
from openmeet.domain.profiles import queries as profiles
from openmeet.domain.search import corrected_search, query, search
from openmeet.domain.search.day_words import named_days
from openmeet.domain.search.filters import DEFAULT_WITHIN_KM
from openmeet.domain.search.known_words import has_name, known_names
from openmeet.domain.search.search import SearchQuery
from openmeet.domain.search.topic_words import topic_of
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series.model import SeriesId
from openmeet.domain.users.model import UserId
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import gettext
from openmeet.i18n.markdown import folded
from openmeet.recurrence.wall_time import local_of
from openmeet.web.events.listing import CardList, EventCard, card_of, day_in_row, facts_of
from openmeet.web.media.drawings import thumbnail
from openmeet.web.media.subject import subject_of_group
from openmeet.web.search import places
from openmeet.web.site.faces import Avatar, avatar_of, portraits_of
from openmeet.web.site.services import front_page_policy, services
from openmeet.web.site.tenant_routing import database_of

# Maximum number of hosts, groups and series each.
_MAX_NAMED: Final = 3
# The group search covers all of a group's text. This many results are checked for groups that have the words in their
# name.
_MAX_GROUPS: Final = 30
_MAX_OTHERS: Final = 3
# Words in front of a place that nobody searches for: ``cooking in Berlin``.
_BEFORE_PLACES: Final = frozenset({"at", "around", "bei", "in", "nahe", "near", "um"})


@dataclass(frozen=True, slots=True)
class NamedLink:
    """A place, host, group, series or topic whose name matches the search. ``kind`` is one word. A host has a ``face``, a
    group or series a ``picture``, all others an ``icon``.

    If the search finds nothing, the page shows events of ``host_id`` or ``around`` below ``others_heading``. The
    heading is empty if there are no such events to show.
    """

    name: str
    kind: str
    path: str
    face: Avatar | None = None
    picture: str = ""
    icon: str = ""
    others_heading: str = ""
    host_id: UserId | None = None
    around: SearchQuery | None = None

    @property
    def is_place(self) -> bool:
        """Whether all words together are the name of a place."""
        return self.around is not None and self.around.near is not None and not self.around.words

    @property
    def is_topic(self) -> bool:
        return self.around is not None and bool(self.around.topics)


@dataclass(frozen=True, slots=True)
class OtherEvent:
    """An event that the page suggests: one at the weekend, or one to show if a search found nothing."""

    card: EventCard
    day: str


async def named_links(
    request: Request, reader: Reader, search_query: SearchQuery, search_fields: Mapping[str, str], zone: str
) -> list[NamedLink]:
    """Days, public places, people, groups, series and topics whose names contain these words. ``search_fields`` is the
    current search. Links to a day, place or topic keep its filters.

    ``zone`` is the reader's time zone. Days are those of its calendar, and places in its country are preferred.
    """
    return [
        *await _day_link(reader, search_query, search_fields, zone),
        *_place_link(request, search_query, search_fields, zone),
        *await _names_with(request, reader, search_query),
        *_topic_link(search_query, search_fields),
    ]


async def corrected_links(
    request: Request,
    reader: Reader,
    search_query: SearchQuery,
    search_fields: Mapping[str, str],
    zone: str,
    name_links: Sequence[NamedLink],
) -> tuple[list[NamedLink], str]:
    """The links for the corrected words that are not among ``name_links``, and the corrected spelling. The spelling
    is empty if there are no such links.
    """
    db, linked_paths = database_of(request), {one.path for one in name_links}
    is_name = any(one.is_place for one in name_links)
    # Names come first: ``Beker`` means Jonas Becker rather than a baker.
    for corrected in (
        None if is_name else await corrected_search.corrected_name(db, reader, search_query.words),
        await corrected_search.corrected_words(db, reader, search_query.words, is_name=is_name, may_drop_words=True),
    ):
        if corrected is not None:
            nearest = replace(search_query, words=corrected.words)
            links = await named_links(request, reader, nearest, search_fields, zone)
            further_links = [one for one in links if one.path not in linked_paths]
            if further_links:
                return further_links, corrected.shown
    return [], ""


async def _names_with(request: Request, reader: Reader, search_query: SearchQuery) -> list[NamedLink]:
    """Hosts, groups and series whose names contain these words."""
    words, viewer = search_query.words, search_query.viewer
    all_names = await known_names(database_of(request), reader)
    hosts = await profiles.hosts_among(reader, all_names.hosts_named(words, _MAX_NAMED))
    portraits = await portraits_of(reader, viewer, [one.id for one in hosts])
    groups = await membership_queries.listed(reader, words, viewer, after=None, limit=_MAX_GROUPS)
    series = await series_queries.by_ids(reader, [SeriesId(one) for one in all_names.series_named(words, _MAX_NAMED)])
    return [
        *(
            NamedLink(
                one.display_name,
                gettext("Host"),
                f"/people/{one.id}",
                avatar_of(one.id, one.display_name, portraits),
                others_heading=gettext("Events by %(name)s", name=one.display_name),
                host_id=one.id,
            )
            for one in hosts
        ),
        *(
            NamedLink(
                one.group.details.name,
                gettext("Group"),
                group_path(one.group.slug),
                picture=subject_of_group(one.group).picture,
            )
            for one in [one for one in groups if has_name(folded(one.group.details.name), words)][:_MAX_NAMED]
        ),
        *(
            NamedLink(
                one.content.title,
                gettext("Series"),
                series_path(one.slug),
                picture=thumbnail(one.content, Size.SMALL_SQUARE),
            )
            for one in series.values()
            if one.deleted_at is None and not one.is_hidden
        ),
    ]


async def _day_link(
    reader: Reader, search_query: SearchQuery, search_fields: Mapping[str, str], zone: str
) -> list[NamedLink]:
    """The day that some of the words name, if something matches the other words then: ``yoga saturday``."""
    if search_query.first is not None or search_query.last is not None:
        return []
    today = local_of(reader.now, zone).date()
    found = named_days(search_query.words, today)
    if found is None:
        return []
    around = replace(search_query, words=found.words, first=found.first, last=found.last, once_per_series=True)
    if not await search.coming(reader, around, None, 1):
        return []
    is_one = found.first == found.last
    days = formatting.short_day(found.first, today) if is_one else formatting.short_days(found.first, found.last)
    other_words = " ".join(found.words)
    name = gettext("“%(words)s”, %(days)s", words=other_words, days=days) if other_words else days
    changed = {"q": other_words, "from": found.first.isoformat(), "to": found.last.isoformat()}
    path = "/?" + query.query_string(search_fields, **changed)
    return [NamedLink(name, gettext("When"), path, icon="calendar", others_heading=name, around=around)]


def _place_link(
    request: Request, search_query: SearchQuery, search_fields: Mapping[str, str], zone: str
) -> list[NamedLink]:
    """The place that all words together name, or else the place that the last word names: ``yoga neukölln``."""
    if search_query.near is not None or not search_query.words:
        return []
    *before, last = search_query.words
    if before and folded(before[-1]) in _BEFORE_PLACES:
        before.pop()
    for others, name in (((), " ".join(search_query.words)), (tuple(before), last)):
        place = places.meant_place(request, name, zone)
        if place is None:
            continue
        label, other_words = places.typed_name(place, name), " ".join(others)
        words = gettext("“%(words)s” near %(place)s", words=other_words, place=label)
        near = SearchArea(place.latitude, place.longitude, DEFAULT_WITHIN_KM)
        return [
            NamedLink(
                words if other_words else gettext("Near %(place)s", place=label),
                gettext("Place"),
                "/?" + query.query_string(search_fields, q=other_words, near=places.near_value(place, label)),
                icon="place",
                others_heading=words if other_words else gettext("Events near %(place)s", place=label),
                around=SearchQuery(words=others, near=near, viewer=search_query.viewer, once_per_series=True),
            )
        ]
    return []


def _topic_link(search_query: SearchQuery, search_fields: Mapping[str, str]) -> list[NamedLink]:
    topic = None if search_query.topics else topic_of(search_query.words)
    if topic is None:
        return []
    label = str(CATEGORY_LABELS[topic])
    return [
        NamedLink(
            label,
            gettext("Category"),
            "/?" + query.query_string(search_fields, q="", category=topic.value),
            icon="search",
            others_heading=label,
            around=SearchQuery(topics=(f"category:{topic.value}",), viewer=search_query.viewer, once_per_series=True),
        )
    ]


async def other_events(
    request: Request, reader: Reader, search_query: SearchQuery, name_links: Sequence[NamedLink]
) -> tuple[NamedLink | None, list[OtherEvent]]:
    """Events to suggest when a search found nothing, and the host, place or topic of the search that they match.
    Without one, they are those of the front page. Cancelled events are left out.
    """
    for one in name_links:
        events = await _events_of(reader, one, search_query)
        if events:
            return one, await _as_others(request, reader, search_query.viewer, events)
    events = await search.coming_on_front_page(
        reader,
        search_query.viewer,
        front_page_policy(request),
        None,
        _MAX_OTHERS,
        takes_place=True,
        once_per_series=True,
    )
    return None, await _as_others(request, reader, search_query.viewer, events)


async def next_step(
    reader: Reader, search_fields: Mapping[str, str], search_query: SearchQuery, *, is_name: bool
) -> query.EmptyResult:
    """The smallest change to this search that gives results."""
    *changes, last = query.next_steps(search_fields, is_name=is_name)
    for one in changes:
        changed = query.parse_query(dict(parse_qsl(urlsplit(one.path).query)), search_query.viewer)
        if await search.coming(reader, changed, None, 1):
            return one
    return last


async def _events_of(reader: Reader, link: NamedLink, search_query: SearchQuery) -> list[Event]:
    if link.host_id is not None:
        return await profiles.upcoming_without_repeats(reader, link.host_id, _MAX_OTHERS, takes_place=True)
    if link.around is None:
        return []
    # Keep the other filters of the search.
    around = replace(
        link.around,
        first=search_query.first or link.around.first,
        last=search_query.last or link.around.last,
        mode=search_query.mode,
        source=search_query.source,
        takes_place=True,
    )
    return await search.coming(reader, around, None, _MAX_OTHERS)


async def _as_others(
    request: Request, reader: Reader, viewer: UserId | None, events: Sequence[Event]
) -> list[OtherEvent]:
    facts = await facts_of(reader, events, CardList(services(request).settings.public_url, viewer))
    return [OtherEvent(card_of(one, facts), day_in_row(one, reader.now)) for one in events]
