"""Delete a person who asked for it: every DID of theirs, every row. A job deletes their custodial account."""

from collections.abc import Sequence
from dataclasses import dataclass

from groundwork.blobstore.contract import BlobStore
from groundwork.clock import DAY, Instant
from groundwork.database.deleted_pages import discard_deleted
from groundwork.database.transaction import Database
from groundwork.telemetry.logs import log
from openmeet.domain.account_merge import queries as merges
from openmeet.domain.chat import mirroring
from openmeet.domain.chat import pictures as chat_pictures
from openmeet.domain.erasure import account_rows, actions
from openmeet.domain.erasure.ledger import ErasureLedger
from openmeet.domain.erasure.model import ENDS_BEFORE, ErasureReport
from openmeet.domain.erasure.retention import WORD_INDEXES
from openmeet.domain.identities import queries as identities
from openmeet.domain.media.pictures import ROUND, forget_unused
from openmeet.domain.users import erasure_requests
from openmeet.domain.users import queries as users
from openmeet.domain.users.erasure_requests import ErasureStage
from openmeet.domain.users.model import UserId
from openmeet.network.ingestion import account_deletion, ledger_catch_up
from openmeet.network.ingestion.account_deletion import ErasureContext

_AT_A_TIME = 100


@dataclass(frozen=True, slots=True)
class PersonErasureContext:
    """What the deletion of a person needs. ``ledger``: what survives a restore. ``pictures``: the blob store.

    ``other_databases``: beside the community's, those in which something of a person may have been, such as that of the
    queue. ``grace``: of requests, in microseconds.
    """

    erasing: ErasureContext
    ledger: ErasureLedger
    pictures: BlobStore
    other_databases: Sequence[Database] = ()
    grace: int = 14 * DAY


async def take_due(db: Database, erasing: PersonErasureContext) -> int:
    """Continue every request for deletion that has reached its next stage; returns how many accounts were deleted."""
    await ledger_catch_up.catch_up(db, erasing.ledger, erasing.grace)
    try:
        await actions.end_soon(db)
    except Exception as failure:  # noqa: BLE001 - as below
        log.error("account.events_not_ended", exc_info=failure)
    async with db.reader() as reader:
        now = reader.now
        # Asked for separately, so that those which only wait for their day do not take the places of others.
        over = await erasure_requests.due(reader, tuple(ErasureStage), now, _AT_A_TIME)
        ending = await erasure_requests.due(
            reader, (ErasureStage.REQUESTED,), Instant(now + ENDS_BEFORE), _AT_A_TIME, after=now
        )
    await note_merges(db, erasing.ledger)
    await note_requests(db, erasing.ledger)
    waiting = [*over, *ending]
    deleted = 0
    for one in waiting:
        try:
            deleted += await _advance(db, erasing, one.user_id, now)
        except Exception as failure:  # noqa: BLE001 - the others are not to wait for one; the next turn tries again
            log.error("account.deletion_failed", exc_info=failure)
    if deleted:
        await discard_files(db, erasing)
    return deleted


async def _advance(db: Database, erasing: PersonErasureContext, user_id: UserId, now: Instant) -> bool:
    async with db.reader() as reader:
        asked = await erasure_requests.find(reader, user_id)
    if asked is None:
        return False  # they signed in while others were deleted
    # Also what was interrupted, or came back with a backup: upcoming events are not to go without a word.
    is_over = asked.stage is ErasureStage.REQUESTED and actions.ends_at(asked) <= now
    if is_over or asked.stage is ErasureStage.ERASING:
        await actions.end(db, asked)
        async with db.reader() as reader:
            asked = await erasure_requests.find(reader, user_id)
    if asked is not None and asked.due_at <= now:
        return await erase(db, erasing, user_id) is not None
    return False


async def erase(db: Database, erasing: PersonErasureContext, user_id: UserId) -> ErasureReport | None:
    """Delete everything personal of somebody whose grace period is over, or continue. None if the request was cancelled:
    they have signed in since, or are deleted already.
    """
    # Somebody who was merged into them a moment ago is deleted with them, also after a restore.
    await note_merges(db, erasing.ledger)
    async with db.transaction() as tx:
        if not await erasure_requests.advance(tx, user_id, ErasureStage.ERASING):
            return None
        left = await actions.undeleted_records(tx, user_id)
        dids = [one.did for one in await identities.of_user(tx, user_id)]
        accounts = await identities.custodial_of(tx, [user_id])
    if user_id not in erasing.ledger.people():  # an earlier attempt has noted it
        erasing.ledger.note(user_id, db_now=tx.now)
    deleted = await account_rows.purge(db, user_id)
    for did in dids:
        # Before its row goes as well: after an interruption nobody would know the DID any more.
        await erasing.erasing.elsewhere(did)
        await account_deletion.erase(db, erasing.erasing, did)
    await account_rows.unlink(db, user_id)
    # Before the last step, so that an interruption does it again.
    await discard_deleted(db, WORD_INDEXES)
    async with db.transaction() as tx:
        for name, number in (await account_rows.forget(tx, user_id)).items():
            deleted[name] = deleted.get(name, 0) + number
        is_at_homeserver = await mirroring.is_withdrawing(tx, user_id)
    return ErasureReport(deleted, left, tuple(accounts), is_at_homeserver)


