"""The kind of source that a URL on the command line names: a PDS is the authority for its own accounts, a relay
forwards others, and Jetstream has a path.
"""

import pytest
from tests.openmeet.deployment import Deployment, deployment
from tests.simulation.processes import free_port
from tests.simulation.relay import Relay

from groundwork.clock import SystemClock
from groundwork.errors import InvalidInput
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT
from programs.sources import Sources, sort_by_kind

__all__ = ["deployment"]


async def ask(*urls: str) -> Sources:
    http = HttpClient(DEVELOPMENT)
    try:
        return await sort_by_kind(http, SystemClock(), urls)
    finally:
        await http.close()


async def test_source_kind_is_recognized_by_its_responses(deployment: Deployment):
    """Each source is recognized by its responses over real servers, in any spelling, and listed once."""
    pds = deployment.pds_url.replace("http", "ws", 1)
    async with Relay([], []) as relay:
        found = await ask(deployment.pds_url + "/", pds, relay.url, "wss://jetstream.example/subscribe")
    assert found == Sources((pds,), (relay.url.replace("http", "ws", 1),), ("wss://jetstream.example",))


@pytest.mark.parametrize("url", ["pds.example", "ftp://pds.example", "https://pds.example/xrpc"])
async def test_invalid_address_is_named_in_the_refusal(url: str):
    with pytest.raises(InvalidInput, match=f"--source {url}"):
        await ask(url)


async def test_unresponsive_source_is_reported_at_once():
    """A source that does not respond is reported at once: its kind is unknown, so nothing from it is trusted."""
    with pytest.raises(InvalidInput, match=r"does not answer: .* Start it first\."):
        await ask(f"http://127.0.0.1:{free_port()}")
