"""The order of an RSVP's history is the order of its changes, whatever the clocks of two processes show. On both
engines.
"""

import pytest

from groundwork import uuid7
from groundwork.clock import DAY, HOUR, MINUTE, HandClock
from groundwork.database.transaction import Database
from openmeet.domain.attendance import (
    actions,
    activity,
    approval_undo,
    history,
    host_decisions,
    merge,
    queries,
    registration,
    waitlist,
)
from openmeet.domain.attendance.activity import RecentChanges
from openmeet.domain.attendance.approval_undo import ApprovalBatch
from openmeet.domain.attendance.model import AttendanceStatus, ReplyDetails, RsvpReply
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.check_in import tickets
from openmeet.domain.paging import ALL_ROWS, Page
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import event_by, person

S = AttendanceStatus


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


@pytest.fixture
def in_a_slow_process(clock: HandClock, monkeypatch: pytest.MonkeyPatch):
    """From here on, transactions run in a process whose clock is a minute behind, and which makes its own ids."""

    def change() -> None:
        clock.turn(-MINUTE)
        monkeypatch.setattr(uuid7, "_last", 0)

    return change


async def test_the_later_change_is_the_latest(db, clock, in_a_slow_process):
    """Ben says that he is going, and then that he is not."""
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        mine = await actions.answer(tx, ben, event.slug, RsvpReply.GOING)
    in_a_slow_process()
    async with db.transaction() as tx:
        await actions.answer(tx, ben, event.slug, RsvpReply.DECLINED)
    async with db.reader() as reader:
        assert [one.after for one in await history.of_rsvp(reader, mine.id, ALL_ROWS)] == [S.ATTENDING, S.DECLINED]
        newest = await history.of_rsvp(reader, mine.id, Page(1), newest_first=True)
        shown, cursor = Page(1).cut(newest, lambda one: one.position)
        assert ([one.after for one in shown], cursor is not None) == ([S.DECLINED], True)
        assert await history.status_at(reader, mine.id, clock.now() + DAY) is S.DECLINED
        changes = await activity.recent_changes(reader, [event.id], clock.now() - DAY)
        assert changes == RecentChanges(answered=0, cannot_come=1)


async def test_an_approval_that_was_followed_by_another_change_stays(db, clock, in_a_slow_process):
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        await registration.put(tx, event.id, RegistrationSettings(needs_approval=True))
        request = await actions.answer(tx, ben, event.slug, RsvpReply.GOING)
    async with db.transaction() as tx:
        counts = await host_decisions.approve(tx, ana, event.slug, [request.id])
    batch = ApprovalBatch(counts.first_at, counts.last_at)
    in_a_slow_process()
    for reply in (RsvpReply.DECLINED, RsvpReply.GOING):
        async with db.transaction() as tx:
            await actions.answer(tx, ben, event.slug, reply)
    async with db.reader() as reader:
        assert await approval_undo.count_unchanged(reader, event, ana.user_id, batch) == 0
    assert await approval_undo.undo_approvals(db, ana, event.slug, batch) == (0, 1)


async def test_undoing_a_rejection_restores_the_latest_status(db, in_a_slow_process):
    """Ben was rejected twice: once while he was going, and once while he was not."""
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        mine = await actions.answer(tx, ben, event.slug, RsvpReply.GOING)
        await host_decisions.reject(tx, ana, event.slug, [mine.id])
    in_a_slow_process()
    async with db.transaction() as tx:
        await host_decisions.restore(tx, ana, event.slug, mine.id)
        await actions.answer(tx, ben, event.slug, RsvpReply.DECLINED)
        await host_decisions.reject(tx, ana, event.slug, [mine.id])
        assert (await host_decisions.restore(tx, ana, event.slug, mine.id)).status is S.DECLINED


