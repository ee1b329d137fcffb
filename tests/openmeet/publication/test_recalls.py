"""Consent withdrawn and given again, records deleted here and elsewhere, in every order that a random network found."""

from typing import Any

import pytest
from aiohttp import web

from groundwork.clock import HOUR, MINUTE
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.identities import actions as identities
from openmeet.domain.identities import publication_consent
from openmeet.domain.identities.publication_consent import PublicationConsent
from openmeet.domain.users.model import Caller
from openmeet.network.records.collections import EVENT, RSVP
from openmeet.outbox.publications import PublicationKind, PublicationState, look_again
from tests.openmeet.town import Town, details


async def withdraw(town: Town, person: Caller) -> None:
    async with town.db.transaction() as tx:
        await identities.withdraw(tx, person.user_id)


async def agree(town: Town, person: Caller) -> None:
    async with town.db.transaction() as tx:
        await identities.agree(tx, person.user_id, handle="cleo.town.test")


async def settle(town: Town, person: Caller) -> None:
    """Hear everything and pay everything, again and again, with time in between."""
    for _ in range(5):
        await town.listen(person.user_id)
        await town.pay()
        town.clock.turn(HOUR)


async def records(town: Town, collection: str) -> list[dict[str, Any]]:
    app = await town.stranger("cleo")
    did = (await app.query("com.atproto.server.getSession"))["did"]
    return list((await app.query("com.atproto.repo.listRecords", {"repo": did, "collection": collection}))["records"])


async def edit(town: Town, record: dict[str, Any], **fields: object) -> None:
    """Another app of hers changes a record."""
    app = await town.stranger("cleo")
    _, _, did, collection, rkey = record["uri"].split("/")
    body = {"repo": did, "collection": collection, "rkey": rkey, "record": {**record["value"], **fields}}
    await app.procedure("com.atproto.repo.putRecord", body)


async def delete(town: Town, record: dict[str, Any]) -> None:
    app = await town.stranger("cleo")
    _, _, did, collection, rkey = record["uri"].split("/")
    await app.procedure("com.atproto.repo.deleteRecord", {"repo": did, "collection": collection, "rkey": rkey})


@pytest.fixture
async def cleo(town: Town) -> Caller:
    return await town.connected()


async def test_an_edit_on_its_way_does_not_keep_what_was_recalled(town: Town, cleo: Caller):
    """Consent ends, then her app's edit of the record arrives: the record is taken back all the same (invariant 11)."""
    await town.event(cleo)
    await settle(town, cleo)
    (record,) = await records(town, EVENT)
    await edit(town, record, theme="blue")
    await withdraw(town, cleo)
    await settle(town, cleo)
    assert await records(town, EVENT) == []


async def test_a_new_yes_publishes_what_was_taken_back(town: Town, cleo: Caller):
    event = await town.event(cleo)
    await town.answer(cleo, event.slug)
    await settle(town, cleo)
    await withdraw(town, cleo)
    await settle(town, cleo)
    assert (await records(town, EVENT), await records(town, RSVP)) == ([], [])
    await agree(town, cleo)
    await settle(town, cleo)
    (written,) = await records(town, EVENT)
    (answer,) = await records(town, RSVP)
    assert answer["value"]["subject"]["uri"] == written["uri"], "about the record that the event has now"


async def test_deleting_here_deletes_what_another_app_wrote(town: Town, cleo: Caller):
    """An event of her own repository, never edited here: deleting it here takes the record away."""
    app = await town.stranger("cleo")
    did = (await app.query("com.atproto.server.getSession"))["did"]
    value = {"$type": EVENT, "name": "From elsewhere", "createdAt": "2026-01-01T00:00:00.000Z"}
    await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": EVENT, "record": value})
    await settle(town, cleo)
    async with town.db.reader() as reader:
        row = await reader.fetch_one("select slug from events")
    assert row is not None
    async with town.db.transaction() as tx:
        await event_hosting.delete(tx, cleo, row["slug"])
    await settle(town, cleo)
    assert await records(town, EVENT) == []


async def test_an_answer_follows_its_event_into_the_open(town: Town, cleo: Caller):
    """Given while the event was unlisted, it is published when the event is."""
    event = await town.event(cleo, visibility="unlisted")
    await town.answer(cleo, event.slug)
    await settle(town, cleo)
    assert await records(town, RSVP) == []
    async with town.db.transaction() as tx:
        await event_hosting.revise(tx, cleo, event.slug, details(visibility="public"))
    await settle(town, cleo)
    assert len(await records(town, RSVP)) == 1


async def test_what_is_heard_after_it_was_taken_back_makes_nothing(town: Town, cleo: Caller):
    """Written, edited by her app and taken back before the stream brought any of it: one event, her answer as it was."""
    event = await town.event(cleo)
    await town.pay()
    await town.answer(cleo, event.slug)
    await town.pay()
    (record,) = await records(town, EVENT)
    await edit(town, record, theme="blue")
    await withdraw(town, cleo)
    await town.pay()
    town.clock.turn(HOUR)
    await town.pay()
    await settle(town, cleo)
    async with town.db.reader() as reader:
        found = [tuple(row) for row in await reader.fetch("select id, removed_at from events")]
        answers = [row["status"] for row in await reader.fetch("select status from attendances")]
    assert found == [(event.id, None)]
    assert answers == ["attending"]


