"""Events that are removed after their end, and their records: they are deleted, and what the network says about them
does not bring the event back.
"""

from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from groundwork.clock import DAY, HandClock
from openmeet.domain.attendance import event_hosting, tasks
from openmeet.domain.events.model import Event
from openmeet.domain.events.queries import by_id
from openmeet.domain.events.values import RemovalDelay
from openmeet.domain.users.model import Caller
from openmeet.network.records.collections import EVENT, RSVP
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.databases import MakeDatabase
from tests.openmeet.deployment import Deployment, open_deployment
from tests.openmeet.publishing.deliveries import publish_and_listen_for_hours
from tests.openmeet.publishing.event_history import HISTORY_START, HistoryStep, begin_history, publish_if_kept
from tests.openmeet.publishing.other_app import cleos_records, delete_cleos_record, edit_cleos_record
from tests.openmeet.site_under_test import edited_details


async def choose(deployment: Deployment, host: Caller, event: Event) -> Event:
    async with deployment.db.transaction() as tx:
        return await event_hosting.revise(tx, host, event.slug, edited_details(event, remove_after=RemovalDelay.DAY))


async def pass_the_end(deployment: Deployment, event: Event) -> None:
    """Two days after the end, everything is due, whatever was changed before the end."""
    deployment.clock.turn(max(0, (event.ends_at or 0) + 2 * DAY - deployment.clock.now()))


async def events_here(deployment: Deployment) -> list[bool]:
    """For each event, whether it was deleted here."""
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select id, deleted_at from events order by id")
    return [row["deleted_at"] is not None for row in rows]


async def test_the_records_of_a_removed_event_and_of_its_answers_are_deleted(deployment: Deployment):
    cleo = await deployment.connected()
    event = await choose(deployment, cleo, await deployment.event(cleo))
    await deployment.answer(cleo, event.slug)
    await publish_and_listen_for_hours(deployment, cleo)
    (written,) = await cleos_records(deployment, EVENT)
    assert len(await cleos_records(deployment, RSVP)) == 1
    assert "removeAfter" not in str(written["value"])
    await pass_the_end(deployment, event)
    assert await tasks.remove_past_events(deployment.db) == 1
    await publish_and_listen_for_hours(deployment, cleo)
    assert (await cleos_records(deployment, EVENT), await cleos_records(deployment, RSVP)) == ([], [])
    publication = await deployment.status_of(PublicationKind.EVENT, event.id)
    assert publication.state is PublicationState.RETRACTED
    await publish_and_listen_for_hours(deployment, cleo)
    assert await events_here(deployment) == [True]


async def test_an_edit_in_another_app_keeps_the_choice(deployment: Deployment):
    cleo = await deployment.connected()
    event = await choose(deployment, cleo, await deployment.event(cleo))
    await publish_and_listen_for_hours(deployment, cleo)
    (written,) = await cleos_records(deployment, EVENT)
    await edit_cleos_record(deployment, written, name="Tea indoors")
    await publish_and_listen_for_hours(deployment, cleo)
    await pass_the_end(deployment, event)
    assert await tasks.remove_past_events(deployment.db) == 1
    await publish_and_listen_for_hours(deployment, cleo)
    assert await cleos_records(deployment, EVENT) == []
    assert await events_here(deployment) == [True]


async def test_an_event_whose_record_another_app_deleted_is_removed_without_an_answer_of_its_host(
    deployment: Deployment,
):
    cleo = await deployment.connected()
    event = await choose(deployment, cleo, await deployment.event(cleo))
    await publish_and_listen_for_hours(deployment, cleo)
    await delete_cleos_record(deployment, (await cleos_records(deployment, EVENT))[0])
    await publish_and_listen_for_hours(deployment, cleo)
    await pass_the_end(deployment, event)
    assert await tasks.remove_past_events(deployment.db) == 1
    await publish_and_listen_for_hours(deployment, cleo)
    assert await cleos_records(deployment, EVENT) == []
    assert await events_here(deployment) == [True]


async def test_an_own_event_from_another_app_is_removed_there_too(deployment: Deployment):
    """It is written by its host, and hosted here since its host chose something here."""
    cleo = await deployment.connected()
    app = await deployment.stranger("cleo")
    did = (await app.query("com.atproto.server.getSession"))["did"]
    value: dict[str, Any] = {
        "$type": EVENT,
        "name": "From elsewhere",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "startsAt": "2026-04-01T17:00:00Z",
    }
    await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": EVENT, "record": value})
    await publish_and_listen_for_hours(deployment, cleo)
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select id from events")
    assert row is not None
    async with deployment.db.reader() as reader:
        found = await by_id(reader, row["id"])
    assert found is not None
    event = await choose(deployment, cleo, found)
    await publish_and_listen_for_hours(deployment, cleo)
    deployment.clock.turn((event.removes_at or 0) - deployment.clock.now())
    assert await tasks.remove_past_events(deployment.db) == 1
    await publish_and_listen_for_hours(deployment, cleo)
    assert await cleos_records(deployment, EVENT) == []
    assert await events_here(deployment) == [True]


ACTS = (
    "off",
    "on",
    "private",
    "delete record",
    "recreate record",
    "edit record",
    "pause account",
    "decide",
    "pay",
    "hear",
    "lose",
    "kill",
    "restart",
)
# Another app may still edit the record while the servers deliver its deletion, or fail to.
ACTS_AFTERWARDS = ("edit record", "pause account", "pay", "hear", "lose", "kill", "restart")


def steps_of(acts: tuple[str, ...], most: int) -> st.SearchStrategy[list[HistoryStep]]:
    return st.lists(st.tuples(st.sampled_from(acts), st.integers(0, 11)), max_size=most)


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(history=steps_of(ACTS, 6), afterwards=steps_of(ACTS_AFTERWARDS, 4))
@example(history=[("off", 0), ("pay", 0), ("on", 0), ("lose", 0)], afterwards=[("kill", 0), ("hear", 0)])
@example(history=[("delete record", 0), ("hear", 0), ("recreate record", 0)], afterwards=[("pause account", 1)])
@example(history=[], afterwards=[("edit record", 0), ("lose", 0), ("restart", 0), ("edit record", 0)])
async def test_after_any_history_no_record_of_a_removed_event_is_left(
    make_sqlite: MakeDatabase, tmp_path_factory: Any, history: list[HistoryStep], afterwards: list[HistoryStep]
):
    clock = HandClock(HISTORY_START)
    db = await make_sqlite("openmeet", clock=clock)
    async with open_deployment(db, make_sqlite, clock, tmp_path_factory.mktemp("deployment")) as deployment:
        opened, played = deployment.pds_serving, await begin_history(deployment)
        for act, number in history:
            await played.act(act, number)
        event = await choose(deployment, played.hosts[0], await played.now())
        # The PDS keeps its frames for a shorter time than the event lasts.
        await played.run_until_idle()
        await pass_the_end(deployment, event)
        assert await tasks.remove_past_events(deployment.db) == 1
        for act, number in afterwards:
            await played.act(act, number)
        await played.run_until_idle()
        # If the account was paused meanwhile, its owner has to sign in again, which retries what waits for it.
        await publish_if_kept(played)
        await played.run_until_idle()
        assert await events_here(deployment) == [True]
        assert await played.records(*await played.owners_app()) == {}
        if deployment.pds_serving is not opened:
            await deployment.pds_serving.stop()
