"""Changes by another app to series made here: to the series' own record, or to the rule in the record of the next date.

A changed rule in a date's record is an edit of the series from that date on. It is read only while event records carry
rules (``Flag.NATIVE_RECURRENCE``), and only if we wrote the rule, which our mark shows. A record without a rule is
not a change, because most apps do not know these fields. Edits made here in the meantime are kept. A rule that cannot
be applied is listed for the host.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from at_protocol.data.model import Value
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Explanation, Refused, reason_of
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.content import Content, renamed_elsewhere
from openmeet.domain.events.model import Event, EventId, NetworkEvent
from openmeet.domain.events.publication import PublishLevel, reach
from openmeet.domain.events.values import Venue
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.merge_decisions.model import FieldDecision, MergeReason, MergeSide
from openmeet.domain.series import agenda, apply_edits, date_queries, queries
from openmeet.domain.series.dates import original_of
from openmeet.domain.series.model import PublishPolicy, Series, SeriesId, Timing
from openmeet.domain.series.plan import EditPlan, plan_all, plan_following
from openmeet.domain.series.record_fields import SeriesRecordFields, fields_of, timing_of
from openmeet.network.ingestion import merge_local
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.event_merge_rule import both_venues
from openmeet.network.ingestion.merge_local import record_of
from openmeet.network.ingestion.three_way_merge import MergeInput, MergeRule, MergeSides, by_most_recent
from openmeet.network.records import links
from openmeet.network.records.collections import EVENT, SERIES
from openmeet.network.records.event_reader import read_event
from openmeet.network.records.event_writer import NATIVE
from openmeet.network.records.places import is_same_place
from openmeet.network.records.preserve import origin_mark_of
from openmeet.network.records.reading_notes import Unmappable
from openmeet.network.records.reasons import RecordReason
from openmeet.network.records.series import (
    ParsedSeries,
    native_fields,
    read_native,
    read_series,
    series_page,
    series_part,
    write_series,
)
from openmeet.outbox import ingested_changes, publication_withdrawals, superseded_records
from openmeet.outbox.ingested_changes import UnsentEdits
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publications import PublicationKind, RecordVersion
from openmeet.outbox.reasons import PublicationReason
from openmeet.recurrence.errors import RuleRefused
from openmeet.recurrence.pattern import Pattern, pattern
from openmeet.recurrence.wall_time import instant_of

_FIELD: Final = "rrule"


async def apply_rule_of_date(
    tx: Transaction,
    context: IngestionContext,
    version: RecordVersion,
    network_event: NetworkEvent,
    publication: Publication,
    event_id: EventId,
) -> None:
    """Make the series match the rule in a version of its next date's record. The event itself is already merged.

    ``publication``: the publication before this version, with the agreed version.
    """
    base, record = record_of(publication.base_body), record_of(version.body)
    event = await event_queries.by_id(tx, event_id)
    if event is None or event.position_in_series is None or NATIVE not in origin_mark_of(base) or "rrule" not in record:
        return
    was, stated = _rule_in(base, event), _rule_in(record, event)
    if was is None or (stated is not None and _fields(stated) == _fields(was)):
        return
    series = await queries.lock(tx, SeriesId(event.position_in_series.series_id))
    if series is None or not await _is_theirs(tx, version, series):
        return
    refusal: Explanation | None
    if stated is None:
        refusal = RecordReason.RULE_NOT_SUPPORTED()
    elif _is_date_moved(event, base, version, network_event):
        refusal = RecordReason.DATE_MOVED()
    elif not await _is_current_rule(tx, context, event, was):
        refusal = RecordReason.SERIES_CHANGED_HERE()
    else:
        refusal = await _revise(tx, series, event.position_in_series.original_date, was, stated)
    if refusal is not None:
        decision = FieldDecision(
            _FIELD,
            _text(base),
            _text(base),
            merge_local.not_applied(refusal, _text(record)),
            MergeReason.MANUAL_EDIT_IS_KEPT,
            MergeSide.OURS,
        )
        await merge_decisions.store(
            tx, uri=version.uri, theirs_rev=version.rev, ours_revision=publication.revision, decisions=(decision,)
        )


async def _is_theirs(tx: Transaction, version: RecordVersion, series: Series) -> bool:
    home = await identity_queries.find(tx, version.did)
    is_owners = home is not None and home.user_id == series.owner_id
    return is_owners and not series.is_read_only and await agenda.may_edit(tx, series, series.owner_id)


def _is_date_moved(
    event: Event, base: Mapping[str, Value], version: RecordVersion, network_event: NetworkEvent
) -> bool:
    """Whether this version moves the date itself, too."""
    before = read_event(EVENT, {**base, "$type": EVENT}, rkey=version.rkey, indexed_at=event.created_at).event
    return (before.starts_at, before.time_zone) != (network_event.starts_at, network_event.time_zone)


async def _is_current_rule(tx: Transaction, context: IngestionContext, event: Event, rule: Pattern) -> bool:
    """Whether the series of this date still has the rule of the agreed version."""
    part = await series_part(tx, event, context.instance)
    return part is not None and dict(part.native) == _fields(rule)


async def _revise(tx: Transaction, series: Series, at: str, was: Pattern, stated: Pattern) -> Explanation | None:
    """Apply the rule as an edit by the series' owner. Returns a reason if that is not possible."""
    try:
        plan = await _plan(tx, series, at, was, stated)
    except (RuleRefused, Refused) as refused:
        return _rule_refused(refused)
    # A series that somebody else has changed needs the owner's approval, and this edit is not an approval.
    by = None if series.needs_author_approval else series.owner_id
    await apply_edits.apply_plan(tx, replace(series, changed_by=by), plan)
    return None


