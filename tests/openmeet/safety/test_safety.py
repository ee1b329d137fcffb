"""Effects of reporting, blocking and muting; on both engines."""

import pytest

from groundwork.clock import DAY, Instant
from groundwork.errors import NotFound, Refused
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_job_per_call
from openmeet.domain.account_merge.reassignments import reassign_blocks
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting, host_decisions, invitations, registration, rsvp_records
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.model import AttendanceStatus, RecordedRsvp, RsvpRecordStatus, RsvpReply
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.attendance.registration import ListAudience, RegistrationSettings
from openmeet.domain.events import co_host_queries, ownership
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups import administration, announcements
from openmeet.domain.groups.model import JoinPolicy
from openmeet.domain.groups.reasons import GroupReason
from openmeet.domain.identities import actions as identities
from openmeet.domain.moderation import reports
from openmeet.domain.moderation.model import ModeratedKind, ReportReason, Subject
from openmeet.domain.notifications.queries import newest
from openmeet.domain.profiles import actions as profiles
from openmeet.domain.profiles.queries import followed_by
from openmeet.domain.safety import actions, subjects
from openmeet.domain.safety.subjects import SafetyReason, known_among, may_know
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series import follower_queries
from openmeet.domain.series import ownership as series_ownership
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series.model import SeriesSlug
from openmeet.domain.users import erasure_requests
from openmeet.outbox.kinds import JobKind
from tests.openmeet.chat.rooms import room_of, send_text, subject_of_event
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.series.practice import create_weekly_series
from tests.openmeet.site_under_test import event_by, person
from tests.openmeet.statement_counter import StatementCounter

GOING = RsvpReply.GOING
DID = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"


async def people(tx, *names: str):
    return [await person(tx, name) for name in names]


async def status(reader, event, who):
    return (await attendance_queries.find(reader, event.id, who.user_id)).status


async def kinds(reader, who):
    return [one.kind.name for one in await newest(reader, who.user_id, 50)]


async def test_a_block_ends_following_in_both_directions(db):
    async with db.transaction() as tx:
        ana, ben = await people(tx, "Ana", "Ben")
        await event_by(tx, ana)
        await event_by(tx, ben)
        await profiles.follow(tx, ana, ben.user_id)
        await profiles.follow(tx, ben, ana.user_id)
        await actions.block(tx, ana, ben.user_id)
        assert [await followed_by(tx, who.user_id) for who in (ana, ben)] == [[], []]
        # As with answers, the end of the block does not restore it.
        await actions.unblock(tx, ana, ben.user_id)
        assert [await followed_by(tx, who.user_id) for who in (ana, ben)] == [[], []]


async def test_a_blocked_person_loses_their_place_to_the_next_one(db):
    """Their answer ends, and the place is offered to the next person on the waitlist without a reason. After they are
    unblocked they can answer again, at the end of the waitlist.
    """
    async with db.transaction() as tx:
        ana, ben, cleo = await people(tx, "Ana", "Ben", "Cleo")
        event = await event_by(tx, ana, capacity="1")
        await attendance.answer(tx, ben, event.slug, GOING)
        await attendance.answer(tx, cleo, event.slug, GOING)
        assert await status(tx, event, cleo) is AttendanceStatus.WAITLISTED
        assert await actions.block(tx, ana, ben.user_id)
        assert not await actions.block(tx, ana, ben.user_id)
        assert await status(tx, event, ben) is AttendanceStatus.DECLINED
        next_one = await attendance_queries.find(tx, event.id, cleo.user_id)
        assert next_one.offered_until is not None or next_one.status is AttendanceStatus.ATTENDING
        assert await kinds(tx, ben) == []
        for reply in (GOING, RsvpReply.INTERESTED):
            with pytest.raises(Refused, match=AttendanceReason.NOT_WELCOME):
                await attendance.answer(tx, ben, event.slug, reply)
        await attendance.answer(tx, ben, event.slug, RsvpReply.DECLINED)
        await actions.unblock(tx, ana, ben.user_id)
        await attendance.answer(tx, ben, event.slug, GOING)
        assert await status(tx, event, ben) is AttendanceStatus.WAITLISTED


async def test_past_events_and_those_of_other_hosts_stay(db, clock):
    async with db.transaction() as tx:
        ana, ben, cleo = await people(tx, "Ana", "Ben", "Cleo")
        over, other = (
            await event_by(tx, ana, starts="2026-03-02T18:00", ends="2026-03-02T20:00"),
            await event_by(tx, cleo),
        )
        for event in (over, other):
            await attendance.answer(tx, ben, event.slug, GOING)
    clock.turn(30 * 24 * 3600 * 1_000_000)
    async with db.transaction() as tx:
        await actions.block(tx, ana, ben.user_id)
        assert [await status(tx, event, ben) for event in (over, other)] == [AttendanceStatus.ATTENDING] * 2


