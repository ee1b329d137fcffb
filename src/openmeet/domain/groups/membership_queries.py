"""SQL over many memberships and groups: members by role, a user's groups, lists and search, imported groups."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.clock import Instant
from groundwork.database.expressions import escape_like, qualified
from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.groups.model import INSIDE, Group, GroupId, GroupRole, MemberId, Membership, roles_sql
from openmeet.domain.groups.queries import COLUMNS, MEMBER_COLUMNS, group_of, is_hidden, member_of
from openmeet.domain.groups.rules import GroupPermission, roles_with
from openmeet.domain.moderation.blocks import is_out_of_lists, is_unwelcome
from openmeet.domain.moderation.visibility import NOT_HIDING
from openmeet.domain.notifications.preferences import AT_ONCE
from openmeet.domain.users.erasure_requests import is_leaving
from openmeet.domain.users.model import UserId
from openmeet.i18n.markdown import folded

_INSIDE = [role.value for role in INSIDE]
_COLUMNS = qualified(MEMBER_COLUMNS, "m")


async def ids_in_roles(
    reader: Reader, group_id: GroupId, roles: Sequence[GroupRole], *, only_notified: bool
) -> list[UserId]:
    """Ids of everyone who has one of these roles. ``only_notified``: only people who want notifications."""
    listening = " and notifications_enabled = 1" if only_notified else ""
    rows = await reader.fetch(
        f"select user_id from group_members where group_id = :group_id and role in :roles{listening} order by user_id",
        group_id=group_id,
        roles=[role.value for role in roles],
    )
    return [UserId(row["user_id"]) for row in rows]


async def members_in_order(
    reader: Reader, group_id: GroupId, *, after: UserId, limit: int
) -> list[tuple[UserId, bool]]:
    """Return the next page of members, ordered by user id, each with whether they want notifications."""
    rows = await reader.fetch(
        "select user_id, notifications_enabled from group_members"
        " where group_id = :group_id and role in :inside and user_id > :after order by user_id limit :limit",
        group_id=group_id,
        inside=_INSIDE,
        after=after,
        limit=limit,
    )
    return [(UserId(row["user_id"]), bool(row["notifications_enabled"])) for row in rows]


# Nobody is in both: a member who also follows the group counts as a member.
LISTENING_MEMBERS: Final = """
    select m.user_id from group_members m
     where m.group_id = :group_id and m.role in :inside and m.notifications_enabled = 1
"""
LISTENING_FOLLOWERS: Final = """
    select f.user_id from group_followers f
     where f.group_id = :group_id and f.notifications_enabled = 1
       and not exists (select 1 from group_members m where m.group_id = f.group_id and m.user_id = f.user_id
                        and m.role in :inside_or_banned)
