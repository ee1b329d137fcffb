"""What fails for a reason of its own is put aside also where no repository is read whole: on the stream, and where one record is fetched.

From a real PDS, on both engines, with real refusals.
"""

import pytest

from at_protocol.syntax.did import Did
from groundwork.clock import MINUTE
from groundwork.outbox import jobs
from groundwork.outbox.jobs import JobState
from openmeet.network.ingestion import dead_letters
from openmeet.network.ingestion.dead_letters import FailedStep
from openmeet.network.ingestion.retry import MOST_ASIDE
from openmeet.network.records import seen
from openmeet.network.records.collections import EVENT
from openmeet.network.records.message import RecordMessage
from openmeet.network.records.seen import RecordState
from openmeet.outbox.kinds import JobKind
from tests.openmeet.ingestion.network import did, event, key_of, rsvp
from tests.openmeet.ingestion.poison import aside, heal, keys_aside, poison
from tests.openmeet.ingestion.test_read_past import cleo, town, write
from tests.openmeet.ingestion.view import take, view_of
from tests.openmeet.town import Town

__all__ = ["cleo", "town"]


def waiting_for(uri: str) -> list[RecordMessage]:
    return [rsvp(number, key, 1, uri) for number, key in ((2, "good"), (3, "late"), (4, "fine"))]


async def counted(town: Town, uri: str, but: str) -> set[str]:
    return {did for did, about in (await view_of(town.db)).answers if about == uri} - {but}


async def heard(town: Town, did: Did) -> None:
    """The stream has brought everything of a repository, and it was processed."""
    async with town.db.reader() as reader:
        rows = await reader.fetch("select user_id from identities where did = :did", did=did)
    await town.listen(rows[0]["user_id"])


async def is_quiet(town: Town) -> bool:
    """No message was buried or is tried again, and no debt was given up."""
    async with town.db.reader() as reader:
        lost = await jobs.failed(reader)
    depth = await town.queue.depth()
    return not lost and (depth.dead, depth.waiting) == (0, 0)


async def settle(town: Town) -> None:
    for _ in range(6):
        await town.pay_debts()
        town.clock.turn(MINUTE)


@pytest.mark.parametrize("way", ["stream", "fetched"])
async def test_a_bad_answer_that_waited_holds_up_no_event(town: Town, cleo: Did, way: str):
    """The event is here, all others count, and the one that fails says why; healed and tried again, it counts and leaves the list."""
    uri = f"at://{cleo}/{EVENT}/{key_of('a')}"
    waiting = waiting_for(uri)
    await take(town.db, *waiting)
    await poison(town.db, "attendances", "late")
    await write(town, cleo, "a")
    if way == "stream":
        await heard(town, cleo)
    await settle(town)
    assert uri in (await view_of(town.db)).events
    assert await counted(town, uri, cleo) == {waiting[0].did, waiting[2].did}
    (one,) = await aside(town.db)
    assert (one.uri, one.did, one.step, one.rev) == (
        waiting[1].uri,
        waiting[1].did,
        FailedStep.COUNTING,
        waiting[1].rev,
    )
    assert "poisoned" in one.reason
    assert await is_quiet(town)
    await heal(town.db, "attendances", "late")
    async with town.db.transaction() as tx:
        await dead_letters.read_again(tx, [one.uri])
    await settle(town)
    assert await counted(town, uri, cleo) == {one.did for one in waiting}
    assert await aside(town.db) == []
    assert await is_quiet(town)


async def test_an_answer_that_is_gone_leaves_the_list(town: Town, cleo: Did):
    uri = f"at://{cleo}/{EVENT}/{key_of('a')}"
    (bad,) = [rsvp(3, "late", 1, uri)]
    await take(town.db, bad)
    await poison(town.db, "attendances", "late")
    await write(town, cleo, "a")
    await heard(town, cleo)
    await settle(town)
    assert await keys_aside(town.db) == ["late"]
    async with town.db.transaction() as tx:
        await tx.execute("delete from records where uri = :uri", uri=bad.uri)
    assert await aside(town.db) == []
    async with town.db.transaction() as tx:
        assert await dead_letters.forget_overtaken(tx) == 1


