"""Publications: one row per record that is in a person's repository or may have to be, with declared states.

Domain code calls ``enqueue`` in the transaction of the edit; pages read ``publication_status``. What was sent, when and
under which key is in ``publication_leases``, what the network reports in ``publication_echoes``. A row is out of date
when its revision is above the one sent; times only say when to try.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from groundwork.clock import Instant
from groundwork.database.bulk import SqlWrite, execute_together
from groundwork.database.transaction import Transaction
from groundwork.outbox.states import Graph, sql_literals
from groundwork.outbox.wakeup import wake_dispatchers
from groundwork.telemetry import tracing
from groundwork.telemetry.logs import request_id


class PublicationKind(StrEnum):
    """Kind of a record and its subject: an event (event id), an RSVP (attendance id), a series (series id) …"""

    EVENT = "event"
    RSVP = "rsvp"
    SERIES = "series"
    GROUP = "group"  # group id
    FORMER_GROUP = "former_group"  # URI of a superseded record of a group: it links to the present one
    FORMER_EVENT = "former_event"  # URI of a superseded record of an event: it links to the present one
    FORMER_SERIES = "former_series"  # the same of a series
    MEMBERSHIP = "membership"  # membership id: what the member says
    ACCEPTANCE = "acceptance"  # membership id: what the group says
    GROUP_EVENT = "group_event"  # event id: that it is the group's


# A superseded record depends on its subject: when the subject is checked again, so are its superseded records.
SUPERSEDED_KIND: Mapping[PublicationKind, PublicationKind] = {
    PublicationKind.EVENT: PublicationKind.FORMER_EVENT,
    PublicationKind.SERIES: PublicationKind.FORMER_SERIES,
}


class PublicationState(StrEnum):
    """State of a publication."""

    WITHHELD = "withheld"  # visibility, settings, consent, not connected
    WAITING = "waiting"  # its subject is not published yet, or an account of its person is not yet read
    DUE = "due"  # to be decided and carried out now
    SENDING = "sending"  # leased
    PUBLISHED = "published"
    RETRYING = "retrying"  # tried again later: it failed, or its server is not called
    BLOCKED = "blocked"  # we may not write there: its person must sign in again, grant access or reactivate the account
    REFUSED = "refused"  # invalid, too large; the reason is kept
    CONFLICTED = "conflicted"  # changed elsewhere, or written too often; its owner decides
    RETRACTING = "retracting"  # its record is being deleted
    RETRACTED = "retracted"


_S = PublicationState

# Every move that is allowed. A handler may move a leased row to any state; ``sending -> due`` is the end of a lease or
# a swap conflict, ``sending -> sending`` a new lease on a row whose lease ended. A row that never reached the PDS is
# withheld, not retracted. Messages of the network move rows, too: an echo publishes, another app's edit becomes the
# base, another app's deletion leaves nothing to retract, even if an edit made here must not be sent.
GRAPH: Graph[PublicationState] = Graph(
    {
        _S.WITHHELD: frozenset({_S.DUE, _S.RETRACTED}),
        _S.WAITING: frozenset({_S.DUE, _S.SENDING, _S.WITHHELD, _S.PUBLISHED, _S.RETRACTED, _S.RETRACTING}),
        _S.DUE: frozenset({_S.DUE, _S.SENDING, _S.PUBLISHED, _S.RETRACTING, _S.WITHHELD, _S.RETRACTED}),
        _S.SENDING: frozenset(_S),
        _S.PUBLISHED: frozenset({_S.DUE, _S.PUBLISHED, _S.RETRACTING, _S.RETRACTED}),
        _S.RETRYING: frozenset({_S.DUE, _S.SENDING, _S.PUBLISHED, _S.RETRACTING, _S.WITHHELD, _S.RETRACTED}),
        _S.BLOCKED: frozenset({_S.DUE, _S.PUBLISHED, _S.RETRACTING, _S.WITHHELD, _S.RETRACTED}),
        _S.REFUSED: frozenset({_S.DUE, _S.WITHHELD, _S.PUBLISHED, _S.RETRACTING, _S.RETRACTED}),
        _S.CONFLICTED: frozenset({_S.DUE, _S.PUBLISHED, _S.RETRACTING, _S.RETRACTED}),
        _S.RETRACTING: frozenset({_S.DUE, _S.RETRACTING, _S.RETRACTED, _S.BLOCKED}),
        _S.RETRACTED: frozenset({_S.DUE}),
    }
)

# What a new revision does to a row: these become due at once; a leased one stays leased (its handler sees the newer
# revision when it completes); a blocked one waits for the login that it needs anyway.
DUE_ON_NEW_REVISION = (
    _S.WITHHELD,
    _S.WAITING,
    _S.DUE,
    _S.RETRYING,
    _S.PUBLISHED,
    _S.REFUSED,
    _S.CONFLICTED,
    _S.RETRACTED,
)


_DUE_NOW = sql_literals(DUE_ON_NEW_REVISION)

INSERT_INTO = "insert into publications (kind, subject_id, user_id, state, revision, due_at, edited_at, changed_at)"
IF_NEWER = f"""
    on conflict (kind, subject_id) do update
       set revision = excluded.revision, user_id = excluded.user_id,
           state = case when publications.state in ({_DUE_NOW}) then 'due' else publications.state end,
           due_at = excluded.due_at, edited_at = excluded.edited_at, changed_at = excluded.changed_at, attempts = 0,
           merge_rounds = 0, writes = 0, was_lost = 0
     where excluded.revision > publications.revision
