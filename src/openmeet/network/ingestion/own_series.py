"""The record of a series made here, edited or deleted by another app: joined with what was edited here, field by field.

What they changed goes the way of an edit of the whole series: dates are mapped to the new rule, who answered or follows hears of it,
and the host can undo it for a while. The record itself says so already, and is not written for it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from at_protocol.data.model import Value
from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.events.model import Mode, Venue
from openmeet.domain.events.publication import Reach, reach
from openmeet.domain.identities import queries as identities
from openmeet.domain.series import actions, agenda, date_queries, queries
from openmeet.domain.series.dates import original_of, original_text
from openmeet.domain.series.model import Policy as Publishing
from openmeet.domain.series.model import Series, SeriesId, Template, Timing
from openmeet.domain.series.plan import Plan, plan_all
from openmeet.network.ingestion import merge_local
from openmeet.network.ingestion.events import Here, Version
from openmeet.network.ingestion.merge_local import record_of
from openmeet.network.ingestion.three_way_merge import Facts, Policy, Side, Way, both_venues, by_most_recent
from openmeet.network.records import links
from openmeet.network.records.collections import SERIES
from openmeet.network.records.places import is_same_place
from openmeet.network.records.reader import Unmappable
from openmeet.network.records.series import SeriesRead, read_series, series_page, write_series
from openmeet.outbox import publication_echoes, publication_moves
from openmeet.outbox.publication_leases import Publication
from openmeet.outbox.publications import Kind
from openmeet.recurrence.errors import RuleRefused
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import format_rule, parse_rule


@dataclass(frozen=True, slots=True)
class Said:
    """What a record says of a series, field by field. ``start`` is wall-clock time; ``minutes`` None where dates have no end.

    ``left_out`` and ``added``: dates at the hour of the start by their day alone, so that another hour moves them along.
    """

    name: str
    description: str
    time_zone: str
    start: str
    minutes: int | None
    rule: str
    left_out: tuple[str, ...]
    added: tuple[str, ...]
    mode: Mode
    venue: Venue


_TEMPLATE: Final[Mapping[str, str]] = {"name": "title", "description": "description", "mode": "mode", "venue": "venue"}
_TIMING: Final = frozenset({"time_zone", "start", "minutes", "rule", "left_out", "added"})


def said_of(read: SeriesRead) -> Said:
    """A record as read, field by field."""
    shape, length = read.timing.pattern, read.timing.length
    return Said(
        name=read.template.title,
        description=read.template.description,
        time_zone=shape.zone_name or "UTC",
        start=original_text(shape.start),
        minutes=None if length is None else round(length.total_seconds() / 60),
        rule="" if shape.rule is None else format_rule(shape.rule),
        left_out=_by_day(shape.left_out, shape.start),
        added=_by_day(shape.added, shape.start),
        mode=read.template.mode,
        venue=read.template.venue,
    )


def timing_of(said: Said, *, is_all_day: bool) -> Timing:
    """When it meets. Raises RuleRefused."""
    start = original_of(said.start)
    shape = pattern(
        start,
        said.time_zone,
        parse_rule(said.rule) if said.rule else None,
        left_out=[_at(text, start) for text in said.left_out],
        added=[_at(text, start) for text in said.added],
        is_all_day=is_all_day and start.time() == datetime.min.time(),
    )
    return Timing(shape, None if said.minutes is None else timedelta(minutes=said.minutes))


def _by_day(dates: Iterable[datetime], start: datetime) -> tuple[str, ...]:
    return tuple(at.date().isoformat() if at.time() == start.time() else original_text(at) for at in dates)


def _at(text: str, start: datetime) -> datetime:
    return original_of(text) if "T" in text else datetime.combine(date.fromisoformat(text), start.time())


def _decide(field: str, was: Any, ours: Any, theirs: Any, facts: Facts) -> tuple[Policy, Side, Any]:
    match field:
        case "name" | "description":
            return Policy.MANUAL_EDIT_IS_KEPT, Side.OURS, ours
        case "start" | "time_zone" | "minutes" | "rule":
            return Policy.ORIGIN_WINS, Side.OURS, ours
        case "left_out" | "added":
            gone = (set(was) - set(ours)) | (set(was) - set(theirs))
            return Policy.PARTS_ADD_UP, Side.BOTH, tuple(sorted((set(ours) | set(theirs)) - gone))
        case "venue":
            both = both_venues((was,), (ours,), (theirs,))
            if both is not None:
                return Policy.PARTS_ADD_UP, Side.BOTH, both[0]
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


WAY: Final = Way(
    Said,
    tuple((name,) for name in Said.__dataclass_fields__),
    frozenset(Said.__dataclass_fields__),
    _decide,
    _shown,
)


async def take_over(tx: Transaction, here: Here, version: Version, read: SeriesRead, owned: Publication) -> None:
    """Make the series agree with the newest version of its record."""
    series = await queries.lock(tx, SeriesId(owned.subject_id))
    if series is None:
        raise LookupError(f"publication of a series that is not here: {owned.subject_id}")
    await links.note_series(tx, series.id, version.uri)
    if _is_on_its_way_back(series):
        return  # whatever it says: it is being taken back
    home = await identities.find(tx, version.did)
    is_theirs = home is not None and home.user_id == series.owner_id
    if not is_theirs or not await agenda.may_edit(tx, series, series.owner_id):
        await merge_local.keep_ours(
            tx, owned, version, why="It stands in the repository of somebody who may not change the series any more."
        )
        return
    base_record = record_of(owned.base_body or version.body)
    ours = said_of(read_series(SERIES, write_series(series, series_page(here.instance, series), base_record)))
    base = _read(base_record) or said_of(read)
    theirs = said_of(read)
    if not isinstance(record_of(version.body).get("template"), Mapping):
        theirs = replace(theirs, mode=base.mode, venue=base.venue)
    if not is_same_place(ours.venue, series.template.venue):
        # A record cannot say where it is as exactly as it is known here.
        theirs = replace(theirs, venue=base.venue)
    joined = merge_local.join(WAY, owned, version, tx.now, (base, ours, theirs), {})
    try:
        plan = await plan_of(tx, series, WAY.edits_between(ours, joined.merged.value))
    except RuleRefused as refused:
        await merge_local.keep_ours(tx, owned, version, why=f"Its rule is not taken: {refused.why}")
        return
    if plan is not None:
        # What somebody else has changed waits for the owner's yes, which this is none to.
        by = None if series.awaits_owner else series.owner_id
        await actions.apply(tx, replace(series, changed_by=by), plan, is_read=True)
    await merge_local.keep(tx, WAY, owned, version, joined)


async def differing(reader: Reader, here: Here, owned: Publication, body: bytes) -> tuple[str, ...]:
    """Fields of the series that its record says otherwise than we would write them."""
    series = await queries.by_id(reader, SeriesId(owned.subject_id))
    if series is None or _is_on_its_way_back(series):
        return ()
    record = record_of(body)
    theirs = said_of(read_series(SERIES, record))
    ours = said_of(read_series(SERIES, write_series(series, series_page(here.instance, series), record)))
    return tuple(name for name in Said.__dataclass_fields__ if getattr(ours, name) != getattr(theirs, name))


async def plan_of(tx: Transaction, series: Series, values: Mapping[str, Any]) -> Plan | None:
    """What it takes that a locked series, and all its coming dates, say this. ``values``: fields of ``Said``.

    None where they say so. Raises RuleRefused.
    """
    template: Template = replace(
        series.template, **{_TEMPLATE[name]: value for name, value in values.items() if name in _TEMPLATE}
    )
    timing = series.timing
    if values.keys() & _TIMING:
        said = replace(said_of(SeriesRead(series.template, timing)), **values)
        timing = timing_of(said, is_all_day=timing.pattern.is_all_day)
        if "minutes" not in values:
            timing = replace(timing, length=series.timing.length)
    if (template, timing) == (series.template, series.timing):
        return None
    return plan_all(series, template, timing, await date_queries.stored(tx, series.id), tx.now)


async def lose(tx: Transaction, *, uri: str, rev: str, owned: Publication) -> None:
    """Another app has deleted the record: it does not come again until its owner says so. The series stays, and its dates."""
    reason = "The record of the series was deleted in the repository."
    if await publication_echoes.lose(tx, uri=uri, rev=rev, reason=reason):
        await publication_moves.recall(tx, kind=Kind.SERIES, subject_id=owned.subject_id)
        await links.note_series(tx, SeriesId(owned.subject_id), None)


def _is_on_its_way_back(series: Series) -> bool:
    is_full = reach(series.template.visibility, series.group, series.record) is Reach.FULL
    return series.deleted_at is not None or series.is_read_only or series.policy is Publishing.NONE or not is_full


def _read(record: dict[str, Value]) -> Said | None:
    try:
        return said_of(read_series(SERIES, record))
    except Unmappable:
        return None
