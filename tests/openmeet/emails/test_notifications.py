"""Notification e-mails: content, recipients and attachments, through a real SMTP server, on both engines."""

import re
from dataclasses import replace
from datetime import timedelta

import icalendar
import pytest

from groundwork.clock import DAY, HOUR, MINUTE
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting, host_decisions, invitations, registration
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.queries import find
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.attendance.tasks import remind
from openmeet.domain.events.queries import by_slug
from openmeet.domain.events.values import Visibility
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications import notify as notifications
from openmeet.domain.notifications.model import Channel, NotificationTopic, ShownTime
from openmeet.domain.notifications.queries import newest
from openmeet.domain.users import actions as users
from openmeet.emails.notifications.content import notification_lines
from tests.openmeet.emails.conftest import calendar_of, html_of, links_of, text_of
from tests.openmeet.series.practice import create_weekly_series, dates, lock_series, move_all_dates
from tests.openmeet.site_under_test import details, event_by, person

GOING, DECLINED = RsvpReply.GOING, RsvpReply.DECLINED


@pytest.fixture
async def evening(post):
    """Ana hosts, Ben and Cleo are going, and Ana's e-mail about it has been delivered."""
    async with post.db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana)
        for guest in (ben, cleo):
            await attendance.answer(tx, guest, event.slug, GOING)
    post.site.clock.turn(HOUR)
    await post.deliver()
    return ana, ben, cleo, event


async def revise(post, host, event, **typed: str):
    async with post.db.transaction() as tx:
        return await event_hosting.revise(tx, host, event.slug, details(**typed))


async def cancel(post, host, event, reason=""):
    async with post.db.transaction() as tx:
        return await event_hosting.cancel(tx, host, event.slug, reason)


async def cancelling(tx, host, slug):
    await event_hosting.cancel(tx, host, slug, "")


def tos(mails):
    return [mail["To"] for mail in mails]


def calendar(mail):
    part = calendar_of(mail)
    return part, icalendar.Calendar.from_ical(part.get_content())


async def test_a_move_is_mailed_at_once_with_the_old_and_the_new_time(post, evening):
    ana, *_, event = evening
    await revise(post, ana, event, starts="2026-07-05T19:00", ends="2026-07-05T21:00")
    mails = await post.deliver()
    assert tos(mails) == ["ben@example.org", "cleo@example.org"]
    assert mails[0]["Subject"] == "New time: Board games, Sun 5 Jul"
    now = "Sunday 5 July, 19:00–21:00, Berlin time"
    assert f"When: {now} (was: Saturday 4 July, 18:00)" in text_of(mails[0])
    assert re.search(f"<s[^>]*>Saturday 4 July, 18:00</s><br><strong>{now}</strong>", html_of(mails[0]))
    # The change is not repeated among the facts. What has not changed is.
    for words, when, where in (
        (text_of(mails[0]), "When:", "Where: Town library, Berlin\n"),
        (html_of(mails[0]), ">When<", "Town library, Berlin</span></p>"),
    ):
        assert words.count(when) == words.count(where) == 1
    part, read = calendar(mails[0])
    (entry,) = read.walk("VEVENT")
    assert (part.get_param("method"), read["METHOD"], entry["UID"]) == (
        "PUBLISH",
        "PUBLISH",
        f"{event.id}@openmeet.test",
    )
    assert entry["DTSTART"].dt.isoformat() == "2026-07-05T19:00:00+02:00"


async def test_a_new_place_is_mailed_at_once(post, evening):
    ana, *_, event = evening
    await revise(post, ana, event, venue_name="Café Mitte")
    mail, _ = await post.deliver()
    assert mail["Subject"] == "New place: Board games, Sat 4 Jul"
    assert "Where: Café Mitte, Berlin (was: Town library, Berlin)" in text_of(mail)
    assert text_of(mail).count("Where:") == html_of(mail).count(">Where<") == 1
    assert "When: Saturday 4 July, 18:00–20:00, Berlin time\n" in text_of(mail)


