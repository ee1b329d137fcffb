"""The audit log: written in the transaction of the action, and never changed."""

import pytest

from openmeet.domain.moderation import actions, audit_log, policy, visibility
from openmeet.domain.moderation.audit_log import NewLogEntry
from openmeet.domain.moderation.model import (
    ModeratedKind,
    ModerationAction,
    ModerationPolicy,
    Subject,
    SubjectVisibility,
)
from tests.openmeet.site_under_test import person

DID = Subject(ModeratedKind.DID, "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa")


async def blocked(db):
    async with db.transaction() as tx:
        mo = await person(tx, "Mo")
        return mo, await actions.decide(tx, mo.user_id, DID, SubjectVisibility.HIDDEN, "spam")


async def entries(db):
    async with db.reader() as reader:
        return await audit_log.newest(reader, limit=50)


async def test_an_action_is_logged_with_person_reason_and_change(db):
    mo, step = await blocked(db)
    (entry,) = await entries(db)
    assert (entry.id, entry.actor_id, entry.act, entry.subject) == (
        step.action_id,
        mo.user_id,
        ModerationAction.BLOCK,
        DID,
    )
    assert (entry.before, entry.after, entry.reason, entry.undoes) == ("shown", "hidden", "spam", None)


@pytest.mark.parametrize(
    "tampering",
    [
        "update moderation_log set actor_id = 'nobody'",
        "delete from moderation_log",
        "delete from moderation_log where 1 = 0 or act = 'block'",
    ],
)
async def test_nobody_can_change_or_remove_a_log_line(db, tampering):
    """The database refuses changes even to somebody with the database password."""
    await blocked(db)
    before = await entries(db)
    with pytest.raises(Exception, match="append-only"):
        async with db.transaction() as tx:
            await tx.execute(tampering)
    assert await entries(db) == before != []


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_replacing_a_log_line_is_refused(db):
    """``REPLACE`` is how SQLite removes a row without firing a delete trigger."""
    await blocked(db)
    with pytest.raises(Exception, match="append-only"):
        async with db.transaction() as tx:
            await tx.execute(
                "insert or replace into moderation_log select id, at, 'x', act, kind, subject, before_state, after_state,"
                " reason, undoes from moderation_log"
            )
    assert [entry.act for entry in await entries(db)] == [ModerationAction.BLOCK]


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
async def test_emptying_the_log_is_refused(db):
    await blocked(db)
    with pytest.raises(Exception, match="append-only"):
        async with db.transaction() as tx:
            await tx.execute("truncate moderation_log")


async def test_a_decision_and_its_log_line_are_stored_together(db):
    """If the action fails after the log line was written, neither is stored."""

    async def fail():
        async with db.transaction() as tx:
            mo = await person(tx, "Mo")
            await actions.decide(tx, mo.user_id, DID, SubjectVisibility.HIDDEN, "spam")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await entries(db) == []
    async with db.reader() as reader:
        assert await visibility.status_of(reader, DID.id) is None


async def test_lists_are_read_page_by_page(db):
    async with db.transaction() as tx:
        await audit_log.add(
            tx,
            None,
            [NewLogEntry(ModerationAction.HIDE, Subject(ModeratedKind.EVENT, str(number))) for number in range(5)],
        )
    async with db.reader() as reader:
        first = await audit_log.newest(reader, limit=3)
        rest = await audit_log.newest(reader, before=(first[-1].at, first[-1].id), limit=3)
        assert len({entry.id for entry in (*first, *rest)}) == 5
        assert [entry.subject.id for entry in await audit_log.newest(reader, subject="3", limit=9)] == ["3"]


async def test_a_policy_change_is_logged_and_undone(db):
    async with db.transaction() as tx:
        mo = await person(tx, "Mo")
        assert await policy.current(tx) == ModerationPolicy()
        await policy.change(tx, ModerationPolicy(holds_first_events=True, most_events_of_author=5), by=mo.user_id)
        (entry,) = await audit_log.newest(tx, limit=9)
        await actions.undo(tx, mo.user_id, entry.id, "")
        back = await policy.current(tx)
        assert (back.holds_first_events, back.most_events_of_author, back.revision) == (False, 30, 2)
