"""Content of embeds: only public information, no matter who views the embed. Private and unlisted events, series and
groups are never included, because everybody who finds the website would find them.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote

from markupsafe import Markup
from starlette.requests import Request

from groundwork.database.transaction import Reader
from groundwork.errors import NotFound
from openmeet.domain.events import time_and_place
from openmeet.domain.events.event_access import raise_if_gone
from openmeet.domain.events.model import Event
from openmeet.domain.events.queries import by_slug
from openmeet.domain.events.values import Visibility
from openmeet.domain.groups.model import GroupVisibility
from openmeet.domain.groups.reasons import GroupReason
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.media.pictures import Size
from openmeet.domain.page_paths import event_path, group_path, series_path
from openmeet.domain.profiles import queries as profiles
from openmeet.domain.profiles.actions import visible_profile
from openmeet.domain.search import query
from openmeet.domain.search.group_event_lists import shown_in_group
from openmeet.domain.series import agenda, splits
from openmeet.domain.series.reasons import SeriesReason
from openmeet.domain.users.model import UserId
from openmeet.domain.validation import GeneralReason
from openmeet.i18n import languages
from openmeet.i18n.catalogue import gettext
from openmeet.recurrence.describe import describe
from openmeet.web.events.feeds import public_search
from openmeet.web.events.listing import CardList, EventCard, card_of, facts_of
from openmeet.web.groups.viewed_group import view_group_as_stranger
from openmeet.web.media.drawings import thumbnail
from openmeet.web.media.subject import PageSubject, subject_of_event, subject_of_group, subject_of_series
from openmeet.web.series import view as series_view
from openmeet.web.site.services import services
from openmeet.web.site.slugs import event_slug_of, series_slug_of
from openmeet.web.site.time_tags import span_tags, start_tag


@dataclass(frozen=True, slots=True)
class EmbedContent:
    """The content of an embed. ``name`` is the name of the event or list. ``page`` is its path on this site. ``frame``
    is the path of the embed, without the query that sets its look. ``about`` is the event, series or group, if it has one.
    """

    name: str
    page: str
    frame: str
    template: str
    shown: Mapping[str, object]
    rows: int = 0
    about: PageSubject | None = None


@dataclass(frozen=True, slots=True)
class EmbedEvent:
    """One event: its card, and its date and time."""

    card: EventCard
    when: Markup | str


# The number is the maximum number of events in a list.
Load = Callable[[Request, Reader, int], Awaitable[EmbedContent]]


async def event_content(request: Request, reader: Reader, _most: int) -> EmbedContent:
    """One event. Raises NotFound, and Gone if it was public and has been deleted."""
    event = await by_slug(reader, event_slug_of(request))
    if event is None or event.visibility is not Visibility.PUBLIC or event.is_hidden or event.is_held or event.is_draft:
        raise NotFound(GeneralReason.NO_SUCH_EVENT)
    raise_if_gone(event)
    (embedded,) = await _events(request, reader, [event])
    page = event_path(event.slug)
    shown = {
        "event": EmbedEvent(embedded.card, span_tags(event, reader.now)),
        "picture": thumbnail(event.content, Size.SQUARE),
    }
    return EmbedContent(event.title, page, f"/embed{page}", "event", shown, about=subject_of_event(event, reader.now))


async def series_content(request: Request, reader: Reader, most: int) -> EmbedContent:
    """The next dates of a series and of the series that continue it. Raises NotFound, Gone."""
    series = await agenda.visible(reader, series_slug_of(request), None)
    if series.visibility is not Visibility.PUBLIC:
        raise NotFound(SeriesReason.NO_SUCH_SERIES)
    parts = [
        one
        for one in await splits.with_continuations(reader, series, None)
        if one.visibility is Visibility.PUBLIC and not one.is_hidden
    ]
    lines = [(one, line) for one in parts for line in await agenda.coming(reader, one, None, limit=most)]
    listed = [(one, line) for one, line in lines if line.event is None or line.event.visibility is Visibility.PUBLIC]
    listed.sort(key=lambda each: (each[1].details.starts_at, each[1].original_date))
    rows = [series_view.rows_of(one, [line], reader.now)[0] for one, line in listed[:most]]
    page = series_path(series.slug)
    shown = {
        "rows": rows,
        "rule": describe(series.timing.pattern),
        "host": (await shown_names(reader, [series.owner_id]))[series.owner_id],
        "thumbnail": thumbnail(series.content, Size.SMALL_SQUARE),
        "language": languages.marked_as(
            series.content.title, series.content.description, spoken=series.content.languages
        ),
    }
    return EmbedContent(
        series.content.title, page, f"/embed{page}", "series", shown, len(rows), subject_of_series(series)
    )


async def group_content(request: Request, reader: Reader, most: int) -> EmbedContent:
    """The upcoming events of a public group, as far as everyone may see them. Raises NotFound, Gone."""
    group = await view_group_as_stranger(reader, request)
    if group.details.visibility is not GroupVisibility.PUBLIC:
        raise NotFound(GroupReason.NO_SUCH_GROUP)
    events = await shown_in_group(reader, group.id, None, most, member=None)
    content = await _list_content(request, reader, group.details.name, group_path(group.slug), events)
    return replace(content, about=subject_of_group(group))


async def person_content(request: Request, reader: Reader, most: int) -> EmbedContent:
    """The coming public events of a host. Raises NotFound."""
    person = await visible_profile(reader, UserId(request.path_params["userId"]))
    events = await profiles.upcoming_without_repeats(reader, person.id, most)
    name = (await shown_names(reader, [person.id]))[person.id]
    return await _list_content(
        request, reader, gettext("Events by %(name)s", name=name), f"/people/{quote(person.id)}", events
    )


async def search_content(request: Request, reader: Reader, most: int) -> EmbedContent:
    """The events that a search finds, or those of the front page. Raises InvalidForm, Unavailable."""
    search_fields, events = await public_search(request, reader, most, once_per_series=True)
    query_string = query.query_string(search_fields)
    page = f"/?{query_string}" if query_string else "/"
    name = query.name_of(search_fields)
    return await _list_content(request, reader, name, page, events, frame=f"/embed/search{page[1:]}")


async def _list_content(
    request: Request, reader: Reader, name: str, page: str, events: Sequence[Event], *, frame: str = ""
) -> EmbedContent:
    shown = {"events": await _events(request, reader, events)}
    return EmbedContent(name, page, frame or f"/embed{page}", "list", shown, len(events))


async def _events(request: Request, reader: Reader, events: Sequence[Event]) -> list[EmbedEvent]:
    facts = await facts_of(reader, events, CardList(services(request).settings.public_url, None))
    # On somebody else's site, badges for the source or group of an event matter less.
    facts = replace(facts, badges={})
    return [
        EmbedEvent(card_of(event, facts), start_tag(event, time_and_place.short_start_label(event))) for event in events
    ]


# Keys are the paths of the pages that the embeds show.
CONTENTS: Final[Mapping[str, Load]] = {
    "/events/{slug}": event_content,
    "/series/{slug}": series_content,
    "/groups/{slug}": group_content,
    "/people/{userId}": person_content,
    "/search": search_content,
}
