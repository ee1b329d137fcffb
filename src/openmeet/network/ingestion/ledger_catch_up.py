"""Apply the ledger of deletions to a database that was restored from an older backup.

Every role does this when it opens the database, and the scheduler does it every round, so that after a restore deleted
people stay deleted and no deletion request is lost. Deleting the rows is left to the scheduler
(``person_erasure.take_due``): until then those people are hidden, signed out and cannot sign in.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from groundwork.clock import Instant, to_datetime
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.telemetry.logs import log
from openmeet.domain.account_merge.merge import merge
from openmeet.domain.erasure import actions
from openmeet.domain.erasure.ledger import ErasureLedger
from openmeet.domain.users import erasure_requests
from openmeet.domain.users import queries as user_queries
from openmeet.domain.users.erasure_requests import ErasureStage
from openmeet.domain.users.model import UserId
from openmeet.network.records import database_periods

_AT_A_TIME = 500


@dataclass(frozen=True, slots=True)
class LedgerGaps:
    """Entries of the ledger that a database lacks. ``people``: deleted people who are back. ``merged``: accounts that
    are separate again, each with the account it was merged into. ``requested``: people whose deletion request is
    missing. ``withdrawn``: people with a request that they had withdrawn.
    """

    people: Sequence[UserId] = ()
    merged: Sequence[tuple[UserId, UserId]] = ()
    requested: Sequence[UserId] = ()
    withdrawn: Sequence[tuple[UserId, datetime]] = ()

    def __bool__(self) -> bool:
        return bool(self.people or self.merged or self.requested or self.withdrawn)


async def gaps_of(db: Database, ledger: ErasureLedger) -> LedgerGaps:
    """Return the entries that this database lacks; empty unless the database is older than the ledger."""
    people, merged = ledger.people(), ledger.merged()
    requests, withdrawals = ledger.requests(), ledger.withdrawals()
    if not (people or merged or requests or withdrawals):
        return LedgerGaps()
    async with db.reader() as reader:
        user_ids = {*people, *requests, *withdrawals, *(one for pair in merged for one in pair)}
        existing = await _existing(reader, user_ids)
        open_requests = {one.user_id: one for one in await erasure_requests.every(reader)}
        just_withdrawn = {user_id for user_id, _ in await erasure_requests.withdrawn(reader)}
    # Only requests that were in the ledger both before and after the database was read: another process may have changed
    # both in between.
    requests = {user_id: at for user_id, at in ledger.requests().items() if user_id in requests}
    deleted = set(people)
    return LedgerGaps(
        [
            one
            for one in people
            if one in existing and (one not in open_requests or open_requests[one].stage is not ErasureStage.ERASING)
        ],
        # Accounts that were deleted later are left out: a merge would withdraw their pending deletion.
        [(one, into) for one, into in merged if {one, into} <= existing and one not in deleted],
        [one for one in requests if one in existing and one not in open_requests and one not in just_withdrawn],
        [
            (one, at)
            for one, at in withdrawals.items()
            if one in open_requests
            and open_requests[one].stage is not ErasureStage.ERASING
            and to_datetime(open_requests[one].requested_at) <= at
        ],
    )


async def catch_up(db: Database, ledger: ErasureLedger, grace: int) -> LedgerGaps:
    """Bring this database up to date with the ledger; return what was missing.

    Deleted people are hidden and due now, and cannot change their mind. Requests are made or withdrawn again. Other
    requests in the backup get a new grace period (microseconds), because their people may have signed in since.
    """
    await database_periods.note_restore(db, ledger)
    gaps = await gaps_of(db, ledger)
    if not gaps:
        return gaps
    for user_id in gaps.people:
        async with db.transaction() as tx:
            await _delete_again(tx, user_id)
    for user_id, into in gaps.merged:
        try:
            await merge_again(db, user_id, into)
        except Exception as failure:  # noqa: BLE001 - one failure must not delay the others; the next round retries
            log.error("account.merge_failed", user_id=user_id, exc_info=failure)
    for user_id in gaps.requested:
        await request_again(db, user_id, grace)
    for user_id, withdrawn_at in gaps.withdrawn:
        await withdraw_again(db, user_id, withdrawn_at)
    async with db.transaction() as tx:
        postponed = await erasure_requests.postpone(tx, Instant(tx.now + grace), except_for=gaps.people)
    log.warning(
        "ledger.caught_up",
        deleted=len(gaps.people),
        merged=len(gaps.merged),
        requested=len(gaps.requested),
        withdrawn=len(gaps.withdrawn),
        postponed=postponed,
    )
    return gaps


async def _existing(reader: Reader, user_ids: Collection[UserId]) -> set[UserId]:
    """Return the people who have a row that is not blank."""
    existing: set[UserId] = set()
    ids = sorted(user_ids)
    for start in range(0, len(ids), _AT_A_TIME):
        chunk = ids[start : start + _AT_A_TIME]
        rows = await reader.fetch("select id from users where id in :ids and created_at <> 0", ids=chunk)
        existing |= {UserId(row["id"]) for row in rows}
    return existing


async def _delete_again(tx: Transaction, user_id: UserId) -> None:
    user = await user_queries.by_id(tx, user_id)
    if user is not None and user.created_at != 0:
        await actions.request(tx, user_id, 0)
        await erasure_requests.advance(tx, user_id, ErasureStage.ERASING)


async def request_again(db: Database, user_id: UserId, grace: int) -> bool:
    """Re-create somebody's deletion request, with a new grace period, if it is newer than the backup."""
    async with db.transaction() as tx:
        user = await user_queries.by_id(tx, user_id)
        if user is None or user.created_at == 0 or await erasure_requests.find(tx, user_id) is not None:
            return False
        await actions.request(tx, user_id, grace)
    return True


async def withdraw_again(db: Database, user_id: UserId, withdrawn_at: datetime) -> bool:
    """Withdraw a request in the backup that was withdrawn later."""
    async with db.transaction() as tx:
        erasure_request = await erasure_requests.find(tx, user_id)
        if (
            erasure_request is None
            or erasure_request.stage is ErasureStage.ERASING
            or to_datetime(erasure_request.requested_at) > withdrawn_at
        ):
            return False
        return await erasure_requests.cancel(tx, user_id)


async def merge_again(db: Database, user_id: UserId, into: UserId) -> bool:
    """Repeat a merge of two accounts that are separate in the backup. If the account to merge into is newer than the
    backup, nothing is done, because the other account has all the content.
    """

    async def work(tx: Transaction) -> bool:
        user = await user_queries.by_id(tx, user_id)
        other = await user_queries.by_id(tx, into)
        if user is None or other is None or 0 in {user.created_at, other.created_at}:
            return False
        await merge(tx, user_id, into)
        return True

    return await db.batch(work, key=user_id)
