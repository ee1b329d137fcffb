"""If a community's database, or all of its files, are unavailable when the programs start, the other communities are
served, and this one starts later by itself.
"""

import contextlib
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from programs.balancer import listen_balanced
from tests.simulation.processes import free_port
from tests.system.communities import running_communities
from tests.system.tour.polling import eventually

HOST = "127.0.0.1"


async def test_community_joins_when_its_database_answers(tmp_path: Path, postgres_url: str) -> None:
    """Web, consumer, processor, publisher and scheduler start while PostgreSQL cannot be reached."""
    server = urlsplit(postgres_url)
    door = free_port()
    behind_the_door = server._replace(netloc=f"{server.username}@{HOST}:{door}").geturl()
    async with contextlib.AsyncExitStack() as stack:

        async def opens() -> None:
            await stack.enter_async_context(listen_balanced(HOST, door, [server.port or 5432]))

        await starts_and_joins(tmp_path, opens, database_url=behind_the_door, database_schema="hamlet_away")


async def test_community_joins_when_its_files_are_available(tmp_path: Path) -> None:
    """The same on SQLite, with the queue among the files. Nothing can be stored for the community in the meantime, so
    it is read again later.
    """
    volume = tmp_path / "volume"
    volume.write_text("where a disk is not mounted yet")

    async def mounted() -> None:
        volume.unlink()

    await starts_and_joins(tmp_path, mounted, data_directory=str(volume / "hamlet"))


async def starts_and_joins(tmp_path: Path, make_available: Callable[[], Awaitable[None]], **stored: str) -> None:
    """Add a community to a running installation whose storage is unavailable until ``make_available`` is called.

    ``stored``: the community's settings.
    """
    async with running_communities(tmp_path, "") as both:
        before = await both.write("Old games")
        await both.town.arrival(before)
        for program in both.programs:
            # A program that is stopped while it is starting prints nothing and ends with another status.
            await program.heard(re.compile("(Ctrl-C stops it|listening on)"))
        await both.stop()
        both.add("hamlet", **stored)
        await both.start()
        hamlet = both.communities["hamlet"]

        meanwhile = await both.write("New games")
        for one in (both.town, both.village):
            await one.arrival(meanwhile)
        page = await hamlet.get("/")
        assert page.status_code == 503
        assert "We can’t do this right now" in page.text
        async with httpx.AsyncClient(base_url=both.at, trust_env=False) as http:
            ready = (await http.get("/health/ready")).raise_for_status().json()
            metrics = (await http.get("/metrics")).text
        assert ready["status"] == "degraded"
        assert ready["checks"]["database of hamlet"] == "the database does not answer yet"
        assert ready["checks"]["database of village"] == "ok"
        assert 'openmeet_databases_away{tenant="hamlet"} 1.0' in metrics
        assert 'openmeet_databases_away{tenant="village"} 0.0' in metrics
        for program in both.programs:
            # Some of them are still starting.
            await program.heard(re.compile(r"(tenant\.database_away)"))

        await make_available()

        async def is_served() -> bool:
            return (await hamlet.get("/")).status_code == 200

        await eventually(is_served, 60)
        # Events from before the community existed, and events that came when none of them could be stored.
        for uri in (before, meanwhile, await both.write("Newer games")):
            await hamlet.arrival(uri)
