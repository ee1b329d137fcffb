"""People with an account who say that they are going get a calendar entry by e-mail, unless they have switched this
off.
"""

import re
from datetime import date

import icalendar
import pytest

from groundwork.clock import HOUR, MINUTE
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting, host_decisions, rsvp_records
from openmeet.domain.attendance.model import RecordedRsvp, RsvpRecordStatus, RsvpReply
from openmeet.domain.attendance.queries import find
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications import notify as notifications
from openmeet.domain.notifications.model import NotificationTopic
from openmeet.domain.notifications.queries import newest
from openmeet.domain.series import standing_rsvps
from tests.openmeet.emails.conftest import Post, calendar_of, text_of
from tests.openmeet.series.practice import create_weekly_series, dates
from tests.openmeet.site_under_test import details, event_by, person


@pytest.fixture
async def evening(post: Post):
    async with post.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        return ana, ben, await event_by(tx, ana)


async def say(post: Post, who, event, reply: RsvpReply = RsvpReply.GOING) -> None:
    async with post.db.transaction() as tx:
        await attendance.answer(tx, who, event.slug, reply)


async def to_ben(post: Post):
    return [one for one in await post.deliver() if one["To"] == "ben@example.org"]


async def test_going_sends_the_entry_once(post: Post, evening) -> None:
    """The e-mail says where and when the event is and how to change the answer. It attaches a file that later e-mails
    update.
    """
    ana, ben, event = evening
    await say(post, ben, event)
    await say(post, ben, event)
    assert await to_ben(post) == []
    post.site.clock.turn(5 * MINUTE)
    (mail,) = await to_ben(post)
    assert mail["Subject"] == "You’re going: Board games, Sat 4 Jul"
    assert "You’re going." in text_of(mail)
    assert "Saturday 4 July, 18:00–20:00, Berlin time" in text_of(mail)
    (first,) = icalendar.Calendar.from_ical(calendar_of(mail).get_content()).walk("VEVENT")
    assert (str(first["UID"]), first["STATUS"]) == (f"{event.id}@openmeet.test", "CONFIRMED")
    async with post.db.transaction() as tx:
        await event_hosting.cancel(tx, ana, event.slug, "")
    (mail,) = await to_ben(post)
    (last,) = icalendar.Calendar.from_ical(calendar_of(mail).get_content()).walk("VEVENT")
    assert (last["UID"], last["STATUS"]) == (first["UID"], "CANCELLED")


async def test_the_e_mail_says_when_the_event_is_removed(post: Post) -> None:
    async with post.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana, remove_after="week")
    await say(post, ben, event)
    post.site.clock.turn(5 * MINUTE)
    (mail,) = await to_ben(post)
    assert "This event’s page and chat will be removed on Saturday 11 July." in text_of(mail)


async def test_declining_cancels_the_entry_and_accepting_restores_it(post: Post, evening) -> None:
    """METHOD:CANCEL has the same UID with the same SEQUENCE and a later stamp (RFC 5546, section 2.1.5), so that the
    host's changes take precedence.
    """
    _, ben, event = evening
    entries = []
    for reply in (RsvpReply.GOING, RsvpReply.DECLINED, RsvpReply.GOING, RsvpReply.DECLINED):
        await say(post, ben, event, reply)
        assert await to_ben(post) == []
        post.site.clock.turn(5 * MINUTE)
        (mail,) = await to_ben(post)
        read = icalendar.Calendar.from_ical(calendar_of(mail).get_content())
        (entry,) = read.walk("VEVENT")
        entries.append((read["METHOD"], entry["STATUS"], entry["SEQUENCE"], entry["DTSTAMP"].dt, entry["UID"]))
    assert [one[:3] for one in entries] == [
        ("PUBLISH", "CONFIRMED", 1),
        ("CANCEL", "CANCELLED", 1),
        ("PUBLISH", "CONFIRMED", 1),
        ("CANCEL", "CANCELLED", 1),
    ]
    assert entries[0][3] < entries[1][3] < entries[2][3] < entries[3][3]
    assert len({one[4] for one in entries}) == 1
    assert mail["Subject"] == "You’re not going: Board games, Sat 4 Jul"
    assert "removes the entry from your calendar" in text_of(mail)


