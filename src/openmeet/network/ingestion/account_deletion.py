"""Erase the content of a deleted account, once its own PDS or the PLC directory has confirmed the deletion.

Removed: raw records, agreed versions, merge decisions, RSVPs (also awaiting ones), dead letters, names. A keyed hash of
each URI with its rev stays (``records.erased_records``). Events and RSVPs of people who have an account here belong to
them and stay, without the deleted record; data known only from the repository is cleared. RSVPs of other people to such
an event become pending, and count again if the event comes back under its URI; RSVP records that this site wrote are
retracted. A person who can no longer sign in is signed out everywhere and leaves every group, the groups that they owned
pass to other people, and their places at upcoming events are free. Then the scheduler deletes everything else that is
theirs here (``person_erasure``), as if they had requested it.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

from at_protocol.syntax.did import Did
from at_protocol.syntax.tid import from_microseconds
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.outbox import jobs
from groundwork.telemetry.logs import log
from openmeet.domain.attendance import group_hosting, reevaluation, rsvp_records
from openmeet.domain.attendance.rsvp_records import erase_rsvps_to
from openmeet.domain.erasure.actions import revoke_programs
from openmeet.domain.events import event_records
from openmeet.domain.events import ownership as events_ownership
from openmeet.domain.groups import followed_dids, membership_queries, ownership
from openmeet.domain.identities import actions as identity_actions
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.moderation import newcomers
from openmeet.domain.series import detection_queries, follower_queries, standing_rsvps
from openmeet.domain.series import ownership as series_handing_over
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.users import erasure_requests
from openmeet.domain.users import queries as user_queries
from openmeet.domain.users.model import UserId, UserKind
from openmeet.network.ingestion import discrepancies, quarantine, remote_groups
from openmeet.network.records import erased_records, links, repository_state, seen, seen_rsvps
from openmeet.network.records.reasons import RecordReason
from openmeet.outbox import ingested_changes
from openmeet.outbox.kinds import JobKind


@dataclass(frozen=True, slots=True)
class ErasureContext:
    """Dependencies of erasing an account. ``keys``: see ``records.erased_records``. ``erase_outside`` erases data
    outside this database (messages, frames).
    """

    keys: Sequence[bytes]
    erase_outside: Callable[[Did], Awaitable[None]]


async def erase(db: Database, erasing: ErasureContext, did: Did) -> None:
    """Erase everything of a DID. Idempotent, even after a crash halfway through.

    The RSVPs are erased or ended and what the person hosts is handed over first, in transactions of their own, because
    thousands do not fit into one.
    """
    async with db.transaction() as tx:
        # ``erase_here`` waits for the batches that have locked this row.
        await repository_state.create_row(tx, did)
    await repository_state.wait_for_unlocked(db)
    after: tuple[str, str] | None = ("", "")
    while after is not None:
        async with db.transaction() as tx:
            after = await rsvp_records.erase_next(tx, did, after)
    await _end_participation(db, did)
    async with db.transaction() as tx:
        await erase_here(tx, erasing.keys, did)
    await erasing.erase_outside(did)
    log.info("account.erased")


async def _end_participation(db: Database, did: Did) -> None:
    """If nobody can sign in as this person without the DID, hand over their groups, series and events, and end their
    RSVPs.
    """
    async with db.reader() as reader:
        identity = await identity_queries.find(reader, did)
        if identity is None or not await _cannot_sign_in(reader, identity.user_id, without=did):
            return
        user_id = identity.user_id
        memberships = await membership_queries.memberships_of(reader, user_id)
        series_ids = await series_handing_over.owned_by(reader, user_id)
        event_ids = await events_ownership.upcoming_single_events(reader, user_id)
        answered_series = await follower_queries.series_with_standing_rsvp_of(reader, user_id)
        answered_events = await reevaluation.upcoming_events(reader, user_id)
    steps: list[Callable[[Transaction], Awaitable[object]]] = [
        *(partial(ownership.remove_from_group, group_id=one.group_id, user_id=user_id) for one in memberships),
        *(partial(series_handing_over.pass_to_heir, series_id=one, owner=user_id) for one in series_ids),
        *(partial(events_ownership.pass_to_heir_of, event_id=one, owner=user_id) for one in event_ids),
        # First the standing RSVPs, so that they do not answer dates stored later.
        *(partial(standing_rsvps.end_of_departed, series_id=one, user_id=user_id) for one in answered_series),
        *(partial(reevaluation.end_rsvp_of_departed, event_id=one, user_id=user_id) for one in answered_events),
    ]
    for step in steps:
        async with db.transaction() as tx:
            # They may have added an e-mail address or another DID in the meantime.
            if not await _cannot_sign_in(tx, user_id, without=did):
                return
            await step(tx)


async def erase_here(tx: Transaction, keys: Sequence[bytes], did: Did) -> None:
    """Erase a DID in this tenant's database. Records that it wrote until now are refused, no matter when their messages
    arrive.

    The floor of the repository is locked first: batches with its records have committed, and later ones see what is
    noted here.
    """
    await repository_state.lock_floor(tx, did)
    revs = await seen.erase(tx, did)
    # Commits that we have not seen yet are older than the deletion, and therefore older than this moment.
    await erased_records.note_erased(tx, keys, {**revs, did: from_microseconds(tx.now, 0)})
    await merge_decisions.erase_of(tx, did)
    await discrepancies.erase_of(tx, did)
    await quarantine.erase_of(tx, did)
    await ingested_changes.erase(tx, did)
    await links.erase_from(tx, did)
    await _erase_rsvps(tx, did)
    erasable_events = await event_records.erasable(tx, did)
    await erase_rsvps_to(tx, list(erasable_events))
    await seen_rsvps.make_all_await(tx, erasable_events.values(), RecordReason.EVENT_AUTHOR_DELETED)
    await event_records.erase_from(tx, did)
    await remote_groups.erase_from(tx, did)
    await detection_queries.erase_from(tx, did)
    identity = await identity_queries.find(tx, did)
    await identity_actions.erase(tx, did)
    await followed_dids.forget_did(tx, did)
    await newcomers.forget(tx, did)
    await _forget_jobs(tx, did, revs)
    if identity is not None and await _cannot_sign_in(tx, identity.user_id, without=did):
        await ownership.remove_person(tx, identity.user_id)
        await group_hosting.after_account_deleted(tx, identity.user_id)
        await series_handing_over.transfer_all_of(tx, identity.user_id)
        await events_ownership.remove_person(tx, identity.user_id)
        for series_id in await follower_queries.series_with_standing_rsvp_of(tx, identity.user_id):
            await standing_rsvps.end_of_departed(tx, series_id, identity.user_id)
        for event_id in await reevaluation.upcoming_events(tx, identity.user_id):
            await reevaluation.end_rsvp_of_departed(tx, event_id, identity.user_id)
        # They could neither see nor revoke these any more.
        await sign_in.close_sessions_of(tx, identity.user_id)
        await revoke_programs(tx, identity.user_id)
        await user_queries.blank(tx, identity.user_id)
        await _request_deletion(tx, identity.user_id)


async def _request_deletion(tx: Transaction, user_id: UserId) -> None:
    """Let the scheduler delete what this person wrote and uploaded here, because they can no longer sign in to request
    it. There is no grace period: nobody could end it.
    """
    person = await user_queries.by_id(tx, user_id)
    if person is not None and person.kind is UserKind.PERSON:
        await erasure_requests.put(tx, user_id, tx.now)


async def _erase_rsvps(tx: Transaction, did: Did) -> None:
    after: tuple[str, str] | None = ("", "")
    while after is not None:
        after = await rsvp_records.erase_next(tx, did, after)


async def _forget_jobs(tx: Transaction, did: Did, uris: Collection[str]) -> None:
    """Delete jobs about the repository, completed or not. The handler of the current job completes that job itself."""
    await jobs.forget(tx, JobKind.BACKFILL, did)
    await jobs.forget_many(tx, JobKind.FETCH_SUBJECT, uris)
    await jobs.forget_many(tx, JobKind.PROVE_RECORD, uris)


async def _cannot_sign_in(reader: Reader, user_id: UserId, *, without: Did) -> bool:
    """Whether nobody can sign in as this person without this DID: they have no other DID and no e-mail address."""
    person = await user_queries.by_id(reader, user_id)
    others = [one for one in await identity_queries.of_user(reader, user_id) if one.did != without]
    return (person is None or person.email is None) and not others
