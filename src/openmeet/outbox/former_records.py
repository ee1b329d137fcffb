"""Addresses that an event or a series had before: each uri leads for good to what goes on.

A record is left behind when the event changes hands; then the publication of that record is one of its own (``Kind.FORMER_EVENT``,
``Kind.FORMER_SERIES``), whose subject is the uri. What is taken off the network keeps its address here, too: answers and
dates name it, and publishing again writes there. Those of groups: ``groups.record_queries``.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.database.addresses import ENGINES, authority_of
from groundwork.database.transaction import Engine, Reader, Row, Transaction
from openmeet.outbox.publications import FORMER_OF, Kind


@dataclass(frozen=True, slots=True)
class Former:
    """``kind`` is that of what goes on. ``is_authors``: written in another app by who had it then, and theirs to delete.

    ``is_there``: the repository has it still, as far as is known.
    """

    uri: str
    kind: Kind
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
    tx: Transaction, kind: Kind, subject_id: str, uri: str, *, is_authors: bool, is_there: bool = True
) -> None:
    """What goes on had its record here until now; ``is_there``: and the repository has it still."""
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
    """What is known of a record of before; None of every other record."""
    row = await reader.fetch_one(f"select {_COLUMNS} from former_records where uri = :uri", uri=uri)
    return None if row is None else _former_of(row)


async def subjects(reader: Reader, kind: Kind, uris: Collection[str]) -> dict[str, str]:
    """What went on from these records, by uri; those that were nobody's record before are missing."""
    if not uris:
        return {}
    rows = await reader.fetch(
        "select uri, subject_id from former_records where kind = :kind and uri in :uris", kind=kind, uris=sorted(uris)
    )
    return {row["uri"]: row["subject_id"] for row in rows}


# What is taken back of an event that its author wrote in another app, or of one that was deleted here, is free for a record of its own.
_HELD = """
    select f.uri from former_records f left join events e on f.kind = 'event' and e.id = f.subject_id
     where f.uri in :uris
       and (f.is_there = 1 or f.kind <> 'event' or (e.origin = 'here' and e.deleted_at is null)
            or exists (select 1 from publications p where p.kind = 'former_event' and p.subject_id = f.uri))
"""


async def held_among(reader: Reader, uris: Collection[str]) -> set[str]:
    """Which of these addresses belong to something that is here: whatever is written there is no event or series of its own."""
    if not uris:
        return set()
    return {row["uri"] for row in await reader.fetch(_HELD, uris=sorted(uris))}


async def of(reader: Reader, kind: Kind, subject_id: str) -> list[Former]:
    """Every record that this had before, the first one first."""
    rows = await reader.fetch(
        f"select {_COLUMNS} from former_records where kind = :kind and subject_id = :id order by created_at, uri",
        kind=kind,
        id=subject_id,
    )
    return [_former_of(row) for row in rows]


async def in_repository(reader: Reader, kind: Kind, subject_id: str, did: str) -> str | None:
    """The address that this had last in one repository; None where it had none there."""
    here = [one.uri for one in await of(reader, kind, subject_id) if one.uri.startswith(f"at://{did}/")]
    return here[-1] if here else None


async def latest(reader: Reader, kind: Kind, subject_ids: Collection[str]) -> dict[str, str]:
    """The address that each of these had last; those that had none before are missing."""
    if not subject_ids:
        return {}
    rows = await reader.fetch(
        "select subject_id, uri from former_records where kind = :kind and subject_id in :ids order by created_at, uri",
        kind=kind,
        ids=sorted(subject_ids),
    )
    return {row["subject_id"]: row["uri"] for row in rows}


async def hand_on(tx: Transaction, kind: Kind, dropped: str, kept: str) -> None:
    """Two turned out to be one: whatever either had before leads to the one that goes on."""
    await tx.execute(
        "update former_records set subject_id = :kept where kind = :kind and subject_id = :dropped",
        kind=kind,
        kept=kept,
        dropped=dropped,
    )


async def drop(tx: Transaction, uri: str) -> None:
    """It is no record of before: what has it stands there (again)."""
    await drop_each(tx, [uri])


async def drop_each(tx: Transaction, uris: Collection[str]) -> None:
    """The same of several."""
    if uris:
        await tx.execute("delete from former_records where uri in :uris", uris=sorted(uris))


async def note_gone(tx: Transaction, uri: str) -> Former | None:
    """The repository has it no more. Its uri leads on all the same; no record names it."""
    changed = await tx.execute("update former_records set is_there = 0 where uri = :uri and is_there = 1", uri=uri)
    return await find(tx, uri) if changed else None


async def forget_of(tx: Transaction, did: str) -> list[Former]:
    """The repository is gone with its account: nothing leads on from there, and nothing names it."""
    rows = await tx.fetch(FORGET_OF[tx.engine], did=did)
    await tx.execute_many(
        "delete from publications where kind = :kind and subject_id = :uri",
        [{"kind": FORMER_OF[Kind(row["kind"])], "uri": row["uri"]} for row in rows],
    )
    return sorted(map(_former_of, rows), key=lambda one: one.uri)


def _former_of(row: Row) -> Former:
    return Former(
        row["uri"],
        Kind(row["kind"]),
        row["subject_id"],
        bool(row["is_authors"]),
        bool(row["is_there"]),
        Instant(row["created_at"]),
    )