def _rule_refused(refused: RuleRefused | Refused) -> Explanation:
    return RecordReason.RULE_REFUSED(problem=reason_of(refused))


async def _plan(tx: Transaction, series: Series, at: str, was: Pattern, stated: Pattern) -> EditPlan:
    """Plan the edit. Earlier dates stay unchanged: a different rule splits off a new series from this date on, unless
    this is the first date.
    """
    now, original, stored = series.timing.pattern, original_of(at), await date_queries.stored(tx, series.id)
    has_other_rule = stated.rule != was.rule
    is_split = has_other_rule and original != now.start
    shape = pattern(
        original if is_split else now.start,
        now.zone_name,
        stated.rule if has_other_rule else now.rule,
        left_out=[
            one for one in _changed(now.left_out, was.left_out, stated.left_out) if not is_split or one >= original
        ],
        added=[one for one in _changed(now.added, was.added, stated.added) if not is_split or one > original],
        is_all_day=now.is_all_day,
    )
    timing = Timing(shape, series.timing.length)
    if is_split:
        return plan_following(series, at, series.content, timing, stored, tx.now)
    return plan_all(series, series.content, timing, stored, tx.now)


def _changed(now: tuple[datetime, ...], was: tuple[datetime, ...], stated: tuple[datetime, ...]) -> list[datetime]:
    return sorted((set(now) | (set(stated) - set(was))) - (set(was) - set(stated)))


def _rule_in(record: Mapping[str, Value], event: Event) -> Pattern | None:
    """Return the rule in a record of this date; None if there is none, or if it is not supported."""
    zone, position_in_series = event.time_zone, event.position_in_series
    if position_in_series is None:
        return None
    native_rule = read_native(
        record, event.title, "", zone, instant_of(original_of(position_in_series.original_date), zone)
    )
    return None if native_rule is None else native_rule.timing.pattern


def _fields(shape: Pattern) -> dict[str, Value]:
    """Return the rule in canonical form, as we write it."""
    return native_fields(shape, shape.start)


def _text(record: Mapping[str, Value]) -> str:
    stated = record.get("rrule")
    return ", ".join(map(str, stated)) if isinstance(stated, list) else str(stated or "")


_TEMPLATE: Final[Mapping[str, str]] = {"name": "title", "description": "description", "mode": "mode", "venue": "venue"}
_TIMING: Final = frozenset({"time_zone", "start", "minutes", "rule", "left_out", "added"})


