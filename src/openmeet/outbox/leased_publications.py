"""Lease the publications that are due, retractions first; and statements on a leased publication: store what will be sent,
then the response.

Every statement that writes checks the lease number, so that a handler whose lease ended changes nothing. ``end_lease``
raises an error if ``STATE_GRAPH`` does not allow the move. Record key, CID and bytes are stored *before* anything is
sent. If something that the decision depends on changes while it is carried out, ``needs_recheck`` is set, and the row
becomes due again when it is completed.
"""

import functools
from collections.abc import Sequence
from dataclasses import replace

from groundwork.clock import HOUR, MINUTE, SECOND, Instant
from groundwork.database.bulk import fetch_each
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Explanation, Reason, encode_explanation
from openmeet.outbox import due_publications, in_flight
from openmeet.outbox.due_publications import IS_GIVEN_AND_READY, NOT_EXCLUDED, READY, SERVER
from openmeet.outbox.in_flight import InFlightWrite
from openmeet.outbox.publication_columns import (
    COMPLETE_WRITE,
    DUE_FROM_NOW,
    END_LEASE,
    FORGET_EDITS,
    FORGET_RECORD,
    RESET_ATTEMPTS,
    SET_BASE,
)
from openmeet.outbox.publication_queries import COLUMNS, Publication, publication_of
from openmeet.outbox.publications import (
    DUE_ON_NEW_REVISION,
    STATE_GRAPH,
    PublicationKind,
    PublicationState,
    RecordVersion,
)

# The condition is repeated, as in ``_LEASE`` of groundwork/outbox/leased_jobs.py. Two rows cannot send the same record,
# because there is one row per record.
_LEASE = f"""
    update publications
       set state = case when state = 'retracting' then 'retracting' else 'sending' end,
           lease = lease + 1, leased_until = :until, needs_recheck = 0
      from each(of_kind text, of_subject text) as given where {IS_GIVEN_AND_READY} returning {COLUMNS}
"""
# More rows of the same people that can be sent in the same call: rows that were never sent and never failed. Somebody can
# have very many, so each person's first rows are read in the order of an index (migration 0067), and the server is only
# determined for those. The condition of the update is written so that SQLite finds them by their primary key.
_BATCHABLE = "state = 'due' and due_at <= :now and attempts = 0 and uri is null"
_LEASE_BATCHABLE = f"""
    update publications
       set state = 'sending', lease = lease + 1, leased_until = :until, needs_recheck = 0, awaited_server = null
     where coalesce(state, '') = 'due' and due_at <= :now and attempts = 0 and coalesce(uri, '') = ''
       and (kind, subject_id) in (
           select kind, subject_id from ({{}}) as next order by due_at, kind, subject_id limit :limit)
       and {NOT_EXCLUDED}
    returning {COLUMNS}
"""
_NEXT_BATCHABLE = f"""
    select * from (select kind, subject_id, due_at from publications where user_id = :user_{{0}} and {_BATCHABLE}
                    order by due_at, kind, subject_id limit :limit) as next_{{0}}
"""

_SERVERS_OF = f"""
    select kind, subject_id, {SERVER} as pds_url from publications
     where subject_id in :ids order by kind, subject_id
"""

_LEASE_ONE = f"""
    update publications
       set state = case when state = 'retracting' then 'retracting' else 'sending' end,
           lease = lease + 1, leased_until = :until, needs_recheck = 0, awaited_server = null
     where kind = :kind and subject_id = :subject_id and {READY} and {NOT_EXCLUDED}
    returning {COLUMNS}
"""
# The write was decided before requests that took time. If anything has changed since, it is decided again, because the
# record may no longer be public (invariant 3). Edits in quick succession delay the record until they pause.
#
# A request without a response may take effect much later, so its CID is kept until there is a base again.
_STORE_BEFORE_SENDING = """
    update publications
       set earlier_cids = case when chosen_cid is null or chosen_cid = coalesce(base_cid, '') or chosen_cid = :cid
                               then earlier_cids else earlier_cids || ' ' || chosen_cid end,
           did = :did, uri = :uri, chosen_cid = :cid, chosen_body = :body, chosen_revision = :revision,
           writes = case when writes_since > :an_hour_ago then writes + 1 else 1 end,
           writes_since = case when writes_since > :an_hour_ago then writes_since else :now end
     where kind = :kind and subject_id = :subject_id and lease = :lease and state = 'sending'
       and is_withdrawn = 0 and needs_recheck = 0 and revision = :revision
    returning writes
"""

