"""Import events, each in its own transaction: as drafts, or as series that only their host sees. Events that were
imported before are skipped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from functools import partial

from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import Failure, InvalidForm, InvalidInput, NotFound, Why, encode_explanation
from groundwork.workers.pool import ChargedPool
from openmeet.domain.events import drafts
from openmeet.domain.events.model import Details
from openmeet.domain.events.queries import lock_for_update
from openmeet.domain.events.rules import Submission, check
from openmeet.domain.events.series_dates import set_date_status
from openmeet.domain.events.values import Visibility
from openmeet.domain.imports import queries, updates
from openmeet.domain.imports.calendar_file import continued, parse_calendar, rest_of
from openmeet.domain.imports.duplicates import lookalikes
from openmeet.domain.imports.event_json_ld import parse_page
from openmeet.domain.imports.last_import import last_import_of
from openmeet.domain.imports.model import (
    ZONE,
    FileReading,
    Import,
    ImportedEvent,
    ImportId,
    ImportMatch,
    ImportResult,
    Medium,
    OccurrenceOverride,
    ParsedImport,
)
from openmeet.domain.imports.reasons import ImportReason
from openmeet.domain.series import actions as series
from openmeet.domain.series import cancel_dates, date_queries, materialize
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series.dates import length_in, original_of
from openmeet.domain.series.model import PublishPolicy, Series, Timing
from openmeet.domain.series.plan import plan_all, plan_following, plan_one
from openmeet.domain.users.model import Caller, UserId
from openmeet.i18n.catalogue import current, in_language
from openmeet.recurrence.pattern import parse_dates, pattern
from openmeet.recurrence.rule import parse_rule
from openmeet.recurrence.wall_time import is_zone, local_of


async def parse_upload(workers: ChargedPool, arrived: Import, reading: FileReading) -> ParsedImport:
    """Parse the stored upload in a worker process, with the zone chosen for it or otherwise the zone of ``reading``.

    Raises InvalidInput, TooLarge (also if parsing takes too much work), TooMany and Unavailable.
    """
    chosen = arrived.columns.get(ZONE, "")
    zone = chosen or reading.zone
    if arrived.medium is Medium.PAGE:
        work = partial(parse_page, arrived.content, arrived.source, zone)
    else:
        work = partial(parse_calendar, arrived.content, zone, is_chosen=bool(chosen), call_hosts=reading.call_hosts)
    return await workers.run(partial(in_language, current().tag, work))


async def matches(
    reader: Reader, user_id: UserId, events: Sequence[ImportedEvent], host: str
) -> Mapping[str, ImportMatch]:
    """Find out which of these events are new, by UID. A UID that this site made matches the user's own event or series
    if it still exists.
    """
    uids = [event.uid for event in events]
    known = await queries.known_uids(reader, user_id, uids)
    ours = {uid.removesuffix(f"@{host}"): uid for uid in uids if uid.endswith(f"@{host}")}
    own = {ours[one] for one in await queries.own_ids(reader, user_id, list(ours))}
    return {
        uid: ImportMatch.OWN if uid in own else ImportMatch.KNOWN if uid in known else ImportMatch.NEW for uid in uids
    }


async def choose_zone(tx: Transaction, arrived: Import, zone: str) -> None:
    """Choose the time zone for events that have none or an unknown one. Raises InvalidForm (``time_zone``)."""
    if not is_zone(zone):
        raise InvalidForm({ZONE: ImportReason.UNKNOWN_ZONE})
    await queries.choose_columns(tx, arrived.id, {ZONE: zone})


async def import_events(
    db: Database,
    workers: ChargedPool,
    caller: Caller,
    import_id: ImportId,
    chosen: frozenset[str] | None,
    reading: FileReading,
    host: str,
    *,
    taken: frozenset[str] = frozenset(),
) -> ImportResult:
    """Import all events, or those whose UIDs were chosen. Idempotent, even when run concurrently.

    ``taken``: UIDs of events imported before, whose changes in the file are applied. Likely duplicates of the caller's
    own events are imported only if they were chosen.

    Raises NotFound (no such import, or it expired).
    """
    async with db.reader() as reader:
        arrived = await queries.find(reader, caller.user_id, import_id)
    if arrived is None:
        raise NotFound(ImportReason.NO_SUCH_IMPORT)
    if arrived.outcome is not None:
        return ImportResult(**arrived.outcome)
    whole = await parse_upload(workers, arrived, reading)
    wanted = [event for event in whole.events if chosen is None or event.uid in chosen]
    async with db.reader() as reader:
        known = await matches(reader, caller.user_id, wanted, host)
        alike = await lookalikes(reader, caller.user_id, wanted) if chosen is None else {}
        differing = await updates.updates_of(reader, caller.user_id, [one for one in whole.events if one.uid in taken])
    outcome = ImportResult()
    for event in whole.events:
        if event.uid in differing:
            try:
                async with db.transaction() as tx:
                    await updates.take(tx, caller, event, differing[event.uid])
                outcome.updated.append(differing[event.uid].path)
            except Failure as failure:
                outcome.left_out.append(_left_out(event, failure.why))
    for event in wanted:
        if known[event.uid] is not ImportMatch.NEW:
            outcome.known += event.uid not in differing
            continue
        if event.uid in alike:
            other = ImportReason.LOOKS_LIKE_YOURS if alike[event.uid].path else ImportReason.LOOKS_LIKE_EARLIER
            outcome.left_out.append(_left_out(event, other))
            continue
        try:
            async with db.transaction() as tx:
                path = await _event(tx, caller, event)
                is_first = await queries.note_event(tx, caller.user_id, event.uid, path, last_import_of(event))
                if not is_first:
                    raise _AlreadyKnown  # noqa: TRY301  # what was made in this transaction must not stay
            outcome.made.append(path)
        except _AlreadyKnown:
            outcome.known += 1
        except Failure as failure:
            outcome.left_out.append(_left_out(event, failure.why))
    async with db.transaction() as tx:
        await queries.finish(tx, import_id, asdict(outcome))
    return outcome


class _AlreadyKnown(Exception):  # Not a failure: a concurrent import already has the event.
    pass


def _left_out(event: ImportedEvent, why: Why) -> str:
    """Why an event of the file was not imported, in the form in which it is stored."""
    title = event.typed.title
    if not title:
        return encode_explanation(ImportReason.LEFT_OUT_UNTITLED(problem=why))
    return encode_explanation(ImportReason.LEFT_OUT(title=title, problem=why))


async def _event(tx: Transaction, caller: Caller, found: ImportedEvent) -> str:
    """Create the event or series and return its path."""
    if not found.repeats:
        called_off = found.reason if found.is_cancelled else None
        event = await drafts.begin(tx, caller, found.typed, {}, cancel_reason=called_off, status=found.named_status)
        return f"/events/{event.slug}"
    made = await _series(tx, caller, found)
    return f"/series/{made.slug}"


async def _series(tx: Transaction, caller: Caller, found: ImportedEvent) -> Series:
    # Only the host sees it until they change that.
    details = _checked(replace(found.typed, visibility=Visibility.PRIVATE.value))
    zone = details.time_zone
    made = pattern(
        datetime.fromisoformat(details.starts_local),
        zone,
        parse_rule(found.rule) if found.rule else None,
        left_out=parse_dates(found.left_out, zone),
        added=parse_dates(found.added, zone),
        is_all_day=details.is_all_day,
    )
    length = None if found.minutes is None else timedelta(minutes=found.minutes)
    whole = await series.create(tx, caller, details.content, Timing(made, length), policy=PublishPolicy.NONE)
    part = whole
    # Keyed by part id; None for an event that is not cancelled.
    of_whole = found.reason if found.is_cancelled else None
    reasons = {whole.id: of_whole}
    for change in found.changes:
        part = await _change(tx, part, change)
        if change.and_following and change.is_cancelled:
            reasons[part.id] = change.reason
        else:
            reasons.setdefault(part.id, of_whole)
    # Cancel last, because a cancelled series materializes no dates, and their overrides would be lost.
    for part_id, reason in reasons.items():
        if reason is not None:
            locked = await series_queries.lock(tx, part_id)
            assert locked is not None  # noqa: S101  # made above
            await cancel_dates.cancel(tx, locked, reason, notifies=False)
    return whole


async def _change(tx: Transaction, whole: Series, change: OccurrenceOverride) -> Series:
    """Apply one override or cancellation, or a "this and following" change. Returns the series to which later changes
    apply.
    """
    locked = await series_queries.lock(tx, whole.id)
    assert locked is not None  # noqa: S101  # made in this transaction
    if change.and_following:
        return await _following(tx, locked, change)
    try:
        event = await materialize.ensure_stored(tx, locked, change.original)
    except NotFound:
        # An override of a date that does not exist in the rule is ignored.
        return whole
    if change.is_cancelled:
        await cancel_dates.cancel_dates(tx, locked, [change.original], change.reason, notifies=False)
        return whole
    details = _checked(replace(change.typed, visibility=Visibility.PRIVATE.value))
    stored = await date_queries.stored(tx, locked.id)
    held = next(one for one in stored if one.event.id == event.id)
    await series.apply_plan(tx, locked, plan_one(locked, held, details), notifies=False)
    if change.named_status is not None:
        date = await lock_for_update(tx, event.id)
        assert date is not None  # noqa: S101  # stored above
        await set_date_status(tx, date, change.named_status)
    return whole


async def _following(tx: Transaction, whole: Series, change: OccurrenceOverride) -> Series:
    """Split the series as the file says. If no rule can express the new times, only that date is moved."""
    name = original_of(change.original)
    rest = rest_of(whole.timing.pattern, name)
    if rest is None:
        return whole
    details = _checked(replace(change.typed, visibility=Visibility.PRIVATE.value))
    length = length_in(details)
    starts = local_of(details.starts_at, whole.zone_name).replace(tzinfo=None)
    is_alike = details.is_all_day is whole.timing.pattern.is_all_day
    made = continued(rest, name, starts, length) if is_alike else None
    timing = made or Timing(rest, length if is_alike else whole.timing.length)
    stored = await date_queries.stored(tx, whole.id)
    content = details.content
    if rest is whole.timing.pattern:
        plan = plan_all(whole, content, timing, stored, tx.now)
    else:
        plan = plan_following(whole, change.original, content, timing, stored, tx.now)
    behind = await series.apply_plan(tx, whole, plan, notifies=False)
    if made is None:
        await _change(tx, behind, replace(change, and_following=False, is_cancelled=False))
    return behind


def _checked(typed: Submission) -> Details:
    try:
        return check(typed)
    except InvalidForm as wrong:
        raise InvalidInput("file", ImportReason.PROBLEMS, problems=tuple(wrong.problems.values())) from None
