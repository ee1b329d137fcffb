"""Delete a person who requested it: all their DIDs and all their rows. A job deletes their custodial account."""

from collections.abc import Sequence
from dataclasses import dataclass

from groundwork.blobstore.contract import BlobStore
from groundwork.clock import Instant
from groundwork.database.deleted_pages import discard_deleted
from groundwork.database.transaction import Database
from groundwork.isolation import each_with_backoff
from groundwork.telemetry.logs import log
from openmeet.domain.account_merge import queries as merges
from openmeet.domain.chat import matrix_people
from openmeet.domain.chat import pictures as chat_pictures
from openmeet.domain.erasure import account_rows, actions
from openmeet.domain.erasure.ledger import ErasureLedger
from openmeet.domain.erasure.model import ENDS_BEFORE, ErasureReport
from openmeet.domain.erasure.retention import WORD_INDEXES
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.media.uploads import ROUND, forget_unused
from openmeet.domain.photos import actions as photos
from openmeet.domain.users import erasure_requests
from openmeet.domain.users import queries as user_queries
from openmeet.domain.users.erasure_requests import ErasureStage
from openmeet.domain.users.model import UserId
from openmeet.network.ingestion import account_deletion, ledger_catch_up
from openmeet.network.ingestion.account_deletion import ErasureContext
from openmeet.network.records import database_periods

_AT_A_TIME = 100


@dataclass(frozen=True, slots=True)
class PersonErasureContext:
    """Dependencies of deleting a person. ``ledger``: the record of deletions that survives a restore. ``pictures``: the
    blob store. ``grace``: grace period of requests, in microseconds.

    ``other_databases``: databases other than the community's that may hold data of the person, such as the queue's.
    """

    erasing: ErasureContext
    ledger: ErasureLedger
    pictures: BlobStore
    grace: int
    other_databases: Sequence[Database] = ()


async def take_due(db: Database, erasing: PersonErasureContext) -> int:
    """Continue every deletion request that has reached its next stage; return how many accounts were deleted."""
    await ledger_catch_up.catch_up(db, erasing.ledger, erasing.grace)
    await database_periods.note_in_use(db, erasing.ledger)
    try:
        await actions.end_soon(db)
    except Exception as failure:  # noqa: BLE001 - the deletions go on
        log.error("account.events_not_ended", exc_info=failure)
    async with db.reader() as reader:
        now = reader.now
        # No limit, because requests that fail stay due and would keep later ones waiting.
        over = await erasure_requests.due(reader, tuple(ErasureStage), now)
        ending = await erasure_requests.due(reader, (ErasureStage.REQUESTED,), Instant(now + ENDS_BEFORE), after=now)
    await note_merges(db, erasing.ledger)
    await note_requests(db, erasing.ledger)
    waiting = [one.user_id for one in (*over, *ending)]
    deleted = await each_with_backoff(
        db, "deleted_accounts", waiting, lambda user_id: _advance(db, erasing, user_id, now)
    )
    if deleted:
        await discard_files(db, erasing)
    return deleted


async def _advance(db: Database, erasing: PersonErasureContext, user_id: UserId, now: Instant) -> bool:
    async with db.reader() as reader:
        erasure_request = await erasure_requests.find(reader, user_id)
    if erasure_request is None:
        return False  # they signed in while others were being deleted
    # This also covers requests that were interrupted or came back with a backup: attendees must be notified before
    # upcoming events disappear.
    is_over = erasure_request.stage is ErasureStage.REQUESTED and actions.ends_at(erasure_request) <= now
    if is_over or erasure_request.stage is ErasureStage.ERASING:
        await actions.end(db, erasure_request)
        async with db.reader() as reader:
            erasure_request = await erasure_requests.find(reader, user_id)
    if erasure_request is not None and erasure_request.due_at <= now:
        return await erase(db, erasing, user_id) is not None
    return False


