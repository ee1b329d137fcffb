"""Fill an empty database with the demo town, by the same actions that the pages use."""

import random
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from groundwork.database.transaction import Database, Transaction
from groundwork.outbox import jobs
from groundwork.outbox.jobs import JobState
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting, host_decisions, invitations
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.chat import messages, rooms
from openmeet.domain.chat.model import NewMessage, RoomKind, RoomSubject, SubjectKind
from openmeet.domain.events import actions as events
from openmeet.domain.events.group_events import of_event
from openmeet.domain.events.model import Details, Event
from openmeet.domain.events.rules import Submission, check
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups.model import GroupDetails
from openmeet.domain.series import actions as series
from openmeet.domain.series.model import Timing
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import Caller, UserId
from openmeet.outbox.emails import due_email_of
from openmeet.outbox.kinds import JobKind
from openmeet.recurrence import expansion
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from programs.demo.town import CLUBS, CONVERSATIONS, COUNTRY, GATHERINGS, PEOPLE, REASONS, TOWN, ZONE, Gathering

EVENTS: Final = 220
WEEKS: Final = 6
# Events of one transaction: short enough that the pages keep answering, and that a busy machine ends it in time.
_CHUNK: Final = 4
_OF_CLUBS: Final = frozenset(GATHERINGS[club.gathering].titles[0] for club in CLUBS)
_TRIES: Final = 40


async def fill(db: Database, *, seed: int = 1, number_of_events: int = EVENTS) -> bool:
    """Write the town, in the coming six weeks. False, and nothing written, where the database has people already.

    The same seed makes the same town; only its dates move with today.
    """
    dice = random.Random(seed)  # noqa: S311 - chooses what a demonstration shows
    async with db.transaction() as tx:
        (known,) = await tx.fetch("select count(*) as number from users where email like '%@demo.example'")
        if known["number"]:
            return False
        people = [
            Caller(await users.create_person(tx, display_name=name, email=address_of(name)), name) for name in PEOPLE
        ]
        today = datetime.fromtimestamp(tx.now / 1e6, UTC).astimezone(ZoneInfo(ZONE)).replace(tzinfo=None)
    for number in range(len(CLUBS)):
        async with db.transaction() as tx:
            await _club(tx, dice, people, number, today)
    taken: set[tuple[str, datetime]] = set()
    for begin in range(0, number_of_events, _CHUNK):
        async with db.transaction() as tx:
            made = [
                await _event(tx, dice, people, number, today, taken)
                for number in range(begin, min(begin + _CHUNK, number_of_events))
            ]
        for number, (host, event) in enumerate(made, begin):
            async with db.transaction() as tx:
                others = [one for one in people if one != host]
                if number % 6 == 0:
                    asks = RegistrationSettings(needs_approval=True)
                    await host_decisions.change_registration_settings(tx, host, event.slug, asks)
                going = await _answers(tx, dice, others, event)
                if number % 8 == 1:
                    await invitations.invite(tx, host, event.slug, address_of(dice.choice(PEOPLE)))
                if number % 31 == 5:
                    await event_hosting.cancel(tx, host, event.slug, dice.choice(REASONS))
            if going and number % 4 == 2:
                async with db.transaction() as tx:
                    await _chat(tx, dice, [host, *going], RoomKind.EVENT, RoomSubject(SubjectKind.EVENT, event.id))
    await _drop_mails(db, {one.user_id for one in people})
    return True


async def _drop_mails(db: Database, people: Collection[UserId]) -> None:
    """Drop the mails about all this: in the mailbox they would bury the code of whoever signs in."""
    after = ("", "")
    while True:
        async with db.transaction() as tx:
            due = await jobs.in_state(tx, JobState.DUE, kind=JobKind.MAIL, after=after)
            for job in due:
                if due_email_of(job).person in people:
                    await jobs.forget(tx, JobKind.MAIL, job.subject)
        if not due:
            return
        after = (JobKind.MAIL, due[-1].subject)


def address_of(name: str) -> str:
    """The e-mail address that one of the town’s people signs in with."""
    return f"{name.split(maxsplit=1)[0].lower()}@demo.example"


def _day(dice: random.Random, gathering: Gathering, today: datetime) -> datetime:
    """A day of the coming weeks, nearer ones more often."""
    ahead = 1 + int(WEEKS * 7 * dice.random() ** 1.5)
    if gathering.weekday >= 0:
        ahead += (gathering.weekday - (today + timedelta(days=ahead)).weekday()) % 7
    return (today + timedelta(days=ahead)).replace(hour=0, minute=0, second=0, microsecond=0)


