"""People who do not want e-mail from this site can stop it once, without an account. Afterwards nobody can cause
another e-mail to them; on both engines.
"""

import asyncio
import hashlib
import re

import pytest

from groundwork.clock import HOUR
from groundwork.database.resealing import reseal
from groundwork.sealing import CannotUnseal
from groundwork.signing_key import SigningKey
from openmeet.domain.attendance import invitations
from openmeet.domain.attendance.model import ReplyDetails, RsvpReply
from openmeet.domain.events import co_hosts
from openmeet.domain.groups import administration
from openmeet.domain.guest_rsvps import actions as guests
from openmeet.domain.imports import people
from openmeet.domain.imports.model import ContactRow, ImportKind
from openmeet.domain.imports.queries import add_contacts
from openmeet.outbox import address_keys, email_suppressions
from programs.resealing import columns_of_code_key
from tests.openmeet.emails.conftest import Post, link_to, text_of
from tests.openmeet.groups.people import group_by
from tests.openmeet.site_under_test import CODE_KEY, event_by, h1_of, person, sign_up

EVE = "eve@example.org"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


async def answer_by_mail(post: Post, event) -> None:
    async with post.db.transaction() as tx:
        await guests.request_rsvp(
            tx, event.slug, email=EVE, display_name="Eve", reply=RsvpReply.GOING, reply_details=ReplyDetails()
        )


@pytest.fixture
async def evening(post: Post):
    async with post.db.transaction() as tx:
        ana = await person(tx, "Ana")
        return ana, await event_by(tx, ana)


async def everything(post: Post, ana, title: str) -> list[str]:
    """Send each kind of e-mail that a user can cause to an address, about a new group and new events, and return the
    beginnings of those received.
    """
    async with post.db.transaction() as tx:
        event, group = await event_by(tx, ana, title=title), await group_by(tx, ana, name=title)
        await add_contacts(tx, ImportKind.GUESTS, event.id, [ContactRow(1, "Eve", EVE, "", "")], ana.user_id)
        await people.invite(tx, ana, ImportKind.GUESTS, event.slug, message="", expected=1)
        await co_hosts.invite(tx, ana, event.slug, EVE)
        await administration.invite_by_mail(tx, CODE_KEY, ana, group.slug, EVE)
        # Whoever is invited to an event by name gets no e-mail from its list.
        await invitations.invite(tx, ana, (await event_by(tx, ana, title=title)).slug, EVE)
    await answer_by_mail(post, event)
    post.site.clock.turn(HOUR)
    return sorted(" ".join(str(mail["Subject"]).split(" ")[:2]) for mail in await post.deliver())