# The row is still under the lease of the handler that has it.
_IS_LEASED = "kind = :kind and subject_id = :subject_id and lease = :lease and state in ('sending', 'retracting')"

# Rows that have changed since they were leased. The names of the given columns differ from those of the table.
_GIVEN_ROWS = "each(of_kind text, of_subject text, held_lease bigint, known_revision bigint) as given"
_IS_CHANGED = """kind = given.of_kind and subject_id = given.of_subject and lease = given.held_lease
       and state in ('sending', 'retracting') and (needs_recheck = 1 or revision <> given.known_revision)"""
_CHANGED = f"select kind, subject_id from {_GIVEN_ROWS} join publications on {_IS_CHANGED}"
_ACKNOWLEDGE_CHANGES = (
    f"update publications set needs_recheck = 0 from {_GIVEN_ROWS} where {_IS_CHANGED} returning {COLUMNS}"
)

# The write is confirmed by the PDS's response or by reading the record back. A newer revision makes the row due again.
# If the firehose delivered the write first, the row is already completed and this changes nothing.
_SET_PUBLISHED = f"""
    update publications
       set state = case when revision > :revision or is_withdrawn = 1 or needs_recheck = 1 then 'due'
           else 'published' end,
           completed_revision = :revision, {SET_BASE}, {COMPLETE_WRITE},
           {DUE_FROM_NOW}, {RESET_ATTEMPTS}, reason = :reason, {END_LEASE}
     where {_IS_LEASED} and state = 'sending' and (base_rev is null or cast(:rev as text) >= base_rev)
"""


# The row changed while the handler was deciding, so it becomes due again. The two parameters say which kinds of change
# count in the new state.
_IS_OUTDATED = """((needs_recheck = 1 and cast(:heeds_recheck as integer) = 1)
                  or (revision > :revision and cast(:heeds_revision as integer) = 1))"""
_END_LEASE_IN_STATE = f"""
    update publications
       set state = case when {_IS_OUTDATED} then 'due' else cast(:state as text) end,
           due_at = case when {_IS_OUTDATED} then cast(:now as bigint) else cast(:due_at as bigint) end,
           changed_at = :now, reason = case when reason = cast(:kept_reason as text) then reason else :reason end,
               {END_LEASE},
           attempts = attempts + :failures, merge_rounds = merge_rounds + :merge_rounds
     where {_IS_LEASED} and state in (:leased_as, 'retracting')
"""

# ``needs_recheck`` is ignored, because the caller decides again in this transaction (``delivery_results.forget_record``).
_SET_RETRACTED = f"""
    update publications
       set state = case when revision > :revision then 'due' else 'retracted' end, completed_revision = :revision,
           {FORGET_RECORD}, {FORGET_EDITS}, was_deleted_elsewhere = 0,
           {DUE_FROM_NOW}, {RESET_ATTEMPTS}, reason = '', {END_LEASE}
     where {_IS_LEASED}
"""

_COMPLETE_WITHOUT_WRITE = f"""
    update publications
       set state = case when revision > :revision or needs_recheck = 1 then 'due' when uri is null then 'withheld'
           else 'published' end,
           completed_revision = :revision, {DUE_FROM_NOW}, attempts = 0, reason = '', {END_LEASE}
     where {_IS_LEASED} and state = 'sending'
"""

_ATTACH_FOUND_RECORD = (
    f"update publications set did = :did, uri = :uri where {_IS_LEASED} and state = 'sending' and uri is null"
)

# Applies to this version only; a later version has another CID. But the same bytes may be written again, so every
# statement that stores another base clears this column (``SET_BASE``).
_STORE_BEFORE_DELETING = f"update publications set deleting_cid = base_cid where {_IS_LEASED}"
_FORGET_DELETE = f"update publications set deleting_cid = null where {_IS_LEASED}"

_START_RETRACTING = f"update publications set state = 'retracting', changed_at = :now where {_IS_LEASED}"


async def lease_due(
    tx: Transaction, *, limit: int, seconds: float, excluded_servers: Sequence[str] = ()
) -> list[Publication]:
    """Lease rows that are due, retractions first, except for ``excluded_servers`` (those with an open circuit or being
    called now). The empty text stands for the rows without a repository.

    Only the first 500 due rows are considered. If none of them can be leased, call ``due_publications.set_aside`` and
    lease again.
    """
    await due_publications.resume(tx, excluded_servers=excluded_servers, limit=limit)
    rows = await due_publications.next_due(tx)
    keys = [due_publications.given_row_of(row) for row in rows if row["server"] not in excluded_servers][:limit]
    leased = await fetch_each(tx, _LEASE, keys, now=tx.now, until=tx.now + int(seconds * SECOND))
    return [publication_of(row) for row in leased]


