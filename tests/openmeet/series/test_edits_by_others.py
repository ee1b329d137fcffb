"""Invariant 5 for series: an edit by somebody else waits for the owner's consent before it is written to their
repository; on both engines.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from groundwork.clock import DAY, HandClock
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import Forbidden
from openmeet.domain.events import actions as events
from openmeet.domain.events import co_hosts, event_records, group_of_event, record_changes
from openmeet.domain.events.content import Content
from openmeet.domain.groups.model import GroupRole
from openmeet.domain.identities import actions as identities
from openmeet.domain.identities import publishing_preferences
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import IdentityKind
from openmeet.domain.identities.publishing_preferences import DEFAULT_PREFERENCES
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications.queries import newest
from openmeet.domain.series import (
    actions,
    apply_edits,
    cancel_dates,
    date_queries,
    materialize,
    ownership,
    queries,
    record_settings,
    undo,
)
from openmeet.domain.series.model import PublishPolicy, Series
from openmeet.domain.series.plan import plan_one
from openmeet.domain.users.model import Caller
from openmeet.emails.notifications.content import notification_lines
from openmeet.feature_flags.flags import Flag, Switchboard
from openmeet.network.flag_changes import switch
from openmeet.network.publishing.decision import PublishEvent, PublishSeries
from openmeet.network.publishing.eligibility import decide
from openmeet.outbox import publication_queries, publications
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.series.practice import (
    apply_new_rule,
    dates,
    kinds_received,
    lock_series,
    move_all_dates,
    original_dates,
    retitle,
    split_series,
    weekly,
)
from tests.openmeet.site_under_test import edited_details, person, sign_up, site_on

SECOND = "2026-12-01T18:00:00"
THIRD = "2026-12-08T18:00:00"
OWN_RECORD = "series"


async def running_together(
    tx: Transaction, policy: PublishPolicy = PublishPolicy.WINDOW
) -> tuple[Caller, Caller, Series]:
    """Ana's weekly series, which has records in her repository, in a group that Ben runs with her."""
    await switch(tx, Flag.SERIES_LEXICON, is_on=True, changed_by="a test")
    ana = await person(tx, "Ana")
    await identity_queries.insert(
        tx, "did:plc:ana", ana.user_id, IdentityKind.CONNECTED, handle="ana.test", pds_url="", is_default=True
    )
    await identities.grant_consent(tx, ana.user_id, handle="ana.test")
    group = await group_by(tx, ana, visibility="public")
    ben = await add_member(tx, group, ana, "Ben", GroupRole.ADMIN)
    series = await actions.create(
        tx, ana, Content("Practice"), weekly(), policy=policy, group=group_of_event.as_group_of_event(group)
    )
    return ana, ben, series


async def going_out(reader: Reader, *all_series: Series) -> set[str]:
    """The names of the dates that would be written to the repository now, and ``series`` if the series record would be."""
    found = set()
    for series in all_series:
        for event in await dates(reader, series):
            job = await publication_queries.find(reader, publications.PublicationKind.EVENT, event.id)
            if job and isinstance(await decide(reader, job, Switchboard()), PublishEvent):
                found |= set(original_dates([event]))
        job = await publication_queries.find(reader, publications.PublicationKind.SERIES, series.id)
        if job and isinstance(await decide(reader, job, Switchboard()), PublishSeries):
            found.add(OWN_RECORD)
    return found


async def everything(reader: Reader, *all_series: Series) -> set[str]:
    return {OWN_RECORD} | {name for series in all_series for name in original_dates(await dates(reader, series))}


async def change_one(tx: Transaction, series: Series) -> None:
    held = next(one for one in await date_queries.stored(tx, series.id) if original_dates([one.event]) == [SECOND])
    said = edited_details(held.event, title="Guest")
    await apply_edits.apply_plan(tx, series, plan_one(series, held, said))


async def change_all(tx: Transaction, series: Series) -> None:
    await retitle(tx, series, "By another")


async def move_all(tx: Transaction, series: Series) -> None:
    await move_all_dates(tx, series, timedelta(hours=1))


