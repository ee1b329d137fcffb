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
    """The hosting status, in the words of ``com.atproto.sync``."""

    ACTIVE = "active"
    DEACTIVATED = "deactivated"
    SUSPENDED = "suspended"
    TAKENDOWN = "takendown"
    DELETED = "deleted"


# Statuses that the owner cannot lift.
OF_THE_HOST = frozenset({HostingStatus.TAKENDOWN, HostingStatus.SUSPENDED})


@dataclass(frozen=True, slots=True)
class Head:
    """A repository's current state: its last commit, that commit's rev and tree root, and its hosting status."""

    did: Did
    status: HostingStatus
    commit: Cid
    rev: Tid
    data: Cid


class WriteAction(StrEnum):
    """Kind of a write; ``PUT`` is a creation or an update, decided when the lock is held."""

    CREATE = "create"
    UPDATE = "update"
    PUT = "put"
    DELETE = "delete"


class Unswapped(StrEnum):
    """No ``swapRecord`` was sent; different from null, which requires that there is no record."""

    ANYTHING = "anything"


@dataclass(frozen=True, slots=True)
class PreparedWrite:
    """One prepared write: validated, encoded and hashed, nothing looked up yet.

    ``cid`` and ``block`` are None exactly for deletions. ``validation`` is the ``validationStatus`` of the response.
    """

    action: WriteAction
    collection: Nsid
    rkey: RecordKey
    cid: Cid | None = None
    block: bytes | None = None
    blobs: tuple[BlobRef, ...] = ()
    swap: Cid | Unswapped | None = Unswapped.ANYTHING
    validation: str | None = None

    @property
    def path(self) -> str:
        return f"{self.collection}/{self.rkey}"


@dataclass(frozen=True, slots=True)
class Committed:
    """A durable commit."""

    commit: Cid
    rev: Tid


@dataclass(frozen=True, slots=True)
class Record:
    """A row of the record index with its bytes."""

    collection: Nsid
    rkey: RecordKey
    cid: Cid
    block: bytes
