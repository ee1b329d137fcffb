"""What is known late, and what arrives late.

Whose word was last is a matter of when commits were made, not of when they were heard of. And no wait is long enough to be
sure that a request which nobody answered will not be acted on any more.
"""

from typing import Any

import pytest
from aiohttp import web

from groundwork.clock import HOUR, MINUTE, SECOND
from groundwork.outbox.jobs import enqueue_again
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.identities import actions as identities
from openmeet.domain.users.model import Caller
from openmeet.network.records.collections import EVENT, RSVP
from openmeet.network.repositories.agents import agent_for_user
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publication_moves import recall
from openmeet.outbox.publications import PublicationKind, try_again
from tests.openmeet.publication.test_recalls import delete, edit, records, settle
from tests.openmeet.town import Town
from tests.world.proxy import never


@pytest.fixture
async def cleo(town: Town) -> Caller:
    return await town.connected()


async def said(town: Town) -> tuple[list[str], list[str]]:
    """What her records say, and what counts here."""
    words = [str(record["value"]["status"]).rpartition("#")[2] for record in await records(town, RSVP)]
    async with town.db.reader() as reader:
        rows = await reader.fetch("select status from attendances order by id")
    return words, [row["status"] for row in rows]


async def her_app(town: Town, record: dict[str, Any], word: str | None) -> None:
    """Another app of hers changes an answer, or deletes it."""
    town.clock.turn(SECOND)
    if word is None:
        await delete(town, record)
    else:
        await edit(town, record, status=f"{RSVP}#{word}")
    town.clock.turn(SECOND)


async def elsewhere_in_her_repository(town: Town) -> None:
    """Something else is committed: what is read from now on is as of this commit."""
    town.clock.turn(SECOND)
    (event,) = await records(town, EVENT)
    await edit(town, event, theme="blue")
    town.clock.turn(SECOND)


@pytest.mark.parametrize("word", ["interested", None], ids=["changed", "deleted"])
async def test_the_last_word_is_hers_here_although_a_read_is_younger(town: Town, cleo: Caller, word: str | None):
    """Her app, then she here, then something else in her repository. The payer finds her app's word as of the last of them,
    and the stream says later when it was.
    """
    event = await town.event(cleo)
    await town.answer(cleo, event.slug, RsvpReply.GOING)
    await settle(town, cleo)
    (record,) = await records(town, RSVP)
    await her_app(town, record, word)
    await town.answer(cleo, event.slug, RsvpReply.DECLINED)
    await elsewhere_in_her_repository(town)
    await town.pay()
    town.clock.turn(HOUR)
    await town.ingest()
    await settle(town, cleo)
    assert await said(town) == (["notgoing"], ["declined"])


@pytest.mark.parametrize(
    ("word", "end"), [("interested", (["interested"], ["interested"])), (None, ([], ["declined"]))]
)
async def test_the_last_word_is_her_apps(town: Town, cleo: Caller, word: str | None, end: tuple[list[str], list[str]]):
    """The same with her answer here before that of her app."""
    event = await town.event(cleo)
    await town.answer(cleo, event.slug, RsvpReply.DECLINED)
    await settle(town, cleo)
    (record,) = await records(town, RSVP)
    await town.answer(cleo, event.slug, RsvpReply.GOING)
    await her_app(town, record, word)
    await elsewhere_in_her_repository(town)
    await town.pay()
    town.clock.turn(HOUR)
    await town.ingest()
    await settle(town, cleo)
    assert await said(town) == end


async def test_what_was_said_here_since_is_not_undone(town: Town, cleo: Caller):
    """She answers once more before the stream brings her app's commit."""
    event = await town.event(cleo)
    await town.answer(cleo, event.slug, RsvpReply.GOING)
    await settle(town, cleo)
    (record,) = await records(town, RSVP)
    await her_app(town, record, "interested")
    await town.answer(cleo, event.slug, RsvpReply.DECLINED)
    await elsewhere_in_her_repository(town)
    await town.pay()
    town.clock.turn(HOUR)
    await town.ingest()
    await town.answer(cleo, event.slug, RsvpReply.GOING)
    await settle(town, cleo)
    assert await said(town) == (["going"], ["attending"])


@pytest.mark.parametrize("is_read_first", [True, False], ids=["read", "heard"])
@pytest.mark.parametrize("is_later_here", [True, False])
async def test_what_is_said_after_her_app_has_deleted_its_answer_counts_also_where_nothing_is_published(
    town: Town, cleo: Caller, is_read_first: bool, is_later_here: bool
):
    """She has not agreed: no promise names the record, and when it was deleted decides all the same."""
    event = await town.event(cleo)
    await town.answer(cleo, event.slug, RsvpReply.DECLINED)
    await settle(town, cleo)
    (record,) = await records(town, RSVP)
    async with town.db.transaction() as tx:
        await tx.execute("delete from publications where kind = 'rsvp'")
        await identities.withdraw(tx, cleo.user_id)
    if is_later_here:
        await her_app(town, record, None)
    await town.answer(cleo, event.slug, RsvpReply.GOING)
    if not is_later_here:
        await her_app(town, record, None)
    await elsewhere_in_her_repository(town)
    if is_read_first:
        async with town.db.transaction() as tx:
            await enqueue_again(tx, JobKind.BACKFILL, [record["uri"].split("/")[2]])
        await town.pay_debts()
    await town.listen(cleo.user_id)
    assert await said(town) == ([], ["attending" if is_later_here else "declined"])


