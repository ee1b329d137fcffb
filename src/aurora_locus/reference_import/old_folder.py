"""The data folder of a reference PDS: file layout, whether the server is running, read-only access to its SQLite files.

Source: the reference's own layout (``account.sqlite``, ``sequencer.sqlite``, ``actors/<two digits>/<did>/store.sqlite``
and ``key``, ``reserved_keys/``, a folder of blobs by DID).
"""

import fcntl
import shutil
import sqlite3
import struct
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from at_protocol.syntax.datetime import parse_datetime
from groundwork.clock import Instant
from groundwork.errors import Refused

# SQLite locks bytes of the file that hold no content. While a database is open in WAL mode, one of them is always
# locked.
_LOCKED_FROM = 0x40000000
_LOCKED_BYTES = 512
_FLOCK = "@hhqqi4x"

_TEMPORARY = "tempt"
_QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True, kw_only=True)
class OldFolder:
    """Paths of its parts. ``blobs`` is None if the blobs are in a bucket."""

    accounts: Path
    sequencer: Path
    actors: Path
    blobs: Path | None
    temporary_blobs: Path | None

    def actor(self, did: str) -> Path:
        """The folder of one account."""
        return self.actors / sha256(did.encode()).hexdigest()[:2] / did

    def store(self, did: str) -> Path:
        """The SQLite file of one account's repository."""
        return self.actor(did) / "store.sqlite"

    def blob(self, did: str, cid: str, temporary_key: str | None) -> Path | None:
        """Return the file of a blob; None if it is missing."""
        if self.blobs is None or self.temporary_blobs is None:
            return None
        if temporary_key is not None:
            places = [self.temporary_blobs / did / temporary_key]
        else:
            places = [self.blobs / did / cid, self.blobs / _QUARANTINE / did / cid]
        return next((place for place in places if place.is_file()), None)


def locate(folder: Path, environment: Mapping[str, str]) -> OldFolder:
    """Find the paths from the environment, with ``folder`` as the data directory. Raises Refused if it is not such a
    folder.
    """
    directory = environment.get("PDS_DATA_DIRECTORY", "")

    def place(name: str, usual: str) -> Path:
        configured = environment.get(name)
        if not configured:
            return folder / usual
        path = Path(configured)
        # The environment may be that of a container, in which the folder has another name.
        return folder / path.relative_to(directory) if directory and path.is_relative_to(directory) else path

    blobs = place("PDS_BLOBSTORE_DISK_LOCATION", "blocks") if not environment.get("PDS_BLOBSTORE_S3_BUCKET") else None
    temporary = None if blobs is None else blobs / _TEMPORARY
    if environment.get("PDS_BLOBSTORE_DISK_TMP_LOCATION"):
        temporary = place("PDS_BLOBSTORE_DISK_TMP_LOCATION", "")
    old_folder = OldFolder(
        accounts=place("PDS_ACCOUNT_DB_LOCATION", "account.sqlite"),
        sequencer=place("PDS_SEQUENCER_DB_LOCATION", "sequencer.sqlite"),
        actors=place("PDS_ACTOR_STORE_DIRECTORY", "actors"),
        blobs=blobs,
        temporary_blobs=temporary,
    )
    for path in (old_folder.accounts, old_folder.sequencer):
        if not path.is_file():
            raise Refused(f"There is no {path}: {folder} is not the data folder of a reference PDS.")
    return old_folder


def require_stopped(folder: OldFolder) -> None:
    """Raise Refused while any process has the databases open."""
    for path in (folder.accounts, folder.sequencer):
        if is_open(path):
            raise Refused(f"{path} is in use: stop the reference PDS first, and keep it stopped.")


@contextmanager
def open_read_only(path: Path, scratch: Path) -> Iterator[sqlite3.Connection]:
    """Open one SQLite file read-only.

    A killed server may have left a write-ahead log, which counts: the file and its log are then copied to ``scratch``
    and read there. If the server is running, a snapshot is made there.
    """
    log = path.with_name(f"{path.name}-wal")
    if is_open(path):
        copy = _snapshot(path, Path(tempfile.mkdtemp(dir=scratch)))
        uri = f"{copy.absolute().as_uri()}?mode=ro&immutable=1"
    elif log.is_file() and log.stat().st_size:
        copy = Path(tempfile.mkdtemp(dir=scratch)) / path.name
        shutil.copyfile(path, copy)
        shutil.copyfile(log, copy.with_name(log.name))
        uri = copy.absolute().as_uri()
    else:
        copy = None
        uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("pragma query_only = on")
        yield connection
    finally:
        connection.close()
        if copy is not None:
            shutil.rmtree(copy.parent)


def _snapshot(path: Path, folder: Path) -> Path:
    """Make a consistent copy of a database with SQLite's backup interface, while its server continues to write."""
    copy = folder / path.name
    with (
        closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
        target.execute("pragma journal_mode = delete")
    return copy


def is_open(path: Path) -> bool:
    """Whether any process has the database open."""
    if sys.platform != "linux":
        return path.with_name(f"{path.name}-wal").exists()
    lock_query = struct.pack(_FLOCK, fcntl.F_WRLCK, 0, _LOCKED_FROM, _LOCKED_BYTES, 0)
    with path.open("rb") as file:
        lock = fcntl.fcntl(file, fcntl.F_GETLK, lock_query)
    return bool(struct.unpack(_FLOCK, lock[: len(lock_query)])[0] != fcntl.F_UNLCK)


def instant(text: str) -> Instant:
    """Parse an ISO 8601 text. Raises Malformed."""
    return Instant(parse_datetime(text))


def maybe_instant(text: str | None) -> Instant | None:
    """Parse an ISO 8601 text as ``instant`` does; None stays None."""
    return None if text is None else instant(text)
