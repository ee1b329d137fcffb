"""Notifications about chat, on pages and by e-mail; through a real SMTP server, on both engines."""

import os
import re

import pytest

from groundwork.clock import DAY, HOUR, MINUTE, Instant
from groundwork.errors import NotFound, TooMany
from groundwork.sealing import KEY_BYTES, Sealer
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import invitations
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.chat import messages, readers, room_list, rooms, sanctions
from openmeet.domain.chat.access import access
from openmeet.domain.chat.model import Access, NotificationLevel, RoomKind
from openmeet.domain.chat.queries import MessageFilter, page_of_messages
from openmeet.domain.chat.queries import shown as shown_messages
from openmeet.domain.chat.room_list import RoomFilter
from openmeet.domain.chat.rooms import RoomSettings
from openmeet.domain.chat.sanctions import SanctionKind
from openmeet.domain.notifications import email_links
from openmeet.domain.notifications import notify as notifications
from openmeet.domain.notifications.email_links import EmailLink, LinkPurpose
from openmeet.domain.notifications.model import Channel, NotificationTopic
from openmeet.domain.notifications.queries import count_unread
from openmeet.domain.users import guests
from openmeet.domain.users.model import Caller
from tests.openmeet.chat.rooms import room_of, send_text, subject_of_event
from tests.openmeet.emails.chat_emails import (
    deliver_mails_after,
    notification_texts,
    run_chat_notifications,
    say_and_notify,
)
from tests.openmeet.emails.conftest import html_of, link_to, links_of, text_of
from tests.openmeet.site_under_test import CODE_KEY, event_by, person

SEALER = Sealer([os.urandom(KEY_BYTES)])


@pytest.fixture
async def chat(post):
    """Ana hosts, Ben and Cleo are going, and the e-mails about that have been delivered."""
    async with post.db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana)
        for one in (ben, cleo):
            await attendance.answer(tx, one, event.slug, RsvpReply.GOING)
        room = await room_of(tx, ana, subject_of_event(event))
    post.site.clock.turn(HOUR)
    await post.deliver()
    return event, room, ana, ben, cleo


async def test_only_mentioned_or_answered_people_are_notified(post, chat):
    event, room, _ana, ben, cleo = chat
    first = await say_and_notify(post, ben, room, "Who has the *key*, @cleo?")
    await say_and_notify(post, cleo, room, "I have", reply_to=first.id)
    assert await notification_texts(post, cleo) == [f"Ben mentions you in {event.title}: Who has the key, @cleo?"]
    assert await notification_texts(post, ben) == [f"Cleo replies to you in {event.title}: I have"]
    post.site.clock.turn(9 * MINUTE)
    assert await post.deliver() == []
    post.site.clock.turn(2 * MINUTE)
    to_ben, to_cleo = await post.deliver()
    assert (to_ben["To"], to_ben["Subject"]) == ("ben@example.org", f"A reply to you: {event.title}")
    assert (to_cleo["To"], to_cleo["Subject"]) == ("cleo@example.org", f"You’re mentioned: {event.title}")
    assert "Ben writes:\n\nWho has the *key*, @cleo?" in text_of(to_cleo)
    assert "Reply" in html_of(to_cleo)
    assert link_to(to_cleo, "/events/") == f"/events/{event.slug}/chat"


async def test_repeating_the_job_notifies_nobody_twice(post, chat):
    _, room, ana, ben, _ = chat
    await say_and_notify(post, ana, room, "@ben hello")
    async with post.db.transaction() as tx:
        await tx.execute("update chat_rooms set notified_up_to = 0")
    await say_and_notify(post, ana, room, "and more")
    assert len(await notification_texts(post, ben)) == 1
    assert await deliver_mails_after(post) == [("ben@example.org", "You’re mentioned: Board games")]


async def test_reading_it_in_time_prevents_the_e_mail(post, chat):
    _, room, ana, ben, _ = chat
    one = await say_and_notify(post, ana, room, "@ben hello")
    async with post.db.reader() as reader:
        assert await count_unread(reader, ben.user_id) > 0
        before = await count_unread(reader, ben.user_id)
    async with post.db.transaction() as tx:
        await readers.mark_read(tx, ben, room.id, one.number)
    async with post.db.reader() as reader:
        assert await count_unread(reader, ben.user_id) == before - 1
    assert await deliver_mails_after(post) == []