@pytest.mark.parametrize(("is_later_here", "end"), [(True, "waitlisted"), (False, "interested")])
async def test_waiting_for_a_place_is_a_word_although_no_repository_is_told(
    town: Town, cleo: Caller, is_later_here: bool, end: str
):
    """Nothing of it is owed; what her app said before it, and is heard of after it, does not undo it."""
    event = await town.event(cleo, capacity="1")
    await town.answer(cleo, event.slug, RsvpReply.DECLINED)
    await settle(town, cleo)
    await town.answer(await town.person("Ben"), event.slug, RsvpReply.GOING)
    (record,) = await records(town, RSVP)
    if is_later_here:
        await her_app(town, record, "interested")
    await town.answer(cleo, event.slug, RsvpReply.GOING)
    if not is_later_here:
        await her_app(town, record, "interested")
    await town.pay()
    await town.ingest()
    await settle(town, cleo)
    assert await said(town) == (["interested"], [end, "attending"])


async def test_deleting_another_record_uncovers_ours(town: Town, cleo: Caller):
    """Her app had written an answer of its own, which counted over the one from here; then it deletes it."""
    event = await town.event(cleo)
    await town.answer(cleo, event.slug, RsvpReply.GOING)
    await settle(town, cleo)
    (ours,) = await records(town, RSVP)
    app = await town.stranger("cleo")
    town.clock.turn(SECOND)
    value = {**ours["value"], "status": f"{RSVP}#notgoing", "createdAt": "2026-12-01T00:00:00.000Z"}
    did = ours["uri"].split("/")[2]
    await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": RSVP, "record": value})
    await settle(town, cleo)
    assert (await said(town))[1] == ["declined"]
    (theirs,) = [record for record in await records(town, RSVP) if record["uri"] != ours["uri"]]
    await delete(town, theirs)
    await settle(town, cleo)
    assert await said(town) == (["going"], ["attending"])


async def test_going_back_to_our_very_bytes_is_an_answer(town: Town, cleo: Caller):
    """Her app changes the answer from here and changes it back: that is no echo of ours."""
    event = await town.event(cleo)
    await town.answer(cleo, event.slug, RsvpReply.GOING)
    await settle(town, cleo)
    (ours,) = await records(town, RSVP)
    await her_app(town, ours, "notgoing")
    await settle(town, cleo)
    assert await said(town) == (["notgoing"], ["declined"])
    await her_app(town, ours, "going")
    await settle(town, cleo)
    (again,) = await records(town, RSVP)
    assert again["cid"] == ours["cid"]
    assert await said(town) == (["going"], ["attending"])


def is_put(request: web.Request) -> bool:
    return request.path.endswith(("putRecord", "applyWrites"))


async def send_into_the_void(town: Town) -> None:
    """What is owed is sent; it does not arrive, and the connection breaks."""
    before = len(town.proxy.on_their_way)
    town.proxy.delays = is_put
    await town.pay()
    town.proxy.delays = never
    assert len(town.proxy.on_their_way) > before
    town.clock.turn(MINUTE)


async def renew_session(town: Town, who: Caller) -> None:
    """Their access token is a new one: what is sent with it still holds when it arrives late."""
    client = await agent_for_user(town.db, town.network, who.user_id)
    await client.query("com.atproto.server.getSession")


@pytest.fixture
async def slow_pds(town: Town, cleo: Caller) -> None:
    """Her PDS is reached through a line on which requests can stay for long."""
    async with town.db.transaction() as tx:
        await tx.execute("update repository_sessions set pds_url = :url", url=town.proxy.url)


@pytest.mark.usefixtures("slow_pds")
@pytest.mark.parametrize("times", [2, 3])
async def test_an_earlier_answer_that_arrives_late_is_no_answer_of_her_app(town: Town, cleo: Caller, times: int):
    """The first of several sends is acted on when the next has been tried: it is younger there than her last word here."""
    event = await town.event(cleo)
    await settle(town, cleo)
    await renew_session(town, cleo)
    for reply in (RsvpReply.GOING, RsvpReply.INTERESTED, RsvpReply.DECLINED)[-times:]:
        await town.answer(cleo, event.slug, reply)
        await send_into_the_void(town)
    assert await town.proxy.deliver() == [200] + [400] * (times - 1)
    await settle(town, cleo)
    assert await said(town) == (["notgoing"], ["declined"])


