"""From an older database to a plan, and to what is odd about it. Pure: nothing is written, and the same input is the same plan."""

from dataclasses import replace
from datetime import datetime

from openmeet.domain.events.differing import STARTS, differing
from openmeet.domain.events.model import Details
from openmeet.domain.legacy_import.answers import answers_of, followers_of
from openmeet.domain.legacy_import.details import details_of, is_cancelled, length_of
from openmeet.domain.legacy_import.families import Family, Section, families_of
from openmeet.domain.legacy_import.model import Odd, Oddity, Old, OldAnswer, OldEvent
from openmeet.domain.legacy_import.plan import Answer, Part, Plan, Single
from openmeet.domain.legacy_import.timing import date_near, ended_before, timing_of, zone_of
from openmeet.domain.series.dates import details_of as usual_of
from openmeet.domain.series.dates import original_text, template_in
from openmeet.domain.series.model import Timing
from openmeet.recurrence.pattern import MAX_DATES, Pattern
from openmeet.recurrence.wall_time import local_of


def analyse(old: Old, otherwise: str) -> Plan:
    """The whole plan. ``otherwise``: the zone of events that say none."""
    plan = Plan(old.shape, odd=list(old.odd))
    _people(old, plan)
    _groups(old, plan)
    events = _usable(old, plan)
    families, alone = families_of(old, events, otherwise, plan.odd)
    for family in families:
        alone += family.alone
        _family(old, family, otherwise, plan, alone)
    for event in sorted(alone, key=lambda one: one.id):
        plan.singles.append(_single(old, event, otherwise, plan.odd))
    _twins(old, plan)
    return plan


def _people(old: Old, plan: Plan) -> None:
    addresses: set[str] = set()
    for user in old.users.values():
        if user.email is not None and user.email in addresses:
            plan.odd.append(Odd(Oddity.EMAIL_TWICE, f"user {user.id}"))
            plan.users.append(replace(user, email=None))
            continue
        addresses.add(user.email or "")
        plan.users.append(user)


def _groups(old: Old, plan: Plan) -> None:
    for group in list(old.groups.values()):
        if group.created_by not in old.users:
            owner = next((one.user_id for one in old.members if one.group_id == group.id and one.role == "owner"), None)
            if owner not in old.users:
                plan.odd.append(Odd(Oddity.NO_HOST, f"group {group.id}"))
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


def _usable(old: Old, plan: Plan) -> list[OldEvent]:
    found = []
    for event in old.events.values():
        if event.starts_at is None:
            plan.odd.append(Odd(Oddity.NO_START, f"event {event.id}"))
        elif event.user_id not in old.users:
            plan.odd.append(Odd(Oddity.NO_HOST, f"event {event.id}"))
        else:
            found.append(event)
    return found


def _single(old: Old, event: OldEvent, otherwise: str, odd: list[Odd]) -> Single:
    zone = _zone(event, otherwise, odd, counts=old.shape.has_recurrence)
    details = details_of(event, zone, old, odd)
    return Single(event, details, is_cancelled(event), answers_of(event, old, odd))


def _zone(event: OldEvent, otherwise: str, odd: list[Odd], *, counts: bool = True) -> str:
    zone, oddity = zone_of(event, otherwise)
    if oddity is not None and counts:
        odd.append(Odd(oddity, f"event {event.id}"))
    return zone


def _family(old: Old, family: Family, otherwise: str, plan: Plan, alone: list[OldEvent]) -> None:
    after: int | None = None
    followers: tuple[int, ...] = ()
    for number, section in enumerate(family.sections):
        behind = family.sections[number + 1].begins if number + 1 < len(family.sections) else None
        own = answers_of(section.head, old, [])
        # Who followed what was split follows the part that was split off.
        followers = tuple(dict.fromkeys((*followers, *followers_of(own))))
        part = _part(old, section, behind, after, followers, otherwise, plan.odd, alone)
        plan.parts.append(part)
        after = section.head.id


