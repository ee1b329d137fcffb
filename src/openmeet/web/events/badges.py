"""Badges of events, series and groups from other apps: the name of the app, and whether the host is a member of this
site.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from groundwork.database.transaction import Reader
from openmeet.domain.attendance.answer_badges import Badge
from openmeet.domain.events.model import Event, EventId, RecordOrigin
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups.model import Group, GroupId, GroupVisibility
from openmeet.domain.series.model import Series
from openmeet.domain.users.model import UserId, UserKind
from openmeet.domain.users.queries import kinds
from openmeet.i18n.catalogue import gettext, lazy
from openmeet.network.records.provenance import apps_of


@dataclass(frozen=True, slots=True)
class _Source:
    """The origin of an object. ``record_uri`` is the record that it was imported from, ``author_id`` its host or owner."""

    is_here: bool
    record_uri: str | None
    author_id: UserId


FROM_ANOTHER_APP: Final = Badge(lazy("From another app"), "info")
BY_A_MEMBER: Final = Badge(lazy("By a member"), "plain")
OF_A_SERIES: Final = Badge(lazy("Series"), "plain", "repeat")


async def in_a_list(
    reader: Reader, events: Sequence[Event], public_url: str, *, within: GroupId | None = None
) -> dict[EventId, tuple[Badge, ...]]:
    """The badges for the origin of each event in a list, most useful first: the app that it comes from, its series (only
    on the first date listed) and its group. ``within`` is the group that the list is about. That group gets no badge.
    """
    foreign = [event for event in events if event.origin is not RecordOrigin.HERE]
    sources = dict(
        zip(
            (event.id for event in foreign),
            await _badges_of(reader, [_source_of(event) for event in foreign], public_url) if foreign else [],
            strict=True,
        )
    )
    in_groups = await _group_badges(reader, events, within)
    badges: dict[EventId, tuple[Badge, ...]] = {}
    named_apps: set[str] = set()
    for event in events:
        app_badge = next(iter(sources.get(event.id, ())), None)
        position = event.position_in_series
        # Only the first listed date of a series has the badge.
        series = None if position is None or position.series_id in named_apps else OF_A_SERIES
        named_apps |= set() if position is None else {position.series_id}
        group = in_groups.get(event.group.id) if event.group is not None else None
        badges[event.id] = tuple(one for one in (app_badge, series, group) if one is not None)
    return badges


async def of_event(reader: Reader, event: Event, public_url: str) -> tuple[Badge, ...]:
    """The badges of an event page: the app that the event comes from, and whether its host is a member. Empty for an
    event created on this site.
    """
    return (await _badges_of(reader, [_source_of(event)], public_url))[0]


async def of_each_series(reader: Reader, several: Sequence[Series], public_url: str) -> Sequence[tuple[Badge, ...]]:
    """The origin badges of several series, in order: the app of each, and whether its host is a member."""
    sources = [_Source(not one.is_read_only, one.record_uri, one.owner_id) for one in several]
    return await _badges_of(reader, sources, public_url)


async def of_each_group(reader: Reader, several: Sequence[Group], public_url: str) -> Sequence[tuple[Badge, ...]]:
    """The origin badges of several groups, in order: the app of each, and whether its owner is a member."""
    sources = [_Source(not one.is_read_only, one.network.record_uri, one.owner_id) for one in several]
    return await _badges_of(reader, sources, public_url)


def _source_of(event: Event) -> _Source:
    return _Source(event.origin is RecordOrigin.HERE, event.record_uri, event.author_id)


async def _badges_of(reader: Reader, sources: Sequence[_Source], public_url: str) -> list[tuple[Badge, ...]]:
    people = await kinds(reader, {one.author_id for one in sources})
    uris = [one.record_uri for one in sources if not one.is_here and one.record_uri is not None]
    apps = await apps_of(reader, uris, urlsplit(public_url).hostname or "")
    return [() if one.is_here else (_app_badge(one, apps), *_member_badges(one, people)) for one in sources]


def _app_badge(source: _Source, apps: Mapping[str, str]) -> Badge:
    app = apps.get(source.record_uri or "")
    return Badge(gettext("From %(app)s", app=app), "info") if app else FROM_ANOTHER_APP


def _member_badges(source: _Source, people: Mapping[UserId, UserKind]) -> tuple[Badge, ...]:
    """Only members are mentioned: of everyone else, the name of the app says enough."""
    return (BY_A_MEMBER,) if people.get(source.author_id) is UserKind.PERSON else ()


async def _group_badges(reader: Reader, events: Collection[Event], within: GroupId | None) -> dict[GroupId, Badge]:
    """The names of the public groups of these events."""
    ids = {event.group.id for event in events if event.group and event.group.visibility is GroupVisibility.PUBLIC}
    names = await group_queries.names_of(reader, sorted(ids - {within}))
    return {group_id: Badge(gettext("In %(group)s", group=name), "plain") for group_id, name in names.items()}
