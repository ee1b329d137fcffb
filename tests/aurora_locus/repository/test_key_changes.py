"""A repository is signed with the current key, even if it changes in another process or while it is being read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from at_protocol.crypto.k256 import K256PrivateKey
from aurora_locus.repository.repositories import Repositories
from aurora_locus.sequencer import log
from groundwork.clock import HandClock
from groundwork.database.transaction import Database, Writer
from tests.aurora_locus.conftest import assemble
from tests.aurora_locus.hosted_repository import HostedRepository
from tests.timeouts import TIMEOUT_SECONDS

NEW_KEY = K256PrivateKey.from_random(b"the new key" * 6)


async def test_key_change_of_another_process_is_noticed(
    repositories: Repositories, ada: HostedRepository, db: Database, clock: HandClock, tmp_path: Path
) -> None:
    other = await assemble(db, clock, tmp_path)
    assert (await repositories.keys.signing_key(ada.did)).public == ada.key.public
    before = repositories.live.buffer.head

    def change(w: Writer) -> None:
        other.keys.make_current(w, ada.did, NEW_KEY)
        log.append_identity(w, other.live, ada.did, None)

    await db.write(change)
    repositories.live.start_catch_up()
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await repositories.live.wait(before)
    assert (await repositories.keys.signing_key(ada.did)).public == NEW_KEY.public


async def test_key_that_changes_while_it_is_read_is_not_cached(
    repositories: Repositories, ada: HostedRepository, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = repositories.keys
    keys.forget(ada.did)

    @asynccontextmanager
    async def reader() -> AsyncIterator[Any]:
        async with db.reader() as opened:
            yield opened
        await db.write(lambda w: keys.make_current(w, ada.did, NEW_KEY))

    class ReadsSlowly:
        """A database on which the key changes after it was read."""

        def __init__(self) -> None:
            self.reader = reader

    with monkeypatch.context() as patched:
        patched.setattr(keys, "_db", ReadsSlowly())
        await keys.signing_key(ada.did)
    assert (await keys.signing_key(ada.did)).public == NEW_KEY.public
