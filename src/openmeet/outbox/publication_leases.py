"""A publication as the publisher sees it, reads of single publications, and the statements on a leased one: store what
will be sent, store the response. ``due_publications`` leases them.

Every statement that writes checks the lease number, so that a handler whose lease ended changes nothing. It also checks
that ``GRAPH`` allows the move from the row's state. Record key, CID and bytes are stored *before* anything is sent. If
something that the decision depends on changes while it is carried out, ``needs_recheck`` is set, and the row becomes
due again when it is completed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from groundwork.clock import HOUR, Instant
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.errors import Explanation, Reason, decode_explanation, encode_explanation
from openmeet.outbox import in_flight
from openmeet.outbox.in_flight import InFlightWrite
from openmeet.outbox.publications import GRAPH, PublicationKind, PublicationState, RecordVersion


@dataclass(frozen=True, slots=True)
class Publication:
    """One publication as its handler sees it.

    ``chosen_*``: fixed for the write in flight (or the last one). ``base_*``: the last version that we and the PDS
    agreed on. Earlier writes that may still arrive are stored by their CID. ``edits`` and ``merged``: see
    ``ingestion.three_way_merge``. ``merge_rounds``: how often a change by another app was merged since the last edit.
    ``deleting_cid``: the version that we tried to delete without getting a response.
    """

    kind: PublicationKind
    subject_id: str
    user_id: str
    state: PublicationState
    revision: int
    sent_revision: int
    did: str | None
    uri: str | None
    chosen_cid: str | None
    chosen_body: bytes | None
    chosen_revision: int | None
    base_cid: str | None
    base_body: bytes | None
    base_rev: str | None
    edits: bytes | None
    merged: bytes | None
    merge_rounds: int
    attempts: int
    lease: int
    edited_at: Instant
    reason: Explanation | None
    is_withdrawn: bool
    deleting_cid: str | None

    @property
    def has_unanswered_delete(self) -> bool:
        """Whether a delete of ours may have taken effect or may still do so. If the record disappears, we may have
        deleted it ourselves.
        """
        is_unanswered = self.deleting_cid is not None and self.deleting_cid == self.base_cid
        return is_unanswered or self.state is PublicationState.RETRACTING

    @property
    def is_pending(self) -> bool:
        """Whether there is an edit made here that the PDS has not confirmed."""
        return self.revision > self.sent_revision

    @property
    def has_own_version(self) -> bool:
        """Whether we ever prepared a version of our own for its key. If not, another app wrote the record."""
        return self.chosen_revision is not None

    @property
    def may_exist_remotely(self) -> bool:
        """Whether the PDS may hold a record. It may if a key was chosen, because a request may have been sent."""
        return self.uri is not None


COLUMNS = """kind, subject_id, user_id, state, revision, sent_revision, did, uri, chosen_cid, chosen_body,
    chosen_revision, base_cid, base_body, base_rev, edits, merged, merge_rounds, attempts, lease, edited_at, reason,
    is_withdrawn, deleting_cid"""

_FIND = f"select {COLUMNS} from publications where kind = :kind and subject_id = :subject_id"

_FIND_BY_URI = f"select {COLUMNS} from publications where uri = :uri"

_PUBLISHED_AMONG = "select uri from publications where uri in :uris"

# A request without a response may take effect much later, so its CID is kept until there is a base again.
_STORE_BEFORE_SENDING = """
    update publications
       set earlier_cids = case when chosen_cid is null or chosen_cid = coalesce(base_cid, '') or chosen_cid = :cid
                               then earlier_cids else earlier_cids || ' ' || chosen_cid end,
           did = :did, uri = :uri, chosen_cid = :cid, chosen_body = :body, chosen_revision = :revision,
           writes = case when writes_since > :an_hour_ago then writes + 1 else 1 end,
           writes_since = case when writes_since > :an_hour_ago then writes_since else :now end
     where kind = :kind and subject_id = :subject_id and lease = :lease and state = 'sending' and is_withdrawn = 0
    returning writes