async def test_where_everybodys_answer_fails_a_person_sees_the_debt(town: Town, cleo: Did):
    """That is no matter of single answers."""
    uri = f"at://{cleo}/{EVENT}/{key_of('a')}"
    one_more = MOST_ASIDE + 1
    answers = [rsvp(2, f"bad{number}", 1, uri) for number in range(one_more)]
    await take(town.db, *answers)
    for digit in range(10):
        await poison(town.db, "attendances", f"bad%{digit}")
    await write(town, cleo, "a")
    await heard(town, cleo)
    for _ in range(6):
        await town.pay_debts()
        town.clock.turn(10 * MINUTE)
    assert await aside(town.db) == []
    async with town.db.reader() as reader:
        (lost,) = await jobs.failed(reader)
    assert (lost.kind, lost.subject) == (JobKind.FETCH_SUBJECT, uri)


async def not_fetched(town: Town, cleo: Did) -> str:
    """An event that somebody answered and that cannot be taken over; its uri."""
    uri = f"at://{cleo}/{EVENT}/{key_of('a')}"
    await poison(town.db, "events", key_of("a"))
    await write(town, cleo, "a")
    await take(town.db, rsvp(2, "good", 1, uri))
    await settle(town)
    return uri


async def test_an_event_that_cannot_be_fetched_is_put_aside(town: Town, cleo: Did):
    """Who answered waits for it; once it is taken, however that comes, it leaves the list, and they count."""
    uri = await not_fetched(town, cleo)
    (one,) = await aside(town.db)
    assert (one.uri, one.step) == (uri, FailedStep.TAKING)
    assert await is_quiet(town)
    await heal(town.db, "events", key_of("a"))
    await heard(town, cleo)
    assert await aside(town.db) == [], "the stream has brought the very version, as of an earlier rev"
    assert await counted(town, uri, cleo) == {did(2)}


async def test_an_event_that_was_put_aside_is_taken_when_it_is_read_again(town: Town, cleo: Did):
    uri = await not_fetched(town, cleo)
    await heal(town.db, "events", key_of("a"))
    async with town.db.transaction() as tx:
        await dead_letters.read_again(tx, [uri])
    await settle(town)
    assert (await aside(town.db), await counted(town, uri, cleo)) == ([], {did(2)})
    async with town.db.reader() as reader:
        assert await reader.fetch("select uri from records_put_aside") == []


async def test_fetched_again_it_leaves_the_list_by_itself(town: Town, cleo: Did):
    uri = await not_fetched(town, cleo)
    await heal(town.db, "events", key_of("a"))
    async with town.db.transaction() as tx:
        await jobs.enqueue_again(tx, JobKind.FETCH_SUBJECT, [uri])
    await settle(town)
    async with town.db.reader() as reader:
        assert await reader.fetch("select uri from records_put_aside") == []
    assert await counted(town, uri, cleo) == {did(2)}


async def test_what_was_given_up_and_has_come_waits_for_nobody(town: Town):
    """An event could not be fetched, and the debt was given up; then the stream brings it. Of others nothing is said."""
    tea, cake = event(1, "tea", 2), event(1, "cake", 2)
    await take(town.db, rsvp(2, "one", 1, tea.uri), rsvp(2, "two", 1, cake.uri))
    async with town.db.transaction() as tx:
        await tx.execute("update debts set state = 'given_up', reason = 'Malformed' where kind = 'fetch_subject'")
    await take(town.db, tea)
    async with town.db.reader() as reader:
        assert [one.subject for one in await jobs.failed(reader)] == [cake.uri]
        found = await jobs.find(reader, JobKind.FETCH_SUBJECT, tea.uri)
    assert found is not None
    assert (found.state, found.reason) == (JobState.PAID, "")


async def test_a_bad_event_on_the_stream_is_tried_and_buried_as_before(town: Town, cleo: Did):
    """It fails without those that wait for it, too: it is the bad one."""
    uri = f"at://{cleo}/{EVENT}/{key_of('a')}"
    await take(town.db, rsvp(2, "good", 1, uri))
    await poison(town.db, "events", key_of("a"))
    await write(town, cleo, "a")
    await heard(town, cleo)
    for _ in range(6):
        town.clock.turn(10 * MINUTE)
        await town.ingest()
    assert (await town.queue.depth()).dead == 1
    async with town.db.reader() as reader:
        known = await seen.find(reader, rsvp(2, "good", 1, uri).uri)
    assert known is not None
    assert known.standing is RecordState.PARKED
