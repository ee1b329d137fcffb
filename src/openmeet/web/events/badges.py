"""Badges of events, series and groups: where they were made, whether their host is a member here, their groups."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from groundwork.database.transaction import Reader
from openmeet.domain.events.model import Event, EventId, RecordOrigin
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups.model import Group, GroupId, GroupVisibility
from openmeet.domain.series.model import Series
from openmeet.domain.users.model import UserId, UserKind
from openmeet.domain.users.queries import kinds
from openmeet.network.records.written_with import apps_of


@dataclass(frozen=True, slots=True)
class Badge:
    """A text and its tone: ``info``, ``good`` or ``plain``."""

    words: str
    tone: str


@dataclass(frozen=True, slots=True)
class _Source:
    """The origin: ``record_uri`` is the record that it was imported from, ``author_id`` its host or owner."""

    is_here: bool
    record_uri: str | None
    author_id: UserId


MADE_HERE: Final = Badge("Made here", "plain")
FROM_ANOTHER_APP: Final = Badge("From another app", "info")
BY_A_MEMBER: Final = Badge("By a member", "plain")
NOT_BY_A_MEMBER: Final = Badge("Not by a member", "plain")
_YOU_HOST: Final = Badge("You host this", "good")
_SERIES: Final = Badge("Series", "plain")


async def in_a_list(
    reader: Reader, events: Sequence[Event], public_url: str, viewer: UserId | None, *, within: GroupId | None = None
) -> dict[EventId, tuple[Badge, ...]]:
    """The badges of each event in a list. If all were made here, origin badges are omitted. ``within``: the group of
    the list.
    """
    is_mixed = any(event.origin is not RecordOrigin.HERE for event in events)
    sources = await _badges_of(reader, [_source_of(event) for event in events], public_url) if is_mixed else []
    in_groups = await _groups_of(reader, events, within)
    found: dict[EventId, tuple[Badge, ...]] = {}
    for number, event in enumerate(events):
        badges = [_YOU_HOST] if event.author_id == viewer else []
        if is_mixed:
            # The author of something made here is a member.
            badges += sources[number][:1] if event.origin is RecordOrigin.HERE else sources[number]
        if event.place_in_series is not None:
            badges.append(_SERIES)
        if event.group is not None and event.group.id in in_groups:
            badges.append(in_groups[event.group.id])
        found[event.id] = tuple(badges)
    return found


async def of_event(reader: Reader, event: Event, public_url: str) -> tuple[Badge, ...]:
    """The origin and membership badges of an event page."""
    return (await _badges_of(reader, [_source_of(event)], public_url))[0]


async def of_each_series(reader: Reader, several: Sequence[Series], public_url: str) -> list[tuple[Badge, ...]]:
    """The badges of several series."""
    sources = [_Source(not one.is_read_only, one.record_uri, one.owner_id) for one in several]
    return await _badges_of(reader, sources, public_url)


async def of_each_group(reader: Reader, several: Sequence[Group], public_url: str) -> list[tuple[Badge, ...]]:
    """The badges of several groups; the owner counts as author."""
    sources = [_Source(not one.is_read_only, one.network.record_uri, one.owner_id) for one in several]
    return await _badges_of(reader, sources, public_url)


def _source_of(event: Event) -> _Source:
    return _Source(event.origin is RecordOrigin.HERE, event.record_uri, event.author_id)


async def _badges_of(reader: Reader, sources: Sequence[_Source], public_url: str) -> list[tuple[Badge, ...]]:
    people = await kinds(reader, {one.author_id for one in sources})
    uris = [one.record_uri for one in sources if not one.is_here and one.record_uri is not None]
    apps = await apps_of(reader, uris, urlsplit(public_url).hostname or "")
    return [(_made(one, apps), _by(one, people)) for one in sources]


def _made(source: _Source, apps: Mapping[str, str]) -> Badge:
    if source.is_here:
        return MADE_HERE
    app = apps.get(source.record_uri or "")
    return Badge(f"From {app}", "info") if app else FROM_ANOTHER_APP


def _by(source: _Source, people: Mapping[UserId, UserKind]) -> Badge:
    return BY_A_MEMBER if people.get(source.author_id) is UserKind.PERSON else NOT_BY_A_MEMBER


async def _groups_of(reader: Reader, events: Collection[Event], within: GroupId | None) -> dict[GroupId, Badge]:
    """Names of the public groups of these events."""
    ids = {event.group.id for event in events if event.group and event.group.visibility is GroupVisibility.PUBLIC}
    names = await group_queries.names_of(reader, sorted(ids - {within}))
    return {group_id: Badge(f"In {name}", "plain") for group_id, name in names.items()}