def _part(
    old: Old,
    section: Section,
    behind: datetime | None,
    after: int | None,
    followers: tuple[int, ...],
    otherwise: str,
    odd: list[Odd],
    alone: list[OldEvent],
) -> Part:
    head = section.head
    zone = _zone(head, otherwise, odd)
    details = details_of(head, zone, old, odd)
    said = timing_of(head, zone)
    odd += said.oddities
    whole = said.pattern
    if behind is not None:
        before = ended_before(whole, behind)
        if before is not None and before.rule != whole.rule:
            odd.append(Odd(Oddity.ENDED_BY_SPLIT, f"event {head.id}", behind.isoformat(sep=" ", timespec="minutes")))
        # Two heads on one day are one section, so something is left before the next one: its own start.
        whole = before or replace(whole, rule=None, left_out=(), added=())
    placed, whole = _placed(section, whole, odd, alone)
    timing = Timing(whole, length_of(details))
    template = template_in(details)
    dates = []
    first = original_text(whole.start)
    for name, event in placed.items():
        more: list[OldAnswer] = old.answers.get(head.id, []) if name == first and event.id != head.id else []
        own = details if event.id == head.id else details_of(event, zone, old, odd)
        usual = usual_of(template, timing, datetime.fromisoformat(name))
        dates.append(_date(event, own, usual, name, answers_of(event, old, odd, more), odd))
    return Part(head, template, timing, is_cancelled(head), after, tuple(dates), followers)


def _date(
    event: OldEvent, own: Details, usual: Details, name: str, answers: tuple[Answer, ...], odd: list[Odd]
) -> Single:
    overridden = differing(own, usual)
    if event.is_exception and not overridden:
        if not is_cancelled(event):
            odd.append(Odd(Oddity.EXCEPTION_SAYS_THE_SAME, f"event {event.id}"))
        # Its host set it apart: it keeps at least its own time.
        overridden = (STARTS,)
    return Single(event, own, is_cancelled(event), answers, name, overridden)


def _placed(
    section: Section, whole: Pattern, odd: list[Odd], alone: list[OldEvent]
) -> tuple[dict[str, OldEvent], Pattern]:
    """The stored dates by name, and the pattern that names them all. The head is the first date unless a row is that date."""
    found: dict[datetime, OldEvent] = {}
    added = set(whole.added)
    left_out = set(whole.left_out)
    zone = whole.zone_name or "UTC"
    # With the dates that are left out, because a row may stand for one of them.
    named = replace(whole, left_out=())
    for event in sorted(section.dates, key=lambda one: one.id):
        subject = f"event {event.id}"
        if event.original_at is None:
            odd.append(Odd(Oddity.NO_ORIGINAL_DATE, subject))
        at = event.original_at if event.original_at is not None else event.starts_at
        assert at is not None  # noqa: S101  # events without a start are left out before
        local = local_of(at, zone).replace(tzinfo=None, microsecond=0)
        name = date_near(named, local)
        if name is None and len(added) >= MAX_DATES:
            alone.append(event)
            continue
        if name is None and whole.rule is None:
            name = local  # that there is no rule has been said
        elif name is None:
            odd.append(Odd(Oddity.NOT_BY_RULE, subject, local.isoformat(sep=" ", timespec="minutes")))
            name = local
        elif name != local:
            odd.append(Odd(Oddity.SHIFTED, subject))
        if name in found:
            odd.append(Odd(Oddity.SAME_DATE_TWICE, subject, f"event {found[name].id}"))
            alone.append(event)
            continue
        if name in left_out:
            left_out.discard(name)
            if not is_cancelled(event):
                odd.append(Odd(Oddity.EXCEPTION_TAKES_PLACE, subject))
        if name != whole.start and date_near(named, name) is None:
            added.add(name)
        found[name] = event
    found.setdefault(whole.start, section.head)
    left_out.discard(whole.start)
    pattern = replace(whole, left_out=tuple(sorted(left_out)), added=tuple(sorted(added)))
    return {original_text(at): found[at] for at in sorted(found)}, pattern


def _twins(old: Old, plan: Plan) -> None:
    """What is unique here and was not there; and answers to rows that are not imported."""
    brought = {one.old.id for one in (*plan.dates, *plan.singles)} | {part.old.id for part in plan.parts}
    for event_id in old.answers.keys() - brought:
        plan.odd.append(Odd(Oddity.NO_EVENT, f"{len(old.answers[event_id])} answers of event {event_id}"))
    slugs: set[str] = set()
    rooms: dict[str, int] = {}
    for one in (*plan.dates, *plan.singles):
        if one.old.slug and one.old.slug in slugs:
            plan.odd.append(Odd(Oddity.SLUG_TWICE, f"event {one.old.id}"))
        slugs.add(one.old.slug)
        room = one.old.matrix_room_id
        if room is not None and rooms.setdefault(room, one.old.id) != one.old.id:
            plan.odd.append(Odd(Oddity.ROOM_TWICE, f"event {one.old.id}"))
