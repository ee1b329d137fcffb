"""First writes to one repository are sent in one commit. Each row is completed once, even if requests or responses are
lost.
"""

import asyncio
import contextlib
from collections.abc import Sequence

import pytest

from at_protocol.syntax.at_uri import parse_at_uri
from groundwork.clock import HOUR, MINUTE
from groundwork.errors import NotFound
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import Caller
from openmeet.network.publishing import batch, schedule
from openmeet.network.records.collections import RSVP
from openmeet.network.records.rsvp import record_key_for
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.deployment import Deployment
from tests.openmeet.publishing.watched_requests import event_names_of, watch_requests

MANY = 12


async def some_events(deployment: Deployment, cleo: Caller, number: int = MANY) -> list[Event]:
    return [await deployment.event(cleo, title=f"Tea {n}") for n in range(number)]


async def states(deployment: Deployment, made: Sequence[Event]) -> set[PublicationState]:
    return {(await deployment.status_of(PublicationKind.EVENT, one.id)).state for one in made}


async def revs(deployment: Deployment, made: Sequence[Event]) -> set[str]:
    uris = [(await deployment.status_of(PublicationKind.EVENT, one.id)).uri for one in made]
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select rev from records where uri in :uris", uris=uris)
    return {row["rev"] for row in rows}


async def test_due_records_are_sent_in_one_commit(deployment: Deployment):
    cleo = await deployment.connected()
    made = await some_events(deployment, cleo)
    watch = await watch_requests(deployment)
    await deployment.deliver_publications()
    assert watch.writes == ["applyWrites"]
    assert await states(deployment, made) == {PublicationState.PUBLISHED}
    assert len(await revs(deployment, made)) == 1
    assert await event_names_of(deployment, cleo) == sorted(one.title for one in made)


async def test_more_rows_than_a_handler_leases_are_sent_together(deployment: Deployment):
    """Other rows of the same person are sent in the same commit, up to its limit."""
    cleo = await deployment.connected()
    made = await some_events(deployment, cleo, 45)
    watch = await watch_requests(deployment)
    assert await deployment.deliver_publications() == 45
    assert watch.writes == ["applyWrites"]
    assert await states(deployment, made) == {PublicationState.PUBLISHED}


