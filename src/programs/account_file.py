"""Account archives as files: read, and verified down to every hash. ``aurora_locus.accounts.archive`` writes them."""

import hashlib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

import msgspec

from at_protocol.crypto.did_key import PublicKey, parse_did_key
from at_protocol.data.blob_ref import BlobRef
from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.repo import car
from at_protocol.repo.snapshot import Snapshot, read_snapshot
from at_protocol.repo.stored_record import read_stored
from at_protocol.syntax.did import Did, parse_did
from aurora_locus.accounts import archive
from programs.command_line import with_count

T = TypeVar("T")

_PIECE_BYTES = 256 * 1024
# Far more than an account or preferences can contain. The limit is needed because the archive is untrusted input.
_MAX_DOCUMENT_BYTES = 4 * 1024 * 1024
_IS_ENCRYPTED = 0x1
_RAW_SHA256 = b"\x01\x55\x12\x20"


class Owner(msgspec.Struct, frozen=True, rename="camel"):
    """Content of ``account.json``: the account that the archive is of."""

    format: str
    version: int
    did: str
    handle: str
    email: str | None
    server: str
    signing_key: str
    exported_at: str


class Summary(msgspec.Struct, frozen=True, rename="camel"):
    """Content of ``summary.json``, the last entry: counts, and what is missing."""

    repository_bytes: int
    blobs: int
    blob_bytes: int
    missing: list[str]
    withheld: list[str]


class _Preferences(msgspec.Struct, frozen=True):
    preferences: list[dict[str, object]]


@dataclass(frozen=True, slots=True)
class AccountFile:
    """An open archive that has all entries and whose documents could be parsed. ``did`` and ``signing_key`` are claims
    of the archive and are not verified.
    """

    zip: zipfile.ZipFile
    owner: Owner
    did: Did
    signing_key: PublicKey
    summary: Summary
    preferences: list[dict[str, object]]
    blobs: dict[Cid, zipfile.ZipInfo]

    def repository(self) -> bytes:
        """The repository's CAR file."""
        return self.zip.read(archive.REPOSITORY_ENTRY)

    @contextmanager
    def blob(self, cid: Cid) -> Iterator[IO[bytes]]:
        """Open a blob for reading in chunks."""
        with self.zip.open(self.blobs[cid]) as entry:
            yield entry


@contextmanager
def open_account_file(path: Path) -> Iterator[AccountFile]:
    """Open an archive. Raises Malformed if the file is not an account archive or is truncated."""
    try:
        with zipfile.ZipFile(path) as opened:
            yield _read(opened)
    except zipfile.BadZipFile as error:
        raise Malformed("archive", str(path), f"not a whole ZIP file: {error}") from None


def is_archive(path: Path) -> bool:
    """Whether a file begins like a ZIP file."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def check_blob(file: AccountFile, cid: Cid) -> int:
    """Verify a blob against its CID and return its size. Raises Malformed."""
    digest, size = hashlib.sha256(), 0
    with file.blob(cid) as entry:
        while piece := entry.read(_PIECE_BYTES):
            digest.update(piece)
            size += len(piece)
    if bytes(cid) != _RAW_SHA256 + digest.digest():
        raise Malformed("archive", str(cid), "the bytes of this blob do not match its name")
    return size


def check_blobs(file: AccountFile, snapshot: Snapshot) -> int:
    """Verify all blobs and return their total size.

    Raises Malformed for a wrong blob, and for a blob that a record refers to and that is neither in the archive nor
    listed as missing.
    """
    size = sum(check_blob(file, cid) for cid in file.blobs)
    if (len(file.blobs), size) != (file.summary.blobs, file.summary.blob_bytes):
        listed = f"{with_count(file.summary.blobs, 'blob')} with {with_count(file.summary.blob_bytes, 'byte')}"
        raise Malformed("archive", f"{len(file.blobs)} with {size}", f"the summary lists {listed}")
    excused = {*file.summary.missing, *file.summary.withheld}
    for cid in {blob.cid for blob in wanted_blobs(snapshot)} - file.blobs.keys():
        if str(cid) not in excused:
            raise Malformed("archive", str(cid), "a record refers to a blob that is not in the archive")
    return size


def wanted_blobs(snapshot: Snapshot) -> Iterator[BlobRef]:
    """Every blob reference of every record."""
    for cid, block in snapshot.records.items():
        yield from read_stored(cid, block).blobs()


def check_repository(file: AccountFile) -> tuple[car.Car, Snapshot]:
    """Verify and return the repository of the archive's account. Raises Malformed."""
    blocks = car.read(file.repository())
    snapshot = read_snapshot(blocks)
    if snapshot.commit.did != file.did:
        raise Malformed("archive", snapshot.commit.did, f"the repository is not that of {file.did}")
    return blocks, snapshot


def _read(opened: zipfile.ZipFile) -> AccountFile:
    entries = {entry.filename: entry for entry in opened.infolist()}
    if len(entries) != len(opened.infolist()):
        raise Malformed("archive", None, "two entries have the same name")
    for name, entry in entries.items():
        # Our archives store entries uncompressed. A compressed or encrypted entry is not ours and might be a
        # decompression bomb.
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & _IS_ENCRYPTED:
            raise Malformed("archive", name, "the entry is compressed or encrypted")
    for name in (archive.ACCOUNT_ENTRY, archive.REPOSITORY_ENTRY, archive.PREFERENCES_ENTRY, archive.SUMMARY_ENTRY):
        if name not in entries:
            raise Malformed(
                "archive", name, "the entry is missing: the file is truncated, or is not an account archive"
            )
    owner = _read_document(opened, entries[archive.ACCOUNT_ENTRY], Owner)
    if (owner.format, owner.version) != (archive.FORMAT, archive.VERSION):
        raise Malformed("archive", f"{owner.format} {owner.version}", "an unknown kind of archive")
    blobs = {
        Cid.parse(name.removeprefix(archive.BLOBS_FOLDER).partition(".")[0]): entry
        for name, entry in entries.items()
        if name.startswith(archive.BLOBS_FOLDER)
    }
    return AccountFile(
        opened,
        owner,
        parse_did(owner.did),
        parse_did_key(owner.signing_key),
        _read_document(opened, entries[archive.SUMMARY_ENTRY], Summary),
        _read_document(opened, entries[archive.PREFERENCES_ENTRY], _Preferences).preferences,
        blobs,
    )


def _read_document(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, kind: type[T]) -> T:
    if entry.file_size > _MAX_DOCUMENT_BYTES:
        raise Malformed("archive", entry.filename, "the document is too large")
    try:
        return msgspec.json.decode(opened.read(entry), type=kind)
    except msgspec.MsgspecError as error:
        raise Malformed("archive", entry.filename, f"malformed: {error}") from None