"""
ENQUEUE = f"{INSERT_INTO} values (:kind, :subject_id, :user_id, 'due', :revision, :now, :edited_at, :now) {IF_NEWER}"

# Only a row with a record key may have reached the PDS; the publisher withholds one without when it checks it.
RETRACT = f"""
    update publications set state = 'retracting', revision = :revision, due_at = :now, edited_at = :now, changed_at = :now,
           attempts = 0, reason = ''
     where kind = :kind and subject_id = :subject_id and uri is not null and leased_until is null
       and state in ({GRAPH.sql_sources_of(PublicationState.RETRACTING)})
"""

ATTACH_RECORD = """
    update publications set did = :did, uri = :uri
     where kind = :kind and subject_id = :subject_id and uri is null and leased_until is null
"""

# A retraction that has started is finished first; then the row is decided again.
RETRY_NOW = """
    update publications set state = case when state = 'retracting' then state else 'due' end, due_at = :now, changed_at = :now, attempts = 0, merge_rounds = 0, writes = 0,
           reason = '', is_withdrawn = 0
     where kind = :kind and subject_id = :subject_id
       and (state in ('withheld', 'waiting', 'due', 'retrying', 'blocked', 'refused', 'conflicted')
            or (state in ('retracting', 'retracted') and is_withdrawn = 1) or (state = 'retracted' and was_lost = 1))
"""

# A handler that runs now may have decided before this change: because of the mark it leaves the row due.
MAYBE_LEASED = "state in ('sending', 'retracting')"
DUE_OR_RECHECK = f"""state = case when {MAYBE_LEASED} then state else 'due' end,
           due_at = case when {MAYBE_LEASED} then due_at else :now end,
           changed_at = case when {MAYBE_LEASED} then changed_at else :now end,
           needs_recheck = case when {MAYBE_LEASED} then 1 else needs_recheck end"""

RECHECK_UNPUBLISHED = f"""
    update publications
       set {DUE_OR_RECHECK},
           attempts = case when {MAYBE_LEASED} then attempts else 0 end, reason = case when {MAYBE_LEASED} then reason else '' end
     where user_id = :user_id
       and (state in ('withheld', 'waiting', 'retrying', 'blocked') or {MAYBE_LEASED} or (state = 'retracted' and was_lost = 0))
"""

_DECIDED = f"""(state in ('withheld', 'waiting', 'published') or {MAYBE_LEASED} or (state = 'retracted' and was_lost = 0)
            or (uri is not null and state in ('retrying', 'refused', 'conflicted')))"""
_RECHECK = f"""
    update publications set {DUE_OR_RECHECK}, writes = case when cast(:is_edit as integer) = 1 then 0 else writes end
     where kind = :kind and subject_id {{}} and {_DECIDED}
