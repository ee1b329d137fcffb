"""Publications: one row per record that is, or may have to be, in a person's repository. Each has one of a fixed set of
states.

Domain code calls ``enqueue`` in the transaction of the edit; pages read ``publication_status``. ``leased_publications``
stores what was sent, when and under which key; ``ingested_changes`` stores what ingestion reads. A row is out of
date if its revision is greater than the last one that was completed. Times only determine when to try next.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from at_protocol.syntax.did import Did
from groundwork.clock import Instant
from groundwork.database.bulk import IDS_PER_STATEMENT, SqlWrite, execute_together
from groundwork.database.transaction import Transaction
from groundwork.errors import encode_explanation
from groundwork.outbox.states import StateGraph, sql_literals
from groundwork.outbox.wakeup import wake_dispatchers
from groundwork.telemetry import tracing
from groundwork.telemetry.logs import request_id
from openmeet.outbox.publication_columns import DUE_FROM_NOW, MAYBE_LEASED, RECHECK_IF_LEASED, RESET_ATTEMPTS
from openmeet.outbox.reasons import PublicationReason


@dataclass(frozen=True, slots=True)
class RecordVersion:
    """One version of a record: its CID and its DAG-CBOR bytes, as of the commit ``rev`` of its repository."""

    uri: str
    rev: str
    cid: str
    body: bytes

    @property
    def did(self) -> Did:
        return repository_of(self.uri)

    @property
    def collection(self) -> str:
        return self.uri.split("/")[3]

    @property
    def rkey(self) -> str:
        return self.uri.split("/")[4]


def repository_of(record_uri: str) -> Did:
    """The repository of a record. URIs of stored records have a DID as their authority."""
    return Did(record_uri.split("/")[2])


class PublicationKind(StrEnum):
    """Kind of a record. The comment next to each kind says what its ``subject_id`` is."""

    EVENT = "event"  # event id
    RSVP = "rsvp"  # attendance id
    SERIES = "series"  # series id
    GROUP = "group"  # group id
    # URI of a superseded record of a group, event or series, which links to the current one
    SUPERSEDED_GROUP = "former_group"
    SUPERSEDED_EVENT = "former_event"
    SUPERSEDED_SERIES = "former_series"
    MEMBERSHIP = "membership"  # membership id: the member's record of the membership
    ACCEPTANCE = "acceptance"  # membership id: the group's record of the membership
    GROUP_EVENT = "group_event"  # event id: the group's record that the event is its own


# Superseded records depend on their subject: when it becomes due, so do they. Groups are not in this mapping, because
# they keep their superseded records in ``superseded_group_records``, and ``records.links`` makes those due.
SUPERSEDED_KIND: Mapping[PublicationKind, PublicationKind] = {
    PublicationKind.EVENT: PublicationKind.SUPERSEDED_EVENT,
    PublicationKind.SERIES: PublicationKind.SUPERSEDED_SERIES,
}


class PublicationState(StrEnum):
    """State of a publication."""

    # stays on this site because of its visibility, the settings or a missing consent, or because no account is connected
    WITHHELD = "withheld"
    # its subject is not published yet, the repository of its group is not ready, an account of its person is being read
    # first, or another app deleted the record and the host has not decided yet whether to publish it again
    WAITING = "waiting"
    DUE = "due"  # to be decided and carried out now
    SENDING = "sending"  # leased
    PUBLISHED = "published"
    RETRYING = "retrying"  # to be tried again later, because it failed or its server is not called now
    # we may not write there until its person signs in again, grants access or reactivates the account
    BLOCKED = "blocked"
    REFUSED = "refused"  # invalid or too large; the reason is stored
    CONFLICTED = "conflicted"  # changed in another app too, or written too often; its owner has to decide
    RETRACTING = "retracting"  # its record is being deleted
    RETRACTED = "retracted"


_State = PublicationState

# All allowed moves. A handler may move a row in state SENDING to any state, and one in RETRACTING to a few.
# ``sending -> due`` means that the row is decided again, because it changed meanwhile or its record stays in its
# repository after all; ``sending -> sending`` is a new lease on a row whose lease ended. A row that never reached the PDS
# is withheld, not retracted. Messages from the network also move rows: our own write makes a row PUBLISHED; another
# app's edit becomes the base; another app's deletion leaves nothing to retract, even if an edit made here must not be
# sent.
STATE_GRAPH: StateGraph[PublicationState] = StateGraph(
    {
        _State.WITHHELD: frozenset({_State.DUE, _State.RETRACTED}),
        _State.WAITING: frozenset(
            {_State.DUE, _State.SENDING, _State.WITHHELD, _State.PUBLISHED, _State.RETRACTED, _State.RETRACTING}
        ),
        _State.DUE: frozenset(
            {_State.DUE, _State.SENDING, _State.PUBLISHED, _State.RETRACTING, _State.WITHHELD, _State.RETRACTED}
        ),
        _State.SENDING: frozenset(_State),
        _State.PUBLISHED: frozenset({_State.DUE, _State.PUBLISHED, _State.RETRACTING, _State.RETRACTED}),
        _State.RETRYING: frozenset(
            {_State.DUE, _State.SENDING, _State.PUBLISHED, _State.RETRACTING, _State.WITHHELD, _State.RETRACTED}
        ),
        _State.BLOCKED: frozenset({_State.DUE, _State.PUBLISHED, _State.RETRACTING, _State.WITHHELD, _State.RETRACTED}),
        _State.REFUSED: frozenset({_State.DUE, _State.WITHHELD, _State.PUBLISHED, _State.RETRACTING, _State.RETRACTED}),
        _State.CONFLICTED: frozenset({_State.DUE, _State.PUBLISHED, _State.RETRACTING, _State.RETRACTED}),
        _State.RETRACTING: frozenset({_State.DUE, _State.RETRACTING, _State.RETRACTED, _State.BLOCKED}),
        _State.RETRACTED: frozenset({_State.DUE}),
    }
)

# Rows in these states become due immediately when there is a new revision. A leased row stays leased, because its
# handler sees the newer revision when it completes. A blocked row waits for the login that it needs anyway.
DUE_ON_NEW_REVISION = (
    _State.WITHHELD,
    _State.WAITING,
    _State.DUE,
    _State.RETRYING,
    _State.PUBLISHED,
    _State.REFUSED,
    _State.CONFLICTED,
    _State.RETRACTED,
)


_DUE_ON_NEW_REVISION_SQL = sql_literals(DUE_ON_NEW_REVISION)

_INSERT_INTO = "insert into publications (kind, subject_id, user_id, state, revision, due_at, edited_at, changed_at)"
# An edit of a group or series does not decide whether its record comes back after another app has deleted it.
_UPDATE_IF_NEWER = f"""
    on conflict (kind, subject_id) do update
       set revision = excluded.revision, user_id = excluded.user_id,
           state = case when publications.state in ({_DUE_ON_NEW_REVISION_SQL}) then 'due' else publications.state end,
           due_at = excluded.due_at, edited_at = excluded.edited_at, changed_at = excluded.changed_at, {RESET_ATTEMPTS},
           writes = 0, awaited_server = null,
           was_deleted_elsewhere = case when publications.kind in ('group', 'series')
                                        then publications.was_deleted_elsewhere else 0 end
     where excluded.revision > publications.revision
