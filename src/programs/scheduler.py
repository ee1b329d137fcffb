"""``openmeet scheduler``: periodic tasks."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Database
from groundwork.outbox import jobs
from groundwork.telemetry.logs import log
from groundwork.telemetry.metrics import stopwatch
from openmeet.domain.account_merge import queries as claims
from openmeet.domain.api_tokens import tokens as access
from openmeet.domain.attendance import tasks as attendance
from openmeet.domain.attendance.tasks import tell_of_new_events
from openmeet.domain.calendars import tasks as calendars
from openmeet.domain.calendars.fetch import CalendarFetcher
from openmeet.domain.events import drafts
from openmeet.domain.events.trust import FrontPagePolicy, shown_in
from openmeet.domain.groups import ownership as groups
from openmeet.domain.guest_rsvps import actions
from openmeet.domain.host_messages import actions as messages
from openmeet.domain.imports import queries as arrivals
from openmeet.domain.media import pictures as media
from openmeet.domain.notifications import emails as notifications
from openmeet.domain.saved_searches.tasks import forget_departed, tell_of_finds
from openmeet.domain.series import tasks as series
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.webhooks import actions as webhooks
from openmeet.network.ingestion.intake import decide_due
from openmeet.network.ingestion.tasks import forget_discrepancies, reconcile
from openmeet.network.records import seen
from openmeet.network.repositories import circuits, oauth_client_keys, recovery_keys
from openmeet.network.repositories import session_tasks as identities
from openmeet.outbox import in_flight
from openmeet.settings import Settings
from programs.platform import Platform
from programs.probes import SCHEDULER
from programs.resealing import reseal_stale
from programs.worker import for_each, worker_role

# Completed jobs are kept for a while: an e-mail that is enqueued again in the meantime is not sent twice.
COMPLETED_JOBS_KEPT = 30 * DAY


@dataclass(frozen=True, slots=True)
class Chore:
    """A periodic task."""

    every_seconds: float
    run: Callable[[Platform], Awaitable[object]]


CHORES: dict[str, Chore] = {
    "expired_sign_ins": Chore(600, lambda platform: sign_in.forget_expired(platform.db)),
    "old_claims": Chore(3600, lambda platform: claims.forget_old_claims(platform.db)),
    "repository_sessions": Chore(600, lambda platform: identities.keep_alive(platform.db, platform.network)),
    "over_sessions": Chore(3600, lambda platform: identities.forget_over(platform.db)),
    "unkept_recovery_keys": Chore(3600, lambda platform: recovery_keys.erase_overdue(platform.db)),
    "stale_seals": Chore(3600, reseal_stale),
    "client_keys": Chore(3600, lambda platform: oauth_client_keys.rotate_when_due(platform.db, platform.network)),
    "old_access": Chore(3600, lambda platform: access.forget_old_access(platform.db)),
    "old_deliveries": Chore(3600, lambda platform: webhooks.forget_old_deliveries(platform.db)),
    "expired_drafts": Chore(3600, lambda platform: drafts.forget_expired_drafts(platform.db)),
    "scheduled_events": Chore(30, lambda platform: drafts.publish_due(platform.db)),
    "scheduled_messages": Chore(30, lambda platform: messages.send_due(platform.db)),
    "reminders": Chore(300, lambda platform: attendance.remind(platform.db)),
    "ended_offers": Chore(60, lambda platform: attendance.end_offers(platform.db)),
    "expired_guest_answers": Chore(3600, lambda platform: actions.forget_expired(platform.db)),
    "old_addresses": Chore(
        3600, lambda platform: actions.forget_addresses(platform.db, platform.settings.addresses_kept_days)
    ),
    "sent_mails": Chore(3600, lambda platform: notifications.forget_sent_mails(platform.db)),
    "group_successions": Chore(3600, lambda platform: groups.pass_on(platform.db)),
    "group_events": Chore(120, lambda platform: tell_of_new_events(platform.db)),
    "search_finds": Chore(60, lambda platform: tell_of_finds(platform.db, _shown(platform.settings))),
    "searches_of_departed": Chore(3600, lambda platform: forget_departed(platform.db)),
    "newcomers": Chore(30, lambda platform: decide_due(platform.db)),
    "expired_parked_answers": Chore(3600, lambda platform: _expire_parked(platform.db)),
    "old_doubts": Chore(3600, lambda platform: _forget_doubts(platform.db)),
    "old_circuits": Chore(3600, lambda platform: _forget_circuits(platform.db)),
    "unread_repositories": Chore(3600, lambda platform: reconcile(platform.db)),
    "repaired_discrepancies": Chore(3600, lambda platform: forget_discrepancies(platform.db)),
    "completed_dates": Chore(300, lambda platform: series.complete_dates(platform.db)),
    "expired_undos": Chore(600, lambda platform: series.forget_undos(platform.db)),
    "old_imports": Chore(3600, lambda platform: _forget_imports(platform.db)),
    "subscribed_calendars": Chore(300, lambda platform: _read_calendars(platform, platform.settings.time_zone)),
    "running_calendars": Chore(
        3600, lambda platform: calendars.roll(platform.db, platform.workers, platform.settings.time_zone)
    ),
    "unused_pictures": Chore(3600, lambda platform: media.forget_unused(platform.db, platform.pictures)),
    "paid_debts": Chore(3600, lambda platform: _forget_completed(platform.db)),
}


def _shown(settings: Settings) -> FrontPagePolicy:
    return shown_in(settings.network_shown, settings.network_near)


async def _expire_parked(db: Database) -> int:
    async with db.transaction() as tx:
        return await seen.expire_parked(tx)


async def _forget_doubts(db: Database) -> int:
    async with db.transaction() as tx:
        return await in_flight.forget_old(tx)


async def _forget_circuits(db: Database) -> int:
    async with db.transaction() as tx:
        return await circuits.forget_old(tx)


async def _read_calendars(platform: Platform, zone: str) -> int:
    outgoing = CalendarFetcher(platform.network.http, platform.network.sealer)
    return await calendars.refresh_due(platform.db, outgoing, platform.workers, zone)


async def _forget_imports(db: Database) -> int:
    async with db.transaction() as tx:
        return await arrivals.forget_old(tx)


async def _forget_completed(db: Database) -> int:
    async with db.transaction() as tx:
        return await jobs.forget_completed(tx, Instant(tx.now - COMPLETED_JOBS_KEPT))


async def work(platform: Platform, stop: asyncio.Event) -> None:
    """Run each task at its own interval, until ``stop`` is set."""
    async with asyncio.TaskGroup() as group:
        for name, chore in {**CHORES, "series_windows": Chore(600, _rolling(platform))}.items():
            group.create_task(_again(name, chore, platform, stop))


def _rolling(platform: Platform) -> Callable[[Platform], Awaitable[object]]:
    """Materialize further dates of series, and count the stored ones."""
    made = platform.metrics.counter("occurrences_generated", "Dates of series that were stored ahead")
    seconds = platform.metrics.histogram("occurrences_generation_seconds", "One round of storing dates ahead")

    async def roll(here: Platform) -> None:
        elapsed = stopwatch()
        _, stored = await series.roll_windows(here.db, here.clock.now())
        made.inc(stored)
        seconds.observe(elapsed())

    return roll


async def _again(name: str, chore: Chore, platform: Platform, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await chore.run(platform)
        except Exception as failure:  # noqa: BLE001 - the edge of a worker: the next turn may find things mended
            log.error("chore.failed", tenant=platform.tenant.name, chore=name, exc_info=failure)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(chore.every_seconds):
                await stop.wait()


app = worker_role(for_each(work), "Do the chores until stopped.", SCHEDULER)
