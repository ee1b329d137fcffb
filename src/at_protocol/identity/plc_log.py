"""The state of a did:plc identity: which operations may follow which (did:plc method 0.3, "Operation Validation").

1. A log begins with an operation that is signed by one of its own rotation keys and whose hash is the DID.
2. Each operation names its predecessor, an operation of the current chain, but never a tombstone or a nullified one.
3. It is signed by a rotation key of its predecessor.
4. An operation whose predecessor is not the newest one is a recovery. It must be signed by a key that ranks higher than
   the key that signed the first disputed operation, at most 72 hours after that operation. It nullifies all later
   operations.

Everything is a function of a log, an operation and a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from at_protocol.data.cid import Cid
from at_protocol.identity.did_document import DidDocument, build_did_document, parse_did_document
from at_protocol.identity.plc_operation import (
    AnyOperation,
    LegacyCreate,
    OperationRefused,
    PlcOperation,
    PlcRefusal,
    Tombstone,
    cid_of,
    did_of,
    normalised,
    signer_of,
)
from at_protocol.syntax.did import Did

RECOVERY_WINDOW_US: Final = 72 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class PlcLogEntry:
    """One operation of a log. ``created_at`` is when the directory accepted it, in microseconds since 1970 (UTC)."""

    operation: AnyOperation
    cid: Cid
    created_at: int
    nullified: bool = False


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Effect of an accepted operation: a new entry at the end, and the older entries that it nullifies."""

    entry: PlcLogEntry
    nullified: tuple[Cid, ...]

    @property
    def is_recovery(self) -> bool:
        """Whether the operation nullifies older ones. A directory's rate limits do not apply to recoveries."""
        return bool(self.nullified)


def accept(log: Sequence[PlcLogEntry], did: Did, operation: AnyOperation, now: int) -> Acceptance:
    """Validate an operation against the DID's log at ``now``. The log is in order of acceptance, including nullified
    entries.

    Raises OperationRefused. ``plc_operation.check_limits`` checks the size and shape limits for new operations.
    """
    chain = [entry for entry in log if not entry.nullified]
    if not chain:
        return Acceptance(PlcLogEntry(operation, _genesis(did, operation), now), ())
    index_of_prev = next((index for index, entry in enumerate(chain) if str(entry.cid) == operation.prev), None)
    if index_of_prev is None:
        raise OperationRefused(PlcRefusal.MISORDERED_OPERATION, operation.prev, "prev is not in the current chain")
    before = chain[index_of_prev].operation
    if isinstance(before, Tombstone):
        raise OperationRefused(PlcRefusal.MISORDERED_OPERATION, operation.prev, "nothing follows a tombstone")
    keys = normalised(before).rotation_keys
    disputed = chain[index_of_prev + 1 :]
    if not disputed:
        signer_of(operation, keys)
        return Acceptance(PlcLogEntry(operation, cid_of(operation), now), ())
    # Keys rank by their position in the list, the first one highest. Equal rank is not enough.
    signer_of(operation, keys[: signer_of(disputed[0].operation, keys)])
    if now <= max(entry.created_at for entry in log):
        raise OperationRefused(
            PlcRefusal.MISORDERED_OPERATION, now, "a recovery must be later than every operation that it nullifies"
        )
    if now - disputed[0].created_at > RECOVERY_WINDOW_US:
        raise OperationRefused(PlcRefusal.LATE_RECOVERY, now, "more than 72 hours after the first disputed operation")
    return Acceptance(PlcLogEntry(operation, cid_of(operation), now), tuple(entry.cid for entry in disputed))


def _genesis(did: Did, operation: AnyOperation) -> Cid:
    if isinstance(operation, Tombstone) or operation.prev is not None:
        raise OperationRefused(
            PlcRefusal.IMPROPER_OPERATION, operation.prev, "a log begins with an operation without prev"
        )
    signer_of(operation, normalised(operation).rotation_keys)
    derived_did = did_of(operation)
    if derived_did != did:
        raise OperationRefused(PlcRefusal.GENESIS_HASH, derived_did, f"its hash is not {did}")
    return cid_of(operation)


def current(log: Sequence[PlcLogEntry]) -> PlcOperation | None:
    """Return the identity's current state, in the current form. None if it ended with a tombstone or the log is empty."""
    head = next((entry.operation for entry in reversed(log) if not entry.nullified), None)
    match head:
        case PlcOperation() | LegacyCreate():
            return normalised(head)
        case _:
            return None


def document_of(did: Did, operation: PlcOperation) -> DidDocument:
    """Return the DID document of an identity's current operation. Its ``source`` is what a directory would return."""
    source = build_did_document(
        did,
        also_known_as=operation.also_known_as,
        verification_methods=operation.verification_methods,
        services=operation.services,
    )
    return parse_did_document(source, did)
