"""Publications that move: to another repository, to another subject, or to a record found again; and former records of
a subject.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.database.addresses import ENGINES, authority_of
from groundwork.database.transaction import Engine, Reader, Row, Transaction
from groundwork.outbox.wakeup import wake_dispatchers
from openmeet.outbox import publications
from openmeet.outbox.publication_counts import promised_among
from openmeet.outbox.publications import (
    FORMER_OF,
    GRAPH,
    TAKE_ON,
    PublicationKind,
    PublicationState,
    enqueue,
    enqueue_edits,
    enqueue_retractions,
    forget_unsent,
    look_again,
)

# Account merge.
REASSIGN = "update publications set user_id = :to_user where user_id = :from_user"

# Two subjects turned out to be one: the publication that has a record goes on.
DROP_UNSENT_TWIN = """
    delete from publications
     where kind = :kind and subject_id = :kept and uri is null
       and exists (select 1 from publications d where d.kind = :kind and d.subject_id = :dropped and d.uri is not null)
"""
HAND_ON = """
    update publications set subject_id = :kept
     where kind = :kind and subject_id = :dropped
       and not exists (select 1 from publications k where k.kind = :kind and k.subject_id = :kept)
"""


# Nothing was ever sent, or this very record was retracted here: a handler that holds the row, or has sent since, knows
# better.
FIND_AGAIN = f"""
    update publications
       set did = :did, uri = :uri, base_cid = :cid, base_body = :body, base_rev = :rev, sent_revision = :sent_revision,
           edits = null, merged = null, attempts = 0, reason = '', state = 'due', due_at = :now, changed_at = :now
     where kind = :kind and subject_id = :subject_id and uri is null and chosen_cid is null and base_cid is null
       and (state <> 'retracted' or cast(:was_taken_back as integer) = 1) and state <> 'sending' and state in ({GRAPH.sql_sources_of(PublicationState.DUE)})
"""

# Somebody else deleted the record, and it is back: it is decided like every other record. Edits made meanwhile are no
# longer lost, and its subject still knows that its record was deleted.
FIND_LOST = f"""
    update publications
       set did = :did, uri = :uri, base_cid = :cid, base_body = :body, base_rev = :rev, was_lost = 0, attempts = 0, reason = '',
           state = 'due', due_at = :now, changed_at = :now, leased_until = null
     where kind = :kind and subject_id = :subject_id and uri is null and edits is null
       and (was_lost = 1 or cast(:is_asked_about as integer) = 1)
       and state in ({GRAPH.sql_sources_of(PublicationState.DUE)})
"""


async def find_again(
    tx: Transaction,
    *,
    kind: PublicationKind,
    subject_id: str,
    did: str,
    uri: str,
    cid: str,
    body: bytes,
    rev: str,
    sent_revision: int,
    was_taken_back: bool,
) -> bool:
    """The record was known before a database restore, or was retracted and is back: this version is the new base.

    ``sent_revision``: the subject's revision that it represents; ``was_taken_back``: we retracted this very record.
    False where a write is in flight, or was sent.
    """
    changed = await tx.execute(
        FIND_AGAIN,
        kind=kind,
        subject_id=subject_id,
        did=did,
        uri=uri,
        cid=cid,
        body=body,
        rev=rev,
        sent_revision=sent_revision,
        was_taken_back=int(was_taken_back),
        now=tx.now,
    )
    return changed == 1


async def find_lost(
    tx: Transaction,
    *,
    kind: PublicationKind,
    subject_id: str,
    did: str,
    uri: str,
    cid: str,
    body: bytes,
    rev: str,
    is_asked_about: bool,
) -> bool:
    """The record of this publication, which somebody had deleted, is back: this version is the new base.

    ``is_asked_about``: the host has not yet decided what follows from the deletion. False where nothing was lost, or
    where unsent edits are to be applied first (``publication_echoes.attach``).
    """
    changed = await tx.execute(
        FIND_LOST,
        kind=kind,
        subject_id=subject_id,
        did=did,
        uri=uri,
        cid=cid,
        body=body,
        rev=rev,
        is_asked_about=int(is_asked_about),
        now=tx.now,
    )
    return changed == 1


async def hand_to(tx: Transaction, kind: PublicationKind, subject_ids: Sequence[str], user_id: str) -> None:
    """These stand in somebody else's repository from now on: each is decided again."""
    await tx.execute_many(
        "update publications set user_id = :user_id where kind = :kind and subject_id = :subject_id",
        [{"kind": kind.value, "subject_id": one, "user_id": user_id} for one in subject_ids],
    )
    await look_again(tx, kind=kind, subject_ids=subject_ids, is_edit=True)


