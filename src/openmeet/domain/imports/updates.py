"""Repeated imports: find and apply the differences between a file and the events imported from it before.

Only changes in the file since the last import count (``LastImport``). Edits made on this site are kept; if both sides
changed, the preview says so. If the last import is not stored, every difference counts. A field that is missing from
the file (text, place, topics) deletes nothing. Nothing changes before the user confirms.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import InvalidForm, InvalidInput, NotFound
from openmeet.domain.attendance import event_hosting
from openmeet.domain.events import draft_queries, drafts, ownership
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.edits import details_in
from openmeet.domain.events.model import Details, Event, EventSlug
from openmeet.domain.events.rules import Submission, check
from openmeet.domain.events.submissions import further_fields, unpack, values_of, values_of_event
from openmeet.domain.events.values import Mode
from openmeet.domain.imports import queries
from openmeet.domain.imports.model import (
    IMPORTED_FIELDS,
    PLACE_FIELDS,
    TIME_FIELDS,
    ImportedEvent,
    ImportReason,
    LastImport,
    OccurrenceOverride,
    changed_fields,
    edited_here,
    last_import_of,
)
from openmeet.domain.series import apply_edits, cancel_dates, date_queries, materialize
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series.dates import details_of
from openmeet.domain.series.edits import without_deleted_dates
from openmeet.domain.series.model import Series, SeriesSlug, SeriesStatus, Timing
from openmeet.domain.series.plan import joined, plan_all, plan_one
from openmeet.domain.users.model import Caller, UserId
from openmeet.recurrence.pattern import Pattern, format_dates, parse_dates, pattern
from openmeet.recurrence.rule import parse_rule
from openmeet.recurrence.split import carry_over_exclusions


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One difference: the field's name in the API, its value on this site and its value in the file.

    ``is_edited_here``: it was also edited on this site since the last import.
    """

    field: str
    before: str
    after: str
    is_edited_here: bool = False


@dataclass(frozen=True, slots=True)
class ImportUpdate:
    """Differences between the file and an event imported before. ``path`` is the path of that event.

    ``changes``: overridden dates of a series. ``becomes_cancelled``: the file cancels the event. ``base``: the last
    import.
    """

    path: str
    fields: tuple[FieldChange, ...] = ()
    changes: tuple[OccurrenceOverride, ...] = ()
    becomes_cancelled: bool = False
    base: LastImport | None = None

    @property
    def is_empty(self) -> bool:
        return not (self.fields or self.changes or self.becomes_cancelled)


async def updates_of(reader: Reader, user_id: UserId, events: Sequence[ImportedEvent]) -> dict[str, ImportUpdate]:
    """Find events that the user imported before, still owns, and that differ from the file now. Keyed by UID."""
    path_by_uid = await queries.imported_paths(reader, user_id, [event.uid for event in events])
    slugs = [path.rpartition("/")[2] for path in path_by_uid.values()]
    events_by_path = {f"/events/{one.slug}": one for one in await ownership.own_by_slugs(reader, user_id, slugs)}
    series_by_path = {f"/series/{one.slug}": one for one in await series_queries.own_unsplit(reader, user_id, slugs)}
    bases = await queries.last_imports(reader, user_id, list(path_by_uid))
    draft_fields = await draft_queries.fields_of(reader, [one.id for one in events_by_path.values() if one.is_draft])
    dates = await date_queries.named_in(
        reader,
        {
            series_by_path[path_by_uid[one.uid]].id: [change.original for change in one.changes]
            for one in events
            if path_by_uid.get(one.uid) in series_by_path
        },
    )
    updates: dict[str, ImportUpdate] = {}
    for one in events:
        path = path_by_uid.get(one.uid, "")
        if path in events_by_path and not one.repeats:
            event = events_by_path[path]
            update = _of_event(path, event, draft_fields.get(event.id, ""), one, bases.get(one.uid))
        elif path in series_by_path and one.repeats:
            update = _of_series(
                path, series_by_path[path], dates.get(series_by_path[path].id, {}), one, bases.get(one.uid)
            )
        else:
            continue
        if not update.is_empty:
            updates[one.uid] = update
    return updates


