"""The weekly e-mail "Your week": to whom, when, and what it lists; through a real SMTP server, on both engines."""

from datetime import UTC, datetime, time
from email.message import EmailMessage

import pytest

from groundwork.clock import DAY, HOUR, MINUTE, Instant, from_datetime
from openmeet.domain.account_merge.merge import merge
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting, invitations, registration
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.erasure import actions as erasure
from openmeet.domain.moderation import actions as moderation
from openmeet.domain.moderation import blocks
from openmeet.domain.moderation.model import ModeratedKind, Subject, SubjectVisibility
from openmeet.domain.notifications import notify as notifications
from openmeet.domain.notifications.model import Channel, DeliveryHours, NotificationTopic
from openmeet.domain.notifications.tasks import ENQUEUED_AT_ONCE, enqueue_weeks
from openmeet.domain.users.model import Caller
from tests.openmeet.emails.conftest import Post, html_of, link_to, text_of
from tests.openmeet.site_under_test import ORIGIN, event_by, person

BERLIN = DeliveryHours("Europe/Berlin")


def instant(text: str) -> Instant:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=UTC))


def turn_to(post: Post, text: str) -> None:
    """Move the clock to this time in UTC."""
    post.site.clock.turn(instant(text) - post.site.clock.now())


async def subscriber(tx, name: str = "Ana", hours: DeliveryHours = BERLIN, language: str = "en") -> Caller:
    """A person who switched the weekly e-mail on."""
    caller = await person(tx, name)
    await tx.execute("update users set language = :language where id = :id", language=language, id=caller.user_id)
    await switch(tx, caller, is_on=True)
    await notifications.set_hours(tx, caller.user_id, hours)
    return caller


async def switch(tx, caller: Caller, *, is_on: bool) -> None:
    channels = frozenset({Channel.EMAIL}) if is_on else frozenset()
    await notifications.set_channels(tx, caller.user_id, {NotificationTopic.WEEK: channels})


async def hide(tx, caller: Caller) -> None:
    """A moderator blocks this person."""
    subject = Subject(ModeratedKind.PERSON, caller.user_id)
    await moderation.decide(tx, (await person(tx, "Mo")).user_id, subject, SubjectVisibility.HIDDEN, "Spam")


async def weekly(post: Post) -> list[EmailMessage]:
    """Run the task and deliver. Returns the weekly e-mails."""
    await enqueue_weeks(post.db)
    return [one for one in await post.deliver() if one["Subject"].startswith(("Your week", "Deine Woche"))]


async def event_on(tx, host: Caller, starts: str, title: str = "Board games", **typed: str):
    return await event_by(tx, host, title=title, starts=starts, ends="", **typed)


