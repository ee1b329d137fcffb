"""Apply to publications what ingestion has read about their records: our own write, an edit or deletion by somebody else,
a deleted account. ``abandon_revision`` abandons a revision that became obsolete because of that.

Statements set a new state only from states that ``STATE_GRAPH`` allows; ``_ERASE`` retracts from any. Moving the state of
a leased row also makes the result of its handler void.
"""

from dataclasses import dataclass

from groundwork.database.transaction import Transaction
from groundwork.errors import encode_explanation
from openmeet.outbox import in_flight
from openmeet.outbox.publication_columns import (
    BREAK_LEASE,
    COMPLETE_WRITE,
    DUE_FROM_NOW,
    END_LEASE,
    FORGET_EDITS,
    FORGET_RECORD,
    RESET_ATTEMPTS,
    SET_BASE,
)
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publications import (
    STATE_GRAPH,
    PublicationKind,
    PublicationState,
    RecordVersion,
)
from openmeet.outbox.reasons import PublicationReason

_State = PublicationState


def _from(*states: PublicationState) -> str:
    """The states, as SQL literals, from which a statement makes a row due. Checked when the module is imported."""
    return STATE_GRAPH.sql_sources_of(_State.DUE, only=states)


# The record of a row that is due or waits for a login may have to be retracted. Our own write, when it comes back, does
# not change that (invariant 3).
_TO_BE_DECIDED = "(state in ('due', 'blocked') or (state = 'sending' and needs_recheck = 1))"

# Our own write: the CID and URI match what was chosen for sending, and the rev is greater than that of the last
# completed write.
_COMPLETE_CHOSEN_WRITE = f"""
    update publications
       set state = case when revision > chosen_revision or is_withdrawn = 1 or {_TO_BE_DECIDED} then 'due'
           else 'published' end,
           completed_revision = chosen_revision, {SET_BASE}, {COMPLETE_WRITE},
           {DUE_FROM_NOW}, {RESET_ATTEMPTS}, reason = '', {END_LEASE}
     where uri = :uri and chosen_cid = :cid and (base_rev is null or base_rev < :rev)
       and state in ({STATE_GRAPH.sql_sources_of(PublicationState.PUBLISHED)})
"""

# An earlier write of ours, which arrived after a later one had been chosen. Later revisions are still due.
#
# If there is no base, the write may be from before the record was deleted, because the record of an RSVP reuses its key.
# If the base has the same bytes again, the write may be one of our versions in between.
_SET_BASE_TO_EARLIER_WRITE = f"""
    update publications
       set {SET_BASE}, {FORGET_EDITS}, {DUE_FROM_NOW},
           state = case when state in ({_from(_State.RETRYING, _State.PUBLISHED)}) then 'due' else state end
     where uri = :uri and (base_rev is null or base_rev < :rev) and state <> 'retracting'
       and (earlier_cids || ' ' like '% ' || cast(:cid as text) || ' %'
            or (base_cid is null and exists (select 1 from in_flight_creates c where c.uri = :uri and c.cid = :cid))
            or exists (select 1 from in_flight_updates u
                        where u.uri = :uri and u.cid = :cid and u.replaced_cid = publications.base_cid))
"""

# A write that is already completed, read again at a later rev. Only the rev changes.
_RAISE_BASE_REV = "update publications set base_rev = :rev where uri = :uri and base_cid = :cid and base_rev < :rev"

# Below every rev of the new epoch. The base itself stays.
_START_EPOCH = "update publications set base_rev = '' where did = :did and base_rev is not null"

# Somebody else deleted the record, so there is no base any more. Unsent edits are kept, together with the content that
# the subject had, because the record may come back, and it may be edited here before that.
_DELETED_ELSEWHERE = f"""
    update publications
       set state = case when cast(:is_due_again as integer) = 1 then 'due' else 'retracted' end,
           {FORGET_RECORD}, edits = :edits, merged = :merged,
           completed_revision = case when cast(:is_due_again as integer) = 1 then completed_revision else revision end,
           {DUE_FROM_NOW}, {END_LEASE}, reason = :reason,
           was_deleted_elsewhere = 1 - cast(:is_due_again as integer)
     where uri = :uri and base_rev is not null and base_rev < :rev
       and state in ({STATE_GRAPH.sql_sources_of(PublicationState.RETRACTED)})
"""

# The record is another app's, and nothing of ours was ever sent for it.
_KEEP_EDITS = """
    update publications set edits = :edits, merged = :merged
        where kind = :kind and subject_id = :subject_id and uri is null
"""