async def discard_files(db: Database, erasing: PersonErasureContext) -> None:
    """Delete what files still have of people who were deleted: their pictures, and old pages in the logs of databases.

    What is interrupted, or cannot be done now, hourly tasks do.
    """
    while await forget_unused(db, erasing.pictures) == ROUND:
        pass
    while await chat_pictures.forget_unused(db, erasing.pictures) == chat_pictures.ROUND:
        pass
    await discard_logs([db, *erasing.other_databases])


async def discard_logs(databases: Sequence[Database]) -> None:
    """Truncate the write-ahead logs of SQLite files: they have pages as they were before something was deleted."""
    for one in databases:
        if not await discard_deleted(one):
            log.warning("database.log_not_truncated")


async def note_merges(db: Database, ledger: ErasureLedger) -> int:
    """Note accounts that were merged in the ledger; returns how many."""
    noted = 0
    while True:
        async with db.reader() as reader:
            merged, now = await merges.merged(reader, _AT_A_TIME), reader.now
        for user_id, into in merged:
            ledger.note(user_id, db_now=now, merged_into=into)
        async with db.transaction() as tx:
            await merges.forget_merged(tx, [user_id for user_id, _ in merged])
        noted += len(merged)
        if len(merged) < _AT_A_TIME:
            return noted


async def note_requests(db: Database, ledger: ErasureLedger) -> None:
    """Note requests, and those that were withdrawn, in the ledger: a backup may be older than they are."""
    async with db.reader() as reader:
        withdrawn = await erasure_requests.withdrawn(reader)
        requests = await erasure_requests.every(reader)
    for user_id, withdrawn_at in withdrawn:
        ledger.note_withdrawal(user_id, withdrawn_at)
        async with db.transaction() as tx:
            await erasure_requests.forget_withdrawal(tx, user_id, withdrawn_at)
    noted = ledger.requests()
    for asked in requests:
        if asked.user_id not in noted and asked.stage is not ErasureStage.ERASING:
            ledger.note_request(asked.user_id, asked.requested_at)


@dataclass(frozen=True, slots=True)
class ErasedAgain:
    """How many accounts were deleted, or merged, again; ``postponed``: how many other requests have a new grace period.
    ``failed``: people for whom that could not be done; the log says why. ``requested``: how many requests are younger than the backup
    and were made again; ``withdrawn``: how many of the backup had been withdrawn since.
    """

    erased: int
    merged: int
    postponed: int
    failed: tuple[UserId, ...] = ()
    requested: int = 0
    withdrawn: int = 0


async def erase_again(db: Database, erasing: PersonErasureContext, grace: int) -> ErasedAgain:
    """After a restore: delete and merge everybody again that the ledger lists, also those who were guests or strangers in
    the backup. Other requests of the backup get a new grace period (microseconds): their people may have signed in since.

    Nobody waits for one who fails; a repetition does what is left.
    """
    people = dict.fromkeys(erasing.ledger.people())
    failed: list[UserId] = []
    erased = merged = 0
    for user_id in people:
        try:
            erased += await _erase_one_again(db, erasing, user_id)
        except Exception as failure:  # noqa: BLE001 - reported by number; the others are not to wait for one
            log.error("account.deletion_failed", user_id=user_id, exc_info=failure)
            failed.append(user_id)
    for user_id, into in erasing.ledger.merged():
        if user_id in people:
            continue  # the account that they were merged into was deleted since; a merge would withdraw what is left to do
        try:
            merged += await ledger_catch_up.merge_again(db, user_id, into)
        except Exception as failure:  # noqa: BLE001 - as above
            log.error("account.merge_failed", user_id=user_id, exc_info=failure)
            failed.append(user_id)
    requested = withdrawn = 0
    for user_id in erasing.ledger.requests():
        requested += await ledger_catch_up.request_again(db, user_id, grace)
    for user_id, withdrawn_at in erasing.ledger.withdrawals().items():
        withdrawn += await ledger_catch_up.withdraw_again(db, user_id, withdrawn_at)
    await discard_files(db, erasing)
    async with db.transaction() as tx:
        postponed = await erasure_requests.postpone(tx, Instant(tx.now + grace), besides=people)
    return ErasedAgain(erased, merged, postponed, tuple(dict.fromkeys(failed)), requested, withdrawn)


async def _erase_one_again(db: Database, erasing: PersonErasureContext, user_id: UserId) -> bool:
    async with db.transaction() as tx:
        there = await users.by_id(tx, user_id)
        # An emptied row tells no longer when it was made.
        if there is None or there.created_at == 0:
            return False
        asked = await erasure_requests.put(tx, user_id, Instant(tx.now))
    await actions.end(db, asked)
    return await erase(db, erasing, user_id) is not None