async def test_it_lists_the_week_and_what_waits(post: Post) -> None:
    """Events that the person hosts, is going to, may go to, or is on the waitlist of; then invitations. Nothing that is
    cancelled, over, later, or declined.
    """
    async with post.db.transaction() as tx:
        ana, ben, cleo = await subscriber(tx), await person(tx, "Ben"), await person(tx, "Cleo")
        await event_on(tx, ana, "2026-03-05T19:00", "Choir")
        games = await event_on(tx, ben, "2026-03-03T18:00", "Games")
        full = await event_on(tx, ben, "2026-03-07T20:00", "Film night", capacity="1")
        await attendance.answer(tx, cleo, full.slug, RsvpReply.GOING)
        for event in (games, full):
            await attendance.answer(tx, ana, event.slug, RsvpReply.GOING)
        talk = await event_on(tx, ben, "2026-03-06T19:00", "Talk")
        await attendance.answer(tx, ana, talk.slug, RsvpReply.INTERESTED)
        for title, starts, reply in (
            ("Later", "2026-03-09T07:00", RsvpReply.GOING),
            ("Declined", "2026-03-04T18:00", RsvpReply.DECLINED),
            ("Cancelled", "2026-03-04T19:00", RsvpReply.GOING),
            ("Over", "2026-03-02T00:30", RsvpReply.GOING),
        ):
            other = await event_on(tx, ben, starts, title)
            await attendance.answer(tx, ana, other.slug, reply)
            if title == "Cancelled":
                await event_hosting.cancel(tx, ben, other.slug, "")
        supper = await event_on(tx, ben, "2026-05-01T18:00", "Supper")
        await invitations.invite(tx, ben, supper.slug, "ana@example.org")
    turn_to(post, "2026-03-02T05:00")
    assert await weekly(post) == []
    post.site.clock.turn(HOUR)
    (mail,) = await weekly(post)
    assert (mail["To"], mail["Subject"]) == ("ana@example.org", "Your week: 4 events, 1 to answer")
    text = text_of(mail)
    assert text.startswith(
        f"""\
2–8 Mar

Games
Tue 3 Mar · 18:00
Town library, Berlin
You’re going
{ORIGIN}/events/{games.slug}

Choir
Thu 5 Mar · 19:00
Town library, Berlin
You host this
"""
    )
    assert "Talk\nFri 6 Mar · 19:00\nTown library, Berlin\nYou said maybe\n" in text
    assert "Film night\nSat 7 Mar · 20:00\nTown library, Berlin\nOn the waitlist\n" in text
    assert "Waiting for your answer\n\nSupper\nBen invites you. Fri 1 May · 18:00\n" in text
    assert [title for title in ("Later", "Declined", "Cancelled", "Over") if title in text + html_of(mail)] == []
    assert f"See all your events: {ORIGIN}/my/events" in text
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


async def test_hosts_are_told_who_waits_for_them(post: Post) -> None:
    """Also for an event that is not in this week. The list of the week says only that they host it."""
    async with post.db.transaction() as tx:
        ana, ben = await subscriber(tx), await person(tx, "Ben")
        for starts, title in (("2026-03-05T19:00", "Choir"), ("2026-04-05T19:00", "Concert")):
            event = await event_on(tx, ana, starts, title)
            await registration.put(tx, event.id, RegistrationSettings(needs_approval=True))
            await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
    turn_to(post, "2026-03-02T06:00")
    (mail,) = await weekly(post)
    assert mail["Subject"] == "Your week: 1 event, 2 to answer"
    week, _, waiting = text_of(mail).partition("Needs you\n")
    assert "Choir\nThu 5 Mar · 19:00\nTown library, Berlin\nYou host this\n" in week
    assert "Concert" not in week
    for line in ("Thu 5 Mar · 19:00", "Sun 5 Apr · 19:00"):
        assert f"1 person is waiting for you. {line}" in waiting


@pytest.mark.parametrize(
    ("events", "invited", "language", "subject"),
    [
        (1, 0, "en", "Your week: 1 event"),
        (2, 0, "en", "Your week: 2 events"),
        (0, 1, "en", "Your week: 1 to answer"),
        (1, 2, "en", "Your week: 1 event, 2 to answer"),
        (1, 1, "de", "Deine Woche: 1 Event, 1 offene Antwort"),
        (2, 2, "de", "Deine Woche: 2 Events, 2 offene Antworten"),
        (0, 2, "de", "Deine Woche: 2 offene Antworten"),
    ],
)
async def test_the_subject_counts(post: Post, events: int, invited: int, language: str, subject: str) -> None:
    async with post.db.transaction() as tx:
        ana, ben = await subscriber(tx, language=language), await person(tx, "Ben")
        for _ in range(events):
            await event_on(tx, ana, "2026-03-05T19:00")
        for _ in range(invited):
            event = await event_on(tx, ben, "2026-03-06T19:00")
            await invitations.invite(tx, ben, event.slug, "ana@example.org")
    turn_to(post, "2026-03-02T06:00")
    (mail,) = await weekly(post)
    assert mail["Subject"] == subject


async def test_it_speaks_german(post: Post) -> None:
    async with post.db.transaction() as tx:
        ana = await subscriber(tx, language="de")
        await event_on(tx, ana, "2026-03-05T19:00", time_zone="America/New_York")
    turn_to(post, "2026-03-02T06:00")
    (mail,) = await weekly(post)
    text = text_of(mail).replace("\N{NO-BREAK SPACE}", " ")
    assert "2.–8. März" in text
    assert "Do., 5. März · 19:00 Uhr, Ortszeit New York" in text
    assert "Alle deine Events" in text
    assert '<html lang="de"' in html_of(mail)