async def test_a_new_yes_while_the_answer_to_the_delete_is_lost(town: Town, cleo: Caller):
    """The echo of our own delete is not taken for hers: the answer stays and is published again."""
    async with town.db.transaction() as tx:
        await tx.execute("update repository_sessions set pds_url = :url", url=town.proxy.url)
    event = await town.event(cleo)
    await town.answer(cleo, event.slug)
    await settle(town, cleo)

    def deletes(request: web.Request) -> bool:
        return request.path.endswith(("deleteRecord", "applyWrites"))

    town.proxy.loses = deletes
    await withdraw(town, cleo)
    await town.pay()
    assert town.proxy.lost > 0
    town.proxy.loses = lambda _request: False
    await agree(town, cleo)
    await settle(town, cleo)
    async with town.db.reader() as reader:
        rows = await reader.fetch("select id, status from attendances")
    assert [row["status"] for row in rows] == ["attending"]
    assert (await town.standing(PublicationKind.RSVP, rows[0]["id"])).state is PublicationState.PUBLISHED
    assert len(await records(town, RSVP)) == 1


@pytest.mark.parametrize(("deleted_first", "expected"), [(True, "interested"), (False, "declined")])
async def test_the_latest_of_deleting_and_answering_counts(
    town: Town, cleo: Caller, *, deleted_first: bool, expected: str
):
    """A record deleted in her app and an answer given here before that was heard of."""
    event = await town.event(cleo)
    await town.answer(cleo, event.slug)
    await settle(town, cleo)
    (record,) = await records(town, RSVP)
    if deleted_first:
        await delete(town, record)
        town.clock.turn(MINUTE)
    await town.answer(cleo, event.slug, RsvpReply.INTERESTED)
    if not deleted_first:
        town.clock.turn(MINUTE)
        await delete(town, record)
    await settle(town, cleo)
    async with town.db.reader() as reader:
        rows = await reader.fetch("select status from attendances")
    assert [row["status"] for row in rows] == [expected]
    assert len(await records(town, RSVP)) == (1 if deleted_first else 0)


async def test_a_word_of_her_app_counts_although_its_record_is_taken_back(town: Town, cleo: Caller):
    """She takes back her yes to publishing; before her record is deleted she says otherwise there, and nobody has heard it."""
    ana = await town.person()
    event = await town.event(ana)
    await town.answer(cleo, event.slug, RsvpReply.INTERESTED)
    await settle(town, ana)
    await settle(town, cleo)
    (record,) = await records(town, RSVP)
    await withdraw(town, cleo)
    town.clock.turn(MINUTE)
    await edit(town, record, status=f"{RSVP}#going")
    await town.pay()
    await town.ingest()
    await settle(town, cleo)
    assert await records(town, RSVP) == []
    async with town.db.reader() as reader:
        rows = await reader.fetch("select status from attendances")
    assert [row["status"] for row in rows] == ["attending"]


async def test_such_a_word_counts_where_nothing_is_heard_for_a_while(town: Town, cleo: Caller):
    """The processor is away for half an hour, and the payer comes back again and again: the record waits, her word is not lost."""
    ana = await town.person()
    event = await town.event(ana)
    await town.answer(cleo, event.slug)
    await settle(town, ana)
    await settle(town, cleo)
    (record,) = await records(town, RSVP)
    await edit(town, record, status=f"{RSVP}#notgoing")
    await withdraw(town, cleo)
    for _ in range(30):
        await town.pay()
        town.clock.turn(MINUTE)
    assert len(await records(town, RSVP)) == 1
    await settle(town, cleo)
    assert await records(town, RSVP) == []
    async with town.db.reader() as reader:
        rows = await reader.fetch("select status from attendances")
    assert [row["status"] for row in rows] == ["declined"]


@pytest.mark.parametrize("is_heard_first", [True, False])
async def test_a_word_of_her_app_counts_although_the_event_is_taken_back(
    town: Town, cleo: Caller, *, is_heard_first: bool
):
    """The host takes back her yes to publishing, and with the event's record go those of the answers: the last word stays."""
    ana = await town.connected("ana")
    event = await town.event(ana)
    await town.pay()
    await settle(town, ana)
    await town.answer(cleo, event.slug, RsvpReply.INTERESTED)
    await town.pay()
    await settle(town, cleo)
    (record,) = await records(town, RSVP)
    await edit(town, record, status=f"{RSVP}#going")
    await withdraw(town, ana)
    await town.pay()
    assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.RETRACTED
    if is_heard_first:
        await town.listen(cleo.user_id)
    await town.pay()
    await town.ingest()
    await settle(town, cleo)
    assert await records(town, RSVP) == []
    async with town.db.reader() as reader:
        assert [row["status"] for row in await reader.fetch("select status from attendances")] == ["attending"]
    await agree(town, ana)
    await settle(town, ana)
    await settle(town, cleo)
    (again,) = await records(town, RSVP)
    assert again["value"]["status"] == f"{RSVP}#going"


async def test_hearing_of_a_record_does_not_decide_that_it_stays(town: Town, cleo: Caller):
    """What it depends on has changed and nobody has looked yet; its echo comes again, or her app's edit of it: it is looked at."""
    ana = await town.person()
    event = await town.event(ana)
    answer = await town.answer(cleo, event.slug)
    await settle(town, ana)
    await settle(town, cleo)
    (record,) = await records(town, RSVP)
    town.clock.turn(MINUTE)
    await edit(town, record, note="mine")
    async with town.db.transaction() as tx:
        await publication_consent.change(tx, cleo.user_id, PublicationConsent(writes_answers=False))
        await look_again(tx, kind=PublicationKind.RSVP, subject_ids=[answer.id])
    await town.listen(cleo.user_id)
    assert (await town.standing(PublicationKind.RSVP, answer.id)).state is PublicationState.DUE
    await settle(town, cleo)
    assert await records(town, RSVP) == []
