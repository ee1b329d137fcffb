"""Requests for deletion, and what erasing a person needs besides a database, for tests without account servers."""

import secrets
from pathlib import Path

from groundwork.blobstore.disk import DiskBlobStore
from groundwork.clock import DAY
from groundwork.database.transaction import Database
from openmeet.domain.erasure import actions
from openmeet.domain.erasure.ledger import ErasureLedger
from openmeet.domain.users.model import Caller
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


GRACE_PERIOD = 14 * DAY
ERASURE_KEYS = (b"k" * 32, b"older" * 6)


async def request_deletion(db: Database, who: Caller, grace: int = GRACE_PERIOD):
    async with db.transaction() as tx:
        return await actions.request(tx, who.user_id, grace)
