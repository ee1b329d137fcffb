"""Ownership of groups: offer and acceptance, and succession when the owner has left or is absent."""

from dataclasses import replace

from at_protocol.syntax.did import Did
from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import Forbidden, InvalidForm, NotFound, Refused, Why
from groundwork.isolation import each_with_backoff
from openmeet.domain.groups import audit_log, membership_queries, notify, queries, rules
from openmeet.domain.groups.actions import delete_locked, lock_for, lock_visible
from openmeet.domain.groups.model import (
    BELOW_OWNER,
    INSIDE,
    LAST_CALL_MAIL,
    LONGEST_ABSENCE,
    LONGEST_WAIT,
    REMINDED_BEFORE,
    SHORTEST_ABSENCE,
    SHORTEST_WAIT,
    SUCCESSION_MAIL,
    Group,
    GroupId,
    GroupLogAction,
    GroupLogEntry,
    GroupOffer,
    GroupRole,
    GroupSlug,
    GroupSuccession,
    Membership,
    SuccessionPlan,
    roles_sql,
)
from openmeet.domain.groups.publication_settings import move_records
from openmeet.domain.groups.reasons import GroupReason
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.queries import of_user
from openmeet.domain.moderation.blocks import apply_to_new_host, raise_if_blocked
from openmeet.domain.users.model import Caller, UserId
from openmeet.outbox.emails import enqueue_email


async def offer(tx: Transaction, caller: Caller, slug: GroupSlug, to: UserId) -> Group:
    """Offer the ownership to a member. A new offer replaces the previous one. Raises NotFound, Forbidden, Refused."""
    group, _ = await lock_for(tx, caller, slug, GroupPermission.TRANSFER)
    if to == caller.user_id:
        raise Refused(GroupReason.ONE_OWNER, name="OneOwner")
    heir = await _require_member(tx, group, to)
    await raise_if_blocked(tx, caller.user_id, to, refusal=GroupReason.CANNOT_OFFER)
    if group.offer is not None and group.offer.heir_id == to:
        return group
    after = replace(group, offer=GroupOffer(to, tx.now), revision=group.revision + 1, updated_at=tx.now)
    await queries.update(tx, after)
    await audit_log.add(
        tx, group.id, to, GroupLogAction.OWNERSHIP_OFFERED, by=caller.user_id, before=heir.role, after=heir.role
    )
    await notify.of_ownership(tx, after, [to], what="offered", who=caller.user_id)
    return after


async def end_offer(tx: Transaction, caller: Caller, slug: GroupSlug) -> Group:
    """End an offer: the owner withdraws it, or the addressee declines. Raises NotFound, Forbidden."""
    group, _ = await lock_visible(tx, caller, slug)
    if group.offer is None:
        return group
    if caller.user_id not in {group.owner_id, group.offer.heir_id}:
        raise Forbidden(GroupReason.ONLY_PARTIES_END_OFFER)
    after = replace(group, offer=None, revision=group.revision + 1, updated_at=tx.now)
    await queries.update(tx, after)
    await audit_log.add(tx, group.id, group.offer.heir_id, GroupLogAction.OFFER_ENDED, by=caller.user_id)
    if caller.user_id != group.owner_id:
        await notify.of_ownership(tx, after, [group.owner_id], what="declined", who=caller.user_id)
    return after


async def accept_offer(tx: Transaction, caller: Caller, slug: GroupSlug) -> Group:
    """Accept an offer: the addressee becomes owner, and the former owner becomes an admin.

    Raises NotFound, Refused (``NotOffered``).
    """
    group, _ = await lock_visible(tx, caller, slug)
    if group.offer is None or group.offer.heir_id != caller.user_id:
        raise Refused(GroupReason.NOT_OFFERED, name="NotOffered")
    after = await _change_owner(tx, group, caller.user_id, GroupLogAction.HANDED_OVER, by=caller.user_id)
    await notify.of_ownership(tx, after, [group.owner_id], what="accepted", who=caller.user_id)
    return after


