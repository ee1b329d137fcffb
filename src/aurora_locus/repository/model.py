"""Repository heads, writes, commits and records."""

from dataclasses import dataclass
from enum import StrEnum

from at_protocol.data.blob_ref import BlobRef
from at_protocol.data.cid import Cid
from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.record_key import RecordKey
from at_protocol.syntax.tid import Tid


class HostingStatus(StrEnum):
    """Hosting status, with the names of ``com.atproto.sync``."""

    ACTIVE = "active"
    DEACTIVATED = "deactivated"
    SUSPENDED = "suspended"
    TAKENDOWN = "takendown"
    DELETED = "deleted"


# Statuses that the owner cannot lift.
OF_THE_HOST = frozenset({HostingStatus.TAKENDOWN, HostingStatus.SUSPENDED})


@dataclass(frozen=True, slots=True)
class Head:
    """A repository's current state: its last commit, that commit's rev and tree root, and its hosting status.

    A frozen repository accepts no commits: its account is in the last step of a migration to another server.
    """

    did: Did
    status: HostingStatus
    commit: Cid
    rev: Tid
    data: Cid
    is_frozen: bool


class WriteAction(StrEnum):
    """Kind of a write. ``PUT`` is a creation or an update, which is decided while the lock is held."""

    CREATE = "create"
    UPDATE = "update"
    PUT = "put"
    DELETE = "delete"


class NoSwapRecord(StrEnum):
    """No ``swapRecord`` was sent. This differs from null, which requires that the record does not exist."""

    ANYTHING = "anything"


@dataclass(frozen=True, slots=True)
class PreparedWrite:
    """A prepared write: validated, encoded and hashed, but not compared with the repository yet.

    ``cid`` and ``block`` are None only for deletions. ``validation`` is the ``validationStatus`` of the response.
    ``subject`` is the hash of the subject of a like, repost, follow or block. A creation with ``replaces_others``
    replaces earlier records with the same subject. Both: see ``duplicates``.
    """

    action: WriteAction
    collection: Nsid
    rkey: RecordKey
    cid: Cid | None = None
    block: bytes | None = None
    blobs: tuple[BlobRef, ...] = ()
    swap: Cid | NoSwapRecord | None = NoSwapRecord.ANYTHING
    validation: str | None = None
    subject: bytes | None = None
    replaces_others: bool = False

    @property
    def path(self) -> str:
        return f"{self.collection}/{self.rkey}"


@dataclass(frozen=True, slots=True)
class DurableCommit:
    """A durable commit."""

    commit: Cid
    rev: Tid


@dataclass(frozen=True, slots=True)
class Record:
    """A row of the record index with the bytes of the record."""

    collection: Nsid
    rkey: RecordKey
    cid: Cid
    block: bytes