async def test_record_of_a_blocked_person_takes_no_place(db):
    async with db.transaction() as tx:
        (ana,) = await people(tx, "Ana")
        event = await event_by(tx, ana)
        ben = await identities.person_for_did(tx, DID)
        await actions.block(tx, ana, ben)
        saved = await rsvp_records.apply_from_network(
            tx,
            RecordedRsvp(
                event_id=event.id,
                user_id=ben,
                record_uri=f"at://{DID}/community.lexicon.calendar.rsvp/a",
                status=RsvpRecordStatus.GOING,
                first_seen_at=tx.now,
            ),
        )
        assert saved.status is AttendanceStatus.DECLINED


async def test_a_blocked_person_cannot_join_a_group_of_the_blocker_in_any_way(db):
    async with db.transaction() as tx:
        ana, ben = await people(tx, "Ana", "Ben")
        group = await group_by(tx, ana)
        link = await administration.invite_by_link(tx, ana, group.slug, uses=1)
        await actions.block(tx, ana, ben.user_id)
        with pytest.raises(Refused, match=GroupReason.CANNOT_JOIN):
            await groups.join(tx, ben, group.slug)
        with pytest.raises(Refused, match=GroupReason.CANNOT_JOIN):
            await administration.accept(tx, ben, link.id)
        await actions.unblock(tx, ana, ben.user_id)
        await groups.join(tx, ben, group.slug)


async def test_blocked_people_cannot_notify_but_important_changes_are_told(db):
    """Announcements and answers of people whom they block or mute do not notify them. The cancellation of an event that
    they go to does.
    """
    async with db.transaction() as tx:
        ana, ben, cleo = await people(tx, "Ana", "Ben", "Cleo")
        group = await group_by(tx, ana)
        inside = await add_member(tx, group, ana, "Dan")
        await tx.execute("delete from notifications")
        await actions.mute(tx, inside, Subject(ModeratedKind.GROUP, group.id))
        await announcements.announce(tx, ana, group.slug, "Hello")
        assert await kinds(tx, inside) == []
        await actions.unmute(tx, inside, Subject(ModeratedKind.GROUP, group.id))
        await announcements.announce(tx, ana, group.slug, "Hello again")
        assert await kinds(tx, inside) == ["announcement"]
        event = await event_by(tx, ben)
        await actions.mute(tx, ben, Subject(ModeratedKind.PERSON, cleo.user_id))
        await attendance.answer(tx, cleo, event.slug, GOING)
        assert await kinds(tx, ben) == []
        await attendance.answer(tx, inside, event.slug, GOING)
        assert await kinds(tx, ben) == ["new_answer"]
        await actions.mute(tx, cleo, Subject(ModeratedKind.PERSON, ben.user_id))
        from_host = await invitations.invite(tx, ben, event.slug, "ana@example.org")
        assert await kinds(tx, ana) == ["invited"]
        assert from_host.user_id == ana.user_id


async def test_nobody_reports_their_own_or_invisible_things(db):
    async with db.transaction() as tx:
        ana, ben = await people(tx, "Ana", "Ben")
        event, private = await event_by(tx, ana), await event_by(tx, ana, visibility="private")
        group = await group_by(tx, ana, visibility="private")
        await actions.report(tx, ben, ModeratedKind.EVENT, event.slug, ReportReason.SPAM, "")
        with pytest.raises(Refused, match=SafetyReason.OWN_CONTENT):
            await actions.report(tx, ana, ModeratedKind.EVENT, event.slug, ReportReason.SPAM, "")
        for thing, slug in (
            (ModeratedKind.EVENT, private.slug),
            (ModeratedKind.GROUP, group.slug),
            (ModeratedKind.PERSON, "nobody"),
        ):
            with pytest.raises(NotFound):
                await actions.report(tx, ben, thing, slug, ReportReason.SPAM, "")
        with pytest.raises(Refused, match=SafetyReason.CANNOT_BLOCK_ONESELF):
            await actions.block(tx, ana, ana.user_id)
        with pytest.raises(NotFound):
            await actions.mute(tx, ben, Subject(ModeratedKind.GROUP, group.id))


