"""Queries for heads, blocks and the record index. Each function runs one statement, or reads its result in pages, on a
reader of its own.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

from at_protocol.data.cid import Cid
from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.record_key import RecordKey
from at_protocol.syntax.tid import Tid
from aurora_locus.repository.json_forms import JsonForms
from aurora_locus.repository.model import Head, HostingStatus, Record
from groundwork.clock import Instant
from groundwork.database.transaction import Database, PlainReader, Row

_HEAD = "select did, status, head, rev, data, is_frozen from repositories where did = :did"

_HEADS_AFTER = """
    select did, status, head, rev, data, is_frozen, created_at
      from repositories
     where (created_at, did) > (:created_at, :did) and status <> 'deleted'
     order by created_at, did
     limit :limit
"""

_ANY_RECORD = """
    select r.collection, r.rkey, r.cid, b.bytes
      from records r join blocks b on b.did = r.did and b.cid = r.cid
     where r.did = :did and r.collection = :collection and r.rkey = :rkey
"""
_RECORD = f"{_ANY_RECORD} and r.takedown_ref is null"

_RECORDS = """
    select r.collection, r.rkey, r.cid, b.bytes
      from records r join blocks b on b.did = r.did and b.cid = r.cid
     where r.did = :did and r.collection = :collection and r.takedown_ref is null
       and {beyond}
     order by r.rkey {direction}
     limit :limit
"""
_NEWEST_FIRST = _RECORDS.format(beyond="r.rkey < :cursor", direction="desc")
_NEWEST_FIRST_FROM_START = _RECORDS.format(beyond="r.rkey >= :cursor", direction="desc")
_OLDEST_FIRST = _RECORDS.format(beyond="r.rkey > :cursor", direction="asc")

_RECORD_WITH_REV = """
    select r.collection, r.rkey, r.cid, r.rev, b.bytes
      from records r join blocks b on b.did = r.did and b.cid = r.cid
     where r.did = :did and r.collection = :collection and r.rkey = :rkey and r.takedown_ref is null
"""

_NEWEST_WITH_REVS = """
    select r.collection, r.rkey, r.cid, r.rev, b.bytes
      from records r join blocks b on b.did = r.did and b.cid = r.cid
     where r.did = :did and r.collection = :collection and r.takedown_ref is null
     order by r.rkey desc
     limit :limit
"""

_PAGE_OF_RECORDS = """
    select r.rkey, r.cid
      from records r
     where r.did = :did and r.collection = :collection and r.takedown_ref is null
       and {beyond}
     order by r.rkey {direction}
     limit :limit
"""
_PAGE_BELOW = _PAGE_OF_RECORDS.format(beyond="r.rkey < :cursor", direction="desc")
_PAGE_FROM_NEWEST = _PAGE_OF_RECORDS.format(beyond="r.rkey >= :cursor", direction="desc")
_PAGE_ABOVE = _PAGE_OF_RECORDS.format(beyond="r.rkey > :cursor", direction="asc")

# A loose index scan: it takes one step per collection, however many records a collection has.
_COLLECTIONS = """
    with recursive names(collection) as (
        select min(collection) from records where did = :did
        union all
        select (select min(r.collection) from records r where r.did = :did and r.collection > names.collection)
          from names where names.collection is not null
    )
    select collection from names where collection is not null order by collection
"""

# The order is that of the recursion, which stops when the page is full. A join would not keep it: PostgreSQL reads the
# larger table in its own order and looks up the DIDs.
_REPOSITORIES_WITH = """
    with recursive dids(did) as (
        select min(did) from records where collection = :collection and did > :cursor
        union all
        select (select min(r.did) from records r where r.collection = :collection and r.did > dids.did)
          from dids where dids.did is not null
    )
    select dids.did from dids
     where (select p.status from repositories p where p.did = dids.did) = 'active'
     limit :limit
