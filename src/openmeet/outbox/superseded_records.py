"""Superseded records: records of an event or series in the repositories of earlier owners. Each links to its successor.
``groups.record_queries`` has those of groups.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.database.expressions import ENGINES, authority_of
from groundwork.database.transaction import Engine, Reader, Row, Transaction
from openmeet.outbox import publications
from openmeet.outbox.publications import SUPERSEDED_KIND, PublicationKind


@dataclass(frozen=True, slots=True)
class SupersededRecord:
    """A superseded record. ``kind``: the kind of its subject.

    ``is_foreign``: its former owner wrote it in another app, and only they may delete it. ``is_there``: as far
    as is known, the repository still has it.
    """

    uri: str
    kind: PublicationKind
    subject_id: str
    is_foreign: bool
    is_there: bool
    created_at: Instant


# ``is_authors`` is ``SupersededRecord.is_foreign``.
_COLUMNS = "uri, kind, subject_id, is_authors, is_there, created_at"

ERASE: Mapping[Engine, str] = {
    engine: f"delete from superseded_records where {authority_of(engine, 'uri')} = :did returning {_COLUMNS}"
    for engine in ENGINES
}


async def store(
    tx: Transaction,
    kind: PublicationKind,
    subject_id: str,
    uri: str,
    *,
    is_foreign: bool,
    is_there: bool = True,
) -> None:
    """Store that this URI is a superseded record of a subject. ``is_there``: the repository still has it."""
    await tx.execute(
        f"insert into superseded_records ({_COLUMNS}) values (:uri, :kind, :subject_id, :is_authors, :is_there, :now)"
        " on conflict (uri) do update set is_there = excluded.is_there, created_at = excluded.created_at",
        uri=uri,
        kind=kind,
        subject_id=subject_id,
        is_authors=int(is_foreign),
        is_there=int(is_there),
        now=tx.now,
    )


async def find(reader: Reader, uri: str) -> SupersededRecord | None:
    """The superseded record with this URI; None if the record was never superseded."""
    row = await reader.fetch_one(f"select {_COLUMNS} from superseded_records where uri = :uri", uri=uri)
    return None if row is None else _superseded_record(row)


async def subjects_of(reader: Reader, kind: PublicationKind, uris: Collection[str]) -> dict[str, str]:
    """The subject of each superseded record, by URI. URIs of other records are left out."""
    if not uris:
        return {}
    rows = await reader.fetch(
        "select uri, subject_id from superseded_records where kind = :kind and uri in :uris",
        kind=kind,
        uris=sorted(uris),
    )
    return {row["uri"]: row["subject_id"] for row in rows}


# Once a record is gone, its URI can be used by a new one if the subject was deleted here, or if it is an event of another
# app that was never handed over here.
_SUPERSEDED_AMONG = """
    select s.uri from superseded_records s
      left join events e on s.kind = 'event' and e.id = s.subject_id and e.deleted_at is null
      left join event_series r on s.kind = 'series' and r.id = s.subject_id and r.deleted_at is null
     where s.uri in :uris
       and (s.is_there = 1 or r.id is not null or e.origin = 'here'
            or (e.id is not null and exists (select 1 from publications p
                                              where p.kind = 'former_event' and p.subject_id = s.uri)))
"""


async def superseded_among(reader: Reader, uris: Collection[str]) -> set[str]:
    """The URIs that still belong to a subject here. A record that is written under one of them does not make a new
    event or series.
    """
    if not uris:
        return set()
    return {row["uri"] for row in await reader.fetch(_SUPERSEDED_AMONG, uris=sorted(uris))}


async def of_subject(reader: Reader, kind: PublicationKind, subject_id: str) -> list[SupersededRecord]:
    """Every superseded record of a subject, oldest first."""
    rows = await reader.fetch(
        f"select {_COLUMNS} from superseded_records where kind = :kind and subject_id = :id order by created_at, uri",
        kind=kind,
        id=subject_id,
    )
    return [_superseded_record(row) for row in rows]


async def last_in_repository(reader: Reader, kind: PublicationKind, subject_id: str, did: str) -> str | None:
    """URI of the last superseded record that a subject had in one repository; None if it had none there."""
    uris = [one.uri for one in await of_subject(reader, kind, subject_id) if one.uri.startswith(f"at://{did}/")]
    return uris[-1] if uris else None


async def latest(reader: Reader, kind: PublicationKind, subject_ids: Collection[str]) -> dict[str, str]:
    """URI of each subject's last superseded record. Subjects without one are left out."""
    if not subject_ids:
        return {}
    rows = await reader.fetch(
        "select subject_id, uri from superseded_records where kind = :kind and subject_id in :ids "
        "order by created_at, uri",
        kind=kind,
        ids=sorted(subject_ids),
    )
    return {row["subject_id"]: row["uri"] for row in rows}


async def assign(tx: Transaction, kind: PublicationKind, *, dropped: str, kept: str) -> None:
    """Assign the superseded records of a subject to the subject that it was merged into."""
    await tx.execute(
        "update superseded_records set subject_id = :kept where kind = :kind and subject_id = :dropped",
        kind=kind,
        kept=kept,
        dropped=dropped,
    )


async def delete(tx: Transaction, uri: str) -> None:
    """Delete a superseded record, because its URI is that of a current record (again). If its own publication has no
    record, it is deleted too.
    """
    await delete_each(tx, [uri])


async def delete_each(tx: Transaction, uris: Collection[str]) -> None:
    """Like ``delete``, for several superseded records."""
    if not uris:
        return
    rows = await tx.fetch("delete from superseded_records where uri in :uris returning uri, kind", uris=sorted(uris))
    for kind, superseded_kind in SUPERSEDED_KIND.items():
        of_kind = [row["uri"] for row in rows if row["kind"] == kind]
        await publications.delete_without_record(tx, kind=superseded_kind, subject_ids=of_kind)


async def mark_restored(tx: Transaction, uri: str) -> None:
    """Store that the repository has a superseded record again."""
    await tx.execute("update superseded_records set is_there = 1 where uri = :uri", uri=uri)


async def mark_gone(tx: Transaction, uri: str) -> SupersededRecord | None:
    """Store that the repository no longer has a superseded record. Its URI still leads to its subject.

    Returns the record; None if it was already known to be gone.
    """
    changed = await tx.execute("update superseded_records set is_there = 0 where uri = :uri and is_there = 1", uri=uri)
    return await find(tx, uri) if changed else None


async def erase(tx: Transaction, did: str) -> list[SupersededRecord]:
    """Delete the superseded records in a deleted account's repository, with their publications. Returns them."""
    rows = await tx.fetch(ERASE[tx.engine], did=did)
    await tx.execute_many(
        "delete from publications where kind = :kind and subject_id = :uri",
        [{"kind": SUPERSEDED_KIND[PublicationKind(row["kind"])], "uri": row["uri"]} for row in rows],
    )
    return sorted(map(_superseded_record, rows), key=lambda one: one.uri)


def _superseded_record(row: Row) -> SupersededRecord:
    return SupersededRecord(
        row["uri"],
        PublicationKind(row["kind"]),
        row["subject_id"],
        bool(row["is_authors"]),
        bool(row["is_there"]),
        Instant(row["created_at"]),
    )
