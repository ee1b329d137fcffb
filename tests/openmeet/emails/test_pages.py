"""The pages that links in e-mails lead to; on both engines."""

import re

import pytest

from groundwork.clock import HOUR
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting, invitations, queries
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.events.values import Visibility
from openmeet.domain.notifications import email_links, preferences
from openmeet.domain.notifications.model import Channel, NotificationTopic
from openmeet.domain.users import guests
from openmeet.domain.users.model import Caller
from tests.openmeet.emails.conftest import link_to, links_of, text_of
from tests.openmeet.site_under_test import ORIGIN, details, event_by, h1_of, person

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
async def evening(post):
    """Ben goes to Ana's event, which was moved. Returns both people's e-mails."""
    async with post.db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
        event = await event_by(tx, ana)
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        await event_hosting.revise(tx, ana, event.slug, details(starts="2026-07-05T19:00", ends="2026-07-05T21:00"))
    post.site.clock.turn(HOUR)
    # Ben also gets the calendar entry for his answer.
    to_ana, to_ben = [mail for mail in await post.deliver() if not mail["Subject"].startswith("You’re going")]
    return ben, event, to_ana, to_ben


def answer_page(mail):
    """The path of the answer page that an e-mail links to."""
    return link_to(mail, "?reply=going").removesuffix("?reply=going")


async def status(post, event, who):
    async with post.db.reader() as reader:
        return (await queries.find(reader, event.id, who.user_id)).status


async def test_a_link_scanner_changes_nothing(post, evening):
    """Opening every link of every e-mail, by GET and by HEAD, leaves every row of the database as it was."""
    *_, to_ana, to_ben = evening
    before = await post.contents()
    async with post.site.browser() as scanner:
        for link in sorted(links_of(to_ana) | links_of(to_ben)):
            for method in ("GET", "HEAD"):
                answer = await scanner.request(method, link.removeprefix(ORIGIN), headers={"origin": ""})
                assert answer.status_code in {200, 303, 401}, (method, link)
    assert await post.contents() == before


async def test_answering_without_signing_in(post, evening):
    ben, event, _, mail = evening
    path = answer_page(mail)
    async with post.site.browser() as anybody:
        shown = await anybody.get(path)
        assert (h1_of(shown.text), "Moved since you answered: now" in shown.text) == ("Board games", True)
        assert shown.headers["cache-control"] == "no-store"
        said = await anybody.post(path, data={"reply": "declined"})
        # A redirect, so that the back button and a reload don't send the answer again.
        assert (said.status_code, said.headers["location"]) == (303, path)
        saved = (await anybody.get(path)).text
        assert ("Saved." in saved, "You said you can’t go." in saved) == (True, True)
        assert re.search(r'button chosen" name="reply" value="(\w+)"', saved)[1] == "declined"
        assert await status(post, event, ben) is AttendanceStatus.DECLINED
        assert (await anybody.post(path, data={"reply": "perhaps"})).status_code == 400
        # The link gives access to the answer to one event, and to no other data of the person.
        assert set(anybody.cookies) <= {"openmeet_flash"}
        assert (await anybody.get("/my/events")).status_code in {303, 401}


async def test_the_e_mail_about_a_move_asks_whether_the_new_time_works(post, evening):
    """The e-mail has a button for each answer. After the person confirms, the page says that they are going."""
    _, _, _, mail = evening
    asked = {reply: link_to(mail, f"?reply={reply}") for reply in ("going", "interested", "declined")}
    for label, link in zip(("Still works", "Maybe", "Can’t go"), asked.values(), strict=True):
        assert f"{label}: {ORIGIN}{link}" in text_of(mail)
    async with post.site.browser() as anybody:
        said = await anybody.post(asked["going"], data={"reply": "going"}, follow_redirects=True)
        assert (said.status_code, "Saved." in said.text, "You’re going." in said.text) == (200, True, True)


async def test_one_click_stops_a_topic(post, evening):
    """A mail program's one-click POST works without a referrer, from another site, and twice."""
    ben, _, _, mail = evening
    path = link_to(mail, "/mail/stop/")
    async with post.site.browser() as mailer:
        for headers in ({"origin": ""}, {"origin": "https://mail.example", "sec-fetch-site": "cross-site"}):
            answer = await mailer.post(path, data=ONE_CLICK, headers=headers)
            assert answer.status_code == 200
        # People with an account turn the e-mails on in their settings.
        assert (await mailer.post(f"{path}/again")).status_code == 404
    async with post.db.reader() as reader:
        chosen = await preferences.of_person(reader, ben.user_id)
    assert chosen[NotificationTopic.CHANGES] == {Channel.IN_APP}
    assert chosen[NotificationTopic.REMINDERS] == {Channel.IN_APP, Channel.EMAIL}


