"""The contract of blob stores: whole blobs or nothing, read in pieces, and only under the store's own keys."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.s3_buckets import MakeBucket
from tests.timeouts import TIMEOUT_SECONDS

from groundwork.blobstore.contract import PIECE_BYTES, BlobStore, StoredBlob, check_key, put, try_writing
from groundwork.blobstore.disk import DiskBlobStore, remove_left_behind
from groundwork.blobstore.open_ import Bucket, open_bucket, open_folder
from groundwork.errors import NotFound, Unavailable
from groundwork.settings import Secret

KEY = "did:plc:ewvi7nxzyoun6zhxrhs64oiz/bafkreibjfgx2gprinfvicegelk5kosd6y2frmqpqzwqkg7usac74l3t2v4"


@pytest.fixture(params=["disk", "s3"])
def store(request: pytest.FixtureRequest, tmp_path) -> BlobStore:
    if request.param == "disk":
        return DiskBlobStore(tmp_path / "store")
    return open_bucket(request.getfixturevalue("make_bucket")())


@pytest.fixture
def disk(tmp_path) -> DiskBlobStore:
    return DiskBlobStore(tmp_path / "store")


async def whole(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


async def test_stored_value_is_returned(store: BlobStore):
    async with store.upload() as upload:
        await upload.write(b"first ")
        await upload.write(b"second")
        assert upload.size == 12
        await upload.keep(KEY)
    assert await store.size(KEY) == 12
    assert await whole(store.read(KEY)) == b"first second"


async def test_discarded_upload_leaves_nothing(store: BlobStore, tmp_path):
    async with store.upload() as upload:
        await upload.write(b"half")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert [stored async for stored in store.list()] == []


async def test_storing_again_replaces(store: BlobStore):
    await put(store, "a/b", b"one")
    await put(store, "a/b", b"other")
    assert await whole(store.read("a/b")) == b"other"


@pytest.mark.parametrize(
    ("start", "end"),
    [(0, None), (0, 10), (PIECE_BYTES - 1, PIECE_BYTES + 1), (PIECE_BYTES, None), (5, 5), (700_000, None)],
)
async def test_ranges_across_pieces(store: BlobStore, start, end):
    body = os.urandom(600_000)
    await put(store, "a", body)
    assert await whole(store.read("a", start=start, end=end)) == body[start:end]


async def test_reading_is_piecewise(store: BlobStore):
    """Reading a large blob needs the memory of one piece."""
    await put(store, "a", bytes(PIECE_BYTES * 3 + 1))
    assert [len(piece) async for piece in store.read("a")] == [PIECE_BYTES] * 3 + [1]


async def test_absent_blob_is_not_found(store: BlobStore):
    with pytest.raises(NotFound):
        await store.size("a")
    with pytest.raises(NotFound):
        await whole(store.read("a"))
    assert await store.delete("a") is False


async def test_a_deleted_blob_is_gone(store: BlobStore):
    await put(store, "a", b"x")
    assert await store.delete("a") is True
    with pytest.raises(NotFound):
        await store.size("a")


async def test_list_shows_one_folder_or_all(store: BlobStore):
    for key in ("did:plc:b/2", "did:plc:a/1", "did:plc:a/3", "top"):
        await put(store, key, key.encode())
    assert [stored async for stored in store.list("did:plc:a")] == [
        StoredBlob("did:plc:a/1", 11),
        StoredBlob("did:plc:a/3", 11),
    ]
    assert [stored.key async for stored in store.list()] == ["did:plc:a/1", "did:plc:a/3", "did:plc:b/2", "top"]
    assert [stored async for stored in store.list("nobody")] == []


async def test_a_long_list_is_complete(disk: DiskBlobStore):
    """The pages of a long listing neither lose nor repeat an entry."""
    for number in range(1203):
        (disk.path_of("x").parent / f"{number:05}").touch()
    assert len({stored.key async for stored in disk.list()}) == 1203


async def test_a_moved_value_has_its_new_name_only(store: BlobStore):
    await put(store, "a/b", b"one")
    await put(store, "c", b"old")
    assert await store.move("a/b", "c") is True
    assert await whole(store.read("c")) == b"one"
    assert [stored.key async for stored in store.list()] == ["c"]
    assert await store.move("a/b", "d") is False
    assert [stored.key async for stored in store.list()] == ["c"]


async def test_listing_has_modification_times(store: BlobStore):
    await put(store, "a", b"x")
    (only,) = [stored async for stored in store.list()]
    assert only.modified_at > 1_700_000_000


async def test_a_large_value_of_several_parts(store: BlobStore):
    """A value too large for one request is stored in several parts."""
    body = os.urandom(12 * 1024 * 1024)
    async with store.upload() as upload:
        for start in range(0, len(body), 1 << 20):
            await upload.write(body[start : start + (1 << 20)])
        await upload.keep("big")
    assert await store.size("big") == len(body)
    assert await whole(store.read("big", start=1, end=6_000_000)) == body[1:6_000_000]


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/",
        "/etc/passwd",
        "..",
        "../x",
        "a/../b",
        ".hidden",
        "a//b",
        "a/",
        "a\\b",
        "a\x00",
        "a b",
        "ä",
        "a/" * 9 + "a",
    ],
)
async def test_keys_outside_the_folder_are_refused(store: BlobStore, key):
    with pytest.raises(ValueError, match="key"):
        await put(store, key, b"x")
    with pytest.raises(ValueError, match="key"):
        await store.size(key)


@given(st.text(max_size=30))
def test_a_checked_key_stays_below_its_folder(text):
    try:
        key = check_key(text)
    except ValueError:
        return
    assert not key.startswith("/")
    assert all(segment not in ("", ".", "..") for segment in key.split("/"))


async def test_a_full_disk_is_unavailable(disk: DiskBlobStore):
    """A full disk raises Unavailable, because it is not the caller's fault. /dev/full reports 'no space left' on flush."""
    async with disk.upload() as upload:
        upload._file.close()
        upload._file = open("/dev/full", "wb")  # noqa: ASYNC230, PTH123, SIM115  # the real device of that behaviour
        await upload.write(b"x")
        with pytest.raises(Unavailable):
            await upload.keep("a")


