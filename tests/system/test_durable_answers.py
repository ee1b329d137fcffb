"""A response promises that the data is stored: the system calls show that the data is on disk before the response is
sent (invariants 1 and 2).
"""

import asyncio
from pathlib import Path

import httpx
import pytest
from aiohttp import ClientSession

from tests.external_dependencies import needs
from tests.system.servers import running_servers
from tests.system.system_calls import Call, read_trace, traced

DATABASE = "pds.db"


@pytest.fixture
async def trace(tmp_path: Path) -> list[Call]:
    """Trace one createRecord while somebody is subscribed to the firehose."""
    file = tmp_path / "trace"
    async with running_servers(tmp_path) as servers, ClientSession() as session:
        account = await servers.account("ana")
        assert servers.pds.process is not None
        address = servers.url.replace("http", "ws", 1) + "/xrpc/com.atproto.sync.subscribeRepos"
        async with (
            session.ws_connect(address) as firehose,
            httpx.AsyncClient(trust_env=False) as http,
            traced(servers.pds.process.pid, file),
        ):
            record = {"$type": "com.example.note", "text": "traced"}
            answer = await account.call(http, "createRecord", {"collection": "com.example.note", "record": record})
            assert answer.status_code == 200
            assert b"#commit" in await asyncio.wait_for(firehose.receive_bytes(), 60)
    return read_trace(file)


@needs("strace")
async def test_synced_before_the_answer_and_before_the_firehose(trace: list[Call]):
    """The write is forced to disk before the process sends the first byte of the response, and before the first byte of
    the frame.
    """
    arrived = next(call for call in trace if "com.atproto.repo.createRecord HTTP/1.1" in call.text)
    answer = next(call for call in trace if call.is_write and call.touches('"HTTP/1.1 200'))
    frame = next(call for call in trace if call.is_write and call.touches("<TCP") and call.touches("#commit"))
    stored = [
        call for call in trace if call.is_write and call.touches(f"{DATABASE}-wal>") and call.began > arrived.began
    ]
    assert stored, "the write left nothing in the database"
    first_out = min(answer.began, frame.began)
    last_stored = max(call.began for call in stored if call.began < first_out)
    synced = [
        call
        for call in trace
        if call.is_sync and call.touches(DATABASE) and call.ended is not None and last_stored < call.began
    ]
    assert [call for call in synced if call.ended is not None and call.ended < first_out], (
        f"stored at {last_stored}, first byte out at {first_out}, synced at {[(c.began, c.ended) for c in synced]}"
    )