"""
_ENQUEUE_SELECTED: Final = f"""
    {_INSERT_INTO}
    select cast(:kind as text), chosen.id, chosen.user_id, 'due', chosen.revision, cast(:now as bigint),
           cast(:now as bigint), cast(:now as bigint)
      from ({{}}) as chosen where 1 = 1
    {_UPDATE_IF_NEWER}
"""
_ENQUEUE = (
    f"{_INSERT_INTO} values (:kind, :subject_id, :user_id, 'due', :revision, :now, :edited_at, :now) {_UPDATE_IF_NEWER}"
)

# Only a row with a record key may have reached the PDS. The publisher withholds a row without one when it checks it.
_RETRACT = f"""
    update publications set state = 'retracting', revision = :revision, {DUE_FROM_NOW}, edited_at = :now, attempts = 0,
        reason = ''
     where kind = :kind and subject_id = :subject_id and uri is not null and leased_until is null
       and state in ({STATE_GRAPH.sql_sources_of(PublicationState.RETRACTING)})
"""

_ATTACH_RECORD = """
    update publications set did = :did, uri = :uri
     where kind = :kind and subject_id = :subject_id and uri is null and leased_until is null
"""

# A retraction that has started is finished first, and so is one that a handler may have decided on. Then the row is
# decided again. The owner thereby decides that the deleted record of a group or series comes back. For other kinds,
# ``was_deleted_elsewhere`` stays set until the record is published. If the old record comes back before that, it is
# attached.
_RETRY_NOW = f"""
    update publications
       set state = case when {MAYBE_LEASED} then state else 'due' end, {RECHECK_IF_LEASED}, {DUE_FROM_NOW},
           {RESET_ATTEMPTS},
           writes = 0, reason = '', is_withdrawn = 0,
           was_deleted_elsewhere = case when kind in ('group', 'series') then 0 else was_deleted_elsewhere end
     where kind = :kind and subject_id = :subject_id
       and (state in ('withheld', 'waiting', 'due', 'retrying', 'blocked', 'refused', 'conflicted')
            or (({MAYBE_LEASED} or state = 'retracted') and is_withdrawn = 1)
            or (state in ('sending', 'retracted') and was_deleted_elsewhere = 1))
