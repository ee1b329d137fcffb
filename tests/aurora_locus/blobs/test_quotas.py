"""An account's blobs never exceed its quota, even with concurrent uploads in several processes."""

import asyncio
from pathlib import Path

import pytest

from aurora_locus.blobs import quotas
from aurora_locus.repository.repositories import Repositories
from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from groundwork.errors import TooLarge
from tests.aurora_locus.blobs.uploading import send
from tests.aurora_locus.conftest import LIMITS, assemble
from tests.aurora_locus.hosted_repository import HostedRepository


async def stored(db: Database, person: HostedRepository) -> tuple[int, int]:
    async with db.reader() as reader:
        return await quotas.quota_and_usage(reader, person.did, LIMITS.quota_bytes)


async def test_concurrent_uploads_in_two_processes_stay_within_the_quota(
    ada: HostedRepository, db: Database, clock: HandClock, tmp_path: Path
):
    """Twenty concurrent uploads of 1000 bytes in two processes, with a quota for seven, leave seven rows and seven
    files.
    """
    await db.write(lambda w: quotas.set_quota(w, ada.did, 7_500))
    other = HostedRepository(await assemble(db, clock, tmp_path), ada.did, ada.key)
    outcomes = await asyncio.gather(
        *(send((ada, other)[number % 2], f"{number:04}".encode() * 250) for number in range(20)), return_exceptions=True
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, TooLarge)]
    assert len(refused) == 13
    assert {failure.name for failure in refused} == {"BlobQuotaExceeded"}
    assert await stored(db, ada) == (7_500, 7_000)
    for repositories in (ada.repositories, other.repositories):
        await repositories.blobs.wait_for_removals()
    assert len([file async for file in ada.repositories.blobs.store.list()]) == 7


async def test_same_bytes_count_once_in_the_quota(ada: HostedRepository, db: Database):
    await db.write(lambda w: quotas.set_quota(w, ada.did, 1_000))
    await send(ada, b"x" * 1_000)
    await send(ada, b"x" * 1_000)
    with pytest.raises(TooLarge):
        await send(ada, b"y")


async def test_quota_of_one_account(
    repositories: Repositories, ada: HostedRepository, ben: HostedRepository, db: Database
):
    """An account can have a quota of its own, and without it has the server's again. Other accounts are not affected."""
    await db.write(lambda w: quotas.set_quota(w, ada.did, 10))
    with pytest.raises(TooLarge, match="10 bytes"):
        await send(ada, b"x" * 11)
    await send(ben, b"x" * 11)
    await db.write(lambda w: quotas.set_quota(w, ada.did, None))
    await send(ada, b"x" * 11)
    assert await stored(db, ada) == (LIMITS.quota_bytes, 11)
