"""Who takes over the events of a person who deletes their account; on both engines."""

from contextlib import suppress
from pathlib import Path

import pytest

from groundwork.clock import DAY, HandClock
from groundwork.database.transaction import Database, Engine, Transaction
from groundwork.errors import Forbidden
from openmeet.domain.attendance import event_hosting
from openmeet.domain.erasure import actions as erasure
from openmeet.domain.events import co_host_queries, co_hosts, ownership
from openmeet.domain.events import queries as events
from openmeet.domain.events.model import Event
from openmeet.domain.events.ownership import EVENT_INHERITED
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups.model import INSIDE, GroupDetails
from openmeet.domain.users.erasure_requests import ErasureRequest
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion.person_erasure import take_due
from tests.databases import MakeDatabase
from tests.openmeet.erasure.erasure_context import erasing_in, request_deletion
from tests.openmeet.interleaving import Action, run, run_actions_interleaved
from tests.openmeet.site_under_test import event_by, person


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


async def test_the_heir_is_told_and_is_not_leaving(db: Database, tmp_path: Path, clock: HandClock) -> None:
    """The co-host who stays takes over, although the one who is also leaving became a co-host first."""
    async with db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        tea = await event_by(tx, ana)
        for who, name in ((ben, "ben"), (cleo, "cleo")):
            invited = await co_hosts.invite(tx, ana, tea.slug, f"{name}@example.org")
            await co_hosts.accept(tx, who, invited.id)
            clock.turn(DAY)
    await request_deletion(db, ben)
    await request_deletion(db, ana)
    clock.turn(12 * DAY)
    await take_due(db, erasing_in(tmp_path))
    async with db.reader() as reader:
        assert (await events.by_slug(reader, tea.slug)).author_id == cleo.user_id
        rows = await reader.fetch(
            "select particulars from notifications where user_id = :id and kind = 'series_offered'", id=cleo.user_id
        )
    assert [EVENT_INHERITED in row["particulars"] for row in rows] == [True]


async def test_a_group_neither_lists_nor_passes_to_a_leaving_member(
    db: Database, tmp_path: Path, clock: HandClock
) -> None:
    async with db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        choir = await groups.create(tx, ana, GroupDetails(name="Choir", time_zone="UTC"))
        for who in (ben, cleo):
            await groups.join(tx, who, choir.slug)
    await request_deletion(db, ben)
    async with db.reader() as reader:
        listed = await group_queries.members(reader, choir.id, tuple(INSIDE), after=None, limit=10)
    assert {one.user_id for one in listed} == {ana.user_id, cleo.user_id}
    await request_deletion(db, ana, 2 * DAY)
    clock.turn(DAY)
    await take_due(db, erasing_in(tmp_path))
    async with db.reader() as reader:
        assert (await group_queries.by_id(reader, choir.id)).owner_id == cleo.user_id


async def test_an_event_that_is_deleted_meanwhile_is_not_handed_over(
    make_database: MakeDatabase, clock: HandClock, engine: Engine
) -> None:
    """Ana deletes her account, and at the same moment her event. If the event is deleted first, nobody inherits it, and
    its co-host is not told that they have a new event.
    """
    db = await make_database("openmeet", clock=clock)
    at, is_stopped, deleted_first = 0, True, 0
    while is_stopped:
        at += 2 if engine == "sqlite" else 5
        async with db.transaction() as tx:
            ana, ben = [await person(tx, f"{name} {at}") for name in ("Ana", "Ben")]
            tea = await event_by(tx, ana)
            await co_host_queries.put(tx, ownership.accepted_co_host(tx, tea, ben.user_id, by=ana.user_id))
        request = await request_deletion(db, ana)
        is_stopped = await run_actions_interleaved(db, _ending(request), _deleting(ana, tea), at)
        async with db.reader() as reader:
            after = await events.by_id(reader, tea.id)
            offers = await reader.fetch(
                "select 1 from notifications where kind = 'series_offered' and user_id = :id", id=ben.user_id
            )
        assert after is not None
        deleted_first += after.is_gone
        expected = (ana.user_id, 0) if after.is_gone else (ben.user_id, 1)
        assert (after.author_id, len(offers)) == expected, f"stopped before statement {at}"
    assert deleted_first > 0


def _ending(request: ErasureRequest) -> Action:
    return lambda db: erasure.end(db, request)


def _deleting(who: Caller, event: Event) -> Action:
    async def delete(tx: Transaction) -> None:
        # If the co-host has become the owner, it is too late.
        with suppress(Forbidden):
            await event_hosting.delete(tx, who, event.slug)

    return lambda db: run(db, delete)