@pytest.mark.parametrize(("zone", "country"), [("Europe/Berlin", ""), ("Europe/London", ", Germany")])
async def test_the_readers_own_country_is_left_out(post, evening, zone, country):
    """In the old and in the new place of a change, and in a place that has not changed."""
    ana, *_, event = evening
    async with post.db.transaction() as tx:
        await tx.execute("update users set time_zone = :zone where id <> :ana", zone=zone, ana=ana.user_id)
    await revise(post, ana, event, country="DE")
    await post.deliver()
    await revise(post, ana, event, country="DE", venue_name="Café Mitte")
    mail, _ = await post.deliver()
    assert f"Where: Café Mitte, Berlin{country} (was: Town library, Berlin{country})" in text_of(mail)
    await revise(
        post, ana, event, country="DE", venue_name="Café Mitte", starts="2026-07-05T19:00", ends="2026-07-05T21:00"
    )
    mail, _ = await post.deliver()
    assert f"Where: Café Mitte, Berlin{country}\n" in text_of(mail)


async def test_a_changed_private_address_is_shown_to_guests_in_full(post, evening):
    ana, *_, event = evening
    await revise(post, ana, event, street="Main Street 5", locality="Potsdam", place_audience="attendees")
    mail, _ = await post.deliver()
    assert "Where: Town library, Main Street 5, Potsdam (was: Town library, Berlin)" in text_of(mail)


async def test_the_year_is_named_if_it_is_another_one(post, evening):
    ana, *_, event = evening
    await revise(post, ana, event, starts="2027-07-05T19:00", ends="2027-07-05T21:00")
    mail, _ = await post.deliver()
    when = "When: Monday 5 July 2027, 19:00–21:00, Berlin time (was: Saturday 4 July, 18:00)"
    assert when in text_of(mail)


async def test_a_new_description_is_not_mailed(post, evening):
    ana, *_, event = evening
    await revise(post, ana, event, description="Bring your favourite.")
    post.site.clock.turn(DAY)
    assert await post.deliver() == []


async def test_moving_there_and_back_is_not_mailed(post, evening):
    ana, *_, event = evening
    await revise(post, ana, event, starts="2026-07-05T19:00", ends="2026-07-05T21:00")
    await revise(post, ana, event)
    assert await post.deliver() == []


async def test_a_cancellation_removes_the_event_from_calendars(post, evening):
    """The e-mail has METHOD:CANCEL with the same UID and a higher SEQUENCE than any earlier file."""
    ana, *_, event = evening
    await revise(post, ana, event, venue_name="Café Mitte")
    _, before = calendar((await post.deliver())[0])
    await cancel(post, ana, event, "The roof leaks.")
    mail, _ = await post.deliver()
    assert mail["Subject"] == "Cancelled: Board games, Sat 4 Jul"
    assert "\nCancelled. The host writes: The roof leaks.\n" in text_of(mail)
    _, after = calendar(mail)
    (old,), (new,) = before.walk("VEVENT"), after.walk("VEVENT")
    assert (after["METHOD"], new["STATUS"], new["UID"]) == ("CANCEL", "CANCELLED", old["UID"])
    assert new["SEQUENCE"] > old["SEQUENCE"]


async def test_the_subject_tells_the_dates_of_a_series_apart(post):
    async with post.db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        first = (await dates(tx, series))[0]
        await attendance.answer(tx, await person(tx, "Ben"), first.slug, GOING)
        await event_hosting.cancel(tx, ana, first.slug, "")
    mail = next(one for one in await post.deliver() if one["To"] == "ben@example.org")
    assert mail["Subject"] == "Cancelled: Practice, Tue 24 Nov"


async def test_cancelling_and_restoring_is_one_e_mail(post, evening):
    ana, *_, event = evening
    await cancel(post, ana, event)
    async with post.db.transaction() as tx:
        await event_hosting.reinstate(tx, ana, event.slug)
    mail, _ = await post.deliver()
    assert mail["Subject"] == "Back on: Board games, Sat 4 Jul"
    assert "Cancelled" not in text_of(mail)