"""


def listening_in(group_id: GroupId, *, with_followers: bool = True) -> dict[str, object]:
    """The parameters of ``LISTENING_MEMBERS`` and, ``with_followers``, of ``LISTENING_FOLLOWERS``."""
    of_members: dict[str, object] = {"group_id": group_id, "inside": _INSIDE}
    return of_members | ({"inside_or_banned": [*_INSIDE, GroupRole.BANNED.value]} if with_followers else {})


async def listeners(reader: Reader, group_id: GroupId, *, after: UserId, limit: int) -> list[UserId]:
    """Return the next page of members and followers who want notifications, ordered by user id."""
    rows = await reader.fetch(
        f"""
        select user_id from ({LISTENING_MEMBERS} and m.user_id > :after order by m.user_id limit :limit) members
        union
        select user_id from ({LISTENING_FOLLOWERS} and f.user_id > :after order by f.user_id limit :limit) followers
        order by user_id limit :limit
        """,
        **listening_in(group_id),
        after=after,
        limit=limit,
    )
    return [UserId(row["user_id"]) for row in rows]


async def members_by_ids(reader: Reader, member_ids: Sequence[str]) -> dict[MemberId, Membership]:
    """Return memberships by membership id."""
    if not member_ids:
        return {}
    rows = await reader.fetch(
        f"select {MEMBER_COLUMNS} from group_members where id in :ids order by id", ids=list(dict.fromkeys(member_ids))
    )
    return {one.id: one for one in map(member_of, rows)}


async def memberships_of(reader: Reader, user_id: UserId) -> list[Membership]:
    """Return all memberships of a person, except in deleted groups."""
    rows = await reader.fetch(
        f"select {_COLUMNS} from group_members m join groups g on g.id = m.group_id"
        " where m.user_id = :user_id and g.deleted_at is null order by m.group_id",
        user_id=user_id,
    )
    return [member_of(row) for row in rows]


async def other_members_by_seniority(reader: Reader, group_id: GroupId, *, besides: UserId) -> list[Membership]:
    """Return the other members by rank, and within a rank by how long they have been members.

    Leaves out ``besides``, people without an account, and people who are deleting theirs.
    """
    rank = " ".join(f"when '{role.value}' then {number}" for number, role in enumerate(INSIDE))
    rows = await reader.fetch(
        f"select {_COLUMNS} from group_members m join users u on u.id = m.user_id and u.kind = 'person'"
        f" where m.group_id = :group_id and m.user_id <> :besides and m.role in :inside and not {is_leaving('m.user_id')}"
        f" order by case m.role {rank} end, m.joined_at, m.id",
        group_id=group_id,
        besides=besides,
        inside=[role.value for role in INSIDE],
    )
    return [member_of(row) for row in rows]


def is_unwelcome_at(host: str, group: str, other: str) -> str:
    """SQL condition: this user is unwelcome at an event of this host.

    ``is_unwelcome`` holds, or the event's group (a column, null if there is none) has banned the user, who is not the
    host.
    """
    banned = (
        f"select 1 from group_members gb where gb.group_id = {group} and gb.user_id = {other} "
        f"and gb.role = '{GroupRole.BANNED}'"
    )
    return f"({is_unwelcome(host, other)} or {host} <> {other} and exists ({banned}))"


async def is_involved(reader: Reader, group_id: GroupId, user_id: UserId) -> bool:
    """Whether the person answered an event of the group, hosts one, follows the group or one of its series, or wrote in
    one of its chats. The people who run the group may see the names of those whom they ban. Otherwise they would learn
    the name of any user whose id they know.
    """
    row = await reader.fetch_one(
        """
        select 1 as found from users u where u.id = :user_id and (
          exists (select 1 from attendances a join events e on e.id = a.event_id
                   where a.user_id = u.id and e.group_id = :group_id)
          or exists (select 1 from event_co_hosts h join events e on e.id = h.event_id
                      where h.user_id = u.id and e.group_id = :group_id)
          or exists (select 1 from events e where e.author_id = u.id and e.group_id = :group_id)
          or exists (select 1 from group_followers f where f.user_id = u.id and f.group_id = :group_id)
          or exists (select 1 from event_series_followers f join event_series s on s.id = f.series_id
                      where f.user_id = u.id and s.group_id = :group_id)
          or exists (select 1 from chat_messages m join chat_rooms r on r.id = m.room_id
                       left join events e on e.id = r.event_id left join event_series s on s.id = r.series_id
                      where m.user_id = u.id and :group_id in (r.group_id, e.group_id, s.group_id)))
        """,
        group_id=group_id,
        user_id=user_id,
    )
    return row is not None


async def put_follower(tx: Transaction, group_id: GroupId, user_id: UserId, *, notifications_enabled: bool) -> None:
    """Add this person to the group's followers, or turn their notifications on or off."""
    await tx.execute(
        """
        insert into group_followers (group_id, user_id, notifications_enabled, created_at, updated_at)
        values (:group_id, :user_id, :enabled, :now, :now)
            on conflict (group_id, user_id) do update
           set notifications_enabled = excluded.notifications_enabled, updated_at = excluded.updated_at
        """,
        group_id=group_id,
        user_id=user_id,
        enabled=int(notifications_enabled),
        now=tx.now,
    )


async def is_following(reader: Reader, group_id: GroupId, user_id: UserId) -> bool:
    row = await reader.fetch_one(
        "select 1 as found from group_followers where group_id = :group_id and user_id = :user_id",
        group_id=group_id,
        user_id=user_id,
    )
    return row is not None