def _details(dice: random.Random, gathering: Gathering, title: str, day: datetime) -> Details:
    hour, minute = map(int, gathering.start.split(":"))
    starts = day.replace(hour=hour, minute=minute)
    where = {"mode": "online", "online_url": "https://meet.demo.example/room"}
    if gathering.venues:
        venue = dice.choice(gathering.venues)
        where = {
            "venue_name": venue.name,
            "street": venue.street,
            "locality": TOWN,
            "country": COUNTRY,
            "point": venue.point,
        }
    return check(
        Submission(
            **{
                "title": title,
                "description": gathering.text,
                "categories": gathering.topic,
                "starts": starts.isoformat(timespec="minutes"),
                "ends": (starts + timedelta(minutes=gathering.length)).isoformat(timespec="minutes"),
                "time_zone": ZONE,
                "capacity": str(gathering.places or ""),
                **where,
            }
        )
    )


async def _event(
    tx: Transaction,
    dice: random.Random,
    people: Sequence[Caller],
    number: int,
    today: datetime,
    taken: set[tuple[str, datetime]],
) -> tuple[Caller, Event]:
    """A single event. ``taken``: titles and days of those that are there."""
    host = people[number % 25]
    gathering, title, day = _gathering(dice, number, today)
    # No town has the same thing twice on one day, and what a club does regularly is the club's.
    for _ in range(_TRIES):
        if (title, day) not in taken and title not in _OF_CLUBS:
            break
        gathering, title, day = _gathering(dice, number + dice.randrange(len(GATHERINGS)), today)
    taken.add((title, day))
    return host, await events.create(tx, host, _details(dice, gathering, title, day))


def _gathering(dice: random.Random, number: int, today: datetime) -> tuple[Gathering, str, datetime]:
    """What happens, under which of its titles, and on which day."""
    gathering = GATHERINGS[(number * 7 + dice.randrange(3)) % len(GATHERINGS)]
    return gathering, dice.choice(gathering.titles), _day(dice, gathering, today)


async def _answers(tx: Transaction, dice: random.Random, others: Sequence[Caller], event: Event) -> list[Caller]:
    """People answer, more than there are places for at some events; returns those who said that they are going."""
    going = []
    for person in dice.sample(others, dice.choice((0, 1, 2, 3, 5, 8, 13))):
        (reply,) = dice.choices((RsvpReply.GOING, RsvpReply.INTERESTED, RsvpReply.DECLINED), (76, 17, 7))
        saved = await attendance.answer(tx, person, event.slug, reply)
        if saved.status is AttendanceStatus.ATTENDING:
            going.append(person)
    return going


async def _chat(
    tx: Transaction, dice: random.Random, people: Sequence[Caller], kind: RoomKind, subject: RoomSubject
) -> None:
    """A short conversation for so many people; the first of them hosts."""
    fitting = [one for one in CONVERSATIONS if all(who < len(people) for who, _ in one)]
    room, _ = await rooms.open_room(tx, people[0], await rooms.target_of(tx, kind, subject))
    for who, text in dice.choice(fitting):
        await messages.send(tx, people[who], room.id, NewMessage(text=text))


async def _club(tx: Transaction, dice: random.Random, people: Sequence[Caller], number: int, today: datetime) -> None:
    club, owner = CLUBS[number], people[number * 3]
    details = GroupDetails(club.name, ZONE, club.text, locality=TOWN, country=COUNTRY)
    group = await groups.create(tx, owner, details)
    members = dice.sample([one for one in people if one != owner], dice.randrange(8, 24))
    for person in members:
        await groups.join(tx, person, group.slug)
    await _chat(tx, dice, [owner, *members], RoomKind.CHANNEL, RoomSubject(SubjectKind.GROUP, group.id))
    gathering = GATHERINGS[club.gathering]
    details_of_date = _details(dice, gathering, gathering.titles[0], today + timedelta(days=1))
    # Begins on the first date that the rule itself names.
    rule = parse_rule(club.rule)
    tomorrow = datetime.fromisoformat(details_of_date.starts_local)
    begins = expansion.first_by_rule(pattern(tomorrow, ZONE, rule)) or tomorrow
    timing = Timing(pattern(begins, ZONE, rule), timedelta(minutes=gathering.length))
    await series.create(tx, owner, details_of_date.content, timing, group=of_event(group))
