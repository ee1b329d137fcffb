"""What happens to subscribed calendars by the clock: fetched again, with patience for those that fail; their dates moved on."""

import zlib

from groundwork.clock import MINUTE, Instant
from groundwork.database.transaction import Database
from groundwork.errors import Failure, InvalidInput, RemoteFailed, TooLarge
from groundwork.sealing import CannotUnseal
from openmeet.personal_calendar import queries
from openmeet.personal_calendar.actions import read
from openmeet.personal_calendar.fetching import SEAL_PURPOSE, Fetched, Outgoing, fetch, is_gone
from openmeet.personal_calendar.model import (
    AHEAD,
    LONGEST_PAUSE,
    MOST_FAILURES,
    REFRESH_EVERY,
    ROLL_BEFORE,
    Health,
    ReadFile,
)
from openmeet.personal_calendar.queries import Address

# Calendars that one round fetches, one after another: a round takes at most a few minutes.
ROUND = 50
# Longer than a round: who dies with a calendar in hand does not keep it for long.
_LEASE = 30 * MINUTE


async def refresh_due(db: Database, outgoing: Outgoing, zone: str) -> int:
    """Fetch what is due; how many calendars said something new."""
    async with db.transaction() as tx:
        due = await queries.claim_due(tx, ROUND, Instant(tx.now + _LEASE))
    changed = 0
    for address in due:
        changed += await refresh(db, outgoing, address, zone)
    return changed


async def refresh(db: Database, outgoing: Outgoing, address: Address, zone: str) -> bool:
    """Fetch one calendar; True where it says something new. A failure is kept with the calendar, and is no failure here."""
    if address.url_sealed is None:
        return False
    async with db.reader() as reader:
        now = reader.now
    try:
        url = outgoing.sealer.unseal(address.url_sealed, SEAL_PURPOSE).decode()
        fetched = await fetch(outgoing.http, url, etag=address.etag, last_modified=address.last_modified)
        said = None if fetched.content in {None, address.content} else await read(fetched.content or b"", now, zone)
    except (Failure, CannotUnseal) as failure:
        await _note_failure(db, address, failure)
        return False
    await _note(db, address, fetched, said)
    return said is not None


async def roll(db: Database, zone: str) -> int:
    """Compute anew the dates of calendars whose kept ones run out; how many there were."""
    async with db.reader() as reader:
        now = reader.now
        waiting = await queries.running_out(reader, Instant(now + ROLL_BEFORE), ROUND)
    for address in waiting:
        try:
            dates = (await read(address.content, now, zone)).dates
        except (InvalidInput, TooLarge):
            # It was read once; a newer reader may be stricter, and then nothing of it is shown.
            dates = ()
        async with db.transaction() as tx:
            await queries.put_dates(tx, address.id, address.user_id, dates, Instant(now + AHEAD))
    return len(waiting)


async def _note(db: Database, address: Address, fetched: Fetched, said: ReadFile | None) -> None:
    async with db.transaction() as tx:
        await queries.note_fetched(
            tx,
            address.id,
            content=None if said is None else fetched.content,
            etag=fetched.etag,
            last_modified=fetched.last_modified,
            next_fetch_at=Instant(tx.now + REFRESH_EVERY + _jitter(address)),
        )
        if said is not None:
            await queries.put_dates(tx, address.id, address.user_id, said.dates, Instant(tx.now + AHEAD))


async def _note_failure(db: Database, address: Address, failure: Exception) -> None:
    is_over = address.failures + 1 >= MOST_FAILURES or (isinstance(failure, RemoteFailed) and is_gone(failure))
    pause = min(REFRESH_EVERY * 2 ** min(address.failures, 10), LONGEST_PAUSE) + _jitter(address)
    async with db.transaction() as tx:
        await queries.note_failed(
            tx,
            address.id,
            health=Health.GIVEN_UP if is_over else Health.FAILING,
            problem=failure.why
            if isinstance(failure, Failure)
            else "Its address cannot be read any more; add it again.",
            next_fetch_at=None if is_over else Instant(tx.now + pause),
        )


def _jitter(address: Address) -> int:
    """Up to half an hour, the same for the same calendar: a thousand of one host are not fetched in one minute."""
    return zlib.crc32(address.id.encode()) % (30 * MINUTE)