# The record is back, and there are earlier edits that were never sent, because a handler that ran meanwhile had no
# record to write them to.
_RESUME_AFTER_DELETION = f"""
    update publications
       set state = 'due', completed_revision = revision - 1, was_deleted_elsewhere = 0, {DUE_FROM_NOW}, reason = ''
     where uri = :uri and (state in ({_from(_State.DUE)}) and was_deleted_elsewhere = 1
                           or state in ({_from(_State.WITHHELD)}) and edits is not null)
"""

# Rows that wait or are published become due. All others keep their state and its reason, except the reason MERGING: the
# merge is done.
_MERGE_MAKES_DUE = _from(_State.DUE, _State.RETRYING, _State.PUBLISHED)
_REMEMBER_MERGE = f"""
    update publications
       set edits = :edits, merged = :merged, was_merged = 1, {DUE_FROM_NOW},
           reason = case when state in ({_MERGE_MAKES_DUE}) or reason = :merging then '' else reason end,
           state = case when state in ({_MERGE_MAKES_DUE}) then 'due' else state end
     where uri = :uri
"""

# There was never an agreed base for the chosen key, so the state "published" would be false.
_ABANDON_KEY = f"""
    update publications
       set completed_revision = revision, state = 'withheld', {DUE_FROM_NOW}, reason = '', {FORGET_RECORD}, {FORGET_EDITS}
     where kind = :kind and subject_id = :subject_id and uri is not null and base_cid is null and state <> 'sending'
       and state in ({STATE_GRAPH.sql_sources_of(PublicationState.WITHHELD)})
"""

_ABANDON_REVISION = f"""
    update publications
       set completed_revision = revision, {DUE_FROM_NOW},
           state = case when uri is null then 'withheld' when is_withdrawn = 1 then 'due' else 'published' end
     where kind = :kind and subject_id = :subject_id and state <> 'sending' and state <> 'published'
       and state in ({STATE_GRAPH.sql_sources_of(PublicationState.PUBLISHED)})
       and (uri is not null or state in ({STATE_GRAPH.sql_sources_of(PublicationState.WITHHELD)}))
"""

# Incrementing ``lease`` makes sure that the result of a handler that is running now changes nothing.
_ERASE = f"""
    update publications
       set state = 'retracted', did = null, {FORGET_RECORD}, {FORGET_EDITS}, completed_revision = revision,
           changed_at = :now, {RESET_ATTEMPTS}, reason = :reason, {BREAK_LEASE}
     where did = :did
"""

# A publication that was retracted because its record was deleted is decided again, because the record is back.
_ATTACH_FOREIGN_RECORD = f"""
    update publications
       set did = :did, uri = :uri, {SET_BASE},
           state = case when state in ({_from(_State.RETRACTED)}) then 'due' else state end,
           due_at = case when state in ({_from(_State.RETRACTED)}) then :now else due_at end,
           changed_at = case when state in ({_from(_State.RETRACTED)}) then :now else changed_at end
     where kind = :kind and subject_id = :subject_id and uri is null
"""

# ``chosen_cid`` is cleared: if the bytes that we sent last appear again, somebody has reverted to them and it is not
# our own write. A publication that was withheld before its subject had a record stays withheld.
_ACCEPT_FOREIGN_VERSION = f"""
    update publications
       set {SET_BASE}, {FORGET_EDITS}, chosen_cid = null, earlier_cids = '', was_merged = 1, was_deleted_elsewhere = 0,
           completed_revision = revision, {DUE_FROM_NOW}, attempts = 0, reason = '', {END_LEASE},
           state = case when state = 'withheld' then state
                        when is_withdrawn = 1 or {_TO_BE_DECIDED} then 'due' else 'published' end
     where uri = :uri
       and (state in ({STATE_GRAPH.sql_sources_of(PublicationState.PUBLISHED)})
           or (state = 'withheld' and completed_revision = revision))
"""


@dataclass(frozen=True, slots=True)
class UnsentEdits:
    """Local edits that no record contains, and ``merged``: all values that the subject had when its record was deleted.
    Both are encoded by ``three_way_merge``.
    """

    edits: bytes
    merged: bytes


async def apply_own_write(
    tx: Transaction, *, uri: str, cid: str, rev: str, body: bytes, is_deleted_since: bool = False
) -> bool:
    """Apply a write of ours that the firehose delivered, regardless of the response to it.

    Returns whether it is a version that the publication knows: the chosen write, which is now completed; an earlier
    write, which becomes the base; or the base itself, read at a later rev.

    ``is_deleted_since``: the record is known to have been deleted after that. Then only the write that is currently
    chosen can be completed.
    """
    if await tx.execute(_COMPLETE_CHOSEN_WRITE, uri=uri, cid=cid, rev=rev, body=body, now=tx.now) == 1:
        return True
    if (
        not is_deleted_since
        and await tx.execute(_SET_BASE_TO_EARLIER_WRITE, uri=uri, cid=cid, rev=rev, body=body, now=tx.now) == 1
    ):
        return True
    return await tx.execute(_RAISE_BASE_REV, uri=uri, cid=cid, rev=rev) == 1


