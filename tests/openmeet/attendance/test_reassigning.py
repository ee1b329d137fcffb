"""Two rows of people become one person; on both engines."""

import pytest

from openmeet.attendance import actions, history, queries
from openmeet.attendance.model import AttendanceStatus, Reply
from openmeet.attendance.reassigning import reassign
from openmeet.users import actions as users
from openmeet.users.model import Caller
from tests.openmeet.site_under_test import event_by, person

S = AttendanceStatus


@pytest.fixture
async def db(make_database):
    return await make_database("openmeet")


@pytest.mark.parametrize(
    ("theirs", "mine", "kept"),
    [
        (Reply.GOING, None, S.ATTENDING),
        (Reply.GOING, Reply.INTERESTED, S.ATTENDING),
        (Reply.DECLINED, Reply.GOING, S.ATTENDING),
        (Reply.GOING, Reply.GOING, S.ATTENDING),
    ],
)
async def test_one_person_has_one_answer_with_the_history_of_both(db, theirs, mine, kept):
    async with db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana, capacity="2")
        shadow = Caller(await users.create_shadow(tx), "")
        await actions.answer(tx, shadow, event.slug, theirs)
        if mine:
            await actions.answer(tx, ben, event.slug, mine)
        await actions.answer(tx, cleo, event.slug, Reply.GOING)
        assert await reassign(tx, shadow.user_id, ben.user_id) == 1
        found = await queries.find(tx, event.id, ben.user_id)
        assert found.status is kept
        assert await queries.find(tx, event.id, shadow.user_id) is None
        lines = await history.of_answer(tx, found.id)
        assert len(lines) == (2 if mine else 1)
        assert {one.actor_id for one in lines} == {ben.user_id}
        # Where both had a seat, one of them is free, and for whoever waits.
        assert (await queries.find(tx, event.id, cleo.user_id)).status is S.ATTENDING or theirs is mine is Reply.GOING
        assert await queries.seats_taken(tx, event.id) == 2
