"""A program's essential functions are probed in the background; the status shows the last result and its age."""

import asyncio
import os
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs
from tests.databases import MakeDatabase
from tests.system.small_disk import small_disk
from tests.timeouts import TIMEOUT_SECONDS

from groundwork.clock import SystemClock
from groundwork.database import durable_write
from groundwork.database.durable_write import write_durably
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from groundwork.errors import Unavailable
from groundwork.http.application import Application
from groundwork.http.operations import operations_routes
from groundwork.http.server import serving
from groundwork.telemetry import probes as module
from groundwork.telemetry.metrics import Metrics
from groundwork.telemetry.probes import Probe, ProbeResult, Probes, probing


class Disk:
    """A check that succeeds until its storage is full."""

    is_full = False
    tries = 0

    async def write(self) -> None:
        self.tries += 1
        if self.is_full:
            raise Unavailable("the disk is full")


@pytest.fixture
def now() -> list[float]:
    """The clock of the probes, in seconds; tests move it."""
    return [1_000.0]


@pytest.fixture
def disk() -> Disk:
    return Disk()


def probes_over(disk: Disk, metrics: Metrics, now: list[float]) -> Probes:
    return Probes({"writes": Probe(disk.write)}, metrics, now=lambda: now[0])


async def test_probe_result_is_not_tried_yet_at_first(disk: Disk, now: list[float]):
    assert probes_over(disk, Metrics("test"), now).outcomes() == {"writes": ProbeResult("not tried yet", None)}


async def test_cause_of_a_failure_is_logged_but_not_reported(now: list[float]):
    """Operators need the cause, such as a refused password. Health requests can come from strangers."""

    async def store() -> None:
        raise Unavailable("The blob cannot be stored at the moment.") from PermissionError("AccessDenied: wrong key")

    probes = Probes({"blobs": Probe(store)}, Metrics("test"), now=lambda: now[0])
    with capture_logs() as logged:
        await probes.try_all()
    assert probes.outcomes()["blobs"].outcome == "The blob cannot be stored at the moment."
    assert [one["cause"] for one in logged] == ["PermissionError: AccessDenied: wrong key"]


async def test_advice_is_logged_with_a_failure_only(disk: Disk, now: list[float]):
    probes = Probes({"writes": Probe(disk.write, advice="Check the disk.")}, Metrics("test"), now=lambda: now[0])
    with capture_logs() as logged:
        disk.is_full = True
        await probes.try_all()
        disk.is_full = False
        await probes.try_all()
    assert [one.get("advice") for one in logged] == ["Check the disk.", None]


async def test_last_outcome_is_reported_with_its_age(disk: Disk, now: list[float]):
    probes = probes_over(disk, Metrics("test"), now)
    await probes.try_all()
    now[0] += 3
    assert probes.outcomes() == {"writes": ProbeResult("ok", 3.0)}
    disk.is_full = True
    assert probes.outcomes()["writes"].outcome == "ok", "reading the state runs no probe"
    await probes.try_all()
    assert probes.outcomes() == {"writes": ProbeResult("the disk is full", 0.0)}
    disk.is_full = False
    await probes.try_all()
    assert probes.outcomes() == {"writes": ProbeResult("ok", 0.0)}
    assert disk.tries == 3


async def test_an_outcome_that_is_too_old_is_a_failure(disk: Disk, now: list[float]):
    """A result that is too old counts as a failure: a hanging probe, in a driver that cannot be cancelled, reports
    nothing more.
    """
    probes = probes_over(disk, Metrics("test"), now)
    await probes.try_all()
    now[0] += 25
    assert probes.outcomes()["writes"].outcome == "ok"
    now[0] += 1
    assert probes.outcomes()["writes"].outcome == "no result for 26 s"


async def test_unresponsive_probe_is_given_up_and_reported(monkeypatch: pytest.MonkeyPatch, now: list[float]):
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.01)

    async def hang() -> None:
        await asyncio.Event().wait()

    probes = Probes({"queue": Probe(hang)}, Metrics("test"), now=lambda: now[0])
    await probes.try_all()
    assert probes.outcomes()["queue"].outcome == "no answer within 0.01 s"


async def test_metrics_have_result_and_time_of_the_probe(disk: Disk, now: list[float]):
    metrics = Metrics("test")
    probes = probes_over(disk, metrics, now)
    await probes.try_all()
    assert 'test_probe_failed{probe="writes"} 0.0' in metrics.exposition().decode()
    disk.is_full = True
    await probes.try_all()
    text = metrics.exposition().decode()
    assert 'test_probe_failed{probe="writes"} 1.0' in text
    assert 'test_probe_tried_timestamp_seconds{probe="writes"} ' in text


async def test_hanging_probe_delays_no_other(disk: Disk):
    async def hang() -> None:
        if disk.tries > 1:
            await asyncio.Event().wait()

    wanted = {"queue": Probe(hang, every_seconds=0.001), "writes": Probe(disk.write, every_seconds=0.001)}
    async with probing(wanted, Metrics("test")) as probes:
        assert probes.outcomes()["writes"].outcome == "ok", "the state is known before the first request"
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while disk.tries < 10:  # noqa: ASYNC110  # nothing tells when a probe was tried
                await asyncio.sleep(0.001)
    tries = disk.tries
    await asyncio.sleep(0.005)
    assert disk.tries == tries, "the probe ran after the end"


