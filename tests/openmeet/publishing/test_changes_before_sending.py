"""What changes between the decision about a record and its write: nothing is sent that was decided before the change."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from aiohttp import web

from groundwork.database.transaction import Transaction
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting, group_hosting
from openmeet.domain.attendance.model import ReplyDetails, RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.group_of_event import as_group_of_event
from openmeet.domain.events.model import Event
from openmeet.domain.groups.model import Group, GroupVisibility
from openmeet.domain.identities import actions as identities
from openmeet.domain.identities import publishing_preferences
from openmeet.domain.identities.publishing_preferences import PublishingPreferences
from openmeet.domain.series import date_queries, record_settings
from openmeet.domain.series.model import PublishPolicy
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import Flag
from openmeet.network.publishing.delivery import deliver_now
from openmeet.network.records.collections import EVENT, RSVP, SERIES, SERIES_LINK_KEY
from openmeet.outbox import publications
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.deployment import Deployment, deliver_all_publications, deployment_on_each, details, switch_flag
from tests.openmeet.groups.people import group_by
from tests.openmeet.interleaving import finished_or_waiting
from tests.openmeet.publishing.other_app import cleos_records
from tests.openmeet.publishing.watched_requests import RequestWatch, event_names_of, watch_requests
from tests.openmeet.publishing.weekly_series import create_series, records_with_cids_of
from tests.simulation.proxy import nothing
from tests.timeouts import TIMEOUT_SECONDS

__all__ = ["deployment_on_each"]

_WAITS_FOR_US = "select 1 from pg_locks where not granted and pg_backend_pid() = any(pg_blocking_pids(pid))"

Change = Callable[[Deployment, Caller, Event], Awaitable[object]]


async def make_private(deployment: Deployment, host: Caller, event: Event) -> None:
    await deployment.revise(host, event.slug, title="Secret", visibility="private")


async def delete(deployment: Deployment, host: Caller, event: Event) -> None:
    async with deployment.db.transaction() as tx:
        await events.delete(tx, host, event.slug)


def change_during(deployment: Deployment, method: str, change: Callable[[], Awaitable[object]]) -> None:
    """Make the change while the publisher waits for the response to the next request of this method."""

    async def makes_change(request: web.Request) -> None:
        if request.path.endswith(method):
            deployment.proxy.meanwhile = nothing
            await change()

    deployment.proxy.meanwhile = makes_change


@pytest.mark.parametrize("change", [make_private, delete])
async def test_an_edit_of_an_event_that_is_no_longer_public_is_not_sent(deployment: Deployment, change: Change):
    cleo = await deployment.connected()
    tea = await deployment.event(cleo)
    await deployment.deliver_publications()
    await deployment.revise(cleo, tea.slug, title="Surprise")
    watch = await watch_requests(deployment)
    change_during(deployment, "getRecord", lambda: change(deployment, cleo, tea))
    await deployment.deliver_publications()
    assert watch.writes == []
    await deployment.deliver_publications()
    assert watch.writes == ["deleteRecord"]
    assert (await deployment.status_of(PublicationKind.EVENT, tea.id)).state is PublicationState.RETRACTED


async def test_an_answer_that_became_private_is_not_sent(deployment: Deployment):
    ana, cleo = await deployment.person(), await deployment.connected()
    tea = await deployment.event(ana)
    await deployment.deliver_publications()
    mine = await deployment.answer(cleo, tea.slug, RsvpReply.INTERESTED)
    await deployment.deliver_publications()
    await deployment.answer(cleo, tea.slug, RsvpReply.GOING)

    async def hide() -> None:
        async with deployment.db.transaction() as tx:
            await attendance.answer(tx, cleo, tea.slug, RsvpReply.GOING, ReplyDetails(is_private=True))

    watch = await watch_requests(deployment)
    change_during(deployment, "getRecord", hide)
    await deployment.deliver_publications()
    assert watch.writes == []
    await deployment.deliver_publications()
    assert await cleos_records(deployment, RSVP) == []
    assert (await deployment.status_of(PublicationKind.RSVP, mine.id)).state is PublicationState.RETRACTED


async def test_a_batch_leaves_out_what_is_no_longer_public(deployment: Deployment):
    ana = await deployment.person()
    made = [await deployment.event(ana, title=f"Tea {number}") for number in range(4)]
    async with deployment.db.transaction() as tx:
        await tx.execute("delete from repository_sessions")  # the publisher has to sign in first
    watch = RequestWatch()
    deployment.proxy.loses = watch.loses
    change_during(deployment, "createSession", lambda: make_private(deployment, ana, made[0]))
    await deployment.deliver_publications()
    assert watch.writes == ["applyWrites"]
    states = [(await deployment.status_of(PublicationKind.EVENT, one.id)).state for one in made]
    assert states == [PublicationState.DUE, *[PublicationState.PUBLISHED] * 3]
    await deployment.deliver_publications()
    assert watch.writes == ["applyWrites"]
    withheld = await deployment.status_of(PublicationKind.EVENT, made[0].id)
    assert (withheld.state, withheld.uri) == (PublicationState.WITHHELD, None)


async def test_an_edit_during_the_preparation_is_sent_at_once(deployment: Deployment):
    """The record gets the newest content, and no attempt is counted."""
    cleo = await deployment.connected()
    tea = await deployment.event(cleo)
    await deployment.deliver_publications()
    await deployment.revise(cleo, tea.slug, title="Coffee")
    watch = await watch_requests(deployment)
    change_during(deployment, "getRecord", lambda: deployment.revise(cleo, tea.slug, title="Cake"))
    await deployment.deliver_publications()
    await deployment.deliver_publications()
    assert watch.writes == ["putRecord"]
    assert await event_names_of(deployment, cleo) == ["Cake"]
    assert len(await cleos_records(deployment, EVENT)) == 1


async def test_a_date_is_published_with_its_series(deployment: Deployment):
    """Both are leased together. Publishing the series changes what its dates refer to, before they are decided."""
    await switch_flag(deployment, Flag.SERIES_LEXICON)
    ana, series = await create_series(deployment)
    async with deployment.db.reader() as reader:
        first = (await date_queries.stored(reader, series.id))[0].event
    assert await deliver_now(deployment.publisher, PublicationKind.EVENT, first.id, deadline_seconds=TIMEOUT_SECONDS)
    (record,) = (await records_with_cids_of(deployment, ana, EVENT)).values()
    (series_uri,) = await records_with_cids_of(deployment, ana, SERIES)
    assert record[SERIES_LINK_KEY]["series"] == {"uri": series_uri}


async def test_dates_are_written_together_after_their_series(deployment: Deployment):
    await switch_flag(deployment, Flag.SERIES_LEXICON)
    ana, series = await create_series(deployment)
    async with deployment.db.transaction() as tx:
        await record_settings.change_series(tx, ana, series.slug, None, PublishPolicy.WINDOW)
    watch = RequestWatch()
    deployment.proxy.loses = watch.loses
    await deployment.deliver_publications()
    assert watch.writes == ["putRecord", "applyWrites"]
    assert len(await records_with_cids_of(deployment, ana, EVENT)) > 1


async def withdraw_consent(tx: Transaction, person: Caller, _group: Group) -> None:
    await identities.withdraw(tx, person.user_id)


async def turn_events_off(tx: Transaction, person: Caller, _group: Group) -> None:
    await publishing_preferences.change(tx, person.user_id, PublishingPreferences(writes_events=False))


async def make_group_private(tx: Transaction, person: Caller, group: Group) -> None:
    details = replace(group.details, visibility=GroupVisibility.PRIVATE)
    await group_hosting.revise(tx, person, group.slug, details)


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)  # SQLite has a single writer
@pytest.mark.parametrize("end_permission", [withdraw_consent, turn_events_off, make_group_private])
async def test_a_publication_inserted_during_a_withdrawal_is_not_sent(
    deployment_on_each: Deployment, end_permission: Callable[[Transaction, Caller, Group], Awaitable[None]]
):
    """The withdrawal does not see the row, which is committed later, and the publisher decides before the withdrawal is
    committed. It waits for it before it sends anything.
    """
    deployment = deployment_on_each
    cleo = await deployment.connected()
    async with deployment.db.transaction() as tx:
        group = await group_by(tx, cleo)
        tea = await events.create(tx, cleo, details(), group=as_group_of_event(group))
        await tx.execute("delete from publications")
    outside, is_withdrawn, may_commit = contextvars.copy_context(), asyncio.Event(), asyncio.Event()

    async def withdraw() -> None:
        async with deployment.db.transaction() as tx:
            await end_permission(tx, cleo, group)
            is_withdrawn.set()
            await may_commit.wait()

    async with deployment.db.transaction() as tx:
        await publications.enqueue(
            tx, kind=PublicationKind.EVENT, subject_id=tea.id, user_id=cleo.user_id, revision=tea.revision
        )
        withdrawing = asyncio.create_task(withdraw(), context=outside.copy())
        await is_withdrawn.wait()
    running = asyncio.create_task(deployment.deliver_publications(), context=outside)
    await finished_or_waiting(deployment.db, running)
    may_commit.set()
    await withdrawing
    await running
    await deployment.deliver_publications()
    assert await cleos_records(deployment, EVENT) == []
    assert (await deployment.status_of(PublicationKind.EVENT, tea.id)).state is PublicationState.WITHHELD


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)  # SQLite has a single writer
async def test_an_answer_leased_while_its_event_becomes_private_is_not_sent(deployment_on_each: Deployment):
    """The edit does not mark the answer, which is due anyway. The publisher leases and decides it before the edit is
    committed. It waits for the edit before it sends anything.
    """
    deployment = deployment_on_each
    ana, cleo = await deployment.person(), await deployment.connected()
    tea = await deployment.event(ana)
    await deployment.deliver_publications()
    mine = await deployment.answer(cleo, tea.slug, RsvpReply.GOING)
    outside, is_edited, may_commit = contextvars.copy_context(), asyncio.Event(), asyncio.Event()

    async def edit() -> None:
        async with deployment.db.transaction() as tx:
            await event_hosting.revise(tx, ana, tea.slug, details(visibility="private"))
            is_edited.set()
            await may_commit.wait()

    watch = await watch_requests(deployment)
    editing = asyncio.create_task(edit(), context=outside.copy())
    await is_edited.wait()
    running = asyncio.create_task(deployment.deliver_publications(), context=outside)
    await finished_or_waiting(deployment.db, running)
    may_commit.set()
    await editing
    await running
    await deliver_all_publications(deployment)
    assert watch.writes == ["deleteRecord"]  # of the event
    assert await cleos_records(deployment, RSVP) == []
    assert (await deployment.status_of(PublicationKind.RSVP, mine.id)).state is PublicationState.WITHHELD


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)  # SQLite has a single writer
async def test_an_edit_does_not_deadlock_with_a_record_that_is_accepted_unsent(deployment_on_each: Deployment):
    """An edit has locked the event and enqueues it next. Meanwhile the publisher finds the record, whose response was
    lost, as it should be.
    """
    deployment = deployment_on_each
    cleo = await deployment.connected()
    tea = await deployment.event(cleo)
    await deployment.deliver_publications()
    async with deployment.db.transaction() as tx:
        await tx.execute("update publications set state = 'due', uri = null, base_cid = null, base_rev = null")
    outside = contextvars.copy_context()
    async with deployment.db.transaction() as tx:
        await event_queries.lock_for_update(tx, tea.id)
        running = asyncio.create_task(deployment.deliver_publications(), context=outside)
        while not running.done() and not await tx.fetch(_WAITS_FOR_US):
            await tx.fetch("select pg_sleep(0.01)")
        assert not running.done()
        await tx.fetch("select 1 from publications where subject_id = :id for update nowait", id=tea.id)
    await running
    assert (await deployment.status_of(PublicationKind.EVENT, tea.id)).state is PublicationState.PUBLISHED