async def test_a_disk_that_cannot_be_read_is_unavailable(disk: DiskBlobStore):
    """As for a bucket, a fault of the disk is not mistaken for a bug or a missing blob. The link that leads to itself
    fails in every call, even for root.
    """
    path = disk.path_of(KEY)
    path.parent.mkdir(parents=True)
    path.symlink_to(path)
    with pytest.raises(Unavailable):
        await disk.size(KEY)
    with pytest.raises(Unavailable):
        await anext(disk.read(KEY))
    with pytest.raises(Unavailable):
        _ = [stored async for stored in disk.list()]
    with pytest.raises(Unavailable):
        await disk.delete(f"{KEY}/below")


async def test_old_leftovers_of_a_crash_are_removed(tmp_path):
    store = DiskBlobStore(tmp_path)
    old, fresh = tmp_path / "incoming" / "old", tmp_path / "incoming" / "fresh"
    old.touch()
    fresh.touch()
    os.utime(old, (1000, 1000))
    remove_left_behind(tmp_path / "incoming", older_than=2000)
    assert [path.name for path in (tmp_path / "incoming").iterdir()] == ["fresh"]
    del store


async def test_a_folder_of_blobs_alone(tmp_path):
    """The keys are directly in the folder, where other servers that store by DID and CID look for them."""
    store = open_folder(tmp_path / "blobs")
    await put(store, KEY, b"x")
    assert (tmp_path / "blobs" / KEY).read_bytes() == b"x"
    async with store.upload():
        assert [stored.key async for stored in store.list()] == [KEY]


def test_folders_on_two_disks_are_refused(tmp_path):
    other = Path("/dev/shm")
    if other.stat().st_dev == tmp_path.stat().st_dev:
        other = Path("/proc")
    with pytest.raises(ValueError, match="different disks"):
        DiskBlobStore(tmp_path, incoming=other)


async def test_a_service_that_does_not_answer_is_unavailable():
    """A service that does not respond raises Unavailable with a request to retry; the text contains no address."""
    store = open_bucket(
        Bucket("none", "us-east-1", "http://127.0.0.1:9", "key", Secret("secret"), True, upload_timeout_seconds=0.01)
    )
    with pytest.raises(Unavailable, match="at the moment"):
        await put(store, "a", b"x")
    with pytest.raises(Unavailable):
        await whole(store.read("a"))


async def test_two_folders_of_one_bucket_are_separate(make_bucket: MakeBucket):
    bucket = make_bucket()
    one, other = (open_bucket(replace(bucket, prefix=name)) for name in ("one", "other/deep"))
    await put(one, "a", b"1")
    await put(other, "a", b"2")
    assert await whole(one.read("a")) == b"1"
    assert [stored async for stored in other.list()] == [StoredBlob("a", 1)]


async def test_probe_leaves_nothing_behind(store: BlobStore):
    await try_writing(store, "web")
    assert [one.key async for one in store.list()] == []


@pytest.mark.parametrize("cancelled", [1, 2])
async def test_an_upload_that_is_cancelled_while_its_file_is_made_leaves_nothing(
    disk: DiskBlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cancelled: int
):
    """If an upload is cancelled while a thread creates its file, the file is closed and removed afterwards."""
    made: list[BinaryIO] = []
    begun, go_on = asyncio.Event(), threading.Event()
    loop, opens = asyncio.get_running_loop(), Path.open

    def slow(path: Path, *arguments: Any) -> Any:
        if path.parent.name == "incoming":
            loop.call_soon_threadsafe(begun.set)
            go_on.wait()
            made.append(opens(path, *arguments))
            return made[-1]
        return opens(path, *arguments)

    monkeypatch.setattr(Path, "open", slow)

    async def send() -> None:
        async with disk.upload():
            pytest.fail("the file is still being made")

    sending = asyncio.create_task(send())
    await begun.wait()
    for _ in range(cancelled):
        sending.cancel()
        await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await sending
    # After a second cancellation, the thread cleans up alone.
    incoming = tmp_path / "store" / "incoming"
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while [file.closed for file in made] != [True] or list(incoming.iterdir()):  # noqa: ASYNC110 - the thread tells nobody
            await asyncio.sleep(0)