async def uri_of(reader: Reader, kind: PublicationKind, subject_id: str) -> str | None:
    """Where the record is, or may be."""
    row = await reader.fetch_one(
        "select uri from publications where kind = :kind and subject_id = :subject_id", kind=kind, subject_id=subject_id
    )
    return None if row is None else row["uri"]


async def holders_in(reader: Reader, kind: PublicationKind, did: str) -> frozenset[str]:
    """Users whose records of this kind are, or were, in one repository."""
    rows = await reader.fetch(
        "select distinct user_id from publications where kind = :kind and did = :did", kind=kind, did=did
    )
    return frozenset(row["user_id"] for row in rows)


async def rename(
    tx: Transaction,
    kind: PublicationKind,
    subject_id: str,
    *,
    to: tuple[PublicationKind, str],
    user_id: str,
    revision: int,
) -> None:
    """The record of this publication belongs to something else from now on: another kind, another subject.

    A handler that runs at this moment holds an older lease: its result changes nothing.
    """
    new_kind, new_subject = to
    await tx.execute(
        "update publications set kind = :new_kind, subject_id = :new_subject, user_id = :user_id, revision = :revision,"
        " state = 'due', due_at = :now, changed_at = :now, attempts = 0, rounds = 0, lease = lease + 1, leased_until = null"
        " where kind = :kind and subject_id = :subject_id",
        kind=kind,
        subject_id=subject_id,
        new_kind=new_kind,
        new_subject=new_subject,
        user_id=user_id,
        revision=revision,
        now=tx.now,
    )


async def take_on(
    tx: Transaction, kind: PublicationKind, subject_id: str, *, user_id: str, revision: int, record: tuple[str, str]
) -> None:
    """Create a publication for a record (DID and uri) that was not written from here."""
    did, uri = record
    await enqueue(tx, kind=kind, subject_id=subject_id, user_id=user_id, revision=revision)
    await tx.execute(TAKE_ON, kind=kind, subject_id=subject_id, did=did, uri=uri)


async def come_back(
    tx: Transaction, kind: PublicationKind, subject_id: str, former: PublicationKind, uri: str, user_id: str
) -> None:
    """Undo ``rename``: the former record is the one of this subject again, if a publication for it still exists."""
    held = await uri_of(tx, former, uri)
    if held is None:
        await tx.execute("delete from publications where kind = :kind and subject_id = :uri", kind=former, uri=uri)
        return
    row = await tx.fetch_one(
        "select revision from publications where kind = :kind and subject_id = :uri", kind=former, uri=uri
    )
    await forget_unsent(tx, kind=kind, subject_ids=[subject_id])
    await rename(
        tx, former, uri, to=(kind, subject_id), user_id=user_id, revision=0 if row is None else int(row["revision"])
    )


@dataclass(frozen=True, slots=True)
class JoinedSubjects:
    """Two subjects that turned out to be one. ``revision``: of the one that stays, greater than any enqueued for
    either.
    """

    kept: str
    dropped: str
    revision: int
    edited_at: Instant


async def join_subjects(tx: Transaction, kind: PublicationKind, joined: Sequence[JoinedSubjects], user_id: str) -> None:
    """Join the publications of such subjects: one record says what ``kept`` says now, a second one is retracted."""
    if not joined:
        return
    subjects = [{"kind": kind, "kept": one.kept, "dropped": one.dropped} for one in joined]
    await tx.execute_many(DROP_UNSENT_TWIN, subjects)
    await tx.execute_many(HAND_ON, subjects)
    await forget_unsent(tx, kind=kind, subject_ids=[one.dropped for one in joined])
    await enqueue_edits(tx, kind=kind, owed=[(one.kept, user_id, one.revision, one.edited_at) for one in joined])
    promised = await promised_among(tx, kind, [one.dropped for one in joined])
    taken_back = [(one.dropped, user_id, one.revision) for one in joined if one.dropped in promised]
    await enqueue_retractions(tx, kind=kind, owed=taken_back, records={})