async def test_people_in_the_room_are_notified_only_if_it_stays_unread(post, chat):
    _, room, ana, ben, _ = chat
    async with post.db.transaction() as tx:
        await readers.mark_read(tx, ben, room.id, 1)
    post.site.clock.turn(MINUTE)
    await say_and_notify(post, ana, room, "@ben still there?")
    assert await notification_texts(post, ben) == []
    assert await deliver_mails_after(post) == [("ben@example.org", "You’re mentioned: Board games")]


@pytest.mark.parametrize("how", ["left", "banned", "removed", "taken_back", "held", "room_gone"])
async def test_messages_that_became_unreadable_are_not_mailed_or_shown(post, chat, how):
    event, room, ana, ben, cleo = chat
    one = await say_and_notify(post, cleo, room, "@ben psst")
    assert len(await notification_texts(post, ben)) == 1
    async with post.db.transaction() as tx:
        if how == "left":
            await attendance.answer(tx, ben, event.slug, RsvpReply.DECLINED)
        elif how == "banned":
            await sanctions.sanction(tx, ana, room.id, ben.user_id, SanctionKind.BAN, reason="rude")
        elif how == "removed":
            await messages.remove(tx, ana, one.id, "rude", SEALER)
        elif how == "taken_back":
            await messages.retract(tx, cleo, one.id)
        elif how == "held":
            await messages.hold(tx, ana, one.id)
        else:
            await tx.execute("delete from chat_rooms where id = :id", id=room.id)
    post.site.clock.turn(HOUR)
    assert [mail for mail in await post.deliver() if "mentioned" in str(mail["Subject"])] == []
    banned = [f"A host banned you from the chat of {event.title}: rude"]
    assert await notification_texts(post, ben) == (banned if how == "banned" else [])


async def test_a_held_message_notifies_when_it_is_released(post, chat):
    _, room, ana, ben, cleo = chat
    async with post.db.transaction() as tx:
        await rooms.change_settings(tx, ana, room.id, RoomSettings(holds_messages=True))
    one = await say_and_notify(post, cleo, room, "@ben look")
    assert await notification_texts(post, ben) == []
    async with post.db.transaction() as tx:
        await messages.release(tx, ana, one.id)
    await run_chat_notifications(post)
    assert len(await notification_texts(post, ben)) == 1


async def test_an_edit_notifies_newly_mentioned_people(post, chat):
    _, room, ana, ben, cleo = chat
    one = await say_and_notify(post, ana, room, "@ben hello")
    async with post.db.transaction() as tx:
        await messages.edit(tx, ana, one.id, "@ben @cleo hello")
    await run_chat_notifications(post)
    assert len(await notification_texts(post, ben)) == len(await notification_texts(post, cleo)) == 1


@pytest.mark.parametrize(
    ("level", "muted", "plain", "mention"),
    [
        (NotificationLevel.USUAL, False, False, True),
        (NotificationLevel.ALL, False, True, True),
        (NotificationLevel.MENTIONS, False, False, True),
        (NotificationLevel.NONE, False, False, False),
        (NotificationLevel.ALL, True, False, False),
    ],
)
async def test_each_level_gets_its_notifications(post, chat, level, muted, plain, mention):
    _, room, ana, ben, _ = chat
    async with post.db.transaction() as tx:
        until = Instant(tx.now + DAY) if muted else None
        await readers.choose_notifications(tx, ben, room.id, level, until)
    await say_and_notify(post, ana, room, "The door is open")
    assert bool(await deliver_mails_after(post)) is plain
    post.site.clock.turn(5 * HOUR)
    await say_and_notify(post, ana, room, "@ben come in")
    assert ("ben@example.org", "You’re mentioned: Board games") in await deliver_mails_after(post) or not mention


async def test_all_messages_come_in_one_bundle_until_they_are_read(post, chat):
    event, room, ana, ben, _ = chat
    async with post.db.transaction() as tx:
        await readers.choose_notifications(tx, ben, room.id, NotificationLevel.ALL, None)
    for number in range(12):
        await say_and_notify(post, ana, room, f"Thing {number}")
    assert await notification_texts(post, ben) == [f"12 new messages in {event.title}."]
    post.site.clock.turn(HOUR)
    (mail,) = await post.deliver()
    assert mail["Subject"] == f"New messages: {event.title}"
    assert "12 are waiting for you." in text_of(mail)
    assert "Ana: Thing 9" in text_of(mail)
    assert "Thing 10" not in text_of(mail)
    await say_and_notify(post, ana, room, "One more")
    assert await deliver_mails_after(post) == []
    post.site.clock.turn(4 * HOUR)
    await say_and_notify(post, ana, room, "And another")
    assert await deliver_mails_after(post) == [("ben@example.org", f"New messages: {event.title}")]


