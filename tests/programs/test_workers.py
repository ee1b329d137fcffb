"""The workers of ``openmeet up`` start again if they end early."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from groundwork.clock import SystemClock
from openmeet.network.firehose import cursors
from openmeet.settings import Settings
from openmeet.tenants.names import DEFAULT_TENANT
from programs import workers
from programs.platform import Installation, open_installation


async def test_the_consumer_starts_again_after_a_slow_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that was removed from the settings is marked at the start of the consumer. Its first attempt fails,
    because another program holds the database.
    """
    monkeypatch.setattr(workers, "AGAIN_SECONDS", 0.2)
    monkeypatch.setattr(workers, "WORKERS", {"firehose-consumer": workers.WORKERS["firehose-consumer"]})
    settings = replace(Settings(), data_directory=tmp_path, dev_mode=True, pds_url="http://127.0.0.1:1")
    async with open_installation({DEFAULT_TENANT: settings}, SystemClock()) as installation:
        network = installation.default.installation
        async with network.transaction() as tx:
            await cursors.add_source(tx, "wss://removed.example")
        with closing(sqlite3.connect(tmp_path / "network.db", isolation_level=None)) as other:
            other.execute("begin immediate")
            async with workers.running(installation):
                await asyncio.sleep(3)  # longer than a transaction may take
                assert await _sources(installation) == ["wss://removed.example"]
                other.execute("rollback")
                for _ in range(300):
                    if not await _sources(installation):
                        return
                    await asyncio.sleep(0.1)
    pytest.fail("the consumer did not start again")


async def _sources(installation: Installation) -> list[str]:
    async with installation.default.installation.reader() as reader:
        return [one.url for one in await cursors.sources(reader)]
