"""Clients of the firehose and of Jetstream that send large frames instead of reading: they are disconnected, before what
they sent is kept or decompressed, and others are served.
"""

import asyncio
import contextlib

import aiohttp
import pytest

from tests.aurora_locus.conftest import deployment, make_deployment, pds_url
from tests.aurora_locus.deployment import Deployment

__all__ = ["deployment", "make_deployment", "pds_url"]

FIREHOSE, JETSTREAM = "/xrpc/com.atproto.sync.subscribeRepos", "/subscribe"
_FRAME_BYTES = 20_000_000


@pytest.mark.parametrize("path", [FIREHOSE, JETSTREAM])
@pytest.mark.parametrize("window_bits", [0, 15], ids=["plain", "compressed"])
async def test_reader_that_sends_large_frames_is_disconnected(
    deployment: Deployment, path: str, window_bits: int
) -> None:
    frame = b"\0" * _FRAME_BYTES
    async with asyncio.timeout(20), aiohttp.ClientSession() as http:
        with contextlib.suppress(ConnectionError):
            async with http.ws_connect(f"{deployment.url}{path}", compress=window_bits) as stream:
                while True:
                    await stream.send_bytes(frame)
    assert (await deployment.http.get("/xrpc/_health")).status_code == 200
    async with aiohttp.ClientSession() as http, http.ws_connect(f"{deployment.url}{path}") as stream:
        ana = await deployment.sign_up("ana")
        async with asyncio.timeout(20):
            while ana.did.encode() not in _bytes_of(await stream.receive()):
                pass


def _bytes_of(message: aiohttp.WSMessage) -> bytes:
    return message.data if isinstance(message.data, bytes) else str(message.data).encode()
