"""``openmeet scheduler``: periodic tasks."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from groundwork import failed_items
from groundwork.clock import DAY, Instant
from groundwork.database.pages import change_in_pages
from groundwork.database.transaction import Transaction
from groundwork.outbox import jobs
from groundwork.task_group import run_concurrently
from groundwork.telemetry.health import log_fields
from groundwork.telemetry.logs import log
from groundwork.telemetry.metrics import stopwatch
from openmeet.domain.account_merge import queries as account_merge
from openmeet.domain.api_tokens import tokens
from openmeet.domain.attendance import proof_keys
from openmeet.domain.attendance import tasks as attendance
from openmeet.domain.attendance.tasks import announce_group_events
from openmeet.domain.calendars import tasks as calendars
from openmeet.domain.calendars.fetch import CalendarFetcher
from openmeet.domain.calendars.subscriptions import replace_old_digests
from openmeet.domain.chat import pictures as chat_pictures
from openmeet.domain.chat import readers as chat_readers
from openmeet.domain.chat import rooms as chat_rooms
from openmeet.domain.chat.deletion import forget_expired_messages
from openmeet.domain.chat.matrix_people import reconcile_rooms
from openmeet.domain.erasure.retention import RetentionTimes, purge_expired
from openmeet.domain.events import drafts, town_positions
from openmeet.domain.events.unsolicited_lists import FrontPagePolicy, shown_in
from openmeet.domain.groups import ownership as groups
from openmeet.domain.guest_rsvps import actions
from openmeet.domain.host_messages import actions as messages
from openmeet.domain.imports import queries as imports
from openmeet.domain.media import uploads
from openmeet.domain.moderation import reports
from openmeet.domain.notifications import emails as notifications
from openmeet.domain.notifications.tasks import enqueue_weeks
from openmeet.domain.photos import actions as photos
from openmeet.domain.places.gazetteer import Gazetteer, places_path
from openmeet.domain.saved_searches.tasks import announce_public_events, forget_departed
from openmeet.domain.series import tasks as series
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.webhooks import actions as webhooks
from openmeet.network.ingestion import dead_letters
from openmeet.network.ingestion.intake import decide_due
from openmeet.network.ingestion.person_erasure import take_due
from openmeet.network.ingestion.tasks import enqueue_reconciliations, forget_discrepancies
from openmeet.network.records import seen_rsvps
from openmeet.network.repositories import circuits, oauth_client_keys, recovery_keys, sessions
from openmeet.outbox import email_suppressions, in_flight
from openmeet.settings import Settings
from programs.person_erasing import discard_old_pages, person_erasing
from programs.platform import Platform
from programs.resealing import reseal_stale

# Completed jobs are kept for a while, so that an e-mail that is enqueued again in that time is not sent twice.
COMPLETED_JOBS_KEPT = 30 * DAY


@dataclass(frozen=True, slots=True)
class ScheduledTask:
    """A periodic task."""

    every_seconds: float
    run: Callable[[Platform], Awaitable[object]]


TASKS: dict[str, ScheduledTask] = {
    "expired_sign_ins": ScheduledTask(600, lambda platform: sign_in.forget_expired(platform.db)),
    "old_merge_proposals": ScheduledTask(3600, lambda platform: account_merge.forget_old_proposals(platform.db)),
    "repository_sessions": ScheduledTask(600, lambda platform: sessions.keep_alive(platform.db, platform.network)),
    "over_sessions": ScheduledTask(3600, lambda platform: sessions.delete_expired(platform.db)),
    "unkept_recovery_keys": ScheduledTask(3600, lambda platform: recovery_keys.erase_overdue(platform.db)),
    "stale_seals": ScheduledTask(3600, reseal_stale),
    "address_key": ScheduledTask(3600, lambda platform: email_suppressions.ensure_key(platform.db, platform.code_key)),
    "calendar_digests": ScheduledTask(
        3600, lambda platform: replace_old_digests(platform.db, platform.code_key, platform.network.sealer)
    ),
    "attendance_proof_keys": ScheduledTask(
        3600, lambda platform: proof_keys.rotate_when_due(platform.db, platform.code_key)
    ),
    "client_keys": ScheduledTask(
        3600, lambda platform: oauth_client_keys.rotate_when_due(platform.db, platform.network)
    ),
    "old_access": ScheduledTask(3600, lambda platform: tokens.forget_old_access(platform.db)),
    "old_deliveries": ScheduledTask(3600, lambda platform: webhooks.forget_old_deliveries(platform.db)),
    "expired_drafts": ScheduledTask(3600, lambda platform: drafts.forget_expired_drafts(platform.db)),
    "scheduled_events": ScheduledTask(30, lambda platform: drafts.publish_due(platform.db)),
    "scheduled_messages": ScheduledTask(30, lambda platform: messages.send_due(platform.db)),
    "chat_access": ScheduledTask(5, lambda platform: chat_readers.apply_access_changes(platform.db)),
    "ended_chats": ScheduledTask(300, lambda platform: chat_rooms.archive_ended(platform.db)),
    "expired_chat": ScheduledTask(
        3600, lambda platform: forget_expired_messages(platform.db, platform.settings.chat_kept_days)
    ),
    "reminders": ScheduledTask(300, lambda platform: attendance.remind(platform.db)),
    "past_events": ScheduledTask(300, lambda platform: attendance.remove_past_events(platform.db)),
    "ended_offers": ScheduledTask(60, lambda platform: attendance.end_expired_offers(platform.db)),
    "last_calls": ScheduledTask(60, lambda platform: attendance.begin_last_calls(platform.db)),
    "expired_guest_answers": ScheduledTask(3600, lambda platform: actions.forget_expired(platform.db)),
    "reports_of_visitors": ScheduledTask(3600, lambda platform: reports.forget_visitors(platform.db)),
    "old_addresses": ScheduledTask(
        3600, lambda platform: actions.forget_addresses(platform.db, platform.settings.addresses_kept_days)
    ),
    "retention": ScheduledTask(3600, lambda platform: purge_expired(platform.db, _retention_times(platform.settings))),
    "deleted_accounts": ScheduledTask(600, lambda platform: take_due(platform.db, person_erasing(platform))),
    "old_pages": ScheduledTask(3600, discard_old_pages),
    "old_dead_letters": ScheduledTask(
        3600, lambda platform: dead_letters.delete_older_than(platform.queue, _buried_before(platform))
    ),
    "erased_dead_letters": ScheduledTask(
        3600,
        lambda platform: dead_letters.forget_erased(
            platform.db, platform.ingestion_context.erasure_keys, platform.queue
        ),
    ),
    "weekly_emails": ScheduledTask(300, lambda platform: enqueue_weeks(platform.db)),
    "sent_mails": ScheduledTask(3600, lambda platform: notifications.forget_sent_mails(platform.db)),
    "group_successions": ScheduledTask(3600, lambda platform: groups.run_successions(platform.db)),
    "group_events": ScheduledTask(120, lambda platform: announce_group_events(platform.db)),
    "search_finds": ScheduledTask(
        60, lambda platform: announce_public_events(platform.db, _front_page_policy(platform.settings))
    ),
    "searches_of_departed": ScheduledTask(3600, lambda platform: forget_departed(platform.db)),
    # Changes on this site make the room's job due at once. This task finds changes made in Matrix.
    "mirrored_rooms": ScheduledTask(86400, lambda platform: reconcile_rooms(platform.db)),
    "newcomers": ScheduledTask(30, lambda platform: decide_due(platform.db)),
    "expired_waiting_rsvps": ScheduledTask(
        3600, lambda platform: change_in_pages(platform.db, seen_rsvps.expire_awaiting)
    ),
    "old_in_flight_writes": ScheduledTask(3600, lambda platform: change_in_pages(platform.db, in_flight.forget_old)),
    "old_circuits": ScheduledTask(3600, lambda platform: change_in_pages(platform.db, circuits.forget_old)),
    "unread_repositories": ScheduledTask(3600, lambda platform: enqueue_reconciliations(platform.db)),
    "repaired_discrepancies": ScheduledTask(3600, lambda platform: forget_discrepancies(platform.db)),
    "completed_dates": ScheduledTask(300, lambda platform: series.complete_dates(platform.db)),
    "expired_undos": ScheduledTask(600, lambda platform: series.forget_undos(platform.db)),
    "old_imports": ScheduledTask(3600, lambda platform: change_in_pages(platform.db, imports.forget_old)),
    "subscribed_calendars": ScheduledTask(300, lambda platform: _read_calendars(platform, platform.settings.time_zone)),
    "running_calendars": ScheduledTask(
        3600, lambda platform: calendars.roll(platform.db, platform.workers, platform.settings.time_zone)
    ),
    "unused_pictures": ScheduledTask(3600, lambda platform: uploads.forget_unused(platform.db, platform.pictures)),
    "unused_chat_pictures": ScheduledTask(
        3600, lambda platform: chat_pictures.forget_unused(platform.db, platform.pictures)
    ),
    "unused_event_photos": ScheduledTask(3600, lambda platform: photos.forget_unused(platform.db, platform.pictures)),
    "failed_items": ScheduledTask(3600, lambda platform: change_in_pages(platform.db, failed_items.forget_undue)),
    "completed_jobs": ScheduledTask(3600, lambda platform: change_in_pages(platform.db, _forget_completed)),
}


def _retention_times(settings: Settings) -> RetentionTimes:
    return RetentionTimes(settings.deleted_kept_days, settings.answers_kept_days)


def _buried_before(platform: Platform) -> Instant | None:
    days = platform.settings.deleted_kept_days
    return Instant(platform.clock.now() - days * DAY) if days else None


def _front_page_policy(settings: Settings) -> FrontPagePolicy:
    return shown_in(settings.network_shown, settings.network_near)


async def _read_calendars(platform: Platform, site_zone: str) -> int:
    fetcher = CalendarFetcher(platform.network.http, platform.network.sealer)
    return await calendars.refresh_due(platform.db, fetcher, platform.workers, site_zone)


async def _forget_completed(tx: Transaction) -> int:
    return await jobs.forget_completed(tx, Instant(tx.now - COMPLETED_JOBS_KEPT))


async def work(platform: Platform, stop: asyncio.Event) -> None:
    """Run each task at its own interval until ``stop`` is set."""
    async with run_concurrently() as group:
        stateful_tasks = {
            "derived_positions": ScheduledTask(20, position_task()),
            "series_windows": ScheduledTask(600, _rolling(platform)),
        }
        for name, task in (TASKS | stateful_tasks).items():
            group.create_task(_run_repeatedly(name, task, platform, stop))


def position_task() -> Callable[[Platform], Awaitable[object]]:
    """Give events that have a town but no coordinates the position of their town. Unknown towns are looked up again
    whenever the list of places has changed, and once after each start, because it may have changed before.
    """
    known_list: tuple[int, int] | None = None

    async def derive_positions(platform: Platform) -> int:
        nonlocal known_list
        gazetteer = Gazetteer(places_path(platform.settings))
        try:
            if gazetteer.file_id not in {None, known_list}:
                await town_positions.retry_unknown_towns(platform.db)
                known_list = gazetteer.file_id
            return await town_positions.derive_positions_and_zones(platform.db, gazetteer)
        finally:
            await gazetteer.close()

    return derive_positions


def _rolling(platform: Platform) -> Callable[[Platform], Awaitable[object]]:
    """Create further dates of series, and count the stored ones."""
    counter = platform.metrics.counter("occurrences_generated", "Dates of series that were stored in advance")
    seconds = platform.metrics.histogram(
        "occurrences_generation_seconds", "Duration of one round of storing dates in advance"
    )

    async def roll(platform: Platform) -> None:
        elapsed = stopwatch()
        stored = await series.roll_windows(platform.db, platform.clock.now())
        counter.inc(stored)
        seconds.observe(elapsed())

    return roll


async def _run_repeatedly(name: str, task: ScheduledTask, platform: Platform, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await task.run(platform)
        except Exception as failure:  # noqa: BLE001 - the edge of a worker: the task runs again at its next turn
            log.error("task.failed", tenant=platform.tenant.name, task=name, **log_fields(failure))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(task.every_seconds):
                await stop.wait()
