"""The account status hides rows without editing them: an inactive account is in no list or count, and later reappears
completely.
"""

import pytest

from groundwork.clock import DAY, HandClock
from groundwork.database.transaction import Database
from groundwork.errors import NotFound
from groundwork.outbox import jobs
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import attendee_list, host_decisions
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.model import AttendanceStatus, RsvpCounts, RsvpReply
from openmeet.domain.events import rules
from openmeet.domain.events.event_records import by_record_uri
from openmeet.domain.events.model import Event
from openmeet.domain.identities import queries as identities
from openmeet.domain.moderation import visibility
from openmeet.domain.moderation.model import SubjectVisibility
from openmeet.domain.search import my_event_lists
from openmeet.domain.search.my_event_lists import MyEvents
from openmeet.domain.search.search import SearchQuery, coming
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion.tasks import enqueue_reconciliations
from openmeet.outbox.kinds import JobKind
from tests.openmeet.ingestion.network import did, event, rsvp
from tests.openmeet.ingestion.seats import PLACES, TWO_PLACES_URI, answer_statuses, create_event_with_two_places
from tests.openmeet.ingestion.view import apply_messages
from tests.simulation.oracle import EVENT

TEA = f"at://{did(1)}/{EVENT}/tea"
AWAY = ["deactivated", "suspended", "takendown", "deleted"]


async def say(db: Database, who: int, status: str) -> None:
    """Store the status that the account's own PDS reported."""
    async with db.transaction() as tx:
        await identities.update_from_network(tx, did(who), handle="", pds_url="", status=status)


async def counts_of(db: Database, uri: str) -> RsvpCounts:
    async with db.reader() as reader:
        tea = await by_record_uri(reader, uri)
        assert tea is not None
        return (await attendance_queries.counts(reader, [tea.id]))[tea.id]


async def event_at(db: Database, uri: str) -> Event:
    async with db.reader() as reader:
        found = await by_record_uri(reader, uri)
    assert found is not None
    return found


@pytest.mark.parametrize("status", AWAY)
async def test_events_of_an_inactive_author_are_in_no_list(db: Database, status: str):
    """When the account is active again, its events are in every list. The rows are never changed."""
    await apply_messages(db, event(1, "tea", 1, startsAt="2026-05-01T10:00:00Z"))
    async with db.transaction() as tx:
        await visibility.release(tx, [did(1)], SubjectVisibility.ARRIVAL)
    before = await event_at(db, TEA)
    await say(db, 1, status)
    hidden = await event_at(db, TEA)
    assert hidden.is_hidden
    assert not rules.may_see(hidden, None, has_rsvp_access=True)
    async with db.reader() as reader:
        assert await coming(reader, SearchQuery(), None, 10) == []
    await say(db, 1, "active")
    assert await event_at(db, TEA) == before
    async with db.reader() as reader:
        assert await coming(reader, SearchQuery(), None, 10) == [before]


async def test_a_hidden_event_is_listed_for_its_author_only(db: Database):
    event_here, people = await create_event_with_two_places(db)
    async with db.transaction() as tx:
        await attendance.answer(tx, people[0], event_here.slug, RsvpReply.GOING)
    await say(db, 9, "deactivated")
    async with db.reader() as reader:
        assert await my_event_lists.my_events(reader, people[0].user_id, MyEvents.GOING, None, 10) == []
        hosted = await my_event_lists.my_events(reader, event_here.author_id, MyEvents.HOSTING, None, 10)
    assert [one.id for one in hosted] == [event_here.id]


async def test_a_hidden_event_takes_no_answers(db: Database):
    tea, people = await create_event_with_two_places(db)
    await say(db, 9, "takendown")
    with pytest.raises(NotFound):
        async with db.transaction() as tx:
            await attendance.answer(tx, people[0], tea.slug, RsvpReply.GOING)


@pytest.mark.parametrize("status", AWAY)
async def test_answers_of_an_inactive_account_do_not_count(db: Database, status: str):
    await apply_messages(db, event(1, "tea", 1), rsvp(2, "one", 2, TEA), rsvp(3, "one", 3, TEA, "interested"))
    await say(db, 2, status)
    await say(db, 3, status)
    assert await counts_of(db, TEA) == RsvpCounts(seats=1)
    tea = await event_at(db, TEA)
    async with db.reader() as reader:
        assert await attendee_list.attendees(reader, tea.id, list(AttendanceStatus), limit=10) == []
    await say(db, 2, "active")
    await say(db, 3, "active")
    assert await counts_of(db, TEA) == RsvpCounts(going=1, interested=1, seats=1)


async def test_an_answer_given_here_is_still_shown(db: Database):
    """An answer given only on this site does not depend on the status of the author's account."""
    tea, people = await create_event_with_two_places(db)
    async with db.transaction() as tx:
        await attendance.answer(tx, people[0], tea.slug, RsvpReply.GOING)
    await say(db, 0, "deactivated")
    assert await counts_of(db, TWO_PLACES_URI) == RsvpCounts(going=1, seats=1)


async def test_hiding_an_answer_keeps_its_seat_reserved(db: Database):
    """The place stays reserved, so nobody moves up, and the limit is not exceeded when the account is active again
    (invariant 4).
    """
    tea, people = await create_event_with_two_places(db)
    for number in range(PLACES):
        await apply_messages(db, rsvp(number, "one", number + 1, TWO_PLACES_URI))
    await say(db, 0, "deactivated")
    async with db.transaction() as tx:
        late = await attendance.answer(tx, people[3], tea.slug, RsvpReply.GOING)
    assert late.status is AttendanceStatus.WAITLISTED
    assert await counts_of(db, TWO_PLACES_URI) == RsvpCounts(going=1, waitlisted=1, waiting=1, seats=2)
    await say(db, 0, "active")
    assert await counts_of(db, TWO_PLACES_URI) == RsvpCounts(going=2, waitlisted=1, waiting=1, seats=2)
    assert list((await answer_statuses(db)).values()).count("attending") == PLACES


async def test_hidden_answers_are_not_confirmed(db: Database):
    """The host cannot see hidden answers, so approving everyone does not include them."""
    tea, _ = await create_event_with_two_places(db)
    await apply_messages(db, rsvp(6, "one", 1, TWO_PLACES_URI), rsvp(7, "one", 2, TWO_PLACES_URI))
    await say(db, 6, "suspended")
    async with db.transaction() as tx:
        host = Caller(tea.author_id, "Host")
        assert (await host_decisions.approve_next(tx, host, tea.slug)).seated == 1


async def test_inactive_accounts_are_checked_once_a_day(db: Database, clock: HandClock):
    """The check finds that an account is active again, even if no stream announced it."""
    await apply_messages(db, event(1, "tea", 1))
    await say(db, 1, "deactivated")
    clock.turn(DAY + 1)
    await enqueue_reconciliations(db)
    async with db.reader() as reader:
        job = await jobs.find(reader, JobKind.REFRESH_IDENTITY, did(1))
    assert job is not None
    assert job.revision == clock.now()