async def test_the_e_mail_about_a_deleted_event_has_no_link(post, evening):
    ana, *_, event = evening
    async with post.db.transaction() as tx:
        await event_hosting.delete(tx, ana, event.slug)
    mail, _ = await post.deliver()
    assert mail["Subject"] == "Deleted: Board games, Sat 4 Jul"
    assert not any("/events/" in link or "/answer/" in link for link in links_of(mail))
    assert calendar(mail)[1]["METHOD"] == "CANCEL"


async def test_an_offer_is_mailed_while_it_is_open(post):
    async with post.db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana, capacity="1")
    for guest, reply in ((ben, GOING), (cleo, GOING), (ben, DECLINED)):
        async with post.db.transaction() as tx:
            await attendance.answer(tx, guest, event.slug, reply)
        post.site.clock.turn(HOUR)
    mails = {mail["To"]: mail for mail in await post.deliver()}
    assert mails["cleo@example.org"]["Subject"] == "A place for you: Board games, Sat 4 Jul"
    text, html = text_of(mails["cleo@example.org"]), html_of(mails["cleo@example.org"])
    assert all(f"{one}: http" in text and f">{one}</a>" in html for one in ("Take the place", "Can’t go"))
    assert "Ben isn’t going." in text_of(mails["ana@example.org"])


async def test_a_withdrawn_offer_is_mailed(post):
    """The e-mail is sent at once, like the offer, so that nobody plans with a place that no longer exists."""
    async with post.db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana, capacity="1")
        for guest in (ben, cleo):
            await attendance.answer(tx, guest, event.slug, GOING)
        await event_hosting.revise(tx, ana, event.slug, details(capacity="2"))
    assert "A place for you: Board games, Sat 4 Jul" in [one["Subject"] for one in await post.deliver()]
    await revise(post, ana, event, capacity="1")
    mail = next(one for one in await post.deliver() if one["To"] == "cleo@example.org")
    assert mail["Subject"] == "No place after all: Board games, Sat 4 Jul"
    for words in (text_of(mail), html_of(mail)):
        assert "The host has room for fewer people now." in words
        assert "You’re on the waitlist" in words


async def test_an_unsent_offer_is_not_withdrawn_by_e_mail(post):
    async with post.db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana, capacity="1")
        for guest in (ben, cleo):
            await attendance.answer(tx, guest, event.slug, GOING)
        for capacity in ("2", "1"):
            await event_hosting.revise(tx, ana, event.slug, details(capacity=capacity))
    assert "cleo@example.org" not in [one["To"] for one in await post.deliver()]


async def test_approval_and_an_offer_make_one_e_mail(post):
    """A host approves a person while the event is full and raises the limit a minute later. The single e-mail has the
    final state.
    """
    async with post.db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana, capacity="1")
        await attendance.answer(tx, ben, event.slug, GOING)
        await registration.put(tx, event.id, RegistrationSettings(needs_approval=True))
        asked = await attendance.answer(tx, cleo, event.slug, GOING)
        await host_decisions.approve(tx, ana, event.slug, [asked.id])
        (news,) = await newest(tx, cleo.user_id, 9)
        (shown,) = await notification_lines(tx, [news], cleo.user_id)
        await event_hosting.revise(tx, ana, event.slug, details(capacity="2"))
    assert shown[1].before == "The host said yes, but "
    mail = next(one for one in await post.deliver() if one["To"] == "cleo@example.org")
    assert mail["Subject"] == "A place for you: Board games, Sat 4 Jul"
    assert "full" not in text_of(mail)


