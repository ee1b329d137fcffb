"""Effects of moderation actions: notifications, places, records, and the first public event of a new account. On both
engines.
"""

import pytest

from groundwork.clock import DAY
from groundwork.errors import Forbidden, InvalidForm, NotFound
from groundwork.outbox.delivery import one_job_per_call
from groundwork.outbox.dispatcher import run_once
from groundwork.signing_key import SigningKey
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance import rsvp_records
from openmeet.domain.attendance.model import AttendanceStatus, RecordedRsvp, RsvpRecordStatus, RsvpReply
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.events import drafts
from openmeet.domain.events.rules import Submission
from openmeet.domain.groups.model import GroupRole
from openmeet.domain.identities import actions as identities
from openmeet.domain.moderation import audit_log, moderators, newcomers, policy, visibility
from openmeet.domain.moderation.model import (
    ModeratedKind,
    ModerationAction,
    ModerationPolicy,
    ModerationReason,
    Subject,
    SubjectVisibility,
)
from openmeet.domain.moderation.newcomers import EventCount
from openmeet.domain.moderation_effects import actions
from openmeet.domain.notifications.model import NOTIFICATION_MAIL
from openmeet.domain.notifications.queries import newest
from openmeet.domain.search import search
from openmeet.domain.search.search import SearchQuery
from openmeet.emails.notifications.content import notification_lines
from openmeet.emails.notifications.email import notification_composer
from openmeet.emails.render import EmailContext
from openmeet.network.ingestion.intake import note_host
from openmeet.outbox.emails import DueEmail
from openmeet.outbox.kinds import JobKind
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.site_under_test import details, event_by, person

DID = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"


async def found(tx):
    return [one.title for one in await search.coming(tx, SearchQuery(), None, 50)]


async def moderation_notices(tx, who):
    news = [one for one in await newest(tx, who.user_id, 50) if one.kind.name == "moderated"]
    return [(one.payload.is_hidden, one.payload.reason) for one in reversed(news)]  # type: ignore[attr-defined]  # the payload of its kind


async def test_the_host_of_a_hidden_event_is_told_why_and_when_it_is_back(db, clock):
    async with db.transaction() as tx:
        mo, ana = await person(tx, "Mo"), await person(tx, "Ana")
        event = await event_by(tx, ana)
        subject = Subject(ModeratedKind.EVENT, event.id)
        with pytest.raises(InvalidForm, match=ModerationReason.EXPLANATION_NEEDED):
            await actions.decide(tx, mo, subject, SubjectVisibility.HIDDEN, " ")
        step = await actions.decide(tx, mo, subject, SubjectVisibility.HIDDEN, "It names a person's home.")
        assert await found(tx) == []
    clock.turn(1_000_000)
    async with db.transaction() as tx:
        await actions.undo(tx, mo, step.action_id)
        assert await found(tx) == ["Board games"]
        assert await moderation_notices(tx, ana) == [(True, "It names a person's home."), (False, "")]


async def test_those_who_run_a_hidden_group_are_told_why_and_when_it_is_back(db, clock):
    """The people who run the group are notified on the page and by e-mail. Members, who no longer see the group, are
    not notified, and no e-mail is sent about a decision that has been undone by then.
    """
    compose = notification_composer(EmailContext(SigningKey(b"k" * 32), "OpenMeet", "https://meet.example"))

    async def letters(who):
        async with db.reader() as reader:
            rows = await reader.fetch(
                "select id from notification_emails where user_id = :who and closed_at is null order by id",
                who=who.user_id,
            )
        return [await compose(db, DueEmail(NOTIFICATION_MAIL, who.user_id, row["id"], 1)) for row in rows]

    async with db.transaction() as tx:
        mo, ana = await person(tx, "Mo"), await person(tx, "Ana")
        group = await group_by(tx, ana, name="Chess club")
        bea, ben = await add_member(tx, group, ana, "Bea", GroupRole.ADMIN), await add_member(tx, group, ana, "Ben")
        await tx.execute("delete from notifications where user_id <> :nobody", nobody="")
        await tx.execute("delete from notification_emails where user_id <> :nobody", nobody="")
        step = await actions.decide(
            tx, mo, Subject(ModeratedKind.GROUP, group.id), SubjectVisibility.HIDDEN, "It sells tickets."
        )
        assert [one.kind.name for one in await newest(tx, ben.user_id, 50)] == []
        ((_, line),) = await notification_lines(tx, await newest(tx, bea.user_id, 50), bea.user_id)
        assert line.before == "A moderator of this site has hidden "
    (letter,) = await letters(ana)
    assert letter.subject == "Hidden: Chess club"
    assert "It sells tickets." in letter.text
    clock.turn(1_000_000)
    async with db.transaction() as tx:
        await actions.undo(tx, mo, step.action_id)
    assert [one.subject for one in await letters(ana)] == ["Visible to others: Chess club"]
    assert [one.subject for one in await letters(bea)] == ["Visible to others: Chess club"], (
        "the first decision is no longer in effect"
    )
    assert await letters(ben) == []


