"""When the PDS's disk is full, writes are refused with a message, reads still work, nothing is half written, and it
recovers.
"""

import contextlib
import os
import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from at_protocol.identity.did_document import parse_did_document
from at_protocol.syntax.did import parse_did
from tests.simulation.processes import DidNotStart
from tests.system.independent_reader import read_repository
from tests.system.servers import Account, Servers, running_servers
from tests.system.small_disk import FillDisk, small_disk
from tests.system.stream import read_commits, whole_stream
from tests.system.tour.polling import eventually

NOTE = "com.example.note"


@contextlib.contextmanager
def small_files(folder: Path) -> Iterator[FillDisk]:
    """Limit the size of the process's files to a few pages (RLIMIT_FSIZE), so that every write to the database fails."""

    def fill(servers: Servers | None, is_full: bool) -> None:
        assert servers is not None
        assert servers.pds.process is not None
        # This is less than one commit, because SQLite's log starts again at its beginning after each checkpoint.
        soft = 32 * 1024 if is_full else resource.RLIM_INFINITY
        resource.prlimit(servers.pds.process.pid, resource.RLIMIT_FSIZE, (soft, resource.RLIM_INFINITY))

    yield fill


async def write(http: httpx.AsyncClient, account: Account, text: str) -> httpx.Response:
    record = {"$type": NOTE, "text": text, "filling": "x" * 20_000}
    return await account.call(http, "createRecord", {"collection": NOTE, "record": record})


@pytest.mark.parametrize("disk", [small_disk, small_files])
async def test_full_disk_refuses_writes_and_recovers(
    tmp_path: Path, disk: Callable[[Path], contextlib.AbstractContextManager[FillDisk]]
):
    """Refused writes leave nothing behind, not even in the stream. A kill in this state does no harm. Afterwards
    writing works again.
    """
    with disk(tmp_path / "pds") as fill:
        async with running_servers(tmp_path) as servers, httpx.AsyncClient(trust_env=False) as http:
            account = await servers.account("ana")
            before = [(await write(http, account, f"before {number}")).json()["uri"] for number in range(3)]
            picture = await _upload(http, account, 20_000)
            assert picture.status_code == 200

            fill(servers, True)
            refused = [await write(http, account, f"refused {number}") for number in range(10)]
            too_full = [answer for answer in refused if answer.status_code != 200]
            assert len(too_full) > 5, "the disk was not full"
            for answer in too_full:
                assert answer.status_code == 503, answer.text
                assert answer.json()["error"] == "NotEnoughResources"
                assert len(answer.json()["message"].split()) > 3
            await _health_says(http, servers, 503, "unavailable")
            assert (await http.get(f"{servers.url}/health/live")).status_code == 200
            listed = await servers.query("com.atproto.repo.listRecords", repo=account.did, collection=NOTE)
            kept = [record["uri"] for record in listed.json()["records"]]
            acknowledged_uris = before + [answer.json()["uri"] for answer in refused if answer.status_code == 200]
            assert sorted(kept) == sorted(acknowledged_uris)

            fill(servers, False)
            assert (await write(http, account, "room again")).status_code == 200
            await _health_says(http, servers, 200, "ok")
            fill(servers, True)
            await write(http, account, "refused")
            await servers.pds.kill()
            fill(servers, False) if disk is small_disk else None
            await servers.pds.start()
            assert (await write(http, account, "after the kill")).status_code == 200
            await _all_is_one(servers, account, http)


async def _health_says(http: httpx.AsyncClient, servers: Servers, status: int, word: str) -> None:
    """Check that both health URLs report, within a few rounds of the probes, that writing fails."""

    async def is_so() -> bool:
        health, ready = (await http.get(f"{servers.url}/xrpc/_health"), await http.get(f"{servers.url}/health/ready"))
        assert set(ready.json()["ages"]) == {"database", "writes", "blobs"}
        assert ("error" in health.json()) == (health.status_code != 200)
        return (health.status_code, ready.status_code, ready.json()["status"]) == (status, status, word)

    await eventually(is_so, 60)


async def _upload(http: httpx.AsyncClient, account: Account, size: int) -> httpx.Response:
    headers = {"authorization": f"Bearer {account.token}", "content-type": "image/png"}
    return await http.post(f"{account.url}/xrpc/com.atproto.repo.uploadBlob", content=os.urandom(size), headers=headers)


async def test_a_blob_that_does_not_fit_leaves_nothing(tmp_path: Path):
    """The upload is refused with a message. Neither a row nor a partial file is left, and a smaller blob is accepted."""
    with small_disk(tmp_path / "pds") as fill:
        async with running_servers(tmp_path) as servers, httpx.AsyncClient(trust_env=False) as http:
            account = await servers.account("ana")
            fill(servers, True)
            files = _files_below(tmp_path / "pds" / "blobs")
            answer = await _upload(http, account, 300_000)
            assert answer.status_code >= 500
            assert answer.json()["error"] == "NotEnoughResources", answer.text
            assert _files_below(tmp_path / "pds" / "blobs") == files
            fill(servers, False)
            assert (await _upload(http, account, 300_000)).status_code == 200


def _files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


async def _all_is_one(servers: Servers, account: Account, http: httpx.AsyncClient) -> None:
    """Check that repository, stream and lists agree."""
    held = read_repository((await servers.query("com.atproto.sync.getRepo", did=account.did)).content)
    document = (await http.get(f"{servers.plc_url}/{account.did}")).json()
    key = parse_did_document(document, parse_did(account.did)).signing_key
    assert key is not None
    frames = [frame for _, frame in await whole_stream(servers.url)]
    announced = read_commits(frames, account.did, key, int(time.time() * 1e6))
    assert announced.records == held.records
    assert announced.known.rev == held.rev
    listed = await servers.query("com.atproto.repo.listRecords", repo=account.did, collection=NOTE, limit="100")
    assert {one["uri"].rpartition(f"{account.did}/")[2]: one["cid"] for one in listed.json()["records"]} == held.records


def remount(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)


async def test_read_only_disk_is_reported_at_the_start(tmp_path: Path):
    """As after a disk error, the server does not start and prints the reason. When the disk is writable again, all data
    is still there.
    """
    with small_disk(tmp_path / "pds"):
        async with running_servers(tmp_path) as servers, httpx.AsyncClient(trust_env=False) as http:
            account = await servers.account("ana")
            uri = (await write(http, account, "before")).json()["uri"]
            await servers.pds.kill()
            remount(tmp_path / "pds", "ro")
            try:
                said = servers.pds.said()
                with pytest.raises(DidNotStart):
                    await servers.pds.start()
                told = servers.pds.said().removeprefix(said)
                assert "read-only" in told.lower()
                assert "Traceback" not in told
            finally:
                remount(tmp_path / "pds", "rw")
            await servers.pds.start()
            listed = await servers.query("com.atproto.repo.listRecords", repo=account.did, collection=NOTE)
            assert [record["uri"] for record in listed.json()["records"]] == [uri]
            assert (await write(http, account, "after")).status_code == 200