async def test_it_is_off_by_default_and_not_sent_for_an_empty_week(post: Post) -> None:
    async with post.db.transaction() as tx:
        await subscriber(tx)
        await event_on(tx, await person(tx, "Ben"), "2026-03-05T19:00")
    turn_to(post, "2026-03-02T06:00")
    assert await weekly(post) == []


async def test_no_week_has_two(post: Post) -> None:
    """Not after a restart, and not for people who move to a zone where it is earlier. The next week has another one."""
    async with post.db.transaction() as tx:
        ana = await subscriber(tx)
        for day in ("05", "12"):
            await event_on(tx, ana, f"2026-03-{day}T19:00")
    turn_to(post, "2026-03-02T05:30")
    assert [await enqueue_weeks(post.db) for _ in range(2)] == [1, 0]
    post.site.clock.turn(30 * MINUTE)
    (first,) = await weekly(post)
    async with post.db.transaction() as tx:
        await notifications.set_hours(tx, ana.user_id, DeliveryHours("America/Los_Angeles"))
    later = []
    for _ in range(7 * 24 + 9):
        post.site.clock.turn(HOUR)
        later += [(post.site.clock.now(), one) for one in await weekly(post)]
    ((sent_at, second),) = later
    assert sent_at == instant("2026-03-09T14:00"), "07:00 in Los Angeles, in summer time"
    assert first["Message-ID"] != second["Message-ID"]


async def test_everybody_gets_it_at_seven_where_they_are(post: Post) -> None:
    zones = {"Ada": "Pacific/Auckland", "Ben": "Europe/Berlin", "Cleo": "America/Los_Angeles", "Dora": "Asia/Kathmandu"}
    async with post.db.transaction() as tx:
        for name, zone in zones.items():
            await event_on(tx, await subscriber(tx, name, DeliveryHours(zone)), "2026-03-05T19:00")
    sent = {}
    for _ in range(4 * 40):
        post.site.clock.turn(15 * MINUTE)
        sent |= {str(one["To"]).partition("@")[0]: post.site.clock.now() for one in await weekly(post)}
    assert sent == {
        "ada": instant("2026-03-01T18:00"),
        "dora": instant("2026-03-02T01:15"),
        "ben": instant("2026-03-02T06:00"),
        "cleo": instant("2026-03-02T15:00"),
    }


async def test_the_week_in_which_clocks_change(post: Post) -> None:
    """The week ends on Monday at seven by the clocks on the wall, and the next e-mail is sent at seven in summer time."""
    async with post.db.transaction() as tx:
        ana = await subscriber(tx)
        await event_on(tx, ana, "2026-03-30T06:45", "Sunrise")
        await event_on(tx, ana, "2026-03-30T07:15", "Breakfast")
    turn_to(post, "2026-03-23T06:00")
    (before,) = await weekly(post)
    assert ("Sunrise" in text_of(before), "Breakfast" in text_of(before)) == (True, False)
    turn_to(post, "2026-03-30T04:59")
    assert await weekly(post) == []
    turn_to(post, "2026-03-30T05:00")
    (after,) = await weekly(post)
    assert "Breakfast" in text_of(after)


async def test_quiet_hours_delay_it(post: Post) -> None:
    async with post.db.transaction() as tx:
        quiet = DeliveryHours("Europe/Berlin", (time(22), time(9)))
        await event_on(tx, await subscriber(tx, hours=quiet), "2026-03-05T19:00")
    turn_to(post, "2026-03-02T07:59")
    assert await weekly(post) == []
    post.site.clock.turn(MINUTE)
    assert len(await weekly(post)) == 1


