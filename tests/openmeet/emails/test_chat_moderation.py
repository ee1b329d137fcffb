"""Reports, removals and objections in chat, on pages: who sees them, and who is notified; on both engines."""

import re
from contextlib import asynccontextmanager

import pytest

from groundwork.clock import DAY, HOUR, MINUTE
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.chat import sanctions
from openmeet.domain.chat.access import access
from openmeet.domain.chat.model import Access
from openmeet.domain.moderation import moderators
from openmeet.domain.moderation.model import ReportReason
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users import guests
from openmeet.domain.users.model import Caller
from tests.openmeet.chat.rooms import room_of, subject_of_event
from tests.openmeet.emails.chat_emails import (
    deliver_mails_after,
    notification_texts,
    run_chat_notifications,
    say_and_notify,
)
from tests.openmeet.emails.conftest import link_to, text_of
from tests.openmeet.site_under_test import event_by, person


@pytest.fixture
async def chat(post):
    """Ana hosts, Ben and Cleo are going, Mod moderates the community."""
    async with post.db.transaction() as tx:
        ana, ben, cleo, mod = [await person(tx, name) for name in ("Ana", "Ben", "Cleo", "Mod")]
        event = await event_by(tx, ana)
        for one in (ben, cleo):
            await attendance.answer(tx, one, event.slug, RsvpReply.GOING)
        room = await room_of(tx, ana, subject_of_event(event))
        await moderators.appoint(tx, mod.user_id, by=None)
    post.site.clock.turn(HOUR)
    await post.deliver()
    return event, room, ana, ben, cleo, mod


@asynccontextmanager
async def signed_in(post, who):
    async with post.db.transaction() as tx:
        session = await sign_in.open_session(tx, who.user_id, SessionTransport.BROWSER)
    async with post.site.browser() as browser:
        browser.cookies.set("openmeet_session", session.token)
        yield browser


async def reports(post, who, one, *, to_site):
    async with post.db.transaction() as tx:
        await sanctions.report(tx, who, one.id, ReportReason.ABUSE, "He insults us", to_tenant=to_site)


async def test_the_author_learns_why_and_objects_and_hosts_decide(post, chat):
    event, room, ana, ben, cleo, _ = chat
    one = await say_and_notify(post, ben, room, "You fools")
    page, order = f"/chat/messages/{one.id}", f"/events/{event.slug}/chat/moderation"
    async with signed_in(post, ana) as host:
        assert (await host.post(f"{page}/remove", data={"reason": "No insults"})).status_code == 303
    await run_chat_notifications(post)
    assert await notification_texts(post, ben) == [f"A moderator removed your message in {event.title}: No insults"]
    post.site.clock.turn(HOUR)
    (mail,) = await post.deliver()
    assert (mail["To"], mail["Subject"]) == ("ben@example.org", f"Your message was removed: {event.title}")
    assert "No insults" in text_of(mail)
    async with signed_in(post, ben) as author:
        shown = (await author.get(link_to(mail, "/object"))).text
        assert "No insults" in shown
        assert ">You fools<" in shown
        assert f'href="{page}/object"' in (await author.get(page)).text
        assert (await author.post(f"{page}/object", data={"words": " "})).status_code == 400
        assert (await author.post(f"{page}/object", data={"words": "It was a quote"})).status_code == 303
        assert (await author.post(f"{page}/object", data={"words": "Again"})).status_code == 422
        assert (await author.get(order)).status_code == 403
    async with signed_in(post, cleo) as other:
        assert (await other.get(f"{page}/object")).status_code == 404
    async with signed_in(post, ana) as host:
        waiting = (await host.get(order)).text
        # The page has everything needed to decide: the author, the text, and the reason for the removal.
        for words in ("The author objects", "It was a quote", ">You fools<", "No insults", "<bdi>Ben</bdi>"):
            assert words in waiting, words
        assert "Ana removed a message by Ben." in waiting
        assert (await host.post(f"{page}/uphold", data={"reason": "Not in this way"})).status_code == 303
        assert "The author objects" not in (await host.get(order)).text
    upheld = f"A moderator looked at your objection in {event.title}. Your message stays removed: Not in this way"
    assert await notification_texts(post, ben) == [
        upheld,
        f"A moderator removed your message in {event.title}: No insults",
    ]
    post.site.clock.turn(HOUR)
    (mail,) = await post.deliver()
    assert (mail["To"], mail["Subject"]) == ("ben@example.org", f"Your message stays removed: {event.title}")
    async with signed_in(post, ben) as author:
        assert "Not in this way" in (await author.get(link_to(mail, "/object"))).text
    async with signed_in(post, ana) as host:
        assert (await host.post(f"{page}/restore", data={"reason": ""})).status_code == 303
    await run_chat_notifications(post)
    assert await notification_texts(post, ben) == [f"Your message in {event.title} is visible again."]
    post.site.clock.turn(HOUR)
    (mail,) = await post.deliver()
    assert (mail["To"], mail["Subject"]) == ("ben@example.org", f"Your message is back: {event.title}")
    assert page in link_to(mail, page)


