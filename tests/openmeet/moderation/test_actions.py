"""Moderation actions: each can be undone once, and only one of two concurrent actions takes effect; on both engines."""

import asyncio

import pytest

from groundwork.errors import Conflict, Refused
from openmeet.domain.moderation import actions, audit_log, reports, visibility
from openmeet.domain.moderation.model import (
    ModeratedKind,
    ModerationAction,
    ModerationReason,
    ReportOutcome,
    ReportReason,
    Subject,
    SubjectVisibility,
)
from openmeet.domain.paging import ALL_ROWS
from tests.openmeet.site_under_test import person

EVENT = Subject(ModeratedKind.EVENT, "0198a3c5-11f0-7a9b-8c33-5e7d9f0a2b46")
DID = Subject(ModeratedKind.DID, "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa")
HOST = Subject(ModeratedKind.HOST, "https://pds.example")


async def state(reader, subject):
    known = await visibility.status_of(reader, subject.id)
    return known.state if known else SubjectVisibility.SHOWN


@pytest.mark.parametrize(
    ("subject", "before", "after", "act", "back"),
    [
        (EVENT, SubjectVisibility.SHOWN, SubjectVisibility.HIDDEN, ModerationAction.HIDE, ModerationAction.SHOW),
        (DID, SubjectVisibility.SHOWN, SubjectVisibility.HIDDEN, ModerationAction.BLOCK, ModerationAction.UNBLOCK),
        (HOST, SubjectVisibility.SHOWN, SubjectVisibility.HIDDEN, ModerationAction.BLOCK, ModerationAction.UNBLOCK),
        (DID, SubjectVisibility.BURST, SubjectVisibility.HIDDEN, ModerationAction.BLOCK, ModerationAction.HOLD),
        (DID, SubjectVisibility.ARRIVAL, SubjectVisibility.TRUSTED, ModerationAction.RELEASE, ModerationAction.HOLD),
        (EVENT, SubjectVisibility.BURST, SubjectVisibility.TRUSTED, ModerationAction.RELEASE, ModerationAction.HOLD),
        (
            Subject(ModeratedKind.PERSON, "somebody"),
            SubjectVisibility.FIRST_EVENT,
            SubjectVisibility.TRUSTED,
            ModerationAction.RELEASE,
            ModerationAction.HOLD,
        ),
    ],
)
async def test_every_action_is_undone_once_and_both_are_logged(db, subject, before, after, act, back):
    async with db.transaction() as tx:
        mo = await person(tx, "Mo")
        await visibility.hold(tx, [subject] if before is not SubjectVisibility.SHOWN else [], before)
        step = await actions.decide(tx, mo.user_id, subject, after, "because")
        assert await state(tx, subject) is after
        undone = await actions.undo(tx, mo.user_id, step.action_id, "a mistake")
        assert (undone.before, undone.after) == (after, before)
        assert await state(tx, subject) is before
        with pytest.raises(Refused, match=ModerationReason.ALREADY_UNDONE):
            await actions.undo(tx, mo.user_id, step.action_id, "")
        found = [(one.act, one.undoes) for one in await audit_log.newest(tx, limit=9)]
        assert found == [(back, step.action_id), (act, None)]
        # Undoing is an action too.
        assert (await actions.undo(tx, mo.user_id, undone.action_id, "")).after is after


async def test_undoing_does_not_overwrite_a_later_decision(db):
    async with db.transaction() as tx:
        mo = await person(tx, "Mo")
        first = await actions.decide(tx, mo.user_id, DID, SubjectVisibility.HIDDEN, "spam")
        await actions.decide(tx, mo.user_id, DID, SubjectVisibility.TRUSTED, "no spam")
        with pytest.raises(Conflict):
            await actions.undo(tx, mo.user_id, first.action_id, "")
        with pytest.raises(Refused, match=ModerationReason.NOTHING_TO_CHANGE):
            await actions.decide(tx, mo.user_id, DID, SubjectVisibility.TRUSTED, "again")


async def test_of_two_concurrent_decisions_one_counts(db):
    async with db.transaction() as tx:
        moderators = [await person(tx, f"Mo {number}") for number in range(6)]

    async def decide(one):
        async with db.transaction() as tx:
            return await actions.decide(tx, one.user_id, DID, SubjectVisibility.HIDDEN, "spam")

    done = await asyncio.gather(*map(decide, moderators), return_exceptions=True)
    assert sum(not isinstance(one, BaseException) for one in done) == 1
    assert {type(one) for one in done if isinstance(one, BaseException)} <= {Conflict, Refused}
    async with db.reader() as reader:
        assert len(await audit_log.newest(reader, limit=9)) == 1


async def test_reports_are_grouped_closed_by_an_action_and_reopened_by_its_undo(db):
    async with db.transaction() as tx:
        mo, ana, ben = [await person(tx, name) for name in ("Mo", "Ana", "Ben")]
        await reports.file(tx, ana.user_id, EVENT, ReportReason.SPAM, "")
        await reports.file(tx, ana.user_id, EVENT, ReportReason.HATE, "look at the text")
        await reports.file(tx, ben.user_id, EVENT, ReportReason.SPAM, "")
        (reported,) = await reports.reported_subjects(tx, after=None, limit=9)
        assert (reported.subject, reported.number) == (EVENT, 2)
        step = await actions.decide(tx, mo.user_id, EVENT, SubjectVisibility.HIDDEN, "hate")
        assert await reports.reported_subjects(tx, after=None, limit=9) == []
        assert [one.outcome for one in await reports.of_person(tx, ana.user_id, ALL_ROWS)] == [ReportOutcome.ACTED]
        # The subject was reported again in the meantime. That report stays open, and no second one is created.
        await reports.file(tx, ben.user_id, EVENT, ReportReason.SPAM, "still")
        await actions.undo(tx, mo.user_id, step.action_id, "")
        assert [reported.number for reported in await reports.reported_subjects(tx, after=None, limit=9)] == [2]
        dismissed = await actions.dismiss(tx, mo.user_id, EVENT, "nothing wrong")
        with pytest.raises(Refused, match=ModerationReason.NOTHING_REPORTED):
            await actions.dismiss(tx, mo.user_id, EVENT, "")
        await actions.undo(tx, mo.user_id, dismissed, "")
        assert await reports.count_open(tx) == 1
        assert (await reports.open_by(tx, ana.user_id, EVENT.id)).comment == "look at the text"


async def test_a_person_has_one_open_report_per_subject(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")

    async def report(number):
        async with db.transaction() as tx:
            await reports.file(tx, ana.user_id, EVENT, ReportReason.OTHER, str(number))

    await asyncio.gather(*map(report, range(8)))
    async with db.reader() as reader:
        assert len(await reports.of_person(reader, ana.user_id, ALL_ROWS)) == 1