async def test_readers_elsewhere_read_their_own_time_too(post: Post, evening) -> None:
    """In the confirmation, after a move, and of a cancelled event; the old time is only that of the event."""
    ana, ben, event = evening
    async with post.db.transaction() as tx:
        await tx.execute("update users set time_zone = 'America/New_York' where id = :id", id=ben.user_id)
    await say(post, ben, event)
    post.site.clock.turn(5 * MINUTE)
    (confirmed,) = await to_ben(post)
    assert "Saturday 4 July, 18:00–20:00, Berlin time (12:00 for you)\n" in text_of(confirmed)
    async with post.db.transaction() as tx:
        await event_hosting.revise(tx, ana, event.slug, details(starts="2026-07-05T02:00", ends="2026-07-05T03:00"))
    (moved,) = await to_ben(post)
    now = "When: Sunday 5 July, 02:00–03:00, Berlin time (Sat 20:00 for you) (was: Saturday 4 July, 18:00)\n"
    assert now in text_of(moved)
    async with post.db.transaction() as tx:
        await event_hosting.cancel(tx, ana, event.slug, "")
    (cancelled,) = await to_ben(post)
    assert "When: Sunday 5 July, 02:00–03:00, Berlin time (Sat 20:00 for you)\n" in text_of(cancelled)


@pytest.mark.parametrize("reply", [RsvpReply.DECLINED, RsvpReply.INTERESTED])
async def test_an_answer_withdrawn_meanwhile_is_not_mailed(post: Post, evening, reply: RsvpReply) -> None:
    _, ben, event = evening
    await say(post, ben, event)
    await say(post, ben, event, reply)
    post.site.clock.turn(HOUR)
    assert await to_ben(post) == []
    await say(post, ben, event)
    post.site.clock.turn(5 * MINUTE)
    assert len(await to_ben(post)) == 1


async def test_confirmations_are_switched_off_in_the_settings_and_by_their_link(post: Post, evening) -> None:
    ana, ben, event = evening
    await say(post, ben, event)
    post.site.clock.turn(5 * MINUTE)
    (mail,) = await to_ben(post)
    async with post.site.browser() as browser:
        (link,) = re.findall(r"/mail/stop/\S+", text_of(mail))
        await browser.post(link)
    async with post.db.transaction() as tx:
        other, third = await event_by(tx, ana, title="Chess"), await event_by(tx, ana, title="Go")
    await say(post, ben, other)
    post.site.clock.turn(5 * MINUTE)
    assert await to_ben(post) == []
    async with post.db.transaction() as tx:
        await notifications.set_channels(tx, ben.user_id, {NotificationTopic.OWN_ANSWERS: frozenset()})
    await say(post, ben, third)
    post.site.clock.turn(5 * MINUTE)
    assert await to_ben(post) == []


async def test_hosts_get_no_entry(post: Post, evening) -> None:
    """Hosts already have the event in their calendar."""
    ana, _, event = evening
    await say(post, ana, event)
    async with post.db.transaction() as tx:
        cleo, series = await create_weekly_series(tx)
        await standing_rsvps.answer_all(tx, cleo, series.slug, RsvpReply.GOING)
    post.site.clock.turn(5 * MINUTE)
    assert await post.deliver() == []


async def turned(post: Post) -> list[tuple[str, str | None]]:
    """Subject and calendar method of each e-mail that Ben gets within the next five minutes."""
    post.site.clock.turn(5 * MINUTE)
    return await mailed(post)


async def mailed(post: Post) -> list[tuple[str, str | None]]:
    """Subject and calendar method of each e-mail to Ben that is due now."""
    mails = await to_ben(post)
    return [(one["Subject"], part.get_param("method") if (part := calendar_of(one)) else None) for one in mails]


ENDED = [("You’re not going: Board games, Sat 4 Jul", "CANCEL")]