async def change_rule(tx: Transaction, series: Series) -> None:
    await apply_new_rule(tx, series, "FREQ=WEEKLY;BYDAY=TU;UNTIL=20291231T170000Z")


async def cancel_one(tx: Transaction, series: Series) -> None:
    await cancel_dates.cancel_dates(tx, series, [SECOND], "Rain")


async def cancel_all(tx: Transaction, series: Series) -> None:
    await cancel_dates.cancel(tx, series, "No hall")


async def remove_one(tx: Transaction, series: Series) -> None:
    await cancel_dates.remove_dates(tx, series, [SECOND])


async def add_one(tx: Transaction, series: Series) -> None:
    await cancel_dates.add_date(tx, series, "2026-12-02T18:00:00")


async def pause(tx: Transaction, series: Series) -> None:
    await actions.pause(tx, series, "Summer")


WHOLE = [change_all, move_all, change_rule, cancel_all, remove_one, add_one, pause]


@pytest.mark.parametrize("act", WHOLE)
async def test_an_edit_by_others_waits_for_the_owner_with_every_date(
    practice_db: Database, act: Callable[[Transaction, Series], Awaitable[None]]
) -> None:
    """The dates' records mention the series, so they wait too. On this site the edit applies at once, and the owner is
    notified.
    """
    async with practice_db.transaction() as tx:
        ana, ben, series = await running_together(tx)
        assert await going_out(tx, series) == await everything(tx, series)
        await act(tx, await lock_series(tx, ben, series))
        assert await going_out(tx, series) == set()
        assert await kinds_received(tx, ana) != []
        with pytest.raises(Forbidden):
            await record_settings.approve_publication(tx, ben, series.slug)
        await record_settings.approve_publication(tx, ana, series.slug)
        assert await going_out(tx, series) == await everything(tx, series)


async def test_the_other_hosts_are_notified_of_the_owners_edit_in_another_app(practice_db: Database) -> None:
    """While others' changes wait for the owner, such an edit has no user. The owner is not notified of it, and nobody is
    named.
    """
    async with practice_db.transaction() as tx:
        ana, ben, series = await running_together(tx)
        cleo, dora = await person(tx, "Cleo"), await person(tx, "Dora")
        first, second = (await dates(tx, series))[:2]
        await co_hosts.accept(tx, cleo, (await co_hosts.invite(tx, ana, first.slug, "cleo@example.org")).id)
        await tx.execute("update events set author_id = :dora where id = :id", dora=dora.user_id, id=second.id)
        await change_all(tx, await lock_series(tx, ben, series))
        await tx.execute("delete from notifications")
        read = await queries.lock(tx, series.id)
        assert read is not None
        assert (read.needs_author_approval, read.changed_by) == (True, None)
        await move_all(tx, read)
        changed = event_kinds.EVENT_CHANGED
        received = [await kinds_received(tx, who) for who in (ana, cleo, dora)]
        ((item, said),) = await notification_lines(tx, await newest(tx, cleo.user_id, 9), cleo.user_id)
    assert received == [[], [changed], [changed]]
    assert item.payload.person_id is None
    assert said.after.startswith(" was moved to ")


@pytest.mark.parametrize("act", [*WHOLE, change_one, cancel_one])
async def test_an_edit_by_the_owner_is_published_at_once(
    practice_db: Database, act: Callable[[Transaction, Series], Awaitable[None]]
) -> None:
    async with practice_db.transaction() as tx:
        ana, _, series = await running_together(tx)
        await act(tx, await lock_series(tx, ana, series))
        assert await going_out(tx, series) == await everything(tx, series)
        assert await kinds_received(tx, ana) == []


@pytest.mark.parametrize("act", [change_one, cancel_one])
async def test_a_single_date_changed_by_others_waits_alone(
    practice_db: Database, act: Callable[[Transaction, Series], Awaitable[None]]
) -> None:
    async with practice_db.transaction() as tx:
        ana, ben, series = await running_together(tx)
        await act(tx, await lock_series(tx, ben, series))
        whole = await everything(tx, series)
        assert await going_out(tx, series) == whole - {SECOND}
        assert len(await kinds_received(tx, ana)) == 1
        date = next(one for one in await dates(tx, series) if original_dates([one]) == [SECOND])
        await events.agree_to_record(tx, ana, date.slug)
        assert await going_out(tx, series) == whole


