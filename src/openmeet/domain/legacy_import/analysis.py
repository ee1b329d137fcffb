"""Analyse a legacy database: make the import plan and list oddities. Pure: the same input gives the same plan."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from openmeet.domain.events.edits import STARTS, differing
from openmeet.domain.events.model import Details
from openmeet.domain.legacy_import.conversion import (
    date_near,
    details_of,
    ended_before,
    is_cancelled,
    length_of,
    local_start,
    timing_of,
    zone_of,
)
from openmeet.domain.legacy_import.model import LegacyData, LegacyOddity, Oddity, OldEvent, OldRsvp
from openmeet.domain.legacy_import.plan import (
    LegacyPlan,
    LegacySeriesPart,
    PlannedEvent,
    followers_of,
    rsvps_of,
)
from openmeet.domain.series.dates import details_of as usual_of
from openmeet.domain.series.dates import original_text
from openmeet.domain.series.model import Timing
from openmeet.recurrence.pattern import MAX_DATES, Pattern
from openmeet.recurrence.wall_time import local_of


@dataclass(slots=True)
class SeriesSection:
    """A head row with a rule, and its dates. ``begins``: its first date, as wall-clock time in its zone."""

    head: OldEvent
    zone: str
    begins: datetime
    dates: list[OldEvent] = field(default_factory=list)


@dataclass(slots=True)
class EventFamily:
    """A recurring event and its sections in order. The first section is the parent, unless a split replaced it."""

    parent: OldEvent
    sections: list[SeriesSection]
    # Rows that are neither a section nor a date and become single events.
    alone: list[OldEvent] = field(default_factory=list)


def families_of(
    old: LegacyData, events: Iterable[OldEvent], otherwise: str, oddities: list[LegacyOddity]
) -> tuple[list[EventFamily], list[OldEvent]]:
    """Group legacy events into families (a parent and its dates). Returns the families and the single events."""
    usable = {event.id: event for event in events}
    children: dict[int, list[OldEvent]] = {}
    roots: list[OldEvent] = []
    alone: list[OldEvent] = []
    for event in usable.values():
        if event.parent_id is None:
            roots.append(event)
            continue
        top = _top(event, old)
        if top is None:
            oddities.append(LegacyOddity(Oddity.CIRCLE, f"event {event.id}"))
            alone.append(event)
        elif top.id not in usable or top.parent_id is not None:
            oddities.append(LegacyOddity(Oddity.ORPHAN, f"event {event.id}", f"of event {top.parent_id or top.id}"))
            alone.append(event)
        else:
            children.setdefault(top.id, []).append(event)
    families = []
    for root in roots:
        if root.repeats or root.id in children:
            families.append(_family_of(root, children.get(root.id, []), otherwise, oddities))
        else:
            alone.append(root)
    return families, alone


def _top(event: OldEvent, old: LegacyData) -> OldEvent | None:
    """Follow ``parent_id`` to the topmost row, or to the last one whose parent is missing. None for a cycle."""
    seen = {event.id}
    while event.parent_id is not None:
        parent = old.events.get(event.parent_id)
        if parent is None:
            return event
        if parent.id in seen:
            return None
        seen.add(parent.id)
        event = parent
    return event


def _family_of(parent: OldEvent, children: list[OldEvent], otherwise: str, oddities: list[LegacyOddity]) -> EventFamily:
    zone, _ = zone_of(parent, otherwise)
    family = EventFamily(parent, [SeriesSection(parent, zone, local_start(parent, zone))])
    heads = sorted((child for child in children if child.is_split), key=lambda head: (_named(head, otherwise), head.id))
    for head in heads:
        _cut(family, SeriesSection(head, zone_of(head, otherwise)[0], _named(head, otherwise)), oddities)
    by_head = {section.head.id: section for section in family.sections}
    for child in children:
        if child.id in by_head or child in family.alone:
            continue
        if child.parent_id in by_head and child.parent_id != parent.id:
            by_head[child.parent_id].dates.append(child)
            continue
        if child.parent_id != parent.id:
            oddities.append(LegacyOddity(Oddity.NESTED, f"event {child.id}", f"of event {child.parent_id}"))
        at = _named(child, zone)
        earlier_sections = [section for section in family.sections if section.begins <= at]
        (earlier_sections[-1] if earlier_sections else family.sections[0]).dates.append(child)
    return family


def _cut(family: EventFamily, section: SeriesSection, oddities: list[LegacyOddity]) -> None:
    """Append a section. It replaces the last section if it does not begin after it."""
    last = family.sections[-1]
    subject = f"event {section.head.id}"
    if section.head.rule is None:
        oddities.append(LegacyOddity(Oddity.SPLIT_WITHOUT_RULE, subject))
    if section.begins > last.begins:
        family.sections.append(section)
        return
    if last.head.id == family.parent.id:
        oddities.append(LegacyOddity(Oddity.SPLIT_AT_FIRST_DATE, subject))
        # The parent becomes a date of the new section.
        section.dates.append(family.parent)
    else:
        oddities.append(LegacyOddity(Oddity.SPLITS_OVERLAP, f"event {last.head.id}", f"event {section.head.id}"))
        family.alone.append(last.head)
    family.sections[-1] = section


def _named(event: OldEvent, otherwise: str) -> datetime:
    """The date that a row represents, as wall-clock time in its zone."""
    zone, _ = zone_of(event, otherwise)
    if event.original_at is None:
        return local_start(event, zone)
    return local_of(event.original_at, zone).replace(tzinfo=None, microsecond=0)


@dataclass(frozen=True, slots=True)
class _Analysis:
    """What is analysed, and what is found on the way.

    ``otherwise``: the zone of events that have none. ``alone``: rows that become single events.
    """

    old: LegacyData
    otherwise: str
    oddities: list[LegacyOddity]
    alone: list[OldEvent]

    def report(self, oddity: Oddity, subject: str, detail: str = "") -> None:
        """Add an oddity."""
        self.oddities.append(LegacyOddity(oddity, subject, detail))


def analyse(old: LegacyData, otherwise: str) -> LegacyPlan:
    """Make the import plan. ``otherwise``: the zone of events that have none."""
    plan = LegacyPlan(old.shape, oddities=list(old.oddities))
    _people(old, plan)
    _groups(old, plan)
    events = _usable(old, plan)
    families, alone = families_of(old, events, otherwise, plan.oddities)
    analysis = _Analysis(old, otherwise, plan.oddities, alone)
    for family in families:
        alone += family.alone
        plan.parts += _parts(analysis, family)
    for event in sorted(alone, key=lambda one: one.id):
        plan.singles.append(_single(analysis, event))
    _report_duplicates(old, plan)
    return plan


def _people(old: LegacyData, plan: LegacyPlan) -> None:
    addresses: set[str] = set()
    for user in old.users.values():
        if user.email is not None and user.email in addresses:
            plan.oddities.append(LegacyOddity(Oddity.EMAIL_TWICE, f"user {user.id}"))
            plan.users.append(replace(user, email=None))
            continue
        addresses.add(user.email or "")
        plan.users.append(user)


def _groups(old: LegacyData, plan: LegacyPlan) -> None:
    for group in list(old.groups.values()):
        if group.created_by not in old.users:
            owner = next((one.user_id for one in old.members if one.group_id == group.id and one.role == "owner"), None)
            if owner not in old.users:
                plan.oddities.append(LegacyOddity(Oddity.NO_HOST, f"group {group.id}"))
                del old.groups[group.id]
                continue
            group = replace(group, created_by=owner)  # noqa: PLW2901  # the same group, with the owner that it has
        plan.groups.append(group)
    known: set[tuple[int, int]] = set()
    for member in old.members:
        pair = (member.group_id, member.user_id)
        if member.group_id in old.groups and member.user_id in old.users and pair not in known:
            known.add(pair)
            plan.members.append(member)


def _usable(old: LegacyData, plan: LegacyPlan) -> list[OldEvent]:
    usable = []
    for event in old.events.values():
        if event.starts_at is None:
            plan.oddities.append(LegacyOddity(Oddity.NO_START, f"event {event.id}"))
        elif event.user_id not in old.users:
            plan.oddities.append(LegacyOddity(Oddity.NO_HOST, f"event {event.id}"))
        else:
            usable.append(event)
    return usable


def _single(analysis: _Analysis, event: OldEvent) -> PlannedEvent:
    old, oddities = analysis.old, analysis.oddities
    details = details_of(event, _zone(analysis, event, is_reported=old.shape.has_recurrence), old, oddities)
    return PlannedEvent(event, details, is_cancelled(event), rsvps_of(event, old, oddities))


def _zone(analysis: _Analysis, event: OldEvent, *, is_reported: bool = True) -> str:
    """The event's zone. A missing or unknown one is an oddity, unless ``is_reported`` is False."""
    zone, oddity = zone_of(event, analysis.otherwise)
    if oddity is not None and is_reported:
        analysis.report(oddity, f"event {event.id}")
    return zone


