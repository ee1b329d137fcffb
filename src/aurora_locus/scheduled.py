"""Scheduled tasks: delete expired data, finish work that a crash interrupted."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from at_protocol.identity.plc_operation import PlcOperation
from at_protocol.syntax.did import Did
from aurora_locus.accounts import (
    deletion,
    email_tokens,
    hosting_status,
    password_guesses,
    sessions,
    sign_in_links,
    signing_key_change,
)
from aurora_locus.accounts.browser_sessions import sweep as sweep_browsers
from aurora_locus.accounts.registry import Registry
from aurora_locus.accounts.second_factors import challenges
from aurora_locus.administration import operator_sessions
from aurora_locus.blobs.sweep import sweep as sweep_blobs
from aurora_locus.blobs.sweep import sweep_all
from aurora_locus.identity import plc_updates
from aurora_locus.moderation import subject_actions
from aurora_locus.oauth.opening import sweep as sweep_authorizations
from aurora_locus.oauth.server import AuthorizationServer
from aurora_locus.repository import import_file
from aurora_locus.sequencer import retention
from aurora_locus.settings import PdsSettings
from groundwork.clock import DAY, SECOND, Clock, Instant
from groundwork.database.deleted_pages import discard_deleted
from groundwork.outbox import jobs
from groundwork.telemetry.logs import log

# Often enough that little accumulates, rarely enough that it costs almost nothing.
HOUSEKEEPING_SECONDS = 600.0
# Requests that waited for the start are served first.
FIRST_ROUND_SECONDS = 30.0
# With one round every ten minutes, every blob file is checked once a day.
ROUNDS_PER_WALK = 144

# Delay before the second attempt after the directory failed. Normal rounds are a minute apart.
FIRST_RETRY_SECONDS = 1.0
IDENTITIES_SECONDS = 60.0


async def run_housekeeping(
    settings: PdsSettings, registry: Registry, authorization: AuthorizationServer, clock: Clock
) -> None:
    """Delete expired sessions, old events, unreferenced uploads and the like, again and again until cancelled."""
    repositories = registry.repositories
    rounds = 0

    async def retire() -> object:
        return await retention.retire(registry.db, _ago(clock, settings.replay_seconds))

    async def sweep() -> object:
        return await sweep_blobs(repositories.blobs, clock.now(), round(settings.blob_grace * SECOND))

    async def walk() -> object:
        nonlocal rounds
        rounds += 1
        # Not in the first round, which a crash may repeat often: the scan lists every file of the store.
        if rounds % ROUNDS_PER_WALK:
            return None
        return await sweep_all(repositories.blobs, clock.now(), round(settings.blob_grace * SECOND))

    async def expire() -> object:
        await registry.db.write(sweep_browsers)
        await registry.db.write(challenges.sweep)
        await registry.db.write(operator_sessions.sweep)
        return await registry.db.write(sessions.sweep)

    async def leave() -> object:
        return await sweep_authorizations(authorization)

    async def forget() -> object:
        await registry.db.write(email_tokens.sweep)
        await registry.db.write(sign_in_links.sweep)
        await registry.db.write(password_guesses.sweep)
        await registry.db.write(repositories.keys.sweep_reserved)
        async with registry.db.transaction() as tx:
            return await jobs.forget_completed(tx, Instant(tx.now - DAY))

    async def resume() -> object:
        return await subject_actions.end_suspensions(registry)

    async def delete() -> object:
        return await deletion.delete_forgotten(registry)

    async def discard() -> object:
        return await discard_deleted(registry.db)

    async def sweep_imports() -> None:
        await asyncio.to_thread(import_file.sweep, import_file.import_folder(settings.data_directory))
        await repositories.sweep_imports()

    chores: dict[str, Callable[[], Awaitable[object]]] = {
        "sessions": expire,
        "OAuth sessions": leave,
        "events": retire,
        "uploads": sweep,
        "files": walk,
        "exports": repositories.keep_exports,
        "abandoned imports": sweep_imports,
        "expired tokens": forget,
        "deletions": delete,
        "pages of deleted rows": discard,
        "suspensions": resume,
    }
    await asyncio.sleep(FIRST_ROUND_SECONDS)
    while True:
        for name, chore in chores.items():
            try:
                await chore()
            except Exception as error:  # noqa: BLE001 - an edge: one chore that fails must not end the others
                log.error("chore.failed", chore=name, exc_info=error)
        await asyncio.sleep(HOUSEKEEPING_SECONDS)


async def run_identity_repairs(registry: Registry, from_crash: Sequence[tuple[Did, PlcOperation]]) -> None:
    """Finish or undo identity changes that a crash interrupted, and detect accounts that have moved away, until
    cancelled.

    If the directory is down at start, this is retried soon, then with increasing delays.
    """
    rows: Sequence[tuple[Did, PlcOperation]] | None = from_crash
    pause = FIRST_RETRY_SECONDS
    while True:
        left = 1
        try:
            left = await plc_updates.repair(registry.plc, rows)
            await signing_key_change.finish_commits(registry)
            if left == 0:
                rows = None
                await hosting_status.recheck_due(registry)
        except Exception as error:  # noqa: BLE001 - an edge: a round that fails must not end those that follow
            log.error("chore.failed", chore="identities", exc_info=error)
        pause = min(pause * 2, HOUSEKEEPING_SECONDS) if left else FIRST_RETRY_SECONDS
        await asyncio.sleep(pause if left else IDENTITIES_SECONDS)


def _ago(clock: Clock, seconds: float) -> Instant:
    return Instant(clock.now() - round(seconds * SECOND))