async def test_the_author_is_told_of_every_removal_once(post, chat):
    event, room, ana, ben, _, _ = chat
    one = await say_and_notify(post, ben, room, "You fools")
    page = f"/chat/messages/{one.id}"
    async with signed_in(post, ana) as host:
        for reason in ("No insults", "Still an insult"):
            await host.post(f"{page}/hold", data={"reason": ""})
            await host.post(f"{page}/remove", data={"reason": reason})
            await run_chat_notifications(post)
            assert await notification_texts(post, ben) == [
                f"A moderator removed your message in {event.title}: {reason}"
            ]
            post.site.clock.turn(HOUR)
            (mail,) = await post.deliver()
            assert mail["To"] == "ben@example.org"
            assert text_of(mail).count(reason) == 1
            await host.post(f"{page}/restore", data={"reason": ""})
            await run_chat_notifications(post)
            assert set(await notification_texts(post, ben)) == {f"Your message in {event.title} is visible again."}
            assert await deliver_mails_after(post) == [("ben@example.org", f"Your message is back: {event.title}")]


async def test_a_banned_person_can_still_read_why_and_object(post, chat):
    event, room, ana, ben, _, _ = chat
    one = await say_and_notify(post, ben, room, "You fools")
    page = f"/chat/messages/{one.id}"
    async with signed_in(post, ana) as host:
        await host.post(f"{page}/remove", data={"reason": "No insults"})
    async with post.db.transaction() as tx:
        await sanctions.sanction(tx, ana, room.id, ben.user_id, sanctions.SanctionKind.BAN, reason="enough")
    await run_chat_notifications(post)
    assert await notification_texts(post, ben) == [
        f"A moderator removed your message in {event.title}: No insults",
        f"A host banned you from the chat of {event.title}: enough",
    ]
    async with signed_in(post, ben) as author:
        assert (await author.get(page)).status_code == 404
        assert "You fools" in (await author.get(f"{page}/object")).text
        assert (await author.post(f"{page}/object", data={"words": "Please"})).status_code == 303


async def test_a_muted_person_is_told_why_and_until_when(post, chat):
    event, _, ana, ben, _, _ = chat
    page = f"/events/{event.slug}/chat"
    async with signed_in(post, ana) as host:
        sent = await host.post(f"{page}/people/{ben.user_id}/mute", data={"reason": "Too loud", "for": "day"})
        assert sent.status_code == 303
    (line,) = await notification_texts(post, ben)
    assert re.fullmatch(rf"A host muted you in {event.title} until .*\d\d:\d\d.*: Too loud", line)
    (mail,) = await _mails_after(post, HOUR)
    assert (mail["To"], mail["Subject"]) == ("ben@example.org", f"You’re muted in the chat: {event.title}")
    assert re.search(r"Until .*\d\d:\d\d.* you can read there, but not write. The reason:\n\nToo loud", text_of(mail))
    async with signed_in(post, ben) as muted:
        shown = (await muted.get(link_to(mail, "/events/"))).text
        assert "Too loud" in shown
        ask = f"/chat/direct/event/{event.slug}"
        assert f'href="{ask}"' in shown
        assert (await muted.post(ask, data={"text": "I was not", "submission": "1"})).status_code == 303
    post.site.clock.turn(DAY)
    assert await notification_texts(post, ben) == []  # it has expired