async def arrange(
    tx: Transaction, caller: Caller, slug: GroupSlug, backup: UserId | None, *, absence_days: int, wait_days: int
) -> Group:
    """Set the backup admin, and how long the owner must be absent before they take over.

    Raises NotFound, Forbidden, Refused, InvalidForm.
    """
    group, _ = await lock_for(tx, caller, slug, GroupPermission.TRANSFER)
    problems: dict[str, Why] = {}
    if not SHORTEST_ABSENCE <= absence_days <= LONGEST_ABSENCE:
        problems["absence_days"] = GroupReason.ABSENCE_OUT_OF_RANGE(
            shortest_absence=SHORTEST_ABSENCE, longest_absence=LONGEST_ABSENCE
        )
    if not SHORTEST_WAIT <= wait_days <= LONGEST_WAIT:
        problems["wait_days"] = GroupReason.WAIT_OUT_OF_RANGE(shortest_wait=SHORTEST_WAIT, longest_wait=LONGEST_WAIT)
    if backup == caller.user_id:
        problems["backup"] = GroupReason.ALREADY_YOURS
    if problems:
        raise InvalidForm(problems)
    did = None
    if backup is not None:
        await _require_member(tx, group, backup)
        if backup != group.succession_plan.backup_admin_id:
            await raise_if_blocked(tx, caller.user_id, backup, refusal=GroupReason.CANNOT_NAME)
        did = next((one.did for one in await of_user(tx, backup)), None)
    plan = SuccessionPlan(backup, did, absence_days, wait_days)
    if plan == group.succession_plan:
        return group
    after = replace(group, succession_plan=plan, revision=group.revision + 1, updated_at=tx.now)
    await queries.update(tx, after)
    await audit_log.add(tx, group.id, backup or caller.user_id, GroupLogAction.SUCCESSION_ARRANGED, by=caller.user_id)
    if backup is not None and backup != group.succession_plan.backup_admin_id:
        await notify.of_ownership(tx, after, [backup], what="backup", who=caller.user_id)
    return after


async def ask(tx: Transaction, caller: Caller, slug: GroupSlug) -> Group:
    """Ask to take over from an absent owner, as the highest-ranking member or the backup admin.

    Asking again does not restart the waiting period. Raises NotFound, Forbidden, Refused.
    """
    group, role = await lock_for(tx, caller, slug, GroupPermission.TAKE_OVER)
    if group.succession is not None:
        if group.succession.successor_id == caller.user_id:
            return group
        raise Refused(GroupReason.ASKED_ALREADY, name="AskedAlready")
    backup = group.succession_plan.backup_admin_id
    if backup != caller.user_id:
        others = [
            one.role
            for one in await membership_queries.other_members_by_seniority(tx, group.id, besides=group.owner_id)
        ]
        if others and rules.ranks_above(others[0], role):
            raise Refused(GroupReason.NOT_NEXT_IN_LINE, name="NotNextInLine")
    if not rules.is_absent(await last_seen(tx, group.owner_id), tx.now, after=group.succession_plan.absence):
        raise Refused(GroupReason.OWNER_IS_HERE, name="OwnerIsHere")
    return await _begin(tx, group, caller.user_id, role)


async def stop(tx: Transaction, caller: Caller, slug: GroupSlug) -> Group:
    """Stop a succession: the owner objects, or the person who asked withdraws. Raises NotFound, Forbidden."""
    group, _ = await lock_visible(tx, caller, slug)
    succession = group.succession
    if succession is None:
        return group
    if caller.user_id not in {group.owner_id, succession.successor_id}:
        raise Forbidden(GroupReason.ONLY_PARTIES_END_REQUEST)
    return await _stop(tx, group, succession, by=caller.user_id)


async def take_over(tx: Transaction, caller: Caller, slug: GroupSlug) -> Group:
    """Once the waiting period is over, make the person who asked for the take-over the new owner. Raises NotFound,
    Forbidden, Refused.
    """
    group, _ = await lock_for(tx, caller, slug, GroupPermission.TAKE_OVER)
    seen = await last_seen(tx, group.owner_id)
    rules.require_succession_over(
        group, caller.user_id, owner_seen_at=seen, now=tx.now, wait=group.succession_plan.wait
    )
    return await _complete(tx, group, caller.user_id)


