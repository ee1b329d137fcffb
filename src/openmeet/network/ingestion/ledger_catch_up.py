"""Apply the ledger of deletions to a database restored from an older backup.

Every role does this when it opens the database, and the scheduler at every turn, so that deleted people stay deleted and no
request is lost after a restore. Deleting the rows is left to the scheduler (``person_erasure.take_due``): until then those people are hidden, signed out and cannot sign in.
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
from openmeet.domain.users import queries as users
from openmeet.domain.users.erasure_requests import ErasureStage
from openmeet.domain.users.model import UserId

_AT_A_TIME = 500


@dataclass(frozen=True, slots=True)
class LedgerGaps:
    """What a database does not know of the ledger. ``people``: deleted, and there again. ``merged``: apart again, with the
    account into which each was merged. ``requested``: without their request. ``withdrawn``: with one that they withdrew.
    """

    people: Sequence[UserId] = ()
    merged: Sequence[tuple[UserId, UserId]] = ()
    requested: Sequence[UserId] = ()
    withdrawn: Sequence[tuple[UserId, datetime]] = ()

    def __bool__(self) -> bool:
        return bool(self.people or self.merged or self.requested or self.withdrawn)


async def gaps_of(db: Database, ledger: ErasureLedger) -> LedgerGaps:
    """What this database does not know; empty unless it is older than the ledger."""
    people, merged = ledger.people(), ledger.merged()
    requests, withdrawals = ledger.requests(), ledger.withdrawals()
    if not (people or merged or requests or withdrawals):
        return LedgerGaps()
    async with db.reader() as reader:
        named = {*people, *requests, *withdrawals, *(one for pair in merged for one in pair)}
        there = await _existing(reader, named)
        asked = {one.user_id: one for one in await erasure_requests.every(reader)}
        just_withdrawn = {user_id for user_id, _ in await erasure_requests.withdrawn(reader)}
    # Read again, after the database: what another process has noted meanwhile is known there.
    requests = {user_id: at for user_id, at in ledger.requests().items() if user_id in requests}
    deleted = set(people)
    return LedgerGaps(
        [one for one in people if one in there and (one not in asked or asked[one].stage is not ErasureStage.ERASING)],
        # They are deleted with the account that was deleted since: a merge would withdraw what is left to do.
        [(one, into) for one, into in merged if {one, into} <= there and one not in deleted],
        [one for one in requests if one in there and one not in asked and one not in just_withdrawn],
        [
            (one, at)
            for one, at in withdrawals.items()
            if one in asked
            and asked[one].stage is not ErasureStage.ERASING
            and to_datetime(asked[one].requested_at) <= at
        ],
    )


async def catch_up(db: Database, ledger: ErasureLedger, grace: int) -> LedgerGaps:
    """Let this database know what the ledger knows; returns what that was.

    People who were deleted are hidden and due now, without a way back. Requests are made, or withdrawn, again; other requests
    of the backup get a new grace period (microseconds), because their people may have signed in since.
    """
    found = await gaps_of(db, ledger)
    if not found:
        return found
    for user_id in found.people:
        async with db.transaction() as tx:
            await _delete_again(tx, user_id)
    for user_id, into in found.merged:
        try:
            await merge_again(db, user_id, into)
        except Exception as failure:  # noqa: BLE001 - the others are not to wait for one; the next turn tries again
            log.error("account.merge_failed", user_id=user_id, exc_info=failure)
    for user_id in found.requested:
        await request_again(db, user_id, grace)
    for user_id, withdrawn_at in found.withdrawn:
        await withdraw_again(db, user_id, withdrawn_at)
    async with db.transaction() as tx:
        postponed = await erasure_requests.postpone(tx, Instant(tx.now + grace), besides=found.people)
    log.warning(
        "ledger.caught_up",
        deleted=len(found.people),
        merged=len(found.merged),
        requested=len(found.requested),
        withdrawn=len(found.withdrawn),
        postponed=postponed,
    )
    return found


async def _existing(reader: Reader, user_ids: Collection[UserId]) -> set[UserId]:
    """Those who have a row that is not empty."""
    found: set[UserId] = set()
    ids = sorted(user_ids)
    for start in range(0, len(ids), _AT_A_TIME):
        some = ids[start : start + _AT_A_TIME]
        rows = await reader.fetch("select id from users where id in :ids and created_at <> 0", ids=some)
        found |= {UserId(row["id"]) for row in rows}
    return found


async def _delete_again(tx: Transaction, user_id: UserId) -> None:
    there = await users.by_id(tx, user_id)
    if there is not None and there.created_at != 0:
        await actions.request(tx, user_id, 0)
        await erasure_requests.advance(tx, user_id, ErasureStage.ERASING)


async def request_again(db: Database, user_id: UserId, grace: int) -> bool:
    """Ask for the deletion of somebody whose request is younger than the backup, with a new grace period."""
    async with db.transaction() as tx:
        there = await users.by_id(tx, user_id)
        if there is None or there.created_at == 0 or await erasure_requests.find(tx, user_id) is not None:
            return False
        await actions.request(tx, user_id, grace)
    return True


async def withdraw_again(db: Database, user_id: UserId, withdrawn_at: datetime) -> bool:
    """Withdraw a request of the backup that was withdrawn since."""
    async with db.transaction() as tx:
        asked = await erasure_requests.find(tx, user_id)
        if asked is None or asked.stage is ErasureStage.ERASING or to_datetime(asked.requested_at) > withdrawn_at:
            return False
        return await erasure_requests.cancel(tx, user_id)


async def merge_again(db: Database, user_id: UserId, into: UserId) -> bool:
    """Merge accounts again that are apart in the backup. One whose other account is younger than the backup stays as it
    is: it has everything that there is.
    """

    async def work(tx: Transaction) -> bool:
        there = await users.by_id(tx, user_id)
        other = await users.by_id(tx, into)
        if there is None or other is None or 0 in {there.created_at, other.created_at}:
            return False
        await merge(tx, user_id, into)
        return True

    return await db.batch(work, key=user_id)