async def test_answers_are_bundled_for_the_host(post, evening):
    """Two people who answer three times within half an hour make one e-mail with each person's last answer."""
    _, ben, cleo, event = evening
    for who, reply in ((ben, DECLINED), (cleo, DECLINED), (cleo, RsvpReply.INTERESTED)):
        async with post.db.transaction() as tx:
            await attendance.answer(tx, who, event.slug, reply)
        post.site.clock.turn(MINUTE)
    post.site.clock.turn(27 * MINUTE - 1)
    assert tos(await post.deliver()) == ["ben@example.org"], (
        "he gets the end of his calendar entry, and the host gets nothing"
    )
    post.site.clock.turn(1)
    (mail,) = await post.deliver()
    assert (mail["To"], mail["Subject"]) == ("ana@example.org", "2 new answers: Board games, Sat 4 Jul")
    assert "Ben isn’t going. Cleo said maybe." in text_of(mail)
    assert calendar_of(mail) is None
    post.site.clock.turn(DAY)
    assert await post.deliver() == []


async def test_the_headers_have_sender_and_unsubscribe_link(post, evening):
    ana, *_, event = evening
    await cancel(post, ana, event)
    mail, _ = await post.deliver()
    assert mail["From"] == "Town Events <events@town.net>"
    assert mail["Reply-To"] == "host@town.net"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert re.fullmatch(r"<http://openmeet\.test/mail/stop/[\w-]{43}>", mail["List-Unsubscribe"])
    # The header as it was sent: one line, not split into encoded words.
    assert re.search(rb"\r\nList-Unsubscribe: <http[^\r\n]+>\r\n", post.inbox.raw[-1])
    assert mail["Message-ID"].endswith("@openmeet.test>")


async def test_a_lost_acknowledgement_repeats_the_same_e_mail(post, evening):
    """If the acknowledgement is lost, the same e-mail is sent once more with the same Message-ID (invariant 10). It
    does not include later news.
    """
    ana, *_, event = evening
    await cancel(post, ana, event)
    post.inbox.hangs_up = True
    first = await post.deliver()
    async with post.db.transaction() as tx:
        await event_hosting.reinstate(tx, ana, event.slug)
        await event_hosting.cancel(tx, ana, event.slug, "")
    post.site.clock.turn(HOUR)
    second = await post.deliver()
    post.site.clock.turn(HOUR)
    third = await post.deliver()
    ids = [mail["Message-ID"] for mail in (*first, *second, *third) if mail["To"] == "ben@example.org"]
    assert len(ids) == 4
    assert len(set(ids)) == 2


async def test_a_topic_switched_off_meanwhile_is_not_mailed(post, evening):
    ana, ben, _, event = evening
    await cancel(post, ana, event)
    async with post.db.transaction() as tx:
        await notifications.stop_mail(tx, ben.user_id, NotificationTopic.CHANGES)
    assert tos(await post.deliver()) == ["cleo@example.org"]


async def test_a_digest_has_every_event_of_the_day_once(post, evening):
    ana, ben, _, event = evening
    async with post.db.transaction() as tx:
        await notifications.set_channels(tx, ben.user_id, {NotificationTopic.CHANGES: frozenset({Channel.DIGEST})})
        other = await event_by(tx, ana, title="Chess")
        await attendance.answer(tx, ben, other.slug, GOING)
    await cancel(post, ana, event)
    await cancel(post, ana, other)
    assert tos(await post.deliver()) == ["cleo@example.org"]
    post.site.clock.turn(DAY)
    mails = await post.deliver()
    (mail,) = [one for one in mails if one["To"] == "ben@example.org"]
    assert mail["Subject"] == "Your news: Board games and 1 more"
    assert ("Board games" in text_of(mail), "Chess" in text_of(mail)) == (True, True)
    assert calendar_of(mail) is None
    post.site.clock.turn(DAY)
    assert await post.deliver() == []


async def test_private_events_are_mailed_to_invited_people_only(post, evening):
    """A person who can no longer see an event when the e-mail is sent gets no e-mail about it (invariant 3)."""
    ana, ben, _, event = evening
    await revise(post, ana, event, starts="2026-07-05T19:00", ends="2026-07-05T21:00", visibility="private")
    async with post.db.transaction() as tx:
        await tx.execute("delete from attendances where user_id = :id", id=ben.user_id)
    assert tos(await post.deliver()) == ["cleo@example.org"]


