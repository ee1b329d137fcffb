"""Creates that arrive when what they say has been taken back (invariant 3): nobody answered them, and no wait is long enough.

Through a line on which requests can stay for long.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from at_protocol.syntax.did import parse_did
from at_protocol.syntax.record_key import parse_record_key
from at_protocol.syntax.tid import parse_tid
from groundwork.clock import DAY, HOUR, MINUTE, SECOND, HandClock
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.model import Event
from openmeet.domain.identities import actions as identities
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion import merge_decisions
from openmeet.network.ingestion.apply import apply
from openmeet.network.ingestion.parsed_messages import IngestResult
from openmeet.network.publishing import schedule
from openmeet.network.records import seen
from openmeet.network.records.collections import EVENT, RSVP
from openmeet.network.records.message import RecordMessage, RecordOperation
from openmeet.outbox.in_flight import forget_old
from openmeet.outbox.publication_moves import recall
from openmeet.outbox.publications import PublicationKind, PublicationState, try_again
from tests.databases import MakeDatabase
from tests.openmeet.publication.test_late import (
    is_delete,
    pay_all,
    said,
    send_into_the_void,
    write_something,
)
from tests.openmeet.publication.test_recalls import delete, edit, records, settle
from tests.openmeet.town import Town, open_town
from tests.patience import PATIENCE_SECONDS
from tests.world.proxy import never

UNLISTED = {"visibility": "unlisted"}

# Where the subject lies above the storage.
on_one_engine = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


@pytest.fixture
async def town(
    make_database: MakeDatabase, make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path
) -> AsyncIterator[Town]:
    async with open_town(await make_database("openmeet", clock=clock), make_sqlite, clock, tmp_path) as opened:
        yield opened


@pytest.fixture
async def cleo(town: Town) -> Caller:
    """Somebody whose PDS is reached through that line, with a session that lasts a while."""
    caller = await town.connected()
    async with town.db.transaction() as tx:
        await tx.execute("update repository_sessions set pds_url = :url", url=town.proxy.url)
    await town.pay_debts()  # the first read of her repository, which would find what arrives as well
    await settle(town, caller)
    await write_something(town, caller)
    return caller


async def taken_back(town: Town, cleo: Caller, **typed: str) -> Event:
    """An event whose create is on its way, and which is unlisted since; the PDS says that nothing is there."""
    event = await town.event(cleo, title="Tea", **typed)
    await send_into_the_void(town)
    await town.revise(cleo, event.slug, title="Tea", **UNLISTED)
    await pay_all(town)
    assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.RETRACTED
    return event


async def names(town: Town) -> list[str]:
    """What her repository says of events, beside the first one, which keeps her session fresh."""
    found = [str(record["value"]["name"]) for record in await records(town, EVENT)]
    return [name for name in found if name != "Something else"]


async def here(town: Town) -> list[tuple[str, bool]]:
    """The events that are here, and whether each has a record."""
    async with town.db.reader() as reader:
        rows = await reader.fetch("select title, record_uri from events where title <> 'Something else' order by id")
    return [(row["title"], row["record_uri"] is not None) for row in rows]


async def doubts(town: Town) -> tuple[int, int]:
    """How many creates are in doubt, and how many looks are owed."""
    async with town.db.reader() as reader:
        creates = await reader.fetch("select uri from creates_in_doubt")
        looks = await reader.fetch("select subject from debts where kind = 'late_create' and state <> 'paid'")
    return len(creates), len(looks)


@on_one_engine
async def test_what_is_answered_is_in_no_doubt(town: Town, cleo: Caller):
    """One by one, several at once, and where the PDS refuses them."""
    await town.event(cleo, title="Tea")
    await town.pay()
    for title in ("Coffee", "Cocoa"):
        await town.event(cleo, title=title)
    await town.pay()
    assert sorted(await names(town)) == ["Cocoa", "Coffee", "Tea"]

    def busy(request: web.Request, _answer: web.Response) -> web.Response | None:
        return web.json_response({"error": "RateLimitExceeded"}, status=429) if "Record" in request.path else None

    town.proxy.twists = busy
    await town.event(cleo, title="Milk")
    await town.pay()
    assert await doubts(town) == (0, 0)


async def test_a_create_that_arrives_after_it_was_taken_back_goes_when_it_is_heard_of(town: Town, cleo: Caller):
    """The stream brings it: no second event comes of it here, and it is deleted there."""
    await taken_back(town, cleo)
    assert await town.proxy.deliver() == [200]
    assert await names(town) == ["Tea"], "it is out there"
    await town.listen(cleo.user_id)
    assert await here(town) == [("Tea", False)]
    await town.pay_debts()
    assert await names(town) == []
    await settle(town, cleo)
    assert await here(town) == [("Tea", False)]


async def test_a_create_that_arrives_late_goes_also_where_nobody_listens(town: Town, cleo: Caller):
    """It is looked for, again and again, until none of our requests can be running any more."""
    await taken_back(town, cleo)
    await town.pay_debts()
    assert await town.proxy.deliver() == [200]
    for _ in range(3):
        town.clock.turn(10 * MINUTE)
        await town.pay_debts()
    assert await names(town) == []
    for _ in range(30):
        town.clock.turn(HOUR)
        await town.pay_debts()
    assert await doubts(town) == (0, 0), "nothing is looked for for ever"


@pytest.mark.parametrize("is_heard", [True, False], ids=["heard", "looked for"])
async def test_a_create_and_the_update_of_it_that_arrive_late_both_go(town: Town, cleo: Caller, is_heard: bool):
    """The create, and then the update that names what it left: what stands there is no create of ours, and ours all the same."""
    event = await town.event(cleo, title="Tea")
    await send_into_the_void(town)
    create, town.proxy.on_their_way = town.proxy.on_their_way, []
    await pay_all(town)
    await town.revise(cleo, event.slug, title="Coffee")
    await send_into_the_void(town)
    await town.revise(cleo, event.slug, title="Coffee", **UNLISTED)
    await pay_all(town)
    assert await names(town) == []
    town.proxy.on_their_way = create + town.proxy.on_their_way
    assert await town.proxy.deliver() == [200, 200]
    assert await names(town) == ["Coffee"], "it is out there"
    if is_heard:
        await town.listen(cleo.user_id)
        assert await here(town) == [("Coffee", False)]
    else:
        town.clock.turn(10 * MINUTE)
    await town.pay_debts()
    assert await names(town) == []
    await settle(town, cleo)
    assert await here(town) == [("Coffee", False)]
    for _ in range(30):
        town.clock.turn(HOUR)
        await town.pay_debts()
    assert await doubts(town) == (0, 0), "nothing is looked for for ever"
    async with town.db.reader() as reader:
        assert await reader.fetch("select uri from updates_in_doubt") == []


@on_one_engine
async def test_several_creates_of_one_commit_that_arrive_late_all_go(town: Town, cleo: Caller):
    events = [await town.event(cleo, title=title) for title in ("Tea", "Coffee", "Cocoa")]
    await send_into_the_void(town)
    for event in events[:2]:
        await town.revise(cleo, event.slug, title=event.title, **UNLISTED)
    await pay_all(town)
    assert sorted(set(await town.proxy.deliver())) in ([200], [400], [200, 400])
    await settle(town, cleo)
    await town.pay_debts()
    await settle(town, cleo)
    assert await names(town) == ["Cocoa"]
    assert sorted(await here(town)) == [("Cocoa", True), ("Coffee", False), ("Tea", False)]


async def test_a_create_whose_echo_is_heard_while_it_is_taken_back_goes_as_well(town: Town, cleo: Caller):
    """Then it is no news any more when the key has been given up."""
    event = await town.event(cleo, title="Tea")
    await send_into_the_void(town)
    await town.revise(cleo, event.slug, title="Tea", **UNLISTED)
    arriving, town.proxy.on_their_way = town.proxy.on_their_way, []
    town.proxy.delays = is_delete
    await town.pay()
    town.proxy.delays = never
    assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.RETRACTING
    town.proxy.on_their_way = arriving
    assert await town.proxy.deliver() == [200]
    await town.listen(cleo.user_id)
    town.clock.turn(MINUTE)
    await settle(town, cleo)
    assert await names(town) == []
    assert await here(town) == [("Tea", False)]


@on_one_engine
async def test_a_create_that_arrives_between_delete_and_proof_goes_as_well(town: Town, cleo: Caller):
    """What was to be proven gone is there: it is looked at once more, at once."""
    event = await town.event(cleo, title="Tea")
    await send_into_the_void(town)
    await town.revise(cleo, event.slug, title="Tea", **UNLISTED)
    arrived: list[int] = []

    async def arrives(request: web.Request) -> None:
        if request.path.endswith("deleteRecord"):
            arrived.extend(await town.proxy.deliver())

    town.proxy.meanwhile = arrives
    await town.pay()
    assert arrived == [200]
    assert await names(town) == ["Tea"]
    await town.pay_debts()
    assert await names(town) == []
    await settle(town, cleo)
    assert await here(town) == [("Tea", False)]


@on_one_engine
async def test_what_is_public_again_is_there_once(town: Town, cleo: Caller):
    """It is published under its key: the create of before that arrives late meets it, and is refused."""
    event = await taken_back(town, cleo)
    await town.revise(cleo, event.slug, title="Tea", visibility="public")
    await pay_all(town)
    assert await town.proxy.deliver() == [400]
    assert await names(town) == ["Tea"]
    await settle(town, cleo)
    await town.pay_debts()
    await settle(town, cleo)
    (record,) = [one for one in await records(town, EVENT) if one["value"]["name"] == "Tea"]
    assert (await town.standing(PublicationKind.EVENT, event.id)).uri == record["uri"]
    assert await here(town) == [("Tea", True)]


@pytest.mark.parametrize("is_heard_first", [True, False], ids=["heard", "paid"])
async def test_an_answer_of_before_that_arrives_late_is_no_answer_of_her_app(
    town: Town, cleo: Caller, is_heard_first: bool
):
    """The key of an answer comes again: what was sent before it was taken back arrives before what was said since."""
    ana = await town.person()
    event = await town.event(ana, title="Tea")
    await town.pay()
    await settle(town, ana)
    await write_something(town, cleo)
    answer = await town.answer(cleo, event.slug, RsvpReply.GOING)
    await send_into_the_void(town)
    async with town.db.transaction() as tx:
        await recall(tx, kind=PublicationKind.RSVP, subject_id=answer.id)
    await pay_all(town)
    assert (await town.standing(PublicationKind.RSVP, answer.id)).state is PublicationState.RETRACTED
    async with town.db.transaction() as tx:
        await try_again(tx, kind=PublicationKind.RSVP, subject_id=answer.id)
    await town.answer(cleo, event.slug, RsvpReply.DECLINED)
    assert await town.proxy.deliver() == [200]
    town.clock.turn(SECOND)
    if not is_heard_first:
        await town.pay()
    await settle(town, cleo)
    await town.pay_debts()
    await settle(town, cleo)
    assert await said(town) == (["notgoing"], ["declined"])
    assert len(await records(town, RSVP)) == 1


@on_one_engine
async def test_somebody_elses_record_under_the_key_is_left_alone(town: Town, cleo: Caller):
    """Her app writes there before the create arrives, which then meets something and is refused. The address is the event's: what stands
    there is no second one.
    """
    event = await town.event(cleo, title="Tea")
    await send_into_the_void(town)
    uri = (await town.standing(PublicationKind.EVENT, event.id)).uri
    assert uri is not None
    await town.revise(cleo, event.slug, title="Tea", **UNLISTED)
    await pay_all(town)
    app = await town.stranger("cleo")
    value = {"$type": EVENT, "name": "Hers", "createdAt": "2026-01-01T00:00:00Z", "startsAt": "2037-01-01T00:00:00Z"}
    did, rkey = uri.split("/")[2], uri.split("/")[4]
    await app.procedure("com.atproto.repo.putRecord", {"repo": did, "collection": EVENT, "rkey": rkey, "record": value})
    assert await town.proxy.deliver() == [400]
    town.clock.turn(10 * MINUTE)
    await settle(town, cleo)
    await town.pay_debts()
    assert await names(town) == ["Hers"]
    assert await here(town) == [("Tea", False)]


@on_one_engine
async def test_what_arrives_while_she_is_signed_out_goes_when_she_is_back(town: Town, cleo: Caller):
    await taken_back(town, cleo)
    async with town.db.transaction() as tx:
        await tx.execute("delete from repository_sessions")
    assert await town.proxy.deliver() == [200]
    town.clock.turn(HOUR)
    await town.pay_debts()
    assert await names(town) == ["Tea"]
    assert (await doubts(town))[1] == 1, "it is still owed"
    await town.connected_as("cleo")
    town.clock.turn(HOUR)
    await town.pay_debts()
    assert await names(town) == []


@on_one_engine
async def test_a_publisher_that_dies_leaves_the_doubt(town: Town, cleo: Caller):
    """What is sent is remembered before it is sent: whoever sent it cannot tell any more."""
    await town.event(cleo, title="Tea")
    sending: list[web.Request] = []

    def dies(request: web.Request) -> bool:
        if request.path.endswith("putRecord"):
            sending.append(request)
            task.cancel()
        return False

    town.proxy.loses = dies
    task = asyncio.create_task(schedule.run_once(town.publisher))
    with pytest.raises(asyncio.CancelledError):
        await task
    town.proxy.loses = never
    await town.proxy.quiet()
    assert sending
    assert await doubts(town) == (1, 0)
    town.clock.turn(DAY + HOUR)
    async with town.db.transaction() as tx:
        assert await forget_old(tx) == 1


@on_one_engine
async def test_a_create_that_was_heard_and_taken_back_settles_nothing_when_it_comes_again(town: Town, cleo: Caller):
    """Its reply was lost, so it stays in doubt; the key is to be written anew when the stream repeats the old commit (invariant 10)."""
    ana = await town.person()
    event = await town.event(ana, title="Tea")
    await town.pay()
    await settle(town, ana)
    await write_something(town, cleo)
    answer = await town.answer(cleo, event.slug, RsvpReply.GOING)
    town.proxy.loses = lambda request: request.path.endswith(("putRecord", "applyWrites"))
    await town.pay()
    town.proxy.loses = never
    await settle(town, cleo)
    uri = (await town.standing(PublicationKind.RSVP, answer.id)).uri or ""
    async with town.db.reader() as reader:
        old = await seen.find(reader, uri)
    assert old is not None
    async with town.db.transaction() as tx:
        await recall(tx, kind=PublicationKind.RSVP, subject_id=answer.id)
    await pay_all(town)
    await settle(town, cleo)
    await write_something(town, cleo)
    async with town.db.transaction() as tx:
        await try_again(tx, kind=PublicationKind.RSVP, subject_id=answer.id)
    await town.answer(cleo, event.slug, RsvpReply.DECLINED)
    await send_into_the_void(town)
    assert (await town.standing(PublicationKind.RSVP, answer.id)).uri == uri
    again = RecordMessage(
        parse_did(old.did),
        RSVP,
        parse_record_key(old.rkey),
        parse_tid(old.rev),
        RecordOperation.CREATE,
        old.cid,
        old.body,
        True,
    )
    async with town.db.transaction() as tx:
        assert await apply(tx, town.processor.here, [again]) == [IngestResult.KNOWN]
        row = await tx.fetch_one("select record_uri from attendances where id = :id", id=answer.id)
    assert row is not None
    assert row["record_uri"] is None
    await town.proxy.deliver()
    await settle(town, cleo)
    assert await said(town) == (["notgoing"], ["declined"])


@on_one_engine
async def test_an_answer_that_comes_when_the_key_was_given_up_settles_no_doubt(town: Town, cleo: Caller):
    """The first payer is slow; another one takes the event back, and proves that nothing is there; then the create is acted on."""
    event = await town.event(cleo, title="Tea")

    async def is_slow(request: web.Request) -> None:
        if request.path.endswith(("putRecord", "applyWrites")):
            is_asked.set()
            await goes_on.wait()

    is_asked, goes_on = asyncio.Event(), asyncio.Event()
    town.proxy.before = is_slow
    slow = asyncio.create_task(schedule.run_once(town.publisher))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await is_asked.wait()
        town.clock.turn(2 * MINUTE)
        await town.revise(cleo, event.slug, title="Tea", **UNLISTED)
        await town.pay()
        assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.RETRACTED
        goes_on.set()
        await slow
    assert await names(town) == ["Tea"]
    town.clock.turn(10 * MINUTE)
    await town.pay_debts()
    assert await names(town) == []


@on_one_engine
@pytest.mark.parametrize("agrees", [True, False])
async def test_what_was_typed_while_the_record_was_gone_is_not_lost_when_it_is_back(
    town: Town, cleo: Caller, agrees: bool
):
    """Her app deletes it, which nobody has heard of when she renames the event here; then an earlier create of ours arrives, and
    her app renames that.
    """
    event = await town.event(cleo, title="Tea")
    await send_into_the_void(town)
    await pay_all(town)
    await town.listen(cleo.user_id)
    (record,) = [one for one in await records(town, EVENT) if one["value"]["name"] == "Tea"]
    await delete(town, record)
    town.clock.turn(SECOND)
    await town.revise(cleo, event.slug, title="Tea at ours")
    await town.listen(cleo.user_id)
    assert await town.proxy.deliver() == [200]
    if not agrees:
        async with town.db.transaction() as tx:
            await identities.withdraw(tx, cleo.user_id)
    town.clock.turn(SECOND)
    await edit(town, record, name="Tea for all", theme="blue")
    await settle(town, cleo)
    await pay_all(town)
    await settle(town, cleo)
    assert await here(town) == [("Tea at ours", agrees)]
    there = [(one["value"]["name"], one["value"].get("theme")) for one in await records(town, EVENT)]
    assert ("Tea at ours", "blue") in there if agrees else "Tea for all" not in [name for name, _ in there]
    async with town.db.reader() as reader:
        kept = {one.decision.theirs for one in await merge_decisions.of_record(reader, record["uri"])}
    assert kept == {"Tea for all"}