async def apply_update(tx: Transaction, caller: Caller, imported: ImportedEvent, update: ImportUpdate) -> None:
    """Apply the changes in the file. Raises any kind of Failure if one of them is refused."""
    await queries.note_import(tx, caller.user_id, imported.uid, last_import_of(imported))
    changed = changed_fields(imported.typed, None if update.base is None else update.base.fields)
    slug = update.path.rpartition("/")[2]
    if update.path.startswith("/series/"):
        locked = await series_queries.lock_by_slug(tx, SeriesSlug(slug))
        if locked is None or locked.deleted_at is not None or locked.owner_id != caller.user_id:
            raise NotFound(ImportReason.NO_SUCH_SERIES)
        await _update_series(tx, replace(locked, changed_by=caller.user_id), imported, update)
        return
    event = await event_queries.by_slug(tx, EventSlug(slug))
    if event is None or event.is_gone or event.author_id != caller.user_id:
        raise NotFound(ImportReason.NO_SUCH_EVENT)
    if event.is_draft:
        draft_fields = await draft_queries.fields(tx, event.id)
        await drafts.keep(
            tx,
            caller,
            event.slug,
            _merged(unpack(draft_fields), imported.typed, changed),
            further_fields(draft_fields),
            publish_at=event.publish_at,
        )
        return
    if update.fields:
        await event_hosting.revise(tx, caller, event.slug, _details(details_in(event), imported.typed, changed))
    if update.becomes_cancelled:
        await event_hosting.cancel(tx, caller, event.slug, imported.reason)


async def _update_series(tx: Transaction, series: Series, imported: ImportedEvent, update: ImportUpdate) -> None:
    start = series.timing.pattern.start
    base = update.base
    # Times and rule belong together: either both come from the file or neither.
    keeps_schedule = base is not None and base.has_same_schedule(imported)
    changed = _changed_of_series(imported, base)
    details = _details(details_of(series.content, series.timing, start), imported.typed, changed)
    if update.fields:
        stored = await date_queries.stored(tx, series.id)
        whole, timing = series, series.timing
        if not keeps_schedule:
            whole = without_deleted_dates(series, stored, tx.now)
            length = None if imported.minutes is None else timedelta(minutes=imported.minutes)
            timing = Timing(_merged_pattern(whole.timing.pattern, details, imported, base), length)
        plan = plan_all(whole, details.content, timing, stored, tx.now)
        series = replace(await apply_edits.apply_plan(tx, series, plan), changed_by=series.changed_by)
    await _update_dates(tx, series, update.changes, base)
    if update.becomes_cancelled:
        relocked = await series_queries.lock(tx, series.id)
        if relocked is not None:
            await cancel_dates.cancel(tx, replace(relocked, changed_by=series.changed_by), imported.reason)


def pattern_in_file(imported: ImportedEvent, details: Details) -> Pattern:
    """The pattern of a recurring event in the file, with the start and the zone of these details."""
    zone = details.time_zone
    return pattern(
        datetime.fromisoformat(details.starts_local),
        zone,
        parse_rule(imported.rule) if imported.rule else None,
        left_out=parse_dates(imported.left_out, zone),
        added=parse_dates(imported.added, zone),
        is_all_day=details.is_all_day,
    )


def _merged_pattern(here: Pattern, details: Details, imported: ImportedEvent, base: LastImport | None) -> Pattern:
    """The pattern in the file, with the single dates that a host has deleted or added here since the last import."""
    zone, file = details.time_zone, pattern_in_file(imported, details)
    base_zone = zone if base is None else base.fields["time_zone"]
    left_out = set(parse_dates("" if base is None else base.left_out, base_zone))
    added = set(parse_dates("" if base is None else base.added, base_zone))

    def carried(dates: Collection[datetime]) -> set[datetime]:
        of_rule = carry_over_exclusions(replace(here, left_out=tuple(sorted(dates))), file)
        # The rule says nothing about extra dates. They are the same ones if they are on the same day.
        days = {at.date() for at in dates if at in added}
        return {*of_rule, *(at for at in file.added if at.date() in days)}

    return pattern(
        file.start,
        zone,
        file.rule,
        left_out={*file.left_out, *carried(set(here.left_out) - left_out)} - carried(left_out - set(here.left_out)),
        added={*file.added, *(set(here.added) - added)},
        is_all_day=file.is_all_day,
    )


async def _update_dates(
    tx: Transaction, series: Series, changes: Sequence[OccurrenceOverride], base: LastImport | None
) -> None:
    """Apply overrides and cancellations of single dates. All of them together, so that people are notified once.

    An override of a date that does not exist in the rule is ignored.
    """
    changes = await materialize.store_existing(tx, series, changes, name=lambda change: change.original)
    edited = [change for change in changes if not change.is_cancelled]
    stored = {
        one.event.position_in_series.original_date: one
        for one in (await date_queries.stored(tx, series.id) if edited else [])
        if one.event.position_in_series is not None
    }
    plans = []
    for change in edited:
        now = details_in(stored[change.original].event)
        changed = changed_fields(change.typed, None if base is None else base.of_date(change))
        plans.append(plan_one(series, stored[change.original], _details(now, change.typed, changed)))
    if plans:
        await apply_edits.apply_plan(tx, series, joined(plans))
    reasons = {change.original: change.reason for change in changes if change.is_cancelled}
    if reasons:
        await cancel_dates.cancel_for_reasons(tx, series, reasons)