@pytest.mark.parametrize("first", ["guest", "co-host", "invited"])
async def test_one_click_stops_all_e_mail_caused_by_others(post: Post, evening, first: str) -> None:
    """A mail program's one-click POST to the URL in the header works without a referrer or redirect. Repeating it
    changes nothing.
    """
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
        assert h1_of((await program.get(path)).text) == "Stop these e-mails?"
        for headers in ({"origin": ""}, {"origin": "https://mail.example", "sec-fetch-site": "cross-site"}):
            stopped = await program.post(path, data=ONE_CLICK, headers=headers)
            assert (stopped.status_code, "set-cookie" in stopped.headers) == (200, False)
        assert await everything(post, ana, "Chess") == []
        again = await program.post(f"{path}/again", headers={"origin": ""}, follow_redirects=True)
        assert "You’ll get these e-mails again." in again.text
    assert await everything(post, ana, "Go") == [
        "Ana asks",
        "Ana invites",
        "Ana invites",
        "Ana invites",
        "Confirm your",
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
        assert not await email_suppressions.is_suppressed(reader, CODE_KEY, EVE)


async def test_the_link_has_one_purpose_and_cannot_be_forged(post: Post, evening) -> None:
    """The link does not confirm an answer, and a confirmation link does not unsubscribe. Nobody can forge a link for
    another address.
    """
    _, event = evening
    await answer_by_mail(post, event)
    (mail,) = await post.deliver()
    never, confirm = link_to(mail, "/mail/never/"), link_to(mail, "/answers/confirm/")
    token, other = never.rpartition("/")[2], email_suppressions.token_of(SigningKey(b"x" * 32), EVE)
    async with post.site.browser() as browser:
        forged = [
            f"/mail/never/{confirm.rpartition('/')[2]}",
            f"/mail/never/{other}",
            f"/mail/never/{token}=",
            f"/mail/never/{'A' * 2000}",
            f"/mail/never/{token[:-1]}{'0' if token[-1] != '0' else '1'}",
            f"/mail/never/{token.upper()}",
            f"/mail/never/{token}%0a",
            f"/mail/stop/{token}",
            f"/answers/confirm/{token}",
        ]
        for path in forged:
            assert [(await browser.get(path)).status_code, (await browser.post(path)).status_code] == [404, 404], path
    async with post.db.reader() as reader:
        assert await reader.fetch("select address_hash from email_suppressions order by address_hash") == []


async def test_e_mail_that_the_person_asked_for_continues(post: Post, evening) -> None:
    """People who have answered an event still get e-mail about it. When a person signs up, the suppression of their
    address ends.
    """
    _, event = evening
    await answer_by_mail(post, event)
    (mail,) = await post.deliver()
    async with post.site.browser() as browser:
        await browser.post(link_to(mail, "/answers/confirm/"))
        await browser.post(link_to(mail, "/mail/never/"), data=ONE_CLICK)
        post.site.clock.turn(HOUR)
        (mail,) = [one for one in await post.deliver() if one["To"] == EVE]
        assert "You’re going" in text_of(mail)
        await sign_up(browser, EVE, "Eve")
    async with post.db.reader() as reader:
        assert not await email_suppressions.is_suppressed(reader, CODE_KEY, EVE)


async def test_the_address_is_not_stored(post: Post) -> None:
    """The database has neither the address nor a hash that a person who knows the address could compute."""
    async with post.db.transaction() as tx:
        await email_suppressions.opt_out(tx, CODE_KEY, "Zqeve@Example.org ")
        await email_suppressions.decline(tx, CODE_KEY, "group", "zqeve@example.org")
        assert await email_suppressions.is_suppressed(tx, CODE_KEY, "zqeve@example.org")
        rows = await tx.fetch("select address_hash from email_suppressions")
        declined = await tx.fetch("select address_hash from declined_addresses")
        (key,) = await tx.fetch("select sealed from address_keys")
    assert [row["address_hash"] for row in rows] == [row["address_hash"] for row in declined]
    assert rows[0]["address_hash"] != _unkeyed("zqeve@example.org")
    assert not re.search("zqeve", str(await post.contents()), re.IGNORECASE)
    assert address_keys.sealer_of(CODE_KEY).is_stale(key["sealed"]) is False


def _unkeyed(address: str) -> str:
    return hashlib.sha256(b"left alone\x00" + address.encode()).hexdigest()


async def test_unkeyed_hashes_still_count_and_become_keyed(post: Post) -> None:
    """In both tables, unkeyed hashes count before and after the key is created, and are replaced by keyed ones. The key
    is created once.
    """
    async with post.db.transaction() as tx:
        await tx.execute(
            "insert into email_suppressions (address_hash, created_at) values (:hash, 0)", hash=_unkeyed(EVE)
        )
        await tx.execute(
            "insert into declined_addresses (subject_id, address_hash, declined_at) values ('g', :hash, 0)",
            hash=_unkeyed(EVE),
        )
        assert await email_suppressions.is_suppressed(tx, CODE_KEY, EVE)
    await asyncio.gather(*(email_suppressions.ensure_key(post.db, CODE_KEY) for _ in range(5)))
    async with post.db.transaction() as tx:
        assert await email_suppressions.is_suppressed(tx, CODE_KEY, EVE)
        assert await email_suppressions.declined_among(tx, CODE_KEY, "g", [EVE, "ben@example.org"]) == {EVE}
        assert await email_suppressions.declined_among(tx, CODE_KEY, "other", [EVE]) == set()
        stored = await tx.fetch("select address_hash from email_suppressions")
        assert [row["address_hash"] for row in stored] != [_unkeyed(EVE)]
        await email_suppressions.opt_in(tx, CODE_KEY, EVE)
        assert not await email_suppressions.is_suppressed(tx, CODE_KEY, EVE)


async def test_hashes_outlast_the_sealing_key(post: Post) -> None:
    """The key of the hashes is sealed again with a new sealing key and stays the same. If it is lost, people can still
    sign up.
    """
    rotated, alone = SigningKey(b"n" * 32, (CODE_KEY.newest,)), SigningKey(b"n" * 32)
    async with post.db.transaction() as tx:
        await email_suppressions.opt_out(tx, CODE_KEY, EVE)
    async with post.db.transaction() as tx:
        with pytest.raises(CannotUnseal):
            await email_suppressions.is_suppressed(tx, alone, EVE)
        await email_suppressions.opt_in(tx, alone, EVE)
    for stale in (1, 0):
        counts = [await reseal(post.db, sealer, [column]) for sealer, column in columns_of_code_key(rotated)]
        # First the key of the hashes. Nothing else is sealed here.
        assert counts[0] == (1, stale)
        assert set(counts[1:]) == {(0, 0)}
    async with post.db.reader() as reader:
        assert await email_suppressions.is_suppressed(reader, alone, EVE)