"""

DUE_OR_RECHECK = f"""state = case when {MAYBE_LEASED} then state else 'due' end,
           due_at = case when {MAYBE_LEASED} then due_at else :now end,
           changed_at = case when {MAYBE_LEASED} then changed_at else :now end,
           awaited_server = null, {RECHECK_IF_LEASED}"""

# Rows that were decided, and might be decided otherwise now.
DECIDED = f"""(state in ('withheld', 'waiting', 'published') or {MAYBE_LEASED}
            or (state = 'retracted' and was_deleted_elsewhere = 0)
            or (uri is not null and state in ('retrying', 'refused', 'conflicted')))"""
_MAKE_DUE_TEMPLATE = f"""
    update publications set {DUE_OR_RECHECK}, writes = case when cast(:resets_write_count as integer) = 1 then 0
        else writes end
     where kind = :kind and subject_id {{}} and {DECIDED}
"""
_MAKE_DUE = _MAKE_DUE_TEMPLATE.format("in :subject_ids")
_RECHECK_LEASED: Final = f"""
    update publications set needs_recheck = 1
     where leased_until is not null and {MAYBE_LEASED} and kind = :kind and subject_id
"""
_MAKE_DUE_AFTER_FLAG_ON: Final = f"""
    update publications
       set due_at = case when {MAYBE_LEASED} then due_at else :now end, {RECHECK_IF_LEASED}
     where kind in :kinds and ((state = 'retrying' and reason = :reason) or {MAYBE_LEASED})
"""
_MAKE_DUE_AFTER_ACCOUNT_READ: Final = f"""
    update publications set {DUE_OR_RECHECK} where user_id = :user_id and kind = :kind
        and (state = 'waiting' or {MAYBE_LEASED})