async def erase(db: Database, erasing: PersonErasureContext, user_id: UserId) -> ErasureReport | None:
    """Delete all personal data of somebody whose grace period is over, or continue doing so. Returns None if the
    request was cancelled because they have signed in since, or if they are already deleted.
    """
    # An account that was merged into theirs a moment ago is deleted with it, also after a restore.
    await note_merges(db, erasing.ledger)
    async with db.transaction() as tx:
        if not await erasure_requests.advance(tx, user_id, ErasureStage.ERASING):
            return None
        undeleted = await actions.undeleted_records(tx, user_id)
        dids = [one.did for one in await identity_queries.of_user(tx, user_id)]
        accounts = await identity_queries.custodial_of(tx, [user_id])
    if user_id not in erasing.ledger.people():  # an earlier attempt has already noted it
        erasing.ledger.note(user_id, db_now=tx.now)
    deleted = await account_rows.purge(db, user_id)
    for did in dids:
        # Erased before its row is deleted: after an interruption, the DID would otherwise be lost.
        await erasing.erasing.erase_outside(did)
        await account_deletion.erase(db, erasing.erasing, did)
    await account_rows.unlink(db, user_id)
    # Done before the last step, so that it is repeated after an interruption.
    await discard_deleted(db, WORD_INDEXES)
    async with db.transaction() as tx:
        for name, number in (await account_rows.forget(tx, user_id)).items():
            deleted[name] = deleted.get(name, 0) + number
        is_at_homeserver = await matrix_people.is_withdrawing(tx, user_id)
    return ErasureReport(deleted, undeleted, tuple(accounts), is_at_homeserver)


async def discard_files(db: Database, erasing: PersonErasureContext) -> None:
    """Delete what files still contain of deleted people: their pictures, and old pages in the databases' logs.

    Files that cannot be deleted now are deleted by hourly tasks.
    """
    while await forget_unused(db, erasing.pictures) == ROUND:
        pass
    while await chat_pictures.forget_unused(db, erasing.pictures) == chat_pictures.ROUND:
        pass
    await photos.forget_unused(db, erasing.pictures)
    await discard_logs([db, *erasing.other_databases])


async def discard_logs(databases: Sequence[Database]) -> None:
    """Truncate the write-ahead logs of SQLite files, because they contain pages from before the deletion."""
    for one in databases:
        if not await discard_deleted(one):
            log.warning("database.log_not_truncated")


async def note_merges(db: Database, ledger: ErasureLedger) -> int:
    """Record merged accounts in the ledger; return how many."""
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
    """Record new and withdrawn requests in the ledger, because the backup used in a later restore may be older than
    these requests.
    """
    async with db.reader() as reader:
        withdrawn = await erasure_requests.withdrawn(reader)
        requests = await erasure_requests.every(reader)
    for user_id, withdrawn_at in withdrawn:
        ledger.note_withdrawal(user_id, withdrawn_at)
        async with db.transaction() as tx:
            await erasure_requests.forget_withdrawal(tx, user_id, withdrawn_at)
    noted = ledger.requests()
    for erasure_request in requests:
        if erasure_request.user_id not in noted and erasure_request.stage is not ErasureStage.ERASING:
            ledger.note_request(erasure_request.user_id, erasure_request.requested_at)


@dataclass(frozen=True, slots=True)
class ErasureReplay:
    """The result of ``erase_again``: how many accounts were deleted or merged again. ``postponed``: how many other
    requests got a new grace period. ``failed``: people for whom this failed; the log has the reasons. ``requested``:
    how many requests are newer than the backup and were made again. ``withdrawn``: how many requests in the backup had
    been withdrawn later.
    """

    erased: int
    merged: int
    postponed: int
    failed: tuple[UserId, ...] = ()
    requested: int = 0
    withdrawn: int = 0


async def erase_again(db: Database, erasing: PersonErasureContext, grace: int) -> ErasureReplay:
    """After a restore: delete and merge again everybody that the ledger lists, including people who were guests or had
    no account in the backup. Other requests in the backup get a new grace period (microseconds), because their people
    may have signed in since.

    A failure for one person does not stop the others. Running this again continues with what is left.
    """
    people = dict.fromkeys(erasing.ledger.people())
    failed: list[UserId] = []
    erased = merged = 0
    for user_id in people:
        try:
            erased += await _erase_one_again(db, erasing, user_id)
        except Exception as failure:  # noqa: BLE001 - reported by number; one failure must not stop the others
            log.error("account.deletion_failed", user_id=user_id, exc_info=failure)
            failed.append(user_id)
    for user_id, into in erasing.ledger.merged():
        if user_id in people:
            # deleted later; a merge would withdraw the pending deletion
            continue
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
        postponed = await erasure_requests.postpone(tx, Instant(tx.now + grace), except_for=people)
    return ErasureReplay(erased, merged, postponed, tuple(dict.fromkeys(failed)), requested, withdrawn)


async def _erase_one_again(db: Database, erasing: PersonErasureContext, user_id: UserId) -> bool:
    async with db.transaction() as tx:
        user = await user_queries.by_id(tx, user_id)
        # A blanked row no longer has its creation time.
        if user is None or user.created_at == 0:
            return False
        erasure_request = await erasure_requests.put(tx, user_id, Instant(tx.now))
    await actions.end(db, erasure_request)
    return await erase(db, erasing, user_id) is not None
