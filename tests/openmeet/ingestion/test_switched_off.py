"""Ingestion that is switched off: nothing new is taken, what is gone is gone, and afterwards it is read."""

from at_network.xrpc_client import XrpcClient
from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from openmeet.feature_flags.flags import MAX_AGE, Flag
from openmeet.network.ingestion.flag_effects import switch
from openmeet.network.ingestion.parsed_messages import IngestResult
from openmeet.outbox.publications import PublicationKind
from tests.openmeet.ingestion.network import deleted, did, event, event_value, rsvp
from tests.openmeet.ingestion.view import take, view_of
from tests.openmeet.town import Town
from tests.world.oracle import EVENT

TEA = f"at://{did(1)}/{EVENT}/tea"


async def turn(db: Database, clock: HandClock, flag: Flag, *, is_on: bool) -> None:
    async with db.transaction() as tx:
        assert await switch(tx, flag, is_on=is_on, changed_by="a test")
    clock.turn(MAX_AGE)


async def test_events_are_not_taken_and_answers_are(db: Database, clock: HandClock):
    await take(db, event(1, "tea", 1))
    await turn(db, clock, Flag.EVENTS_IN, is_on=False)
    assert await take(db, event(1, "walk", 2), rsvp(2, "one", 3, TEA)) == [
        IngestResult.SWITCHED_OFF,
        IngestResult.APPLIED,
    ]
    view = await view_of(db)
    assert (view.events, view.answers) == ({TEA: "Tea"}, {(did(2), TEA): "going"})


async def test_answers_are_not_taken_and_events_are(db: Database, clock: HandClock):
    await turn(db, clock, Flag.RSVPS_IN, is_on=False)
    assert await take(db, event(1, "tea", 1), rsvp(2, "one", 2, TEA)) == [
        IngestResult.APPLIED,
        IngestResult.SWITCHED_OFF,
    ]
    view = await view_of(db)
    assert (view.events, view.answers) == ({TEA: "Tea"}, {})


async def test_what_is_gone_is_gone(db: Database, clock: HandClock):
    tea = event(1, "tea", 1)
    await take(db, tea)
    await turn(db, clock, Flag.EVENTS_IN, is_on=False)
    assert await take(db, deleted(tea, 2)) == [IngestResult.APPLIED]
    assert (await view_of(db)).events == {}


async def test_what_was_passed_over_is_read_afterwards(town: Town):
    """Also where the repository was read whole meanwhile and has not changed since."""
    cleo = await town.connected("cleo")
    await town.pay_debts()
    await turn(town.db, town.clock, Flag.EVENTS_IN, is_on=False)
    app = await town.stranger("cleo")
    identity = await town.identity(cleo.user_id)
    await _write(app, identity.did, "Tea")
    await town.listen(cleo.user_id)
    await turn(town.db, town.clock, Flag.RSVPS_IN, is_on=False)
    await turn(town.db, town.clock, Flag.RSVPS_IN, is_on=True)
    await town.pay_debts()
    assert (await view_of(town.db)).events == {}
    await turn(town.db, town.clock, Flag.EVENTS_IN, is_on=True)
    await town.pay_debts()
    assert list((await view_of(town.db)).events.values()) == ["Tea"]


async def test_what_was_passed_over_is_read_by_who_has_just_asked(town: Town):
    """Every repository is read once when a flag is switched on: not by what somebody knew a moment before."""
    cleo = await town.connected("cleo")
    await town.pay_debts()
    await turn(town.db, town.clock, Flag.EVENTS_IN, is_on=False)
    await _write(await town.stranger("cleo"), (await town.identity(cleo.user_id)).did, "Tea")
    await town.listen(cleo.user_id)
    assert (await view_of(town.db)).events == {}
    async with town.db.transaction() as tx:
        assert await switch(tx, Flag.EVENTS_IN, is_on=True, changed_by="a test")
    await town.pay_debts()
    assert list((await view_of(town.db)).events.values()) == ["Tea"]


async def test_our_own_records_are_read_all_the_same(town: Town):
    """What another app did to a record of ours must be known before it is written again (invariant 6)."""
    cleo = await town.connected("cleo")
    made = await town.event(cleo)
    await town.pay()
    await turn(town.db, town.clock, Flag.EVENTS_IN, is_on=False)
    uri = (await town.standing(PublicationKind.EVENT, made.id)).uri or ""
    record = await town.record(uri)
    swap = record.pop("cid")
    app = await town.stranger("cleo")
    _, _, repo, collection, rkey = uri.split("/")
    await app.procedure(
        "com.atproto.repo.putRecord",
        {
            "repo": repo,
            "collection": collection,
            "rkey": rkey,
            "record": {**record, "name": "Soup"},
            "swapRecord": swap,
        },
    )
    await town.listen(cleo.user_id)
    assert (await view_of(town.db)).events == {uri: "Soup"}


async def _write(app: XrpcClient, repo: str, name: str) -> None:
    await app.procedure(
        "com.atproto.repo.createRecord",
        {"repo": repo, "collection": EVENT, "rkey": "3mqdau33ozs2n", "record": event_value(name)},
    )
