"""Copying a folder into a bucket: every value is copied once, even after failures."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.s3_buckets import MakeBucket

from groundwork.blobstore.contract import BlobStore, StoredBlob, put
from groundwork.blobstore.copying import CopyProgress, copy_missing, remove_copied
from groundwork.blobstore.open_ import named_in, open_bucket, open_folder
from groundwork.errors import NotFound, Unavailable

KEYS = [f"pictures/{number:032x}-{size}.jpg" for number in range(30) for size in ("large", "small")]


@pytest.fixture
async def folder(tmp_path: Path) -> BlobStore:
    """A folder with sixty values of different sizes."""
    store = open_folder(tmp_path / "media")
    for number, key in enumerate(KEYS):
        await put(store, key, bytes([number]) * (number * 10_000 + 1))
    return store


async def all_of(store: BlobStore) -> dict[str, bytes]:
    return {one.key: b"".join([piece async for piece in store.read(one.key)]) async for one in store.list()}


def nothing(_: CopyProgress) -> None:
    pass


async def test_everything_is_there_and_nothing_is_sent_twice(folder: BlobStore, make_bucket: MakeBucket) -> None:
    bucket = open_bucket(make_bucket())
    heard: list[int] = []
    first = await copy_missing(folder, bucket, lambda copied: heard.append(copied.looked_at))
    assert (first.sent, first.known, first.gone) == (60, 0, 0)
    assert heard == list(range(1, 61))
    assert await all_of(bucket) == await all_of(folder)
    again = await copy_missing(folder, bucket, nothing)
    assert (again.sent, again.known) == (0, 60)


class Breaking:
    """A store in which reading fails from the n-th value on, as on a network or process failure."""

    def __init__(self, store: BlobStore, after: int) -> None:
        self._store, self._left = store, after

    def read(self, key: str) -> AsyncIterator[bytes]:
        self._left -= 1
        if self._left < 0:
            raise Unavailable("The blob cannot be stored or read at the moment.")
        return self._store.read(key)

    def list(self) -> AsyncIterator[StoredBlob]:
        return self._store.list()


async def test_interrupted_copy_continues(folder: BlobStore, make_bucket: MakeBucket) -> None:
    """An interrupted copy continues: everything in the bucket is whole and is not sent again."""
    bucket = open_bucket(make_bucket())
    with pytest.raises(Unavailable):
        await copy_missing(Breaking(folder, 20), bucket, nothing)  # type: ignore[arg-type]  # what is asked of it
    there = await all_of(bucket)
    assert 0 < len(there) <= 20
    kept = await all_of(folder)
    assert there == {key: kept[key] for key in there}
    rest = await copy_missing(folder, bucket, nothing)
    # A request that was given up may still have arrived.
    assert rest.known >= len(there)
    assert rest.sent + rest.known == 60
    assert await all_of(bucket) == kept


async def test_values_deleted_during_a_copy_are_left_out(folder: BlobStore, make_bucket: MakeBucket) -> None:
    """Values that are deleted during a copy are left out, because the scheduler keeps removing unused ones."""

    class Vanishing:
        async def list(self) -> AsyncIterator[StoredBlob]:
            async for one in folder.list():
                if one.key == KEYS[7]:
                    await folder.delete(one.key)
                yield one

        def read(self, key: str) -> AsyncIterator[bytes]:
            return folder.read(key)

    copied = await copy_missing(Vanishing(), open_bucket(make_bucket()), nothing)  # type: ignore[arg-type]  # what is asked of it
    assert (copied.sent, copied.gone) == (59, 1)


async def test_only_copied_values_are_removed(folder: BlobStore, make_bucket: MakeBucket) -> None:
    """Only copied values are removed, neither those missing in the bucket nor those of another size."""
    bucket = open_bucket(make_bucket())
    await copy_missing(folder, bucket, nothing)
    await bucket.delete(KEYS[0])
    await put(bucket, KEYS[1], b"another")
    assert await remove_copied(folder, bucket) == 58
    assert [one.key async for one in folder.list()] == sorted(KEYS[:2])
    # And in the other direction.
    await copy_missing(bucket, folder, nothing)
    assert len(await all_of(folder)) == 60
    with pytest.raises(NotFound):
        await bucket.size(KEYS[0])


def test_addresses_of_buckets() -> None:
    assert named_in("s3://pictures") == ("pictures", "")
    assert named_in("s3://pictures/of/town/") == ("pictures", "of/town")
    for wrong in ("pictures", "https://pictures", "s3://", "s3:///a", "s3://a/../b", "s3://key:secret@a", "s3://a?b=c"):
        with pytest.raises(ValueError, match="must"):
            named_in(wrong)
