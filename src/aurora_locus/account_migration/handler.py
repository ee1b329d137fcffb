"""Handler of migration jobs: copy the account; after the code, switch the identity and both accounts.

Every step first checks what already exists, so the handler can be called again after any failure on either side.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from at_network.migration.copy import missing_blobs
from at_network.migration.servers import MigrationServer, status
from at_network.xrpc_client import XrpcClient
from at_protocol.data.cid import Cid
from at_protocol.identity import plc_operation
from at_protocol.repo.car import MEDIA_TYPE
from at_protocol.syntax.did import Did
from aurora_locus.account_migration import moves, web_moves
from aurora_locus.account_migration.actions import MigrationContext, client
from aurora_locus.account_migration.moves import AccountMove, MoveReason, MoveStage
from aurora_locus.accounts import activation, hosting_status, preferences, queries, web_identities
from aurora_locus.blobs import queries as blobs
from aurora_locus.blobs.uploads import object_name
from aurora_locus.identity.plc_requests import parse_submitted
from aurora_locus.identity.plc_updates import newest_operation
from aurora_locus.repository import hosting
from aurora_locus.repository.export import export
from groundwork.database.transaction import Writer
from groundwork.errors import Failure, InvalidInput, NotFound, Refused, RemoteSlow, kind_of, reason_of
from groundwork.outbox.delivery import JobHandler
from groundwork.outbox.jobs import Job

# Enough to send a repository over a slow connection; the other server imports it before it responds.
LONG_SECONDS = 600.0
_PIECE_BYTES = 256 * 1024
_PREFERENCES = "app.bsky"

# Called with the number of blobs in total, sent, and impossible to send. Returns False if the migration was cancelled.
Note = Callable[[int, int, int], Awaitable[bool]]


def move_handler(context: MigrationContext) -> JobHandler:
    """Return the handler of ``PdsJobKind.MOVE``, which continues an account migration.

    A failure is stored with the migration, where the account's owner sees it, and raised again. After an error of our
    own, such as a full disk, the outbox stops after a few attempts, so the owner must be able to try again or stop.
    """

    async def deliver(job: Job) -> None:
        async with context.registry.db.reader() as reader:
            move = await moves.find(reader, Did(job.subject))
        if move is None or move.revision != job.revision:
            return
        try:
            await _run_stage(context, move)
        except Exception as failure:
            why = reason_of(failure) if isinstance(failure, Failure) else MoveReason.OUR_ERROR()
            async with context.registry.db.transaction() as tx:
                await moves.note_problem(tx, move, why)
            raise

    return deliver


async def _run_stage(context: MigrationContext, move: AccountMove) -> None:
    match move.stage:
        case MoveStage.COPYING:
            await _copy(context, move)
        case MoveStage.FINISHING:
            await _finish(context, move)
        case MoveStage.WAITING | MoveStage.DONE:
            return


async def _copy(context: MigrationContext, move: AccountMove) -> None:
    new_server = await _open_new_server(context, move)

    async def note(total: int, sent: int, lost_count: int) -> bool:
        async with context.registry.db.transaction() as tx:
            return await moves.note(tx, move, has_records=True, blobs=total, blobs_sent=sent, blobs_lost=lost_count)

    if not move.has_records:
        await _send_repository(context, new_server)
    if not await _send_blobs(context, new_server, note):
        return  # cancelled or restarted
    await _send_preferences(context, move, new_server.client)
    async with context.registry.db.transaction() as tx:
        await moves.note_copied(tx, move)


async def _open_new_server(context: MigrationContext, move: AccountMove) -> MigrationServer:
    new_client = await client(context, move.did, move.target, timeout_seconds=LONG_SECONDS)
    return MigrationServer(move.target, move.did, new_client)


async def _send_repository(context: MigrationContext, new_server: MigrationServer) -> None:
    """Send the repository through a temporary file, because the request needs its length in advance and it may be
    large.
    """
    with tempfile.TemporaryFile() as file:
        async for chunk in export(context.registry.repositories, new_server.did):
            await asyncio.to_thread(file.write, chunk)
        size = file.tell()

        async def pieces() -> AsyncIterator[bytes]:
            file.seek(0)
            while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
                yield piece

        await new_server.client.send("com.atproto.repo.importRepo", pieces, MEDIA_TYPE, size)


async def _send_blobs(context: MigrationContext, new_server: MigrationServer, note: Note) -> bool:
    """Send every blob that the other server lacks. Return False if ``note`` reports that the migration was cancelled."""
    missing = [cid async for cid in missing_blobs(new_server)]
    expected = (await status(new_server)).get("expectedBlobs")
    total = expected if isinstance(expected, int) else len(missing)
    sent, lost_count = max(0, total - len(missing)), 0
    if not await note(total, sent, lost_count):
        return False
    for cid in missing:
        if await _send_blob(context, new_server, cid):
            sent += 1
        else:
            lost_count += 1
        if not await note(total, sent, lost_count):
            return False
    return True


async def _send_blob(context: MigrationContext, new_server: MigrationServer, cid: Cid) -> bool:
    """Send one blob. Return False if this server does not have it or the other server does not accept it."""
    store = context.registry.repositories.blobs.store
    blob = await blobs.find(context.registry.db, new_server.did, cid)
    if blob is None or blob.is_taken_down:
        return False
    try:
        content = b"".join([piece async for piece in store.read(object_name(new_server.did, cid))])
        await new_server.client.upload("com.atproto.repo.uploadBlob", content, blob.mime_type)
    except NotFound:
        return False
    except Failure as failure:
        if kind_of(failure).worth_retrying:
            raise
        return False
    return True


async def _send_preferences(context: MigrationContext, move: AccountMove, new_client: XrpcClient) -> None:
    stored_preferences = await preferences.read(context.registry.db, move.did, _PREFERENCES)
    if not stored_preferences:
        return
    try:
        await new_client.procedure("app.bsky.actor.putPreferences", {"preferences": stored_preferences})
    except Failure as failure:
        # The other server may not store preferences for this app; that must not stop the migration.
        if kind_of(failure).worth_retrying:
            raise


async def _activate(context: MigrationContext, new_server: MigrationServer) -> None:
    """Activate the account on the other server. Raises RemoteSlow while that server still caches the old DID document."""
    try:
        await new_server.client.procedure("com.atproto.server.activateAccount")
    except (InvalidInput, Refused) as refused:
        if not web_identities.is_ours(context.registry, new_server.did):
            raise
        raise RemoteSlow(MoveReason.NOT_ACTIVE_YET, problem=reason_of(refused)) from None


async def _send_newest(context: MigrationContext, move: AccountMove, new_server: MigrationServer) -> bool:
    """Send the records and blobs that were written on this server while the migration waited for the code. From this
    step on, this server accepts no writes for the account, because nothing would send them.

    Return False if the migration was cancelled. After that, it can be cancelled only if this step fails.
    """
    db, repositories = context.registry.db, context.registry.repositories

    def refuse_writes(w: Writer) -> bool:
        if not moves.begin_last_step(w, move):
            return False
        queries.set_moved(w, move.did, move.target)
        # Other processes notice the first statement only after a moment, but check this in each commit.
        hosting.set_frozen(w, repositories, move.did, is_frozen=True)
        return True

    if not await db.write(refuse_writes):
        return False
    await _send_repository(context, new_server)
    # Do not count blobs here: checkAccountStatus makes the other server resolve the identity, and it might then use
    # that cached result after the identity has changed.
    for cid in [cid async for cid in missing_blobs(new_server)]:
        await _send_blob(context, new_server, cid)
    # A large repository takes longer than the lease of this job. A second delivery can have failed meanwhile, after
    # which the owner may cancel.
    return await db.write(lambda w: moves.begin_last_step(w, move))


async def _finish(context: MigrationContext, move: AccountMove) -> None:
    registry, did = context.registry, move.did
    new_server = await _open_new_server(context, move)
    if web_identities.is_ours(registry, did):
        if not await web_moves.names_destination(registry, move):
            if not await _send_newest(context, move, new_server):
                return
            await web_moves.name_destination(registry, move)
    else:
        operation = parse_submitted(msgspec.json.decode(move.operation or "{}"))
        if (await newest_operation(registry.directory, did)).cid != plc_operation.cid_of(operation):
            if not await _send_newest(context, move, new_server):
                return
            document = plc_operation.to_json(operation)
            await new_server.client.procedure("com.atproto.identity.submitPlcOperation", {"operation": document})
    registry.network.recheck_did(did)
    await _activate(context, new_server)

    def hide_account(w: Writer) -> None:
        activation.deactivate(w, registry.repositories, did, None)

    # This comes last, so that at every moment at least one server shows the account.
    await registry.db.write(hide_account)
    await hosting_status.recheck_identity(registry, did)
    async with registry.db.transaction() as tx:
        await moves.note_completed(tx, move)