async def test_merged_people_block_everyone_that_either_blocked(db):
    async with db.transaction() as tx:
        old, ana, ben, cleo = await people(tx, "Old", "Ana", "Ben", "Cleo")
        await actions.block(tx, old, ben.user_id)
        await actions.block(tx, ana, ben.user_id)
        await actions.block(tx, cleo, old.user_id)
        await actions.block(tx, old, ana.user_id)
        await actions.mute(tx, old, Subject(ModeratedKind.PERSON, cleo.user_id))
        event = await event_by(tx, ben)
        for host in (old, ana):
            await event_by(tx, host)
        for who in (old, ana):
            await actions.report(tx, who, ModeratedKind.EVENT, event.slug, ReportReason.SPAM, who.display_name)
        await actions.report(tx, cleo, ModeratedKind.PERSON, old.user_id, ReportReason.ABUSE, "")
        await actions.report(tx, cleo, ModeratedKind.PERSON, ana.user_id, ReportReason.ABUSE, "")
        await reassign_blocks(tx, old.user_id, ana.user_id)
        blocks = await tx.fetch("select user_id, blocked_id from user_blocks order by user_id, blocked_id")
        assert {(row["user_id"], row["blocked_id"]) for row in blocks} == {
            (ana.user_id, ben.user_id),
            (cleo.user_id, ana.user_id),
        }
        assert {one.subject.id for one in await reports.reported_subjects(tx, after=None, limit=9)} == {
            event.id,
            ana.user_id,
        }
        assert [one.number for one in await reports.reported_subjects(tx, after=None, limit=9)] == [1, 1]
        columns = [
            ("user_blocks", "user_id"),
            ("user_blocks", "blocked_id"),
            ("user_mutes", "user_id"),
            ("reports", "reporter_id"),
        ]
        for table, column in columns:
            assert await tx.fetch(f"select 1 as one from {table} where {column} = :id", id=old.user_id) == []


async def test_a_member_does_not_learn_who_asks_to_join_or_is_banned(db):
    """The list of members shows neither. Moderators see both."""
    async with db.transaction() as tx:
        ana, eve, mallory = await people(tx, "Ana", "Eve", "Mallory")
        group = await group_by(tx, ana, join_policy=JoinPolicy.REQUEST.value)
        ben = await add_member(tx, group, ana, "Ben")
        await groups.join(tx, eve, group.slug)
        await groups.follow(tx, mallory, group.slug)
        await administration.ban(tx, ana, group.slug, mallory.user_id)
        for who in (eve, mallory):
            assert not await may_know(tx, ben.user_id, who.user_id)
            assert await may_know(tx, ana.user_id, who.user_id)
        assert await may_know(tx, ben.user_id, ana.user_id)
        await administration.decide(tx, ana, group.slug, [eve.user_id], lets_in=True)
        assert await may_know(tx, ben.user_id, eve.user_id)


async def test_many_names_take_as_many_statements_as_one(db):
    async with db.transaction() as tx:
        ana, *others = await people(tx, "Ana", *(f"Guest {number}" for number in range(6)))
        for one in others:
            await actions.block(tx, ana, one.user_id)
            await event_by(tx, one)
        few, many = StatementCounter(tx), StatementCounter(tx)
        ids = [one.user_id for one in others]
        assert await known_among(few, ana.user_id, ids[:1]) == {ids[0]}
        assert await known_among(many, ana.user_id, ids) == set(ids)
        assert many.statements == few.statements == 1


async def test_a_host_does_not_learn_whose_address_they_invited(db):
    """Not even after they have removed the invitation. An answer ends this."""
    async with db.transaction() as tx:
        ana, ben = await people(tx, "Ana", "Ben")
        event = await event_by(tx, ana, visibility="private")
        invitation = await invitations.invite(tx, ana, event.slug, "ben@example.org")
        assert not await may_know(tx, ana.user_id, ben.user_id)
        await host_decisions.reject(tx, ana, event.slug, [invitation.id])
        assert not await may_know(tx, ana.user_id, ben.user_id)
        await invitations.invite(tx, ana, event.slug, "ben@example.org")
        await attendance.answer(tx, ben, event.slug, GOING)
        assert await may_know(tx, ana.user_id, ben.user_id)