async def lease_batchable(
    tx: Transaction,
    publications: Sequence[Publication],
    *,
    limit: int,
    seconds: float,
    excluded_servers: Sequence[str] = (),
) -> list[Publication]:
    """Lease more rows of the same people that can be sent in one call with the leased ones. Only the first ``limit`` rows
    of all these people are considered.
    """
    user_ids = sorted({one.user_id for one in publications})
    if not user_ids:
        return []
    rows = await tx.fetch(
        _lease_batchable_of(len(user_ids)),
        now=tx.now,
        until=tx.now + int(seconds * SECOND),
        limit=limit,
        excluded_servers=list(excluded_servers),
        **{f"user_{number}": user_id for number, user_id in enumerate(user_ids)},
    )
    return [publication_of(row) for row in rows]


@functools.lru_cache(maxsize=64)
def _lease_batchable_of(people: int) -> str:
    return _LEASE_BATCHABLE.format(" union all ".join(_NEXT_BATCHABLE.format(number) for number in range(people)))


async def servers_of(reader: Reader, publications: Sequence[Publication]) -> dict[tuple[PublicationKind, str], str]:
    """The PDS of each publication, by kind and subject; empty without a repository."""
    if not publications:
        return {}
    rows = await reader.fetch(_SERVERS_OF, ids=sorted({one.subject_id for one in publications}))
    return {(PublicationKind(row["kind"]), row["subject_id"]): row["pds_url"] for row in rows}


async def lease_one(
    tx: Transaction, *, kind: PublicationKind, subject_id: str, seconds: float, excluded_servers: Sequence[str] = ()
) -> Publication | None:
    """Lease one publication if it is due, unless its server is excluded. Used by a request that delivers its own
    publication immediately.
    """
    row = await tx.fetch_one(
        _LEASE_ONE,
        kind=kind,
        subject_id=subject_id,
        now=tx.now,
        until=tx.now + int(seconds * SECOND),
        excluded_servers=list(excluded_servers),
    )
    return None if row is None else publication_of(row)


async def have_changed(reader: Reader, publications: Sequence[Publication]) -> bool:
    """Whether one of these rows has changed since it was leased, so that there is something to acknowledge."""
    return bool(await fetch_each(reader, _CHANGED, _given_rows(publications)))


async def acknowledge_changes(tx: Transaction, publications: Sequence[Publication]) -> list[Publication]:
    """Clear ``needs_recheck`` of these leased rows, because the caller has not decided yet, and return them, in the same
    order, as they are now. Changes so far then no longer prevent the write. Rows whose lease has been lost are returned
    unchanged; nothing can be stored for them.
    """
    changed = [publication_of(row) for row in await fetch_each(tx, _ACKNOWLEDGE_CHANGES, _given_rows(publications))]
    as_of_now = {(one.kind, one.subject_id): one for one in changed}
    return [as_of_now.get((one.kind, one.subject_id), one) for one in publications]


def _given_rows(publications: Sequence[Publication]) -> list[dict[str, object]]:
    return [
        {
            "of_kind": one.kind.value,
            "of_subject": one.subject_id,
            "held_lease": one.lease,
            "known_revision": one.revision,
        }
        for one in sorted(publications, key=lambda one: (one.kind, one.subject_id))
    ]


async def store_before_sending(
    tx: Transaction, publication: Publication, write: InFlightWrite, *, did: str, body: bytes
) -> int | None:
    """Store what will be sent. From then on the write is in flight until there is a response.

    Returns how often this record was written in the past hour without a local edit, including this write. Returns None
    if the lease has been lost, or if something changed that the decision to write depended on; then nothing may be sent.
    The lease ends, and the row is due at once to be decided again.
    """
    row = await tx.fetch_one(
        _STORE_BEFORE_SENDING,
        **_leased_row(publication),
        did=did,
        uri=write.uri,
        cid=write.cid,
        body=body,
        revision=publication.revision,
        now=tx.now,
        an_hour_ago=tx.now - HOUR,
    )
    if row is None:
        # What changed makes the row due now: its revision is newer, or ``needs_recheck`` is set.
        await end_lease(tx, publication, PublicationState.DUE, due_at=Instant(tx.now + MINUTE))
        return None
    await in_flight.store(tx, write, did=did)
    return int(row["writes"])


