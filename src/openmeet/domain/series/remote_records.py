"""Series records from the network: create and update read-only series, attach dates to them, and remove them."""

from dataclasses import replace
from typing import Final

from groundwork.database.transaction import Transaction
from openmeet.domain.events import series_dates
from openmeet.domain.events.content import Content
from openmeet.domain.events.model import EventId
from openmeet.domain.events.queries import lock_for_update
from openmeet.domain.series import date_queries, detection_queries, queries
from openmeet.domain.series.actions import new_series
from openmeet.domain.series.dates import original_of, original_text
from openmeet.domain.series.model import FOREVER, PublishPolicy, Series, SeriesId, Timing
from openmeet.domain.users.model import UserId
from openmeet.outbox import superseded_records
from openmeet.recurrence import expansion
from openmeet.recurrence.rule import format_rule

# Read-only series of this author that were read from event records, including deleted ones.
READ_BY_RULE: Final = """
    select id from event_series
     where user_id = :owner_id and is_read_only = 1 and name = :name and recurrence_rule = :rule
       and record_uri in (select record_uri from events where author_id = :owner_id)
     order by created_at desc, id limit 10
"""


def normal_name(name: str) -> str:
    """Normalize the original time by which a record identifies a date of the series. Empty if it is invalid."""
    try:
        return original_text(original_of(name))
    except ValueError:
        return ""


async def store_record_uri(tx: Transaction, series_id: SeriesId, uri: str | None) -> None:
    """Store the URI of the series' record, or None. Published dates refer to it, so their records are enqueued."""
    before = await queries.by_id(tx, series_id)
    if before is None or before.record_uri == uri:
        return
    await queries.set_record(tx, series_id, uri)
    await series_dates.make_published_dates_due(tx, [series_id])


async def apply_from_network(
    tx: Transaction, *, uri: str, owner_id: UserId, content: Content, timing: Timing
) -> Series | None:
    """Create or update the read-only series of this record. None if the record belongs to a series created on this
    site.
    """
    unlocked = await queries.by_record_uri(tx, uri)
    if unlocked is None:
        made = new_series(tx.now, owner_id, content, timing, PublishPolicy.NONE, None)
        series = replace(made, is_read_only=True, stored_until=FOREVER, record_uri=uri)
        await queries.insert(tx, series, submission=None)
        await superseded_records.delete(tx, uri)
        return series
    locked = await queries.lock(tx, unlocked.id)
    if locked is None or not locked.is_read_only:
        return None
    return await queries.save(
        tx,
        replace(
            locked,
            content=replace(
                locked.content,
                title=content.title,
                description=content.description,
                mode=content.mode,
                venue=content.venue,
            ),
            timing=timing,
            deleted_at=None,
        ),
    )


async def continue_by_rule(tx: Transaction, *, uri: str, owner_id: UserId, title: str, at: Timing) -> None:
    """If the record is unknown, attach it to the author's series with the same title and rule that has this date."""
    if at.pattern.rule is None or await queries.by_record_uri(tx, uri) is not None:
        return
    rows = await tx.fetch(READ_BY_RULE, owner_id=owner_id, name=title, rule=format_rule(at.pattern.rule))
    for row in rows:
        series = await queries.by_id(tx, SeriesId(row["id"]))
        if series is not None and expansion.is_date_of(series.timing.pattern, at.pattern.start):
            await queries.set_record(tx, series.id, uri)
            return


async def apply_deletion(tx: Transaction, uri: str) -> None:
    """Delete the series of another installation, after its record was deleted. Its dates stay as single events."""
    unlocked = await queries.by_record_uri(tx, uri)
    series = None if unlocked is None else await queries.lock(tx, unlocked.id)
    if series is None or series.record_uri != uri or not series.is_read_only:
        return
    await date_queries.detach(tx, [stored_date.event.id for stored_date in await date_queries.stored(tx, series.id)])
    await queries.save(tx, replace(series, deleted_at=tx.now))


async def attach_date(tx: Transaction, series: Series, event_id: EventId, name: str) -> bool:
    """Attach the author's event as the date with this name. False if it already belongs to a series or the name is
    taken.

    If two records claim the same date, the record with the smaller URI is used, even if it arrived later.
    """
    event = await lock_for_update(tx, event_id)
    named = normal_name(name)
    if event is None or event.author_id != series.owner_id or not named:
        return False
    # The author's statement takes precedence over detection.
    if event.position_in_series is not None and not await detection_queries.leave_inferred(tx, event.id):
        return False
    holder = await date_queries.date_of(tx, series.id, named)
    if holder is not None:
        if not (holder.is_gone or (event.record_uri or "") < (holder.record_uri or "")):
            return False
        await date_queries.detach(tx, [holder.id])
    await date_queries.set_positions(tx, [(event.id, series.id, named)])
    return True
