"""Moves of publications to another repository, to another subject or to a record that was found again."""

from collections.abc import Sequence
from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.database.transaction import Transaction
from openmeet.outbox.publication_columns import (
    BREAK_LEASE,
    DUE_FROM_NOW,
    END_LEASE,
    FORGET_EDITS,
    RESET_ATTEMPTS,
    SET_BASE,
)
from openmeet.outbox.publication_queries import find
from openmeet.outbox.publication_status import subjects_with_publication
from openmeet.outbox.publications import (
    STATE_GRAPH,
    PublicationKind,
    PublicationState,
    RecordVersion,
    SubjectRevision,
    delete_without_record,
    enqueue_many,
    enqueue_retractions,
    make_due,
)

# Used when accounts are merged.
_REASSIGN = "update publications set user_id = :to_user where user_id = :from_user"

# Two subjects turned out to be the same: keep the publication that has a record.
_DELETE_KEPT_WITHOUT_RECORD = """
    delete from publications
     where kind = :kind and subject_id = :kept and uri is null
       and exists (select 1 from publications other
                    where other.kind = :kind and other.subject_id = :dropped and other.uri is not null)
"""
_GIVE_TO_KEPT = """
    update publications set subject_id = :kept
     where kind = :kind and subject_id = :dropped
       and not exists (select 1 from publications other where other.kind = :kind and other.subject_id = :kept)
"""

# The handler may have decided for the previous person, and what it is going to write is not stored yet or was withdrawn.
_STOP_SENDING = f"""
    update publications set state = 'due', {DUE_FROM_NOW}, {BREAK_LEASE}
     where kind = :kind and subject_id = :subject_id and user_id <> :user_id
       and state = 'sending' and (uri is null or is_withdrawn = 1)
"""
# Withdrawing consent marks all publications of a person, and consenting again removes the marks. So if the person
# consents, they withdrew this record only, and it stays withdrawn until the new person publishes it.
_MOVE_TO_USER = """
    update publications
       set user_id = :user_id,
           is_withdrawn = case when exists (select 1 from consents c
                                             where c.user_id = publications.user_id and c.publishing = 1)
                               then is_withdrawn else 0 end
     where kind = :kind and subject_id = :subject_id and user_id <> :user_id
"""

# Only if nothing was ever sent or a retracted row may be used again, and only if no handler holds the row or has sent
# something since.
_REATTACH_AFTER_RESTORE = f"""
    update publications
       set did = :did, uri = :uri, base_cid = :base_cid, base_body = :base_body, base_rev = :base_rev,
           completed_revision = :completed_revision, {FORGET_EDITS}, attempts = 0, reason = '', state = 'due',
               {DUE_FROM_NOW}
     where kind = :kind and subject_id = :subject_id and uri is null and chosen_cid is null and base_cid is null
       and (state <> 'retracted' or cast(:may_reuse_retracted as integer) = 1) and state <> 'sending'
       and state in ({STATE_GRAPH.sql_sources_of(PublicationState.DUE)})
"""

# Somebody else deleted the record, and it is back. It is decided again like every other record, so edits made since are
# published. The subject still says that its record was deleted; a series was withdrawn because of that.
_REATTACH_AFTER_DELETION = f"""
    update publications
       set did = :did, uri = :uri, {SET_BASE}, was_deleted_elsewhere = 0, attempts = 0, reason = '',
           is_withdrawn = case when kind = 'series' then 0 else is_withdrawn end,
           state = 'due', {DUE_FROM_NOW}, {END_LEASE}
     where kind = :kind and subject_id = :subject_id and uri is null and (edits is null or kind <> 'event')
       and (was_deleted_elsewhere = 1 or cast(:awaits_host_decision as integer) = 1)
       and state in ({STATE_GRAPH.sql_sources_of(PublicationState.DUE)})
"""

# Every state may become due. Nothing is in flight, because a superseded record is never written if it is gone.
_REATTACH_SUPERSEDED = f"""
    update publications
       set did = :did, uri = :uri, {SET_BASE}, completed_revision = revision, was_deleted_elsewhere = 0,
           state = 'due', reason = '', {DUE_FROM_NOW}, {RESET_ATTEMPTS}, {BREAK_LEASE}
     where kind = :kind and subject_id = :uri and user_id = :user_id and uri is null
       and state in ({STATE_GRAPH.sql_sources_of(PublicationState.DUE)})
"""


async def reattach_after_restore(
    tx: Transaction,
    version: RecordVersion,
    *,
    kind: PublicationKind,
    subject_id: str,
    completed_revision: int,
    may_reuse_retracted: bool,
    is_base: bool = True,
) -> bool:
    """Attach a record again that was known before a database restore, or that was retracted and is back.

    ``completed_revision``: the subject's revision that the record represents. ``may_reuse_retracted``: the row of a
    retracted record may be used: either that record is back, or the row never had this one. ``is_base``: whether it is the
    version to merge from; otherwise there is none. Returns False if a write is in flight or was sent.
    """
    changed = await tx.execute(
        _REATTACH_AFTER_RESTORE,
        kind=kind,
        subject_id=subject_id,
        did=version.did,
        uri=version.uri,
        base_cid=version.cid if is_base else None,
        base_body=version.body if is_base else None,
        base_rev=version.rev if is_base else None,
        completed_revision=completed_revision,
        may_reuse_retracted=int(may_reuse_retracted),
        now=tx.now,
    )
    return changed == 1