async def test_a_blocked_person_loses_all_places_and_gets_none(db):
    """Blocked people's names are removed from lists and counts, and their places are free. After they are unblocked
    they can answer again, but earlier answers are not restored.
    """
    async with db.transaction() as tx:
        mo, ana = await person(tx, "Mo"), await person(tx, "Ana")
        event = await event_by(tx, ana, capacity="3")
        shadow = await identities.person_for_did(tx, DID)
        eve = await person(tx, "Eve")
        await attendance.answer(tx, eve, event.slug, RsvpReply.GOING)
        await rsvp_records.apply_from_network(
            tx,
            RecordedRsvp(
                event_id=event.id,
                user_id=shadow,
                record_uri=f"at://{DID}/community.lexicon.calendar.rsvp/a",
                status=RsvpRecordStatus.INTERESTED,
                first_seen_at=tx.now,
            ),
        )
        await actions.decide(tx, mo, Subject(ModeratedKind.DID, DID), SubjectVisibility.HIDDEN, "")
        step = await actions.decide(tx, mo, Subject(ModeratedKind.PERSON, eve.user_id), SubjectVisibility.HIDDEN, "")
    await run_once(db, {JobKind.BLOCKED_PERSON: one_job_per_call(actions.blocked_person_handler(db))})
    async with db.transaction() as tx:
        counts = (await attendance_queries.counts(tx, [event.id]))[event.id]
        assert (counts.going, counts.interested, counts.seats) == (0, 0, 0)
        with pytest.raises(Exception, match=AttendanceReason.NOT_WELCOME):
            await attendance.answer(tx, eve, event.slug, RsvpReply.GOING)
        await actions.undo(tx, mo, step.action_id)
        assert (await attendance_queries.find(tx, event.id, eve.user_id)).status is AttendanceStatus.DECLINED
        await attendance.answer(tx, eve, event.slug, RsvpReply.GOING)


async def test_a_person_who_is_unblocked_before_the_job_runs_keeps_their_places(db):
    async with db.transaction() as tx:
        mo, ana, eve = [await person(tx, name) for name in ("Mo", "Ana", "Eve")]
        event = await event_by(tx, ana)
        await attendance.answer(tx, eve, event.slug, RsvpReply.GOING)
        step = await actions.decide(tx, mo, Subject(ModeratedKind.PERSON, eve.user_id), SubjectVisibility.HIDDEN, "")
        await actions.undo(tx, mo, step.action_id)
    await run_once(db, {JobKind.BLOCKED_PERSON: one_job_per_call(actions.blocked_person_handler(db))})
    async with db.reader() as reader:
        rsvp = await attendance_queries.find(reader, event.id, eve.user_id)
    assert rsvp.status is AttendanceStatus.ATTENDING


async def test_the_first_public_event_of_a_new_account_waits_for_a_moderator(db, clock):
    async with db.transaction() as tx:
        mo, old = await person(tx, "Mo"), await person(tx, "Old")
        await event_by(tx, old, title="Before")
        await policy.change(tx, ModerationPolicy(holds_first_events=True), by=mo.user_id)
    clock.turn(8 * DAY)
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        await event_by(tx, old, title="Of an old account")
        await event_by(tx, ana, title="Quiet", visibility="unlisted")
        assert await visibility.status_of(tx, ana.user_id) is None
        draft = await drafts.begin(tx, ana, Submission(title="First"), {})
        assert await visibility.status_of(tx, ana.user_id) is None
        await drafts.publish(tx, ana, draft.slug, details(title="First"))
        await event_by(tx, ana, title="Second")
        assert await found(tx) == ["Before", "Of an old account"]
        step = await actions.decide(tx, mo, Subject(ModeratedKind.PERSON, ana.user_id), SubjectVisibility.TRUSTED, "")
        assert sorted(await found(tx)) == ["Before", "First", "Of an old account", "Second"]
        assert await moderation_notices(tx, ana) == [(False, "")]
        await event_by(tx, ana, title="Third")
        assert "Third" in await found(tx)
        await actions.undo(tx, mo, step.action_id)
        assert await found(tx) == ["Before", "Of an old account"]