async def test_unread_rooms_are_in_the_digest_by_choice(post, chat):
    event, room, ana, ben, cleo = chat
    async with post.db.transaction() as tx:
        await notifications.set_channels(tx, ben.user_id, {NotificationTopic.ROOMS: frozenset({Channel.DIGEST})})
        for one in (ben, cleo):
            await readers.mark_read(tx, one, room.id, 1)
    post.site.clock.turn(HOUR)
    await say_and_notify(post, ana, room, "The door is open")
    assert await deliver_mails_after(post) == []
    post.site.clock.turn(DAY)
    (mail,) = await post.deliver()
    assert mail["To"] == "ben@example.org"
    assert f"{event.title}\n\nNew messages. One is waiting for you." in text_of(mail)


async def test_questions_reach_the_hosts_and_answers_the_asker(post, chat):
    event, _, ana, ben, _ = chat
    async with post.db.transaction() as tx:
        room = await room_of(tx, ben, subject_of_event(event), RoomKind.DIRECT, with_user_id=ben.user_id)
    await say_and_notify(post, ben, room, "Is there a lift?")
    assert await deliver_mails_after(post) == [
        ("ana@example.org", f"Message to the hosts: {event.title} · Ben and the hosts")
    ]
    await say_and_notify(post, ana, room, "There is")
    assert await deliver_mails_after(post) == [
        ("ben@example.org", f"Reply from the hosts: {event.title} · You and the hosts")
    ]


async def test_a_private_event_is_not_quoted(post):
    async with post.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana, visibility="private")
        await invitations.invite(tx, ana, event.slug, "ben@example.org")
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        room = await room_of(tx, ana, subject_of_event(event))
    post.site.clock.turn(HOUR)
    await post.deliver()
    await say_and_notify(post, ana, room, "@ben the code is 4711")
    post.site.clock.turn(HOUR)
    (mail,) = await post.deliver()
    assert "Ana wrote about you in the chat." in text_of(mail)
    assert "4711" not in text_of(mail) + html_of(mail)


async def test_one_click_mutes_the_chat(post, chat):
    _, room, ana, ben, _ = chat
    await say_and_notify(post, ana, room, "@ben hello")
    post.site.clock.turn(HOUR)
    (mail,) = await post.deliver()
    path = str(mail["List-Unsubscribe"]).strip("<>").split("example", 1)[-1]
    path = path[path.index("/mail/stop") :]
    async with post.site.browser() as nobody:
        assert "one chat" in (await nobody.get(path)).text
        assert (await nobody.post(path, content=b"List-Unsubscribe=One-Click")).status_code == 200
    await say_and_notify(post, ana, room, "@ben again")
    assert await deliver_mails_after(post) == []
    async with post.db.reader() as reader:
        mine = await readers.reading_of(reader, room.id, ben.user_id)
    assert mine is not None
    assert mine.level is NotificationLevel.NONE


async def test_old_messages_are_not_mailed(post, chat):
    _, room, ana, ben, _ = chat
    async with post.db.transaction() as tx:
        await send_text(tx, ana, room, "@ben hello")
    post.site.clock.turn(2 * DAY)
    await run_chat_notifications(post)
    assert await notification_texts(post, ben) == []
    assert await deliver_mails_after(post) == []


async def test_blocked_and_muted_authors_cause_no_notification(post, chat):
    _, room, _ana, ben, cleo = chat
    async with post.db.transaction() as tx:
        await tx.execute(
            "insert into user_mutes (user_id, kind, subject, created_at) values (:me, 'person', :subject, :now)",
            me=ben.user_id,
            subject=cleo.user_id,
            now=tx.now,
        )
    await say_and_notify(post, cleo, room, "@ben psst")
    assert await notification_texts(post, ben) == []
    assert await deliver_mails_after(post) == []


async def said_in(post, room, who):
    async with post.db.reader() as reader:
        page = await page_of_messages(reader, room, who.user_id, MessageFilter())
    return [(one.name, one.message.body) for one in page.messages]


