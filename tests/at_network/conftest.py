import pytest
from tests.at_network.peers import some_time

from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT


@pytest.fixture
def clock():
    return some_time()


@pytest.fixture
async def http():
    client = HttpClient(DEVELOPMENT)
    yield client
    await client.close()
