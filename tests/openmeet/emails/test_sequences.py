"""A date has one SEQUENCE in files and e-mails, which never decreases, whatever is changed in its series; on both
engines.
"""

import random
from collections.abc import Awaitable, Callable
from datetime import timedelta

import icalendar
import pytest

from groundwork.clock import MINUTE, HandClock
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import Failure
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance import queries as attendance
from openmeet.domain.attendance.calendar_entries import IN_CALENDAR
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.queries import by_id
from openmeet.domain.icalendar.write import vevent_of, write_calendar
from openmeet.domain.series import actions, cancel_dates, date_queries, queries, undo
from openmeet.domain.series.calendar_uids import identities
from openmeet.domain.series.model import Series
from openmeet.domain.users.model import Caller
from openmeet.emails import calendar_file
from openmeet.emails.render import EmailContext
from openmeet.web.calendar import feed
from openmeet.web.series.feeds import calendar_of
from tests.databases import MakeDatabase
from tests.openmeet.series.practice import (
    NOW,
    apply_new_rule,
    create_weekly_series,
    dates,
    give_rsvp,
    move_all_dates,
    original_dates,
    retitle,
    split_series,
)
from tests.openmeet.site_under_test import CODE_KEY, person

HOST = "openmeet.test"
URL = f"https://{HOST}"
HEAD = EmailContext(CODE_KEY, "Site", URL)
Named = tuple[str, str]


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    clock.turn(NOW - clock.now())
    return await make_database("openmeet", clock=clock)


async def files(tx: Transaction, every: list[Series], ben: Caller) -> list[bytes]:
    """Every file of these series that a person can get now: the files of the series and of single dates, Ben's feed,
    and e-mail attachments.
    """
    parts = [(one, [held.event for held in await date_queries.stored(tx, one.id)]) for one in every]
    events = [event for _, stored in parts for event in stored]
    known = await identities(tx, [event.id for event in events])
    found = [calendar_of([part], set(known), known, tx.now, URL) for part in parts if part[0].deleted_at is None]
    alone = [vevent_of(event, known[event.id], host=HOST, url=URL) for event in events if not event.is_gone]
    found.append(write_calendar([one for one in alone if one is not None], name="x"))
    found.append(await feed.file_of(tx, ben.user_id, name="x", public_url=URL))
    for event in events:
        mine = await attendance.find(tx, event.id, ben.user_id)
        if mine is None:
            continue
        comes = mine.status in IN_CALENDAR
        mailed = await (
            calendar_file.file_of(tx, HEAD, event, ben.user_id)
            if comes
            else calendar_file.cancellation_of(tx, HEAD, event, mine)
        )
        if mailed is not None:
            found.append(mailed.content)
    return found


def told(file: bytes) -> list[tuple[Named, icalendar.Event]]:
    found = []
    for entry in icalendar.Calendar.from_ical(file).walk("VEVENT"):
        original = entry.get("RECURRENCE-ID")
        found.append(((str(entry["UID"]), original.dt.isoformat() if original else ""), entry))
    return found


Action = Callable[[Transaction, Caller, Caller, Series, random.Random], Awaitable[object]]


async def _some(tx: Transaction, series: Series, chance: random.Random) -> str:
    return chance.choice(original_dates(await dates(tx, series)))


async def _cancel_one(tx: Transaction, ana: Caller, ben: Caller, series: Series, chance: random.Random) -> None:
    await cancel_dates.cancel_dates(tx, series, [await _some(tx, series, chance)], chance.choice(["", "ill", "rain"]))


async def _reinstate(tx: Transaction, ana: Caller, ben: Caller, series: Series, chance: random.Random) -> None:
    await cancel_dates.reinstate_dates(tx, series, original_dates(await dates(tx, series)))


async def _remove_and_add(tx: Transaction, ana: Caller, ben: Caller, series: Series, chance: random.Random) -> None:
    name = await _some(tx, series, chance)
    await cancel_dates.remove_dates(tx, series, [name])
    again = await queries.lock(tx, series.id)
    assert again is not None
    await cancel_dates.add_date(tx, again, name)


async def _answer(tx: Transaction, ana: Caller, ben: Caller, series: Series, chance: random.Random) -> None:
    event = chance.choice(await dates(tx, series))
    await give_rsvp(tx, ben, event, chance.choice([RsvpReply.GOING, RsvpReply.DECLINED]))


async def _change_one(tx: Transaction, ana: Caller, ben: Caller, series: Series, chance: random.Random) -> None:
    event = chance.choice(await dates(tx, series))
    await event_hosting.cancel(tx, ana, event.slug, "by itself")


async def _undo(tx: Transaction, ana: Caller, ben: Caller, series: Series, chance: random.Random) -> None:
    await undo.undo(tx, await actions.lock_for_undo(tx, ana, series.slug))