async def answer_of(probes: Probes, serving_: list[tuple[str, ...]], path: str) -> tuple[int, dict[str, object]]:
    metrics = Metrics("test")

    async def fine() -> None: ...

    app = Application(operations_routes(metrics, {"database": fine}, probes=probes, serving=serving_), metrics)
    async with serving(app) as server, aiohttp.ClientSession() as session, session.get(server.url + path) as answer:
        return answer.status, await answer.json()


async def test_status_uses_the_result_of_the_probe(disk: Disk, now: list[float]):
    """The status uses the probe's result and does not check again, so that no request waits for a slow database on a
    busy machine.
    """
    probes = Probes({"database": Probe(disk.write)}, Metrics("test"), now=lambda: now[0])
    await probes.try_all()

    async def hang() -> None:
        await asyncio.Event().wait()

    app = Application(operations_routes(Metrics("asked"), {"database": hang}, probes=probes), Metrics("other"))
    async with serving(app) as server, aiohttp.ClientSession() as session:
        async with session.get(f"{server.url}/health/ready") as answer:
            assert (answer.status, (await answer.json())["checks"]) == (200, {"database": "ok"})
        disk.is_full = True
        await probes.try_all()
        async with session.get(f"{server.url}/health/ready") as answer:
            assert answer.status == 503
    assert disk.tries == 2


async def test_ready_depends_on_the_probes_and_alive_does_not(disk: Disk, now: list[float]):
    probes = probes_over(disk, Metrics("test"), now)
    await probes.try_all()
    now[0] += 2
    checks = {"database": "ok", "writes": "ok"}
    assert await answer_of(probes, [], "/health/ready") == (
        200,
        {"status": "ok", "checks": checks, "ages": {"writes": 2.0}},
    )
    disk.is_full = True
    await probes.try_all()
    checks["writes"] = "the disk is full"
    assert await answer_of(probes, [], "/health/ready") == (
        503,
        {"status": "unavailable", "checks": checks, "ages": {"writes": 0.0}},
    )
    assert await answer_of(probes, [], "/health/live") == (200, {"status": "ok"})


@pytest.mark.parametrize(
    ("broken", "status", "word"),
    [
        ((), 200, "ok"),
        (("pictures",), 200, "degraded"),
        (("writes",), 200, "degraded"),
        (("writes", "writes of village"), 503, "unavailable"),
        (("pictures", "writes of village"), 200, "degraded"),
    ],
)
async def test_failed_optional_part_degrades_the_status(
    broken: tuple[str, ...], status: int, word: str, now: list[float]
):
    """With a failed optional part the status is degraded, not down. The parts are two communities with databases of
    their own, and a picture store that neither needs.
    """
    disks = {name: Disk() for name in ("writes", "writes of village", "pictures")}
    for name in broken:
        disks[name].is_full = True
    probes = Probes({name: Probe(one.write) for name, one in disks.items()}, Metrics("test"), now=lambda: now[0])
    await probes.try_all()
    serving_ = [("database", "writes"), ("database", "writes of village")]
    answered, body = await answer_of(probes, serving_, "/health/ready")
    assert (answered, body["status"]) == (status, word)


async def test_probe_is_a_durable_write(make_database: MakeDatabase):
    """The probe is a durable write. On SQLite it adds to the log, even if it runs twice in a second."""
    db = await make_database("openmeet")
    await write_durably(db, "openmeet")
    if db.engine == "sqlite":
        async with db.reader() as reader:
            row = await reader.fetch_one("pragma user_version")
        assert row is not None
        assert row["user_version"] > 0


async def test_space_for_a_commit_is_tested_by_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Space for a commit is tested by writing, because the free space does not show a quota. The log once had space for
    a page of the probe while real commits failed.
    """
    monkeypatch.setattr(durable_write, "LEAST_ROOM_BYTES", 0)
    with small_disk(tmp_path / "data") as fill:
        url = f"sqlite://{tmp_path / 'data' / 'plc.db'}"
        await migrate(url, "plc_directory", "plc_directory")
        db = await open_database(url, schema="plc_directory", clock=SystemClock())
        try:
            await write_durably(db, "plc_directory")
            fill(None, True)
            with (tmp_path / "data" / "ballast").open("r+b") as ballast:
                ballast.truncate(ballast.seek(0, os.SEEK_END) - durable_write.COMMIT_BYTES // 2)
            with pytest.raises(Unavailable, match="the disk is full"):
                await write_durably(db, "plc_directory")
            fill(None, False)
            await write_durably(db, "plc_directory")
            assert {path.name for path in (tmp_path / "data").iterdir()} <= {"plc.db", "plc.db-wal", "plc.db-shm"}
        finally:
            await db.close()
