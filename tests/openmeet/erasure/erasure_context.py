"""The context that erasing a person needs in addition to a database, for tests without account servers."""

import secrets
from pathlib import Path

from groundwork.blobstore.disk import DiskBlobStore
from groundwork.clock import DAY
from openmeet.domain.erasure.ledger import ErasureLedger
from openmeet.network.ingestion.account_deletion import ErasureContext
from openmeet.network.ingestion.person_erasure import PersonErasureContext


async def _nowhere_else(_did: object) -> None:
    """No queue exists, so there are no frames to erase."""


def erasing_in(folder: Path) -> PersonErasureContext:
    """``folder`` is where the ledger is."""
    return PersonErasureContext(
        ErasureContext((secrets.token_bytes(32),), _nowhere_else),
        ErasureLedger(folder / "erasures.jsonl"),
        DiskBlobStore(folder / "pictures"),
        grace=14 * DAY,
    )