async def set_published(
    tx: Transaction,
    publication: Publication,
    version: RecordVersion,
    *,
    revision: int,
    reason: Explanation | Reason | None = None,
) -> bool:
    """Store that the PDS has this version, made of ``revision``. A newer revision stays due.

    ``reason``: which part of the requested content the record lacks, and why. Returns False if the lease has been lost,
    or ended because the firehose delivered the write first, or if the base is a later version.
    """
    return (
        await tx.execute(
            _SET_PUBLISHED,
            **_leased_row(publication),
            revision=revision,
            cid=version.cid,
            body=version.body,
            rev=version.rev,
            reason=encode_explanation(reason),
            now=tx.now,
        )
        == 1
    )


async def end_lease(
    tx: Transaction,
    publication: Publication,
    state: PublicationState,
    *,
    reason: Explanation | Reason | None = None,
    kept_reason: Reason | None = None,
    due_at: Instant | None = None,
    is_failure: bool = False,
    is_merge_round: bool = False,
) -> bool:
    """End the lease, and set the state. Returns False if the lease has been lost.

    After a failure, in a merge round or while retracting, the row gets the given state and time in any case. Otherwise
    it becomes due at once if it has ``needs_recheck`` or a newer revision; a blocked one only if it has
    ``needs_recheck``. ``kept_reason``: a row that has this reason now keeps it instead of getting ``reason``.

    Raises ImpossibleMove if ``STATE_GRAPH`` does not allow the move.
    """
    keeps_state = is_failure or is_merge_round or state is PublicationState.RETRACTING
    STATE_GRAPH.require(publication.leased_state, state)
    moved = await tx.execute(
        _END_LEASE_IN_STATE,
        **_leased_row(publication),
        state=state,
        due_at=tx.now if due_at is None else due_at,
        reason=encode_explanation(reason),
        kept_reason=None if kept_reason is None else encode_explanation(kept_reason),
        now=tx.now,
        failures=int(is_failure),
        merge_rounds=int(is_merge_round),
        heeds_recheck=int(not keeps_state),
        revision=publication.revision,
        heeds_revision=int(not keeps_state and state in DUE_ON_NEW_REVISION),
        leased_as=publication.leased_state,
    )
    return moved == 1


async def complete_without_write(tx: Transaction, publication: Publication) -> bool:
    """Complete this revision without a write, regardless of the repository's content. Returns False if the lease has
    been lost.
    """
    return (
        await tx.execute(_COMPLETE_WITHOUT_WRITE, **_leased_row(publication), revision=publication.revision, now=tx.now)
        == 1
    )


async def attach_found_record(tx: Transaction, publication: Publication, *, did: str, uri: str) -> None:
    """Make a record that was found in the repository the record of this publication."""
    await tx.execute(_ATTACH_FOUND_RECORD, **_leased_row(publication), did=did, uri=uri)


async def start_retracting(tx: Transaction, publication: Publication) -> bool:
    """Set the state to RETRACTING before the record is deleted, so that another worker can continue if this one
    crashes.
    """
    return await tx.execute(_START_RETRACTING, **_leased_row(publication), now=tx.now) == 1


async def store_before_deleting(tx: Transaction, publication: Publication) -> None:
    """Store that a delete is about to be sent. Without a response, it may take effect when the row is already in
    another state.
    """
    await tx.execute(_STORE_BEFORE_DELETING, **_leased_row(publication))


async def store_delete_refused(tx: Transaction, publication: Publication) -> None:
    """Store that the delete was refused, unless an earlier delete never got a response."""
    if publication.deleting_cid is None:
        await forget_delete(tx, publication)


async def forget_delete(tx: Transaction, publication: Publication) -> None:
    """Forget a delete that never got a response. If the record disappears after this, somebody else deleted it."""
    await tx.execute(_FORGET_DELETE, **_leased_row(publication))


async def set_retracted(tx: Transaction, publication: Publication, *, is_gone: bool) -> bool:
    """Set the state to RETRACTED and watch the key for late writes. Returns False if the lease has been lost.

    ``is_gone``: see ``in_flight.watch_key``.
    """
    is_completed = (
        await tx.execute(_SET_RETRACTED, **_leased_row(publication), revision=publication.revision, now=tx.now) == 1
    )
    if is_completed and publication.uri is not None:
        await in_flight.watch_key(tx, publication.uri, is_gone=is_gone)
    return is_completed


def as_retracting(publication: Publication) -> Publication:
    """The leased publication as it is after ``start_retracting``."""
    return replace(publication, state=PublicationState.RETRACTING)


def _leased_row(publication: Publication) -> dict[str, object]:
    """Parameters of the statements that change a row only under its lease."""
    return {"kind": publication.kind, "subject_id": publication.subject_id, "lease": publication.lease}
