"""Scheduled tasks: refetch subscribed calendars, with back-off for failing ones, and move their windows."""

import zlib

from groundwork.clock import MINUTE, Instant
from groundwork.database.transaction import Database
from groundwork.errors import (
    Failure,
    InvalidInput,
    RemoteFailed,
    TooLarge,
    TooMany,
    Unavailable,
    encode_explanation,
    reason_of,
)
from groundwork.http.client import ResponseTooLarge
from groundwork.sealing import CannotUnseal
from groundwork.telemetry.logs import log
from groundwork.workers.limits import JobStopped
from groundwork.workers.pool import ChargedPool, WorkerPool
from groundwork.workers.quota import person
from openmeet.domain.calendars import queries
from openmeet.domain.calendars.fetch import SEAL_PURPOSE, CalendarFetcher, FetchedFile, fetch, is_gone
from openmeet.domain.calendars.model import (
    AHEAD,
    COSTLY,
    LONGEST_PAUSE,
    MAX_COSTLY_FAILURES,
    MAX_FAILURES,
    REFRESH_EVERY,
    ROLL_BEFORE,
    CalendarReason,
    FeedFailure,
    FeedHealth,
    ReadFile,
)
from openmeet.domain.calendars.queries import Address
from openmeet.domain.calendars.subscriptions import read

# Calendars that one run fetches, one after another, so that a run takes at most a few minutes.
ROUND = 50
# Longer than a run, but short enough that a crashed worker does not block its calendars for long.
_LEASE = 30 * MINUTE
# By then the owner may have budget for parsing again, or a worker process may be free.
_BUSY_PAUSE = 30 * MINUTE


async def refresh_due(db: Database, fetcher: CalendarFetcher, pool: WorkerPool, site_zone: str) -> int:
    """Fetch the calendars that are due. Parsing is charged to their owners. Return how many calendars changed.

    ``site_zone``: the zone of floating times for owners without one (``queries.zone_of_person``).
    """
    async with db.transaction() as tx:
        due = await queries.claim_due(tx, ROUND, Instant(tx.now + _LEASE))
    changed = 0
    for address in due:
        try:
            changed += await refresh(db, fetcher, pool.charged_to(person(address.user_id)), address, site_zone)
        except (TooMany, Unavailable) as busy:
            log.info("calendar.postponed", reason=busy.name)
            async with db.transaction() as tx:
                await queries.postpone(tx, address.id, Instant(tx.now + _BUSY_PAUSE))
    return changed


async def refresh(
    db: Database, fetcher: CalendarFetcher, workers: ChargedPool, address: Address, site_zone: str
) -> bool:
    """Fetch one calendar. Return True if it changed. A failure is stored with the calendar and not raised.

    ``site_zone`` is as in ``refresh_due``. Raises TooMany and Unavailable if nothing can be parsed for the owner now,
    which is not the calendar's fault.
    """
    if address.url_sealed is None:
        return False
    async with db.reader() as reader:
        now = reader.now
        zone = await queries.zone_of_person(reader, address.user_id, site_zone)
    try:
        url = fetcher.sealer.unseal(address.url_sealed, SEAL_PURPOSE).decode()
        fetched = await fetch(fetcher.http, url, etag=address.etag, last_modified=address.last_modified)
        parsed = (
            None
            if fetched.content in {None, address.content}
            else await read(workers, fetched.content or b"", now, zone)
        )
    except (TooMany, Unavailable):
        raise
    except (Failure, CannotUnseal) as failure:
        await _note_failure(db, address, failure)
        return False
    await _note(db, address, fetched, parsed)
    return parsed is not None


async def roll(db: Database, pool: WorkerPool, site_zone: str) -> int:
    """Re-expand calendars whose stored window ends soon. Return how many. ``site_zone`` is as in ``refresh_due``."""
    async with db.reader() as reader:
        now = reader.now
        waiting = await queries.running_out(reader, Instant(now + ROLL_BEFORE), ROUND)
    done = 0
    for address in waiting:
        workers = pool.charged_to(person(address.user_id))
        async with db.reader() as reader:
            zone = await queries.zone_of_person(reader, address.user_id, site_zone)
        try:
            dates = (await read(workers, address.content, now, zone)).dates
        except (TooMany, Unavailable):
            continue  # retried in the next run
        except JobStopped as stopped:
            # It was parsed successfully before, so its known dates stay, and its owner is notified of the problem.
            async with db.transaction() as tx:
                until = Instant(now + AHEAD)
                await queries.keep_dates(
                    tx, address.id, until, FeedFailure.TOO_MUCH_WORK, encode_explanation(reason_of(stopped))
                )
            continue
        except (InvalidInput, TooLarge):
            # A newer parser may be stricter and reject the stored content. Then no dates of the calendar are shown.
            dates = ()
        async with db.transaction() as tx:
            current = await queries.lock(tx, address.id)
            if current is None or current.content != address.content:
                continue  # fetched meanwhile, with its own dates
            await queries.put_dates(tx, address.id, address.user_id, dates, Instant(now + AHEAD))
        done += 1
    return done


async def _note(db: Database, address: Address, fetched: FetchedFile, parsed: ReadFile | None) -> None:
    async with db.transaction() as tx:
        await queries.note_fetched(
            tx,
            address.id,
            content=None if parsed is None else fetched.content,
            etag=fetched.etag,
            last_modified=fetched.last_modified,
            next_fetch_at=Instant(tx.now + REFRESH_EVERY + _jitter(address)),
        )
        if parsed is not None:
            await queries.put_dates(tx, address.id, address.user_id, parsed.dates, Instant(tx.now + AHEAD))


async def _note_failure(db: Database, address: Address, failure: Exception) -> None:
    reason = _reason(failure)
    most = MAX_COSTLY_FAILURES if reason in COSTLY else MAX_FAILURES
    is_over = address.failures + 1 >= most or reason in {FeedFailure.GONE, FeedFailure.ADDRESS_LOST}
    pause = min(REFRESH_EVERY * 2 ** min(address.failures, 10), LONGEST_PAUSE) + _jitter(address)
    async with db.transaction() as tx:
        await queries.note_failed(
            tx,
            address.id,
            health=FeedHealth.GIVEN_UP if is_over else FeedHealth.FAILING,
            reason=reason,
            problem=encode_explanation(
                reason_of(failure) if isinstance(failure, Failure) else CalendarReason.ADDRESS_UNREADABLE
            ),
            next_fetch_at=None if is_over else Instant(tx.now + pause),
        )


def _reason(failure: Exception) -> FeedFailure:
    match failure:
        case JobStopped():
            return FeedFailure.TOO_MUCH_WORK
        case TooLarge() | ResponseTooLarge():
            return FeedFailure.TOO_LARGE
        case CannotUnseal():
            return FeedFailure.ADDRESS_LOST
        case RemoteFailed() if is_gone(failure):
            return FeedFailure.GONE
        case InvalidInput():
            return FeedFailure.NO_CALENDAR
        case _:
            return FeedFailure.UNREACHABLE


def _jitter(address: Address) -> int:
    """A delay of up to half an hour, constant per calendar, so that a thousand calendars of one host are not fetched
    within a minute.
    """
    return zlib.crc32(address.id.encode()) % (30 * MINUTE)
