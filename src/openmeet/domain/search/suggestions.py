"""Events suggested to a person, each with a reason, and events similar to another one.

Computed for each page view from data that is stored anyway: whom the person follows, where they went, and what those
events were about. Nothing is stored, and nothing leaves the server. Every statement reads a bounded number of rows by
an index.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader
from groundwork.geo_points import SearchArea, Spot, degrees_of, kilometres
from openmeet.domain.events.content import categories_in
from openmeet.domain.events.model import Event
from openmeet.domain.events.queries import columns_of, event_of
from openmeet.domain.events.town_positions import position_of
from openmeet.domain.events.visibility import is_hidden, is_listed, is_public
from openmeet.domain.events.vocabulary import Category
from openmeet.domain.moderation.blocks import is_out_of_lists
from openmeet.domain.search import my_event_lists, search
from openmeet.domain.search.search import SearchQuery
from openmeet.domain.users.model import UserId

# Maximum number of hosts and of groups to look at, of events for each of them, and of latest RSVPs that show what a
# person likes.
_MAX_SOURCES: Final = 12
_OF_EACH: Final = 4
_LATEST: Final = 40
_TOPICS: Final = 2
_OF_TOPIC: Final = 8
# Two RSVPs to events about a topic suggest that the person likes it. A single one may be a coincidence.
_LIKED: Final = 2
_AHEAD: Final = 60 * DAY
_NEAR_KM: Final = 60
# An event loses score the later it starts, in steps of this length.
_PATIENCE: Final = 14 * DAY


class SuggestionReason(StrEnum):
    """The reason why an event is suggested. The page contains the text."""

    FOLLOWED_HOST = "followed_host"
    FOLLOWED_GROUP = "followed_group"
    KNOWN_HOST = "known_host"
    TOPIC = "topic"


_WEIGHTS: Final[Mapping[SuggestionReason, float]] = {
    SuggestionReason.FOLLOWED_HOST: 5,
    SuggestionReason.FOLLOWED_GROUP: 4.5,
    SuggestionReason.KNOWN_HOST: 4,
    SuggestionReason.TOPIC: 2.5,
}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A suggested event and the reason. ``about``: the host (an id), the group (an id) or the topic."""

    event: Event
    reason: SuggestionReason
    about: str


@dataclass(frozen=True, slots=True)
class _AnsweredEvent:
    """The part of an event that shows what a person likes. ``spot``: its public position."""

    author_id: UserId
    categories: tuple[Category, ...]
    spot: Spot | None


async def for_person(reader: Reader, viewer: UserId, limit: int) -> list[Suggestion]:
    """Upcoming public events that this person neither hosts nor has answered, best first and only one of each series."""
    past = await _answered(reader, viewer)
    hosts, groups = await _followed(reader, viewer)
    answered_hosts = [
        host for host in dict.fromkeys(event.author_id for event in past) if host != viewer and host not in hosts
    ]
    suggested = [
        *(
            Suggestion(event, SuggestionReason.FOLLOWED_HOST, event.author_id)
            for event in await _coming_of(reader, "author_id", hosts, viewer)
        ),
        *(
            Suggestion(event, SuggestionReason.FOLLOWED_GROUP, event.group.id)
            for event in await _coming_of(reader, "group_id", groups, viewer)
            if event.group is not None
        ),
        *(
            Suggestion(event, SuggestionReason.KNOWN_HOST, event.author_id)
            for event in await _coming_of(reader, "author_id", answered_hosts[:_MAX_SOURCES], viewer)
        ),
    ]
    home = next((event.spot for event in past if event.spot is not None), None)
    for topic in _frequent_topics(past):
        suggested += [
            Suggestion(event, SuggestionReason.TOPIC, topic) for event in await _about(reader, topic, home, viewer)
        ]
    answered = await my_event_lists.answered_among(reader, viewer, sorted({one.event.id for one in suggested}))
    fresh = [one for one in suggested if one.event.id not in answered and one.event.author_id != viewer]
    fresh.sort(key=lambda one: (-_score(one, home, reader.now), one.event.starts_at or 0, one.event.id))
    best: list[Suggestion] = []
    seen: set[str] = set()
    for one in fresh:
        # Keep only the best event of each series, and of events with the same title.
        same = {_series_key(one.event), one.event.title}
        if seen.isdisjoint(same):
            best.append(one)
        seen |= same
    return best[:limit]


async def related(reader: Reader, event: Event, viewer: UserId | None, limit: int) -> list[Event]:
    """Upcoming public events similar to this one, only one of each series.

    Events of the same host or group come first, followed by those nearby about the same topic.
    """
    related_events = await _coming_of(reader, "author_id", [event.author_id], viewer)
    if event.group is not None:
        related_events += await _coming_of(reader, "group_id", [event.group.id], viewer)
    own = _series_key(event)
    by_series: dict[str, Event] = {}
    for one in related_events:
        if _series_key(one) != own:
            by_series.setdefault(_series_key(one), one)
    if len(by_series) < limit and event.content.categories:
        position = position_of(event)
        home = None if position is None else position.spot
        for one in await _about(reader, event.content.categories[0].value, home, viewer):
            if _series_key(one) != own:
                by_series.setdefault(_series_key(one), one)
    return sorted(by_series.values(), key=lambda one: (one.starts_at or 0, one.id))[:limit]


