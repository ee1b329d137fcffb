"""The workers of ``openmeet up`` start again if they end early."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.polling import until

from groundwork.clock import SystemClock
from groundwork.telemetry.health import log_fields
from openmeet.network.firehose import cursors
from openmeet.settings import Settings
from openmeet.tenants.names import DEFAULT_TENANT
from programs import workers
from programs.platform import Installation, open_installation


async def test_the_consumer_starts_again_after_a_slow_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that was removed from the settings is marked at the start of the consumer. Its first attempt fails,
    because another program holds the database.
    """
    monkeypatch.setattr(workers, "AGAIN_SECONDS", 0.01)
    has_ended, fields = asyncio.Event(), log_fields

    def noted(failure: BaseException) -> dict[str, object]:
        has_ended.set()
        return fields(failure)

    monkeypatch.setattr(workers, "log_fields", noted)
    monkeypatch.setattr(workers, "WORKERS", {"firehose-consumer": workers.WORKERS["firehose-consumer"]})
    settings = replace(Settings(), data_directory=tmp_path, dev_mode=True, pds_url="http://127.0.0.1:1")
    async with open_installation({DEFAULT_TENANT: settings}, SystemClock()) as installation:
        network = installation.default.installation
        async with network.transaction() as tx:
            await cursors.add_source(tx, "wss://removed.example")
        with closing(sqlite3.connect(tmp_path / "network.db", isolation_level=None)) as other:
            other.execute("begin immediate")
            async with workers.running(installation):
                await has_ended.wait()
                assert await _sources(installation) == ["wss://removed.example"]
                other.execute("rollback")

                async def is_marked() -> bool:
                    return not await _sources(installation)

                await until(is_marked)


async def _sources(installation: Installation) -> list[str]:
    async with installation.default.installation.reader() as reader:
        return [one.url for one in await cursors.sources(reader)]
