"""Publication settings of groups: whether a member is named publicly, and the group's own repository.

Whether the group itself is published is part of its details (``GroupDetails.sync_enabled``), which only the owner
changes.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from groundwork.database.pages import last_key
from groundwork.database.transaction import Transaction
from groundwork.errors import Refused
from groundwork.outbox.jobs import enqueue_again
from openmeet.domain.groups import audit_log, queries, record_queries, rules
from openmeet.domain.groups.actions import lock_for, lock_visible, put
from openmeet.domain.groups.model import INSIDE, Group, GroupLogAction, GroupRole, GroupSlug, Membership
from openmeet.domain.groups.publication import record_holder_of
from openmeet.domain.groups.reasons import GroupReason
from openmeet.domain.groups.record_queries import SupersededGroupRecord
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.identities import actions as identity_actions
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.users import actions as user_actions
from openmeet.domain.users.model import Caller, UserId
from openmeet.outbox import publication_moves, publication_queries, publications
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publications import PublicationKind, SubjectRevision, repository_of

# What a group says about its members and events.
STATEMENT_KINDS: Final = (PublicationKind.ACCEPTANCE, PublicationKind.GROUP_EVENT)
# Statements that are moved in one transaction. Each takes a few updates.
STATEMENTS_AT_ONCE: Final = 100


async def show_membership(tx: Transaction, caller: Caller, slug: GroupSlug, *, is_public: bool) -> Membership:
    """Choose whether the caller's membership is public; by default it is not. Raises NotFound, Forbidden.

    For a group managed in another app, this is a request to join: the membership starts when the group accepts the
    statement.
    """
    group, membership = await lock_visible(tx, caller, slug)
    if group.is_read_only and is_public and (membership is None or membership.role not in INSIDE):
        return await _ask_remote_group(tx, group, membership, caller.user_id)
    if group.is_read_only and membership is not None and membership.role is GroupRole.PENDING:
        return await _withdraw_from_remote_group(tx, group, membership)
    rules.require_permission(membership.role if membership else None, GroupPermission.VIEW)
    assert membership is not None  # noqa: S101  # only members have this permission
    if membership.sync_enabled is is_public:
        return membership
    saved = replace(membership, sync_enabled=is_public, revision=membership.revision + 1)
    await queries.put_member(tx, saved)
    if is_public:
        # This also restores statements that the member had withdrawn.
        await publications.retry_now(tx, kind=PublicationKind.MEMBERSHIP, subject_id=membership.id)
    else:
        await _retract_membership(tx, group, saved)
    return saved


async def open_account(tx: Transaction, caller: Caller, slug: GroupSlug, handle: str) -> Group:
    """Give the group its own repository, hosted by us. Its records are written to that repository, whoever owns the
    group.

    ``handle`` must have passed ``network.repositories.custodial.check_handle``. Raises NotFound, Forbidden, Refused.
    """
    group, _ = await lock_for(tx, caller, slug, GroupPermission.TRANSFER)
    if group.network.account_id is not None:
        if await identity_queries.writable_of_user(tx, group.network.account_id):
            raise Refused(GroupReason.HAS_REPOSITORY, name="HasRepository")
        # The earlier handle turned out to be taken: use the same account with another handle.
        await identity_actions.grant_consent(tx, group.network.account_id, handle=handle)
        return group
    holder = await user_actions.create_shadow(tx, display_name=group.details.name)
    after = replace(
        group,
        network=replace(group.network, account_id=holder),
        revision=group.revision + 1,
        updated_at=tx.now,
    )
    await move_records(tx, group, after)
    await identity_actions.grant_consent(tx, holder, handle=handle)
    await audit_log.add(tx, group.id, caller.user_id, GroupLogAction.ACCOUNT_OPENED, by=caller.user_id, note=handle)
    return after


async def move_records(tx: Transaction, before: Group, after: Group) -> None:
    """Store a group whose records move to another repository.

    The group record stays in the old repository and points to its replacement, which is the record that the group had
    in the new repository before, if any. All other records are written again in the new repository; a job moves the
    rest of them if there are many.
    """
    old, new = record_holder_of(before), record_holder_of(after)
    if old != new:
        former = await record_queries.superseded_records(tx, before.id)
        await _leave_record(tx, before, old)
        await _keep_retracted(tx, before, former, old)
        await _return_record(tx, before, former, new)
        # If there was no record to leave or to return to, the publication itself moves.
        await publication_moves.move_to_user(tx, PublicationKind.GROUP, [after.id], new)
    await queries.update(tx, after)
    if old != new and any([await move_statements(tx, after, kind) is not None for kind in STATEMENT_KINDS]):
        await enqueue_again(tx, JobKind.MOVE_GROUP_RECORDS, [after.id])


async def move_statements(tx: Transaction, group: Group, kind: PublicationKind, after: str = "") -> str | None:
    """Move the next statements of a locked group, about members or events whose ids come after this one, to the
    repository that its records belong in now. Return the last one if there may be more. Idempotent.
    """
    read_next = record_queries.members_named if kind is PublicationKind.ACCEPTANCE else record_queries.events_listed
    ids = await read_next(tx, group.id, after=after, limit=STATEMENTS_AT_ONCE)
    await publication_moves.move_to_user(tx, kind, ids, record_holder_of(group))
    return last_key(ids, STATEMENTS_AT_ONCE)


async def _leave_record(tx: Transaction, group: Group, owner: UserId) -> None:
    publication = await publication_queries.find(tx, PublicationKind.GROUP, group.id)
    if publication is None or publication.uri is None:
        return
    # A group that was handed back and was not written since still has the location of the other record.
    is_current = publication.uri == group.network.record_uri
    cid = await record_queries.record_cid(tx, group.id) if is_current else publication.base_cid
    await record_queries.add_superseded(tx, group.id, publication.uri, cid or "")
    await publication_moves.move_to_subject(
        tx,
        PublicationKind.GROUP,
        group.id,
        to=(PublicationKind.SUPERSEDED_GROUP, publication.uri),
        user_id=owner,
        revision=group.revision + 1,
    )


async def _keep_retracted(
    tx: Transaction, group: Group, former: Sequence[SupersededGroupRecord], owner: UserId
) -> None:
    """``events.ownership.keep_retracted`` for a group."""
    dids = {one.did for one in await identity_queries.of_user(tx, owner)}
    own = [
        SubjectRevision(one.uri, owner, group.revision + 1)
        for one in former
        if not one.is_there and repository_of(one.uri) in dids
    ]
    await publications.enqueue_many(tx, kind=PublicationKind.SUPERSEDED_GROUP, subjects=own)


async def _return_record(tx: Transaction, group: Group, former: Sequence[SupersededGroupRecord], owner: UserId) -> None:
    """``events.ownership.return_to`` for a group whose records are written for somebody again who left a record."""
    dids = {one.did for one in await identity_queries.of_user(tx, owner)}
    uris = [one.uri for one in former if one.is_there and repository_of(one.uri) in dids]
    if not uris:
        return
    kind, superseded_kind = PublicationKind.GROUP, PublicationKind.SUPERSEDED_GROUP
    await publication_moves.undo_move_to_subject(
        tx, kind, group.id, superseded_kind=superseded_kind, superseded_uri=uris[-1], user_id=owner
    )
    if uris[-1] == group.network.record_uri:
        # No record replaced it, so it is still the group's record.
        await record_queries.remove_superseded(tx, uris[-1])


async def _ask_remote_group(
    tx: Transaction, group: Group, membership: Membership | None, user_id: UserId
) -> Membership:
    if membership is not None and membership.role is GroupRole.PENDING and membership.sync_enabled:
        return membership
    applicant = membership or queries.new_membership(tx.now, group.id, user_id, GroupRole.PENDING)
    request = replace(applicant, sync_enabled=True, requested_at=tx.now, network_role=None)
    before = None if membership is None else membership.role
    saved = await put(tx, request, GroupRole.PENDING, GroupLogAction.ASKED, by=user_id, before=before)
    await publications.retry_now(tx, kind=PublicationKind.MEMBERSHIP, subject_id=saved.id)
    return saved


async def _withdraw_from_remote_group(tx: Transaction, group: Group, membership: Membership) -> Membership:
    saved = await put(
        tx,
        replace(membership, sync_enabled=False),
        GroupRole.LEFT,
        GroupLogAction.LEFT,
        by=membership.user_id,
        before=membership.role,
    )
    await _retract_membership(tx, group, saved)
    return saved


async def _retract_membership(tx: Transaction, group: Group, membership: Membership) -> None:
    """Retract a membership, including a statement made in another app.

    A group managed in another app has only members with a statement, so the member also leaves such a group.
    """
    if membership.statement_uri is not None:
        await publications.enqueue_retraction(
            tx,
            kind=PublicationKind.MEMBERSHIP,
            subject_id=membership.id,
            user_id=membership.user_id,
            revision=membership.revision,
            record_uri=membership.statement_uri,
        )
    if group.is_read_only and membership.role in INSIDE:
        await put(tx, membership, GroupRole.LEFT, GroupLogAction.LEFT, by=membership.user_id, before=membership.role)