async def test_what_changes_before_it_is_sent_counts(post: Post) -> None:
    """Between the task and the delivery, an event is cancelled, and another person switches the e-mail off."""
    async with post.db.transaction() as tx:
        ana, ben = await subscriber(tx), await subscriber(tx, "Ben")
        await event_on(tx, ana, "2026-03-05T19:00", "Choir")
        chess = await event_on(tx, ana, "2026-03-06T19:00", "Chess")
        await event_on(tx, ben, "2026-03-06T19:00", "Games")
    turn_to(post, "2026-03-02T05:30")
    assert await enqueue_weeks(post.db) == 2
    async with post.db.transaction() as tx:
        await event_hosting.cancel(tx, ana, chess.slug, "")
        await switch(tx, ben, is_on=False)
    post.site.clock.turn(30 * MINUTE)
    (mail,) = await weekly(post)
    assert (mail["To"], mail["Subject"]) == ("ana@example.org", "Your week: 1 event")
    assert "Chess" not in text_of(mail)


async def test_switching_it_on_begins_with_the_next_monday(post: Post) -> None:
    """Saving the same choice again does not count as switching on."""
    async with post.db.transaction() as tx:
        ana = await subscriber(tx)
        await event_on(tx, ana, "2026-03-05T19:00")
    turn_to(post, "2026-03-02T07:00")
    async with post.db.transaction() as tx:
        ben = await subscriber(tx, "Ben")
        await event_on(tx, ben, "2026-03-06T19:00")
        await event_on(tx, ben, "2026-03-13T19:00")
        await switch(tx, ana, is_on=True)
    assert [one["To"] for one in await weekly(post)] == ["ana@example.org"]
    turn_to(post, "2026-03-09T06:00")
    assert [one["To"] for one in await weekly(post)] == ["ben@example.org"]


@pytest.mark.parametrize(("back_at", "sent"), [("2026-03-02T17:59", 1), ("2026-03-02T18:00", 0)])
async def test_after_a_long_failure_it_is_left_out(post: Post, back_at: str, sent: int) -> None:
    async with post.db.transaction() as tx:
        await event_on(tx, await subscriber(tx), "2026-03-05T19:00")
    turn_to(post, back_at)
    assert len(await weekly(post)) == sent


async def test_one_that_could_not_be_sent_all_week_is_not_sent_any_more(post: Post) -> None:
    async with post.db.transaction() as tx:
        await event_on(tx, await subscriber(tx), "2026-03-09T19:00")
    turn_to(post, "2026-03-02T06:00")
    assert await enqueue_weeks(post.db) == 1
    turn_to(post, "2026-03-09T06:00")
    assert len(await weekly(post)) == 1, "that of the second week"


async def test_many_people_are_enqueued_in_batches(post: Post) -> None:
    async with post.db.transaction() as tx:
        for number in range(ENQUEUED_AT_ONCE + 1):
            await subscriber(tx, f"P{number}")
    turn_to(post, "2026-03-02T05:30")
    assert [await enqueue_weeks(post.db) for _ in range(2)] == [ENQUEUED_AT_ONCE + 1, 0]
    async with post.db.reader() as reader:
        rows = await reader.fetch("select due_at, count(*) as n from outbox_jobs where kind = 'mail' group by due_at")
    assert [(row["due_at"], row["n"]) for row in rows] == [(instant("2026-03-02T06:00"), ENQUEUED_AT_ONCE + 1)]


async def test_a_full_week_is_cut_short(post: Post) -> None:
    async with post.db.transaction() as tx:
        ana = await subscriber(tx)
        for number in range(10, 22):
            await event_on(tx, ana, f"2026-03-05T{number}:00", f"Event {number}")
    turn_to(post, "2026-03-02T06:00")
    (mail,) = await weekly(post)
    assert mail["Subject"] == "Your week: 12 events"
    text = text_of(mail)
    assert ("Event 19" in text, "Event 20" in text, "And 2 more events." in text) == (True, False, True)
    assert f'<a href="{ORIGIN}/my/events">And 2 more events.</a>' in html_of(mail)


