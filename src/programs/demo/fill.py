"""Fill an empty database with the demo town, using the same functions as the pages."""

import random
from collections import defaultdict
from collections.abc import Callable, Collection, Coroutine, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Concatenate, Final, NamedTuple, ParamSpec, TypeVar
from zoneinfo import ZoneInfo

from groundwork.database.transaction import Database, Transaction
from groundwork.outbox import jobs
from groundwork.outbox.jobs import JobState
from openmeet.domain.attendance import actions as attendance_actions
from openmeet.domain.attendance import event_hosting, invitations
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.chat.model import RoomKind, RoomSubject, SubjectKind
from openmeet.domain.events import actions as event_actions
from openmeet.domain.events.group_of_event import as_group_of_event
from openmeet.domain.events.model import Details, Event
from openmeet.domain.events.rules import Submission, check
from openmeet.domain.events.submissions import values_of_event
from openmeet.domain.groups import actions as group_actions
from openmeet.domain.groups.model import GroupDetails
from openmeet.domain.media.pictures import Picture
from openmeet.domain.notifications.notify import mark_all_read
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series import date_queries
from openmeet.domain.series.model import Series, Timing
from openmeet.domain.users import actions as user_actions
from openmeet.domain.users.model import Caller, Profile, UserId
from openmeet.outbox.emails import due_email_of
from openmeet.outbox.kinds import JobKind
from openmeet.recurrence import expansion
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from programs.demo.conversations import converse
from programs.demo.gathering import EventTemplate, EventTexts
from programs.demo.past import write_past
from programs.demo.pictures import TownPictures
from programs.demo.submissions import details_of
from programs.demo.town import ABOUT, CLUBS, COUNTRY, GATHERINGS, LOOKS, PEOPLE, REASONS, TOWN, ZONE, Club, gathering_of

EVENTS: Final = 240
WEEKS: Final = 6
# How many events are created before people answer them.
_CHUNK: Final = 4
_TRIES: Final = 40
# Nothing is planned for today that starts sooner than this.
_SOON: Final = timedelta(hours=1)
# Nothing sooner than this is cancelled, so that no list begins with cancelled events.
_BEFORE_CANCELLED: Final = timedelta(days=2)
# How many people host single events. The others only attend.
_HOSTS: Final = 28
# Few enough places that they fill up and a waitlist forms.
_FEW_PLACES: Final = 21
# After this percentage of the events has been written, everybody's notifications are marked as read.
_READ: Final = 90
# How many members of a club answer each of its next dates.
_DATE_ANSWERS: Final = (11, 7, 4, 2)
# The share of events with an uploaded picture. The others have their generated cover.
_WITH_PICTURE: Final = 0.45


P = ParamSpec("P")
T = TypeVar("T")

# Start and end of the events that each person hosts or attends.
BusyTimes = defaultdict[UserId, list[tuple[int, int]]]


class Plan(NamedTuple):
    """A single event before it is written. ``number``: its place in the order of writing, which decides whether it is
    moved and so on.
    """

    number: int
    host: Caller
    gathering: EventTemplate
    happening: EventTexts
    day: datetime
    scene: str
    is_cancelled: bool


async def fill(
    db: Database, *, seed: int = 1, number_of_events: int = EVENTS, pictures: TownPictures | None = None
) -> bool:
    """Write the demo town with events in the coming six weeks, and a few that are over. Returns False, and writes
    nothing, if the database already has the town's people.

    The same seed makes the same town; only its dates depend on today. ``pictures`` draws and stores the pictures;
    without it there are none.
    """
    dice = random.Random(seed)  # noqa: S311 - chooses what a demonstration shows

    async def create_people(tx: Transaction) -> tuple[list[Caller], datetime]:
        (demo_users,) = await tx.fetch("select count(*) as number from users where email like '%@demo.example'")
        people = [] if demo_users["number"] else [await _create_person(tx, name) for name in PEOPLE]
        return people, datetime.fromtimestamp(tx.now / 1e6, UTC).astimezone(ZoneInfo(ZONE)).replace(tzinfo=None)

    people, today = await db.batch(create_people)
    if not people:
        return False
    async with pictures.storing() if pictures else nullcontext():
        await _write_town(db, dice, people, pictures, number_of_events, today)
    await _drop_mails(db, {one.user_id for one in people})
    return True


async def _create_person(tx: Transaction, name: str) -> Caller:
    person = Caller(await user_actions.create_person(tx, display_name=name, email=address_of(name)), name)
    text = ABOUT.get(name, "")
    await user_actions.edit_profile(tx, person.user_id, Profile(name, text, time_zone=ZONE, shows_about=bool(text)))
    return person


