"""Uploads without a server."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

from at_protocol.data.blob_ref import BlobRef
from at_protocol.data.cid import Cid
from aurora_locus.blobs.uploads import object_name, upload
from groundwork.errors import NotFound
from tests.aurora_locus.hosted_repository import HostedRepository

HOURS_AGO = 2 * 3600


async def send(person: HostedRepository, content: bytes, *, content_type: str = "text/plain") -> BlobRef:
    """Upload these bytes."""

    async def body() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 1000):
            yield content[start : start + 1000]

    return await upload(
        person.repositories.blobs, person.did, body(), content_type=content_type, content_length=len(content)
    )


async def refer(person: HostedRepository, rkey: str, *blobs: BlobRef) -> None:
    """Write a record that refers to these blobs."""
    await person.create(rkey, pictures=[blob.to_value() for blob in blobs])


async def has_file(person: HostedRepository, cid: Cid) -> bool:
    """True if the store has the bytes under their own name."""
    await person.repositories.blobs.wait_for_removals()
    try:
        await person.repositories.blobs.store.size(object_name(person.did, cid))
    except NotFound:
        return False
    return True


def make_old(folder: Path) -> None:
    """Make every file of the store old."""
    for path in folder.rglob("*"):
        if path.is_file():
            then = path.stat().st_mtime - HOURS_AGO
            os.utime(path, (then, then))
