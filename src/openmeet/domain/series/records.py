"""Series and records: where one's own stands, and series that are only read from the network.

A series that was read has its author's rule, and makes no date of its own: its dates are the events that its author has published.
"""

from dataclasses import replace
from typing import Final

from groundwork.database.transaction import Transaction
from openmeet.domain.events import series_dates
from openmeet.domain.events.model import EventId
from openmeet.domain.events.queries import lock_for_update
from openmeet.domain.series import date_queries, detection_queries, queries
from openmeet.domain.series.actions import new_series
from openmeet.domain.series.dates import original_of, original_text
from openmeet.domain.series.model import FOREVER, Policy, Series, SeriesId, Template, Timing
from openmeet.domain.users.model import UserId
from openmeet.recurrence import expansion
from openmeet.recurrence.rule import format_rule

# Of an author, read in records of events, those that are gone among them.
READ_BY_RULE: Final = """
    select id from event_series
     where user_id = :owner_id and is_read_only = 1 and name = :name and recurrence_rule = :rule
       and record_uri in (select record_uri from events where author_id = :owner_id)
     order by created_at desc, id limit 10
"""


def normal_name(name: str) -> str:
    """The name of a date as it is stored; empty where it is none."""
    try:
        return original_text(original_of(name))
    except ValueError:
        return ""


async def note_record(tx: Transaction, series_id: SeriesId, uri: str | None) -> None:
    """The series' record is at this uri, or nowhere any more: its published dates name it."""
    before = await queries.by_id(tx, series_id)
    if before is None or before.record_uri == uri:
        return
    await queries.set_record(tx, series_id, uri)
    await series_dates.look_at_published(tx, series_id)


async def take_over(
    tx: Transaction, *, uri: str, owner_id: UserId, template: Template, timing: Timing
) -> Series | None:
    """The read-only series of this record says what its record says; None where the record is of one made here."""
    known = await queries.by_record_uri(tx, uri)
    if known is None:
        made = new_series(tx.now, owner_id, template, timing, Policy.NONE, None)
        series = replace(made, is_read_only=True, stored_until=FOREVER, record_uri=uri)
        await queries.insert(tx, series, submission=None)
        return series
    locked = await queries.lock(tx, known.id)
    if locked is None or not locked.is_read_only:
        return None
    return await queries.save(
        tx,
        replace(
            locked,
            template=replace(
                locked.template,
                title=template.title,
                description=template.description,
                mode=template.mode,
                venue=template.venue,
            ),
            timing=timing,
            deleted_at=None,
        ),
    )


async def go_on(tx: Transaction, *, uri: str, owner_id: UserId, title: str, at: Timing) -> None:
    """Where nobody knows this record, and its author had a series of that name by the same rule of which this is a date: it is that one.

    Its followers follow it on, also where the record that had the rule before has lost it a moment ago.
    """
    if at.pattern.rule is None or await queries.by_record_uri(tx, uri) is not None:
        return
    rows = await tx.fetch(READ_BY_RULE, owner_id=owner_id, name=title, rule=format_rule(at.pattern.rule))
    for row in rows:
        series = await queries.by_id(tx, SeriesId(row["id"]))
        if series is not None and expansion.is_date_of(series.timing.pattern, at.pattern.start):
            await queries.set_record(tx, series.id, uri)
            return


async def remove_from_network(tx: Transaction, uri: str) -> None:
    """The record is gone: its events stay, as events of their own."""
    known = await queries.by_record_uri(tx, uri)
    if known is None or not known.is_read_only:
        return
    series = await queries.lock(tx, known.id)
    if series is None:
        return
    await date_queries.forget_places(tx, [held.event.id for held in await date_queries.stored(tx, series.id)])
    await queries.save(tx, replace(series, deleted_at=tx.now))


async def place(tx: Transaction, series: Series, event_id: EventId, name: str) -> bool:
    """The author's event is the date of this name; False where it belongs to a series already, or another has the name.

    Of two records that claim one date the smaller address has it, whichever was heard of first.
    """
    event = await lock_for_update(tx, event_id)
    named = normal_name(name)
    if event is None or event.author_id != series.owner_id or not named:
        return False
    # What the author says of the series goes before what was inferred.
    if event.place_in_series is not None and not await detection_queries.leave_inferred(tx, event.id):
        return False
    holder = await date_queries.date_of(tx, series.id, named)
    if holder is not None:
        if not (holder.is_gone or (event.record_uri or "") < (holder.record_uri or "")):
            return False
        await date_queries.forget_places(tx, [holder.id])
    await date_queries.place(tx, [(event.id, series.id, named)])
    return True
