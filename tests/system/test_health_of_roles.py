"""Health of each role as a separate program: it reports when a part that it needs fails, and when that part works
again.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from programs.balancer import listen_balanced
from tests.external_dependencies import needs
from tests.groundwork.queue.conftest import BROKER
from tests.simulation.processes import Program, free_port
from tests.system.small_disk import small_disk
from tests.system.tour.polling import eventually

HOST = "127.0.0.1"


@asynccontextmanager
async def running(role: str, folder: Path, **settings: str) -> AsyncIterator[str]:
    """Run a role of an installation on SQLite in ``folder``. Yields its URL."""
    port = free_port()
    environment = {
        "OPENMEET_DATA_DIRECTORY": str(folder),
        "OPENMEET_DEV_MODE": "true",
        "OPENMEET_DEV_MAILBOX": "true",
        "OPENMEET_PORT" if role == "web" else "OPENMEET_OPERATIONS_PORT": str(port),
        "OPENMEET_HOST": HOST,
        **settings,
    }
    url = f"http://{HOST}:{port}"
    program = Program(role, environment, folder.parent / f"{role}.log", f"{url}/health/live")
    await program.start()
    try:
        yield url
    finally:
        await program.stop()


async def says(url: str, is_so: Callable[[int, dict[str, Any]], bool]) -> None:
    """Check that the role reports this within some rounds of the probes, while its liveness check stays positive."""
    async with httpx.AsyncClient(trust_env=False) as http:

        async def asked() -> bool:
            assert (await http.get(f"{url}/health/live")).status_code == 200
            ready = await http.get(f"{url}/health/ready")
            return is_so(ready.status_code, ready.json())

        await eventually(asked, 90)


def is_well(status: int, said: dict[str, Any]) -> bool:
    return status == 200 and said["status"] == "ok" and all(0 <= age < 60 for age in said["ages"].values())


@needs("rabbitmq")
@pytest.mark.parametrize("role", ["firehose-consumer", "event-processor"])
async def test_broker_outage_is_reported_and_ends(tmp_path: Path, role: str) -> None:
    (tmp_path / "data").mkdir()
    server, door = urlsplit(BROKER), free_port()
    broker = server._replace(netloc=f"{server.username}:{server.password}@{HOST}:{door}").geturl()
    name = f"health_{door}"
    async with AsyncExitStack() as stack:
        way = await stack.enter_async_context(AsyncExitStack())
        await way.enter_async_context(listen_balanced(HOST, door, [server.port or 5672]))
        url = await stack.enter_async_context(
            running(role, tmp_path / "data", OPENMEET_BROKER_URL=broker, OPENMEET_BROKER_NAME=name)
        )
        await says(url, is_well)
        await way.aclose()
        await says(url, lambda status, said: status == 503 and said["checks"]["queue"] != "ok")
        await way.enter_async_context(listen_balanced(HOST, door, [server.port or 5672]))
        await says(url, is_well)


async def test_a_full_disk_under_the_site(tmp_path: Path) -> None:
    """Its pages can still be read. The health check reports to the load balancer and the operator's monitoring that
    nothing can be written.
    """
    with small_disk(tmp_path / "data") as fill:
        async with running("web", tmp_path / "data") as url:
            await says(url, is_well)
            fill(None, True)
            await says(url, lambda status, said: status == 503 and said["checks"]["writes"] != "ok")
            fill(None, False)
            await says(url, is_well)


async def test_unavailable_picture_store_only_degrades_the_site(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    async with running("web", folder) as url:
        await says(url, is_well)
        media = folder / "media"
        media.rename(folder / "away")
        media.write_text("a file where the folder should be")
        await says(url, lambda status, said: (status, said["status"]) == (200, "degraded"))
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.get(f"{url}/")).status_code == 200
        media.unlink()
        (folder / "away").rename(media)
        await says(url, is_well)
