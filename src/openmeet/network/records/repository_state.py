"""State of repositories: hashes of erased records, missed revs, queries about the known records, and locks on the rev
below which a version is history (the floor).

An erased record leaves a keyed hash of its URI with its rev, from which nothing can be recovered. It has one purpose: a
late or repeated message must not bring back a record that its author deleted. A message about this URI or from this DID
counts only if its rev is greater than the stored one. The keys are derived from the sealing keys, newest first. New
hashes use the newest key; lookups try all of them.
"""

import hashlib
import hmac
from collections.abc import Collection, Iterable, Mapping, Sequence

from at_protocol.syntax.did import Did
from at_protocol.syntax.tid import Tid, parse_tid
from groundwork.database.bulk import fetch_each
from groundwork.database.transaction import Engine, Reader, Transaction

PUT = """
    insert into erased_records (hash, rev, erased_at) values (:hash, :rev, :now)
        on conflict (hash) do update set rev = excluded.rev, erased_at = excluded.erased_at
            where excluded.rev > erased_records.rev
"""

ANY = "select 1 as one from erased_records limit 1"
FIND = "select hash, rev from erased_records where hash in :hashes"


async def note_erased(tx: Transaction, keys: Sequence[bytes], revs: Mapping[str, str]) -> None:
    """Store the rev up to which records are erased, by URI or by DID (all records of an account). Names are stored as
    hashes.
    """
    if not keys:
        raise ValueError("erasing needs a key")
    rows = [{"hash": _hash(keys[0], name), "rev": rev, "now": tx.now} for name, rev in sorted(revs.items())]
    await tx.execute_many(PUT, rows)


async def erased_up_to(reader: Reader, keys: Sequence[bytes], names: Iterable[str]) -> dict[str, str]:
    """Return the rev up to which each of these names is erased. Names that are not erased are missing."""
    if not keys or await reader.fetch_one(ANY) is None:
        return {}
    hashes = {_hash(key, name): name for name in names for key in keys}
    if not hashes:
        return {}
    revs_by_name: dict[str, str] = {}
    for row in await reader.fetch(FIND, hashes=list(hashes)):
        name = hashes[bytes(row["hash"])]
        revs_by_name[name] = max(revs_by_name.get(name, ""), row["rev"])
    return revs_by_name


def _hash(key: bytes, name: str) -> bytes:
    return hmac.digest(key, name.encode(), hashlib.sha256)


# Below every rev: the rev that a read must reach is unknown, so any read closes the gap.
ANY_REV = "2222222222222"

NOTE = """
    insert into repositories (did, epoch, floor_rev, missed_rev, status, stale_at, synced_at, updated_at)
    select given.did, 0, '', given.rev, 'active', null, null, cast(:now as bigint)
      from each(did text, rev text) as given where 1 = 1
        on conflict (did) do update set missed_rev = excluded.missed_rev
     where excluded.missed_rev > repositories.missed_rev
"""

# Maximum per repository, so that an author who announces many copies but blocks reads cannot fill the table.
_MOST_REVS = 50
NOTE_EACH = """
    insert into repository_gaps (did, rev)
    select given.did, given.rev from each(did text, rev text) as given where 1 = 1
        on conflict (did, rev) do nothing
"""
NOTED = "select m.did, m.rev from each(did text) as given join repository_gaps m on m.did = given.did"

REACH = "update repositories set missed_rev = '' where did = :did and missed_rev <> '' and missed_rev <= :rev"


async def note_missed(tx: Transaction, missed: Iterable[tuple[Did, Tid | None]]) -> None:
    """Store that changes before these revs were missed; None if the rev is unknown."""
    newest: dict[str, str] = {}
    already_noted: set[tuple[Did, Tid]] = set()
    for did, rev in missed:
        newest[did] = max(newest.get(did, ""), rev or ANY_REV)
        already_noted |= set() if rev is None else {(did, rev)}
    await fetch_each(tx, NOTE, [{"did": did, "rev": rev} for did, rev in sorted(newest.items())], now=tx.now)
    await fetch_each(tx, NOTE_EACH, [{"did": did, "rev": rev} for did, rev in await _with_room(tx, already_noted)])


async def _with_room(tx: Transaction, missed: Collection[tuple[Did, Tid]]) -> list[tuple[Did, Tid]]:
    """Return the new revs that fit within the maximum, in order. The repository's row was written before this, which
    makes concurrent calls wait.
    """
    noted: dict[str, set[str]] = {did: set() for did, _ in missed}
    for row in await fetch_each(tx, NOTED, [{"did": did} for did in sorted(noted)]):
        noted[row["did"]].add(row["rev"])
    fitting = []
    for did, rev in sorted(missed):
        if rev not in noted[did] and len(noted[did]) < _MOST_REVS:
            noted[did].add(rev)
            fitting.append((did, rev))
    return fitting


async def note_read_up_to(tx: Transaction, did: Did, rev: Tid) -> None:
    """Note that a read as of ``rev`` has been applied, so changes missed before it are no longer missing."""
    await tx.execute(REACH, did=did, rev=rev)
    await tx.execute("delete from repository_gaps where did = :did and rev <= :rev", did=did, rev=rev)


async def forget(tx: Transaction, did: str) -> None:
    """Delete the missed revs of a repository that starts anew, because they no longer apply."""
    await tx.execute("delete from repository_gaps where did = :did", did=did)


async def before(reader: Reader, did: Did) -> list[Tid]:
    """Return the known revs before which changes were missed, in order."""
    rows = await reader.fetch("select rev from repository_gaps where did = :did order by rev", did=did)
    return [parse_tid(row["rev"]) for row in rows]