def _of_event(
    path: str, event: Event, draft_fields: str, imported: ImportedEvent, base: LastImport | None
) -> ImportUpdate:
    before = unpack(draft_fields) if event.is_draft and draft_fields else Submission(**values_of_event(event))
    cancels = imported.is_cancelled and not event.is_cancelled and not event.is_draft
    cancels = cancels and not (base is not None and base.is_cancelled)
    base_fields = None if base is None else base.fields
    fields = _differences(before, imported.typed, changed_fields(imported.typed, base_fields), base_fields)
    return ImportUpdate(path, fields, becomes_cancelled=cancels, base=base)


def _of_series(
    path: str, series: Series, dates: Mapping[str, Event], imported: ImportedEvent, base: LastImport | None
) -> ImportUpdate:
    timing = series.timing
    before = Submission(**values_of_event(details_of(series.content, timing, timing.pattern.start)))
    fields = _differences(
        before, imported.typed, _changed_of_series(imported, base), None if base is None else base.fields
    )
    if base is None or not base.has_same_schedule(imported):
        details = details_of(series.content, timing, timing.pattern.start)
        details = _details(details, imported.typed, _changed_of_series(imported, base))
        current, after = _texts_of(timing.pattern), _texts_of(_merged_pattern(timing.pattern, details, imported, base))
        fields += tuple(
            # Single dates from both sides are kept.
            FieldChange(
                name,
                current[name],
                after[name],
                is_edited_here=name == "rule" and base is not None and current[name] != base.rule,
            )
            for name in current
            if current[name] != after[name]
        )
    changes = tuple(
        change
        for change in imported.changes
        if not change.and_following
        and not (base is not None and base.has_date(change))
        and _differs(dates.get(change.original), before, change, None if base is None else base.of_date(change))
    )
    is_off = series.status is SeriesStatus.CANCELLED or (base is not None and base.is_cancelled)
    return ImportUpdate(path, fields, changes, becomes_cancelled=imported.is_cancelled and not is_off, base=base)


def _texts_of(pattern: Pattern) -> dict[str, str]:
    """The rule and the single dates as RFC 5545 text, by the names of their fields."""
    return {
        "rule": "" if pattern.rule is None else str(pattern.rule),
        "left_out": format_dates(pattern.left_out, is_all_day=pattern.is_all_day),
        "added": format_dates(pattern.added, is_all_day=pattern.is_all_day),
    }


def _differs(date: Event | None, usual: Submission, change: OccurrenceOverride, base: dict[str, str] | None) -> bool:
    """Whether an override differs from the date on this site. A date that is not materialized has the content of the
    series.
    """
    if date is not None and (date.is_gone or date.is_cancelled):
        return False
    if change.is_cancelled:
        return True
    current = usual if date is None else Submission(**values_of_event(date))
    return bool(_differences(current, change.typed, changed_fields(change.typed, base), base))


def _changed_of_series(imported: ImportedEvent, base: LastImport | None) -> frozenset[str]:
    """The changed fields of a series. If the schedule changed, all time fields are included."""
    if base is None:
        return frozenset(IMPORTED_FIELDS)
    changed = changed_fields(imported.typed, base.fields)
    return changed if base.has_same_schedule(imported) else changed | frozenset(TIME_FIELDS)


def _differences(
    before: Submission, submission: Submission, changed: frozenset[str], base: dict[str, str] | None
) -> tuple[FieldChange, ...]:
    old, new = values_of(before), values_of(_merged(before, submission, changed))
    differing = [name for name in IMPORTED_FIELDS if old[name] != new[name]]
    edited = edited_here(base, old) if differing else frozenset()
    return tuple(FieldChange(name, old[name], new[name], name in edited) for name in differing)


def _merged(now: Submission, submission: Submission, changed: frozenset[str]) -> Submission:
    """The current values, with the changed fields taken from the file. Fields missing from the file keep their value."""
    imported = values_of(submission)
    values = {name: imported[name] for name in ("title", *TIME_FIELDS)}
    values |= {name: imported[name] for name in ("description", "online_url", "categories", "tags") if imported[name]}
    if any(imported[name] for name in PLACE_FIELDS):
        values |= {name: imported[name] for name in PLACE_FIELDS if imported[name] or name != "point"}
    if (
        imported["online_url"]
        or any(imported[name] for name in PLACE_FIELDS)
        or submission.mode != Mode.IN_PERSON.value
    ):
        values["mode"] = submission.mode
    return replace(now, **{name: value for name, value in values.items() if name in changed})


def _details(now: Details, submission: Submission, changed: frozenset[str]) -> Details:
    """Like ``_merged``, but validated. Fields that files never have keep their value. Raises InvalidInput (``file``)."""
    try:
        merged = check(_merged(Submission(**values_of_event(now)), submission, changed))
    except InvalidForm as wrong:
        raise InvalidInput("file", ImportReason.PROBLEMS, problems=tuple(wrong.problems.values())) from None
    before = now.content
    content = replace(merged.content, links=before.links, picture=before.picture, place_audience=before.place_audience)
    return replace(merged, content=content)