async def test_the_join_link_is_mailed_only_to_people_who_can_see_it(post):
    async with post.db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana, mode="hybrid", online_url="https://call.example.org/secret")
        await attendance.answer(tx, ben, event.slug, GOING)
        await attendance.answer(tx, cleo, event.slug, RsvpReply.INTERESTED)
    await revise(
        post,
        ana,
        event,
        starts="2026-07-05T19:00",
        ends="2026-07-05T21:00",
        mode="hybrid",
        online_url="https://call.example.org/secret",
    )
    ben_has, cleo_has = await post.deliver()
    assert "https://call.example.org/secret" in links_of(ben_has)
    assert "https://call.example.org/secret" not in links_of(cleo_has)


async def test_names_and_titles_are_escaped(post, evening):
    """HTML shows markup as typed, and a line break in a title cannot begin a new header or a new line."""
    ana, *_, event = evening
    await revise(post, ana, event, title="<b>Tea</b> & more", starts="2026-07-05T19:00", ends="2026-07-05T21:00")
    async with post.db.transaction() as tx:
        await tx.execute(
            "update events set title = :title where id = :id", title="<b>Tea</b> & more\r\nYou won: x", id=event.id
        )
    mail, _ = await post.deliver()
    assert mail["Subject"] == "New time: <b>Tea</b> & more You won: x, Sun 5 Jul"
    assert "<b>Tea</b>" not in html_of(mail)
    assert "&lt;b&gt;Tea&lt;/b&gt; &amp; more You won: x" in html_of(mail)
    assert "<b>Tea</b> & more You won: x\n" in text_of(mail)


async def test_nobody_without_a_confirmed_address_is_mailed(post, evening):
    """Shadow accounts and people with only a DID get no e-mail. An unconfirmed address is not stored in any row."""
    ana, *_, event = evening
    async with post.db.transaction() as tx:
        unreachable = await users.create_person(tx, display_name="Dora")
        await attendance.answer(tx, replace(ana, user_id=unreachable), event.slug, GOING)
    async with post.site.browser() as browser:
        asked = await browser.post("/sign-in", data={"identifier": "eve@example.org", "next": "/"})
        assert asked.status_code == 303
    await cancel(post, ana, event)
    news = [mail for mail in await post.deliver() if not mail["Subject"].startswith("Your code: ")]
    assert tos(news) == ["ben@example.org", "cleo@example.org"]


async def test_the_plain_text_is_complete(post, evening):
    """The plain text has every link and every sentence of the HTML."""
    ana, *_, event = evening
    await revise(post, ana, event, starts="2026-07-05T19:00", ends="2026-07-05T21:00")
    mail, _ = await post.deliver()
    text = text_of(mail)
    assert {link for link in re.findall(r'href="([^"]+)"', html_of(mail)) if link not in text} == set()
    assert "{" not in text
    assert "\n\n\n" not in text
    async with post.db.reader() as reader:
        assert (await by_slug(reader, event.slug)).slug in text


async def test_new_dates_of_a_followed_series_are_one_e_mail(post, evening):
    """However many dates a change adds, each follower gets one e-mail with the earliest one and the number of others."""
    ana, ben, _, _ = evening
    async with post.db.transaction() as tx:
        date = await event_by(tx, ana, title="Chess")
        dates = event_kinds.DatesChanged(starts=ShownTime(date.starts_at, date.time_zone), more=2)
        await notifications.notify(tx, event_kinds.NEW_DATE, notifications.Notice([ben.user_id], date.id, 1, dates))
    post.site.clock.turn(30 * MINUTE)
    (mail,) = await post.deliver()
    assert (mail["To"], mail["Subject"]) == ("ben@example.org", "New date: Chess, Sat 4 Jul")
    assert "It’s in a series that you follow. There are 2 more new dates." in text_of(mail)


