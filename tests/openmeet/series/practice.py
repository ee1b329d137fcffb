"""A weekly series in Berlin, and queries about it. The clock is set to noon on Friday 20 November 2026."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.attendance.queries import find
from openmeet.domain.events.content import Content
from openmeet.domain.events.model import Event
from openmeet.domain.notifications import queries as notifications
from openmeet.domain.notifications.model import NotificationKind
from openmeet.domain.series import actions, apply_edits, date_queries
from openmeet.domain.series.model import Series, Timing
from openmeet.domain.series.plan import moved, plan_all, plan_following
from openmeet.domain.users.model import Caller
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from openmeet.recurrence.wall_time import instant_of
from tests.openmeet.site_under_test import person

ZONE = "Europe/Berlin"
FIRST = datetime.fromisoformat("2026-11-24T18:00")
WEEKLY = "FREQ=WEEKLY;BYDAY=TU"
NOW = instant_of(datetime.fromisoformat("2026-11-20T12:00"), ZONE)


def weekly(rule: str = WEEKLY, start: datetime = FIRST) -> Timing:
    return Timing(pattern(start, ZONE, parse_rule(rule)), timedelta(hours=2))


async def create_weekly_series(tx: Transaction, rule: str = WEEKLY, **more: object) -> tuple[Caller, Series]:
    ana = await person(tx, "Ana")
    return ana, await actions.create(tx, ana, Content("Practice", **more), weekly(rule))


async def dates(reader: Reader, series: Series) -> list[Event]:
    """The stored dates of a series that are not deleted, in order."""
    return [held.event for held in await date_queries.stored(reader, series.id) if not held.event.is_gone]


def original_dates(events: Sequence[Event]) -> list[str]:
    return [event.position_in_series.original_date for event in events if event.position_in_series]


async def lock_series(tx: Transaction, caller: Caller, series: Series) -> Series:
    return await actions.lock_managed(tx, caller, series.slug)


async def give_rsvp(tx: Transaction, who: Caller, event: Event, reply: RsvpReply = RsvpReply.GOING) -> None:
    await attendance.answer(tx, who, event.slug, reply)


async def status_of(reader: Reader, event: Event, who: Caller) -> AttendanceStatus | None:
    found = await find(reader, event.id, who.user_id)
    return found.status if found else None


async def kinds_received(reader: Reader, who: Caller) -> list[NotificationKind[Any]]:
    """The kinds of the notifications that a person received, oldest first."""
    return [one.kind for one in reversed(await notifications.newest(reader, who.user_id, 100))]


async def retitle(tx: Transaction, series: Series, title: str, *, notifies: bool = True) -> Series:
    template = replace(series.content, title=title)
    held = await date_queries.stored(tx, series.id)
    return await apply_edits.apply_plan(
        tx, series, plan_all(series, template, series.timing, held, tx.now), notifies=notifies
    )


async def move_all_dates(tx: Transaction, series: Series, by: timedelta, *, notifies: bool = True) -> Series:
    start = series.timing.pattern.start
    timing = moved(series.timing, start, start + by, series.timing.length)
    held = await date_queries.stored(tx, series.id)
    return await apply_edits.apply_plan(
        tx, series, plan_all(series, series.content, timing, held, tx.now), notifies=notifies
    )


async def apply_new_rule(tx: Transaction, series: Series, rule: str, *, notifies: bool = True) -> Series:
    timing = weekly(rule, series.timing.pattern.start)
    held = await date_queries.stored(tx, series.id)
    return await apply_edits.apply_plan(
        tx, series, plan_all(series, series.content, timing, held, tx.now), notifies=notifies
    )


async def split_series(tx: Transaction, series: Series, at: str, title: str) -> Series:
    template = replace(series.content, title=title)
    held = await date_queries.stored(tx, series.id)
    return await apply_edits.apply_plan(tx, series, plan_following(series, at, template, None, held, tx.now))


async def people_to_mail(reader: Reader) -> list[str]:
    """The names of people for whom a notification e-mail is queued, in order."""
    rows = await reader.fetch(
        "select u.display_name from notification_emails m join users u on u.id = m.user_id order by u.display_name, m.id"
    )
    return [row["display_name"] for row in rows]
