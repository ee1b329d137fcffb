"""E-mails about a person's own RSVPs, as mail programs, link scanners and guests use them; on both engines."""

import re

from groundwork.clock import MINUTE
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import ReplyDetails, RsvpReply
from openmeet.domain.guest_rsvps import actions as guest_rsvps
from openmeet.domain.series import standing_rsvps
from openmeet.domain.users import guests
from openmeet.domain.users.model import Caller
from tests.openmeet.emails.conftest import Post, calendar_of, html_of, link_to, links_of, text_of
from tests.openmeet.series.practice import create_weekly_series
from tests.openmeet.site_under_test import ORIGIN, details, event_by, h1_of, person

GUEST = "gus@example.net"


async def mails_to(post: Post, address: str):
    post.site.clock.turn(5 * MINUTE)
    return [one for one in await post.deliver() if one["To"] == address]


async def test_a_guests_e_mail_has_buttons_and_an_unsubscribe_link(post: Post) -> None:
    """A guest's e-mail has buttons for the answers. Its unsubscribe link stops all e-mails about the RSVP, because
    guests have no settings page.
    """
    async with post.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        gus = Caller(await guests.find_or_make(tx, email=GUEST, display_name="Gus"), "Gus")
        await attendance.answer(tx, gus, event.slug, RsvpReply.GOING)
    (mail,) = await mails_to(post, GUEST)
    assert "You’re going." in text_of(mail)
    assert "You answered on Town Events without an account." in text_of(mail)
    assert ">Change your answer</a>" in html_of(mail)
    assert calendar_of(mail) is not None
    async with post.site.browser() as gus_reads:
        assert h1_of((await gus_reads.get(link_to(mail, "/mail/ticket/"))).text)
        (path,) = re.findall(rf'<img class="cover" src="{ORIGIN}(/covers/[^"]+[.]png)"', html_of(mail))
        cover = await gus_reads.get(path)
    assert (cover.headers["content-type"], cover.content[:8]) == ("image/png", b"\x89PNG\r\n\x1a\n")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    async with post.site.browser() as program:
        path = link_to(mail, "/mail/stop/")
        assert "Stop all e-mails about your answers?" in (await program.get(path)).text
        await program.post(path, data={"List-Unsubscribe": "One-Click"}, headers={"origin": ""})
    async with post.db.transaction() as tx:
        await event_hosting.revise(tx, ana, event.slug, details(starts="2026-07-05T19:00", ends="2026-07-05T21:00"))
        await attendance.answer(tx, gus, event.slug, RsvpReply.DECLINED)
    assert await mails_to(post, GUEST) == []


async def test_e_mails_about_one_event_form_a_thread(post: Post) -> None:
    """The e-mails refer to one Message-ID that no e-mail has. E-mails about another event refer to a different one."""
    async with post.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        events = [await event_by(tx, ana), await event_by(tx, ana, title="Chess")]
        for event in events:
            await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
    mails = await mails_to(post, "ben@example.org")
    async with post.db.transaction() as tx:
        await event_hosting.revise(tx, ana, events[0].slug, details(venue_name="Café Mitte"))
    mails += await mails_to(post, "ben@example.org")
    assert len(mails) == 3
    threads = [mail["References"] for mail in sorted(mails, key=lambda one: "Chess" in one["Subject"])]
    assert [mail["In-Reply-To"] for mail in mails] == [mail["References"] for mail in mails]
    assert threads[0] == threads[1] != threads[2]
    assert not {*threads} & {mail["Message-ID"] for mail in mails}


async def test_a_waitlisted_guests_entry_is_cancelled_too(post: Post) -> None:
    """A guest on the waitlist has a tentative calendar entry. When the guest declines, the entry is cancelled by
    e-mail.
    """
    async with post.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"), capacity="1")
        await attendance.answer(tx, await person(tx, "Ben"), event.slug, RsvpReply.GOING)
    for reply, subject, method in (
        (RsvpReply.GOING, "On the waitlist: Board games, Sat 4 Jul", "PUBLISH"),
        (RsvpReply.DECLINED, "You’re not going: Board games, Sat 4 Jul", "CANCEL"),
    ):
        async with post.db.transaction() as tx:
            asked = await guest_rsvps.request_rsvp(
                tx, event.slug, email=GUEST, display_name="Gus", reply=reply, reply_details=ReplyDetails(party=1)
            )
            await guest_rsvps.confirm(tx, asked.id)
        (mail,) = await mails_to(post, GUEST)
        assert (mail["Subject"], calendar_of(mail).get_param("method")) == (subject, method)


async def test_after_withdrawing_the_ticket_link_leads_to_the_answer(post: Post) -> None:
    async with post.db.transaction() as tx:
        ben = await person(tx, "Ben")
        event = await event_by(tx, await person(tx, "Gerd"))
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
    (mail,) = await mails_to(post, "ben@example.org")
    async with post.db.transaction() as tx:
        await attendance.answer(tx, ben, event.slug, RsvpReply.DECLINED)
    async with post.site.browser() as reader:
        shown = (await reader.get(link_to(mail, "/mail/ticket/"))).text
        assert "You said you can’t go." in shown
        assert f'action="{link_to(mail, "/mail/answer/")}"' in shown


async def test_page_of_a_private_answer_leads_to_the_event_by_signing_in(post: Post) -> None:
    """Without a session, the page of a private event says that it does not exist."""
    async with post.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        await tx.execute("update events set visibility = 'private' where id = :id", id=event.id)
    (mail,) = await mails_to(post, "ben@example.org")
    async with post.site.browser() as reader:
        shown = (await reader.get(link_to(mail, "/mail/answer/"))).text
        assert f'href="/sign-in?next=%2Fevents%2F{event.slug}"' in shown
        assert f'href="/events/{event.slug}' not in shown


async def test_a_link_scanner_changes_nothing(post: Post) -> None:
    """Opening the links of an e-mail about one's own answers, by GET and by HEAD, changes nothing."""
    async with post.db.transaction() as tx:
        ben = await person(tx, "Ben")
        event = await event_by(tx, await person(tx, "Gerd"))
        _, series = await create_weekly_series(tx)
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        await standing_rsvps.answer_all(tx, ben, series.slug, RsvpReply.GOING)
    mails = await mails_to(post, "ben@example.org")
    async with post.db.transaction() as tx:
        await attendance.answer(tx, ben, event.slug, RsvpReply.DECLINED)
        await standing_rsvps.stop(tx, ben, series.slug, declines=True)
    mails += await mails_to(post, "ben@example.org")
    assert sorted(one["Subject"] for one in mails) == [
        "Your answers: Practice",
        "You’re going: Board games, Sat 4 Jul",
        "You’re not going: Board games, Sat 4 Jul",
        "You’re not going: Practice",
    ]
    before = await post.contents()
    async with post.site.browser() as scanner:
        for link in sorted(set().union(*map(links_of, mails))):
            for method in ("GET", "HEAD"):
                answer = await scanner.request(method, link.removeprefix(ORIGIN), headers={"origin": ""})
                # The settings are for people who are signed in.
                expected = 303 if "/settings/" in link else 200
                assert answer.status_code == expected, (method, link)
    assert await post.contents() == before