async def reclaim_ownership(tx: Transaction, caller: Caller, slug: GroupSlug) -> Group:
    """Return the group to the owner it was taken over from. Raises NotFound, Refused."""
    group, membership = await lock_visible(tx, caller, slug)
    rules.require_returnable(await last_change_of_owner(tx, group.id), caller.user_id, membership)
    after = await _change_owner(tx, group, caller.user_id, GroupLogAction.TAKEN_BACK, by=caller.user_id)
    await notify.of_ownership(tx, after, [group.owner_id], what="taken_back", who=caller.user_id)
    return after


async def start_when_due(tx: Transaction, group_id: GroupId) -> bool:
    """Start the backup admin's succession if the owner has been absent long enough. Returns whether it started."""
    group = await queries.lock(tx, group_id)
    backup = group.succession_plan.backup_admin_id if group else None
    if group is None or backup is None or group.deleted_at is not None or group.succession is not None:
        return False
    member = await queries.find_member(tx, group.id, backup)
    if member is None or member.role not in BELOW_OWNER:
        return False
    if not rules.is_absent(await last_seen(tx, group.owner_id), tx.now, after=group.succession_plan.absence):
        return False
    await _begin(tx, group, backup, member.role, note=audit_log.BY_CLOCK)
    return True


async def advance(tx: Transaction, group_id: GroupId) -> GroupLogAction | None:
    """Advance a succession: complete it, stop it (the owner was active, or the successor left), or send the second
    e-mail.
    """
    group = await queries.lock(tx, group_id)
    succession = group.succession if group else None
    if group is None or succession is None or group.deleted_at is not None:
        return None
    member = await queries.find_member(tx, group.id, succession.successor_id)
    if member is None or member.role not in INSIDE:
        await _stop(tx, group, succession, by=succession.successor_id, note=audit_log.BY_CLOCK)
        return GroupLogAction.SUCCESSION_STOPPED
    if await last_seen(tx, group.owner_id) > succession.asked_at:
        await _stop(tx, group, succession, by=group.owner_id, note=audit_log.BY_CLOCK)
        return GroupLogAction.SUCCESSION_STOPPED
    if tx.now - succession.asked_at >= group.succession_plan.wait:
        await _complete(tx, group, succession.successor_id, note=audit_log.BY_CLOCK)
        return GroupLogAction.TAKEN_OVER
    if succession.reminded_at is None and tx.now - succession.asked_at >= group.succession_plan.wait - REMINDED_BEFORE:
        after = replace(group, succession=replace(succession, reminded_at=tx.now))
        await queries.update(tx, after)
        await enqueue_email(
            tx, kind=LAST_CALL_MAIL, person=group.owner_id, subject_id=group.id, revision=group.revision
        )
    return None


async def remove_person(tx: Transaction, user_id: UserId) -> None:
    """``remove_from_group`` for every group of a person."""
    for membership in await membership_queries.memberships_of(tx, user_id):
        await remove_from_group(tx, membership.group_id, user_id)


async def remove_from_group(tx: Transaction, group_id: GroupId, user_id: UserId) -> None:
    """Remove a person whose account is deleted from a group. Idempotent.

    If they own it, it passes at once to the backup admin, or to the highest-ranking, longest-standing member. A group
    without other members is deleted.
    """
    group = await queries.lock(tx, group_id)
    membership = await queries.find_member(tx, group_id, user_id)
    if group is None or membership is None or group.deleted_at is not None:
        return
    if membership.role is GroupRole.OWNER:
        heirs = await membership_queries.other_members_by_seniority(tx, group.id, besides=user_id)
        successors = [one for one in heirs if one.user_id == group.succession_plan.backup_admin_id] or heirs
        if not successors:
            await delete_locked(tx, group, by=user_id)
            return
        group = await _change_owner(tx, group, successors[0].user_id, GroupLogAction.PASSED_ON, by=user_id)
        await notify.of_ownership(tx, group, [successors[0].user_id], what="passed_on", who=None)
        membership = await _require_member(tx, group, user_id)
    await _leave_succession(tx, group, user_id)
    if membership.role in INSIDE or membership.role is GroupRole.PENDING:
        left = replace(membership, role=GroupRole.LEFT, answer="", revision=membership.revision + 1)
        await queries.put_member(tx, left)
        await audit_log.add(
            tx, group.id, user_id, GroupLogAction.LEFT, by=user_id, before=membership.role, after=GroupRole.LEFT
        )


