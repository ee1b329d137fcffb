"""SQL about owners who are not there: their newest trace, groups whose time has come, who was owner before."""

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader
from openmeet.domain.groups.invitation_queries import LOGGED, logged_of
from openmeet.domain.groups.model import Act, GroupId, Logged
from openmeet.domain.users.model import UserId

# What is kept of people anyway: the day on which they were here, signing in, reading news, changing their profile, doing something
# in a group. A program of theirs that asks by a token is no trace.
_TRACES = """
      select updated_at as at from users where id = {who}
      union all select seen_at from users where id = {who} and seen_at is not null
      union all select created_at from sessions where user_id = {who}
      union all select read_at from notifications where user_id = {who} and read_at is not null
      union all select created_at from group_roles_log where acted_by = {who} and note <> 'by the clock'
"""

_LAST_SEEN = f"select max(at) as at from ({_TRACES.format(who=':user_id')}) as traces"

# Those whose backup admin is in the group, and whose owner has left no trace for as long as the owner said.
_LEFT_ALONE = f"""
    select g.id from groups g
      join group_members m on m.group_id = g.id and m.user_id = g.backup_admin_id
       and m.role in ('admin', 'moderator', 'member')
     where g.deleted_at is null and g.succession_asked_at is null and g.backup_admin_id <> g.owner_id
       and coalesce((select max(at) from ({_TRACES.format(who="g.owner_id")}) as traces), 0)
           <= :now - cast(g.absence_days as bigint) * {DAY}
     order by g.id
"""

_IN_SUCCESSION = """
    select id from groups where deleted_at is null and succession_asked_at is not null order by succession_asked_at, id
"""


async def last_seen(reader: Reader, user_id: UserId) -> Instant:
    """The newest trace of a person."""
    row = await reader.fetch_one(_LAST_SEEN, user_id=user_id)
    return Instant(row["at"]) if row and row["at"] is not None else Instant(0)


async def left_alone(reader: Reader) -> list[GroupId]:
    """Groups whose backup admin is to take over, and of whose owner nobody has seen anything for long enough."""
    return [GroupId(row["id"]) for row in await reader.fetch(_LEFT_ALONE, now=reader.now)]


async def in_succession(reader: Reader) -> list[GroupId]:
    """Groups in which somebody is to take over, the longest waiting first."""
    return [GroupId(row["id"]) for row in await reader.fetch(_IN_SUCCESSION)]


async def last_change_of_owner(reader: Reader, group_id: GroupId) -> Logged | None:
    """The line about who was owner before the present one, if they lost it to a take-over; None after a willing change."""
    row = await reader.fetch_one(
        f"select {LOGGED} from group_roles_log where group_id = :group_id and role_before = 'owner'"
        " and role_after <> 'owner' order by created_at desc, id desc limit 1",
        group_id=group_id,
    )
    found = logged_of(row) if row else None
    return found if found is not None and found.act is Act.TAKEN_OVER else None
