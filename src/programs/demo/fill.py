"""Fill an empty database with the demo town, by the same actions that the pages use."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from groundwork.database.transaction import Database, Transaction
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import host_decisions, invitations
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
from openmeet.domain.users.model import Caller
from openmeet.recurrence import expansion
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from programs.demo.town import CLUBS, CONVERSATIONS, COUNTRY, GATHERINGS, PEOPLE, PLACES, TOWN, ZONE, Gathering

EVENTS: Final = 220
WEEKS: Final = 6
# Events of one transaction: short enough that the pages keep answering, and that a busy machine ends it in time.
_CHUNK: Final = 4
_OF_CLUBS: Final = frozenset(GATHERINGS[club.gathering] for club in CLUBS)
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
            Caller(await users.create_person(tx, display_name=name, email=f"person{number}@demo.example"), name)
            for number, name in enumerate(PEOPLE)
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
                    await invitations.invite(tx, host, event.slug, f"person{dice.randrange(len(people))}@demo.example")
            if going and number % 4 == 2:
                async with db.transaction() as tx:
                    await _chat(tx, dice, [host, *going], RoomKind.EVENT, RoomSubject(SubjectKind.EVENT, event.id))
    return True


def _day(dice: random.Random, gathering: Gathering, today: datetime) -> datetime:
    """A day of the coming weeks, nearer ones more often."""
    ahead = 1 + int(WEEKS * 7 * dice.random() ** 1.5)
    if gathering.weekday >= 0:
        ahead += (gathering.weekday - (today + timedelta(days=ahead)).weekday()) % 7
    return (today + timedelta(days=ahead)).replace(hour=0, minute=0, second=0, microsecond=0)


def _details(dice: random.Random, gathering: Gathering, day: datetime) -> Details:
    hour, minute = map(int, gathering.start.split(":"))
    starts = day.replace(hour=hour, minute=minute)
    place = dice.choice(PLACES)
    where = {
        "venue_name": place.name,
        "street": place.street,
        "locality": TOWN,
        "country": COUNTRY,
        "point": place.point,
    }
    return check(
        Submission(
            **{
                "title": gathering.title,
                "description": gathering.text,
                "categories": gathering.topic,
                "starts": starts.isoformat(timespec="minutes"),
                "ends": (starts + timedelta(minutes=gathering.length)).isoformat(timespec="minutes"),
                "time_zone": ZONE,
                "capacity": str(gathering.places or ""),
                **(
                    {"mode": "online", "online_url": "https://meet.demo.example/room"} if gathering.is_online else where
                ),
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
    gathering, day = _gathering(dice, number, today)
    # No town has the same thing twice on one day, be it of a club.
    for _ in range(_TRIES):
        if (gathering.title, day) not in taken and gathering not in _OF_CLUBS:
            break
        gathering, day = _gathering(dice, number + dice.randrange(len(GATHERINGS)), today)
    taken.add((gathering.title, day))
    return host, await events.create(tx, host, _details(dice, gathering, day))


def _gathering(dice: random.Random, number: int, today: datetime) -> tuple[Gathering, datetime]:
    gathering = GATHERINGS[(number * 7 + dice.randrange(3)) % len(GATHERINGS)]
    return gathering, _day(dice, gathering, today)


async def _answers(tx: Transaction, dice: random.Random, others: Sequence[Caller], event: Event) -> list[Caller]:
    """People answer, more than there are places for at some events; returns those who said that they are going."""
    going = []
    for person in dice.sample(others, dice.choice((0, 1, 2, 3, 5, 8, 13))):
        reply = RsvpReply.GOING if dice.random() < 0.8 else RsvpReply.INTERESTED
        saved = await attendance.answer(tx, person, event.slug, reply)
        if saved.status is AttendanceStatus.ATTENDING:
            going.append(person)
    return going


async def _chat(
    tx: Transaction, dice: random.Random, people: Sequence[Caller], kind: RoomKind, subject: RoomSubject
) -> None:
    """A short conversation; the first of these people begins it."""
    room, _ = await rooms.open_room(tx, people[0], await rooms.target_of(tx, kind, subject))
    for number, text in enumerate(dice.choice(CONVERSATIONS)):
        await messages.send(tx, people[number % len(people)], room.id, NewMessage(text=text))


async def _club(tx: Transaction, dice: random.Random, people: Sequence[Caller], number: int, today: datetime) -> None:
    club, owner = CLUBS[number], people[number * 3]
    details = GroupDetails(club.name, ZONE, club.text, locality=TOWN, country=COUNTRY)
    group = await groups.create(tx, owner, details)
    members = dice.sample([one for one in people if one != owner], dice.randrange(8, 24))
    for person in members:
        await groups.join(tx, person, group.slug)
    await _chat(tx, dice, [owner, *members], RoomKind.CHANNEL, RoomSubject(SubjectKind.GROUP, group.id))
    gathering = GATHERINGS[club.gathering]
    details_of_date = _details(dice, gathering, today + timedelta(days=1))
    # Begins on the first date that the rule itself names.
    rule = parse_rule(club.rule)
    tomorrow = datetime.fromisoformat(details_of_date.starts_local)
    begins = expansion.first_by_rule(pattern(tomorrow, ZONE, rule)) or tomorrow
    timing = Timing(pattern(begins, ZONE, rule), timedelta(minutes=gathering.length))
    await series.create(tx, owner, details_of_date.content, timing, group=of_event(group))