async def test_checked_in_people_are_told_about_changes(post, evening):
    """Check-in opens a day before the event, so checked-in people are notified of changes until the event is over."""
    ana, ben, _, event = evening
    post.site.clock.turn(event.starts_at - post.site.clock.now() - HOUR)
    async with post.db.transaction() as tx:
        await host_decisions.check_in(tx, ana, event.slug, (await find(tx, event.id, ben.user_id)).id)
    await post.deliver()
    await cancel(post, ana, event)
    mails = await post.deliver()
    assert [(one["To"], one["Subject"]) for one in mails] == [
        (to, "Cancelled: Board games, Sat 4 Jul") for to in ("ben@example.org", "cleo@example.org")
    ]


@pytest.mark.parametrize("act", [event_hosting.delete, cancelling])
async def test_cancelling_a_past_event_sends_no_e_mail(post, evening, act):
    """A host who cancels or deletes an event after it is over sends no e-mail."""
    ana, *_, event = evening
    post.site.clock.turn(event.starts_at - post.site.clock.now() + DAY)
    await post.deliver()
    async with post.db.transaction() as tx:
        await act(tx, ana, event.slug)
    assert await post.deliver() == []


async def test_a_reminder_has_a_calendar_file(post, evening):
    *_, event = evening
    post.site.clock.turn(event.starts_at - post.site.clock.now() - DAY)
    assert await remind(post.db) == 2
    post.site.clock.turn(30 * MINUTE)
    mail, _ = await post.deliver()
    assert mail["Subject"] == "Tomorrow 18:00: Board games"
    assert calendar(mail)[1]["METHOD"] == "PUBLISH"


async def test_a_cancellation_replaces_a_queued_reminder(post, evening):
    """If an event is cancelled while a reminder is queued, the e-mail reports the cancellation instead."""
    ana, *_, event = evening
    post.site.clock.turn(event.starts_at - post.site.clock.now() - DAY)
    await remind(post.db)
    await cancel(post, ana, event)
    mails = await post.deliver()
    post.site.clock.turn(HOUR)
    assert [mail["Subject"] for mail in (*mails, *await post.deliver())] == ["Cancelled: Board games, Sat 4 Jul"] * 2


async def test_a_series_invitation_is_one_e_mail(post):
    async with post.db.transaction() as tx:
        ana, series = await create_weekly_series(tx, "FREQ=WEEKLY;COUNT=30", visibility=Visibility.PRIVATE)
        first = (await dates(tx, series))[0]
        await invitations.invite(tx, ana, first.slug, "eve@example.org", for_series=True)
    post.site.clock.turn(HOUR)
    (mail,) = await post.deliver()
    assert "It’s for one more date of this series, too" in " ".join(text_of(mail).split())
    assert any("/mail/answer/" in link for link in links_of(mail))


async def test_one_mail_names_all_dates_that_were_moved_with_one(post):
    async with post.db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        for event in await dates(tx, series):
            await attendance.answer(tx, ben, event.slug, GOING)
    post.site.clock.turn(HOUR)
    await post.deliver()
    async with post.db.transaction() as tx:
        await move_all_dates(tx, await lock_series(tx, ana, series), timedelta(hours=2))
    post.site.clock.turn(HOUR)
    (mail,) = await post.deliver()
    assert mail["To"] == "ben@example.org"
    assert "(was: Tuesday 24 November, 18:00)" in text_of(mail)
    assert "are now on: Tuesday 1 December, 20:00." in " ".join(text_of(mail).split())
    # Moving the other dates and back within half an hour is no news either.
    async with post.db.transaction() as tx:
        await move_all_dates(tx, await lock_series(tx, ana, series), timedelta(hours=2))
    async with post.db.transaction() as tx:
        await move_all_dates(tx, await lock_series(tx, ana, series), timedelta(hours=-2))
    post.site.clock.turn(HOUR)
    assert await post.deliver() == []