@pytest.mark.parametrize(("audience", "is_known"), [("everyone", True), ("attendees", True), ("hosts", False)])
async def test_attendees_learn_names_only_from_a_list_that_they_may_see(db, audience, is_known):
    async with db.transaction() as tx:
        ana, ben, cleo, dan = await people(tx, "Ana", "Ben", "Cleo", "Dan")
        event = await event_by(tx, ana)
        await registration.put(tx, event.id, RegistrationSettings(list_audience=ListAudience(audience)))
        for who, reply in ((ben, GOING), (cleo, GOING), (dan, RsvpReply.DECLINED)):
            await attendance.answer(tx, who, event.slug, reply)
        assert await may_know(tx, ben.user_id, cleo.user_id) is is_known
        assert await may_know(tx, dan.user_id, cleo.user_id) is (audience == "everyone")
        assert await may_know(tx, ana.user_id, cleo.user_id)


async def test_readers_of_a_chat_know_its_authors_everywhere(db):
    """Also if the list of guests is hidden from them. Somebody who has not written, or who leaves, stays unknown. Blocked
    authors have a name in the list of blocked people.
    """
    async with db.transaction() as tx:
        ana, ben, cleo, dan = await people(tx, "Ana", "Ben", "Cleo", "Dan")
        event = await event_by(tx, ana, visibility="private")
        await registration.put(tx, event.id, RegistrationSettings(list_audience=ListAudience.HOSTS))
        for who in (ben, cleo):
            await invitations.invite(tx, ana, event.slug, f"{who.display_name.lower()}@example.org")
            await attendance.answer(tx, who, event.slug, GOING)
        room = await room_of(tx, ana, subject_of_event(event))
        assert not await may_know(tx, cleo.user_id, ben.user_id)
        await send_text(tx, ben, room)
        assert await may_know(tx, cleo.user_id, ben.user_id)
        assert not await may_know(tx, ben.user_id, cleo.user_id)
        assert not await may_know(tx, dan.user_id, ben.user_id)
        assert not await may_know(tx, None, ben.user_id)
        await actions.block(tx, cleo, ben.user_id)
        assert (await subjects.by_address(tx, ModeratedKind.PERSON, ben.user_id, cleo.user_id)).title == "Ben"
        await erasure_requests.put(tx, ben.user_id, Instant(tx.now + DAY))
        assert not await may_know(tx, cleo.user_id, ben.user_id)


async def test_followers_of_a_series_are_known_to_its_host_and_to_its_group(db):
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben, cleo = await people(tx, "Ben", "Cleo")
        await series_actions.follow(tx, ben, SeriesSlug(series.slug))
        assert await may_know(tx, ana.user_id, ben.user_id)
        assert not await may_know(tx, cleo.user_id, ben.user_id)
        group = await group_by(tx, ana)
        await groups.join(tx, cleo, group.slug)
        await tx.execute("update event_series set group_id = :group where id = :id", group=group.id, id=series.id)
        assert await may_know(tx, cleo.user_id, ben.user_id)


async def test_somebody_blocked_by_the_new_host_loses_their_place(db):
    """An event and a series are handed over. Who is blocked by the new host takes part in neither, and their place goes
    to the waitlist. Who blocks the new host keeps their place: it is for them to leave.
    """
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben, cleo, dan, eve = await people(tx, "Ben", "Cleo", "Dan", "Eve")
        event = await event_by(tx, ana, capacity="2")
        for guest in (cleo, dan, eve):
            await attendance.answer(tx, guest, event.slug, GOING)
        for guest in (ben, cleo):
            await series_actions.follow(tx, guest, series.slug, notifies=True)
        await actions.block(tx, ben, cleo.user_id)
        await actions.block(tx, dan, ben.user_id)
        assert await status(tx, event, cleo) is AttendanceStatus.ATTENDING
        co_host = ownership.accepted_co_host(tx, event, ben.user_id, by=ana.user_id)
        await co_host_queries.put(tx, co_host)
        await ownership.offer(tx, ana, event.slug, co_host.id)
        await event_hosting.take_over(tx, ben, event.slug)
        await series_ownership.offer(tx, ana, series, ben.user_id)
        await series_ownership.accept(tx, ben, await series_queries.lock(tx, series.id))
    await dispatcher.run_once(db, {JobKind.APPLY_BLOCKS: one_job_per_call(actions.apply_blocks_handler(db))})
    async with db.reader() as reader:
        assert await status(reader, event, cleo) is AttendanceStatus.DECLINED
        assert await status(reader, event, dan) is AttendanceStatus.ATTENDING
        waiting = await attendance_queries.find(reader, event.id, eve.user_id)
        assert waiting.offered_until is not None or waiting.status is AttendanceStatus.ATTENDING
        assert await follower_queries.following(reader, series.id, cleo.user_id) is None
        assert await follower_queries.following(reader, series.id, ana.user_id) is not None