def _parts(analysis: _Analysis, family: EventFamily) -> list[LegacySeriesPart]:
    """The parts of a series, one per section, in order."""
    parts: list[LegacySeriesPart] = []
    after: int | None = None
    followers: tuple[int, ...] = ()
    for number, section in enumerate(family.sections):
        section_end = family.sections[number + 1].begins if number + 1 < len(family.sections) else None
        own = rsvps_of(section.head, analysis.old, [])
        # People who follow a series that was split also follow its later part.
        followers = tuple(dict.fromkeys((*followers, *followers_of(own))))
        parts.append(_part(analysis, section, section_end, after, followers))
        after = section.head.id
    return parts


def _part(
    analysis: _Analysis,
    section: SeriesSection,
    section_end: datetime | None,
    after: int | None,
    followers: tuple[int, ...],
) -> LegacySeriesPart:
    """The series of one section. ``section_end``: when the next section begins; ``after``: the id of the row that heads
    the previous one.
    """
    old, oddities = analysis.old, analysis.oddities
    head = section.head
    zone = _zone(analysis, head)
    details = details_of(head, zone, old, oddities)
    parsed = timing_of(head, zone)
    oddities += parsed.oddities
    recurrence = parsed.pattern
    if section_end is not None:
        before = ended_before(recurrence, section_end)
        if before is not None and before.rule != recurrence.rule:
            ends = section_end.isoformat(sep=" ", timespec="minutes")
            analysis.report(Oddity.ENDED_BY_SPLIT, f"event {head.id}", ends)
        # Heads on the same day share a section, so each section has at least its own start before the next one begins.
        recurrence = before or replace(recurrence, rule=None, left_out=(), added=())
    placed, recurrence = _placed(analysis, section, recurrence)
    timing = Timing(recurrence, length_of(details))
    content = details.content
    dates = []
    first = original_text(recurrence.start)
    for name, event in placed.items():
        more: list[OldRsvp] = old.answers.get(head.id, []) if name == first and event.id != head.id else []
        own = details if event.id == head.id else details_of(event, zone, old, oddities)
        usual = usual_of(content, timing, datetime.fromisoformat(name))
        rsvps = rsvps_of(event, old, oddities, more)
        dates.append(
            PlannedEvent(event, own, is_cancelled(event), rsvps, name, _overridden(analysis, event, own, usual))
        )
    return LegacySeriesPart(head, content, timing, is_cancelled(head), after, tuple(dates), followers)