def _series_key(event: Event) -> str:
    return event.position_in_series.series_id if event.position_in_series else event.id


def _score(suggestion: Suggestion, home: Spot | None, now: Instant) -> float:
    score = _WEIGHTS[suggestion.reason] - max(0, (suggestion.event.starts_at or now) - now) / _PATIENCE
    position = position_of(suggestion.event)
    if home is not None and position is not None and kilometres(home, position.spot) > _NEAR_KM:
        score -= 3
    return score


def _frequent_topics(past: Sequence[_AnsweredEvent]) -> list[str]:
    """Topics that occur in several of these events, the most frequent first."""
    counts = Counter(category.value for event in past for category in event.categories)
    return [topic for topic, number in counts.most_common(_TOPICS) if number >= _LIKED]


async def _answered(reader: Reader, viewer: UserId) -> list[_AnsweredEvent]:
    """Events that this person most recently answered, latest first."""
    rows = await reader.fetch(
        """
        select e.author_id, e.extra, e.place_x, e.place_y, e.place_z
          from (select x.id, x.event_id, x.answered_at from attendances x
                 where x.user_id = :viewer and x.status in ('attending', 'attended', 'interested')
                 order by x.answered_at desc, x.id desc limit :limit) a
          join events e on e.id = a.event_id
         order by a.answered_at desc, a.id desc
        """,
        viewer=viewer,
        limit=_LATEST,
    )
    return [
        _AnsweredEvent(
            UserId(row["author_id"]),
            categories_in(row),
            None if row["place_x"] is None else (row["place_x"], row["place_y"], row["place_z"]),
        )
        for row in rows
    ]


async def _followed(reader: Reader, viewer: UserId) -> tuple[list[UserId], list[str]]:
    """The hosts whom this person followed most recently, and groups that they follow."""
    rows = await reader.fetch(
        """
        select kind, id from (
            select * from (select 'host' as kind, followed_id as id, -created_at as place from profile_followers
                            where user_id = :viewer order by created_at desc, followed_id limit :limit) as hosts
            union all
            select * from (select 'group' as kind, group_id as id, 0 as place from group_followers
                            where user_id = :viewer order by group_id limit :limit) as in_groups
        ) as followed order by kind, place, id
        """,
        viewer=viewer,
        limit=_MAX_SOURCES,
    )
    hosts = [UserId(row["id"]) for row in rows if row["kind"] == "host"]
    return hosts, [row["id"] for row in rows if row["kind"] == "group"]


async def _coming_of(reader: Reader, column: str, ids: Sequence[str], viewer: UserId | None) -> list[Event]:
    """The next few public events of each of these hosts or groups.

    Uses two statements. The first has a short part per host or group, which reads an index of starts. The second checks
    which of the few events found may be shown.
    """
    if not ids:
        return []
    values = {f"id{number}": one for number, one in enumerate(ids)}
    parts = [
        f"select * from (select e.id from events e where e.{column} = :{name}"
        f" and e.starts_at > :now and e.starts_at < :until and e.status <> 'cancelled' and e.visibility = 'public'"
        f" and {is_listed('e')} order by e.starts_at, e.id limit :of_each) as of_{name}"
        for name in values
    ]
    rows = await reader.fetch(
        f"select id from ({' union all '.join(parts)}) as found order by id",
        **values,
        now=reader.now,
        until=reader.now + _AHEAD,
        of_each=_OF_EACH,
    )
    if not rows:
        return []
    unseen = "" if viewer is None else f"and not {is_out_of_lists('e.author_id', 'e.group_id')}"
    shown = await reader.fetch(
        f"select {columns_of('e')} from events e where e.id in :ids and {is_public('e')} and not {is_hidden('e')} {unseen}"
        " order by e.starts_at, e.id",
        ids=[row["id"] for row in rows],
        **({} if viewer is None else {"viewer": viewer}),
    )
    return [event_of(row) for row in shown]


async def _about(reader: Reader, topic: str, home: Spot | None, viewer: UserId | None) -> list[Event]:
    """The next public events about this topic, near a position if one is known."""
    query = SearchQuery(
        since=reader.now,
        until=Instant(reader.now + _AHEAD),
        topics=(f"category:{Category(topic).value}",),
        viewer=viewer,
        takes_place=True,
        once_per_series=True,
    )
    if home is not None:
        query = replace(query, near=SearchArea(*degrees_of(home), _NEAR_KM))
    return await search.coming(reader, query, None, _OF_TOPIC)