async def _write_town(
    db: Database,
    dice: random.Random,
    people: Sequence[Caller],
    pictures: TownPictures | None,
    number_of_events: int,
    today: datetime,
) -> None:
    if pictures is not None:
        for one in people:
            if (look := LOOKS[one.display_name]) is not None:
                drawn = random.Random(one.display_name)  # noqa: S311 - names a file
                pictures.portray(db, drawn, one.user_id, look, one.display_name)
    await write_past(db, people, pictures, today)
    for number, club in enumerate(CLUBS):
        owner = people[number * 3]
        shown = _upload_picture(db, pictures, owner, club.name, club.scene)
        await _club(db, dice, people, club, owner, today, shown)
    plans = _plans(dice, people, number_of_events, today)
    busy: BusyTimes = defaultdict(list)
    for begin in range(0, number_of_events, _CHUNK):
        await _write(db, dice, people, plans[begin : begin + _CHUNK], pictures, busy)
        if begin // _CHUNK == number_of_events * _READ // 100 // _CHUNK:
            for one in people:
                await _act(db, mark_all_read, one.user_id)


async def _act(
    db: Database,
    action: Callable[Concatenate[Transaction, P], Coroutine[Any, Any, T]],
    *arguments: P.args,
    **named: P.kwargs,
) -> T:
    """Run one action in its own transaction, so that a busy machine finishes it in time and pages stay responsive."""
    return await db.batch(lambda tx: action(tx, *arguments, **named))


async def _write(
    db: Database,
    dice: random.Random,
    people: Sequence[Caller],
    plans: Sequence[Plan],
    pictures: TownPictures | None,
    busy: BusyTimes,
) -> None:
    """Write some events and what happens to them: answers, chat, changes of time, cancellations. Nobody answers two
    events at the same time; ``busy`` is updated.
    """
    events_made = []
    for plan in plans:
        picture = _upload_picture(db, pictures, plan.host, f"event {plan.number}", plan.scene)
        details = details_of(dice, plan.gathering, plan.happening, plan.day)
        details = replace(details, content=replace(details.content, picture=picture))
        events_made.append(await _act(db, event_actions.create, plan.host, details))
    for plan, event in zip(plans, events_made, strict=True):
        number, host = plan.number, plan.host
        _note_busy(busy, host, event)
        others = [one for one in people if one != host and _is_free(busy, one, event)]
        if number % 6 == 0:
            asks = RegistrationSettings(needs_approval=True)
            await _act(db, event_hosting.change_registration_settings, host, event.slug, asks)
        is_sought = number % 7 == 3 and 0 < plan.gathering.places < _FEW_PLACES
        attendees = await _fill_answers(db, dice, others, event, plan.gathering.places + 4 if is_sought else 0)
        for one in attendees:
            _note_busy(busy, one, event)
        if number % 8 == 1:
            await _act(db, invitations.invite, host, event.slug, address_of(dice.choice(PEOPLE)))
        if plan.is_cancelled:
            await _act(db, event_hosting.cancel, host, event.slug, dice.choice(REASONS[plan.happening.language]))
        if number % 17 == 7:
            await _act(db, event_hosting.revise, host, event.slug, _moved(dice, event))
        if attendees and number % 3 == 2:
            subject = RoomSubject(SubjectKind.EVENT, event.id)
            await converse(db, dice, [host, *attendees], RoomKind.EVENT, subject, plan.happening.language)


def _note_busy(busy: BusyTimes, person: Caller, event: Event) -> None:
    if event.starts_at is not None:
        busy[person.user_id].append((event.starts_at, event.ends_at or event.starts_at))


def _is_free(busy: BusyTimes, person: Caller, event: Event) -> bool:
    starts, ends = event.starts_at or 0, event.ends_at or event.starts_at or 0
    return all(ends <= other_start or other_end <= starts for other_start, other_end in busy[person.user_id])


def _upload_picture(
    db: Database, pictures: TownPictures | None, uploader: Caller, about: str, scene: str
) -> Picture | None:
    """The uploaded picture, if there is one. This does not use the town's random generator, so the town is the same
    with and without pictures.
    """
    if pictures is None or not scene:
        return None
    return pictures.upload(db, random.Random(about), uploader.user_id, scene)  # noqa: S311 - names a file


def _plans(dice: random.Random, people: Sequence[Caller], number_of_events: int, today: datetime) -> list[Plan]:
    """Plan each title once, then again from the beginning on other days. Titles of a club's regular events are left
    out.
    """
    of_clubs = {club.title for club in CLUBS}
    all_of_them = [
        (index, gathering, happening)
        for index, gathering in enumerate(GATHERINGS)
        for happening in gathering.happenings()
        if happening.title not in of_clubs
    ]
    dice.shuffle(all_of_them)
    taken_slots: set[tuple[str, datetime]] = set()
    plans = []
    for number in range(number_of_events):
        index, gathering, happening = all_of_them[number % len(all_of_them)]
        day = _random_day(dice, gathering, today)
        for _ in range(_TRIES):
            if (happening.title, day) not in taken_slots:
                break
            day = _random_day(dice, gathering, today)
        taken_slots.add((happening.title, day))
        # The same two people host similar events.
        host = people[(2 * index + number % 2) % _HOSTS]
        scene = dice.choice(gathering.scenes) if dice.random() < _WITH_PICTURE else ""
        is_cancelled = number % 31 == 5 and day >= today + _BEFORE_CANCELLED
        plans.append(Plan(number, host, gathering, happening, day, scene, is_cancelled))
    return plans


