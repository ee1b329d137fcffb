"""Two people turn out to be one: what the one is in groups becomes the other's.

Who stays gets the more trusted of both standings, and a ban of either: nobody comes back by being merged. Only an owner stays owner,
because no group is without one.
"""

from dataclasses import replace
from typing import Final

from groundwork.database.transaction import Transaction
from openmeet.domain.groups import calendar_feeds, invitation_queries, people, queries
from openmeet.domain.groups.model import Act, Membership, Role
from openmeet.domain.groups.promotion import speaker_of
from openmeet.domain.users.merge import hand_over, hand_over_unique
from openmeet.domain.users.model import UserId
from openmeet.outbox import publication_moves, publications
from openmeet.outbox.publications import Kind

# The first that either has is what stays.
_ORDER: Final = (
    Role.OWNER,
    Role.BANNED,
    Role.ADMIN,
    Role.MODERATOR,
    Role.MEMBER,
    Role.PENDING,
    Role.LEFT,
    Role.DECLINED,
)

_NAMED: Final = (
    ("groups", "owner_id"),
    ("groups", "created_by"),
    ("groups", "account_id"),
    ("groups", "successor_id"),
    ("groups", "backup_admin_id"),
    ("groups", "heir_id"),
    ("group_members", "decided_by"),
    ("group_invitations", "invited_by"),
    ("group_roles_log", "user_id"),
    ("group_roles_log", "acted_by"),
    ("group_follows", "followed_by"),
    ("group_announcements", "author_id"),
    ("group_announcements", "removed_by"),
)


async def reassign(tx: Transaction, from_user: UserId, to_user: UserId) -> int:
    """Everything of groups that names the one names the other; how many standings were merged."""
    merged = 0
    for theirs in await people.standings_of(tx, from_user):
        await queries.lock(tx, theirs.group_id)
        mine = await queries.find_member(tx, theirs.group_id, to_user)
        if mine is not None:
            await _merge(tx, theirs, mine)
            merged += 1
    await hand_over_unique(tx, "group_members", "user_id", ("group_id",), from_user, to_user)
    await hand_over_unique(tx, "group_followers", "user_id", ("group_id",), from_user, to_user)
    await calendar_feeds.reassign(tx, from_user, to_user)
    # A key protects one person's form from being sent twice: it protects nobody's any more.
    await tx.execute("update groups set submission_key = null where created_by = :user_id", user_id=from_user)
    for table, column in _NAMED:
        await hand_over(tx, table, column, from_user, to_user)
    return merged


async def _merge(tx: Transaction, theirs: Membership, mine: Membership) -> None:
    role = min(theirs.role, mine.role, key=_ORDER.index)
    # First out, then up: the database lets there be one owner at any moment.
    await tx.execute("delete from group_members where id = :id", id=theirs.id)
    is_said = theirs.sync_enabled or theirs.statement_uri is not None
    if role is mine.role and not is_said:
        return
    since = [one.joined_at for one in (theirs, mine) if one.joined_at is not None]
    stays = replace(
        mine,
        role=role,
        joined_at=min(since, default=None),
        revision=max(mine.revision, theirs.revision) + 1,
        sync_enabled=mine.sync_enabled or theirs.sync_enabled,
        statement_uri=mine.statement_uri or theirs.statement_uri,
        network_role=mine.network_role or theirs.network_role,
    )
    await queries.put_member(tx, stays)
    for kind in (Kind.MEMBERSHIP, Kind.ACCEPTANCE):
        if is_said and await publications.promised_among(tx, kind, [theirs.id]):
            joined = publication_moves.Joined(mine.id, theirs.id, stays.revision + 1, tx.now)
            await publication_moves.join_subjects(tx, kind, [joined], await _of_whom(tx, kind, stays))
    if role is mine.role:
        return
    await invitation_queries.log(
        tx, mine.group_id, mine.user_id, Act.ROLE_CHANGED, by=mine.user_id, before=mine.role, after=role, note="merged"
    )


async def _of_whom(tx: Transaction, kind: Kind, stays: Membership) -> UserId:
    """Whose repository the record stands in: the member's own, or that which speaks for the group."""
    group = None if kind is Kind.MEMBERSHIP else await queries.by_id(tx, stays.group_id)
    return stays.user_id if group is None else speaker_of(group)
