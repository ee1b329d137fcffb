"""Data export: all data of an account in one file (repository, blobs, preferences, and the server's data about it).

The format is ZIP, because every system can open it, and entries of unknown length can be streamed into it. Nothing is
compressed: images already are, and hashes do not compress. Memory holds one batch of blocks or one piece of a blob at a
time, plus the ZIP's central directory, about 300 bytes per entry.

The last entry lists the blobs that are missing on this server although records refer to them, and the blobs that the
host withholds. An archive without this entry is incomplete.
"""

import time
from collections.abc import AsyncIterator, Mapping
from typing import Final
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import msgspec

from at_protocol.crypto.did_key import format_did_key
from at_protocol.data.cid import Cid
from at_protocol.syntax.datetime import format_datetime
from aurora_locus.accounts import preferences
from aurora_locus.accounts.model import Account
from aurora_locus.accounts.registry import Registry
from aurora_locus.blobs import queries as blobs
from aurora_locus.blobs.uploads import object_name
from aurora_locus.i18n.catalogue import gettext
from aurora_locus.repository.export import export
from groundwork.clock import SECOND, Instant
from groundwork.errors import NotFound

FORMAT: Final = "net.openmeet.account"
VERSION: Final = 1
MEDIA_TYPE: Final = "application/zip"

README_ENTRY: Final = "README.txt"
ACCOUNT_ENTRY: Final = "account.json"
REPOSITORY_ENTRY: Final = "repository.car"
PREFERENCES_ENTRY: Final = "preferences.json"
BLOBS_FOLDER: Final = "blobs/"
SUMMARY_ENTRY: Final = "summary.json"

_BLOBS_AT_ONCE = 500

# The file extension lets an image open on a click. The name before the dot is the blob's CID.
_ENDINGS = {
    "application/pdf": ".pdf",
    "audio/mpeg": ".mp3",
    "audio/ogg": ".ogg",
    "image/avif": ".avif",
    "image/gif": ".gif",
    "image/heic": ".heic",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/svg+xml": ".svg",
    "image/webp": ".webp",
    "text/plain": ".txt",
    "text/vtt": ".vtt",
    "video/mp4": ".mp4",
    "video/quicktime": ".mov",
    "video/webm": ".webm",
}


class _Pipe:
    """Buffer that holds the output of the ZIP writer until it is sent."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        return

    def take(self) -> bytes:
        chunk = b"".join(self._pieces)
        self._pieces.clear()
        return chunk


def file_name(account: Account, at: Instant) -> str:
    """The suggested file name for the download."""
    return f"{account.handle}-{format_datetime(at)[:10]}.zip"


async def chunks(registry: Registry, account: Account) -> AsyncIterator[bytes]:
    """Stream the archive, whatever the account's status. Raises DamagedRepository or Unavailable."""
    pipe = _Pipe()
    # A write-only file: without `seek` and `tell`, the ZIP writer puts the lengths after each entry.
    with ZipFile(pipe, "w", ZIP_STORED) as archive:  # type: ignore[call-overload]  # a file that is only written to is one
        now = registry.clock.now()
        for name, content in (
            (README_ENTRY, _readme(registry, account)),
            (ACCOUNT_ENTRY, await _account(registry, account, now)),
            (PREFERENCES_ENTRY, await _preferences(registry, account)),
        ):
            archive.writestr(_entry(name, now), content)
        repository_bytes = 0
        with archive.open(_entry(REPOSITORY_ENTRY, now), "w", force_zip64=True) as entry:
            async for chunk in export(registry.repositories, account.did):
                repository_bytes += len(chunk)
                entry.write(chunk)
                yield pipe.take()
        summary = _Summary(repository_bytes)
        async for chunk in _blobs(registry, account, archive, pipe, summary, now):
            yield chunk
        summary.missing += await _missing_blobs(registry, account)
        archive.writestr(_entry(SUMMARY_ENTRY, now), summary.as_json())
    yield pipe.take()


