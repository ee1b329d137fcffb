"""Records that take long to read and write hold up nobody else, and pages of large records are short."""

import asyncio
import json
import threading
import tracemalloc
from collections.abc import Awaitable
from typing import Any

import httpx
import pytest

from groundwork import threads
from tests.aurora_locus.hosted_repository import NOTE, HostedRepository
from tests.aurora_locus.xrpc.conftest import Client

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)

REPO, SYNC = "com.atproto.repo", "com.atproto.sync"
_BEAT_SECONDS = 0.002


async def beside_a_heartbeat(request: Awaitable[httpx.Response]) -> tuple[httpx.Response, float, float]:
    """Wait for the response while another task of the server's event loop runs every few milliseconds. Returns the
    response, how long it took, and the longest time in which that task did not run, in seconds.
    """
    loop = asyncio.get_running_loop()
    started = beat = loop.time()
    longest = 0.0
    task = asyncio.ensure_future(request)
    while not task.done():
        await asyncio.sleep(_BEAT_SECONDS)
        longest, beat = max(longest, loop.time() - beat), loop.time()
    return task.result(), loop.time() - started, longest


async def test_costly_record_holds_up_nobody(as_ada: Client, ada: HostedRepository) -> None:
    """The event loop continues while a costly record is decoded, prepared and read."""
    record = {"$type": NOTE, "value": [[1] * 12] * 32_000}
    key = {"repo": ada.did, "collection": NOTE, "rkey": "costly"}
    body = json.dumps({**key, "record": record}, separators=(",", ":")).encode()
    for request in (
        as_ada.http.post(
            f"/xrpc/{REPO}.putRecord", content=body, headers={**as_ada.headers, "content-type": "application/json"}
        ),
        as_ada.http.get(f"/xrpc/{REPO}.getRecord", params=key),
    ):
        response, duration, longest = await beside_a_heartbeat(request)
        assert response.status_code == 200, response.text
        assert longest < duration / 2


async def test_large_records_of_one_client_are_limited(
    as_ada: Client, stranger: Client, ada: HostedRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that sends more large bodies at once than the server reads at once is told to wait; others are served."""
    monkeypatch.setattr(threads, "CLIENT_BYTES", 35_000)
    body = {"repo": ada.did, "collection": NOTE, "record": {"$type": NOTE, "value": "x" * 10_000}}
    is_over = threading.Event()
    running = asyncio.ensure_future(threads.compute(35_000, is_over.wait))
    try:
        sent = [asyncio.ensure_future(as_ada.post(f"{REPO}.createRecord", body)) for _ in range(4)]
        (refused,), waiting = await asyncio.wait(sent, return_when=asyncio.FIRST_COMPLETED)
        assert refused.result().status_code == 429
        assert refused.result().json()["error"] == "RateLimitExceeded"
        assert refused.result().headers["retry-after"] == "5"
        assert (await stranger.get(f"{REPO}.describeRepo", repo=ada.did)).status_code == 200
    finally:
        is_over.set()
        await running
    assert [request.status_code for request in await asyncio.gather(*waiting)] == [200] * 3
    assert (await as_ada.post(f"{REPO}.createRecord", body)).status_code == 200


async def test_record_of_very_many_lists_is_refused(as_ada: Client, ada: HostedRepository) -> None:
    body = {"repo": ada.did, "collection": NOTE, "record": {"$type": NOTE, "value": [[]] * 32_768}}
    refused = await as_ada.post(f"{REPO}.createRecord", body)
    assert refused.status_code == 400
    assert "32768 lists and objects" in refused.json()["message"]
    body["record"] = {"$type": NOTE, "value": "[{" * 100_000}
    assert (await as_ada.post(f"{REPO}.createRecord", body)).status_code == 200


@pytest.mark.parametrize("reverse", ["true", "false"])
async def test_pages_of_large_records_are_short(
    as_ada: Client, stranger: Client, ada: HostedRepository, reverse: str
) -> None:
    for number in range(5):
        body = {"repo": ada.did, "collection": NOTE, "rkey": f"k{number}", "record": {"text": f"{number}" * 700_000}}
        assert (await as_ada.post(f"{REPO}.putRecord", body)).status_code == 200
    keys, cursor, pages = [], {}, 0
    while pages < 10:
        page = (
            await stranger.get(
                f"{REPO}.listRecords", repo=ada.did, collection=NOTE, reverse=reverse, limit=100, **cursor
            )
        ).json()
        pages += 1
        assert len(page["records"]) <= 2
        keys += [record["uri"].rpartition("/")[2] for record in page["records"]]
        if "cursor" not in page:
            break
        cursor = {"cursor": page["cursor"]}
    assert sorted(keys) == ["k0", "k1", "k2", "k3", "k4"]
    assert keys == sorted(keys, reverse=reverse == "false")
    assert pages == 3


@pytest.mark.parametrize("method", ["getBlocks", "getRepo", "getRepo since"])
async def test_many_large_blocks_are_sent_in_portions(as_ada: Client, ada: HostedRepository, method: str) -> None:
    query: dict[str, Any] = {"did": ada.did}
    if method.endswith("since"):
        query["since"] = (await ada.repositories.head(ada.did)).rev
    cids = []
    for number in range(20):
        record = {"text": f"{number % 10}" * 900_000, "n": number}
        body = {"repo": ada.did, "collection": NOTE, "rkey": f"k{number}", "record": record}
        cids.append((await as_ada.post(f"{REPO}.putRecord", body)).json()["cid"])
    if method == "getBlocks":
        query["cids"] = cids * 2
    size = 0
    tracemalloc.start()
    try:
        async with as_ada.http.stream("GET", f"/xrpc/{SYNC}.{method.partition(' ')[0]}", params=query) as response:
            async for chunk in response.aiter_bytes():
                size += len(chunk)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 18_000_000 < size < 18_100_000
    assert peak < 12_000_000
