"""Import events, each in its own transaction: as drafts, or as series that only their host sees. Events that were
imported before are skipped.

``likely_duplicates`` finds the same event in a page and a file, or in two calendars with different UIDs. An imported
event is compared with the other events of the file and with those that the user made or co-hosts. A similar title and
the same start do not prove a duplicate, so the user sees the other event and decides.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from functools import partial
from itertools import groupby

from groundwork.clock import Instant
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import Failure, InvalidForm, InvalidInput, NotFound, Why, encode_explanation
from groundwork.workers.pool import ChargedPool
from openmeet.domain.events import drafts
from openmeet.domain.events.model import Details, EventStatus
from openmeet.domain.events.queries import lock_for_update
from openmeet.domain.events.rules import Submission, check
from openmeet.domain.events.series_dates import set_date_status
from openmeet.domain.events.values import MAX_PLACE_PART, Visibility
from openmeet.domain.imports import queries, updates
from openmeet.domain.imports.calendar_file import continued, parse_calendar, rest_of
from openmeet.domain.imports.event_json_ld import parse_page
from openmeet.domain.imports.event_times import with_zones_of_places
from openmeet.domain.imports.model import (
    ZONE,
    FileReading,
    Import,
    ImportedEvent,
    ImportId,
    ImportMatch,
    ImportReason,
    ImportResult,
    Medium,
    OccurrenceOverride,
    ParsedImport,
    SelectedEvents,
    last_import_of,
)
from openmeet.domain.places.gazetteer import Gazetteer
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series import apply_edits, cancel_dates, date_queries, materialize
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series.dates import length_in, original_of
from openmeet.domain.series.model import PublishPolicy, Series, Timing
from openmeet.domain.series.plan import joined, plan_all, plan_following, plan_one
from openmeet.domain.users.model import Caller, UserId
from openmeet.i18n.catalogue import current, in_language
from openmeet.i18n.markdown import one_line
from openmeet.recurrence.wall_time import is_zone, local_of


async def parse_upload(workers: ChargedPool, upload: Import, reading: FileReading) -> ParsedImport:
    """Parse the stored upload in a worker process, with the zone chosen for it or otherwise the zone of ``reading``.

    Raises InvalidInput, TooLarge (also if parsing takes too much work), TooMany and Unavailable.
    """
    chosen_zone = upload.columns.get(ZONE, "")
    zone = chosen_zone or reading.zone
    if upload.medium is Medium.PAGE:
        work = partial(parse_page, upload.content, upload.source, zone)
    else:
        work = partial(
            parse_calendar,
            upload.content,
            zone,
            is_chosen=bool(chosen_zone),
            call_hosts=reading.call_hosts,
            arrived_at=upload.created_at,
        )
    parsed: ParsedImport = await workers.run(partial(in_language, current().tag, work))
    # The worker process has no list of places.
    if reading.places is None:
        return parsed
    if upload.medium is Medium.PAGE:
        return replace(parsed, events=with_zones_of_places(parsed.events, reading.places))
    return _with_towns(parsed, reading.places)


# Look-ups of one file. Most calendars have a handful of places.
_MAX_TOWNS = 100


@dataclass(frozen=True, slots=True)
class SimilarEvent:
    """The event that an imported one resembles: the ``path`` of an event that the user hosts, or the ``uid`` of an
    earlier event in the file.
    """

    path: str = ""
    uid: str = ""


NOTHING = SimilarEvent()


def _with_towns(parsed: ParsedImport, places: Gazetteer) -> ParsedImport:
    """The events, except that ``Hall, Some House`` is a name again, of which the parser took the last part for the
    town.
    """
    submissions = [typed for event in parsed.events for typed in (event.typed, *(one.typed for one in event.changes))]
    named = dict.fromkeys(typed.locality for typed in submissions if _has_guessed_town(typed))
    towns = {name: places.find(name) for name in list(named)[:_MAX_TOWNS]}
    unknown = {name for name, found in towns.items() if found.place is None and not found.choices}

    def corrected(typed: Submission) -> Submission:
        if not _has_guessed_town(typed) or typed.locality not in unknown:
            return typed
        return replace(typed, venue_name=f"{typed.venue_name}, {typed.locality}"[:MAX_PLACE_PART], locality="")

    events = [
        replace(
            event,
            typed=corrected(event.typed),
            changes=tuple(replace(one, typed=corrected(one.typed)) for one in event.changes),
        )
        for event in parsed.events
    ]
    return replace(parsed, events=tuple(events))


def _has_guessed_town(typed: Submission) -> bool:
    """Whether the place has a name and a town and nothing else, such as a postal code, that shows that it is a town."""
    others = (typed.street, typed.postal_code, typed.region, typed.country)
    return bool(typed.venue_name and typed.locality) and not any(others)


async def matches(
    reader: Reader, user_id: UserId, events: Sequence[ImportedEvent], host: str
) -> Mapping[str, ImportMatch]:
    """Find out which of these events are new, by UID. A UID that this site made matches the user's own event or series
    if it still exists.
    """
    uids = [event.uid for event in events]
    known_uids = await queries.known_uids(reader, user_id, uids)
    own_ids = {uid.removesuffix(f"@{host}"): uid for uid in uids if uid.endswith(f"@{host}")}
    own_uids = {own_ids[one] for one in await queries.own_ids(reader, user_id, list(own_ids))}
    return {
        uid: ImportMatch.OWN if uid in own_uids else ImportMatch.KNOWN if uid in known_uids else ImportMatch.NEW
        for uid in uids
    }


async def likely_duplicates(
    reader: Reader, user_id: UserId, events: Sequence[ImportedEvent]
) -> Mapping[str, SimilarEvent]:
    """Find likely duplicates, keyed by the UID of the imported event."""
    likenesses: dict[str, tuple[str, Instant]] = {}
    for imported in events:
        try:
            details = check(imported.typed)
        except InvalidForm:
            continue  # An event without a start cannot be compared; the import itself reports that error.
        likenesses[imported.uid] = (_folded(details.content.title), details.starts_at)
    starts = sorted({at for _, at in likenesses.values()})
    own = {(_folded(title), at): slug for slug, title, at in await queries.own_starting(reader, user_id, starts)}
    first: dict[tuple[str, Instant], str] = {}
    found_alike: dict[str, SimilarEvent] = {}
    for uid, one in likenesses.items():
        if one in own:
            found_alike[uid] = SimilarEvent(path=f"/events/{own[one]}")
        elif first.setdefault(one, uid) != uid:
            found_alike[uid] = SimilarEvent(uid=first[one])
    return found_alike


def _folded(title: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", one_line(title)).casefold())


async def choose_zone(tx: Transaction, upload: Import, zone: str) -> None:
    """Choose the time zone for events that have none or an unknown one. Raises InvalidForm (``time_zone``)."""
    if not is_zone(zone):
        raise InvalidForm({ZONE: ImportReason.UNKNOWN_ZONE})
    await queries.choose_columns(tx, upload.id, {ZONE: zone})


async def import_events(
    db: Database,
    workers: ChargedPool,
    caller: Caller,
    import_id: ImportId,
    selection: SelectedEvents,
    reading: FileReading,
    host: str,
) -> ImportResult:
    """Import the selected events of an upload. Idempotent, even when run concurrently.

    Likely duplicates of the caller's own events, and past events, are imported only if they were selected one by one.
    ``host``: the host name of this site, by which its own events are recognised.

    Raises NotFound (no such import, or it expired).
    """
    async with db.reader() as reader:
        upload = await queries.find(reader, caller.user_id, import_id)
    if upload is None:
        raise NotFound(ImportReason.NO_SUCH_IMPORT)
    if upload.outcome is not None:
        return ImportResult(**upload.outcome)
    parsed = await parse_upload(workers, upload, reading)
    takes_all = selection.to_create is None
    selected = [one for one in parsed.events if selection.to_create is None or one.uid in selection.to_create]
    to_update = [event for event in parsed.events if event.uid in selection.to_update]
    async with db.reader() as reader:
        matches_by_uid = await matches(reader, caller.user_id, selected, host)
        duplicates_by_uid = await likely_duplicates(reader, caller.user_id, selected) if takes_all else {}
        updates_by_uid = await updates.updates_of(reader, caller.user_id, to_update)
        now = reader.now
    result = ImportResult()
    for event in parsed.events:
        if event.uid in updates_by_uid:
            await _apply_update(db, caller, event, updates_by_uid[event.uid], result)
    for event in selected:
        if matches_by_uid[event.uid] is not ImportMatch.NEW:
            result.known += event.uid not in updates_by_uid
        elif event.uid in duplicates_by_uid:
            has_path = bool(duplicates_by_uid[event.uid].path)
            reason = ImportReason.LOOKS_LIKE_YOURS if has_path else ImportReason.LOOKS_LIKE_EARLIER
            result.left_out.append(_left_out(event, reason))
        elif takes_all and event.is_over(now):
            result.left_out.append(_left_out(event, ImportReason.OVER))
        else:
            await _import_event(db, caller, event, result)
    async with db.transaction() as tx:
        await queries.finish(tx, import_id, asdict(result))
    return result


async def _apply_update(
    db: Database, caller: Caller, event: ImportedEvent, update: updates.ImportUpdate, result: ImportResult
) -> None:
    try:
        async with db.transaction() as tx:
            await updates.apply_update(tx, caller, event, update)
        result.updated.append(update.path)
    except Failure as failure:
        result.left_out.append(_left_out(event, failure.why))


async def _import_event(db: Database, caller: Caller, event: ImportedEvent, result: ImportResult) -> None:
    try:
        async with db.transaction() as tx:
            path = await _event(tx, caller, event)
            is_first = await queries.note_event(tx, caller.user_id, event.uid, path, last_import_of(event))
            if not is_first:
                raise _AlreadyKnown  # noqa: TRY301  # what was made in this transaction must not stay
        result.made.append(path)
    except _AlreadyKnown:
        result.known += 1
    except Failure as failure:
        result.left_out.append(_left_out(event, failure.why))


class _AlreadyKnown(Exception):  # Not a failure: a concurrent import already has the event.
    pass


def _left_out(event: ImportedEvent, why: Why) -> str:
    """Why an event of the file was not imported, in the form in which it is stored."""
    title = event.typed.title
    if not title:
        return encode_explanation(ImportReason.LEFT_OUT_UNTITLED(problem=why))
    return encode_explanation(ImportReason.LEFT_OUT(title=title, problem=why))


async def _event(tx: Transaction, caller: Caller, imported: ImportedEvent) -> str:
    """Create the event or series and return its path."""
    if not imported.repeats:
        status = EventStatus.CANCELLED if imported.is_cancelled else imported.named_status
        event = await drafts.begin_imported(
            tx, caller, imported.typed, status=status, status_reason=imported.reason if imported.is_cancelled else ""
        )
        return f"/events/{event.slug}"
    series = await _series(tx, caller, imported)
    return f"/series/{series.slug}"


async def _series(tx: Transaction, caller: Caller, imported: ImportedEvent) -> Series:
    # Only the host sees it until they change that.
    details = _checked(replace(imported.typed, visibility=Visibility.PRIVATE.value))
    recurrence = updates.pattern_in_file(imported, details)
    length = None if imported.minutes is None else timedelta(minutes=imported.minutes)
    created = await series_actions.create(
        tx, caller, details.content, Timing(recurrence, length), policy=PublishPolicy.NONE
    )
    current = created
    # Keyed by part id; None for an event that is not cancelled.
    series_reason = imported.reason if imported.is_cancelled else None
    reasons = {created.id: series_reason}
    for and_following, changes in groupby(imported.changes, lambda change: change.and_following):
        if not and_following:
            await _change_dates(tx, current, list(changes))
            continue
        for change in changes:
            current = await _following(tx, await _lock(tx, current), change)
            if change.is_cancelled:
                reasons[current.id] = change.reason
            else:
                reasons.setdefault(current.id, series_reason)
    # Cancel last, because a cancelled series materializes no dates, and their overrides would be lost.
    for part_id, reason in reasons.items():
        if reason is not None:
            locked = await series_queries.lock(tx, part_id)
            assert locked is not None  # noqa: S101  # made above
            await cancel_dates.cancel(tx, locked, reason, notifies=False)
    return created


async def _lock(tx: Transaction, created: Series) -> Series:
    locked = await series_queries.lock(tx, created.id)
    assert locked is not None  # noqa: S101  # made in this transaction
    return locked


async def _change_dates(tx: Transaction, created: Series, changes: Sequence[OccurrenceOverride]) -> None:
    """Apply overrides and cancellations of single dates. All of them together, because every action reads all dates.

    An override of a date that does not exist in the rule is ignored.
    """
    locked = await _lock(tx, created)
    changes = await materialize.store_existing(tx, locked, changes, name=lambda change: change.original)
    edited = [change for change in changes if not change.is_cancelled]
    stored = {
        one.event.position_in_series.original_date: one
        for one in (await date_queries.stored(tx, locked.id) if edited else [])
        if one.event.position_in_series is not None
    }
    plans = [
        plan_one(
            locked,
            stored[change.original],
            _checked(replace(change.typed, visibility=Visibility.PRIVATE.value)),
        )
        for change in edited
    ]
    if plans:
        await apply_edits.apply_plan(tx, locked, joined(plans), notifies=False)
    for change in edited:
        if change.named_status is not None:
            date = await lock_for_update(tx, stored[change.original].event.id)
            assert date is not None  # noqa: S101  # stored above
            await set_date_status(tx, date, change.named_status)
    reasons = {change.original: change.reason for change in changes if change.is_cancelled}
    if reasons:
        await cancel_dates.cancel_for_reasons(tx, locked, reasons, notifies=False)


async def _following(tx: Transaction, created: Series, change: OccurrenceOverride) -> Series:
    """Split the series as the file says. If no rule can express the new times, only that date is moved."""
    original_key = original_of(change.original)
    remaining = rest_of(created.timing.pattern, original_key)
    if remaining is None:
        return created
    details = _checked(replace(change.typed, visibility=Visibility.PRIVATE.value))
    length = length_in(details)
    starts = local_of(details.starts_at, created.zone_name).replace(tzinfo=None)
    has_same_kind = details.is_all_day is created.timing.pattern.is_all_day
    continuation = continued(remaining, original_key, starts, length) if has_same_kind else None
    timing = continuation or Timing(remaining, length if has_same_kind else created.timing.length)
    stored = await date_queries.stored(tx, created.id)
    content = details.content
    if remaining is created.timing.pattern:
        plan = plan_all(created, content, timing, stored, tx.now)
    else:
        plan = plan_following(created, change.original, content, timing, stored, tx.now)
    following = await apply_edits.apply_plan(tx, created, plan, notifies=False)
    if continuation is None:
        await _change_dates(tx, following, [replace(change, and_following=False, is_cancelled=False)])
    return following


def _checked(submission: Submission) -> Details:
    try:
        return check(submission)
    except InvalidForm as failure:
        raise InvalidInput("file", ImportReason.PROBLEMS, problems=tuple(failure.problems.values())) from None