"""

_BLOCKS = "select cid, bytes from blocks where did = :did and cid in :cids"
# A page of a hundred of the largest records would have a hundred megabytes.
_PAGE_BYTES = 1 << 20
_BLOCKS_AT_ONCE = 25

# Neither blocks that are kept only for a running export, nor those that a running import has staged.
_BLOCK_SIZES = """
    select cid, length(bytes) from blocks
     where did = :did and cid in :cids and uses > 0
       and rev not in (select i.rev from imports i where i.did = :did)
"""

# A page of the largest blocks would have hundreds of megabytes, so larger ones than this are read one at a time.
SMALL_BYTES = 16 * 1024
_IF_SMALL = f"case when length(bytes) <= {SMALL_BYTES} then bytes end"

_SMALL_BLOCKS = f"select cid, {_IF_SMALL} from blocks where did = :did and cid in :cids"

_BLOCKS_AFTER = f"select cid, {_IF_SMALL} from blocks where did = :did and cid > :cid order by cid limit :limit"

_NEWER_BLOCKS = f"""
    select cid, case when rev > :rev then 1 else 0 end,
           case when rev > :rev and length(bytes) <= {SMALL_BYTES} then bytes end
      from blocks where did = :did and cid in :cids
"""

_ENTRIES = """
    select collection, rkey, cid from records
     where did = :did and (collection, rkey) > (:collection, :rkey)
       and rev not in (select i.rev from imports i where i.did = :did)
     order by collection, rkey
     limit :limit