async def count_followers(reader: Reader, group_id: GroupId) -> int:
    row = await reader.fetch_one(
        "select count(*) as followers from group_followers where group_id = :group_id", group_id=group_id
    )
    return int(row["followers"]) if row else 0


async def end_following(tx: Transaction, group_id: GroupId, user_id: UserId) -> None:
    """Remove this person from the group's followers."""
    await tx.execute(
        "delete from group_followers where group_id = :group_id and user_id = :user_id",
        group_id=group_id,
        user_id=user_id,
    )


def follows_group_of(host: str, person: str) -> str:
    """SQL condition: this person follows a group that this host owns."""
    return (
        "exists (select 1 from group_followers f join groups g on g.id = f.group_id"
        f" where f.user_id = {person} and g.owner_id = {host})"
    )


async def end_following_of_host(tx: Transaction, host: UserId, user_id: UserId) -> None:
    """Remove this person from the followers of all groups owned by somebody who blocks them."""
    await tx.execute(
        "delete from group_followers where user_id = :user_id and group_id in (select id from groups "
        "where owner_id = :host)",
        user_id=user_id,
        host=host,
    )


async def roles_of(reader: Reader, group_id: GroupId, user_ids: Sequence[UserId]) -> dict[UserId, GroupRole]:
    """Return the role that each of these people has in a group."""
    role_by_user: dict[UserId, GroupRole] = {}
    for start in range(0, len(user_ids), AT_ONCE):
        rows = await reader.fetch(
            "select user_id, role from group_members where group_id = :group_id and user_id in :user_ids"
            " order by user_id",
            group_id=group_id,
            user_ids=list(user_ids[start : start + AT_ONCE]),
        )
        role_by_user |= {UserId(row["user_id"]): GroupRole(row["role"]) for row in rows}
    return role_by_user


# Lists without a search show a group managed in another app only if somebody with a local account is a member or has
# asked to join. Records cost nothing, so anybody could write thousands and flood these lists. As with events, a search
# finds all of them.
IS_KNOWN = (
    "(g.is_read_only = 0 or exists (select 1 from group_members km join users ku on ku.id = km.user_id "
    "and ku.kind = 'person' where km.group_id = g.id and km.role in "
    f"({roles_sql((GroupRole.MEMBER, GroupRole.PENDING))})))"
)

# The account that owns a group managed in another app is held for review as a new account, or hidden. Its events are
# treated the same way.
_WAITS = (
    "(g.is_read_only = 1 and exists (select 1 from identities wi join moderation_states ws on ws.subject = wi.did"
    f" where wi.user_id = g.owner_id and ws.state not in ({NOT_HIDING})))"
)

# A real search has fewer words. Each word is one more `like` over the same rows.
_MAX_WORDS = 8


@dataclass(frozen=True, slots=True)
class ListedGroup:
    """A group in a list, with its number of members and the viewer's role."""

    group: Group
    members: int
    role: GroupRole | None


async def listed(
    reader: Reader,
    words: Sequence[str],
    viewer: UserId | None,
    *,
    after: tuple[str, str] | None,
    limit: int,
    asks_all: bool = False,
    is_created_here: bool | None = None,
) -> list[ListedGroup]:
    """Public groups whose text contains all of these words, ordered by name.

    ``after``: folded text and id of the last group on the previous page. ``asks_all``: include groups managed in
    another app that have no member with a local account; a search with words always includes them. ``is_created_here``:
    True for only groups created on this site, False for only groups managed in another app.
    """
    clauses = [
        "g.deleted_at is null",
        "g.visibility = 'public'",
        f"not {is_hidden('g')}",
        f"not {_WAITS}" if asks_all or words else IS_KNOWN,
        f"not {is_out_of_lists('g.owner_id', 'g.id')}",
    ]
    values: dict[str, object] = {"viewer": viewer or "", "limit": limit, "inside": _INSIDE}
    if is_created_here is not None:
        clauses.append(f"g.is_read_only = {int(not is_created_here)}")
    for number, word in enumerate(words[:_MAX_WORDS]):
        clauses.append(f"g.search_text like :word{number} escape '!'")
        values[f"word{number}"] = f"%{escape_like(folded(word))}%"
    if after is not None:
        clauses.append("(g.search_text, g.id) > (:after_text, :after_id)")
        values |= {"after_text": after[0], "after_id": after[1]}
    return await _listed(reader, " and ".join(clauses), values)


