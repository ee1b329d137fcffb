"""An event is offered to a co-host, who becomes its owner by accepting; by page and API, on both engines."""

from contextlib import suppress
from dataclasses import replace

import pytest

from at_protocol.data.cid import Cid
from groundwork.clock import HandClock
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import Conflict, Failure, Forbidden, NotFound, Refused
from groundwork.uuid7 import new_id
from openmeet.domain.events import actions, co_host_queries, event_records, ownership, record_changes
from openmeet.domain.events.co_host_invitations import CoHostState
from openmeet.domain.events.model import Event
from openmeet.domain.events.queries import by_id
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications import queries as notifications
from openmeet.domain.users.model import Caller
from openmeet.network.records import links
from openmeet.outbox.publication_status import statuses
from openmeet.outbox.publications import PublicationKind
from tests.databases import MakeDatabase
from tests.openmeet.interleaving import Work, run_interleaved
from tests.openmeet.site_under_test import details, person, sign_up, site_on

OLD = f"at://did:plc:{'a' * 24}/community.lexicon.calendar.event/tea"
NEW = f"at://did:plc:{'b' * 24}/community.lexicon.calendar.event/tea"
ANA, BEN = (uri.split("/")[2] for uri in (OLD, NEW))
CID = str(Cid.for_cbor(b"\xa0"))


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("openmeet")


async def begin(tx: Transaction) -> tuple[Caller, Caller, Event, str]:
    """Ana's event, with Ben as co-host."""
    ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
    event = await actions.create(tx, ana, details())
    return ana, ben, event, await add_co_host(tx, event, ana, ben)


async def add_co_host(tx: Transaction, event: Event, author: Caller, who: Caller) -> str:
    row = new_id(tx.now)
    await tx.execute(
        "insert into event_co_hosts (id, event_id, user_id, email, state, invited_by, created_at, expires_at, decided_at)"
        " values (:id, :event_id, :user_id, null, 'accepted', :by, :now, :now, :now)",
        id=row,
        event_id=event.id,
        user_id=who.user_id,
        by=author.user_id,
        now=tx.now,
    )
    return row


async def test_accepting_an_offer_transfers_the_event(db: Database):
    async with db.transaction() as tx:
        ana, ben, event, row = await begin(tx)
        await record_changes.store_record_uri(tx, event.id, uri=OLD, cid=CID, did=ANA)
        await ownership.offer(tx, ana, event.slug, row)
        (news,) = await notifications.newest(tx, ben.user_id, 9)
        assert (news.kind, news.payload.step) == (event_kinds.SERIES_OFFERED, ownership.EVENT)  # type: ignore[attr-defined]  # the payload of its kind
        after = await ownership.accept(tx, ben, event.slug)
        assert after == await by_id(tx, event.id)
        assert (after.author_id, after.revision, after.needs_author_approval) == (
            ben.user_id,
            event.revision + 1,
            False,
        )
        assert (await co_host_queries.of_person(tx, event.id, ana.user_id)).state is CoHostState.ACCEPTED
        assert await co_host_queries.of_person(tx, event.id, ben.user_id) is None
        assert (await event_records.find(tx, OLD)).id == event.id
        assert (await statuses(tx, PublicationKind.SUPERSEDED_EVENT, [OLD]))[OLD].uri == OLD
        with pytest.raises(NotFound):
            await ownership.accept(tx, ben, event.slug)


async def refusal(tx: Transaction, who: Caller, event: Event, row: str) -> type[Failure] | None:
    try:
        await ownership.offer(tx, who, event.slug, row)
    except Failure as failure:
        return type(failure)
    return None


async def test_invalid_offers_are_refused(db: Database):
    async with db.transaction() as tx:
        ana, ben, event, row = await begin(tx)
        cleo = await person(tx, "Cleo")
        assert [await refusal(tx, who, event, row) for who in (ben, cleo)] == [Forbidden, Forbidden]
        for changed in ("is_draft = 1, is_held = 1", "is_held = 1"):
            await tx.execute(f"update events set {changed} where id = :id", id=event.id)
            assert await refusal(tx, ana, event, row) is Refused
            await tx.execute("update events set is_draft = 0, is_held = 0 where id = :id", id=event.id)
        await tx.execute("update event_co_hosts set state = 'left' where id = :id", id=row)
        assert await refusal(tx, ana, event, row) is NotFound
        with pytest.raises(Conflict):
            await ownership.drop(tx, ana, event.slug)


@pytest.mark.parametrize("by", ["owner", "heir"])
async def test_a_withdrawn_offer_cannot_be_accepted(db: Database, by: str):
    async with db.transaction() as tx:
        ana, ben, event, row = await begin(tx)
        await ownership.offer(tx, ana, event.slug, row)
        await ownership.drop(tx, ana if by == "owner" else ben, event.slug)
        with pytest.raises(NotFound):
            await ownership.accept(tx, ben, event.slug)