@pytest.mark.usefixtures("slow_pds")
async def test_an_earlier_title_that_arrives_late_is_no_edit_of_her_app(town: Town, cleo: Caller):
    """She had renamed it and thought better of it; what never arrived is not merged with the name that stands."""
    event = await town.event(cleo, title="Tea")
    await settle(town, cleo)
    await renew_session(town, cleo)
    for typed in ({"title": "Coffee"}, {"title": "Tea", "description": "With biscuits"}):
        await town.revise(cleo, event.slug, **typed)
        await send_into_the_void(town)
    assert await town.proxy.deliver() == [200, 400]
    await settle(town, cleo)
    async with town.db.reader() as reader:
        rows = await reader.fetch("select title from events")
        merged = await reader.fetch("select field from conflicts")
    (record,) = await records(town, EVENT)
    assert ([row["title"] for row in rows], record["value"]["name"], merged) == (["Tea"], "Tea", [])


def is_delete(request: web.Request) -> bool:
    return request.path.endswith(("deleteRecord", "applyWrites"))


async def write_something(town: Town, cleo: Caller) -> None:
    """Her session is fresh again: what is sent from now on is not refused when it arrives a few minutes later."""
    await town.event(cleo, title="Something else", visibility="public")
    await town.pay()


async def take_back_into_the_void(town: Town) -> None:
    town.proxy.delays = is_delete
    await town.pay()
    town.proxy.delays = never
    assert town.proxy.on_their_way
    town.clock.turn(2 * MINUTE)


async def pay_all(town: Town) -> None:
    """Whatever is due in the next minutes; sessions last longer."""
    for _ in range(4):
        await town.pay()
        town.clock.turn(MINUTE)


@pytest.mark.usefixtures("slow_pds")
async def test_a_delete_that_arrives_late_does_not_remove_what_is_public_again(town: Town, cleo: Caller):
    """Unlisted and public again before the delete is acted on: that was ours, and not somebody who deleted the event."""
    event = await town.event(cleo)
    await settle(town, cleo)
    await write_something(town, cleo)
    await town.revise(cleo, event.slug, visibility="unlisted")
    await take_back_into_the_void(town)
    await town.revise(cleo, event.slug, visibility="public")
    await pay_all(town)
    assert await town.proxy.deliver() == [400], "the record that it names has gone"
    await settle(town, cleo)
    async with town.db.reader() as reader:
        rows = await reader.fetch("select removed_at, record_uri from events")
    assert {row["record_uri"] for row in rows} == {record["uri"] for record in await records(town, EVENT)}
    assert [row["removed_at"] for row in rows] == [None, None]


@pytest.mark.usefixtures("slow_pds")
async def test_a_delete_that_arrives_late_spares_the_answer_that_was_written_since(town: Town, cleo: Caller):
    """Taken back and published again: the answer has the same key, and is another record."""
    ana = await town.person()
    event = await town.event(ana)
    answer = await town.answer(cleo, event.slug)
    await settle(town, cleo)
    await settle(town, ana)
    await settle(town, cleo)
    (before,) = await records(town, RSVP)
    await write_something(town, cleo)
    async with town.db.transaction() as tx:
        await recall(tx, kind=PublicationKind.RSVP, subject_id=answer.id)
    await take_back_into_the_void(town)
    async with town.db.transaction() as tx:
        await try_again(tx, kind=PublicationKind.RSVP, subject_id=answer.id)
    await pay_all(town)
    assert await town.proxy.deliver() == [400]
    await settle(town, cleo)
    (after,) = await records(town, RSVP)
    assert (after["uri"], after["cid"] != before["cid"]) == (before["uri"], True)
    assert await said(town) == (["going"], ["attending"])


@pytest.mark.usefixtures("slow_pds")
async def test_deletes_of_several_answers_that_arrive_late_spare_those_written_since(town: Town, cleo: Caller):
    """Several writes in one call name no version: answers, whose keys come again, are taken back one by one."""
    ana = await town.person()
    answers = [await town.answer(cleo, (await town.event(ana, title=title)).slug) for title in ("Tea", "Coffee")]
    await settle(town, cleo)
    await settle(town, ana)
    await settle(town, cleo)
    before = {one["uri"] for one in await records(town, RSVP)}
    assert len(before) == 2
    await write_something(town, cleo)
    async with town.db.transaction() as tx:
        for answer in answers:
            await recall(tx, kind=PublicationKind.RSVP, subject_id=answer.id)
    await take_back_into_the_void(town)
    async with town.db.transaction() as tx:
        for answer in answers:
            await try_again(tx, kind=PublicationKind.RSVP, subject_id=answer.id)
    await pay_all(town)
    assert set(await town.proxy.deliver()) == {400}
    await settle(town, cleo)
    assert {one["uri"] for one in await records(town, RSVP)} == before
    assert await said(town) == (["going", "going"], ["attending", "attending"])
