"""Whom the e-mail to an imported list does not reach, and events for which it cannot be sent."""

import html
import re
from collections.abc import Awaitable, Callable

import pytest

from groundwork.clock import HandClock
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import Refused
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import host_decisions, invitations
from openmeet.domain.attendance.model import AttendanceId, RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.events import co_hosts, group_of_event
from openmeet.domain.events.model import Event
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups import administration
from openmeet.domain.groups.model import Group
from openmeet.domain.imports import people, queries
from openmeet.domain.imports.model import ContactRow, ImportKind, PersonId
from openmeet.domain.moderation import blocks
from openmeet.domain.users.model import Caller
from openmeet.emails.invitations import guest_list_composer
from openmeet.outbox.emails import DueEmail
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.site_under_test import CODE_KEY, details, event_by, inputs_of, person, signed_in, site_on
from tests.visible_text import visible_text

BEN = "ben@example.org"

Meanwhile = Callable[[Transaction, Caller, Event, Group], Awaitable[None]]


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


async def on_list(db: Database, host: Caller, kind: ImportKind, target: str, slug: str, email: str = BEN) -> PersonId:
    """Add one person to a list and send the invitation. The e-mail waits in the outbox."""
    async with db.transaction() as tx:
        await queries.add_contacts(tx, kind, target, [ContactRow(1, "", email, "", "")], host.user_id)
        (contact,) = await queries.uninvited_contacts(tx, kind, target, 10)
        await people.invite(tx, host, kind, slug, message="", expected=1)
    return contact.id


async def is_written(db: Database, contact: PersonId) -> bool:
    compose = guest_list_composer(CODE_KEY, "OpenMeet", "https://m.example")
    return await compose(db, DueEmail(people.ARRIVAL_MAIL, contact, contact, 1)) is not None


async def _blocks_sender(tx: Transaction, host: Caller, event: Event, group: Group) -> None:
    await blocks.block(tx, (await person(tx, "Ben")).user_id, host.user_id)


async def _is_blocked_by_sender(tx: Transaction, host: Caller, event: Event, group: Group) -> None:
    await blocks.block(tx, host.user_id, (await person(tx, "Ben")).user_id)


async def _answers(tx: Transaction, host: Caller, event: Event, group: Group) -> None:
    await attendance.answer(tx, await person(tx, "Ben"), event.slug, RsvpReply.GOING)


async def _declines(tx: Transaction, host: Caller, event: Event, group: Group) -> None:
    await attendance.answer(tx, await person(tx, "Ben"), event.slug, RsvpReply.DECLINED)


async def _is_rejected(tx: Transaction, host: Caller, event: Event, group: Group) -> None:
    rsvp = await attendance.answer(tx, await person(tx, "Ben"), event.slug, RsvpReply.GOING)
    await host_decisions.reject(tx, host, event.slug, [AttendanceId(rsvp.id)])


async def _is_invited_by_name(tx: Transaction, host: Caller, event: Event, group: Group) -> None:
    await invitations.invite(tx, host, event.slug, BEN)


async def _is_banned_from_group(tx: Transaction, host: Caller, event: Event, group: Group) -> None:
    ben = await add_member(tx, group, host, "Ben")
    await administration.ban(tx, host, group.slug, ben.user_id)


async def _joins_group(tx: Transaction, host: Caller, event: Event, group: Group) -> None:
    await add_member(tx, group, host, "Ben")


async def _leaves_group(tx: Transaction, host: Caller, event: Event, group: Group) -> None:
    await groups.leave(tx, await add_member(tx, group, host, "Ben"), group.slug)


async def _signs_up(tx: Transaction, host: Caller, event: Event, group: Group) -> None:
    await person(tx, "Ben")


async def _event_is_cancelled(tx: Transaction, host: Caller, event: Event, group: Group) -> None:
    await events.cancel(tx, host, event.slug, "Rain")


@pytest.mark.parametrize(
    ("meanwhile", "guest", "member"),
    [
        (_signs_up, True, True),
        (_blocks_sender, False, False),
        (_is_blocked_by_sender, False, False),
        (_answers, False, True),
        (_declines, False, True),
        (_is_rejected, False, True),
        (_is_invited_by_name, False, True),
        (_is_banned_from_group, False, False),
        (_joins_group, True, False),
        (_leaves_group, True, True),
        (_event_is_cancelled, False, True),
    ],
)
async def test_people_who_are_unwelcome_or_already_there_get_no_e_mail(
    db: Database, meanwhile: Meanwhile, guest: bool, member: bool
) -> None:
    """``guest``, ``member``: whether the invitation to an event of the group, and to the group, is sent."""
    async with db.transaction() as tx:
        olga = await person(tx, "Olga")
        group = await group_by(tx, olga)
        event = await events.create(tx, olga, details(), group=group_of_event.as_group_of_event(group))
    to_event = await on_list(db, olga, ImportKind.GUESTS, event.id, event.slug)
    to_group = await on_list(db, olga, ImportKind.MEMBERS, group.id, group.slug)
    async with db.transaction() as tx:
        await meanwhile(tx, olga, event, group)
    assert (await is_written(db, to_event), await is_written(db, to_group)) == (guest, member)


