"""Events of the demo town that are over: who was there, and what they photographed."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from groundwork.clock import DAY, HOUR, MINUTE, Instant
from groundwork.database.transaction import Database
from openmeet.domain.attendance import actions as attendance_actions
from openmeet.domain.attendance import host_decisions
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.events import actions as event_actions
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import Caller
from programs.demo.earlier import act_at
from programs.demo.pictures import TownPhoto, TownPictures
from programs.demo.scenes import SQUARE, UPRIGHT, WHOLE, WIDE
from programs.demo.submissions import details_of
from programs.demo.town import gathering_of

# The person whom the README suggests for looking around.
_EVA: Final = "Eva Kowalska"
_CREATED_BEFORE: Final = 12 * DAY
_ANSWERED_BEFORE: Final = 4 * DAY
_GUESTS: Final = 5


class PastEvent(NamedTuple):
    """An event with the title of a gathering. ``reply``: what Eva answered, if anything. ``checks_in``: whether the host
    checked in the guests.
    """

    title: str
    host: str
    days_ago: int
    reply: RsvpReply | None = None
    checks_in: bool = False
    photos: tuple[TownPhoto, ...] = ()


PAST: Final = (
    PastEvent(
        "Ramen from scratch",
        "Nora Lindqvist",
        2,
        RsvpReply.GOING,
        checks_in=True,
        photos=(
            TownPhoto("table", 0, WHOLE, "Before anybody sat down"),
            TownPhoto("table", 1, UPRIGHT, "Six bowls, no leftovers"),
            TownPhoto("table", 2, SQUARE, ""),
            TownPhoto("cups", 0, WHOLE, "Tea at midnight"),
        ),
    ),
    PastEvent(
        "Schach und Kuchen",
        _EVA,
        6,
        checks_in=True,
        photos=(
            TownPhoto("board", 0, WIDE, "Die längste Partie des Abends"),
            TownPhoto("board", 1, WHOLE, ""),
            TownPhoto("cups", 1, UPRIGHT, "Der Kuchen war schon weg"),
        ),
    ),
    PastEvent("Lindy hop: first steps", "Aylin Demir", 12, RsvpReply.GOING),
    PastEvent("Solder a radio", "Priya Raman", 19, checks_in=True),
    PastEvent("Kurzfilme aus dem Kiez", "Jonas Becker", 26, RsvpReply.INTERESTED),
    PastEvent("Krimiabend im Lesesaal", "Julia Hoffmann", 40, RsvpReply.DECLINED),
)


async def write_past(db: Database, people: Sequence[Caller], pictures: TownPictures | None, today: datetime) -> None:
    """Write the events that are over, at the times when it would have happened. Each is the same in every town."""
    by_name = {one.display_name: one for one in people}
    for past in PAST:
        dice = random.Random(past.title)  # noqa: S311 - chooses what a demonstration shows
        day = (today - timedelta(days=past.days_ago)).replace(hour=0, minute=0, second=0, microsecond=0)
        details = details_of(dice, *gathering_of(past.title), day)
        host, starts = by_name[past.host], details.starts_at or Instant(0)
        event = await act_at(db, Instant(starts - _CREATED_BEFORE), event_actions.create, host, details)
        others = [one for one in people if one not in {host, by_name[_EVA]}]
        replies = [(one, RsvpReply.GOING) for one in dice.sample(others, _GUESTS)]
        if past.reply is not None:
            replies.insert(0, (by_name[_EVA], past.reply))
        guests = await _answer(db, event, host, replies, checks_in=past.checks_in)
        if pictures is not None:
            ended = details.ends_at or starts
            for number, photo in enumerate(past.photos):
                by = [host, *guests][number % (1 + len(guests))]
                pictures.photograph(db, Instant(ended + (number + 1) * HOUR), dice, by.user_id, event.id, photo)


async def _answer(
    db: Database, event: Event, host: Caller, replies: Sequence[tuple[Caller, RsvpReply]], *, checks_in: bool
) -> list[Caller]:
    """Let people answer, and the host check in the guests. Returns those who had a place."""
    starts, guests = event.starts_at or Instant(0), []
    for number, (person, reply) in enumerate(replies):
        answered = Instant(starts - _ANSWERED_BEFORE + number * HOUR)
        rsvp = await act_at(db, answered, attendance_actions.answer, person, event.slug, reply)
        if rsvp.status is AttendanceStatus.ATTENDING:
            guests.append(person)
            if checks_in:
                at = Instant(starts + number * MINUTE)
                await act_at(db, at, host_decisions.check_in, host, event.slug, rsvp.id)
    return guests