"""
_ENTRIES_AT_ONCE = 5000

_IMPORTS = "select 1 from imports where did = :did"

_COUNT_REPOSITORIES = "select count(*) from repositories where status <> 'deleted'"


def _to_head(row: Row) -> Head:
    return Head(
        Did(row["did"]),
        HostingStatus(row["status"]),
        Cid(row["head"]),
        Tid(row["rev"]),
        Cid(row["data"]),
        bool(row["is_frozen"]),
    )


def _to_record(row: Row) -> Record:
    return Record(Nsid(row["collection"]), RecordKey(row["rkey"]), Cid(row["cid"]), row["bytes"])


async def find_head(db: Database, did: Did) -> Head | None:
    """Find the head of one repository, whatever its status."""
    row = await db.read(lambda r: r.fetch_one(_HEAD, did=did))
    return None if row is None else _to_head(row)


async def heads_after(db: Database, created_at: Instant, did: str, limit: int) -> list[tuple[Instant, Head]]:
    """Return repositories in the order of their creation on this host, each with its time of creation. Deleted ones are
    left out.
    """
    async with db.reader() as reader:
        rows = await reader.fetch(_HEADS_AFTER, created_at=created_at, did=did, limit=limit)
    return [(Instant(row["created_at"]), _to_head(row)) for row in rows]


async def find_record(
    db: Database, did: Did, collection: Nsid, rkey: RecordKey, *, also_taken_down: bool = False
) -> Record | None:
    """Find a record that is not taken down. With ``also_taken_down``, for operators, find any record."""
    sql = _ANY_RECORD if also_taken_down else _RECORD
    row = await db.read(lambda r: r.fetch_one(sql, did=did, collection=collection, rkey=rkey))
    return None if row is None else _to_record(row)


async def list_records(
    db: Database, did: Did, collection: Nsid, *, cursor: str | None, limit: int, oldest_first: bool
) -> list[Record]:
    """Return a page of a collection, ordered by record key. ``cursor`` is the last key of the previous page."""
    newest_first = _NEWEST_FIRST if cursor else _NEWEST_FIRST_FROM_START
    async with db.reader() as reader:
        rows = await reader.fetch(
            _OLDEST_FIRST if oldest_first else newest_first,
            did=did,
            collection=collection,
            cursor=cursor or "",
            limit=limit,
        )
    return [_to_record(row) for row in rows]


async def list_forms(
    db: Database,
    forms: JsonForms,
    did: Did,
    collection: Nsid,
    *,
    cursor: str | None,
    limit: int,
    oldest_first: bool,
) -> tuple[list[tuple[RecordKey, bytes]], bool]:
    """Return a page of a collection, ordered by record key, each record with its JSON (``JsonForms``), and whether
    there may be more. ``cursor`` is the last key of the previous page. A page with large records is shorter than
    ``limit``.
    """
    newest_first = _PAGE_BELOW if cursor else _PAGE_FROM_NEWEST
    sql = _PAGE_ABOVE if oldest_first else newest_first

    def work(r: PlainReader, is_cached: Callable[[bytes], bool]) -> tuple[Sequence[Row], dict[bytes, bytes]]:
        rows = r.fetch(sql, did=did, collection=collection, cursor=cursor or "", limit=limit)
        uncached_cids = [row[1] for row in rows if not is_cached(row[1])]
        blocks: dict[bytes, bytes] = {}
        size = 0
        for start in range(0, len(uncached_cids), _BLOCKS_AT_ONCE):
            if size > _PAGE_BYTES:
                break
            found = r.fetch(_BLOCKS, did=did, cids=uncached_cids[start : start + _BLOCKS_AT_ONCE])
            blocks |= {block[0]: block[1] for block in found}
            size += sum(len(block[1]) for block in found)
        return rows, blocks

    rows, blocks = await db.read(lambda r: work(r, forms.has))
    page = await _page(forms, rows, blocks)
    if rows and not page:  # evicted from the cache in the meantime
        rows, blocks = await db.read(lambda r: work(r, lambda _: False))
        page = await _page(forms, rows, blocks)
    if rows and not page:
        raise LookupError(f"a record of {did} in {collection} has no block")
    return page, len(page) < len(rows) or len(rows) == limit


async def _page(forms: JsonForms, rows: Sequence[Row], blocks: Mapping[bytes, bytes]) -> list[tuple[RecordKey, bytes]]:
    page = []
    size = 0
    for row in rows:
        rkey, cid = row[0], row[1]
        form = forms.find(cid)
        if form is None:
            block = blocks.get(cid)
            if block is None:
                break
            form = await forms.of(cid, block)
        page.append((RecordKey(rkey), form))
        size += len(form)
        if size > _PAGE_BYTES:
            break
    return page


async def collections(db: Database, did: Did) -> list[Nsid]:
    """Return the collections that have at least one record, sorted."""
    async with db.reader() as reader:
        rows = await reader.fetch(_COLLECTIONS, did=did)
    return [Nsid(row[0]) for row in rows]


async def repositories_with(db: Database, collection: Nsid, cursor: str, limit: int) -> list[Did]:
    """Return active repositories with a record of the collection, ordered by DID, after ``cursor``."""
    async with db.reader() as reader:
        rows = await reader.fetch(_REPOSITORIES_WITH, collection=collection, cursor=cursor, limit=limit)
    return [Did(row[0]) for row in rows]


async def load_blocks(db: Database, did: Did, cids: Iterable[Cid]) -> dict[Cid, bytes]:
    """Load blocks of a repository by CID. Blocks that are not stored are left out. Ask for no more than a few hundred
    at a time.
    """
    keys = [bytes(cid) for cid in cids]
    rows = await db.read(lambda r: r.fetch(_BLOCKS, did=did, cids=keys))
    return {Cid(row[0]): row[1] for row in rows}


async def block_sizes(db: Database, did: Did, cids: Iterable[Cid]) -> dict[Cid, int]:
    """Return the sizes of blocks of a repository in bytes. Left out are blocks that are not stored, and those that do
    not belong to it now: kept for a running export, or staged by a running import.
    """
    keys = [bytes(cid) for cid in cids]
    rows = await db.read(lambda r: r.fetch(_BLOCK_SIZES, did=did, cids=keys))
    return {Cid(row[0]): row[1] for row in rows}


async def load_raw_blocks(db: Database, did: Did, cids: Sequence[bytes]) -> dict[bytes, bytes]:
    """Load blocks as ``load_blocks`` does, but by the bytes of the CIDs, for bulk transfer."""
    async with db.reader() as reader:
        rows = await reader.fetch(_BLOCKS, did=did, cids=cids)
    return {row[0]: row[1] for row in rows}


async def load_small_blocks(db: Database, did: Did, cids: Sequence[bytes]) -> dict[bytes, bytes | None]:
    """Load blocks as ``load_raw_blocks`` does, but None for each that is large."""
    async with db.reader() as reader:
        rows = await reader.fetch(_SMALL_BLOCKS, did=did, cids=cids)
    return {row[0]: row[1] for row in rows}


async def blocks_after(db: Database, did: Did, after: bytes, *, limit: int) -> list[tuple[bytes, bytes | None]]:
    """Return blocks of a repository, ordered by the bytes of their CIDs, after ``after``; None for each that is large."""
    async with db.reader() as reader:
        rows = await reader.fetch(_BLOCKS_AFTER, did=did, cid=after, limit=limit)
    return [(row[0], row[1]) for row in rows]


async def load_newer_blocks(
    db: Database, did: Did, cids: Sequence[bytes], rev: Tid
) -> dict[bytes, tuple[bool, bytes | None]]:
    """Look up blocks as ``load_raw_blocks`` does. Return for each whether it was added after this rev, and its bytes if
    it was and is not large.
    """
    async with db.reader() as reader:
        rows = await reader.fetch(_NEWER_BLOCKS, did=did, rev=rev, cids=cids)
    return {row[0]: (bool(row[1]), row[2]) for row in rows}


async def all_entries(db: Database, did: Did) -> dict[str, Cid]:
    """Return every path of a repository with the CID of its record. Includes records that are taken down, but not those
    of a running import.
    """
    return {path: Cid(cid) async for page in entry_pages(db, did) for path, cid in page}


async def entry_pages(db: Database, did: Did) -> AsyncIterator[list[tuple[str, bytes]]]:
    """Yield the result of ``all_entries`` in pages, in order."""
    collection = rkey = ""
    while True:
        async with db.reader() as reader:
            rows = await reader.fetch(_ENTRIES, did=did, collection=collection, rkey=rkey, limit=_ENTRIES_AT_ONCE)
        yield [(f"{row['collection']}/{row['rkey']}", row["cid"]) for row in rows]
        if len(rows) < _ENTRIES_AT_ONCE:
            return
        collection, rkey = rows[-1]["collection"], rows[-1]["rkey"]


async def is_importing(db: Database, did: Did) -> bool:
    """Whether there may be index rows of a running import."""
    return await db.read(lambda r: r.fetch_one(_IMPORTS, did=did)) is not None


async def count_repositories(db: Database) -> int:
    """Count the repositories, whatever their status. Deleted ones are left out."""
    async with db.reader() as reader:
        row = await reader.fetch_one(_COUNT_REPOSITORIES)
    return int(row[0]) if row else 0


async def newest_with_revs(db: Database, did: Did, collection: Nsid, limit: int) -> list[tuple[Record, Tid]]:
    """Return the records of a collection with the greatest keys, greatest first, each with the rev of the commit that
    wrote it.
    """
    async with db.reader() as reader:
        rows = await reader.fetch(_NEWEST_WITH_REVS, did=did, collection=collection, limit=limit)
    return [(_to_record(row), Tid(row["rev"])) for row in rows]


async def find_with_rev(db: Database, did: Did, collection: Nsid, rkey: RecordKey) -> tuple[Record, Tid] | None:
    """Find a record that is not taken down, with the rev of the commit that wrote it."""
    async with db.reader() as reader:
        row = await reader.fetch_one(_RECORD_WITH_REV, did=did, collection=collection, rkey=rkey)
    return None if row is None else (_to_record(row), Tid(row["rev"]))