async def test_an_e_mail_can_be_answered_without_signing_in(post, chat):
    _, room, ana, ben, _ = chat
    await say_and_notify(post, ana, room, "@ben who has the <key>?")
    post.site.clock.turn(HOUR)
    (mail,) = await post.deliver()
    path = link_to(mail, "/mail/chat/")
    async with post.site.browser() as nobody:
        shown = await nobody.get(path)
        assert "who has the &lt;key&gt;?" in shown.text
        assert shown.headers["cache-control"] == "no-store"
        assert await notification_texts(post, ben) != []
        (key,) = re.findall(r'name="submission" value="([^"]+)"', shown.text)
        for _ in range(2):
            sent = await nobody.post(path, data={"text": "I have", "submission": key})
            assert (sent.status_code, sent.headers["location"]) == (303, path)
            assert sent.headers["cache-control"] == "no-store"
            assert "Sent. Everyone in this chat can read it now." in (await nobody.get(path)).text
        empty = await nobody.post(path, data={"text": " "})
        assert empty.status_code == 400
        assert "Write something" in empty.text or "problem" in empty.text
    assert await said_in(post, room, ana) == [("Ana", "@ben who has the <key>?"), ("Ben", "I have")]


async def test_the_reply_page_says_when_a_moderator_looks_first(post, chat):
    _, room, ana, _, cleo = chat
    await say_and_notify(post, ana, room, "@ben where do we get the key?")
    post.site.clock.turn(HOUR)
    (mail,) = await post.deliver()
    path = link_to(mail, "/mail/chat/")
    async with post.site.browser() as nobody:
        for _ in range(2):
            data = {"text": "At https://keys.example", "submission": "only-once"}
            assert (await nobody.post(path, data=data)).status_code == 303
            shown = (await nobody.get(path)).text
            assert "Sent. A moderator looks at it first." in shown
            assert "can read it now" not in shown
    assert [text for _, text in await said_in(post, room, cleo)] == ["@ben where do we get the key?"]


@pytest.mark.parametrize("how", ["a week later", "revoked", "left", "muted"])
async def test_a_reply_link_expires(post, chat, how):
    event, room, ana, ben, _ = chat
    await say_and_notify(post, ana, room, "@ben hello")
    post.site.clock.turn(HOUR)
    (mail,) = await post.deliver()
    path = link_to(mail, "/mail/chat/")
    if how == "a week later":
        post.site.clock.turn(7 * DAY)
    async with post.db.transaction() as tx:
        if how == "revoked":
            await email_links.revoke_all(tx, ben.user_id)
        elif how == "left":
            await attendance.answer(tx, ben, event.slug, RsvpReply.DECLINED)
        elif how == "muted":
            await sanctions.sanction(tx, ana, room.id, ben.user_id, SanctionKind.MUTE, reason="rude")
    async with post.site.browser() as nobody:
        shown, sent = await nobody.get(path), await nobody.post(path, data={"text": "I have"})
    assert (shown.status_code, sent.status_code) == ((200, 403) if how == "muted" else (404, 404))
    assert [text for _, text in await said_in(post, room, ana)] == ["@ben hello"]


async def test_a_guest_without_an_account_reads_writes_and_is_mailed(post, chat):
    event, room, ana, _, _ = chat
    async with post.db.transaction() as tx:
        guest_id = await guests.find_or_make(tx, email="gil@example.org", display_name="Gil")
        gil = Caller(guest_id, "Gil")
        await attendance.answer(tx, gil, event.slug, RsvpReply.GOING)
        link = EmailLink(guest_id, LinkPurpose.ANSWER, event.id)
        path = f"/mail/answer/{await email_links.token_for(tx, CODE_KEY, link)}"
    post.site.clock.turn(HOUR)
    await post.deliver()
    async with post.site.browser() as nobody:
        assert f'href="{path}/chat"' in (await nobody.get(path)).text
        assert (await nobody.post(f"{path}/chat", data={"text": "Hello from Gil"})).status_code == 303
    assert await said_in(post, room, ana) == [("Gil", "Hello from Gil")]
    await say_and_notify(post, ana, room, "@gil welcome")
    post.site.clock.turn(HOUR)
    (mail,) = await post.deliver()
    assert (mail["To"], mail["Subject"]) == ("gil@example.org", "You’re mentioned: Board games")
    assert not [link for link in links_of(mail) if "/events/" in link]
    async with post.site.browser() as nobody:
        assert "@gil welcome" in (await nobody.get(link_to(mail, "/mail/chat/"))).text
    async with post.db.transaction() as tx:
        await attendance.answer(tx, gil, event.slug, RsvpReply.DECLINED)
    async with post.site.browser() as nobody:
        assert (await nobody.get(f"{path}/chat")).status_code == 404


