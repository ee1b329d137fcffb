"""Which old rows belong together: a recurring event with its dates, cut into parts where it was split. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from openmeet.domain.legacy_import.model import Odd, Oddity, Old, OldEvent
from openmeet.domain.legacy_import.timing import local_start, zone_of
from openmeet.recurrence.wall_time import local_of


@dataclass(slots=True)
class Section:
    """A head with a rule and the dates that are its own; ``begins``: the date at which it takes over, in its zone."""

    head: OldEvent
    zone: str
    begins: datetime
    dates: list[OldEvent] = field(default_factory=list)


@dataclass(slots=True)
class Family:
    """A recurring event: its sections in order, the first of them the parent itself unless a split replaced it."""

    parent: OldEvent
    sections: list[Section]
    # Rows that are no section and no date of one after all.
    alone: list[OldEvent] = field(default_factory=list)


def families_of(
    old: Old, events: Iterable[OldEvent], otherwise: str, odd: list[Odd]
) -> tuple[list[Family], list[OldEvent]]:
    """The families among events that have a start, and the events that stand alone."""
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
            odd.append(Odd(Oddity.CIRCLE, f"event {event.id}"))
            alone.append(event)
        elif top.id not in usable or top.parent_id is not None:
            odd.append(Odd(Oddity.ORPHAN, f"event {event.id}", f"of event {top.parent_id or top.id}"))
            alone.append(event)
        else:
            children.setdefault(top.id, []).append(event)
    families = []
    for root in roots:
        if root.repeats or root.id in children:
            families.append(_family(root, children.get(root.id, []), otherwise, odd))
        else:
            alone.append(root)
    return families, alone


def _top(event: OldEvent, old: Old) -> OldEvent | None:
    """The row at the upper end of ``parent_id``, or the last one whose parent is missing; None for a circle."""
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


def _family(parent: OldEvent, children: list[OldEvent], otherwise: str, odd: list[Odd]) -> Family:
    zone, _ = zone_of(parent, otherwise)
    family = Family(parent, [Section(parent, zone, local_start(parent, zone))])
    heads = sorted((child for child in children if child.is_split), key=lambda head: (_named(head, otherwise), head.id))
    for head in heads:
        _cut(family, Section(head, zone_of(head, otherwise)[0], _named(head, otherwise)), odd)
    by_head = {section.head.id: section for section in family.sections}
    for child in children:
        if child.id in by_head or child in family.alone:
            continue
        if child.parent_id in by_head and child.parent_id != parent.id:
            by_head[child.parent_id].dates.append(child)
            continue
        if child.parent_id != parent.id:
            odd.append(Odd(Oddity.NESTED, f"event {child.id}", f"of event {child.parent_id}"))
        at = _named(child, zone)
        behind = [section for section in family.sections if section.begins <= at]
        (behind[-1] if behind else family.sections[0]).dates.append(child)
    return family


def _cut(family: Family, section: Section, odd: list[Odd]) -> None:
    """Add a section; one that begins where the last begins takes its place."""
    last = family.sections[-1]
    subject = f"event {section.head.id}"
    if section.head.rule is None:
        odd.append(Odd(Oddity.SPLIT_WITHOUT_RULE, subject))
    if section.begins > last.begins:
        family.sections.append(section)
        return
    if last.head.id == family.parent.id:
        odd.append(Odd(Oddity.SPLIT_AT_FIRST_DATE, subject))
        # The parent is a date of the new part.
        section.dates.append(family.parent)
    else:
        odd.append(Odd(Oddity.SPLITS_OVERLAP, f"event {last.head.id}", f"event {section.head.id}"))
        family.alone.append(last.head)
    family.sections[-1] = section


def _named(event: OldEvent, otherwise: str) -> datetime:
    """The date that a row says it is, on the clock of its zone."""
    zone, _ = zone_of(event, otherwise)
    if event.original_at is None:
        return local_start(event, zone)
    return local_of(event.original_at, zone).replace(tzinfo=None, microsecond=0)