async def test_a_later_decision_replaces_the_earlier_one(post, chat):
    event, room, ana, ben, _, mod = chat
    mute, ban = sanctions.SanctionKind.MUTE, sanctions.SanctionKind.BAN
    async with post.db.transaction() as tx:
        await sanctions.sanction(tx, ana, room.id, ben.user_id, mute, reason="Too loud")
    post.site.clock.turn(MINUTE)
    async with post.db.transaction() as tx:
        await sanctions.sanction(tx, ana, room.id, ben.user_id, mute, reason="Far too loud")
    assert await notification_texts(post, ben) == [f"A host muted you in {event.title}: Far too loud"]
    async with post.db.transaction() as tx:
        await sanctions.lift(tx, ana, room.id, ben.user_id)
    assert await notification_texts(post, ben) == [
        f"You can write in {event.title} again. The moderators changed their decision."
    ]
    assert await deliver_mails_after(post) == [("ben@example.org", f"You can write again: {event.title}")]
    async with post.db.transaction() as tx:
        await sanctions.sanction(tx, mod, room.id, ben.user_id, ban, reason="Insults", of_site=True)
    assert await notification_texts(post, ben) == [
        f"A moderator of this site banned you from the chat of {event.title}: Insults"
    ]
    async with signed_in(post, ben) as banned:
        shown = await banned.get(f"/events/{event.slug}/chat")
        assert (shown.status_code, "Insults" in shown.text, 'href="/help"' in shown.text) == (403, True, True)


async def test_every_kind_of_sanction_has_its_own_words(post, chat):
    """Also if it has an end, and if a moderator of the site decided it."""
    _, room, ana, ben, _, mod = chat
    end = post.site.clock.now() + DAY
    lines = []
    for kind in sanctions.SanctionKind:
        for by, until, of_site in ((ana, None, False), (ana, end, False), (mod, None, True)):
            async with post.db.transaction() as tx:
                await sanctions.sanction(tx, by, room.id, ben.user_id, kind, reason="x", until=until, of_site=of_site)
            lines.append((await notification_texts(post, ben))[0])
            async with post.db.transaction() as tx:
                await sanctions.lift(tx, by, room.id, ben.user_id, of_site=of_site)
    assert len(lines) == len(set(lines)) == 3 * len(sanctions.SanctionKind)


async def test_a_muted_guest_reads_why_through_the_e_mails_link(post, chat):
    event, room, ana, *_ = chat
    async with post.db.transaction() as tx:
        guest = await guests.find_or_make(tx, email="gil@example.org", display_name="Gil")
        await attendance.answer(tx, Caller(guest, "Gil"), event.slug, RsvpReply.GOING)
        await sanctions.sanction(tx, ana, room.id, guest, sanctions.SanctionKind.MUTE, reason="Too loud")
    (mail,) = [one for one in await _mails_after(post, HOUR) if "muted" in str(one["Subject"])]
    async with post.site.browser() as browser:
        shown = (await browser.get(link_to(mail, "/mail/chat/"))).text
        assert "Too loud" in shown
        assert 'href="/help"' in shown


async def _mails_after(post, wait):
    post.site.clock.turn(wait)
    return await post.deliver()


async def test_objections_end_after_30_days(post, chat):
    _, room, ana, ben, _, _ = chat
    one = await say_and_notify(post, ben, room, "You fools")
    page = f"/chat/messages/{one.id}"
    async with signed_in(post, ana) as host:
        await host.post(f"{page}/remove", data={"reason": "No insults"})
    post.site.clock.turn(31 * DAY)
    async with signed_in(post, ben) as author:
        assert "You fools" not in (await author.get(f"{page}/object")).text
        assert (await author.post(f"{page}/object", data={"words": "Please"})).status_code == 422


