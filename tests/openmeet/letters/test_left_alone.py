"""Whoever never wanted mail from this site says so once, without an account, and nobody has it write to them again. On both engines."""

import re

import pytest

from groundwork.clock import HOUR
from openmeet.domain.attendance import invitations
from openmeet.domain.attendance.model import RsvpReply, RsvpRequest
from openmeet.domain.events import co_hosts
from openmeet.domain.groups import administration
from openmeet.domain.guest_rsvps import actions as guests
from openmeet.domain.imports import people
from openmeet.domain.imports.model import ContactRow, What
from openmeet.domain.imports.queries import keep_people
from openmeet.outbox import emails
from tests.openmeet.groups.people import group_by
from tests.openmeet.letters.conftest import Post, link_to, text_of
from tests.openmeet.site_under_test import CODE_KEY, event_by, h1_of, person, sign_up

EVE = "eve@example.org"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


async def answer_by_mail(post: Post, event) -> None:
    async with post.db.transaction() as tx:
        await guests.ask(tx, event.slug, email=EVE, display_name="Eve", reply=RsvpReply.GOING, wishes=RsvpRequest())


@pytest.fixture
async def evening(post: Post):
    async with post.db.transaction() as tx:
        ana = await person(tx, "Ana")
        return ana, await event_by(tx, ana)


async def everything(post: Post, ana, title: str) -> list[str]:
    """Each letter that somebody can cause to an address, about a new event and group: how those begin that came."""
    async with post.db.transaction() as tx:
        event, group = await event_by(tx, ana, title=title), await group_by(tx, ana, name=title)
        await keep_people(tx, What.GUESTS, event.id, [ContactRow(1, "Eve", EVE, "", "")], ana.user_id)
        await people.invite(tx, ana, What.GUESTS, event.slug, message="", expected=1)
        await co_hosts.invite(tx, ana, event.slug, EVE)
        await administration.invite_by_mail(tx, ana, group.slug, EVE)
        await invitations.invite(tx, ana, event.slug, EVE)
    await answer_by_mail(post, event)
    post.site.clock.turn(HOUR)
    return sorted(" ".join(str(mail["Subject"]).split(" ")[:2]) for mail in await post.deliver())


@pytest.mark.parametrize("first", ["guest", "co-host", "invited"])
async def test_one_click_ends_all_that_others_cause(post: Post, evening, first: str) -> None:
    """As a mail program posts it: by the address in the header, from nowhere, without a redirect; twice is once."""
    ana, event = evening
    async with post.db.transaction() as tx:
        if first == "co-host":
            await co_hosts.invite(tx, ana, event.slug, EVE)
        elif first == "invited":
            await invitations.invite(tx, ana, event.slug, EVE)
    if first == "guest":
        await answer_by_mail(post, event)
    post.site.clock.turn(HOUR)
    (mail,) = await post.deliver()
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    path = link_to(mail, "/mail/never/")
    assert str(mail["List-Unsubscribe"]).endswith(f"{path}>")
    assert path in text_of(mail)
    async with post.site.browser() as program:
        assert h1_of((await program.get(path)).text) == "Never get such letters again?"
        for headers in ({"origin": ""}, {"origin": "https://mail.example", "sec-fetch-site": "cross-site"}):
            stopped = await program.post(path, data=ONE_CLICK, headers=headers)
            assert (stopped.status_code, "set-cookie" in stopped.headers) == (200, False)
        assert await everything(post, ana, "Chess") == []
        again = await program.post(f"{path}/again", headers={"origin": ""})
        assert "You get such letters again." in again.text
    assert await everything(post, ana, "Go") == [
        "Ana asks",
        "Ana invites",
        "Ana invites",
        "Confirm your",
        "Invitation: Go",
    ]


async def test_opening_the_link_changes_nothing(post: Post, evening) -> None:
    _, event = evening
    await answer_by_mail(post, event)
    (mail,) = await post.deliver()
    path = link_to(mail, "/mail/never/")
    async with post.site.browser() as scanner:
        for _ in range(2):
            assert (await scanner.get(path)).status_code == 200
    async with post.db.reader() as reader:
        assert not await emails.is_left_alone(reader, emails.hash_of(EVE))


async def test_the_link_is_for_nothing_else_and_cannot_be_made(post: Post, evening) -> None:
    """It confirms no answer, and the link that does stops nothing; nobody writes one for another address."""
    _, event = evening
    await answer_by_mail(post, event)
    (mail,) = await post.deliver()
    never, confirm = link_to(mail, "/mail/never/"), link_to(mail, "/answers/confirm/")
    token, other = never.rpartition("/")[2], emails.hash_of("ben@example.org")
    async with post.site.browser() as browser:
        forged = [
            f"/mail/never/{confirm.rpartition('/')[2]}",
            f"/mail/never/{other}.{token.rpartition('.')[2]}",
            f"/mail/never/{token[:-1]}{'0' if token[-1] != '0' else '1'}",
            f"/mail/never/{token.upper()}",
            f"/mail/never/{token}%0a",
            f"/mail/stop/{token}",
            f"/answers/confirm/{token}",
        ]
        for path in forged:
            assert [(await browser.get(path)).status_code, (await browser.post(path)).status_code] == [404, 404], path
    async with post.db.reader() as reader:
        assert await reader.fetch("select address from addresses_left_alone order by address") == []


async def test_what_they_asked_for_themselves_goes_on(post: Post, evening) -> None:
    """Whoever has answered before hears of it; whoever signs up is no stranger any more."""
    _, event = evening
    await answer_by_mail(post, event)
    (mail,) = await post.deliver()
    async with post.site.browser() as browser:
        await browser.post(link_to(mail, "/answers/confirm/"))
        await browser.post(link_to(mail, "/mail/never/"), data=ONE_CLICK)
        post.site.clock.turn(HOUR)
        (mail,) = [one for one in await post.deliver() if one["To"] == EVE]
        assert "You are going" in text_of(mail)
        await sign_up(browser, EVE, "Eve")
    async with post.db.reader() as reader:
        assert not await emails.is_left_alone(reader, emails.hash_of(EVE))


async def test_the_address_is_nowhere_in_what_is_kept(post: Post) -> None:
    async with post.db.transaction() as tx:
        await emails.leave_alone(tx, emails.hash_of("Zqeve@Example.org "))
        assert await emails.is_left_alone(tx, emails.hash_of("zqeve@example.org"))
    assert not re.search("zqeve", str(await post.contents()), re.IGNORECASE)
    assert emails.address_in(CODE_KEY, "x") is None