async def test_refusing_a_first_event_hides_it_and_the_next_one_waits_too(db):
    async with db.transaction() as tx:
        mo = await person(tx, "Mo")
        await policy.change(tx, ModerationPolicy(holds_first_events=True), by=mo.user_id)
        ana = await person(tx, "Ana")
        first = await event_by(tx, ana, title="First")
        await actions.decide(
            tx, mo, Subject(ModeratedKind.EVENT, first.id), SubjectVisibility.HIDDEN, "No advertising."
        )
        assert await moderation_notices(tx, ana) == [(True, "No advertising.")]
        await event_by(tx, ana, title="Second")
        assert await found(tx) == []
        await actions.decide(tx, mo, Subject(ModeratedKind.PERSON, ana.user_id), SubjectVisibility.TRUSTED, "")
        assert await found(tx) == ["Second"]


async def test_a_burst_is_decided_at_once_and_undone_per_host(db):
    async with db.transaction() as tx:
        mo = await person(tx, "Mo")
        dids = ["did:plc:" + letter * 24 for letter in "abcdef"]
        await newcomers.count_new_events(tx, [EventCount(did, "", 1) for did in dids])
        for number, did in enumerate(dids):
            await note_host(tx, did, f"https://pds.{'spam' if number < 4 else 'fair'}.org", frozenset())
        await visibility.hold(tx, [Subject(ModeratedKind.DID, did) for did in dids], SubjectVisibility.BURST)
        assert await actions.decide_waiting(tx, mo, SubjectVisibility.TRUSTED, host="unknown.org", reason="") == 0

        assert await actions.decide_waiting(tx, mo, SubjectVisibility.HIDDEN, host="spam.org", reason="spam") == 4
        assert await actions.decide_waiting(tx, mo, SubjectVisibility.TRUSTED, host="", reason="") == 2
        entries = await audit_log.newest(tx, limit=20)
        assert sorted(entry.act for entry in entries) == [
            *[ModerationAction.BLOCK] * 4,
            *[ModerationAction.RELEASE] * 2,
        ]
        await actions.undo(tx, mo, next(entry.id for entry in entries if entry.act is ModerationAction.BLOCK))
        states = [one.state for one in (await visibility.statuses_of(tx, dids)).values()]
        assert sorted(states) == [
            SubjectVisibility.BURST,
            *[SubjectVisibility.HIDDEN] * 3,
            *[SubjectVisibility.TRUSTED] * 2,
        ]


async def test_only_people_named_by_the_operator_are_moderators(db):
    async with db.transaction() as tx:
        mo, ana = await person(tx, "Mo"), await person(tx, "Ana")
        for who in (mo, ana):
            with pytest.raises(Forbidden):
                await moderators.require_moderator(tx, who, ())
        await moderators.require_moderator(tx, ana, ("Ana@Example.org",))
        assert await moderators.appoint(tx, mo.user_id, by=None)
        assert not await moderators.appoint(tx, mo.user_id, by=None)
        await moderators.require_moderator(tx, mo, ())
        assert await moderators.dismiss(tx, mo.user_id, by=None)
        assert not await moderators.is_moderator(tx, mo.user_id, ())
        # A DID that was only seen says nothing about who controls it.
        shadow = await identities.person_for_did(tx, DID)
        assert not await moderators.is_moderator(tx, shadow, (DID,))
        assert [entry.act for entry in await audit_log.newest(tx, limit=9)] == [
            ModerationAction.UNNAME,
            ModerationAction.NAME,
        ]
        with pytest.raises(NotFound):
            await actions.decide(tx, mo, Subject(ModeratedKind.EVENT, "nothing"), SubjectVisibility.HIDDEN, "x")