def _decide(field: str, was: Any, ours: Any, theirs: Any, facts: MergeInput) -> tuple[MergeReason, MergeSide, Any]:
    match field:
        case "name" | "description":
            return MergeReason.MANUAL_EDIT_IS_KEPT, MergeSide.OURS, ours
        case "start" | "time_zone" | "minutes" | "rule":
            return MergeReason.ORIGIN_WINS, MergeSide.OURS, ours
        case "left_out" | "added":
            removed_dates = (set(was) - set(ours)) | (set(was) - set(theirs))
            return MergeReason.PARTS_ADD_UP, MergeSide.BOTH, tuple(sorted((set(ours) | set(theirs)) - removed_dates))
        case "venue":
            both = both_venues((was,), (ours,), (theirs,))
            if both is not None:
                return MergeReason.PARTS_ADD_UP, MergeSide.BOTH, both[0]
        case _:
            pass
    return by_most_recent(ours, theirs, facts)


def _shown(value: object) -> str:
    match value:
        case None:
            return ""
        case tuple():
            return ", ".join(value)
        case Venue():
            return ", ".join(value.lines)
        case _:
            return str(value)


SERIES_RULE: Final = MergeRule(
    SeriesRecordFields,
    tuple((name,) for name in SeriesRecordFields.__dataclass_fields__),
    frozenset(SeriesRecordFields.__dataclass_fields__),
    _decide,
    _shown,
)


async def apply_record(
    tx: Transaction,
    context: IngestionContext,
    version: RecordVersion,
    parsed_series: ParsedSeries,
    publication: Publication,
) -> None:
    """Make the series match the newest version of its record."""
    series = await queries.lock(tx, SeriesId(publication.subject_id))
    if series is None:
        raise LookupError(f"publication of a series that is not here: {publication.subject_id}")
    await links.store_series_location(tx, series.id, version.uri)
    if is_being_retracted(series):
        return  # the record is being retracted, so its content does not matter
    home = await identity_queries.find(tx, version.did)
    is_theirs = home is not None and home.user_id == series.owner_id
    if not is_theirs or not await agenda.may_edit(tx, series, series.owner_id):
        await merge_local.store_unapplied_version(
            tx, publication, version, why=RecordReason.OWNER_MAY_NOT_CHANGE_SERIES
        )
        return
    sides = _sides(tx, context, version, parsed_series, publication, series)
    result = merge_local.merge_version(SERIES_RULE, publication, version, tx.now, sides, {})
    try:
        plan = await plan_of(tx, series, SERIES_RULE.edits_between(sides.ours, result.merged.value))
    except RuleRefused as refused:
        await merge_local.store_unapplied_version(tx, publication, version, why=_rule_refused(refused))
        return
    if plan is not None:
        # A series that somebody else has changed needs the owner's approval, and this edit is not an approval.
        by = None if series.needs_author_approval else series.owner_id
        await apply_edits.apply_plan(tx, replace(series, changed_by=by), plan, is_read=True)
    await merge_local.store_merge(tx, SERIES_RULE, publication, version, result)


def _sides(
    tx: Transaction,
    context: IngestionContext,
    version: RecordVersion,
    parsed_series: ParsedSeries,
    publication: Publication,
    series: Series,
) -> MergeSides[SeriesRecordFields]:
    agreed = merge_local.agreed_record(publication, version, tx.now)
    base_record = record_of(version.body) if agreed is None else agreed
    ours = _fields_read(read_series(SERIES, write_series(series, series_page(context.instance, series), base_record)))
    base = ours if agreed is None else _read(base_record) or _fields_read(parsed_series)
    theirs = _fields_read(parsed_series)
    if not isinstance(record_of(version.body).get("template"), Mapping):
        theirs = replace(theirs, mode=base.mode, venue=base.venue)
    if not is_same_place(ours.venue, series.content.venue):
        # A record cannot store the venue as precisely as it is known here.
        theirs = replace(theirs, venue=base.venue)
    return MergeSides(base, ours, theirs)


