"""Telling people."""

from collections.abc import Sequence

from groundwork.database.transaction import Transaction
from openmeet.notifications import queries
from openmeet.notifications.model import NOTHING_MORE, Kind, Particulars
from openmeet.users.model import UserId


async def tell(
    tx: Transaction,
    to: Sequence[UserId],
    kind: Kind,
    subject_id: str,
    revision: int,
    particulars: Particulars = NOTHING_MORE,
) -> None:
    """Tell each of these people once about this revision of the subject; the same call again tells nobody."""
    if to:
        await queries.insert(tx, to, kind, subject_id, revision, particulars)


async def mark_all_read(tx: Transaction, user_id: UserId) -> None:
    """The person has seen the list."""
    await queries.mark_read(tx, user_id)
