"""An account was deleted, and its own PDS or the directory confirms it: what it wrote is erased here, too.

Raw records, what was agreed with the repository, conflicts, answers, early arrivals, dead messages, names: gone. What
remains is a keyed hash of each uri with its rev (``records.erased``). Events and answers of people who have an account
here are theirs and stay, without the record that is gone; what was only ever known from the repository is blanked. Whom
nobody can sign in as any more leaves every group, and what they owned passes on.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from at_protocol.syntax.did import Did
from at_protocol.syntax.tid import from_microseconds
from groundwork.database.transaction import Database, Transaction
from groundwork.telemetry.logs import log
from openmeet.attendance import actions as attendance
from openmeet.debts import publication_leases
from openmeet.events import actions as events
from openmeet.groups import running as groups
from openmeet.groups import succession
from openmeet.identities import actions as identities
from openmeet.identities import queries as identity_queries
from openmeet.ingestion import conflicts
from openmeet.records import erased, seen
from openmeet.users import queries as users
from openmeet.users.model import UserId


@dataclass(frozen=True, slots=True)
class Erasing:
    """``keys``: see ``records.erased``. ``elsewhere`` erases what lies outside of this database: messages, frames."""

    keys: Sequence[bytes]
    elsewhere: Callable[[Did], Awaitable[None]]


async def erase(db: Database, erasing: Erasing, did: Did) -> None:
    """Erase everything of a DID. Done again after a crash in between, it ends in the same state."""
    async with db.transaction() as tx:
        await erase_here(tx, erasing.keys, did)
    await erasing.elsewhere(did)
    log.info("account.erased")


async def erase_here(tx: Transaction, keys: Sequence[bytes], did: Did) -> None:
    """The tenant's database. Whatever the DID wrote before now stays out, whenever its messages come."""
    revs = await seen.erase(tx, did)
    # Commits that we had not seen yet are older than the deletion, and so than this moment.
    await erased.note(tx, keys, {**revs, did: from_microseconds(tx.now, 0)})
    await conflicts.erase_of(tx, did)
    await publication_leases.erase(tx, did)
    await attendance.erase_from(tx, did)
    await events.erase_from(tx, did)
    behind = await identity_queries.find(tx, did)
    await identities.erase(tx, did)
    await groups.forget_did(tx, did)
    if behind is not None and await _is_out_of_reach(tx, behind.user_id):
        await succession.depart(tx, behind.user_id)


async def _is_out_of_reach(tx: Transaction, user_id: UserId) -> bool:
    """Whether nobody can sign in as this person any more: no other DID, no e-mail address."""
    person = await users.by_id(tx, user_id)
    return (person is None or person.email is None) and not await identity_queries.of_user(tx, user_id)