async def start_epoch(tx: Transaction, did: str) -> None:
    """Set the revs of all bases in a repository below every rev of the new epoch. The repository starts again with lower
    revs, so every report about a record would otherwise be older than its base.
    """
    await tx.execute(_START_EPOCH, did=did)


async def mark_deleted_elsewhere(
    tx: Transaction,
    *,
    uri: str,
    rev: str,
    reason: PublicationReason,
    is_due_again: bool = False,
    unsent: UnsentEdits | None = None,
) -> bool:
    """Store that somebody else deleted the record. The publication stays without a record until its next edit; that of a
    group or series until its owner publishes it again.

    ``is_due_again``: an edit was made here after the deletion, so a new record is due. ``unsent``: edits that no record
    contains.
    """
    changed = await tx.execute(
        _DELETED_ELSEWHERE,
        uri=uri,
        rev=rev,
        reason=encode_explanation(reason),
        is_due_again=int(is_due_again),
        edits=None if unsent is None else unsent.edits,
        merged=None if unsent is None else unsent.merged,
        now=tx.now,
    )
    if changed:
        await in_flight.watch_key(tx, uri, is_gone=True)
    return changed == 1


async def keep_edits(tx: Transaction, publication: Publication, unsent: UnsentEdits) -> None:
    """Keep edits of an event that were made here and never sent, because its record, which another app wrote, was deleted
    or can no longer be read. They are applied to the next version of the record.
    """
    await tx.execute(
        _KEEP_EDITS, kind=publication.kind, subject_id=publication.subject_id, edits=unsent.edits, merged=unsent.merged
    )


async def resume_after_deletion(tx: Transaction, uri: str) -> bool:
    """Make a publication due whose record somebody else had deleted and that is attached again, because edits from before
    are in no record.
    """
    return await tx.execute(_RESUME_AFTER_DELETION, uri=uri, now=tx.now) == 1


async def erase(tx: Transaction, did: str) -> None:
    """Mark all publications in a deleted account's repository as retracted and delete their stored records."""
    await tx.execute(_ERASE, did=did, reason=encode_explanation(PublicationReason.ACCOUNT_DELETED), now=tx.now)
    await in_flight.erase(tx, did)


async def abandon_revision(tx: Transaction, publication: Publication) -> None:
    """Abandon the revision that is due, because a later RSVP in another app made it obsolete.

    If the PDS refused the create or did not respond, there is no record: its key is abandoned and watched for late
    writes.
    """
    was_key_abandoned = await tx.execute(
        _ABANDON_KEY, kind=publication.kind, subject_id=publication.subject_id, now=tx.now
    )
    if was_key_abandoned and publication.uri is not None:
        await in_flight.watch_key(tx, publication.uri, is_gone=publication.state is PublicationState.REFUSED)
        return
    await tx.execute(_ABANDON_REVISION, kind=publication.kind, subject_id=publication.subject_id, now=tx.now)


async def accept_foreign_version(tx: Transaction, version: RecordVersion) -> bool:
    """Make another app's version the base of the publication, because nothing was edited here."""
    changed = await tx.execute(
        _ACCEPT_FOREIGN_VERSION, uri=version.uri, cid=version.cid, body=version.body, rev=version.rev, now=tx.now
    )
    return changed == 1


async def remember_merge(tx: Transaction, *, uri: str, edits: bytes, merged: bytes) -> None:
    """Store the local edits and the result of a merge, and make the publication due if it is published or waits."""
    merging = encode_explanation(PublicationReason.MERGING)
    await tx.execute(_REMEMBER_MERGE, uri=uri, edits=edits, merged=merged, merging=merging, now=tx.now)


async def attach_foreign_record(
    tx: Transaction, version: RecordVersion, *, kind: PublicationKind, subject_id: str
) -> bool:
    """Attach a record of another app, or one that is back, to a subject without a record, so that updates go to it."""
    changed = await tx.execute(
        _ATTACH_FOREIGN_RECORD,
        kind=kind,
        subject_id=subject_id,
        did=version.did,
        uri=version.uri,
        cid=version.cid,
        body=version.body,
        rev=version.rev,
        now=tx.now,
    )
    return changed == 1