# A write in flight may still arrive, or come back as an echo or with somebody's edit: the mark makes the publisher look
# again then, and nothing marked is sent.
_RECALL = """
    update publications
       set is_recalled = 1, changed_at = :now,
           state = case when uri is not null and state in ('published', 'refused', 'conflicted', 'retrying', 'blocked') then 'due'
                        else state end,
           due_at = case when uri is not null and state in ('published', 'refused', 'conflicted', 'retrying', 'blocked') then :now
                         else due_at end
"""
RECALL_ALL_OF = f"{_RECALL} where user_id = :user_id"
RECALL = f"{_RECALL} where kind = :kind and subject_id = :subject_id"

ALLOW_ALL_OF = "update publications set is_recalled = 0 where user_id = :user_id and is_recalled = 1"


async def recall(tx: Transaction, *, kind: PublicationKind, subject_id: str) -> bool:
    """The person retracts this record; it is not sent again until ``publications.try_again``, or until they consent to
    all again.
    """
    tx.after_commit(wake_dispatchers)
    return await tx.execute(RECALL, kind=kind, subject_id=subject_id, now=tx.now) == 1


async def recall_record(
    tx: Transaction, *, kind: PublicationKind, subject_id: str, user_id: str, revision: int, record: tuple[str, str]
) -> None:
    """``recall`` of a record (DID and uri) that was not written from here, and that may have no publication yet."""
    await publications.enqueue(tx, kind=kind, subject_id=subject_id, user_id=user_id, revision=revision)
    did, uri = record
    await tx.execute(TAKE_ON, kind=kind, subject_id=subject_id, did=did, uri=uri)
    await recall(tx, kind=kind, subject_id=subject_id)
    await publications.look_again(tx, kind=kind, subject_ids=[subject_id])


async def recall_all_of(tx: Transaction, user_id: str) -> int:
    """The person withdrew their consent: published records are retracted, others are not sent."""
    tx.after_commit(wake_dispatchers)
    return await tx.execute(RECALL_ALL_OF, user_id=user_id, now=tx.now)


async def allow_all_of(tx: Transaction, user_id: str) -> int:
    """The person consents (again): nothing of theirs is recalled any more."""
    return await tx.execute(ALLOW_ALL_OF, user_id=user_id)


@dataclass(frozen=True, slots=True)
class Former:
    """A former record. ``kind`` is that of the subject that goes on. ``is_authors``: its former owner wrote it in
    another app, and only they may delete it.

    ``is_there``: the repository still has it, as far as is known.
    """

    uri: str
    kind: PublicationKind
    subject_id: str
    is_authors: bool
    is_there: bool
    created_at: Instant


_COLUMNS = "uri, kind, subject_id, is_authors, is_there, created_at"

FORGET_OF: Mapping[Engine, str] = {
    engine: f"delete from former_records where {authority_of(engine, 'uri')} = :did returning {_COLUMNS}"
    for engine in ENGINES
}


async def note(
    tx: Transaction, kind: PublicationKind, subject_id: str, uri: str, *, is_authors: bool, is_there: bool = True
) -> None:
    """The subject had its record here until now; ``is_there``: and the repository still has it."""
    await tx.execute(
        f"insert into former_records ({_COLUMNS}) values (:uri, :kind, :subject_id, :is_authors, :is_there, :now)"
        " on conflict (uri) do update set is_there = excluded.is_there, created_at = excluded.created_at",
        uri=uri,
        kind=kind,
        subject_id=subject_id,
        is_authors=int(is_authors),
        is_there=int(is_there),
        now=tx.now,
    )


async def find(reader: Reader, uri: str) -> Former | None:
    """The former record at this address; None of every other record."""
    row = await reader.fetch_one(f"select {_COLUMNS} from former_records where uri = :uri", uri=uri)
    return None if row is None else _former_of(row)