async def _leave_succession(tx: Transaction, group: Group, user_id: UserId) -> None:
    """Erase the group's offer, succession and succession plan where they involve a person who has left."""
    after = group
    if group.succession_plan.backup_admin_id == user_id:
        after = replace(
            after, succession_plan=replace(group.succession_plan, backup_admin_id=None, backup_admin_did=None)
        )
    if group.succession is not None and group.succession.successor_id == user_id:
        after = replace(after, succession=None)
    if group.offer is not None and group.offer.heir_id == user_id:
        after = replace(after, offer=None)
    if after != group:
        await queries.update(tx, replace(after, revision=group.revision + 1, updated_at=tx.now))


async def _begin(tx: Transaction, group: Group, successor: UserId, role: GroupRole, *, note: str = "") -> Group:
    after = replace(group, succession=GroupSuccession(successor, tx.now), revision=group.revision + 1)
    await queries.update(tx, after)
    await audit_log.add(
        tx, group.id, successor, GroupLogAction.SUCCESSION_ASKED, by=successor, before=role, after=role, note=note
    )
    await enqueue_email(tx, kind=SUCCESSION_MAIL, person=group.owner_id, subject_id=group.id, revision=after.revision)
    await notify.of_ownership(tx, after, [group.owner_id], what="asked", who=successor)
    return after


async def _stop(tx: Transaction, group: Group, succession: GroupSuccession, *, by: UserId, note: str = "") -> Group:
    after = replace(group, succession=None, revision=group.revision + 1)
    await queries.update(tx, after)
    await audit_log.add(tx, group.id, succession.successor_id, GroupLogAction.SUCCESSION_STOPPED, by=by, note=note)
    recipient = succession.successor_id if by != succession.successor_id else group.owner_id
    await notify.of_ownership(tx, after, [recipient], what="stopped", who=by)
    return after


async def _complete(tx: Transaction, group: Group, successor: UserId, *, note: str = "") -> Group:
    after = await _change_owner(tx, group, successor, GroupLogAction.TAKEN_OVER, by=successor, note=note)
    await notify.of_ownership(tx, after, [group.owner_id], what="taken_over", who=successor)
    await notify.of_ownership(tx, after, [successor], what="yours", who=None)
    return after


async def _require_member(tx: Transaction, group: Group, user_id: UserId) -> Membership:
    membership = await queries.find_member(tx, group.id, user_id)
    if membership is None or membership.role not in INSIDE:
        raise NotFound(GroupReason.NOT_A_MEMBER)
    return membership


async def _change_owner(
    tx: Transaction, group: Group, to: UserId, act: GroupLogAction, *, by: UserId, note: str = ""
) -> Group:
    """Change the owner of a locked group. The former owner stays as an admin."""
    heir = await _require_member(tx, group, to)
    owner = await _require_member(tx, group, group.owner_id)
    # Demote first, then promote, because the database allows only one owner at any moment.
    await queries.put_member(tx, replace(owner, role=GroupRole.ADMIN, revision=owner.revision + 1))
    await queries.put_member(tx, replace(heir, role=GroupRole.OWNER, revision=heir.revision + 1))
    await audit_log.add(tx, group.id, heir.user_id, act, by=by, before=heir.role, after=GroupRole.OWNER, note=note)
    await audit_log.add(
        tx, group.id, owner.user_id, act, by=by, before=GroupRole.OWNER, after=GroupRole.ADMIN, note=note
    )
    # The new owner need not trust the former owner's choice of backup admin, so only the waiting times are kept.
    plan = replace(group.succession_plan, backup_admin_id=None, backup_admin_did=None)
    after = replace(
        group,
        owner_id=heir.user_id,
        succession=None,
        offer=None,
        succession_plan=plan,
        revision=group.revision + 1,
        updated_at=tx.now,
    )
    await move_records(tx, group, after)
    await apply_to_new_host(tx, heir.user_id)
    return after