class _Summary:
    def __init__(self, repository_bytes: int) -> None:
        self.repository_bytes = repository_bytes
        self.blobs = 0
        self.blob_bytes = 0
        self.missing: list[Cid] = []
        self.withheld: list[Cid] = []

    def as_json(self) -> bytes:
        return _json(
            {
                "repositoryBytes": self.repository_bytes,
                "blobs": self.blobs,
                "blobBytes": self.blob_bytes,
                "missing": [str(cid) for cid in self.missing],
                "withheld": [str(cid) for cid in self.withheld],
            }
        )


async def _blobs(
    registry: Registry, account: Account, archive: ZipFile, pipe: _Pipe, summary: _Summary, now: Instant
) -> AsyncIterator[bytes]:
    store = registry.repositories.blobs.store
    cursor: Cid | None = None
    while page := await blobs.list_permanent(registry.db, account.did, cursor=cursor, limit=_BLOBS_AT_ONCE):
        for blob in page:
            if blob.is_taken_down:
                summary.withheld.append(blob.cid)
                continue
            pieces = store.read(object_name(account.did, blob.cid))
            try:
                first = await anext(pieces, b"")
            except NotFound:
                # Its record was deleted after this page of the list was read.
                summary.missing.append(blob.cid)
                continue
            name = f"{BLOBS_FOLDER}{blob.cid}{_ENDINGS.get(blob.mime_type, '')}"
            with archive.open(_entry(name, now), "w", force_zip64=True) as entry:
                entry.write(first)
                summary.blob_bytes += len(first)
                yield pipe.take()
                async for piece in pieces:
                    entry.write(piece)
                    summary.blob_bytes += len(piece)
                    yield pipe.take()
            summary.blobs += 1
        cursor = page[-1].cid


async def _missing_blobs(registry: Registry, account: Account) -> list[Cid]:
    missing: list[Cid] = []
    while page := await blobs.list_missing(
        registry.db, account.did, cursor=missing[-1] if missing else None, limit=_BLOBS_AT_ONCE
    ):
        missing += [cid for cid, _, _ in page]
    return missing


async def _account(registry: Registry, account: Account, now: Instant) -> bytes:
    key = await registry.repositories.keys.signing_key(account.did)
    return _json(
        {
            "format": FORMAT,
            "version": VERSION,
            "did": account.did,
            "handle": account.handle,
            "email": account.email,
            "emailConfirmed": account.email_confirmed_at is not None,
            "language": account.language or None,
            "status": account.status.value,
            "createdAt": format_datetime(account.created_at),
            "server": registry.url,
            "signingKey": format_did_key(key.public),
            "rotationKey": format_did_key(registry.rotation_key.public),
            "exportedAt": format_datetime(now),
        }
    )


async def _preferences(registry: Registry, account: Account) -> bytes:
    return _json({"preferences": await preferences.read(registry.db, account.did, None)})


def _readme(registry: Registry, account: Account) -> bytes:
    """Describe the entries in the reader's language."""
    entries = {
        REPOSITORY_ENTRY: gettext("Everything you published, with its signature. Other servers can import this file."),
        BLOBS_FOLDER: gettext("Your pictures and other files. Their names are the hashes of their content."),
        PREFERENCES_ENTRY: gettext("Private settings that apps stored for you."),
        ACCOUNT_ENTRY: gettext("Your account: name, e-mail address, public keys."),
        SUMMARY_ENTRY: gettext("How much data this is, and which files are missing."),
    }
    commands = {
        gettext("Check this file:"): "openmeet repo verify FILE.zip",
        gettext("Move to another server with it:"): "openmeet pds recover --help",
    }
    head = gettext(
        "All data of %(handle)s (%(did)s) on %(server)s.", handle=account.handle, did=account.did, server=registry.url
    )
    warning = gettext("This file contains your e-mail address and your preferences. Don’t share it.")
    return "\n\n".join([head, _columns(entries), _columns(commands), warning, ""]).encode()


def _columns(rows: Mapping[str, str]) -> str:
    width = max(map(len, rows))
    return "\n".join(f"{name.ljust(width)}  {text}" for name, text in rows.items())


def _json(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def _entry(name: str, at: Instant) -> ZipInfo:
    """Create an entry with an explicit date. Otherwise the date would come from the machine's clock, not from the
    program's.
    """
    return ZipInfo(name, time.gmtime(at // SECOND)[:6])