async def test_an_invitation_waits_for_nothing_that_happens_elsewhere(db: Database) -> None:
    """What the same person answers at another event, and what others answer to this one, changes nothing."""
    async with db.transaction() as tx:
        olga, ben, eve = await person(tx, "Olga"), await person(tx, "Ben"), await person(tx, "Eve")
        event, other = await event_by(tx, olga), await event_by(tx, olga)
        await attendance.answer(tx, ben, other.slug, RsvpReply.GOING)
        await attendance.answer(tx, eve, event.slug, RsvpReply.GOING)
        await blocks.block(tx, ben.user_id, eve.user_id)
    assert await is_written(db, await on_list(db, olga, ImportKind.GUESTS, event.id, event.slug))


async def test_a_co_host_reaches_nobody_whom_the_host_has_blocked(db: Database) -> None:
    async with db.transaction() as tx:
        ana, cleo, ben = await person(tx, "Ana"), await person(tx, "Cleo"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        invitation = await co_hosts.invite(tx, ana, event.slug, "cleo@example.org")
        await co_hosts.accept(tx, cleo, invitation.id)
        await blocks.block(tx, ana.user_id, ben.user_id)
    assert not await is_written(db, await on_list(db, cleo, ImportKind.GUESTS, event.id, event.slug))


@pytest.mark.parametrize(
    ("state", "name", "sentence"),
    [
        ("cancelled", "EventOver", "This event no longer takes answers."),
        ("over", "EventOver", "This event no longer takes answers."),
        ("draft", "EventHidden", "Only its hosts can open this event right now"),
    ],
)
async def test_nobody_is_invited_to_an_event_that_takes_no_answers(
    make_sqlite: MakeDatabase, clock: HandClock, state: str, name: str, sentence: str
) -> None:
    """The page says so, and the people stay on the list."""
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        olga = await person(tx, "Olga")
        event = await events.create(tx, olga, details(), is_draft=state == "draft")
        await queries.add_contacts(tx, ImportKind.GUESTS, event.id, [ContactRow(1, "", BEN, "", "")], olga.user_id)
        if state == "cancelled":
            event = await events.cancel(tx, olga, event.slug, "Rain")
    if state == "over":
        assert event.over_at is not None
        clock.turn(event.over_at - clock.now())
    async with site.db.transaction() as tx:
        with pytest.raises(Refused) as refused:
            await people.invite(tx, olga, ImportKind.GUESTS, event.slug, message="", expected=1)
        assert refused.value.name == name
    path = f"/import/lists/guests/{event.slug}"
    async with signed_in(site, olga.user_id) as browser:
        sent = await browser.post(path, data={"act": "send", "expected": "1"})
        assert sent.status_code == 422
        for shown in (sent, await browser.get(path)):
            assert (sentence in html.unescape(shown.text), 'value="send"' in shown.text) == (True, False)
    async with site.db.reader() as reader:
        assert [one.email for one in await queries.uninvited_contacts(reader, ImportKind.GUESTS, event.id, 10)] == [BEN]


async def test_links_to_a_draft_without_a_title_have_a_text(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        olga = await person(tx, "Olga")
    table = b"name,email\nBen,ben@example.org\nCleo,\n"
    async with signed_in(site, olga.user_id) as browser:
        form = inputs_of((await browser.get("/events/new")).text)
        saved = await browser.post("/events/new", data=form | {"title": "", "save": "draft"})
        slug = saved.headers["location"].split("/")[2]
        before = await browser.get(f"/import/lists/guests/{slug}")
        start = await browser.get("/import", params={"event": slug})
        arrived = await browser.post("/import", data={"event": slug}, files={"file": ("a.csv", table, "text/csv")})
        found = await browser.get(arrived.headers["location"])
        await browser.post(arrived.headers["location"], data={"act": "keep"})
        after = await browser.get(f"/import/lists/guests/{slug}")
    assert "Known by name only" in after.text
    assert f'<a href="/events/{slug}">Untitled draft</a>' in after.text
    links = rf'<a href="/events/{slug}">(?:<svg.*?</svg>)?(.*?)</a>'
    for page in (before, start, found, after):
        texts = [visible_text(words) for words in re.findall(links, page.text, re.DOTALL)]
        assert texts
        assert all(text.startswith("Untitled draft") for text in texts), texts