async def is_behind(reader: Reader, did: Did) -> bool:
    """Whether changes of a repository were missed that no read has found yet."""
    row = await reader.fetch_one("select missed_rev from repositories where did = :did", did=did)
    return row is not None and row["missed_rev"] != ""


# Candidates for records that a complete read did not contain: only those that were not changed after it.
ABSENT = """
    select uri, collection, rkey from records
     where did = :did and collection in :collections and standing <> 'tombstone'
       and (rev <= :rev or epoch < (select epoch from repositories where did = :did))
     order by uri
"""

# Deletions and unmapped records are left out, so every read checks them again: they may exist or be understood by now.
UNDERSTOOD = """
    select uri, cid from records
     where did = :did and collection in :collections and standing in ('mapped', 'parked') and is_verified = 1
       and epoch >= coalesce((select epoch from repositories where did = :did), 0)
     order by uri
"""

# DIDs with records here, and DIDs with another connection to somebody here.
REFERRED_TO = """
    select given.did from each(did text) as given
     where exists (select 1 from records r where r.did = given.did and r.standing <> 'tombstone')
        or exists (select 1 from publications p where p.did = given.did)
        or exists (select 1 from group_follows f where f.did = given.did)
        or exists (select 1 from identities i join users u on u.id = i.user_id where i.did = given.did
                    and (u.kind <> 'shadow'
                         or exists (select 1 from profile_followers f where f.followed_id = u.id)
                         or exists (select 1 from attendances a where a.user_id = u.id)
                         or exists (select 1 from group_members m where m.user_id = u.id)))
"""

# Record URIs of a collection with keys between two keys, without those that are known to exist.
BETWEEN = """
    select uri from records
     where did = :did and collection = :collection and standing <> 'tombstone' and {rkey} > :above and {rkey} < :below
       and uri not in :besides
     order by {rkey} desc limit :limit
"""


async def not_newer_than(reader: Reader, did: str, rev: str, collections: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return (URI, collection, key) of records that a complete read at ``rev`` must contain if they still exist."""
    rows = await reader.fetch(ABSENT, did=did, rev=rev, collections=list(collections))
    return [(row["uri"], row["collection"], row["rkey"]) for row in rows]


async def understood(reader: Reader, did: str, collections: Sequence[str]) -> dict[str, str]:
    """Return the CIDs of verified, understood records as last seen, by URI."""
    rows = await reader.fetch(UNDERSTOOD, did=did, collections=list(collections))
    return {row["uri"]: row["cid"] for row in rows}


async def referred_to(reader: Reader, dids: Sequence[str]) -> set[str]:
    """Return the DIDs among these that a row in this database refers to."""
    rows = await fetch_each(reader, REFERRED_TO, [{"did": did} for did in dids])
    return {row["did"] for row in rows}


async def uris_between(
    reader: Reader, did: str, collection: str, *, above: str, below: str, besides: Sequence[str], limit: int
) -> list[str]:
    """Return URIs of a collection's known records with keys between the two given ones, greatest first; at most
    ``limit``.

    ``besides``: URIs to leave out. Keys are compared byte by byte, in the order in which servers list them.
    """
    sql = BETWEEN.format(rkey=_bytewise("rkey", reader.engine))
    values = {"above": above, "below": below, "besides": list(besides), "limit": limit}
    return [row["uri"] for row in await reader.fetch(sql, did=did, collection=collection, **values)]


async def newest_uris(reader: Reader, did: str, collection: str, *, limit: int) -> list[str]:
    """Return the URIs of a collection in a repository, newest keys first."""
    rows = await reader.fetch(
        "select uri from records where did = :did and collection = :collection and standing = 'mapped'"
        " order by uri desc limit :limit",
        did=did,
        collection=collection,
        limit=limit,
    )
    return [row["uri"] for row in rows]


def _bytewise(column: str, engine: Engine) -> str:
    """Return the column with byte-by-byte comparison and ordering, as in Python, regardless of the PostgreSQL
    database's collation.

    PostgreSQL cannot use an index on the column for this. SQLite orders this way anyway.
    """
    return f'{column} collate "C"' if engine == "postgresql" else column


# The floor of a repository (``records.seen``) has a lock: shared while versions are applied, exclusive when a read of the
# repository ends. Without it, a read could find nothing changed while an older message is being applied concurrently.
# With the floor above that message, every later correction would be ignored as history, and the older version would stay
# permanently. SQLite has only one writer, which effectively holds all locks.
CREATE_ROW = """
    insert into repositories (did, epoch, floor_rev, status, stale_at, synced_at, updated_at)
    values (:did, 0, '', 'active', null, null, :now)
        on conflict (did) do nothing
"""
# A shared lock: any number of transactions can hold it.
HOLD_FLOORS = "select did from repositories where did in :dids order by did for share"
LOCK_FLOOR = "select did from repositories where did = :did for no key update"


async def create_row(tx: Transaction, did: str) -> None:
    """Create the row of a repository whose read begins, so that its floor can be locked."""
    await tx.execute(CREATE_ROW, did=did, now=tx.now)


async def hold_floors(tx: Transaction, dids: Iterable[str]) -> None:
    """Lock the floors of these repositories, so that none is raised until the transaction ends. Take this lock before
    all others.
    """
    ordered = sorted(set(dids))
    if tx.engine != "sqlite" and ordered:
        await tx.fetch(HOLD_FLOORS, dids=ordered)


async def lock_floor(tx: Transaction, did: str) -> None:
    """Lock the floor of a repository whose read has ended: earlier writers have committed, and later ones see the new
    floor.
    """
    await create_row(tx, did)
    if tx.engine != "sqlite":
        await tx.fetch(LOCK_FLOOR, did=did)