async def test_dates_added_later_wait_with_the_series(practice_db: Database, clock: HandClock) -> None:
    """These dates wait: the one that the scheduler stores, the one that somebody opens, and the one that becomes next
    when another is over.
    """
    async with practice_db.transaction() as tx:
        ana, ben, series = await running_together(tx, PublishPolicy.NEXT)
        await change_all(tx, await lock_series(tx, ben, series))
        known = await everything(tx, series)
    clock.turn(30 * DAY)
    async with practice_db.transaction() as tx:
        rolled = await queries.lock(tx, series.id)
        assert rolled is not None
        made = await materialize.store_window(tx, rolled)
        far = await actions.open_date(tx, series.slug, "2027-11-23T18:00:00", viewer=ana.user_id)
        assert made
        assert not set(original_dates(made)) & known
        assert {one.title for one in (*made, far)} == {"By another"}
        assert all(one.needs_author_approval for one in (*made, far))
        assert await going_out(tx, series) == set()
        await record_settings.approve_publication(tx, ana, series.slug)
        assert await going_out(tx, series) == {OWN_RECORD, "2026-11-24T18:00:00", "2026-12-22T18:00:00"}
        later = await actions.open_date(tx, series.slug, "2027-11-30T18:00:00", viewer=ana.user_id)
        assert not later.needs_author_approval


