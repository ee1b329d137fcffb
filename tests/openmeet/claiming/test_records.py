"""Records of people who are joined: two promises about one answer become one, and no repository says what its owner did not."""

from itertools import chain

from groundwork.clock import MINUTE
from groundwork.database.one_hop import in_one_hop
from openmeet.domain.account_merge import actions as claiming
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import Caller
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.town import Town, town
from tests.world.oracle import RSVP

__all__ = ["town"]


async def answers_in(town: Town, name: str) -> list[str]:
    """What the answers in somebody's repository say, as their own app sees it."""
    client = await town.stranger(name)
    did = (await client.query("com.atproto.server.getSession"))["did"]
    listed = await client.query("com.atproto.repo.listRecords", {"repo": did, "collection": RSVP})
    return [str(one["value"]["status"]).partition("#")[2] for one in listed["records"]]


async def both_answer(town: Town, first: RsvpReply, later: RsvpReply | None) -> tuple[Event, Caller, Caller]:
    """An event, who stays (answered first) and who goes (answered later), with their records written."""
    host = await town.person("Ana")
    tea = await town.event(host)
    await settled(town)
    dora, cleo = await town.connected("dora"), await town.connected("cleo")
    await town.answer(dora, tea.slug, first)
    town.clock.turn(MINUTE)
    if later is not None:
        await town.answer(cleo, tea.slug, later)
    await settled(town)
    return tea, dora, cleo


async def settled(town: Town) -> None:
    """Pay and read until nothing is owed."""
    for _ in range(10):
        paid = await town.pay() + await town.pay_debts()
        await town.ingest()
        if not paid:
            return
        town.clock.turn(5 * MINUTE)


async def join(town: Town, stays: Caller, goes: Caller) -> None:
    did = (await town.identity(goes.user_id)).did
    async with town.db.transaction() as tx:
        signed_in = await claiming.sign_in_with_did(
            tx, did, handle="cleo.town.test", pds_url=town.pds_url, caller=stays.user_id
        )
    assert signed_in.claim is not None
    await in_one_hop(town.db, lambda tx: claiming.confirm(tx, stays.user_id, signed_in.claim))


async def test_of_two_records_of_one_answer_one_is_taken_back(town: Town) -> None:
    """The answer that stays says the later word, in one of the repositories."""
    tea, dora, cleo = await both_answer(town, RsvpReply.GOING, RsvpReply.DECLINED)
    assert [await answers_in(town, name) for name in ("dora", "cleo")] == [["going"], ["notgoing"]]
    await join(town, dora, cleo)
    await settled(town)
    left = [await answers_in(town, name) for name in ("dora", "cleo")]
    assert sorted(chain(*left)) == ["notgoing"]
    async with town.db.reader() as reader:
        rows = await reader.fetch("select id, user_id, status from attendances where event_id = :id", id=tea.id)
        owed = await reader.fetch(
            "select state, subject_id from publications where kind = 'rsvp' and state <> 'retracted'"
        )
    assert [(row["user_id"], row["status"]) for row in rows] == [(dora.user_id, "declined")]
    assert [(row["state"], row["subject_id"]) for row in owed] == [(PublicationState.PUBLISHED, rows[0]["id"])]
    # It goes on being one answer.
    await town.answer(dora, tea.slug, RsvpReply.INTERESTED)
    await settled(town)
    assert sorted([*await answers_in(town, "dora"), *await answers_in(town, "cleo")]) == ["interested"]


async def test_an_only_record_goes_on_where_it_is(town: Town) -> None:
    """Whoever goes wrote it: it stays in their repository, and says what the person says from now on."""
    tea, dora, cleo = await both_answer(town, RsvpReply.GOING, None)
    await join(town, cleo, dora)
    await settled(town)
    assert await answers_in(town, "dora") == ["going"]
    await town.answer(cleo, tea.slug, RsvpReply.DECLINED)
    await settled(town)
    assert [await answers_in(town, name) for name in ("dora", "cleo")] == [["notgoing"], []]
    async with town.db.reader() as reader:
        row = await reader.fetch_one(
            "select count(*) as n from publications where kind = :kind", kind=PublicationKind.RSVP
        )
    assert row["n"] == 1