async def test_an_entry_is_cancelled_however_the_person_declined(post: Post, evening) -> None:
    """The entry is cancelled once, even if the person said maybe first or said yes again for a minute."""
    _, ben, event = evening
    await say(post, ben, event)
    assert await turned(post) == [("You’re going: Board games, Sat 4 Jul", "PUBLISH")]
    for reply in (RsvpReply.INTERESTED, RsvpReply.GOING, RsvpReply.DECLINED):
        await say(post, ben, event, reply)
        post.site.clock.turn(MINUTE)
    assert await turned(post) == ENDED
    await say(post, ben, event, RsvpReply.INTERESTED)
    await say(post, ben, event, RsvpReply.DECLINED)
    assert await turned(post) == []


async def test_the_cancellation_is_the_same_at_every_attempt(post: Post, evening) -> None:
    _, ben, event = evening
    await say(post, ben, event)
    await turned(post)
    await say(post, ben, event, RsvpReply.DECLINED)
    post.inbox.reply = "451 Later"
    await turned(post)
    post.inbox.reply = "250 OK"
    post.site.clock.turn(HOUR)
    assert await turned(post) == ENDED


async def test_interested_people_have_an_entry_only_if_it_was_mailed(post: Post, evening) -> None:
    ana, ben, event = evening
    await say(post, ben, event, RsvpReply.INTERESTED)
    await say(post, ben, event, RsvpReply.DECLINED)
    assert await turned(post) == []
    await say(post, ben, event, RsvpReply.INTERESTED)
    async with post.db.transaction() as tx:
        await event_hosting.revise(tx, ana, event.slug, details(starts="2026-07-05T19:00", ends="2026-07-05T21:00"))
    assert await turned(post) == [("New time: Board games, Sun 5 Jul", "PUBLISH")]
    await say(post, ben, event, RsvpReply.DECLINED)
    assert await turned(post) == [("You’re not going: Board games, Sun 5 Jul", "CANCEL")]


async def test_the_removal_e_mail_cancels_the_entry(post: Post, evening) -> None:
    ana, ben, event = evening
    await say(post, ben, event)
    await turned(post)
    async with post.db.transaction() as tx:
        mine = await find(tx, event.id, ben.user_id)
        await host_decisions.reject(tx, ana, event.slug, [mine.id])
    post.site.clock.turn(HOUR)
    assert await turned(post) == [("No place: Board games, Sat 4 Jul", "CANCEL")]


async def test_an_undone_removal_is_mailed_if_the_removal_was(post: Post, evening) -> None:
    """If the host undoes a removal that was mailed, the next e-mail contains the cancelled calendar entry again. If the
    host undoes it within two minutes, no e-mail is sent.
    """
    ana, ben, event = evening
    await say(post, ben, event)
    await turned(post)
    for waits, mails in (
        (
            2 * MINUTE,
            [[("No place: Board games, Sat 4 Jul", "CANCEL")], [("You’re in: Board games, Sat 4 Jul", "PUBLISH")]],
        ),
        (2 * MINUTE - 1, [[], []]),
    ):
        async with post.db.transaction() as tx:
            mine = await find(tx, event.id, ben.user_id)
            await host_decisions.reject(tx, ana, event.slug, [mine.id])
        post.site.clock.turn(waits)
        seen = [await mailed(post)]
        async with post.db.transaction() as tx:
            await host_decisions.restore(tx, ana, event.slug, mine.id)
        post.site.clock.turn(HOUR)
        seen.append(await turned(post))
        assert seen == mails
    async with post.db.transaction() as tx:
        found = [one.kind for one in await newest(tx, ben.user_id, 9)]
    assert found == [event_kinds.ANSWER_APPROVED, event_kinds.ANSWER_REJECTED]


async def test_declining_by_record_cancels_the_entry(post: Post, evening) -> None:
    """Deleting the record has the same effect: this site sent the entry, so this site cancels it."""
    _, ben, event = evening
    uri = "at://did:plc:ben/community.lexicon.calendar.rsvp/1"
    for is_deleted in (False, True):
        await say(post, ben, event)
        await turned(post)
        async with post.db.transaction() as tx:
            said = RsvpRecordStatus.GOING if is_deleted else RsvpRecordStatus.NOT_GOING
            await rsvp_records.apply_from_network(
                tx,
                RecordedRsvp(event_id=event.id, user_id=ben.user_id, record_uri=uri, status=said, first_seen_at=tx.now),
            )
            if is_deleted:
                await rsvp_records.apply_deletion_from_network(tx, record_uri=uri)
        assert await turned(post) == ENDED