async def test_a_split_by_others_waits_in_both_parts(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, ben, series = await running_together(tx)
        behind = await split_series(tx, await lock_series(tx, ben, series), THIRD, "By another")
        assert behind.id != series.id
        assert await going_out(tx, series, behind) == set()
        await record_settings.approve_publication(tx, ana, behind.slug)
        assert await going_out(tx, series, behind) == await everything(tx, behind)
        await record_settings.approve_publication(tx, ana, series.slug)
        assert await going_out(tx, series, behind) == await everything(tx, series, behind)


async def test_others_cannot_publish_by_undoing(practice_db: Database) -> None:
    """Undoing their own edits publishes nothing, and undoing the owner's edits does not either."""
    async with practice_db.transaction() as tx:
        ana, ben, series = await running_together(tx)
        await change_all(tx, await lock_series(tx, ben, series))
        await undo.undo(tx, await actions.lock_for_undo(tx, ben, series.slug))
        assert await going_out(tx, series) == set()
        await change_all(tx, await lock_series(tx, ana, series))
        assert await going_out(tx, series) == await everything(tx, series)
        await undo.undo(tx, await actions.lock_for_undo(tx, ben, series.slug))
        assert {one.title for one in await dates(tx, series)} == {"Practice"}
        assert await going_out(tx, series) == set()


async def test_the_owner_can_undo_what_others_did(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, ben, series = await running_together(tx)
        for act in (change_all, cancel_all):
            await act(tx, await lock_series(tx, ben, series))
            await undo.undo(tx, await actions.lock_for_undo(tx, ana, series.slug))
            assert {one.title for one in await dates(tx, series)} == {"Practice"}
            assert await going_out(tx, series) == await everything(tx, series)
        behind = await split_series(tx, await lock_series(tx, ben, series), THIRD, "By another")
        await undo.undo(tx, await actions.lock_for_undo(tx, ana, behind.slug))
        assert await going_out(tx, series) == await everything(tx, series)


async def test_an_owners_edit_of_one_date_does_not_approve_the_series(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, ben, series = await running_together(tx)
        await change_all(tx, await lock_series(tx, ben, series))
        await change_one(tx, await lock_series(tx, ana, series))
        assert await going_out(tx, series) == {SECOND}
        await pause(tx, await lock_series(tx, ana, series))
        assert await going_out(tx, series) == await everything(tx, series)


async def test_dates_kept_when_others_delete_the_series_wait(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        _, ben, series = await running_together(tx, PublishPolicy.NONE)
        left = await dates(tx, series)
        await actions.delete(tx, await lock_series(tx, ben, series), keeps_events=True)
        for date in left:
            job = await publication_queries.find(tx, publications.PublicationKind.EVENT, date.id)
            assert job is not None
            assert not isinstance(await decide(tx, job, Switchboard()), PublishEvent)


async def test_an_owner_who_lets_others_publish_sees_each_use(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, ben, series = await running_together(tx)
        await publishing_preferences.change(tx, ana.user_id, replace(DEFAULT_PREFERENCES, lets_co_hosts_publish=True))
        await change_all(tx, await lock_series(tx, ben, series))
        assert await going_out(tx, series) == await everything(tx, series)
        uses = await publishing_preferences.co_host_edits_shown(tx, ana.user_id, limit=100)
        assert {one.name for one in uses} == {ben.display_name}
        assert {one.slug for one in uses} == {one.slug for one in await dates(tx, series)}
        await publishing_preferences.change(tx, ana.user_id, DEFAULT_PREFERENCES)
        await change_rule(tx, await lock_series(tx, ben, series))
        assert await going_out(tx, series) == set()


async def test_published_dates_pass_to_the_new_host_and_their_records_stay(practice_db: Database) -> None:
    """The dates need no consent. The record in the old host's repository is queued as the former record."""
    async with practice_db.transaction() as tx:
        ana, ben, series = await running_together(tx)
        first = (await dates(tx, series))[0]
        uri = f"at://did:plc:ana/community.lexicon.calendar.event/{first.id[-13:]}"
        await record_changes.store_record_uri(tx, first.id, uri=uri, cid="bafy", did="did:plc:ana")
        await ownership.offer(tx, ana, await lock_series(tx, ana, series), ben.user_id)
        await ownership.accept(tx, ben, await lock_series(tx, ben, series))
        await change_all(tx, await lock_series(tx, ben, series))
        assert {(one.author_id, one.needs_author_approval) for one in await dates(tx, series)} == {(ben.user_id, False)}
        assert (await event_records.find(tx, uri)).id == first.id
        (former,) = await tx.fetch("select user_id, uri from publications where kind = 'former_event'")
        assert (former["user_id"], former["uri"]) == (ana.user_id, uri)


async def test_a_silent_edit_still_notifies_the_owner(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, ben, series = await running_together(tx)
        cleo = await person(tx, "Cleo")
        await actions.follow(tx, cleo, series.slug)
        await retitle(tx, await lock_series(tx, ben, series), "By another", notifies=False)
        assert (await kinds_received(tx, ana), await kinds_received(tx, cleo)) == ([event_kinds.EVENT_CHANGED], [])
        assert event_kinds.EVENT_CHANGED not in await kinds_received(tx, ben)


async def test_the_page_shows_what_waits_and_the_owner_has_the_button(practice_db: Database, clock: HandClock) -> None:
    site = site_on(practice_db, clock)
    async with practice_db.transaction() as tx:
        _, ben, series = await running_together(tx)
        await change_all(tx, await lock_series(tx, ben, series))
    path = f"/series/{series.slug}"
    async with site.browser() as anas, site.browser() as bens, site.browser() as strangers:
        await sign_up(anas, "ana@example.org", "Ana")
        await sign_up(bens, "ben@example.org", "Ben")
        assert "Sync the changes" in (await anas.get(path)).text
        waiting = (await bens.get(path)).text
        assert "Other apps see them once Ana says yes" in waiting
        assert "Sync the changes" not in waiting
        assert "wait for Ana" not in (await strangers.get(path)).text
        assert (await bens.post(f"{path}/publish")).status_code == 403
        assert (await anas.post(f"{path}/publish")).headers["location"].startswith(path)
        assert "Sync the changes" not in (await anas.get(path)).text
    async with practice_db.reader() as reader:
        assert await going_out(reader, series) == await everything(reader, series)
