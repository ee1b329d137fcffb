"""A person with a full month: events of every kind, overlaps, an event past midnight, a festival and two subscribed
calendars.
"""

from datetime import datetime

from groundwork.clock import HOUR, Instant
from groundwork.database.transaction import Transaction
from groundwork.uuid7 import new_id
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.calendars import queries
from openmeet.domain.calendars.model import CalendarId, FeedHealth, ReadDate
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import Caller
from openmeet.recurrence.wall_time import instant_of
from tests.openmeet.site_under_test import event_by, person

ZONE = "Europe/Berlin"


async def full_month(tx: Transaction) -> tuple[Caller, dict[str, Event]]:
    """Ana's March and April of 2026 in Berlin time, as events by title."""
    ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
    await tx.execute("update users set time_zone = :zone where id = :id", zone=ZONE, id=ana.user_id)
    made: dict[str, Event] = {}
    for title, starts, ends, reply, more in (
        ("Lightning talks: small tools we love", "2026-03-03T19:00", "2026-03-03T21:30", "going", {"categories": "technology"}),
        ("Choir: open rehearsal", "2026-03-03T19:30", "2026-03-03T21:30", "interested", {"categories": "music"}),
        ("Games night", "2026-03-05T19:00", "2026-03-05T22:00", "going", {"categories": "games"}),
        ("Repair café", "2026-03-07T14:00", "2026-03-07T17:00", "interested", {"categories": "crafts"}),
        ("Life drawing", "2026-03-07T16:00", "2026-03-07T18:30", "host", {"categories": "arts"}),
        ("Club night", "2026-03-07T22:00", "2026-03-08T03:30", "going", {"categories": "dance"}),
        ("Donaudampfschifffahrtsgesellschaftsversammlung", "2026-03-07T09:30", "2026-03-07T10:15", "going", {}),
        ("Book club", "2026-03-10T19:00", "2026-03-10T21:00", "going", {"categories": "books"}),
        ("Film festival", "2026-03-12T10:00", "2026-03-16T23:00", "going", {"categories": "film", "all_day": "yes"}),
        ("Supper club", "2026-03-14T19:30", "2026-03-14T22:30", "going", {"categories": "food"}),
        ("Morning run", "2026-03-18T07:00", "2026-03-18T08:00", "going", {"categories": "sports"}),
        ("Stargazing", "2026-03-19T20:00", "2026-03-19T23:00", "cancelled", {"categories": "science"}),
        ("Talk from New York", "2026-03-24T13:00", "2026-03-24T14:00", "going", {"time_zone": "America/New_York", "mode": "online", "online_url": "https://meet.example/x"}),
        ("Early walk before the clocks change", "2026-03-29T01:30", "2026-03-29T04:00", "going", {"categories": "outdoors"}),
    ):  # fmt: skip
        host = ana if reply == "host" else ben
        event = await event_by(tx, host, title=title, starts=starts, ends=ends, **more)
        made[title] = event
        if reply in {"going", "cancelled"}:
            await attendance.answer(tx, ana, event.slug, RsvpReply.GOING)
        elif reply == "interested":
            await attendance.answer(tx, ana, event.slug, RsvpReply.INTERESTED)
    await tx.execute("update events set status = 'cancelled' where id = :id", id=made["Stargazing"].id)
    work = [("Stand-up", day, "09:30", "10:00", False) for day in ("02", "03", "04", "05", "06")]
    await calendar(
        tx,
        ana,
        "Work",
        5,
        [*work, ("Offsite", "19", "09:00", "17:00", False), ("Release", "04", "09:00", "12:00", False)],
    )
    await calendar(tx, ana, "Birthdays", 3, [("Nora’s birthday", "14", "00:00", "00:00", True), ("Tom’s birthday", "05", "00:00", "00:00", True)])  # fmt: skip
    return ana, made


async def calendar(
    tx: Transaction, owner: Caller, name: str, tone: int, dates: list[tuple[str, str, str, str, bool]]
) -> CalendarId:
    """Return a calendar file with dates in March 2026. Each is a title, a day, a start, an end, and whether it is
    all-day.
    """
    calendar_id = CalendarId(new_id(tx.now))
    await queries.insert(
        tx,
        queries.NewCalendar(
            id=calendar_id,
            user_id=owner.user_id,
            name=name,
            host="",
            tone=tone,
            health=FeedHealth.FILE,
            url_sealed=None,
            digest=name.encode(),
            content=b"",
            etag="",
            last_modified="",
            next_fetch_at=None,
            dates_until=tx.now,
        ),
    )
    read = [
        ReadDate(
            uid=f"{title}{day}",
            title=title,
            place="",
            starts_at=_at(day, starts, "UTC" if is_all_day else ZONE),
            ends_at=Instant(_at(day, ends, "UTC" if is_all_day else ZONE) + (24 * HOUR if is_all_day else 0)),
            time_zone="UTC" if is_all_day else ZONE,
            is_all_day=is_all_day,
            is_cancelled=False,
        )
        for title, day, starts, ends, is_all_day in dates
    ]
    await queries.put_dates(tx, calendar_id, owner.user_id, read, tx.now)
    return calendar_id


def _at(day: str, clock: str, zone: str) -> Instant:
    return instant_of(datetime.fromisoformat(f"2026-03-{day}T{clock}"), zone)
