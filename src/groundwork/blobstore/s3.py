"""Blobs as objects of an S3-compatible bucket.

An upload is buffered in memory, or in an unnamed file above one mebibyte, and is sent when it gets its key. Objects
therefore appear whole or not at all. A crash leaves nothing in the bucket except parts of a multipart upload, which the
bucket's life-cycle rule removes.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store

from groundwork.blobstore.contract import PIECE_BYTES, StoredBlob, check_key
from groundwork.blobstore.open_ import Bucket
from groundwork.errors import NotFound, Unavailable

_IN_MEMORY_BYTES = 1024 * 1024
_CONNECT_SECONDS = 5
# Timeout for a whole response. Long, because readers can be slow; only one chunk at a time is in memory.
_ANSWER_SECONDS = 600
_RETRIES = 3
_LIST_PAGE = 500
# The library reports a missing object with one code or the other, depending on the request.
_ABSENT = (NotFoundError, FileNotFoundError)


class S3Upload:
    """An upload in progress."""

    def __init__(self, store: "S3BlobStore", spool: "tempfile.SpooledTemporaryFile[bytes]") -> None:
        self.size = 0
        self._store = store
        self._spool = spool

    async def write(self, piece: bytes, /) -> None:
        try:
            await asyncio.to_thread(self._spool.write, piece)
        except OSError as error:
            raise _away() from error
        self.size += len(piece)

    async def keep(self, key: str, /) -> None:
        await self._store.send(check_key(key), self._spool)


class S3BlobStore:
    """A blob store in an S3 bucket, or below a prefix in it."""

    def __init__(self, bucket: Bucket) -> None:
        self._upload_seconds = bucket.upload_timeout_seconds
        config: Any = {"virtual_hosted_style_request": not bucket.force_path_style}
        if bucket.region:
            config["region"] = bucket.region
        if bucket.endpoint:
            config["endpoint"] = _endpoint(bucket)
        if bucket.access_key_id:
            config["access_key_id"] = bucket.access_key_id
            config["secret_access_key"] = bucket.secret_access_key.reveal()
        self._store = S3Store(
            bucket.name,
            prefix=bucket.prefix or None,
            config=config,
            client_options={
                "timeout": timedelta(seconds=_ANSWER_SECONDS),
                "connect_timeout": timedelta(seconds=_CONNECT_SECONDS),
                "allow_http": bucket.endpoint.startswith("http://"),
            },
            retry_config={
                "max_retries": _RETRIES,
                "retry_timeout": timedelta(seconds=bucket.upload_timeout_seconds),
            },
        )

    @asynccontextmanager
    async def upload(self) -> AsyncIterator[S3Upload]:
        with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as spool:
            yield S3Upload(self, spool)

    async def send(self, key: str, spool: "tempfile.SpooledTemporaryFile[bytes]") -> None:
        """Store the buffered upload under its key."""
        spool.seek(0)
        with _meaning():
            try:
                async with asyncio.timeout(self._upload_seconds):
                    await obstore.put_async(self._store, key, spool)
            except TimeoutError as error:
                raise _away() from error

    async def size(self, key: str) -> int:
        with _meaning():
            return (await obstore.head_async(self._store, check_key(key)))["size"]

    async def read(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        check_key(key)
        if end is not None and start >= end:
            return
        if start and start >= await self.size(key):  # otherwise the service rejects the range as invalid
            return
        with _meaning():
            options: Any = {}
            if end is not None:
                options["range"] = (start, end)
            elif start:
                options["range"] = {"offset": start}
            response = await obstore.get_async(self._store, key, options=options)
            pending = bytearray()
            async for chunk in response.stream(min_chunk_size=PIECE_BYTES):
                pending += bytes(chunk)
                while len(pending) >= PIECE_BYTES:
                    yield bytes(pending[:PIECE_BYTES])
                    del pending[:PIECE_BYTES]
            if pending:
                yield bytes(pending)

    async def delete(self, key: str) -> bool:
        with _meaning():
            try:
                # The service does not report whether the object existed.
                await obstore.head_async(self._store, check_key(key))
            except _ABSENT:
                return False
            await obstore.delete_async(self._store, key)
        return True

    async def move(self, key: str, to: str) -> bool:
        with _meaning():
            try:
                await obstore.copy_async(self._store, check_key(key), check_key(to))
            except _ABSENT:
                return False
            await obstore.delete_async(self._store, key)
        return True

    async def list(self, folder: str = "") -> AsyncIterator[StoredBlob]:
        prefix = check_key(folder) if folder else None
        with _meaning():
            async for page in obstore.list(self._store, prefix, chunk_size=_LIST_PAGE):
                for one in page:
                    yield StoredBlob(one["path"], one["size"], one["last_modified"].timestamp())


def _endpoint(bucket: Bucket) -> str:
    """Return the endpoint of the service. For virtual hosts, the library expects the bucket in the host name."""
    url = urlsplit(bucket.endpoint.rstrip("/"))
    return url.geturl() if bucket.force_path_style else url._replace(netloc=f"{bucket.name}.{url.netloc}").geturl()


@contextmanager
def _meaning() -> Iterator[None]:
    """Translate the library's errors. Their texts contain keys and addresses and are not passed on."""
    try:
        yield
    except _ABSENT:
        raise NotFound("There is no such blob.", name="BlobNotFound") from None
    except (BaseError, OSError) as error:
        raise _away() from error


def _away() -> Unavailable:
    return Unavailable("The blob cannot be stored or read at the moment.")
