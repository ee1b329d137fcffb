"""People who are mentioned are notified if they already have a connection to the event or group; on both engines."""

from typing import Any

import pytest

from groundwork.clock import HOUR, MINUTE
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.tasks import announce_group_events
from openmeet.domain.events import actions as events
from openmeet.domain.events.group_of_event import as_group_of_event
from openmeet.domain.groups import announcements
from openmeet.domain.identities import queries as identities
from openmeet.domain.identities.model import IdentityKind
from openmeet.domain.identities.queries import MAX_MENTIONS, handles_in
from openmeet.domain.notifications import event_kinds, group_kinds
from openmeet.domain.notifications import notify as notifications
from openmeet.domain.notifications.model import Channel, NotificationKind, NotificationTopic
from openmeet.domain.notifications.queries import newest
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.site_under_test import api_session, details, event_by, person, site_on
from tests.openmeet.statement_counter import StatementCounter


@pytest.fixture
async def db(make_database):
    return await make_database("openmeet")


async def named(tx, who):
    """Give a person a handle: their name below ``town.test``."""
    name = who.display_name.lower()
    await identities.insert(
        tx,
        f"did:plc:{name}",
        who.user_id,
        IdentityKind.CONNECTED,
        handle=f"{name}.town.test",
        pds_url="",
        is_default=True,
    )
    return who


async def kinds_received(reader, who) -> list[NotificationKind[Any]]:
    return [one.kind for one in reversed(await newest(reader, who.user_id, 20))]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Thanks @Ana.Town.test!", ("ana.town.test",)),
        ("(@ana.town.test, @ben.town.test.) and @ana.town.test", ("ana.town.test", "ben.town.test")),
        ("Write to ana@town.test or https://town.test/@ana.town.test", ("ana.town.test",)),
        ("@ana is no handle, and neither is @-a.test nor @a..test", ()),
        ("", ()),
    ],
)
def test_handles_are_recognised_and_mail_addresses_are_not(text, found):
    assert handles_in(text) == found


def test_a_text_that_mentions_too_many_people_notifies_none():
    assert len(handles_in(" ".join(f"@u{number}.test" for number in range(5_000)))) == MAX_MENTIONS


def test_hostile_text_costs_little_time():
    assert handles_in("@" * 200_000) == ()
    assert handles_in("@" + "a." * 100_000) == ()
    assert handles_in("@" + "a" * 200_000 + ".test") == ()


async def test_a_mention_reads_only_the_answers_of_those_mentioned(db):
    """A crowd does not make the edit that mentions somebody read more than one that does not."""
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await named(tx, await person(tx, "Ben"))
        additional = []
        for size in (0, 10):
            rows = []
            for words in ("Ben brings the board.", "@ben.town.test brings the board."):
                event = await event_by(tx, ana)
                for one in (ben, *[await person(tx, f"Guest {number}") for number in range(size)]):
                    await attendance.answer(tx, one, event.slug, RsvpReply.GOING)
                counting = StatementCounter(tx)
                await event_hosting.revise(counting, ana, event.slug, details(description=words))
                rows.append(counting.rows)
            additional.append(rows[1] - rows[0])
        assert (await kinds_received(tx, ben)).count(event_kinds.MENTION) == 2
    assert additional[1] < additional[0] + 10


async def test_an_edit_notifies_attendees_once_and_no_strangers(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        ben, cleo = await named(tx, await person(tx, "Ben")), await named(tx, await person(tx, "Cleo"))
        event = await event_by(tx, ana)
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        words = "@ben.town.test brings the board, @cleo.town.test may know nothing of it."
        await event_hosting.revise(tx, ana, event.slug, details(description=words))
        await event_hosting.revise(tx, ana, event.slug, details(description=words + " And a cake."))
        assert (await kinds_received(tx, ben)).count(event_kinds.MENTION) == 1
        assert await kinds_received(tx, cleo) == []
        (one,) = [news for news in await newest(tx, ben.user_id, 20) if news.kind is event_kinds.MENTION]
    assert one.payload.person_id == ana.user_id


async def test_a_new_group_event_and_an_announcement_mention_people_of_the_group(db, clock):
    """The mention replaces the general notification. People who switched mentions off get the general one."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana)
        ben, cleo, dan = [await named(tx, await add_member(tx, group, ana, name)) for name in ("Ben", "Cleo", "Dan")]
        eve = await named(tx, await person(tx, "Eve"))
        await notifications.set_channels(tx, dan.user_id, {NotificationTopic.MENTIONS: frozenset[Channel]()})
        words = "With @ben.town.test, @dan.town.test and @eve.town.test"
        await events.create(tx, ana, details(description=words), group=as_group_of_event(group))
        await announcements.announce(tx, ana, group.slug, words)
    clock.turn(10 * MINUTE)
    await announce_group_events(db)
    async with db.reader() as reader:
        assert set(await kinds_received(reader, ben)) >= {event_kinds.MENTION, group_kinds.GROUP_MENTION}
        for who in (cleo, dan):
            found = set(await kinds_received(reader, who))
            assert found >= {event_kinds.GROUP_EVENT, group_kinds.ANNOUNCEMENT}
            assert not found & {event_kinds.MENTION, group_kinds.GROUP_MENTION}
        assert not {event_kinds.GROUP_EVENT, group_kinds.ANNOUNCEMENT} & set(await kinds_received(reader, ben))
        assert await kinds_received(reader, eve) == []


async def test_a_mention_is_shown_on_the_page_and_in_the_api(make_sqlite, clock):
    site = site_on(await make_sqlite("openmeet"), clock)
    async with site.browser() as client:
        ana = await api_session(client, "ana@example.org", "Ana")
        ben = await api_session(client, "ben@example.org", "Ben")
        async with site.db.transaction() as tx:
            (row,) = await tx.fetch("select id from users where display_name = 'Ben'")
            await identities.insert(
                tx, "did:plc:ben", row["id"], IdentityKind.CONNECTED, handle="ben.test", pds_url="", is_default=True
            )
        wanted = {"title": "Chess", "startsLocal": "2026-07-04T18:00", "timeZone": "Europe/Berlin"}
        path = (await client.post("/api/events", json=wanted, headers=ana)).headers["location"]
        await client.put(f"{path}/answer", json={"reply": "going"}, headers=ben)
        clock.turn(HOUR)
        await client.put(path, json=wanted | {"description": "@ben.test brings the clock"}, headers=ana)
        items = (await client.get("/api/notifications", headers=ben)).json()["items"]
        assert "mention" in [one["kind"] for one in items]
        chosen = (await client.get("/api/notification-preferences", headers=ben)).json()
        assert chosen["mentions"] == {"inApp": True, "mail": "at_once"}