def _moved(dice: random.Random, event: Event) -> Details:
    """The event's details, moved by an hour or a day."""
    submission = Submission(**values_of_event(event))
    later = timedelta(hours=1) if dice.random() < 0.5 else timedelta(days=1)
    starts, ends = (
        (datetime.fromisoformat(text) + later).isoformat(timespec="minutes")
        for text in (submission.starts, submission.ends)
    )
    return check(replace(submission, starts=starts, ends=ends), event)


async def _drop_mails(db: Database, people: Collection[UserId]) -> None:
    """Delete the e-mails that filling the town caused. In the development mailbox they would bury people's sign-in
    codes.
    """

    async def drop_some(tx: Transaction, after: tuple[str, str]) -> tuple[str, str] | None:
        due = await jobs.in_state(tx, JobState.DUE, kind=JobKind.MAIL, after=after)
        for job in due:
            if due_email_of(job).person in people:
                await jobs.forget(tx, JobKind.MAIL, job.subject)
        return (JobKind.MAIL, due[-1].subject) if due else None

    after: tuple[str, str] | None = ("", "")
    while after is not None:
        after = await _act(db, drop_some, after)


def address_of(name: str) -> str:
    """The e-mail address that one of the town’s people signs in with."""
    return f"{name.split(maxsplit=1)[0].lower()}@demo.example"


def _random_day(dice: random.Random, gathering: EventTemplate, today: datetime) -> datetime:
    """A random day in the coming weeks, or today if it starts in more than an hour. Nearer days are more likely."""
    ahead = int(WEEKS * 7 * dice.random() ** 1.5)
    if gathering.weekday >= 0:
        ahead += (gathering.weekday - (today + timedelta(days=ahead)).weekday()) % 7
    hour, minute = map(int, gathering.start.split(":"))
    if ahead == 0 and today.replace(hour=hour, minute=minute) <= today + _SOON:
        ahead = 1 if gathering.weekday < 0 else 7
    return (today + timedelta(days=ahead)).replace(hour=0, minute=0, second=0, microsecond=0)


async def _fill_answers(
    db: Database, dice: random.Random, others: Sequence[Caller], event: Event, sought_by: int
) -> list[Caller]:
    """Let people answer, and return those who have a place.

    ``sought_by``: if not 0, this many people want to attend, which is more than there are places.
    """
    attendees = []
    number = sought_by or dice.choice((0, 1, 2, 3, 5, 8, 13))
    for person in dice.sample(others, min(number, len(others))):
        (reply,) = dice.choices((RsvpReply.GOING, RsvpReply.INTERESTED, RsvpReply.DECLINED), (76, 17, 7))
        own_reply = RsvpReply.GOING if sought_by else reply
        saved = await _act(db, attendance_actions.answer, person, event.slug, own_reply)
        if saved.status is AttendanceStatus.ATTENDING:
            attendees.append(person)
    return attendees


async def _club(
    db: Database,
    dice: random.Random,
    people: Sequence[Caller],
    club: Club,
    owner: Caller,
    today: datetime,
    picture: Picture | None,
) -> None:
    details = GroupDetails(club.name, ZONE, club.text, locality=TOWN, country=COUNTRY)
    group = await _act(db, group_actions.create, owner, details)
    if picture is not None:
        await _act(db, group_actions.set_picture, owner, group.slug, picture)
    members = dice.sample([one for one in people if one != owner], dice.randrange(8, 24))
    for person in members:
        await _act(db, group_actions.join, person, group.slug)
    gathering, happening = gathering_of(club.title)
    subject = RoomSubject(SubjectKind.GROUP, group.id)
    await converse(db, dice, [owner, *members], RoomKind.CHANNEL, subject, happening.language)
    details_of_date = details_of(dice, gathering, happening, today + timedelta(days=1))
    # Starts on the first date that the rule itself selects.
    rule = parse_rule(club.rule)
    tomorrow = datetime.fromisoformat(details_of_date.starts_local)
    begins = expansion.first_by_rule(pattern(tomorrow, ZONE, rule)) or tomorrow
    timing = Timing(pattern(begins, ZONE, rule), timedelta(minutes=gathering.length))
    content = replace(details_of_date.content, picture=picture)
    made = await _act(db, series_actions.create, owner, content, timing, group=as_group_of_event(group))
    await _answer_dates(db, random.Random(club.name), members, made)  # noqa: S311 - chooses what a demonstration shows


async def _answer_dates(db: Database, dice: random.Random, members: Sequence[Caller], made: Series) -> None:
    """Let members of a club answer its next dates, more of them the nearer ones. Small ones get a waitlist."""
    async with db.reader() as reader:
        dates = await date_queries.upcoming_of(reader, [made.id])
    for most, date in zip(_DATE_ANSWERS, dates, strict=False):
        for person in dice.sample(members, min(most, len(members))):
            (reply,) = dice.choices((RsvpReply.GOING, RsvpReply.INTERESTED), (5, 1))
            await _act(db, attendance_actions.answer, person, date.slug, reply)