async def store_edit_of_former_owner(
    tx: Transaction,
    context: IngestionContext,
    version: RecordVersion,
    parsed_series: ParsedSeries,
    publication: Publication,
) -> None:
    """Store what a former owner changed in their record, as decisions for our values: if the series is handed back to
    them, our values are written into this record again.
    """
    superseded = await superseded_records.find(tx, version.uri)
    series = None if superseded is None else await queries.by_id(tx, SeriesId(superseded.subject_id))
    if series is None or series.deleted_at is not None or publication.base_body is None:
        return
    sides = _sides(tx, context, version, parsed_series, publication, series)
    await merge_decisions.store(
        tx,
        uri=version.uri,
        theirs_rev=version.rev,
        ours_revision=series.revision,
        decisions=SERIES_RULE.in_our_favor(sides, MergeReason.FORMER_OWNER),
    )


def _fields_read(parsed_series: ParsedSeries) -> SeriesRecordFields:
    return fields_of(parsed_series.content, parsed_series.timing)


def is_being_retracted(series: Series) -> bool:
    """Whether the series may have no record of its own now."""
    is_full = reach(series.content.visibility, series.group, series.record_settings) is PublishLevel.FULL
    return series.deleted_at is not None or series.is_read_only or series.policy is PublishPolicy.NONE or not is_full


async def differing(
    reader: Reader, context: IngestionContext, publication: Publication, body: bytes
) -> tuple[str, ...]:
    """Return the fields of the series whose values in the record differ from what we would write."""
    series = await queries.by_id(reader, SeriesId(publication.subject_id))
    if series is None or is_being_retracted(series):
        return ()
    record = record_of(body)
    theirs = _fields_read(read_series(SERIES, record))
    ours = _fields_read(read_series(SERIES, write_series(series, series_page(context.instance, series), record)))
    return tuple(
        name for name in SeriesRecordFields.__dataclass_fields__ if getattr(ours, name) != getattr(theirs, name)
    )


async def plan_of(tx: Transaction, series: Series, values: Mapping[str, Any]) -> EditPlan | None:
    """Return the edit that gives a locked series and all its upcoming dates these values (fields of
    ``SeriesRecordFields``).

    None if they already have these values. Raises RuleRefused.
    """
    content: Content = replace(
        renamed_elsewhere(series.content, values.get("name", series.content.title)),
        **{_TEMPLATE[name]: value for name, value in values.items() if name in _TEMPLATE},
    )
    timing = series.timing
    if values.keys() & _TIMING:
        stated = replace(fields_of(series.content, timing), **values)
        timing = timing_of(stated, is_all_day=timing.pattern.is_all_day)
        if "minutes" not in values:
            timing = replace(timing, length=series.timing.length)
    if (content, timing) == (series.content, series.timing):
        return None
    return plan_all(series, content, timing, await date_queries.stored(tx, series.id), tx.now)


async def record_deleted(
    tx: Transaction, context: IngestionContext, *, uri: str, rev: str, publication: Publication
) -> None:
    """Stop publishing a series whose record another app deleted, until its owner decides otherwise or an app restores
    the record. The series and its dates stay.
    """
    series = await queries.lock(tx, SeriesId(publication.subject_id))
    unsent = None if series is None else _unsent(context, series, publication)
    reason = PublicationReason.SERIES_RECORD_DELETED
    if await ingested_changes.mark_deleted_elsewhere(tx, uri=uri, rev=rev, reason=reason, unsent=unsent):
        await publication_withdrawals.withdraw(tx, kind=PublicationKind.SERIES, subject_id=publication.subject_id)
        await links.store_series_location(tx, SeriesId(publication.subject_id), None)


def _unsent(context: IngestionContext, series: Series, publication: Publication) -> UnsentEdits | None:
    """Return the edits made here that the deleted record did not contain, and all values of the series, so that later
    edits are found as well.
    """
    record = record_of(publication.base_body)
    base = None if publication.base_body is None or is_being_retracted(series) else _read(record)
    if base is None:
        return None
    ours = _fields_read(read_series(SERIES, write_series(series, series_page(context.instance, series), record)))
    return merge_local.unsent_edits(SERIES_RULE, publication, base, ours)


def _read(record: dict[str, Value]) -> SeriesRecordFields | None:
    try:
        return _fields_read(read_series(SERIES, record))
    except Unmappable:
        return None
