"""Public profiles of hosts and their followers: follow, unfollow, notify followers of a new event, and all SQL for
them.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import NotFound, Reason, Refused
from openmeet.domain.events.co_host_queries import co_hosts_of
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import columns_of, event_of, lock_for_update
from openmeet.domain.events.series_dates import is_first_of_series
from openmeet.domain.events.unsolicited_lists import announced_sources, is_announced_to_strangers
from openmeet.domain.events.visibility import is_hidden, is_listed, is_public
from openmeet.domain.groups.model import INSIDE, Group
from openmeet.domain.groups.queries import COLUMNS as GROUP_COLUMNS
from openmeet.domain.groups.queries import group_of
from openmeet.domain.groups.queries import is_hidden as is_group_hidden
from openmeet.domain.identities.queries import DEPARTED
from openmeet.domain.moderation.blocks import is_block_between_sql, raise_if_blocked
from openmeet.domain.notifications import kinds
from openmeet.domain.notifications.fan_out import NOBODY_LEFT, FanOutAudience, RecipientPage
from openmeet.domain.notifications.kinds import Payload
from openmeet.domain.notifications.notify import Notice
from openmeet.domain.paging import ALL_ROWS, Page
from openmeet.domain.users import queries as user_queries
from openmeet.domain.users.erasure_requests import is_leaving
from openmeet.domain.users.model import Caller, User, UserId
from openmeet.domain.users.queries import COLUMNS, user_of
from openmeet.domain.validation import GeneralReason


class ProfileReason(Reason):
    """Reason codes; their messages are in ``i18n/reasons/accounts.py``."""

    CANNOT_FOLLOW_ONESELF = "profile.cannot_follow_oneself"
    FOLLOWS_TOO_MANY = "profile.follows_too_many"
    NOT_FOLLOWED = "profile.not_followed"
    CANNOT_FOLLOW = "profile.cannot_follow"


# Maximum follows per user. Nobody can really keep track of more.
MAX_FOLLOWED = 1_000


class HostEventNotice(msgspec.Struct, frozen=True):
    """Fan-out payload: a host has a new event.

    ``since``: when it became public. People who started to follow the host later are not notified.
    """

    since: Instant


def _is_hosted_by(person: str, table: str = "e") -> str:
    """SQL condition: the event is public, and the user (a column or parameter) hosts or co-hosts it.

    Does not depend on the viewer.
    """
    beside = f"select h.event_id from event_co_hosts h where h.user_id = {person} and h.state = 'accepted'"
    return (
        f"({table}.author_id = {person} or {table}.id in ({beside}))"
        f" and {is_listed(table)} and {is_public(table)} and not {is_hidden(table)}"
    )


def seen_of_host(user_id: UserId) -> tuple[Callable[[str], str], dict[str, object]]:
    """SQL condition on a table, and its parameters: a public event that the user hosts or co-hosts."""
    return lambda table: _is_hosted_by(":user_id", table), {"user_id": user_id}


def _is_coming(table: str) -> str:
    return f"{_is_hosted_by(':user_id', table)} and {table}.over_at > :now"


async def host(reader: Reader, user_id: UserId) -> User | None:
    """The profile of a user who has signed in to this site and hosts or hosted a public event.

    None for everybody else, and for users who are deleting their account.
    """
    return next(iter(await hosts_among(reader, [user_id])), None)


async def hosts_among(reader: Reader, user_ids: Sequence[UserId]) -> list[User]:
    """The given users for whom ``host`` finds a profile, ordered by id."""
    if not user_ids:
        return []
    rows = await reader.fetch(
        f"select {COLUMNS} from users u where u.id in :user_ids and u.kind = 'person' and not {is_leaving('u.id')}"
        f" and exists (select 1 from events e where {_is_hosted_by('u.id')}) order by u.id",
        user_ids=list(user_ids),
    )
    return [user_of(row) for row in rows]


async def upcoming_events(reader: Reader, user_id: UserId, limit: int) -> list[Event]:
    """The public events of a host that are not over, ordered by start."""
    return await _hosted(reader, user_id, "e.over_at > :now order by e.starts_at, e.id", limit, now=reader.now)


async def upcoming_without_repeats(reader: Reader, user_id: UserId, limit: int) -> list[Event]:
    """Like ``upcoming_events``, with only the next date of each series."""
    first = is_first_of_series("e", _is_coming, by="over_at")
    condition = f"e.over_at > :now and {first} order by e.starts_at, e.id"
    return await _hosted(reader, user_id, condition, limit, now=reader.now)


async def past_events(reader: Reader, user_id: UserId, limit: int) -> list[Event]:
    """The past public events of a host, latest first."""
    return await _hosted(reader, user_id, "e.over_at <= :now order by e.starts_at desc, e.id", limit, now=reader.now)


async def events_since(
    reader: Reader, user_id: UserId, start: Instant, limit: int, *, besides: Sequence[str] = ()
) -> list[Event]:
    """The public events of a host from a time on, ordered by start, for calendar feeds. ``besides``: series whose dates
    are left out.
    """
    condition = "e.over_at > :start order by e.starts_at, e.id"
    if not besides:
        return await _hosted(reader, user_id, condition, limit, start=start)
    condition = f"(e.series_id is null or e.series_id not in :besides) and {condition}"
    return await _hosted(reader, user_id, condition, limit, start=start, besides=list(besides))


async def _hosted(reader: Reader, user_id: UserId, condition: str, limit: int, **values: object) -> list[Event]:
    rows = await reader.fetch(
        f"select {columns_of('e')} from events e where {_is_hosted_by(':user_id')} and {condition} limit :limit",
        user_id=user_id,
        limit=limit,
        **values,
    )
    return [event_of(row) for row in rows]


async def public_groups(reader: Reader, user_id: UserId, limit: int) -> list[Group]:
    """Public groups that the user is a member of, ordered by name. The caller checks whether the user shows them."""
    rows = await reader.fetch(
        f"""
        select {GROUP_COLUMNS} from groups g join group_members m on m.group_id = g.id
         where m.user_id = :user_id and m.role in :inside and g.deleted_at is null and g.visibility = 'public'
           and not {is_group_hidden("g")}
         order by g.search_text, g.id limit :limit
        """,
        user_id=user_id,
        inside=[role.value for role in INSIDE],
        limit=limit,
    )
    return [group_of(row) for row in rows]


async def put_follower(tx: Transaction, user_id: UserId, followed: UserId) -> None:
    await tx.execute(
        "insert into profile_followers (user_id, followed_id, created_at) values (:user_id, :followed, :now)"
        " on conflict (user_id, followed_id) do nothing",
        user_id=user_id,
        followed=followed,
        now=tx.now,
    )


async def drop_follower(tx: Transaction, user_id: UserId, followed: UserId) -> bool:
    deleted_count = await tx.execute(
        "delete from profile_followers where user_id = :user_id and followed_id = :followed",
        user_id=user_id,
        followed=followed,
    )
    return deleted_count == 1


async def is_following(reader: Reader, user_id: UserId, followed: UserId) -> bool:
    return followed in await followed_among(reader, user_id, [followed])


async def followed_among(reader: Reader, user_id: UserId, people: Sequence[UserId]) -> set[UserId]:
    """Those of these people whom the user follows."""
    rows = await reader.fetch(
        "select followed_id from profile_followers where user_id = :user_id and followed_id in :people",
        user_id=user_id,
        people=list(people),
    )
    return {UserId(row["followed_id"]) for row in rows}


async def followed_by(reader: Reader, user_id: UserId, page: Page = ALL_ROWS) -> list[tuple[UserId, Instant]]:
    """Profiles that a user follows, each with the time at which they started to follow it; newest first."""
    rows = await reader.fetch(
        "select followed_id, created_at from profile_followers"
        f" where user_id = :user_id{page.clause('created_at', 'followed_id')}",
        user_id=user_id,
        **page.values,
    )
    return [(UserId(row["followed_id"]), Instant(row["created_at"])) for row in rows]


async def followers(reader: Reader, followed: Sequence[UserId], since: Instant, after: str, limit: int) -> list[UserId]:
    """People who followed one of these users before ``since``, ordered by id, starting after ``after``.

    Leaves out pairs in which either has blocked the other.
    """
    rows = await reader.fetch(
        f"""
        select distinct f.user_id from profile_followers f
         where f.followed_id in :followed and f.created_at < :since and f.user_id > :after
           and not {is_block_between_sql("f.user_id", "f.followed_id")}
         order by f.user_id limit :limit
        """,
        followed=list(followed),
        since=since,
        after=after,
        limit=limit,
    )
    return [UserId(row["user_id"]) for row in rows]


async def drop_departed(tx: Transaction) -> int:
    """Delete follows from and of users whose accounts are gone."""
    return await tx.execute(
        f"delete from profile_followers where user_id in ({DEPARTED}) or followed_id in ({DEPARTED})"
    )


async def visible_profile(reader: Reader, user_id: UserId) -> User:
    """The host of a public profile. Raises NotFound, both for unknown users and for those who host nothing public."""
    person = await host(reader, user_id)
    if person is None:
        raise NotFound(GeneralReason.NO_SUCH_PERSON)
    return person


async def follow(tx: Transaction, caller: Caller, followed: UserId) -> None:
    """Follow a host. Idempotent. Raises NotFound, Refused (``Oneself``, ``NotWelcome``, ``TooMany``)."""
    person = await visible_profile(tx, followed)
    if person.id == caller.user_id:
        raise Refused(ProfileReason.CANNOT_FOLLOW_ONESELF, name="Oneself")
    await raise_if_blocked(tx, caller.user_id, person.id, refusal=ProfileReason.CANNOT_FOLLOW)
    # Requests at the same time would all count the same follows.
    await user_queries.lock(tx, caller.user_id)
    if await is_following(tx, caller.user_id, person.id):
        return
    if len(await followed_by(tx, caller.user_id)) >= MAX_FOLLOWED:
        raise Refused(ProfileReason.FOLLOWS_TOO_MANY, most=MAX_FOLLOWED, name="TooMany")
    await put_follower(tx, caller.user_id, person.id)


async def unfollow(tx: Transaction, caller: Caller, followed: UserId) -> None:
    """Stop following somebody, even if they no longer have a profile. Raises NotFound if they are not followed."""
    if not await drop_follower(tx, caller.user_id, followed):
        raise NotFound(ProfileReason.NOT_FOLLOWED)


async def _lock(tx: Transaction, event_id: str) -> Event | None:
    return await lock_for_update(tx, EventId(event_id))


async def _followers(tx: Transaction, event: Event, notice: HostEventNotice, after: str, limit: int) -> RecipientPage:
    if not await is_announced_to_strangers(tx, event):
        return NOBODY_LEFT
    hosts = [event.author_id, *(await co_hosts_of(tx, [event.id])).get(event.id, ())]
    people = await followers(tx, hosts, notice.since, after, limit + 1)
    page = people[:limit]
    to = await _unaware_of(tx, event, page)
    notices = [Notice(to, event.id, 1, Payload(), event.starts_at, sources=announced_sources(event))]
    return RecipientPage([(kinds.HOST_EVENT, notices)], None if len(people) <= limit else page[-1])


async def _unaware_of(reader: Reader, event: Event, people: Sequence[UserId]) -> list[UserId]:
    """The given users who have not learned of the event yet: they do not host it, have no RSVP or invitation, and were
    not notified of it by a group or a mention.
    """
    if not people:
        return []
    rows = await reader.fetch(
        """
        select u.id from users u where u.id in :people and u.id <> :author
           and not exists (select 1 from attendances a where a.event_id = :event_id and a.user_id = u.id)
           and not exists (select 1 from event_co_hosts h where h.event_id = :event_id and h.user_id = u.id)
           and not exists (select 1 from notifications t where t.user_id = u.id and t.subject_id = :event_id
                                                          and t.kind in ('group_event', 'mention'))
         order by u.id
        """,
        people=list(people),
        author=event.author_id,
        event_id=event.id,
    )
    return [UserId(row["id"]) for row in rows]


PROFILE_FOLLOWERS: Final = FanOutAudience("profile_followers", HostEventNotice, _lock, _followers)