async def public_names(reader: Reader, limit: int) -> list[str]:
    """Names of public groups, from which callers extract words."""
    rows = await reader.fetch(
        f"select g.name from groups g where g.deleted_at is null and g.visibility = 'public' and not {is_hidden('g')}"
        f" and not {_WAITS} order by g.search_text, g.id limit :limit",
        limit=limit,
    )
    return [row["name"] for row in rows]


async def of_user(
    reader: Reader, user_id: UserId, *, limit: int, after: tuple[str, str] | None = None
) -> list[ListedGroup]:
    """Groups that a person belongs to or has asked to join, ordered by name.

    ``after``: text and id of the last row of the previous page.
    """
    is_in_common = (
        "exists (select 1 from group_members o where o.group_id = g.id and o.user_id = :viewer and o.role in :roles)"
    )
    values: dict[str, object] = {
        "viewer": user_id,
        "limit": limit,
        "inside": _INSIDE,
        "roles": [*_INSIDE, GroupRole.PENDING.value],
        "administering": [role.value for role in roles_with(GroupPermission.EDIT_GROUP)],
    }
    clauses = ["g.deleted_at is null", is_in_common, f"(not {is_hidden('g')} or m.role in :administering)"]
    if after is not None:
        clauses.append("(g.search_text, g.id) > (:after_text, :after_id)")
        values |= {"after_text": after[0], "after_id": after[1]}
    return await _listed(reader, " and ".join(clauses), values)


async def _listed(reader: Reader, clause: str, values: dict[str, object]) -> list[ListedGroup]:
    rows = await reader.fetch(
        f"""
        select {COLUMNS}, m.role as my_role,
               (select count(*) from group_members c where c.group_id = g.id and c.role in :inside
                   and not {is_leaving("c.user_id")}) as people
          from groups g left join group_members m on m.group_id = g.id and m.user_id = :viewer
         where {clause}
         order by g.search_text, g.id limit :limit
        """,
        **values,
    )
    return [
        ListedGroup(group_of(row), int(row["people"]), GroupRole(row["my_role"]) if row["my_role"] else None)
        for row in rows
    ]


async def followed_by(reader: Reader, user_id: UserId, *, limit: int) -> list[ListedGroup]:
    """Groups that a person follows without being a member, ordered by name, except groups hidden from them."""
    followed = "exists (select 1 from group_followers f where f.group_id = g.id and f.user_id = :viewer)"
    outside = (
        "not exists (select 1 from group_members o where o.group_id = g.id and o.user_id = :viewer "
        "and o.role in :inside)"
    )
    values: dict[str, object] = {"viewer": user_id, "limit": limit, "inside": _INSIDE}
    return await _listed(
        reader,
        f"g.deleted_at is null and g.visibility <> 'private' and not {is_hidden('g')} and {followed} and {outside}",
        values,
    )


async def set_slug_and_creation_time(
    tx: Transaction, group_id: GroupId, *, slug: str, created_at: Instant | None
) -> None:
    """Set the creation time and slug of a group that an import just inserted.

    A slug that is or was in use is not set.
    """
    await tx.execute(
        """
        update groups
           set created_at = coalesce(:created_at, created_at),
               slug = case when :slug = '' or exists (select 1 from groups o where o.slug = :slug)
                             or exists (select 1 from group_slugs s where s.slug = :slug)
                           then slug else :slug end
         where id = :id
        """,
        id=group_id,
        slug=slug,
        created_at=created_at,
    )


async def erase_members(tx: Transaction, member_ids: Sequence[str]) -> None:
    """Erase imported memberships."""
    await tx.execute_many("delete from group_members where id = :id", [{"id": one} for one in member_ids])


async def erase(tx: Transaction, group_ids: Sequence[GroupId]) -> None:
    """Erase imported groups. Their events must have been erased before."""
    named = [{"id": one} for one in group_ids]
    for table in ("group_members", "group_roles_log", "group_slugs"):
        await tx.execute_many(f"delete from {table} where group_id = :id", named)
    await tx.execute_many("delete from groups where id = :id", named)