"""

_HELD = "kind = :kind and subject_id = :subject_id and lease = :lease and state in ('sending', 'retracting')"

# The write is confirmed by the PDS's response or by reading the record back. A newer revision makes the row due again.
# If the echo came first, the row is already completed and this changes nothing.
_SET_PUBLISHED = f"""
    update publications
       set state = case when revision > :revision or is_withdrawn = 1 or needs_recheck = 1 then 'due'
           else 'published' end,
           sent_revision = :revision, base_cid = :cid, base_body = :body, base_rev = :rev, edits = null, merged = null,
           deleting_cid = null, earlier_cids = '', was_merged = case when merged is null then 0 else was_merged end,
           due_at = :now, changed_at = :now, attempts = 0, merge_rounds = 0, reason = :reason, leased_until = null
     where {_HELD} and state = 'sending' and (base_rev is null or cast(:rev as text) >= base_rev)
"""


_SET_STATE = f"""
    update publications
       set state = case when needs_recheck = 1 and cast(:is_decided as integer) = 1 then 'due'
           else cast(:state as text) end,
           due_at = case when needs_recheck = 1 and cast(:is_decided as integer) = 1 then cast(:now as bigint)
               else cast(:due_at as bigint) end,
           changed_at = :now, reason = :reason, leased_until = null,
           attempts = attempts + :failed, merge_rounds = merge_rounds + :round
     where {_HELD} and state in (:from_a, :from_b)
"""

# ``needs_recheck`` is ignored, because the caller decides again in this transaction (``store_outcome.forget_record``).
_SET_RETRACTED = f"""
    update publications
       set earlier_cids = '', state = case when revision > :revision then 'due' else 'retracted' end, sent_revision = :revision,
           uri = null, chosen_cid = null, chosen_body = null, chosen_revision = null,
           base_cid = null, base_body = null, base_rev = null, deleting_cid = null, edits = null, merged = null, was_merged = 0,
           due_at = :now, changed_at = :now, attempts = 0, merge_rounds = 0, reason = '', leased_until = null
     where {_HELD}
"""

_COMPLETE_WITHOUT_WRITE = f"""
    update publications
       set state = case when revision > :revision or needs_recheck = 1 then 'due' when uri is null then 'withheld'
           else 'published' end,
           sent_revision = :revision, due_at = :now, changed_at = :now, attempts = 0, reason = '', leased_until = null
     where {_HELD} and state = 'sending'
"""

_ATTACH_CURRENT = f"update publications set did = :did, uri = :uri where {_HELD} and state = 'sending' and uri is null"

# Applies to this version only; a later version has another CID. But the same bytes may be written again, so every
# statement that ends a publication clears this column.
_STORE_BEFORE_DELETING = f"update publications set deleting_cid = base_cid where {_HELD}"
_FORGET_DELETE = f"update publications set deleting_cid = null where {_HELD}"

_START_RETRACTING = f"update publications set state = 'retracting', changed_at = :now where {_HELD}"


async def find(reader: Reader, kind: PublicationKind, subject_id: str) -> Publication | None:
    """The publication of a subject."""
    row = await reader.fetch_one(_FIND, kind=kind, subject_id=subject_id)
    return None if row is None else publication_of(row)


async def find_by_uri(reader: Reader, uri: str) -> Publication | None:
    """The publication with this record; None if we do not write the record."""
    row = await reader.fetch_one(_FIND_BY_URI, uri=uri)
    return None if row is None else publication_of(row)


async def uri_of(reader: Reader, kind: PublicationKind, subject_id: str) -> str | None:
    """URI of a subject's record; None if none was chosen. The record may not have been written yet."""
    row = await reader.fetch_one(
        "select uri from publications where kind = :kind and subject_id = :subject_id", kind=kind, subject_id=subject_id
    )
    return None if row is None else row["uri"]


async def holders_in(reader: Reader, kind: PublicationKind, did: str) -> frozenset[str]:
    """Users whose records of this kind are, or once were, in a repository."""
    rows = await reader.fetch(
        "select distinct user_id from publications where kind = :kind and did = :did", kind=kind, did=did
    )
    return frozenset(row["user_id"] for row in rows)


async def published_among(reader: Reader, uris: Sequence[str]) -> set[str]:
    """Which of these records are written by us."""
    if not uris:
        return set()
    return {row["uri"] for row in await reader.fetch(_PUBLISHED_AMONG, uris=list(uris))}


async def store_before_sending(
    tx: Transaction, publication: Publication, sent: InFlightWrite, *, did: str, body: bytes
) -> int | None:
    """Store what will be sent. From then on the write is in flight until there is a response.

    Returns how often this record was written in the past hour without a local edit, including this write. Returns None
    if the lease has been lost; then nothing may be sent.
    """
    row = await tx.fetch_one(
        _STORE_BEFORE_SENDING,
        **_leased_row(publication),
        did=did,
        uri=sent.uri,
        cid=sent.cid,
        body=body,
        revision=publication.revision,
        now=tx.now,
        an_hour_ago=tx.now - HOUR,
    )
    if row is None:
        return None
    await in_flight.store(tx, sent, did=did)
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

    ``reason``: which part of the requested content the record lacks, and why.
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


