"""Starting programs while some or all databases do not answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.programs.platforms import open_platform
from tests.simulation.processes import free_port
from tests.system.tour.polling import eventually

from groundwork.clock import HandClock
from groundwork.database.deferred import DeferredDatabase, until_opened
from groundwork.database.transaction import DatabaseUnavailable
from groundwork.errors import Refused
from groundwork.queue.contract import Message
from groundwork.telemetry.health import run_checks
from groundwork.telemetry.metrics import Metrics
from openmeet.network.firehose import delivery
from openmeet.settings import Settings
from openmeet.tenants.configured import read_tenants
from openmeet.tenants.health import checks_of
from programs import community_databases, gauges
from programs.balancer import listen_balanced
from programs.community_databases import open_databases
from programs.platform import open_installation

HOST = "127.0.0.1"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(community_databases, "AGAIN_SECONDS", 0.1)


def settings_of(folder: Path, *, village: str, schema: str = "", **deployment: object) -> dict[str, Settings]:
    base = {"data_directory": str(folder), "dev_mailbox": True, "dev_mode": True, **deployment}
    own = {
        "name": "village",
        "public_url": "http://village.example",
        "database_url": village,
        "database_schema": schema,
    }
    return read_tenants({**base, "tenants": [own]}, {})


def behind(door: int, postgres_url: str) -> str:
    server = urlsplit(postgres_url)
    return server._replace(netloc=f"{server.username}@{HOST}:{door}").geturl()


async def test_database_is_opened_as_soon_as_it_answers(tmp_path: Path, postgres_url: str, clock: HandClock) -> None:
    """A database is opened as soon as it answers. Until then its requests are refused, the health check and the gauge
    name it, and the other community works.
    """
    door = free_port()
    found = settings_of(tmp_path, village=behind(door, postgres_url), schema="village_away")
    async with open_installation(found, clock) as installation:
        deployment, village = installation.platforms
        checks = checks_of(one.tenant for one in installation.platforms)
        with pytest.raises(DatabaseUnavailable):
            async with village.db.reader():
                pass
        assert (await run_checks(checks)).checks == {
            "database": "ok",
            "database of village": "the database does not answer yet",
        }
        shown = gauges.register_gauges(deployment.metrics)
        assert 'openmeet_databases_away{tenant="village"} 1.0' in deployment.metrics.exposition().decode()
        stop = asyncio.Event()
        waiting = asyncio.create_task(until_opened(village.db, stop))
        async with listen_balanced(HOST, door, [urlsplit(postgres_url).port or 5432]):
            assert await asyncio.wait_for(waiting, 60)
            assert (await run_checks(checks)).is_ready
            await gauges.read(village, shown)
            async with village.db.transaction() as tx:
                await tx.execute("update outbox_jobs set due_at = 0 where kind = 'none'")

            async def is_told() -> bool:
                return 'openmeet_databases_away{tenant="village"} 0.0' in deployment.metrics.exposition().decode()

            await eventually(is_told)


async def test_silent_server_blocks_no_other_community(
    tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(community_databases, "PATIENCE_SECONDS", 0.015)
    async with silent_server() as port:
        found = settings_of(tmp_path, village=f"postgresql://me@{HOST}:{port}/nothing")
        async with open_databases(found, clock, Metrics("openmeet")) as databases:
            village = databases["village"].db
            assert isinstance(village, DeferredDatabase)
            async with databases["default"].db.reader() as reader:
                assert await reader.fetch("select 1 as one")
            stop = asyncio.Event()
            stop.set()
            assert not await until_opened(village, stop)


async def test_file_that_is_not_a_database_affects_one_community(tmp_path: Path, clock: HandClock) -> None:
    """A file that is not a database affects only its community. It is tried again, and works once the right file is in
    its place.
    """
    file = tmp_path / "village.db"
    file.write_bytes(b"something else entirely" * 200)
    async with open_databases(settings_of(tmp_path, village=f"sqlite://{file}"), clock, Metrics("openmeet")) as found:
        late = found["village"].db
        assert isinstance(late, DeferredDatabase)
        file.unlink()
        assert await asyncio.wait_for(until_opened(late, asyncio.Event()), 30)


async def test_missing_files_of_a_community_affect_no_other(tmp_path: Path, clock: HandClock) -> None:
    """A community whose files are missing (database, queue, pictures, mailbox) stops no other community. It works once
    its folder is back, with an empty database and queue.
    """
    volume = tmp_path / "volume"
    volume.write_text("what is here instead of a mounted disk")
    own = {"name": "village", "public_url": "http://village.example", "data_directory": str(volume / "village")}
    base = {"data_directory": str(tmp_path / "deployment"), "dev_mailbox": True, "dev_mode": True}
    async with open_installation(read_tenants({**base, "tenants": [own]}, {}), clock) as installation:
        deployment, village = installation.platforms
        letter = Message("event.create", "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", b"", "1")
        await deployment.queue.publish([letter])
        assert (deployment.keeps_messages, village.keeps_messages) == (True, False)
        for asked in (village.queue.publish([letter]), village.queue.depth(), village.db.read(lambda _: None)):
            with pytest.raises(DatabaseUnavailable):
                await asked
        interests = await delivery.ensure_default_interests(
            deployment.installation, [one.tenant for one in (deployment,)]
        )
        assert interests.tenants_with_all_records == {"default"}
        volume.unlink()
        assert await asyncio.wait_for(until_opened(village.db, asyncio.Event()), 30)
        assert village.keeps_messages
        await village.queue.publish([letter])
        assert (await village.queue.depth()).waiting == 1
        async with village.pictures.upload() as upload:
            await upload.write(b"a picture")
            await upload.keep("there")
        assert await village.pictures.size("there") == 9
        assert (await run_checks(checks_of([village.tenant]))).is_ready


async def test_start_fails_if_no_database_answers(tmp_path: Path, clock: HandClock) -> None:
    """If no database answers, the start fails with a message, so that the operator or service manager learns of it."""
    away = f"postgresql://me@{HOST}:{free_port()}/nothing"
    found = settings_of(tmp_path, village=away, database_url=f"{away}2")
    with pytest.raises(DatabaseUnavailable):
        async with open_databases(found, clock, Metrics("openmeet")):
            pass
    alone = read_tenants({"data_directory": str(tmp_path), "dev_mailbox": True, "database_url": away}, {})["default"]
    with pytest.raises(DatabaseUnavailable):
        async with open_platform(alone, clock):
            pass


async def test_invalid_database_url_stops_the_start(tmp_path: Path, clock: HandClock) -> None:
    """A database URL that cannot be valid stops the start, because waiting does not help."""
    found = settings_of(tmp_path, village="mysql://db/village")
    with pytest.raises((Refused, ValueError)):
        async with open_databases(found, clock, Metrics("openmeet")):
            pass


@asynccontextmanager
async def silent_server() -> AsyncIterator[int]:
    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(keep, HOST, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