async def test_returning_to_one_date_cancels_only_the_others(post: Post) -> None:
    """A person who leaves a whole series and then goes to one date, before the e-mail is sent, keeps that date alone."""
    async with post.db.transaction() as tx:
        ben = await person(tx, "Ben")
        _, series = await create_weekly_series(tx)
        first, *others = await dates(tx, series)
        await standing_rsvps.answer_all(tx, ben, series.slug, RsvpReply.GOING)
    assert await turned(post) == [("Your answers: Practice", "PUBLISH")]
    async with post.db.transaction() as tx:
        await standing_rsvps.stop(tx, ben, series.slug, declines=True)
    post.site.clock.turn(MINUTE)
    await say(post, ben, first)
    post.site.clock.turn(4 * MINUTE)
    (mail,) = await to_ben(post)
    entries = icalendar.Calendar.from_ical(calendar_of(mail).get_content()).walk("VEVENT")
    assert [one["RECURRENCE-ID"].dt.date() for one in entries] == [_day_of(one) for one in others]
    assert "You’re no longer going to one date of Practice:" in text_of(mail)
    assert await turned(post) == [("You’re going: Practice, Tue 24 Nov", "PUBLISH")]


async def test_going_to_a_whole_series_is_one_e_mail(post: Post) -> None:
    """Leaving the whole series sends one e-mail that cancels every entry. A change that is undone at once sends none."""
    async with post.db.transaction() as tx:
        ben = await person(tx, "Ben")
        _, series = await create_weekly_series(tx)
        held = await dates(tx, series)
        await standing_rsvps.answer_all(tx, ben, series.slug, RsvpReply.GOING)
        await standing_rsvps.stop(tx, ben, series.slug, declines=True)
    post.site.clock.turn(5 * MINUTE)
    assert await to_ben(post) == []
    seen = []
    for goes in (True, False):
        async with post.db.transaction() as tx:
            if goes:
                await standing_rsvps.answer_all(tx, ben, series.slug, RsvpReply.GOING)
                await standing_rsvps.answer_all(tx, ben, series.slug, RsvpReply.GOING)
            else:
                await standing_rsvps.stop(tx, ben, series.slug, declines=True)
        post.site.clock.turn(5 * MINUTE)
        (mail,) = await to_ben(post)
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        read = icalendar.Calendar.from_ical(calendar_of(mail).get_content())
        entries = read.walk("VEVENT")
        assert {str(one["UID"]) for one in entries} == {f"{series.id}@openmeet.test"}
        assert [one["RECURRENCE-ID"].dt.date() for one in entries] == [_day_of(one) for one in held]
        assert {one["STATUS"] for one in entries} == ({"CONFIRMED"} if goes else {"CANCELLED"})
        assert text_of(mail).count("\n- ") == (len(held) if goes else 0)
        seen.append((read["METHOD"], mail["Subject"], max((one["SEQUENCE"], one["DTSTAMP"].dt) for one in entries)))
    assert [one[:2] for one in seen] == [
        ("PUBLISH", "Your answers: Practice"),
        ("CANCEL", "You’re not going: Practice"),
    ]
    assert seen[0][2] < seen[1][2]


async def test_declining_one_date_cancels_only_that_entry(post: Post) -> None:
    async with post.db.transaction() as tx:
        ben = await person(tx, "Ben")
        _, series = await create_weekly_series(tx)
        first, *_ = await dates(tx, series)
        await standing_rsvps.answer_all(tx, ben, series.slug, RsvpReply.GOING)
    post.site.clock.turn(HOUR)
    assert len(await to_ben(post)) == 1
    await say(post, ben, first, RsvpReply.DECLINED)
    post.site.clock.turn(5 * MINUTE)
    (mail,) = await to_ben(post)
    read = icalendar.Calendar.from_ical(calendar_of(mail).get_content())
    (entry,) = read.walk("VEVENT")
    assert (read["METHOD"], entry["RECURRENCE-ID"].dt.date()) == ("CANCEL", _day_of(first))


def _day_of(event) -> date:
    return date.fromisoformat(event.position_in_series.original_date[:10])