async def set_state(
    tx: Transaction,
    publication: Publication,
    state: PublicationState,
    *,
    reason: Explanation | Reason | None = None,
    due_at: Instant | None = None,
    is_failure: bool = False,
    is_merge_round: bool = False,
) -> bool:
    """Release the row in another state. Returns False if the lease has been lost.

    A row that waits for a retry keeps waiting. A row with ``needs_recheck`` becomes due instead of getting a final
    state. Raises ImpossibleMove if ``GRAPH`` does not allow the move.
    """
    waits = is_failure or is_merge_round or state is PublicationState.RETRACTING
    leased_as = (
        PublicationState.RETRACTING if publication.state is PublicationState.RETRACTING else PublicationState.SENDING
    )
    GRAPH.require(leased_as, state)
    moved = await tx.execute(
        _SET_STATE,
        **_leased_row(publication),
        state=state,
        due_at=tx.now if due_at is None else due_at,
        reason=encode_explanation(reason),
        now=tx.now,
        failed=int(is_failure),
        round=int(is_merge_round),
        is_decided=int(not waits),
        from_a=leased_as,
        from_b=PublicationState.RETRACTING,
    )
    return moved == 1


async def complete_without_write(tx: Transaction, publication: Publication) -> bool:
    """Complete this revision without a write, regardless of the repository's content. Returns False if the lease has
    been lost.
    """
    return (
        await tx.execute(
            _COMPLETE_WITHOUT_WRITE,
            **_leased_row(publication),
            revision=publication.revision,
            now=tx.now,
        )
        == 1
    )


async def attach_current(tx: Transaction, publication: Publication, *, did: str, uri: str) -> None:
    """Make an existing record with the same content the record of this publication."""
    await tx.execute(
        _ATTACH_CURRENT,
        **_leased_row(publication),
        did=did,
        uri=uri,
    )


async def start_retracting(tx: Transaction, publication: Publication) -> bool:
    """Set the state to RETRACTING before the record is deleted, so that another worker can continue if this one
    crashes.
    """
    return (
        await tx.execute(
            _START_RETRACTING,
            **_leased_row(publication),
            now=tx.now,
        )
        == 1
    )


async def store_before_deleting(tx: Transaction, publication: Publication) -> None:
    """Store that a delete is about to be sent. Without a response, it may take effect when the row is already in
    another state.
    """
    await tx.execute(
        _STORE_BEFORE_DELETING,
        **_leased_row(publication),
    )


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
        await tx.execute(
            _SET_RETRACTED,
            **_leased_row(publication),
            revision=publication.revision,
            now=tx.now,
        )
        == 1
    )
    if is_completed and publication.uri is not None:
        await in_flight.watch_key(tx, publication.uri, is_gone=is_gone)
    return is_completed


def in_retracting_state(publication: Publication) -> Publication:
    """The leased publication as it is after ``start_retracting``."""
    return replace(publication, state=PublicationState.RETRACTING)


def publication_of(row: Row) -> Publication:
    """Decode a row with the columns ``COLUMNS``."""
    return Publication(
        PublicationKind(row["kind"]),
        row["subject_id"],
        row["user_id"],
        PublicationState(row["state"]),
        row["revision"],
        row["sent_revision"],
        row["did"],
        row["uri"],
        row["chosen_cid"],
        _bytes(row["chosen_body"]),
        row["chosen_revision"],
        row["base_cid"],
        _bytes(row["base_body"]),
        row["base_rev"],
        _bytes(row["edits"]),
        _bytes(row["merged"]),
        row["merge_rounds"],
        row["attempts"],
        row["lease"],
        Instant(row["edited_at"]),
        decode_explanation(row["reason"]),
        bool(row["is_withdrawn"]),
        row["deleting_cid"],
    )


def _leased_row(publication: Publication) -> dict[str, object]:
    """Parameters of the statements that change a row only under its lease."""
    return {"kind": publication.kind, "subject_id": publication.subject_id, "lease": publication.lease}


def _bytes(value: bytes | memoryview | None) -> bytes | None:
    return None if value is None else bytes(value)
