"""A busy machine does not affect a simulation: people retry after the response that a server is too busy."""

from aiohttp import web

from tests.simulation.proxy import LossyProxy
from tests.simulation.simulation_home import NOWHERE
from tests.simulation.simulation_people import PatientClient


async def test_people_retry_if_a_server_is_busy():
    """If a transaction of the PDS takes too long, the response is 503 and nothing was saved."""
    answers = [200, 503, 503]
    async with (
        LossyProxy(NOWHERE, stops=lambda _: web.Response(status=answers.pop())) as server,
        PatientClient(base_url=server.url, trust_env=False) as http,
    ):
        said = await http.post("/", json={"text": "the same each time"})
    assert (said.status_code, answers) == (200, [])