# Signs of activity that are stored anyway: the day of the last sign-in, reading notifications, changing the profile,
# acting in a group. Requests by programs with an API token do not count.
_TRACES = """
      select updated_at as at from users where id = {who}
      union all select seen_at from users where id = {who} and seen_at is not null
      union all select created_at from sessions where user_id = {who}
      union all select read_at from notifications where user_id = {who} and read_at is not null
      union all select created_at from group_roles_log where acted_by = {who} and note <> 'by_clock'
"""

_LAST_SEEN = f"select max(at) as at from ({_TRACES.format(who=':user_id')}) as traces"

# Groups whose backup admin is a member and whose owner has been inactive for as long as the owner chose.
_WITH_ABSENT_OWNER = f"""
    select g.id from groups g
      join group_members m on m.group_id = g.id and m.user_id = g.backup_admin_id
       and m.role in ({roles_sql(BELOW_OWNER)})
     where g.deleted_at is null and g.succession_asked_at is null and g.backup_admin_id <> g.owner_id
       and coalesce((select max(at) from ({_TRACES.format(who="g.owner_id")}) as traces), 0)
           <= :now - cast(g.absence_days as bigint) * {DAY}
     order by g.id
"""

_IN_SUCCESSION = """
    select id from groups where deleted_at is null and succession_asked_at is not null order by succession_asked_at, id
"""


async def last_seen(reader: Reader, user_id: UserId) -> Instant:
    """Time of a person's last activity."""
    row = await reader.fetch_one(_LAST_SEEN, user_id=user_id)
    return Instant(row["at"]) if row and row["at"] is not None else Instant(0)


async def groups_with_absent_owner(reader: Reader) -> list[GroupId]:
    """Return groups whose backup admin is due to take over from an absent owner."""
    return [GroupId(row["id"]) for row in await reader.fetch(_WITH_ABSENT_OWNER, now=reader.now)]


async def groups_in_succession(reader: Reader) -> list[GroupId]:
    """Return groups with a running succession, the longest-running first."""
    return [GroupId(row["id"]) for row in await reader.fetch(_IN_SUCCESSION)]


async def last_change_of_owner(reader: Reader, group_id: GroupId) -> GroupLogEntry | None:
    """Return the previous owner's log entry if they lost the group to a take-over; None after a voluntary transfer."""
    row = await reader.fetch_one(
        f"select {audit_log.COLUMNS} from group_roles_log where group_id = :group_id and role_before = '{GroupRole.OWNER}'"
        f" and role_after <> '{GroupRole.OWNER}' order by created_at desc, id desc limit 1",
        group_id=group_id,
    )
    entry = audit_log.entry_of(row) if row else None
    return entry if entry is not None and entry.act is GroupLogAction.TAKEN_OVER else None


async def published_backups(reader: Reader, group: Group) -> tuple[Did, ...]:
    """DIDs of the backup admins to name in the group's record.

    Only a backup admin whose membership is public is named, because copies of a published record cannot be recalled.
    """
    backup, did = group.succession_plan.backup_admin_id, group.succession_plan.backup_admin_did
    if backup is None or did is None:
        return ()
    membership = await queries.find_member(reader, group.id, backup)
    identity = await identity_queries.find(reader, did)
    is_willing = membership is not None and membership.sync_enabled and membership.statement_uri is not None
    if not is_willing or identity is None or identity.user_id != backup:
        return ()
    return (identity.did,) if (await identity_queries.consent(reader, backup)).is_given else ()


async def run_successions(db: Database) -> int:
    """Scheduled task: start and advance successions that are due. Returns the number of groups changed."""
    async with db.reader() as reader:
        due = await groups_with_absent_owner(reader)
        running = await groups_in_succession(reader)

    async def start(group_id: GroupId) -> int:
        async with db.transaction() as tx:
            return await start_when_due(tx, group_id)

    async def advance_one(group_id: GroupId) -> int:
        async with db.transaction() as tx:
            return await advance(tx, group_id) is not None

    started = await each_with_backoff(db, "group_successions", due, start)
    return started + await each_with_backoff(db, "group_successions", running, advance_one)