"""
_URIS_OF_SUPERSEDED = "select uri from superseded_records where kind = :subject_kind and subject_id in"


@dataclass(frozen=True, slots=True)
class SubjectRevision:
    """A revision of a subject, for the repository of ``user_id``. ``edited_at``: the time of the edit, if it is not
    now.
    """

    subject_id: str
    user_id: str
    revision: int
    edited_at: Instant | None = None


async def enqueue(
    tx: Transaction,
    *,
    kind: PublicationKind,
    subject_id: str,
    user_id: str,
    revision: int,
    edited_at: Instant | None = None,
) -> None:
    """Enqueue the work that brings the repository of ``user_id`` up to this revision. The publisher decides what that
    is.

    Call it with every edit of something that might be published, even if its record must now be deleted: whether to
    publish, retract or do nothing is decided when the row is leased, from the state at that time. Older or equal
    revisions change nothing. ``edited_at``: the time of the edit, if it is not now.
    """
    write = publication_write(
        tx, kind=kind, subject_id=subject_id, user_id=user_id, revision=revision, edited_at=edited_at
    )
    await execute_together(tx, [write])
    if revision > 1:
        await _make_superseded_due(tx, kind, "(:subject_id)", subject_id=subject_id)


def publication_write(
    tx: Transaction,
    *,
    kind: PublicationKind,
    subject_id: str,
    user_id: str,
    revision: int,
    edited_at: Instant | None = None,
) -> SqlWrite:
    """The SQL write of ``enqueue``, for a batch together with the edit; nothing is enqueued before it is executed. It does
    not make superseded records due.
    """
    tx.after_commit(wake_dispatchers)
    # From here the record can be traced by its subject, to the PDS and back (``record.published``,
    # ``record.came_back``).
    request = request_id.get()
    tx.after_commit(
        lambda: tracing.note(
            "record.enqueued", subject_id, kind=kind.value, revision=revision, request_id=request or None
        )
    )
    return SqlWrite(
        _ENQUEUE,
        {
            "kind": kind,
            "subject_id": subject_id,
            "user_id": user_id,
            "revision": revision,
            "now": tx.now,
            "edited_at": tx.now if edited_at is None else edited_at,
        },
    )


async def enqueue_many(tx: Transaction, *, kind: PublicationKind, subjects: Sequence[SubjectRevision]) -> None:
    """Like ``enqueue``, for many subjects."""
    tx.after_commit(wake_dispatchers)
    await tx.execute_many(
        _ENQUEUE,
        [
            {
                "kind": kind,
                "subject_id": one.subject_id,
                "user_id": one.user_id,
                "revision": one.revision,
                "now": tx.now,
                "edited_at": tx.now if one.edited_at is None else one.edited_at,
            }
            for one in subjects
        ],
    )
    edited = [one.subject_id for one in subjects if one.revision > 1]
    for start in range(0, len(edited), IDS_PER_STATEMENT):
        await _make_superseded_due(tx, kind, ":edited", edited=edited[start : start + IDS_PER_STATEMENT])


async def enqueue_selected(tx: Transaction, *, kind: PublicationKind, subselect: str) -> None:
    """Like ``enqueue``, for all subjects that a query selects, in one statement and without loading a row.
    ``subselect``: a trusted SQL select of ``id``, ``user_id`` and ``revision``, ordered by id.
    """
    tx.after_commit(wake_dispatchers)
    await tx.execute(_ENQUEUE_SELECTED.format(subselect), kind=kind, now=tx.now)
    await _make_superseded_due(tx, kind, f"(select chosen.id from ({subselect}) as chosen where chosen.revision > 1)")


async def enqueue_retraction(
    tx: Transaction,
    *,
    kind: PublicationKind,
    subject_id: str,
    user_id: str,
    revision: int,
    record_uri: str | None = None,
) -> None:
    """Enqueue a retraction, because something was deleted or became private. Retractions are leased first.

    ``record_uri``: a record that another app wrote and that must also be deleted.
    """
    record_uris = {} if record_uri is None else {subject_id: record_uri}
    subjects = [SubjectRevision(subject_id, user_id, revision)]
    await enqueue_retractions(tx, kind=kind, subjects=subjects, record_uris=record_uris)


async def enqueue_retractions(
    tx: Transaction, *, kind: PublicationKind, subjects: Sequence[SubjectRevision], record_uris: Mapping[str, str]
) -> None:
    """Like ``enqueue_retraction``, for many subjects. ``record_uris``: by subject, if there is one."""
    tx.after_commit(wake_dispatchers)
    await tx.execute_many(
        _RETRACT,
        [{"kind": kind, "subject_id": one.subject_id, "revision": one.revision, "now": tx.now} for one in subjects],
    )
    # A row that is already being retracted has this revision, so nothing changes.
    await enqueue_many(tx, kind=kind, subjects=subjects)
    await tx.execute_many(
        _ATTACH_RECORD,
        [
            {"kind": kind, "subject_id": subject_id, "did": repository_of(uri), "uri": uri}
            for subject_id, uri in record_uris.items()
        ],
    )


async def _make_superseded_due(tx: Transaction, kind: PublicationKind, ids_sql: str, **parameters: object) -> None:
    """Make publications of the superseded records of these subjects due, because the subjects changed. ``ids_sql``: what
    follows ``in``, for example a list or a trusted subselect.
    """
    if kind in SUPERSEDED_KIND:
        statement = _MAKE_DUE_TEMPLATE.format(f"in ({_URIS_OF_SUPERSEDED} {ids_sql})")
        await tx.execute(
            statement, kind=SUPERSEDED_KIND[kind], subject_kind=kind, resets_write_count=1, now=tx.now, **parameters
        )


async def retry_now(tx: Transaction, *, kind: PublicationKind, subject_id: str) -> bool:
    """Make a publication due now because its owner asked for it, even if they had withdrawn it or deleted its record in
    another app. Returns False if there is nothing to send.
    """
    tx.after_commit(wake_dispatchers)
    return await tx.execute(_RETRY_NOW, kind=kind, subject_id=subject_id, now=tx.now) == 1


async def forget_deletion_elsewhere(tx: Transaction, *, kind: PublicationKind, subject_id: str) -> None:
    """Forget that another app deleted the record, because its owner has decided what follows: the settings alone say
    whether it is published again, and if it comes back, it is not attached.
    """
    await tx.execute(
        "update publications set was_deleted_elsewhere = 0"
        " where kind = :kind and subject_id = :subject_id and was_deleted_elsewhere = 1",
        kind=kind,
        subject_id=subject_id,
    )


async def make_due(
    tx: Transaction, *, kind: PublicationKind, subject_ids: Sequence[str], resets_write_count: bool = False
) -> None:
    """Make publications due, because something that the decision about them depends on has changed.

    This includes rows that the PDS refused or that are in conflict, because an earlier version may have to be deleted.
    ``resets_write_count``: the hourly limit on writes without an edit starts again.
    """
    tx.after_commit(wake_dispatchers)
    for start in range(0, len(subject_ids), IDS_PER_STATEMENT):
        chunk = list(subject_ids[start : start + IDS_PER_STATEMENT])
        await tx.execute(
            _MAKE_DUE, kind=kind, subject_ids=chunk, resets_write_count=int(resets_write_count), now=tx.now
        )
        await _make_superseded_due(tx, kind, ":chunk", chunk=chunk)


async def recheck_leased(tx: Transaction, *, kind: PublicationKind, subselect: str, **parameters: object) -> None:
    """Let the handlers that hold one of these publications decide again before they write, and leave the others to
    ``make_due``. Few are leased at a time. ``subselect``: a trusted subselect of their subject ids.
    """
    await tx.execute(f"{_RECHECK_LEASED} in ({subselect})", kind=kind, **parameters)


async def make_due_after_flag_on(tx: Transaction, kind: PublicationKind) -> int:
    """Make the publications of a kind due that waited while its flag was off. Returns how many."""
    tx.after_commit(wake_dispatchers)
    kinds = [kind, SUPERSEDED_KIND.get(kind, kind)]
    return await tx.execute(
        _MAKE_DUE_AFTER_FLAG_ON, kinds=kinds, reason=encode_explanation(PublicationReason.FLAG_OFF), now=tx.now
    )


async def make_due_after_account_read(tx: Transaction, user_id: str, kind: PublicationKind) -> int:
    """Make a person's publications due that waited until one of their accounts was read. Returns how many."""
    tx.after_commit(wake_dispatchers)
    return await tx.execute(_MAKE_DUE_AFTER_ACCOUNT_READ, user_id=user_id, kind=kind, now=tx.now)


async def create_for_foreign_record(
    tx: Transaction, kind: PublicationKind, subject_id: str, *, user_id: str, revision: int, record_uri: str
) -> None:
    """Create a publication for a record that another app wrote."""
    await enqueue(tx, kind=kind, subject_id=subject_id, user_id=user_id, revision=revision)
    await tx.execute(_ATTACH_RECORD, kind=kind, subject_id=subject_id, did=repository_of(record_uri), uri=record_uri)


async def delete_without_record(tx: Transaction, *, kind: PublicationKind, subject_ids: Sequence[str]) -> None:
    """Delete the rows of these subjects that have no record: nothing was ever sent, or the record was retracted."""
    await tx.execute_many(
        "delete from publications where kind = :kind and subject_id = :subject_id and uri is null",
        [{"kind": kind.value, "subject_id": one} for one in subject_ids],
    )
