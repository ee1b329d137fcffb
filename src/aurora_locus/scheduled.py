"""Scheduled tasks: delete expired data, finish work that a crash interrupted."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

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
from aurora_locus.accounts.second_factors import passkeys
from aurora_locus.administration import operator_sessions
from aurora_locus.blobs.sweep import sweep as sweep_blobs
from aurora_locus.blobs.sweep import sweep_all
from aurora_locus.identity import plc_updates
from aurora_locus.moderation import subject_actions
from aurora_locus.oauth.server import AuthorizationServer
from aurora_locus.oauth.setup import sweep as sweep_authorizations
from aurora_locus.repository import duplicates, import_file
from aurora_locus.sequencer import retention
from aurora_locus.settings import PdsSettings
from groundwork.clock import DAY, SECOND, Clock, Instant
from groundwork.database.deleted_pages import discard_deleted
from groundwork.outbox import jobs
from groundwork.telemetry.health import log_fields
from groundwork.telemetry.logs import log

# Often enough that little accumulates, rarely enough that it costs almost nothing.
HOUSEKEEPING_SECONDS = 600.0
# Requests that waited for the start are served first.
FIRST_ROUND_SECONDS = 30.0
# With one round every ten minutes, every blob file is checked once a day.
ROUNDS_PER_FILE_SCAN = 144

# Delay before the second attempt after the directory failed. Normal rounds are a minute apart.
FIRST_RETRY_SECONDS = 1.0
IDENTITIES_SECONDS = 60.0


async def run_housekeeping(
    settings: PdsSettings, registry: Registry, authorization: AuthorizationServer, clock: Clock
) -> None:
    """Delete expired sessions, old events, unreferenced uploads and the like, again and again until cancelled."""
    tasks = _ScheduledTasks(settings, registry, authorization, clock).by_name()
    await asyncio.sleep(FIRST_ROUND_SECONDS)
    while True:
        for name, run_task in tasks.items():
            try:
                await run_task()
            except Exception as error:  # noqa: BLE001 - an edge: one task that fails must not end the others
                log.error("task.failed", task=name, **log_fields(error))
        await asyncio.sleep(HOUSEKEEPING_SECONDS)


async def run_identity_repairs(registry: Registry, unfinished_updates: Sequence[tuple[Did, PlcOperation]]) -> None:
    """Finish or undo identity changes that a crash interrupted, and detect accounts that have moved away, until
    cancelled.

    If the directory is down at start, this is retried soon, then with increasing delays.
    """
    updates: Sequence[tuple[Did, PlcOperation]] | None = unfinished_updates
    pause = FIRST_RETRY_SECONDS
    while True:
        left_count = 1
        try:
            left_count = await plc_updates.repair(registry.plc, updates)
            await signing_key_change.finish_commits(registry)
            if left_count == 0:
                updates = None
                await hosting_status.recheck_due(registry)
        except Exception as error:  # noqa: BLE001 - an edge: a round that fails must not end those that follow
            log.error("task.failed", task="identities", **log_fields(error))
        pause = min(pause * 2, HOUSEKEEPING_SECONDS) if left_count else FIRST_RETRY_SECONDS
        await asyncio.sleep(pause if left_count else IDENTITIES_SECONDS)


@dataclass(slots=True)
class _ScheduledTasks:
    """The functions that each round of housekeeping calls."""

    settings: PdsSettings
    registry: Registry
    authorization: AuthorizationServer
    clock: Clock
    rounds: int = 0

    def by_name(self) -> dict[str, Callable[[], Awaitable[object]]]:
        """Return the functions in their order; an error message contains the name."""
        repositories = self.registry.repositories
        return {
            "sessions": self._delete_expired_sessions,
            "OAuth sessions": lambda: sweep_authorizations(self.authorization),
            "events": lambda: retention.retire(self.registry.db, self._ago(self.settings.replay_seconds)),
            "uploads": lambda: sweep_blobs(repositories.blobs, self.clock.now(), self._blob_grace()),
            "files": self._delete_unreferenced_files,
            "exports": repositories.keep_exports,
            "abandoned imports": self._delete_abandoned_imports,
            "expired tokens": self._delete_expired_tokens,
            "deletions": lambda: deletion.delete_forgotten(self.registry),
            "pages of deleted rows": lambda: discard_deleted(self.registry.db),
            "subjects of records": lambda: duplicates.read_subjects(self.registry.db),
            "suspensions": lambda: subject_actions.end_suspensions(self.registry),
        }

    async def _delete_expired_sessions(self) -> None:
        db = self.registry.db
        await sweep_browsers(db)
        await db.write(passkeys.sweep)
        await db.write(operator_sessions.sweep)
        await sessions.sweep(db)

    async def _delete_expired_tokens(self) -> None:
        db = self.registry.db
        await db.write(email_tokens.sweep)
        await db.write(sign_in_links.sweep)
        await db.write(password_guesses.sweep)
        await db.write(self.registry.repositories.keys.sweep_reserved)
        async with db.transaction() as tx:
            await jobs.forget_completed(tx, Instant(tx.now - DAY))

    async def _delete_unreferenced_files(self) -> None:
        self.rounds += 1
        # Not in the first round, which a crash may repeat often: the scan lists every file of the store.
        if self.rounds % ROUNDS_PER_FILE_SCAN == 0:
            await sweep_all(self.registry.repositories.blobs, self.clock.now(), self._blob_grace())

    async def _delete_abandoned_imports(self) -> None:
        await asyncio.to_thread(import_file.sweep, import_file.import_folder(self.settings.data_directory))
        await self.registry.repositories.sweep_imports()

    def _blob_grace(self) -> int:
        return round(self.settings.blob_grace * SECOND)

    def _ago(self, seconds: float) -> Instant:
        return Instant(self.clock.now() - round(seconds * SECOND))