async def subjects(reader: Reader, kind: PublicationKind, uris: Collection[str]) -> dict[str, str]:
    """Subjects that went on from these records, by uri; uris that are no former record are missing."""
    if not uris:
        return {}
    rows = await reader.fetch(
        "select uri, subject_id from former_records where kind = :kind and uri in :uris", kind=kind, uris=sorted(uris)
    )
    return {row["uri"]: row["subject_id"] for row in rows}


# An address is free for a new record after a retraction, where its author wrote the event in another app or it was
# deleted here.
_HELD = """
    select f.uri from former_records f left join events e on f.kind = 'event' and e.id = f.subject_id
     where f.uri in :uris
       and (f.is_there = 1 or f.kind <> 'event' or (e.origin = 'here' and e.deleted_at is null)
            or exists (select 1 from publications p where p.kind = 'former_event' and p.subject_id = f.uri))
"""


async def held_among(reader: Reader, uris: Collection[str]) -> set[str]:
    """Those of these addresses that belong to a subject here: a record written there is no event or series of its own."""
    if not uris:
        return set()
    return {row["uri"] for row in await reader.fetch(_HELD, uris=sorted(uris))}


async def of(reader: Reader, kind: PublicationKind, subject_id: str) -> list[Former]:
    """Every former record of a subject, oldest first."""
    rows = await reader.fetch(
        f"select {_COLUMNS} from former_records where kind = :kind and subject_id = :id order by created_at, uri",
        kind=kind,
        id=subject_id,
    )
    return [_former_of(row) for row in rows]


async def in_repository(reader: Reader, kind: PublicationKind, subject_id: str, did: str) -> str | None:
    """The last address of a subject in one repository; None where it had none there."""
    here = [one.uri for one in await of(reader, kind, subject_id) if one.uri.startswith(f"at://{did}/")]
    return here[-1] if here else None


async def latest(reader: Reader, kind: PublicationKind, subject_ids: Collection[str]) -> dict[str, str]:
    """The last former address of each of these; subjects without one are missing."""
    if not subject_ids:
        return {}
    rows = await reader.fetch(
        "select subject_id, uri from former_records where kind = :kind and subject_id in :ids order by created_at, uri",
        kind=kind,
        ids=sorted(subject_ids),
    )
    return {row["subject_id"]: row["uri"] for row in rows}


async def hand_on(tx: Transaction, kind: PublicationKind, dropped: str, kept: str) -> None:
    """Two subjects turned out to be one: the former records of both lead to the one that goes on."""
    await tx.execute(
        "update former_records set subject_id = :kept where kind = :kind and subject_id = :dropped",
        kind=kind,
        kept=kept,
        dropped=dropped,
    )


async def drop(tx: Transaction, uri: str) -> None:
    """It is no former record: its subject has its record there (again)."""
    await drop_each(tx, [uri])


async def drop_each(tx: Transaction, uris: Collection[str]) -> None:
    """The same of several."""
    if uris:
        await tx.execute("delete from former_records where uri in :uris", uris=sorted(uris))


async def note_gone(tx: Transaction, uri: str) -> Former | None:
    """The repository no longer has it. Its uri still leads on; no record names it."""
    changed = await tx.execute("update former_records set is_there = 0 where uri = :uri and is_there = 1", uri=uri)
    return await find(tx, uri) if changed else None


async def forget_of(tx: Transaction, did: str) -> list[Former]:
    """The repository is gone with its account: nothing there leads on, and no record names it."""
    rows = await tx.fetch(FORGET_OF[tx.engine], did=did)
    await tx.execute_many(
        "delete from publications where kind = :kind and subject_id = :uri",
        [{"kind": FORMER_OF[PublicationKind(row["kind"])], "uri": row["uri"]} for row in rows],
    )
    return sorted(map(_former_of, rows), key=lambda one: one.uri)


async def reassign(tx: Transaction, *, from_user: str, to_user: str) -> None:
    """Account merge: all publications and former records pass to the account that stays."""
    await tx.execute(REASSIGN, from_user=from_user, to_user=to_user)


def _former_of(row: Row) -> Former:
    return Former(
        row["uri"],
        PublicationKind(row["kind"]),
        row["subject_id"],
        bool(row["is_authors"]),
        bool(row["is_there"]),
        Instant(row["created_at"]),
    )
