"""S3 buckets for tests: the real protocol over a real socket, served by a thread of the test process."""

import itertools
from collections.abc import Callable, Iterator

import httpx
import pytest

from groundwork.blobstore.open_ import Bucket
from groundwork.settings import Secret

MakeBucket = Callable[[], Bucket]

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """The URL of an S3 server."""
    from moto.server import ThreadedMotoServer  # imported here because it takes a second, and few tests need a bucket

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def make_bucket(s3_url: str) -> MakeBucket:
    """Makes a new empty bucket with every call."""

    def make() -> Bucket:
        name = f"bucket-{next(_numbers)}"
        httpx.put(f"{s3_url}/{name}", trust_env=False).raise_for_status()
        return Bucket(
            name,
            region="us-east-1",
            endpoint=s3_url,
            access_key_id="key",
            secret_access_key=Secret("secret"),
            force_path_style=True,
        )

    return make