async def test_the_link_to_an_answer_opens_the_chat_only_for_guests(post, chat):
    """It never expires, and people pass on e-mails with it. People with an account read the chat on the site."""
    event, room, ana, ben, _ = chat
    async with post.db.transaction() as tx:
        await send_text(tx, ana, room, "The key is under the mat")
        link = EmailLink(ben.user_id, LinkPurpose.ANSWER, event.id)
        path = f"/mail/answer/{await email_links.token_for(tx, CODE_KEY, link)}"
    async with post.site.browser() as nobody:
        answer = await nobody.get(path)
        assert (answer.status_code, f'href="{path}/chat"' in answer.text) == (200, False)
        shown = await nobody.get(f"{path}/chat")
        assert (shown.status_code, "under the mat" in shown.text) == (404, False)
        assert (await nobody.post(f"{path}/chat", data={"text": "I am Ben"})).status_code == 404
    assert [text for _, text in await said_in(post, room, ana)] == ["The key is under the mat"]


async def test_a_mention_waits_until_the_person_signs_in(post, chat):
    """A person known only from another app cannot read or write and gets no e-mail. They see the mention after they
    sign in.
    """
    _, room, ana, ben, cleo = chat
    async with post.db.transaction() as tx:
        await tx.execute("update users set kind = 'shadow', email = null where id = :cleo", cleo=cleo.user_id)
    one = await say_and_notify(post, ben, room, "Who has the key, @cleo?")
    async with post.db.reader() as reader:
        assert await access(reader, room.id, cleo.user_id) is Access.NONE
        page = await page_of_messages(reader, room, ana.user_id, MessageFilter())
    assert page.messages[0].mentions == (cleo.user_id,)
    assert await notification_texts(post, cleo) == []
    with pytest.raises(NotFound):
        await say_and_notify(post, cleo, room, "I have")
    assert await deliver_mails_after(post) == []
    async with post.db.transaction() as tx:
        await tx.execute("update users set kind = 'person' where id = :cleo", cleo=cleo.user_id)
    async with post.db.reader() as reader:
        (mine,) = await room_list.my_rooms(reader, cleo.user_id, RoomFilter(), limit=5)
    assert (mine.room.id, mine.mentioned, mine.last_message_id) == (room.id, 1, one.id)


async def test_anyone_can_mention_the_hosts(post, chat):
    """Anyone can mention @hosts, but within ten minutes a second mention is plain text."""
    event, room, ana, ben, cleo = chat
    await say_and_notify(post, ben, room, "@hosts where is the door?")
    await say_and_notify(post, ben, room, "@hosts?")
    assert await notification_texts(post, ana) == [f"Ben mentions you in {event.title}: @hosts where is the door?"]
    assert await notification_texts(post, cleo) == []
    post.site.clock.turn(HOUR)
    await say_and_notify(post, ben, room, "@gastgeber!")
    assert len(await notification_texts(post, ana)) == 2


async def test_a_host_can_mention_everyone_once_an_hour(post, chat):
    event, room, ana, ben, cleo = chat
    await say_and_notify(post, ben, room, "@everyone hello")
    assert await notification_texts(post, cleo) == []
    async with post.db.transaction() as tx:
        await readers.choose_notifications(tx, cleo, room.id, NotificationLevel.ALL, None)
        dora = await person(tx, "Dora")
    one = await say_and_notify(post, ana, room, "@everyone we start at 8")
    said = f"Ana mentions you in {event.title}: @everyone we start at 8"
    assert await notification_texts(post, ben) == await notification_texts(post, cleo) == [said]
    assert await notification_texts(post, ana) == await notification_texts(post, dora) == []
    async with post.db.transaction() as tx:
        assert (await readers.unread_counts(tx, cleo.user_id)).mentions == 1
        # The list of notified people would reveal who is in the room.
        (shown,) = await shown_messages(tx, [one], ben.user_id)
        assert shown.mentions == ()
    with pytest.raises(TooMany) as refused:
        await say_and_notify(post, ana, room, "@everyone and bring tea")
    assert refused.value.name == "EveryoneTooOften"
    post.site.clock.turn(HOUR)
    await say_and_notify(post, ana, room, "@everyone and bring tea")
    assert len(await notification_texts(post, ben)) == 2
