"""Tests of the Matrix bridge: one real homeserver for all tests of a worker."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from groundwork.clock import HandClock
from groundwork.http.client import HttpClient
from groundwork.sealing import KEY_BYTES, Sealer
from openmeet.matrix.bridge import Bridge
from openmeet.matrix.calls import Homeserver, open_client
from tests.databases import MakeDatabase
from tests.external_dependencies import is_available
from tests.openmeet.matrix.homeserver import Synapse
from tests.openmeet.matrix.mirrored import MirroredTown, mirrored_town

SEALER = Sealer([b"k" * KEY_BYTES])
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def synapse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synapse]:
    """One homeserver for all tests of a worker. Each test makes its own accounts and rooms.

    It is started on a loop of its own: if this fixture were asynchronous, all later tests of the worker would share its
    loop.
    """
    if not is_available("synapse"):
        pytest.skip("missing dependency: synapse")
    server = Synapse(tmp_path_factory.mktemp("synapse"))
    server.write_settings()
    with asyncio.Runner() as runner:
        try:
            runner.run(server.start())
            yield server
        finally:
            runner.run(server.stop())


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = open_client("openmeet/tests")
    yield client
    await client.close()


@pytest.fixture
def homeserver(synapse: Synapse, http: HttpClient) -> Homeserver:
    return synapse.homeserver(http)


@pytest.fixture
def fresh() -> Callable[[str], str]:
    """Return a name that no other test uses on this homeserver."""
    return lambda name: f"{name}{next(_numbers)}"


@pytest.fixture
async def town(make_database: MakeDatabase, clock: HandClock, homeserver: Homeserver) -> MirroredTown:
    """A community with a unique name. All its names on the homeserver contain that name, so tests do not collide."""
    db = await make_database("openmeet", clock=clock)
    name = f"t{next(_numbers)}-{os.getpid()}"
    return await mirrored_town(db, Bridge(db, homeserver, SEALER, name, federates=False, language="en"), clock)
