"""A community whose database does not answer when the programs start: the others are served, and it comes up by itself."""

import contextlib
import re
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from programs.balancer import balanced
from tests.journeys.communities import running_communities
from tests.tour.watching import eventually
from tests.world.processes import free_port

HOST = "127.0.0.1"


async def test_all_programs_start_and_it_joins_when_its_database_answers(tmp_path: Path, postgres_url: str) -> None:
    """Web, consumer, processor, publisher and scheduler, on a PostgreSQL that nobody reaches yet."""
    server = urlsplit(postgres_url)
    door = free_port()
    behind_the_door = server._replace(netloc=f"{server.username}@{HOST}:{door}").geturl()
    async with running_communities(tmp_path, "") as both, contextlib.AsyncExitStack() as stack:
        before = await both.write("Old games")
        await both.town.arrival(before)
        for program in both.programs:
            # Who is stopped while it starts says nothing, and ends otherwise than when it is asked to.
            await program.heard(re.compile("(Ctrl-C stops it|listening on)"))
        await both.stop()
        both.add("hamlet", database_url=behind_the_door, database_schema="hamlet_away")
        await both.start()
        hamlet = both.communities["hamlet"]

        meanwhile = await both.write("New games")
        for one in (both.town, both.village):
            await one.arrival(meanwhile)
        page = await hamlet.get("/")
        assert page.status_code == 503
        assert "We cannot serve this at the moment" in page.text
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

        port = server.port or 5432
        await stack.enter_async_context(balanced(HOST, door, [port]))

        async def is_served() -> bool:
            return (await hamlet.get("/")).status_code == 200

        await eventually(is_served, 60)
        # What was before it, and what came while nothing of it could be written down.
        for uri in (before, meanwhile, await both.write("Newer games")):
            await hamlet.arrival(uri)