async def test_a_commit_has_a_maximum_number_of_writes(deployment: Deployment, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(batch, "MAX_WRITES", 5)
    cleo = await deployment.connected()
    made = await some_events(deployment, cleo)
    watch = await watch_requests(deployment)
    await deployment.deliver_publications()
    assert watch.writes == ["applyWrites"] * 3
    assert await states(deployment, made) == {PublicationState.PUBLISHED}


async def test_retractions_and_updates_are_sent_alone(deployment: Deployment):
    """New records share one commit. Updates and deletes are sent alone, because each names the CID that it replaces."""
    cleo = await deployment.connected()
    old = await some_events(deployment, cleo, 4)
    await deployment.deliver_publications()
    gone, edited = old[:2], old[2]
    async with deployment.db.transaction() as tx:
        for one in gone:
            await events.delete(tx, cleo, one.slug)
    await deployment.revise(cleo, edited.slug, title="Edited")
    new = [await deployment.event(cleo, title=f"New {n}") for n in range(3)]
    watch = await watch_requests(deployment)
    await deployment.deliver_publications()
    assert sorted(watch.writes) == ["applyWrites", "deleteRecord", "deleteRecord", "putRecord"]
    assert await states(deployment, gone) == {PublicationState.RETRACTED}
    assert await states(deployment, new) == {PublicationState.PUBLISHED}
    assert await event_names_of(deployment, cleo) == sorted(["Edited", "Tea 3", "New 0", "New 1", "New 2"])


async def test_a_refused_batch_is_sent_one_by_one(deployment: Deployment):
    """A refused batch wrote nothing, so each row is sent alone, with the record key that was chosen for it."""
    cleo = await deployment.connected()
    made = await some_events(deployment, cleo, 4)
    watch = await watch_requests(deployment)
    watch.refuses = True
    await deployment.deliver_publications()
    deployment.clock.turn(HOUR)
    await deployment.deliver_publications()
    assert await states(deployment, made) == {PublicationState.PUBLISHED}
    assert await event_names_of(deployment, cleo) == sorted(one.title for one in made)


async def test_one_failing_write_does_not_block_the_others(deployment: Deployment):
    """The key of one answer is used by an unknown record, so the call fails. The other rows are sent one by one, and
    this answer is merged with the record.
    """
    ana, cleo = await deployment.person(), await deployment.connected()
    tea = await deployment.event(ana)
    await deployment.deliver_publications()
    uri = (await deployment.status_of(PublicationKind.EVENT, tea.id)).uri
    assert uri is not None
    record = await deployment.record(uri)
    app = await deployment.stranger("cleo")
    did = (await deployment.identity(cleo.user_id)).did
    await app.procedure(
        "com.atproto.repo.putRecord",
        {
            "repo": did,
            "collection": str(RSVP),
            "rkey": record_key_for(parse_at_uri(uri)),
            "record": {
                "$type": str(RSVP),
                "subject": {"uri": uri, "cid": record["cid"]},
                "status": f"{RSVP}#interested",
                "theme": "kept",
            },
        },
    )
    mine = await deployment.answer(cleo, tea.slug, RsvpReply.GOING)
    made = await some_events(deployment, cleo, 3)
    watch = await watch_requests(deployment)
    for _ in range(4):
        await deployment.deliver_publications()
        await deployment.ingest()
        deployment.clock.turn(HOUR)
    assert watch.writes[0] == "applyWrites"
    assert await states(deployment, made) == {PublicationState.PUBLISHED}
    assert (await deployment.status_of(PublicationKind.RSVP, mine.id)).state is PublicationState.PUBLISHED
    answer = await deployment.record(f"at://{did}/{RSVP}/{record_key_for(parse_at_uri(uri))}")
    assert answer["theme"] == "kept"


@pytest.mark.parametrize("is_killed", [True, False], ids=["killed", "answer lost"])
@pytest.mark.parametrize("request_number", range(1, 7))
async def test_handler_killed_at_any_request_leaves_one_record_per_event(
    deployment: Deployment, request_number: int, is_killed: bool
):
    """Whenever the publisher is killed, there is exactly one record for each event, and none for retracted ones."""
    cleo = await deployment.connected()
    gone = await some_events(deployment, cleo, 2)
    await deployment.deliver_publications()
    async with deployment.db.transaction() as tx:
        for one in gone:
            await events.delete(tx, cleo, one.slug)
    made = [await deployment.event(cleo, title=f"New {n}") for n in range(4)]
    watch = await watch_requests(deployment)
    task = asyncio.create_task(schedule.run_once(deployment.publisher))
    watch.left, watch.victim = request_number, task if is_killed else None
    with contextlib.suppress(asyncio.CancelledError):
        await task
    watch.left = watch.victim = None
    for _ in range(6):
        deployment.clock.turn(2 * MINUTE)
        await deployment.deliver_publications()
        await deployment.ingest()
    assert await event_names_of(deployment, cleo) == sorted(one.title for one in made)
    assert await states(deployment, made) == {PublicationState.PUBLISHED}
    assert await states(deployment, gone) == {PublicationState.RETRACTED}
    await deployment.listen(cleo.user_id)
    assert await states(deployment, made) == {PublicationState.PUBLISHED}
    for one in made:
        uri = (await deployment.status_of(PublicationKind.EVENT, one.id)).uri
        assert uri is not None
        assert (await deployment.record(uri))["name"] == one.title
    for one in gone:
        assert (await deployment.status_of(PublicationKind.EVENT, one.id)).uri is None


async def test_withdrawn_consent_stops_rows_that_are_being_sent(deployment: Deployment):
    """The rows are marked after they were leased and before they are sent, so none of them is sent."""
    cleo = await deployment.connected()
    made = await some_events(deployment, cleo, 3)
    async with deployment.db.transaction() as tx:
        await tx.execute("update publications set is_withdrawn = 1")
    await deployment.deliver_publications()
    assert await event_names_of(deployment, cleo) == []
    for one in made:
        uri = (await deployment.status_of(PublicationKind.EVENT, one.id)).uri
        if uri is not None:
            with pytest.raises(NotFound):
                await deployment.record(uri)