async def reattach_after_deletion(
    tx: Transaction, version: RecordVersion, *, kind: PublicationKind, subject_id: str, awaits_host_decision: bool
) -> bool:
    """Attach a publication's record again, as the new base, after somebody deleted it and it came back.

    ``awaits_host_decision``: the host has not yet decided what to do about the deletion. Returns False if no record was
    deleted, or if unsent edits have to be applied first (``ingested_changes.attach_foreign_record``).
    """
    changed = await tx.execute(
        _REATTACH_AFTER_DELETION,
        kind=kind,
        subject_id=subject_id,
        did=version.did,
        uri=version.uri,
        cid=version.cid,
        body=version.body,
        rev=version.rev,
        awaits_host_decision=int(awaits_host_decision),
        now=tx.now,
    )
    return changed == 1


async def reattach_superseded(tx: Transaction, version: RecordVersion, kind: PublicationKind, user_id: str) -> bool:
    """Attach a superseded record that is back to its publication (its subject is the URI), to be decided again. A handler
    that is deciding about it without a record loses its lease. Returns False if the publication has a record or belongs
    to somebody else.
    """
    changed = await tx.execute(
        _REATTACH_SUPERSEDED,
        kind=kind,
        user_id=user_id,
        did=version.did,
        uri=version.uri,
        cid=version.cid,
        body=version.body,
        rev=version.rev,
        now=tx.now,
    )
    return changed == 1


async def move_to_user(tx: Transaction, kind: PublicationKind, subject_ids: Sequence[str], user_id: str) -> None:
    """Move publications to another person's repository. Each is decided again.

    The consent that the previous person withdrew is not that of the new one, and nothing more is written for the
    previous person: a handler that decided so has lost its lease.
    """
    moved = [{"kind": kind.value, "subject_id": one, "user_id": user_id} for one in subject_ids]
    await tx.execute_many(_STOP_SENDING, [{**one, "now": tx.now} for one in moved])
    await tx.execute_many(_MOVE_TO_USER, moved)
    await make_due(tx, kind=kind, subject_ids=subject_ids, resets_write_count=True)


async def move_to_subject(
    tx: Transaction,
    kind: PublicationKind,
    subject_id: str,
    *,
    to: tuple[PublicationKind, str],
    user_id: str,
    revision: int,
) -> None:
    """Give the record of a publication to another kind and subject.

    If a handler is running at this moment, its lease is older and its result changes nothing.
    """
    new_kind, new_subject = to
    await tx.execute(
        "update publications set kind = :new_kind, subject_id = :new_subject, user_id = :user_id, revision = :revision,"
        f" state = 'due', {DUE_FROM_NOW}, {RESET_ATTEMPTS}, {BREAK_LEASE}"
        " where kind = :kind and subject_id = :subject_id",
        kind=kind,
        subject_id=subject_id,
        new_kind=new_kind,
        new_subject=new_subject,
        user_id=user_id,
        revision=revision,
        now=tx.now,
    )


async def undo_move_to_subject(
    tx: Transaction,
    kind: PublicationKind,
    subject_id: str,
    *,
    superseded_kind: PublicationKind,
    superseded_uri: str,
    user_id: str,
) -> None:
    """Undo ``move_to_subject``: this subject gets its former record back, if there is still a publication for it."""
    superseded = await find(tx, superseded_kind, superseded_uri)
    if superseded is None or superseded.uri is None:
        await delete_without_record(tx, kind=superseded_kind, subject_ids=[superseded_uri])
        return
    await delete_without_record(tx, kind=kind, subject_ids=[subject_id])
    await move_to_subject(
        tx,
        superseded_kind,
        superseded_uri,
        to=(kind, subject_id),
        user_id=user_id,
        revision=superseded.revision,
    )


@dataclass(frozen=True, slots=True)
class MergedSubjects:
    """Two subjects to be merged into one. ``user_id``: whose repository has the record of the subject that stays.
    ``revision``: its revision, greater than any enqueued for either.
    """

    kept: str
    dropped: str
    user_id: str
    revision: int
    edited_at: Instant


async def merge_subjects(tx: Transaction, kind: PublicationKind, merged: Sequence[MergedSubjects]) -> None:
    """Merge the publications of merged subjects: one record gets the content of ``kept``; a second one is retracted."""
    if not merged:
        return
    subjects = [{"kind": kind, "kept": one.kept, "dropped": one.dropped} for one in merged]
    await tx.execute_many(_DELETE_KEPT_WITHOUT_RECORD, subjects)
    await tx.execute_many(_GIVE_TO_KEPT, subjects)
    await delete_without_record(tx, kind=kind, subject_ids=[one.dropped for one in merged])
    kept = [SubjectRevision(one.kept, one.user_id, one.revision, one.edited_at) for one in merged]
    await enqueue_many(tx, kind=kind, subjects=kept)
    with_publication = await subjects_with_publication(tx, kind, [one.dropped for one in merged])
    retracted = [
        SubjectRevision(one.dropped, one.user_id, one.revision) for one in merged if one.dropped in with_publication
    ]
    await enqueue_retractions(tx, kind=kind, subjects=retracted, record_uris={})


async def reassign(tx: Transaction, *, from_user: str, to_user: str) -> None:
    """Give all publications of a merged account to the account that stays."""
    await tx.execute(_REASSIGN, from_user=from_user, to_user=to_user)
