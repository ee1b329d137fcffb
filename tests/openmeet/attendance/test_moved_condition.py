"""The SQL condition of lists and the page of an event agree about who is asked whether a new time works, for any state
of the event and the RSVP; on both engines, with a printed seed.
"""

import random
from dataclasses import replace
from typing import Final

import pytest

from groundwork.clock import DAY, HOUR, HandClock
from groundwork.database.transaction import Database, Reader, Transaction
from openmeet.domain.attendance import actions, queries
from openmeet.domain.attendance.answer_bar import AnswerState, answer_bar_of
from openmeet.domain.attendance.answer_bar_inputs import bar_input_of
from openmeet.domain.attendance.model import AttendanceStatus, PendingFor, RsvpReply
from openmeet.domain.attendance.moved_dates import ASKS_ABOUT_NEW_TIME
from openmeet.domain.attendance.registration import registration_of
from openmeet.domain.events import co_hosts
from openmeet.domain.events.model import Event, EventStatus
from openmeet.domain.events.queries import by_id
from openmeet.domain.users.model import Caller, UserId
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import event_by, person

CASES: Final = 150


async def any_event(tx: Transaction, chance: random.Random, host: Caller, guest: Caller) -> Event:
    """An event with an RSVP of the guest, both in any state. Most are as usual, so that many cases ask."""
    event = await event_by(tx, host)
    if host != guest and chance.random() < 0.1:
        await co_hosts.accept(tx, guest, (await co_hosts.invite(tx, host, event.slug, "ben@example.org")).id)
    rsvp = await actions.answer(tx, guest, event.slug, RsvpReply.GOING)
    starts_at = tx.now + chance.choice([-2 * HOUR, -1, 1, DAY, DAY, DAY])
    rarely = {name: int(chance.random() < 0.07) for name in ("is_draft", "is_held", "is_deleted", "is_removed")}
    await tx.execute(
        """
        update events set starts_at = :starts_at, ends_at = :ends_at, over_at = :ends_at, is_all_day = :is_all_day,
               status = :status, is_draft = :is_draft, is_held = :is_held, deleted_at = :deleted_at, removed_at =
                   :removed_at
         where id = :id
        """,
        starts_at=starts_at,
        ends_at=starts_at + HOUR,
        is_all_day=chance.choice([0, 0, 1]),
        status=chance.choice([EventStatus.SCHEDULED] * 4 + list(EventStatus)).value,
        is_draft=rarely["is_draft"],
        is_held=rarely["is_held"] or rarely["is_draft"],
        deleted_at=tx.now if rarely["is_deleted"] else None,
        removed_at=tx.now if rarely["is_removed"] else None,
        id=event.id,
    )
    status = chance.choice([AttendanceStatus.ATTENDING] * 3 + list(AttendanceStatus))
    pending_for = chance.choice([None, *PendingFor]) if status is AttendanceStatus.PENDING else None
    is_waitlisted = status is AttendanceStatus.WAITLISTED
    await queries.save(
        tx,
        replace(
            rsvp,
            status=status,
            waitlist_number=1 if is_waitlisted else None,
            offered_until=chance.choice([None, tx.now - 1, tx.now, tx.now + 1]) if is_waitlisted else None,
            pending_for=pending_for,
            known_starts_at=chance.choice([None, starts_at, starts_at - 1, starts_at + HOUR, starts_at - DAY]),
        ),
    )
    kept = await by_id(tx, event.id)
    assert kept is not None
    return kept


async def asks_on_page(reader: Reader, event: Event, guest: UserId) -> bool:
    if event.is_gone:
        return False  # it has no page
    own_rsvp = await queries.find(reader, event.id, guest)
    bar_input = await bar_input_of(reader, await registration_of(reader, event), guest, rsvp=own_rsvp)
    return (
        answer_bar_of(replace(bar_input, is_hosting=bar_input.relationship.is_host, is_welcome=True)).state
        is AnswerState.MOVED
    )


@pytest.mark.parametrize("seed", range(2))
async def test_lists_ask_about_a_new_time_as_pages_do(make_database: MakeDatabase, clock: HandClock, seed: int) -> None:
    """For people who may answer. In person; shortly before an online event, its page has the button to join instead."""
    db: Database = await make_database("openmeet", clock=clock)
    chance = random.Random(seed)
    async with db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
        events = [await any_event(tx, chance, chance.choice([ana, ana, ana, ben]), ben) for _ in range(CASES)]
        rows = await tx.fetch(
            f"select e.id from attendances a join events e on e.id = a.event_id"
            f" where a.user_id = :user_id and {ASKS_ABOUT_NEW_TIME} order by e.id",
            user_id=ben.user_id,
            now=tx.now,
        )
        asked = {row["id"] for row in rows}
        differing = [
            (event, await queries.find(tx, event.id, ben.user_id))
            for event in events
            if await asks_on_page(tx, event, ben.user_id) is not (event.id in asked)
        ]
    assert not differing, f"seed {seed}"
    assert len(asked) > CASES // 20
