"""Repositories of a PDS in a database of the test's engine."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aurora_locus.blobs.uploads import Blobs, Limits
from aurora_locus.keys.signing_keys import SigningKeys
from aurora_locus.repository.repositories import Repositories, open_repositories
from aurora_locus.sequencer.live import open_live
from groundwork.blobstore.disk import DiskBlobStore
from groundwork.clock import Clock, HandClock
from groundwork.database.transaction import Database
from groundwork.sealing import Sealer
from tests.aurora_locus.hosted import Hosted
from tests.databases import MakeDatabase

LIMITS = Limits(max_blob_bytes=100_000, quota_bytes=1_000_000)


async def assemble(db: Database, clock: Clock, folder: Path, *, ring_frames: int = 10_000) -> Repositories:
    """Everything of a PDS below its accounts."""
    live = await open_live(db, max_frames=ring_frames)
    blobs = Blobs(db, DiskBlobStore(folder / "blobs"), LIMITS)
    keys = SigningKeys(db, Sealer([bytes(32)]))
    return await open_repositories(db, live, keys, blobs, clock, clock_id=7)


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    """An empty PDS database."""
    return await make_database("aurora_locus")


@pytest.fixture
async def repositories(db: Database, clock: HandClock, tmp_path: Path) -> AsyncIterator[Repositories]:
    """The repositories of a PDS that has none yet."""
    assembled = await assemble(db, clock, tmp_path)
    yield assembled
    await assembled.blobs.settle()


@pytest.fixture
async def ada(repositories: Repositories) -> Hosted:
    """An active account with an empty repository."""
    return await Hosted.make(repositories, "ada")


@pytest.fixture
async def ben(repositories: Repositories) -> Hosted:
    """Another one."""
    return await Hosted.make(repositories, "ben")