async def test_blocked_hosts_and_hidden_events_are_left_out(post: Post) -> None:
    async with post.db.transaction() as tx:
        ana, ben, cleo = await subscriber(tx), await person(tx, "Ben"), await person(tx, "Cleo")
        await event_on(tx, ana, "2026-03-05T19:00", "Choir")
        for host, title in ((ben, "Blocked"), (cleo, "Hidden")):
            event = await event_on(tx, host, "2026-03-04T19:00", title)
            await attendance.answer(tx, ana, event.slug, RsvpReply.GOING)
            invited = await event_on(tx, host, "2026-03-04T20:00", f"{title} too")
            await invitations.invite(tx, host, invited.slug, "ana@example.org")
        await blocks.block(tx, ana.user_id, ben.user_id)
        await hide(tx, cleo)
    turn_to(post, "2026-03-02T06:00")
    (mail,) = await weekly(post)
    assert mail["Subject"] == "Your week: 1 event"
    assert "Blocked" not in text_of(mail)
    assert "Hidden" not in text_of(mail)


@pytest.mark.parametrize("state", ["suspended", "leaving", "without an address"])
async def test_people_who_left_or_are_suspended_get_none(post: Post, state: str) -> None:
    async with post.db.transaction() as tx:
        ana = await subscriber(tx)
        await event_on(tx, ana, "2026-03-05T19:00")
    turn_to(post, "2026-03-02T05:30")
    assert await enqueue_weeks(post.db) == 1
    async with post.db.transaction() as tx:
        match state:
            case "suspended":
                await hide(tx, ana)
            case "without an address":
                await tx.execute("update users set email = null where id = :id", id=ana.user_id)
            case _:
                await erasure.request(tx, ana.user_id, 14 * DAY)
    post.site.clock.turn(30 * MINUTE)
    assert await weekly(post) == []


async def test_merged_accounts_get_one(post: Post) -> None:
    async with post.db.transaction() as tx:
        ana, other = await subscriber(tx), await subscriber(tx, "Ana 2")
        await event_on(tx, other, "2026-03-05T19:00")
    turn_to(post, "2026-03-02T05:30")
    assert await enqueue_weeks(post.db) == 2
    async with post.db.transaction() as tx:
        await merge(tx, other.user_id, ana.user_id)
    post.site.clock.turn(30 * MINUTE)
    assert [one["To"] for one in await weekly(post)] == ["ana@example.org"]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
async def test_merged_account_gets_none_after_the_other_one_got_it(post: Post, zone: str) -> None:
    """Even if it is not yet seven where the remaining account is."""
    async with post.db.transaction() as tx:
        other, ana = await subscriber(tx, "Ana 2"), await person(tx, "Ana")
        await notifications.set_hours(tx, ana.user_id, DeliveryHours(zone))
        for day in ("05", "12"):
            await event_on(tx, other, f"2026-03-{day}T19:00")
    turn_to(post, "2026-03-02T06:00")
    assert [one["To"] for one in await weekly(post)] == ["ana.2@example.org"]
    async with post.db.transaction() as tx:
        await merge(tx, other.user_id, ana.user_id)
    for _ in range(7):
        post.site.clock.turn(HOUR)
        assert await weekly(post) == []
    turn_to(post, "2026-03-09T13:00")
    assert [one["To"] for one in await weekly(post)] == ["ana@example.org"]


async def test_one_click_stops_it(post: Post) -> None:
    async with post.db.transaction() as tx:
        ana = await subscriber(tx)
        for day in ("05", "12"):
            await event_on(tx, ana, f"2026-03-{day}T19:00")
    turn_to(post, "2026-03-02T06:00")
    (mail,) = await weekly(post)
    assert "Stop e-mails about your week: http" in text_of(mail)
    path = link_to(mail, "/mail/stop/")
    async with post.site.browser() as nobody:
        asked = await nobody.get(path)
        assert "Stop e-mails about your week?" in asked.text
        assert "You’ll still see this" not in asked.text
        assert (await nobody.post(path, content=b"List-Unsubscribe=One-Click")).status_code == 200
    turn_to(post, "2026-03-09T06:00")
    assert await weekly(post) == []