async def test_leaving_ends_the_offer(db: Database):
    async with db.transaction() as tx:
        ana, ben, event, row = await begin(tx)
        await ownership.offer(tx, ana, event.slug, row)
        before = await co_host_queries.by_id(tx, row)
        for state in (CoHostState.LEFT, CoHostState.ACCEPTED):
            await co_host_queries.put(tx, replace(before, state=state))
        with pytest.raises(NotFound):
            await ownership.accept(tx, ben, event.slug)


async def test_a_deleted_authors_event_goes_to_the_longest_co_host(db: Database):
    """A second run changes nothing. An event without co-hosts stays with its author."""
    async with db.transaction() as tx:
        ana, ben, event, _ = await begin(tx)
        cleo = await person(tx, "Cleo")
        await add_co_host(tx, event, ana, cleo)
        alone = await actions.create(tx, ana, details())
        for _ in range(2):
            await ownership.remove_person(tx, ana.user_id)
        assert ((await by_id(tx, event.id)).author_id, (await by_id(tx, alone.id)).author_id) == (
            ben.user_id,
            ana.user_id,
        )
        await ownership.remove_person(tx, ben.user_id)
        assert (await by_id(tx, event.id)).author_id == cleo.user_id


async def test_an_event_that_was_just_handed_over_is_not_handed_over_again(db: Database):
    """Cleo accepts Ana's offer while Ana's account is deleted. Ben has been a co-host for longer."""
    for at in range(1, 6):
        async with db.transaction() as tx:
            ana, ben, event, _ = await begin(tx)
            cleo = await person(tx, "Cleo")
            await ownership.offer(tx, ana, event.slug, await add_co_host(tx, event, ana, cleo))
            await tx.execute(
                "update event_co_hosts set decided_at = decided_at - 1 where user_id = :id", id=ben.user_id
            )
        accepted: list[Event] = []
        assert await run_interleaved(db, leaving(ana), accepting(cleo, event, accepted), at)
        async with db.reader() as reader:
            owner = (await by_id(reader, event.id)).author_id
        assert owner == (cleo.user_id if accepted else ben.user_id), at


def leaving(who: Caller) -> Work:
    async def leave(tx: Transaction) -> None:
        await ownership.remove_person(tx, who.user_id)

    return leave


def accepting(who: Caller, event: Event, accepted: list[Event]) -> Work:
    async def accept(tx: Transaction) -> None:
        accepted.clear()
        with suppress(NotFound):
            accepted.append(await ownership.accept(tx, who, event.slug))

    return accept


async def test_an_event_is_offered_and_accepted_on_its_page(db: Database, clock: HandClock):
    """The offer and its acceptance take one click each. The co-host finds the offer in the list of hosts. The old and
    the new record URI both resolve to the event and its new record.
    """
    site = site_on(db, clock)
    async with site.browser() as anas, site.browser() as bens:
        await sign_up(anas, "ana@example.org", "Ana")
        await sign_up(bens, "ben@example.org", "Ben")
        async with db.transaction() as tx:
            people = {row["display_name"]: row["id"] for row in await tx.fetch("select id, display_name from users")}
            ana, ben = Caller(people["Ana"], "Ana"), Caller(people["Ben"], "Ben")
            event = await actions.create(tx, ana, details())
            await record_changes.store_record_uri(tx, event.id, uri=OLD, cid=CID, did=ANA)
            row = await add_co_host(tx, event, ana, ben)
        path = f"/events/{event.slug}/hosts"
        page = await anas.get(path)
        assert f"{path}/{row}/offer" in page.text
        assert f"{path}/{row}/offer" not in (await bens.get(path)).text
        assert (await anas.post(f"{path}/{row}/offer", data={})).status_code == 303
        assert "Keep it after all" in (await anas.get(path)).text
        assert "Ana would like to hand it over to you" in (await bens.get(path)).text
        offer = "Ana would like to hand this event over to you."
        shown = [offer in (await one.get(f"/events/{event.slug}")).text for one in (bens, anas)]
        assert shown == [True, False]
        assert (await bens.post(f"/events/{event.slug}/owner", data={"wish": "yes"})).status_code == 303
        assert "Hand over" in (await bens.get(path)).text
        async with db.transaction() as tx:
            await links.store_event_location(tx, event.id, uri=NEW, cid=CID, did=BEN)
        for uri in (OLD, NEW):
            listed = (await bens.get("/api/events", params={"uri": uri})).json()["events"]
            assert [one["slug"] for one in listed] == [event.slug]
            resolved = (await bens.get("/xrpc/openmeet.lexicon.resolveUri", params={"uri": uri})).json()
            assert (resolved["uri"], resolved["url"].rsplit("/", 1)[1]) == (NEW, event.slug)
    async with db.reader() as reader:
        assert (await by_id(reader, event.id)).author_id == ben.user_id