async def test_an_invitation_after_a_missed_offer_is_the_latest(db, clock, in_a_slow_process):
    """Cleo's offer expires. Then she is checked in by mistake, and that is undone."""
    async with db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana, capacity="1", starts="2026-03-02T18:00", ends="2026-03-02T20:00")
        for who in (ben, cleo):
            await actions.answer(tx, who, event.slug, RsvpReply.GOING)
        await actions.answer(tx, ben, event.slug, RsvpReply.DECLINED)
    clock.turn(DAY)
    async with db.transaction() as tx:
        assert await waitlist.end_expired_offers(tx, event) == 1
        invited = await queries.find(tx, event.id, cleo.user_id)
        assert await history.has_missed_offer(tx, invited)
    in_a_slow_process()
    async with db.transaction() as tx:
        await host_decisions.check_in(tx, ana, event.slug, invited.id)
        await host_decisions.undo_check_in(tx, ana, event.slug, invited.id)
        assert not await history.has_missed_offer(tx, await queries.by_id(tx, invited.id))


@pytest.mark.parametrize("kept", ["hers", "the other one"])
async def test_the_last_entry_after_a_merge_is_that_of_the_answer_that_is_kept(db, clock, kept):
    """A host rejected one of two accounts of a person, who then answers with the other one. The rejection is kept."""
    async with db.transaction() as tx:
        ana, ben, other = [await person(tx, name) for name in ("Ana", "Ben", "Benjamin")]
        event = await event_by(tx, ana)
    first, later = (ben, other) if kept == "hers" else (other, ben)
    for who, reply in ((first, RsvpReply.GOING), (later, RsvpReply.INTERESTED)):
        clock.turn(MINUTE)
        async with db.transaction() as tx:
            await actions.answer(tx, who, event.slug, reply)
    clock.turn(MINUTE)
    async with db.transaction() as tx:
        rejected = await queries.find(tx, event.id, first.user_id)
        await host_decisions.reject(tx, ana, event.slug, [rejected.id])
    clock.turn(MINUTE)
    async with db.transaction() as tx:
        await actions.answer(tx, later, event.slug, RsvpReply.GOING)
        await merge.lock_events(tx, other.user_id)
        await merge.reassign(tx, other.user_id, ben.user_id)
        entries = await history.of_rsvp(tx, rejected.id, ALL_ROWS)
        assert [one.after for one in entries] == [S.ATTENDING, S.INTERESTED, S.ATTENDING, S.REJECTED]
        restored = await host_decisions.restore(tx, ana, event.slug, rejected.id)
        assert (await history.of_rsvp(tx, rejected.id, ALL_ROWS))[-1].after is restored.status


async def test_entries_without_a_revision_come_first(db):
    """Entries from before revisions were stored are in the order of their ids."""
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        for reply in (RsvpReply.GOING, RsvpReply.DECLINED):
            mine = await actions.answer(tx, ben, event.slug, reply)
        await tx.execute("update attendance_history set revision = 0")
        await actions.answer(tx, ben, event.slug, RsvpReply.INTERESTED)
        entries = await history.of_rsvp(tx, mine.id, ALL_ROWS)
    assert [(one.after, one.revision) for one in entries] == [(S.ATTENDING, 0), (S.DECLINED, 0), (S.INTERESTED, 3)]


async def test_decisions_are_undone_after_the_party_has_changed(db, clock):
    """The history also has changes of the party, which keep the status."""
    async with db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana)
        await registration.put(tx, event.id, RegistrationSettings(max_party=3))
        await actions.answer(tx, ben, event.slug, RsvpReply.GOING)
        await actions.answer(tx, cleo, event.slug, RsvpReply.GOING)
        rejected = (await queries.find(tx, event.id, cleo.user_id)).id
        await host_decisions.reject(tx, ana, event.slug, [rejected])
        await actions.answer(tx, cleo, event.slug, RsvpReply.DECLINED, ReplyDetails(party=2))
        assert (await host_decisions.restore(tx, ana, event.slug, rejected)).status is S.ATTENDING
    clock.turn(event.starts_at - clock.now() - HOUR)
    async with db.transaction() as tx:
        checked_in = (await queries.find(tx, event.id, ben.user_id)).id
        await host_decisions.check_in(tx, ana, event.slug, checked_in)
    arrived_at = clock.now()
    clock.turn(HOUR)
    async with db.transaction() as tx:
        await actions.answer(tx, ben, event.slug, RsvpReply.GOING, ReplyDetails(party=2))
        assert await tickets.check_in_times_of(tx, [checked_in]) == {checked_in: arrived_at}
        assert (await host_decisions.undo_check_in(tx, ana, event.slug, checked_in)).status is S.ATTENDING