"""
RECHECK = _RECHECK.format("in :subject_ids")
RECHECK_ALL_OF = f"update publications set {DUE_OR_RECHECK} where user_id = :user_id and {_DECIDED}"
RECHECK_KIND = f"""
    update publications set {DUE_OR_RECHECK}
     where kind = :kind and (state in ('withheld', 'waiting', 'published') or {MAYBE_LEASED})
"""
_SUPERSEDED = "select f.uri from superseded_records f where f.kind = :subject_kind and f.subject_id in"
# Engines limit the parameters of one statement; SQLite's limit is the lowest, 32,766.
_IDS_PER_STATEMENT = 1000


async def enqueue(
    tx: Transaction,
    *,
    kind: PublicationKind,
    subject_id: str,
    user_id: str,
    revision: int,
    edited_at: Instant | None = None,
) -> None:
    """Enqueue what makes the repository of ``user_id`` agree with this revision; the publisher decides how.

    Call it with every edit of something that might be published, also if its record must now be deleted: what to do
    (publish, retract, nothing) is decided from the present when the row is leased. Older or equal revisions change
    nothing. ``edited_at``: the time of the edit, if not now.
    """
    await execute_together(
        tx,
        [enqueue_write(tx, kind=kind, subject_id=subject_id, user_id=user_id, revision=revision, edited_at=edited_at)],
    )
    if revision > 1:
        await recheck_superseded(tx, kind, "(:subject_id)", subject_id=subject_id)


def enqueue_write(
    tx: Transaction,
    *,
    kind: PublicationKind,
    subject_id: str,
    user_id: str,
    revision: int,
    edited_at: Instant | None = None,
) -> SqlWrite:
    """The statement of ``enqueue``, for one batch with the edit; superseded records are left alone."""
    tx.after_commit(wake_dispatchers)
    # From here on the record can be traced by its subject, to the PDS and back (``record.published``,
    # ``record.came_back``).
    request = request_id.get()
    tx.after_commit(
        lambda: tracing.note(
            "record.enqueued", subject_id, kind=kind.value, revision=revision, request_id=request or None
        )
    )
    return SqlWrite(
        ENQUEUE,
        {
            "kind": kind,
            "subject_id": subject_id,
            "user_id": user_id,
            "revision": revision,
            "now": tx.now,
            "edited_at": tx.now if edited_at is None else edited_at,
        },
    )


async def enqueue_many(tx: Transaction, *, kind: PublicationKind, subjects: Sequence[tuple[str, str, int]]) -> None:
    """``enqueue`` for many: (subject, user id, revision)."""
    await enqueue_edits(tx, kind=kind, subjects=[(*one, tx.now) for one in subjects])


async def enqueue_edits(
    tx: Transaction, *, kind: PublicationKind, subjects: Sequence[tuple[str, str, int, Instant]]
) -> None:
    """``enqueue_many`` of edits that were made earlier, with the time of each."""
    tx.after_commit(wake_dispatchers)
    await tx.execute_many(
        ENQUEUE,
        [
            {
                "kind": kind,
                "subject_id": subject_id,
                "user_id": user_id,
                "revision": revision,
                "now": tx.now,
                "edited_at": edited_at,
            }
            for subject_id, user_id, revision, edited_at in subjects
        ],
    )
    edited = [subject_id for subject_id, _, revision, _ in subjects if revision > 1]
    for start in range(0, len(edited), _IDS_PER_STATEMENT):
        await recheck_superseded(tx, kind, ":some", some=edited[start : start + _IDS_PER_STATEMENT])


async def enqueue_retraction(
    tx: Transaction,
    *,
    kind: PublicationKind,
    subject_id: str,
    user_id: str,
    revision: int,
    record: tuple[str, str] | None = None,
) -> None:
    """Enqueue a retraction, because something was deleted or became private. Retractions are leased first.

    ``record``: DID and URI of a record that another app wrote and that must be deleted, too.
    """
    records = {} if record is None else {subject_id: record}
    await enqueue_retractions(tx, kind=kind, subjects=[(subject_id, user_id, revision)], records=records)


async def enqueue_retractions(
    tx: Transaction,
    *,
    kind: PublicationKind,
    subjects: Sequence[tuple[str, str, int]],
    records: Mapping[str, tuple[str, str]],
) -> None:
    """``enqueue_retraction`` for many: (subject, user id, revision); ``records`` by subject, where there is one."""
    tx.after_commit(wake_dispatchers)
    await tx.execute_many(
        RETRACT,
        [
            {"kind": kind, "subject_id": subject_id, "revision": revision, "now": tx.now}
            for subject_id, _, revision in subjects
        ],
    )
    # A row that is being retracted has this revision already, and nothing changes.
    await enqueue_many(tx, kind=kind, subjects=subjects)
    await tx.execute_many(
        ATTACH_RECORD,
        [
            {"kind": kind, "subject_id": subject_id, "did": did, "uri": uri}
            for subject_id, (did, uri) in records.items()
        ],
    )


async def recheck_superseded(tx: Transaction, kind: PublicationKind, chosen: str, **parameters: object) -> None:
    """Make publications of the superseded records of these subjects due, because the subjects changed."""
    if kind in SUPERSEDED_KIND:
        former = _RECHECK.format(f"in ({_SUPERSEDED} {chosen})")
        await tx.execute(former, kind=SUPERSEDED_KIND[kind], subject_kind=kind, is_edit=1, now=tx.now, **parameters)


async def retry_now(tx: Transaction, *, kind: PublicationKind, subject_id: str) -> bool:
    """Make a publication due now at a person's request, also if they retracted it or deleted its record in another app.
    False if nothing waits.
    """
    tx.after_commit(wake_dispatchers)
    return await tx.execute(RETRY_NOW, kind=kind, subject_id=subject_id, now=tx.now) == 1


async def recheck_unpublished_of(tx: Transaction, user_id: str) -> int:
    """Recheck what is not published of a person: they consented, connected an account, signed in again or are shown again."""
    tx.after_commit(wake_dispatchers)
    return await tx.execute(RECHECK_UNPUBLISHED, user_id=user_id, now=tx.now)


async def recheck(tx: Transaction, *, kind: PublicationKind, subject_ids: Sequence[str], is_edit: bool = False) -> None:
    """Make publications due, because something that the decision about them depends on has changed.

    Also for rows that the PDS refused or that are in conflict: an earlier version may have to be deleted. ``is_edit``:
    a person made the change, so the write does not count as one without an edit.
    """
    tx.after_commit(wake_dispatchers)
    for start in range(0, len(subject_ids), _IDS_PER_STATEMENT):
        some = list(subject_ids[start : start + _IDS_PER_STATEMENT])
        await tx.execute(RECHECK, kind=kind, subject_ids=some, is_edit=int(is_edit), now=tx.now)
        await recheck_superseded(tx, kind, ":some", some=some)


async def recheck_where(tx: Transaction, *, kind: PublicationKind, chosen: str, **parameters: object) -> None:
    """``recheck`` for any number in one statement. ``chosen``: a trusted subselect of their subject ids."""
    tx.after_commit(wake_dispatchers)
    await tx.execute(_RECHECK.format(f"in ({chosen})"), kind=kind, is_edit=0, now=tx.now, **parameters)
    await recheck_superseded(tx, kind, f"({chosen})", **parameters)


async def recheck_all_of(tx: Transaction, user_id: str) -> None:
    """``recheck`` for everything of a person: their publishing settings changed."""
    tx.after_commit(wake_dispatchers)
    await tx.execute(RECHECK_ALL_OF, user_id=user_id, now=tx.now)


async def recheck_kind(tx: Transaction, kind: PublicationKind) -> None:
    """``recheck`` for every record of a kind: publishing of that kind was switched on."""
    tx.after_commit(wake_dispatchers)
    await tx.execute(RECHECK_KIND, kind=kind, now=tx.now)


async def forget_unsent(tx: Transaction, *, kind: PublicationKind, subject_ids: Sequence[str]) -> None:
    """Delete the rows of deleted subjects of which nothing was ever sent."""
    await tx.execute_many(
        "delete from publications where kind = :kind and subject_id = :subject_id and uri is null",
        [{"kind": kind.value, "subject_id": one} for one in subject_ids],
    )
