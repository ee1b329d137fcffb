"""An account was deleted, and its own PDS or the directory confirms it: what it wrote is erased here, too.

Raw records, what was agreed with the repository, conflicts, answers, early arrivals, dead messages, names: gone. What
remains is a keyed hash of each uri with its rev (``records.erased``). Events and answers of people who have an account
here are theirs and stay, without the record that is gone; what was only ever known from the repository is blanked. Answers of
others to such an event wait as those to an event that was never seen do, and count where it comes back under its uri; what was
written here of them is taken back. Whom nobody can sign in as any more leaves every group, and what they owned passes on.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from at_protocol.syntax.did import Did
from at_protocol.syntax.tid import from_microseconds
from groundwork.database.transaction import Database, Transaction
from groundwork.outbox import jobs
from groundwork.telemetry.logs import log
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import group_hosting
from openmeet.domain.attendance.network_rsvps import erase_answers_to
from openmeet.domain.chat import queries as chat
from openmeet.domain.events import actions as events
from openmeet.domain.events import ownership as events_ownership
from openmeet.domain.events import queries as event_queries
from openmeet.domain.groups import administration as groups
from openmeet.domain.groups import ownership
from openmeet.domain.identities import actions as identities
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.moderation import newcomers
from openmeet.domain.series import detection_queries
from openmeet.domain.series import ownership as series_handing_over
from openmeet.domain.users import queries as users
from openmeet.domain.users.model import UserId
from openmeet.network.ingestion import dead_letters, discrepancies, merge_decisions, remote_groups
from openmeet.network.records import links, repository_state, seen
from openmeet.outbox import publication_echoes
from openmeet.outbox.kinds import JobKind

AUTHOR_IS_GONE = "The account of the event’s author was deleted."


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
    await repository_state.note(tx, keys, {**revs, did: from_microseconds(tx.now, 0)})
    await merge_decisions.erase_of(tx, did)
    await discrepancies.erase_of(tx, did)
    await dead_letters.erase_of(tx, did)
    await publication_echoes.erase(tx, did)
    await links.erase_from(tx, did)
    await attendance.erase_from(tx, did)
    await chat.erase_about(tx, did)
    gone = await event_queries.erasable(tx, did)
    await erase_answers_to(tx, list(gone))
    await seen.park_answers_to(tx, gone.values(), AUTHOR_IS_GONE)
    await events.erase_from(tx, did)
    await remote_groups.erase_from(tx, did)
    await detection_queries.erase_from(tx, did)
    behind = await identity_queries.find(tx, did)
    await identities.erase(tx, did)
    await groups.forget_did(tx, did)
    await newcomers.forget(tx, did)
    await _forget_jobs(tx, did, revs)
    if behind is not None and await _is_out_of_reach(tx, behind.user_id):
        await ownership.depart(tx, behind.user_id)
        await group_hosting.close_account(tx, behind.user_id)
        await series_handing_over.depart(tx, behind.user_id)
        await events_ownership.depart(tx, behind.user_id)
        await chat.erase_of(tx, behind.user_id)
        await users.blank(tx, behind.user_id)


async def _forget_jobs(tx: Transaction, did: Did, uris: Iterable[str]) -> None:
    """What was to be asked about the repository, paid or not. The question that led here is settled by whoever asks it."""
    await jobs.forget(tx, JobKind.BACKFILL, did)
    for uri in uris:
        await jobs.forget(tx, JobKind.FETCH_SUBJECT, uri)
        await jobs.forget(tx, JobKind.PROVE_RECORD, uri)


async def _is_out_of_reach(tx: Transaction, user_id: UserId) -> bool:
    """Whether nobody can sign in as this person any more: no other DID, no e-mail address."""
    person = await users.by_id(tx, user_id)
    return (person is None or person.email is None) and not await identity_queries.of_user(tx, user_id)