async def test_a_guest_can_undo_an_unsubscription(post):
    """A guest has no page for preferences, so the page of the link offers no such page, and turns the e-mails on again."""
    async with post.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        eve = Caller(await guests.find_or_make(tx, email="eve@example.org", display_name="Eve", language="en"), "Eve")
        await attendance.answer(tx, eve, event.slug, RsvpReply.GOING)
        await event_hosting.revise(tx, ana, event.slug, details(starts="2026-07-05T19:00", ends="2026-07-05T21:00"))
    post.site.clock.turn(HOUR)
    (mail,) = [one for one in await post.deliver() if one["Subject"].startswith("New time")]
    path = link_to(mail, "/mail/stop/")
    async with post.site.browser() as browser:
        assert "Notifications" not in (await browser.get(path)).text.partition("<main")[2]
        stopped = (await browser.post(path, data=ONE_CLICK)).text
        assert "/settings/notifications" not in stopped
        assert f'action="{path}/again"' in stopped
        async with post.db.reader() as reader:
            assert (await preferences.of_person(reader, eve.user_id))[NotificationTopic.CHANGES] == {Channel.IN_APP}
        again = await browser.post(f"{path}/again", follow_redirects=True)
        assert "You’ll get these e-mails again." in again.text
    async with post.db.reader() as reader:
        assert Channel.EMAIL in (await preferences.of_person(reader, eve.user_id))[NotificationTopic.CHANGES]


async def test_the_person_is_asked_before_anything_stops(post, evening):
    ben, _, _, mail = evening
    async with post.site.browser() as browser:
        asked = await browser.get(link_to(mail, "/mail/stop/"))
    assert h1_of(asked.text) == "Stop e-mails about changed and cancelled events?"
    async with post.db.reader() as reader:
        assert Channel.EMAIL in (await preferences.of_person(reader, ben.user_id))[NotificationTopic.CHANGES]


async def test_links_are_for_one_purpose_and_can_be_revoked(post, evening):
    ben, event, _, mail = evening
    stop, answer = link_to(mail, "/mail/stop/"), answer_page(mail)
    async with post.site.browser() as browser:
        swapped = stop.replace("/stop/", "/answer/")
        assert (await browser.post(swapped, data={"reply": "declined"})).status_code == 404
        assert (await browser.post(answer.replace("/answer/", "/stop/"), data=ONE_CLICK)).status_code == 404
        async with post.db.transaction() as tx:
            await email_links.revoke_all(tx, ben.user_id)
        assert (await browser.get(answer)).status_code == 404
        assert (await browser.post(answer, data={"reply": "declined"})).status_code == 404
    assert await status(post, event, ben) is AttendanceStatus.ATTENDING


async def test_a_cancelled_event_takes_no_answer(post, evening):
    ben, event, _, mail = evening
    path = answer_page(mail)
    async with post.db.transaction() as tx:
        await tx.execute("update events set status = 'cancelled' where id = :id", id=event.id)
    async with post.site.browser() as browser:
        shown = await browser.get(path)
        assert ("This event is cancelled." in shown.text, 'name="reply"' in shown.text) == (True, False)
        assert (await browser.post(path, data={"reply": "interested"})).status_code == 422
    assert await status(post, event, ben) is AttendanceStatus.ATTENDING


async def test_the_page_says_why_the_event_is_cancelled_or_that_it_is_deleted(post, evening):
    _, event, _, mail = evening
    path = answer_page(mail)
    ana = Caller(event.author_id, "Ana")
    async with post.site.browser() as browser:
        async with post.db.transaction() as tx:
            await event_hosting.cancel(tx, ana, event.slug, "The oven broke")
        assert "The oven broke" in (await browser.get(path)).text
        ticket = (await browser.get(path.replace("/mail/answer/", "/mail/ticket/"))).text
        assert ("This event is cancelled." in ticket, "Show this at the door" in ticket) == (True, False)
        async with post.db.transaction() as tx:
            await event_hosting.delete(tx, ana, event.slug)
        gone = await browser.get(path)
    assert (gone.status_code, "The host deleted" in gone.text) == (410, True)


async def test_an_invitation_has_a_button_for_each_reply(post):
    """The reply chosen in the e-mail comes first on the page. Nothing is stored until its button is pressed there."""
    async with post.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, visibility=Visibility.PRIVATE)
        await invitations.invite(tx, ana, event.slug, "eve@example.org")
    post.site.clock.turn(HOUR)
    (mail,) = await post.deliver()
    # Without an account, the page of a private event looks absent.
    assert not [link for link in links_of(mail) if "/events/" in link]
    asked = {reply: link_to(mail, f"?reply={reply}") for reply in ("going", "interested", "declined")}
    for label, link in zip(("I’m going", "Maybe", "Can’t go"), asked.values(), strict=True):
        assert f"{label}: {ORIGIN}{link}" in text_of(mail)
    async with post.site.browser() as anybody:
        for reply, link in asked.items():
            shown = (await anybody.get(link)).text
            first = re.search(r'name="reply" value="(\w+)"', shown)
            assert first is not None
            assert first[1] == reply
        said = await anybody.post(asked["interested"], data={"reply": "interested"}, follow_redirects=True)
        assert (said.status_code, "Saved." in said.text) == (200, True)
