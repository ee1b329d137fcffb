"""The rule in the record of a series' next date, changed by another app: an edit of the series from that date on.

Only while rules stand in event records (``Flag.NATIVE_RECURRENCE``), and only of a rule that we wrote: our mark says so. A record
without any rule is no word about it: most apps know nothing of these fields. What was changed here meanwhile is kept, and what
cannot be taken is on record for the host.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from at_protocol.data.model import Value
from groundwork.database.transaction import Transaction
from groundwork.errors import Refused
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.model import Event, EventId, NetworkEvent
from openmeet.domain.identities import queries as identities
from openmeet.domain.series import actions, agenda, date_queries, queries
from openmeet.domain.series.dates import original_of
from openmeet.domain.series.model import Series, SeriesId, Timing
from openmeet.domain.series.plan import Plan, plan_all, plan_following
from openmeet.network.ingestion import merge_decisions
from openmeet.network.ingestion.events import Here, Version
from openmeet.network.ingestion.merge_local import record_of
from openmeet.network.ingestion.three_way_merge import Decision, Policy, Side
from openmeet.network.records.collections import EVENT
from openmeet.network.records.event_reader import read_event
from openmeet.network.records.event_writer import NATIVE
from openmeet.network.records.preserve import mark_of
from openmeet.network.records.series import native_fields, read_native, series_part
from openmeet.outbox.publication_leases import Publication
from openmeet.recurrence.errors import RuleRefused
from openmeet.recurrence.pattern import Pattern, pattern
from openmeet.recurrence.wall_time import instant_of

_FIELD: Final = "rrule"


async def take_over(
    tx: Transaction, here: Here, version: Version, read: NetworkEvent, owned: Publication, event_id: EventId
) -> None:
    """Make the series agree with the rule in a version of its next date's record; the event itself has been joined with it.

    ``owned``: the promise as it was before, with the version agreed on.
    """
    base, record = record_of(owned.base_body), record_of(version.body)
    event = await event_queries.by_id(tx, event_id)
    if event is None or event.place_in_series is None or NATIVE not in mark_of(base) or "rrule" not in record:
        return
    was, said = _rule_in(base, event), _rule_in(record, event)
    if was is None or (said is not None and _fields(said) == _fields(was)):
        return
    series = await queries.lock(tx, SeriesId(event.place_in_series.series_id))
    if series is None or not await _is_theirs(tx, version, series):
        return
    why = await _why_not(tx, here, version, read, event, base, said, was)
    if not why and said is not None:
        why = await _revise(tx, series, event.place_in_series.original_date, was, said)
    if why:
        decision = Decision(
            _FIELD, _text(base), _text(base), f"{why} {_text(record)}", Policy.MANUAL_EDIT_IS_KEPT, Side.OURS
        )
        await merge_decisions.keep(
            tx, uri=version.uri, theirs_rev=version.rev, ours_revision=owned.revision, decisions=(decision,)
        )


async def _is_theirs(tx: Transaction, version: Version, series: Series) -> bool:
    home = await identities.find(tx, version.did)
    is_owners = home is not None and home.user_id == series.owner_id
    return is_owners and not series.is_read_only and await agenda.may_edit(tx, series, series.owner_id)


async def _why_not(
    tx: Transaction,
    here: Here,
    version: Version,
    read: NetworkEvent,
    event: Event,
    base: Mapping[str, Value],
    said: Pattern | None,
    was: Pattern,
) -> str:
    """Why the rule is not taken, in a sentence; empty where it may be."""
    if said is None:
        return "Its rule is not taken."
    before = read_event(EVENT, {**base, "$type": EVENT}, rkey=version.rkey, indexed_at=event.created_at).event
    if (before.starts_at, before.time_zone) != (read.starts_at, read.time_zone):
        return "This date was moved with it, and stands for the others no more."
    part = await series_part(tx, event, here.instance)
    if part is None or dict(part.native) != _fields(was):
        return "The series was changed here meanwhile."
    return ""


async def _revise(tx: Transaction, series: Series, at: str, was: Pattern, said: Pattern) -> str:
    """Do it, as an edit of the series' owner; why that is not possible."""
    try:
        plan = await _plan(tx, series, at, was, said)
    except (RuleRefused, Refused) as refused:
        return f"Its rule is not taken: {refused.why}"
    # What somebody else has changed waits for the owner's yes, which this is none to.
    by = None if series.awaits_owner else series.owner_id
    await actions.apply(tx, replace(series, changed_by=by), plan)
    return ""


async def _plan(tx: Transaction, series: Series, at: str, was: Pattern, said: Pattern) -> Plan:
    """Dates of before stay as they were: another rule makes a series of its own from this date on, where it is not the first."""
    now, original, stored = series.timing.pattern, original_of(at), await date_queries.stored(tx, series.id)
    has_other_rule = said.rule != was.rule
    is_split = has_other_rule and original != now.start
    shape = pattern(
        original if is_split else now.start,
        now.zone_name,
        said.rule if has_other_rule else now.rule,
        left_out=[
            one for one in _changed(now.left_out, was.left_out, said.left_out) if not is_split or one >= original
        ],
        added=[one for one in _changed(now.added, was.added, said.added) if not is_split or one > original],
        is_all_day=now.is_all_day,
    )
    timing = Timing(shape, series.timing.length)
    if is_split:
        return plan_following(series, at, series.template, timing, stored, tx.now)
    return plan_all(series, series.template, timing, stored, tx.now)


def _changed(now: tuple[datetime, ...], was: tuple[datetime, ...], said: tuple[datetime, ...]) -> list[datetime]:
    return sorted((set(now) | (set(said) - set(was))) - (set(was) - set(said)))


def _rule_in(record: Mapping[str, Value], event: Event) -> Pattern | None:
    """The rule in a record of this date; None where it has none, or none that is taken."""
    zone, place = event.time_zone, event.place_in_series
    if place is None:
        return None
    found = read_native(record, event.title, "", zone, instant_of(original_of(place.original_date), zone))
    return None if found is None else found.timing.pattern


def _fields(shape: Pattern) -> dict[str, Value]:
    """What it means, whatever the words: as we write it."""
    return native_fields(shape, shape.start)


def _text(record: Mapping[str, Value]) -> str:
    said = record.get("rrule")
    return ", ".join(map(str, said)) if isinstance(said, list) else str(said or "")