def _overridden(analysis: _Analysis, event: OldEvent, own: Details, usual: Details) -> tuple[str, ...]:
    """The fields of a date that its series does not change."""
    overridden = differing(own, usual)
    if event.is_exception and not overridden:
        if not is_cancelled(event):
            analysis.report(Oddity.EXCEPTION_SAYS_THE_SAME, f"event {event.id}")
        # The host changed this date, so it keeps at least its own time.
        return (STARTS,)
    return overridden


def _placed(analysis: _Analysis, section: SeriesSection, recurrence: Pattern) -> tuple[dict[str, OldEvent], Pattern]:
    """Return the stored dates by original start, and a pattern that contains all of them.

    If no row represents the first date, the head does.
    """
    events_by_name: dict[datetime, OldEvent] = {}
    added = set(recurrence.added)
    left_out = set(recurrence.left_out)
    zone = recurrence.zone_or_utc
    # Includes excluded dates, because a row may represent one of them.
    all_dates = replace(recurrence, left_out=())
    for event in sorted(section.dates, key=lambda one: one.id):
        subject = f"event {event.id}"
        if event.original_at is None:
            analysis.report(Oddity.NO_ORIGINAL_DATE, subject)
        at = event.original_at if event.original_at is not None else event.starts_at
        assert at is not None  # noqa: S101  # events without a start were left out before
        local = local_of(at, zone).replace(tzinfo=None, microsecond=0)
        name = date_near(all_dates, local)
        if name is None and len(added) >= MAX_DATES:
            analysis.alone.append(event)
            continue
        if name is None and recurrence.rule is None:
            name = local  # The missing rule was already reported.
        elif name is None:
            analysis.report(Oddity.NOT_BY_RULE, subject, local.isoformat(sep=" ", timespec="minutes"))
            name = local
        elif name != local:
            analysis.report(Oddity.SHIFTED, subject)
        if name in events_by_name:
            analysis.report(Oddity.SAME_DATE_TWICE, subject, f"event {events_by_name[name].id}")
            analysis.alone.append(event)
            continue
        if name in left_out:
            left_out.discard(name)
            if not is_cancelled(event):
                analysis.report(Oddity.EXCEPTION_TAKES_PLACE, subject)
        if name != recurrence.start and date_near(all_dates, name) is None:
            added.add(name)
        events_by_name[name] = event
    events_by_name.setdefault(recurrence.start, section.head)
    left_out.discard(recurrence.start)
    pattern = replace(recurrence, left_out=tuple(sorted(left_out)), added=tuple(sorted(added)))
    return {original_text(at): events_by_name[at] for at in sorted(events_by_name)}, pattern


def _report_duplicates(old: LegacyData, plan: LegacyPlan) -> None:
    """Report duplicates of values that must be unique in OpenMeet (slug, chat room), and RSVPs of rows that are not
    imported.
    """
    brought = {one.old.id for one in (*plan.dates, *plan.singles)} | {part.old.id for part in plan.parts}
    for event_id in old.answers.keys() - brought:
        plan.oddities.append(LegacyOddity(Oddity.NO_EVENT, f"{len(old.answers[event_id])} answers of event {event_id}"))
    slugs: set[str] = set()
    rooms: dict[str, int] = {}
    for one in (*plan.dates, *plan.singles):
        if one.old.slug and one.old.slug in slugs:
            plan.oddities.append(LegacyOddity(Oddity.SLUG_TWICE, f"event {one.old.id}"))
        slugs.add(one.old.slug)
        room = one.old.matrix_room_id
        if room is not None and rooms.setdefault(room, one.old.id) != one.old.id:
            plan.oddities.append(LegacyOddity(Oddity.ROOM_TWICE, f"event {one.old.id}"))
