"""While ingestion is switched off, deletions are applied but no new records. The new records are read afterwards."""

from at_network.xrpc_client import XrpcClient
from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from openmeet.feature_flags.flags import MAX_AGE, Flag
from openmeet.network.flag_changes import switch
from openmeet.network.ingestion.parsed_messages import IngestResult
from openmeet.outbox.publications import PublicationKind
from tests.openmeet.deployment import Deployment
from tests.openmeet.ingestion.network import deletion_of, did, event, event_value, rsvp
from tests.openmeet.ingestion.view import apply_messages, view_of
from tests.simulation.oracle import EVENT

TEA = f"at://{did(1)}/{EVENT}/tea"


async def turn(db: Database, clock: HandClock, flag: Flag, *, is_on: bool) -> None:
    async with db.transaction() as tx:
        assert await switch(tx, flag, is_on=is_on, changed_by="a test")
    clock.turn(MAX_AGE)


async def test_events_can_be_switched_off_without_answers(db: Database, clock: HandClock):
    await apply_messages(db, event(1, "tea", 1))
    await turn(db, clock, Flag.EVENTS_IN, is_on=False)
    assert await apply_messages(db, event(1, "walk", 2), rsvp(2, "one", 3, TEA)) == [
        IngestResult.SWITCHED_OFF,
        IngestResult.APPLIED,
    ]
    view = await view_of(db)
    assert (view.events, view.answers) == ({TEA: "Tea"}, {(did(2), TEA): "going"})


async def test_answers_can_be_switched_off_without_events(db: Database, clock: HandClock):
    await turn(db, clock, Flag.RSVPS_IN, is_on=False)
    assert await apply_messages(db, event(1, "tea", 1), rsvp(2, "one", 2, TEA)) == [
        IngestResult.APPLIED,
        IngestResult.SWITCHED_OFF,
    ]
    view = await view_of(db)
    assert (view.events, view.answers) == ({TEA: "Tea"}, {})


async def test_deletions_are_still_applied(db: Database, clock: HandClock):
    tea = event(1, "tea", 1)
    await apply_messages(db, tea)
    await turn(db, clock, Flag.EVENTS_IN, is_on=False)
    assert await apply_messages(db, deletion_of(tea, 2)) == [IngestResult.APPLIED]
    assert (await view_of(db)).events == {}


async def test_skipped_records_are_read_afterwards(deployment: Deployment):
    """The records are read even if the repository was read completely meanwhile and has not changed since."""
    cleo = await deployment.connected("cleo")
    await deployment.deliver_jobs()
    await turn(deployment.db, deployment.clock, Flag.EVENTS_IN, is_on=False)
    app = await deployment.stranger("cleo")
    identity = await deployment.identity(cleo.user_id)
    await _write(app, identity.did, "Tea")
    await deployment.listen(cleo.user_id)
    await turn(deployment.db, deployment.clock, Flag.RSVPS_IN, is_on=False)
    await turn(deployment.db, deployment.clock, Flag.RSVPS_IN, is_on=True)
    await deployment.deliver_jobs()
    assert (await view_of(deployment.db)).events == {}
    await turn(deployment.db, deployment.clock, Flag.EVENTS_IN, is_on=True)
    await deployment.deliver_jobs()
    assert list((await view_of(deployment.db)).events.values()) == ["Tea"]


async def test_switching_on_reads_with_fresh_flags(deployment: Deployment):
    """Switching a flag on reads every repository once, and does not use a cached state of the flag."""
    cleo = await deployment.connected("cleo")
    await deployment.deliver_jobs()
    await turn(deployment.db, deployment.clock, Flag.EVENTS_IN, is_on=False)
    await _write(await deployment.stranger("cleo"), (await deployment.identity(cleo.user_id)).did, "Tea")
    await deployment.listen(cleo.user_id)
    assert (await view_of(deployment.db)).events == {}
    async with deployment.db.transaction() as tx:
        assert await switch(tx, Flag.EVENTS_IN, is_on=True, changed_by="a test")
    await deployment.deliver_jobs()
    assert list((await view_of(deployment.db)).events.values()) == ["Tea"]


async def test_our_own_records_are_still_read(deployment: Deployment):
    """Another app's change to this site's record must be known before the site writes it again (invariant 6)."""
    cleo = await deployment.connected("cleo")
    made = await deployment.event(cleo)
    await deployment.deliver_publications()
    await turn(deployment.db, deployment.clock, Flag.EVENTS_IN, is_on=False)
    uri = (await deployment.status_of(PublicationKind.EVENT, made.id)).uri or ""
    record = await deployment.record(uri)
    swap = record.pop("cid")
    app = await deployment.stranger("cleo")
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
    await deployment.listen(cleo.user_id)
    assert (await view_of(deployment.db)).events == {uri: "Soup"}


async def _write(app: XrpcClient, repo: str, name: str) -> None:
    await app.procedure(
        "com.atproto.repo.createRecord",
        {"repo": repo, "collection": EVENT, "rkey": "3mqdau33ozs2n", "record": event_value(name)},
    )