ACTIONS: tuple[Action, ...] = (
    lambda tx, ana, ben, series, chance: retitle(tx, series, f"Practice {chance.random():.3f}"),
    lambda tx, ana, ben, series, chance: move_all_dates(tx, series, timedelta(hours=chance.choice([-1, 1]))),
    lambda tx, ana, ben, series, chance: apply_new_rule(
        tx, series, chance.choice(["FREQ=WEEKLY;BYDAY=TU", "FREQ=WEEKLY;BYDAY=TU,TH", "FREQ=WEEKLY;INTERVAL=2"])
    ),
    _undo,
    lambda tx, ana, ben, series, chance: cancel_dates.cancel(tx, series, "no trainer"),
    lambda tx, ana, ben, series, chance: actions.resume(tx, series),
    _cancel_one,
    _cancel_one,
    _reinstate,
    _remove_and_add,
    _answer,
    _answer,
    _change_one,
)


@pytest.mark.parametrize("seed", range(8))
async def test_sequences_never_decrease_and_agree_in_all_files(db: Database, clock: HandClock, seed: int) -> None:
    """A date's SEQUENCE never decreases and is not below that of its series. It increases whenever the content of the
    file changes.
    """
    chance = random.Random(seed)
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        every = [series.id]
    highest: dict[Named, int] = {}
    said: dict[Named, tuple[object, ...]] = {}
    for step in range(40):
        clock.turn(MINUTE)
        try:
            async with db.transaction() as tx:
                locked = await queries.lock(tx, chance.choice(every))
                assert locked is not None
                if step == 12:
                    behind = await split_series(tx, locked, original_dates(await dates(tx, locked))[3], "Winter")
                    every.append(behind.id)
                elif locked.deleted_at is None:
                    await chance.choice(ACTIONS)(tx, ana, ben, locked, chance)
        except (Failure, IndexError):
            # The action was refused, as a host would see, or no date is left. Nothing has changed.
            continue
        async with db.transaction() as tx:
            parts = [one for one in [await queries.by_id(tx, series_id) for series_id in every] if one is not None]
            now: dict[Named, int] = {}
            former: dict[Named, int] = {}
            for file in await files(tx, parts, ben):
                for name, entry in told(file):
                    # A UID that an event used to have. Another event may have it by now.
                    is_former = str(entry["STATUS"]) == "CANCELLED" and "URL" not in entry
                    assert is_former or entry["SEQUENCE"] == now.get(name, entry["SEQUENCE"]), (step, name)
                    if is_former:
                        former[name] = entry["SEQUENCE"]
                        continue
                    now[name] = entry["SEQUENCE"]
                    if name[1]:
                        says = (entry["DTSTART"].dt, str(entry["SUMMARY"]))
                        if name in said and said[name] != says:
                            assert entry["SEQUENCE"] > highest[name], (step, name, said[name], says)
                        said[name] = says
        assert all(number < now[name] for name, number in former.items() if name in now), step
        now = former | now
        for name, number in now.items():
            assert number >= max(highest.get(name, 0), highest.get((name[0], ""), 0)), (step, name)
        highest |= now


async def test_a_cancellation_has_the_same_sequence_in_every_file(db: Database, clock: HandClock) -> None:
    """The series file, the date's file and the e-mail have the same SEQUENCE, which is higher than any sent before."""
    async with db.transaction() as tx:
        _, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        date = (await dates(tx, series))[1]
    mailed = []
    for reply in (RsvpReply.GOING, RsvpReply.DECLINED, RsvpReply.GOING, RsvpReply.DECLINED, RsvpReply.GOING):
        async with db.transaction() as tx:
            await give_rsvp(tx, ben, date, reply)
            mine = await attendance.find(tx, date.id, ben.user_id)
            assert mine is not None
            file = await (
                calendar_file.file_of(tx, HEAD, date, ben.user_id)
                if reply is RsvpReply.GOING
                else calendar_file.cancellation_of(tx, HEAD, date, mine)
            )
            assert file is not None
            ((_, entry),) = told(file.content)
            mailed.append((entry["SEQUENCE"], entry["DTSTAMP"].dt))
    assert mailed == sorted(set(mailed)), "each sequence number is higher than the previous one, even at the same time"
    clock.turn(MINUTE)
    async with db.transaction() as tx:
        for number in range(4):
            locked = await queries.lock(tx, series.id)
            assert locked is not None
            await retitle(tx, locked, f"Practice {number}")
        locked = await queries.lock(tx, series.id)
        assert locked is not None
        await cancel_dates.cancel_dates(tx, locked, original_dates([date]), "rain")
        again, event = await queries.by_id(tx, series.id), await by_id(tx, date.id)
        assert again is not None
        assert event is not None
        found = [dict(told(file)).get((f"{series.id}@{HOST}", _day(file))) for file in await files(tx, [again], ben)]
    numbers = {entry["SEQUENCE"] for entry in found if entry is not None and str(entry["STATUS"]) == "CANCELLED"}
    assert len([entry for entry in found if entry is not None]) >= 3
    assert len(numbers) == 1
    assert min(numbers) > max(mailed)[0]


def _day(file: bytes) -> str:
    """The UID and RECURRENCE-ID of the second date in this file."""
    return next((original for (_, original), _ in told(file) if original.startswith("2026-12-01")), "")