async def test_a_message_is_reported_to_the_chosen_recipients(post, chat):
    event, room, ana, ben, cleo, mod = chat
    one = await say_and_notify(post, ben, room, "You fools")
    page = f"/chat/messages/{one.id}/report"
    async with signed_in(post, cleo) as reader:
        assert "You fools" in (await reader.get(page)).text
        assert (await reader.post(page, data={"reason": "other", "to": "site"})).status_code == 400
        assert (await reader.post(page, data={"reason": "abuse", "to": "site"})).status_code == 303
        assert "Your report is sent." in (await reader.get(f"/chat/messages/{one.id}")).text
        assert (await reader.post(page, data={"reason": "abuse", "to": "hosts"})).status_code == 303
        assert "already reported this." in (await reader.get(f"/chat/messages/{one.id}")).text
    async with signed_in(post, ana) as host:
        assert "Nothing to decide" in (await host.get(f"/events/{event.slug}/chat/moderation")).text
    async with signed_in(post, mod) as moderator:
        assert "You fools" in (await moderator.get("/moderation/chat")).text
    other = await say_and_notify(post, ben, room, "And you, too")
    async with signed_in(post, cleo) as reader:
        await reader.post(f"/chat/messages/{other.id}/report", data={"reason": "spam", "to": "hosts"})
    async with signed_in(post, ana) as host:
        order = f"/events/{event.slug}/chat/moderation"
        assert "Spam or advertising" in (await host.get(order)).text
        assert (await host.post(f"/chat/messages/{other.id}/dismiss", data={"reason": ""})).status_code == 303
        assert "Spam or advertising" not in (await host.get(order)).text
    async with signed_in(post, mod) as moderator:
        assert "And you, too" not in (await moderator.get("/moderation/chat")).text


async def test_the_community_decides_and_hosts_cannot_undo_it(post, chat):
    _, room, ana, ben, cleo, mod = chat
    for number in range(7):
        await say_and_notify(post, cleo, room, f"Before {number}")
    one = await say_and_notify(post, ana, room, "You fools")
    await say_and_notify(post, ben, room, "And after")
    await reports(post, ben, one, to_site=False)  # a report about a host is always sent to the community's moderators
    desk = f"/moderation/chat/{one.id}"
    async with signed_in(post, mod) as moderator:
        shown = (await moderator.get(desk)).text
        assert "He insults us" in shown
        assert "Before 6" in shown
        assert "And after" in shown
        assert "Before 1" not in shown
        assert "Ben" not in shown.partition("Reported 1 time")[2]
        assert (await moderator.post(desk, data={"act": "remove", "reason": ""})).status_code == 400
        assert (await moderator.post(desk, data={"act": "remove", "reason": "No insults"})).status_code == 303
        assert "No reported messages" in (await moderator.get("/moderation/chat")).text
        assert ">You fools<" in (await moderator.get(desk)).text
    page = f"/chat/messages/{one.id}"
    async with signed_in(post, ana) as host:
        assert (await host.post(f"{page}/restore", data={"reason": ""})).status_code == 422
        assert (await host.post(f"{page}/object", data={"words": "It was a quote"})).status_code == 303
    async with signed_in(post, mod) as moderator:
        assert "It was a quote" in (await moderator.get("/moderation/chat")).text
        assert (await moderator.post(desk, data={"act": "restore"})).status_code == 303
        assert "No reported messages" in (await moderator.get("/moderation/chat")).text
        assert (await moderator.post(desk, data={"act": "ban", "reason": "No insults"})).status_code == 303
        async with post.db.reader() as reader:
            assert await access(reader, room.id, ana.user_id) is Access.NONE
        assert (await moderator.post(desk, data={"act": "unban"})).status_code == 303
        log = (await moderator.get(desk)).text
        for line in ("Mod removed a message by Ana.", "Mod brought back", "Mod banned Ana.", "Mod let Ana back in."):
            assert line in log
    async with post.db.reader() as reader:
        assert await access(reader, room.id, ana.user_id) is Access.MODERATE


async def test_the_community_sees_only_what_was_reported_to_it(post, chat):
    _, room, _, ben, cleo, mod = chat
    one, other = await say_and_notify(post, ben, room, "Fools"), await say_and_notify(post, ben, room, "Hello")
    await reports(post, cleo, one, to_site=True)
    await reports(post, cleo, other, to_site=False)
    async with signed_in(post, mod) as moderator:
        assert (await moderator.get(f"/moderation/chat/{other.id}")).status_code == 404
        sent = await moderator.post(f"/moderation/chat/{other.id}", data={"act": "remove", "reason": "no"})
        assert sent.status_code == 404
        assert (await moderator.post(f"/moderation/chat/{one.id}", data={"act": "dismiss"})).status_code == 303
        assert "No reported messages" in (await moderator.get("/moderation/chat")).text
    async with signed_in(post, cleo) as nobody:
        assert (await nobody.get("/moderation/chat")).status_code == 403
        assert (await nobody.get(f"/moderation/chat/{one.id}")).status_code == 403
    assert await deliver_mails_after(post) == []
