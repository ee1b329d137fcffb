"""Repository files as other servers write them, and an account that imports one."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.data.model import Value
from at_protocol.repo import car
from at_protocol.repo.build import build
from at_protocol.repo.commit import sign_commit, verify_commit
from at_protocol.repo.snapshot import Snapshot, read_snapshot
from at_protocol.syntax.did import Did
from at_protocol.syntax.tid import Tid
from aurora_locus.repository import reader
from aurora_locus.repository.export import export
from aurora_locus.repository.import_car import import_repository
from aurora_locus.repository.import_file import receive
from aurora_locus.repository.model import DurableCommit, HostingStatus
from aurora_locus.repository.repositories import Repositories
from groundwork.database.transaction import Database
from tests.aurora_locus.hosted_repository import NOTE, HostedRepository
from tests.worker_pool import WORKERS

ELSEWHERE = K256PrivateKey.from_random(bytes(range(64)))


async def pieces(data: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def bring(person: HostedRepository, data: bytes, folder: Path, limit: int = 10_000_000) -> DurableCommit | None:
    async with receive(folder, pieces(data), max_bytes=limit, content_length=None) as files:
        return await import_repository(person.repositories, person.did, files, WORKERS)


def file_of(did: Did, records: Mapping[str, Value], rev: Tid, *, without: tuple[Cid, ...] = ()) -> bytes:
    """An export of another server, from records by path."""
    return file_of_blocks(did, {path: cbor.encode(value) for path, value in records.items()}, rev, without=without)


def file_of_blocks(did: Did, blocks: Mapping[str, bytes], rev: Tid, *, without: tuple[Cid, ...] = ()) -> bytes:
    """Like ``file_of``, from records that are already encoded, possibly in an odd way."""
    tree = build(sorted((path, Cid.for_cbor(block)) for path, block in blocks.items()))
    commit = sign_commit(ELSEWHERE, did=did, rev=rev, data=tree.root)
    sections = {
        commit.cid: commit.block,
        **tree.blocks,
        **{Cid.for_cbor(block): block for block in blocks.values()},
    }
    return b"".join(car.write([commit.cid], [(cid, block) for cid, block in sections.items() if cid not in without]))


def notes(*names: str, text: str = "imported") -> dict[str, Value]:
    return {f"{NOTE}/{name}": {"$type": NOTE, "text": f"{text} {name}"} for name in names}


async def exported(person: HostedRepository) -> Snapshot:
    data = b"".join([chunk async for chunk in export(person.repositories, person.did)])
    snapshot = read_snapshot(car.read(data))
    key = await person.repositories.keys.signing_key(person.did)
    verify_commit(snapshot.commit, did=person.did, key=key.public)
    return snapshot


async def stored_blocks(db: Database, did: Did) -> dict[Cid, int]:
    async with db.reader() as r:
        rows = await r.fetch("select cid, uses from blocks where did = :did", did=did)
    return {Cid(row[0]): row[1] for row in rows}


async def require_consistent(person: HostedRepository) -> Snapshot:
    """Check that index, tree and blocks agree and nothing is left over."""
    snapshot = await exported(person)
    db = person.repositories.db
    assert await reader.all_entries(db, person.did) == snapshot.entries
    uses = dict.fromkeys((snapshot.commit.cid, *snapshot.nodes), 1)
    for cid in snapshot.entries.values():
        uses[cid] = uses.get(cid, 0) + 1
    assert await stored_blocks(db, person.did) == uses
    return snapshot


@pytest.fixture
async def mover(repositories: Repositories) -> HostedRepository:
    """An account that is being moved here: deactivated, with an empty repository."""
    return await HostedRepository.make(repositories, "mover", HostingStatus.DEACTIVATED)
