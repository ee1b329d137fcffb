"""DIDs that a group follows: their public events appear in the group."""

from at_protocol.syntax.did import Did, parse_did
from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import InvalidForm, Refused
from groundwork.outbox.jobs import enqueue_again
from openmeet.domain.groups import audit_log
from openmeet.domain.groups.actions import lock_for
from openmeet.domain.groups.model import MAX_FOLLOWED, GroupId, GroupLogAction, GroupSlug
from openmeet.domain.groups.reasons import GroupReason
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.identities.actions import person_for_did
from openmeet.domain.paging import ALL_ROWS, Page
from openmeet.domain.users.model import Caller, UserId
from openmeet.outbox.kinds import JobKind


async def follow(tx: Transaction, caller: Caller, slug: GroupSlug, text: str) -> Did:
    """Follow a DID: its repository is read, and its public events appear in the group.

    Raises NotFound, Forbidden, InvalidForm (``did``), Refused (``FollowsEnough``).
    """
    group, _ = await lock_for(tx, caller, slug, GroupPermission.FOLLOW)
    try:
        did = parse_did(text.strip())
    except ValueError:
        raise InvalidForm({"did": GroupReason.MALFORMED_DID}) from None
    if did.split(":")[1] not in {"plc", "web"}:
        raise InvalidForm({"did": GroupReason.MALFORMED_DID})
    followed = [did for did, _ in await of_group(tx, group.id)]
    if did in followed:
        return did
    if len(followed) >= MAX_FOLLOWED:
        raise Refused(GroupReason.FOLLOWS_TOO_MANY, most=MAX_FOLLOWED, name="FollowsEnough")
    await _insert(tx, group.id, did, caller.user_id)
    await person_for_did(tx, did)
    await enqueue_again(tx, JobKind.BACKFILL, [did])
    await audit_log.add(tx, group.id, caller.user_id, GroupLogAction.DID_FOLLOWED, by=caller.user_id, note=did)
    return did


async def unfollow(tx: Transaction, caller: Caller, slug: GroupSlug, did: str) -> None:
    """Stop following a DID. Idempotent. Raises NotFound, Forbidden."""
    group, _ = await lock_for(tx, caller, slug, GroupPermission.FOLLOW)
    if await _delete(tx, group.id, did):
        await audit_log.add(tx, group.id, caller.user_id, GroupLogAction.DID_UNFOLLOWED, by=caller.user_id, note=did)


async def of_group(reader: Reader, group_id: GroupId, page: Page = ALL_ROWS) -> list[tuple[str, Instant]]:
    """Return the DIDs that the group follows, with the time at which it started to follow them, newest first."""
    rows = await reader.fetch(
        f"select did, created_at from group_follows where group_id = :group_id{page.clause('created_at', 'did')}",
        group_id=group_id,
        **page.values,
    )
    return [(row["did"], Instant(row["created_at"])) for row in rows]


async def forget_did(tx: Transaction, did: str) -> None:
    """Remove the DID of a deleted account from every group that follows it or has it as backup admin."""
    await tx.execute("delete from group_follows where did = :did", did=did)
    await tx.execute("update groups set backup_admin_did = null where backup_admin_did = :did", did=did)


async def _insert(tx: Transaction, group_id: GroupId, did: str, by: UserId) -> None:
    await tx.execute(
        "insert into group_follows (group_id, did, followed_by, created_at) values (:group_id, :did, :by, :now)"
        " on conflict (group_id, did) do nothing",
        group_id=group_id,
        did=did,
        by=by,
        now=tx.now,
    )


async def _delete(tx: Transaction, group_id: GroupId, did: str) -> bool:
    """Stop following a DID. Returns False if the group does not follow it."""
    gone = await tx.execute(
        "delete from group_follows where group_id = :group_id and did = :did", group_id=group_id, did=did
    )
    return gone == 1
