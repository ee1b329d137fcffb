"""Fixtures of a PDS: its repositories in a database of the test's engine, and whole deployments."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from aurora_locus.blobs.uploads import BlobService, UploadLimits
from aurora_locus.keys.signing_keys import SigningKeys
from aurora_locus.repository.repositories import Repositories, open_repositories
from aurora_locus.sequencer.live_events import open_live
from groundwork.blobstore.disk import DiskBlobStore
from groundwork.clock import Clock, HandClock
from groundwork.database.transaction import Database, Engine
from groundwork.sealing import Sealer
from tests.aurora_locus.deployment import Deployment, open_deployment
from tests.aurora_locus.hosted_repository import HostedRepository
from tests.databases import MakeDatabase, PostgresDatabases, sqlite_url

_numbers = itertools.count(1)

LIMITS = UploadLimits(max_blob_bytes=100_000, quota_bytes=1_000_000)


async def assemble(db: Database, clock: Clock, folder: Path, *, ring_frames: int = 10_000) -> Repositories:
    """The PDS components below the accounts."""
    live = await open_live(db, max_frames=ring_frames)
    blobs = BlobService(db, DiskBlobStore(folder / "blobs"), LIMITS)
    keys = SigningKeys(db, Sealer([bytes(32)]))
    assembled = await open_repositories(db, live, keys, blobs, clock, clock_id=7)
    _open.append(assembled)
    return assembled


_open: list[Repositories] = []


async def close_assembled() -> None:
    """Close what reads the database in the background before the database itself; otherwise it would fail in the middle
    of a later test.
    """
    while _open:
        await _open.pop().close()


@pytest.fixture(autouse=True)
def _hashes_cheaply(cost_of_passwords: None) -> None:
    """Cheap password hashes in all these tests, except in those of the cost."""


@pytest.fixture
async def db(make_database: MakeDatabase) -> AsyncIterator[Database]:
    """An empty PDS database."""
    yield await make_database("aurora_locus")
    await close_assembled()


@pytest.fixture
async def repositories(db: Database, clock: HandClock, tmp_path: Path) -> AsyncIterator[Repositories]:
    """The repositories of a PDS; none exist yet."""
    assembled = await assemble(db, clock, tmp_path)
    yield assembled
    await assembled.close()


@pytest.fixture
async def ada(repositories: Repositories) -> HostedRepository:
    """An active account with an empty repository."""
    return await HostedRepository.make(repositories, "ada")


@pytest.fixture
async def ben(repositories: Repositories) -> HostedRepository:
    """Another active account with an empty repository."""
    return await HostedRepository.make(repositories, "ben")


@pytest.fixture
async def pds_url(
    request: pytest.FixtureRequest, engine: Engine, tmp_path: Path, sqlite_templates: Path
) -> AsyncIterator[str]:
    """The URL of a migrated PDS database of the test's engine: a file, or a PostgreSQL database of its own."""
    if engine == "sqlite":
        yield await sqlite_url(tmp_path, sqlite_templates, "aurora_locus")
        return
    databases: PostgresDatabases = request.getfixturevalue("postgres_databases")
    url = await databases.borrow("aurora_locus")
    yield url
    await databases.give_back(url, "aurora_locus")


MakeDeployment = Callable[..., Awaitable[Deployment]]


@pytest.fixture
async def make_deployment(
    pds_url: str, make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path
) -> AsyncIterator[MakeDeployment]:
    """Opens a whole PDS with its directory; takes settings of the PDS."""
    async with AsyncExitStack() as stack:

        async def open_it(**changes: Any) -> Deployment:
            plc = await make_sqlite("plc_directory")
            return await stack.enter_async_context(open_deployment(pds_url, plc, clock, tmp_path, **changes))

        yield open_it


@pytest.fixture
async def deployment(make_deployment: MakeDeployment) -> Deployment:
    """A PDS in development mode."""
    return await make_deployment()
