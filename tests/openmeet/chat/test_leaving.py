"""What happens to the messages and rights of people who leave, return under another account, or hand over events that
they hosted.
"""

import os
from dataclasses import replace
from typing import cast

import pytest

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Transaction
from groundwork.sealing import KEY_BYTES, Sealer
from groundwork.signing_key import SigningKey
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.chat import (
    merge,
    message_queries,
    messages,
    objections,
    polls,
    readers,
    sanctions,
    search,
)
from openmeet.domain.chat.access import access
from openmeet.domain.chat.model import (
    Access,
    ChatMessage,
    MessageKind,
    NotificationLevel,
    Room,
    RoomKind,
    RoomSubject,
    SubjectKind,
)
from openmeet.domain.chat.sanctions import SanctionKind
from openmeet.domain.events.model import Event
from openmeet.domain.groups import actions as groups
from openmeet.domain.identities import actions as identities
from openmeet.domain.moderation import visibility
from openmeet.domain.moderation.model import ModeratedKind, Subject, SubjectVisibility
from openmeet.domain.notifications import email_links
from openmeet.domain.notifications.email_links import EmailLink, LinkPurpose
from openmeet.domain.users.model import Caller
from tests.openmeet.chat.rooms import room_of, send_text, subject_of_event
from tests.openmeet.groups.people import group_by
from tests.openmeet.series.practice import NOW, create_weekly_series, split_series
from tests.openmeet.site_under_test import event_by, person, signed_in, site_on
from tests.openmeet.statement_counter import StatementCounter

KEY = SigningKey(b"k" * 32)
SEALER = Sealer([os.urandom(KEY_BYTES)])
DID = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
SHOWN, HIDDEN = SubjectVisibility.SHOWN, SubjectVisibility.HIDDEN


@pytest.fixture
async def db(make_database, clock):
    clock.turn(NOW - clock.now())
    return await make_database("openmeet", clock=clock)


async def event_of_ana(tx: Transaction, *guests: str) -> tuple[Event, Caller, list[Caller]]:
    """Ana's event, and people with these names who go to it."""
    ana = await person(tx, "Ana")
    event = await event_by(tx, ana, starts="2026-12-04T18:00", ends="2026-12-04T20:00")
    going = [await person(tx, name) for name in guests]
    for guest in going:
        await attendance.answer(tx, guest, event.slug, RsvpReply.GOING)
    return event, ana, going


async def question_of(tx: Transaction, who: Caller, event: Event) -> tuple[Room, ChatMessage]:
    """A person's thread with the hosts of an event, and their question in it."""
    room = await room_of(tx, who, subject_of_event(event), RoomKind.DIRECT, with_user_id=who.user_id)
    return room, await send_text(tx, who, room, "Where do I park?")


async def test_former_members_can_take_back_their_messages(db, clock):
    """A person who has left can take back a message on the message's page, which shows nothing written by other people."""
    async with db.transaction() as tx:
        event, ana, (ben,) = await event_of_ana(tx, "Ben")
        room = await room_of(tx, ana, subject_of_event(event))
        asked = await send_text(tx, ana, room, "The secret is blue")
        said = await send_text(tx, ben, room, "My number is 555", reply_to=asked.id)
        await attendance.answer(tx, ben, event.slug, RsvpReply.DECLINED)
    path = f"/chat/messages/{said.id}"
    async with signed_in(site_on(db, clock), ben.user_id) as browser:
        shown = await browser.get(path)
        assert shown.status_code == 200
        assert "My number is 555" in shown.text
        assert "secret" not in shown.text
        assert event.title not in shown.text
        assert (await browser.get(f"/chat/messages/{asked.id}")).status_code == 404
        assert (await browser.post(f"{path}/reactions", data={"add": "👍"})).status_code == 404
        taken = await browser.post(f"{path}/take-back", data={"confirmed": "yes"})
        assert taken.status_code == 303, taken.text
        assert (taken.status_code, taken.headers["location"]) == (303, "/chat")
        assert (await browser.get(path)).status_code == 404
    async with db.reader() as reader:
        stored = await message_queries.by_id(reader, said.id)
    assert stored.is_taken_back
    assert stored.body == ""


async def test_a_restored_poll_has_its_choices(db):
    async with db.transaction() as tx:
        event, ana, (ben,) = await event_of_ana(tx, "Ben")
        room = await room_of(tx, ana, subject_of_event(event))
        details = await polls.checked_poll(tx, room.id, ["Mon", "Tue"], several=False, ends_at=None)
        said = await send_text(tx, ben, room, "When?", kind=MessageKind.POLL, details=details)
        await messages.remove(tx, ana, said.id, "Not here", SEALER)
        await messages.restore(tx, ana, said.id, SEALER)
        back = await message_queries.by_id(tx, said.id)
    assert (back.body, back.details["choices"]) == ("When?", ["Mon", "Tue"])


async def test_threads_of_merged_accounts_are_found_in_the_one_that_remains(db):
    async with db.transaction() as tx:
        event, ana, (ben, twin) = await event_of_ana(tx, "Ben", "Twin")
        threads = [(await question_of(tx, who, event))[0] for who in (ben, twin)]
        await merge.reassign(tx, twin.user_id, ben.user_id)
        wanted = search.ChatSearch(words="park", rooms=(threads[0].id,), person=ben.user_id)
        found = await search.find_messages(tx, ana.user_id, wanted, limit=10)
    assert len(found.messages) == 2


async def test_what_was_read_in_two_threads_stays_read_in_one(db):
    """The host has read both, apart from the last question of the second account. The guest has read the host's reply in
    each of them.
    """
    async with db.transaction() as tx:
        event, ana, (ben, twin) = await event_of_ana(tx, "Ben", "Twin")
        threads = []
        for who in (ben, twin):
            room, _ = await question_of(tx, who, event)
            reply = await send_text(tx, ana, room, "Behind the hall")
            for reader in (ana, who):
                await readers.mark_read(tx, reader, room.id, reply.number)
            threads.append(room)
        await send_text(tx, twin, threads[1], "And my bike?")
        link = EmailLink(ana.user_id, LinkPurpose.CHAT, threads[1].id)
        token = await email_links.token_for(tx, KEY, link)
        await email_links.token_for(tx, KEY, replace(link, subject=threads[0].id))
        await merge.reassign(tx, twin.user_id, ben.user_id)
        assert (await readers.unread_counts(tx, ana.user_id)).messages == 1
        assert (await readers.unread_counts(tx, ben.user_id)).messages == 0
        assert await email_links.find(tx, token, LinkPurpose.CHAT) == replace(link, subject=threads[0].id)


async def test_joining_long_threads_takes_no_more_statements_than_short_ones(db):
    """All messages of both are in the remaining one, each once, in order, and its log has no gap."""
    counted: list[int] = []
    for replies in (1, 40):
        async with db.transaction() as tx:
            event, ana, (ben, twin) = await event_of_ana(tx, "Ben", "Twin")
            kept, _ = await question_of(tx, ben, event)
            goes, _ = await question_of(tx, twin, event)
            said = [(await send_text(tx, ana, goes, f"Reply {number}")).id for number in range(replies)]
            counter = StatementCounter(tx)
            await merge.reassign(cast("Transaction", counter), twin.user_id, ben.user_id)
            counted.append(counter.statements)
            rows = await tx.fetch(
                "select id, number from chat_messages where room_id = :room order by number", room=kept.id
            )
            log = await tx.fetch(
                "select number, message_id from chat_log where room_id = :room order by number", room=kept.id
            )
            room = await tx.fetch_one("select last_number from chat_rooms where id = :room", room=kept.id)
        assert [row["id"] for row in rows][-replies:] == said
        assert len(rows) == replies + 2
        assert [row["number"] for row in log] == list(range(1, room["last_number"] + 1))
        assert [row["message_id"] for row in log if row["message_id"]] == [row["id"] for row in rows]
        assert [row["number"] for row in log if row["message_id"]] == [row["number"] for row in rows]
    assert counted[0] == counted[1]


async def test_a_former_host_loses_control_of_the_series_chat(db, clock):
    """The host keeps the part of the series before the split. When its dates are long over, the host loses access to
    the room.
    """
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        room = await room_of(tx, ana, RoomSubject(SubjectKind.SERIES, series.id), RoomKind.SERIES)
        await split_series(tx, series, "2026-12-08T18:00:00", "Practice, renewed")
        tail = await tx.fetch_one("select id from event_series where split_from = :id", id=series.id)
        await tx.execute("update event_series set user_id = :ben where id = :id", ben=ben.user_id, id=tail["id"])
        assert [await access(tx, room.id, one.user_id) for one in (ana, ben)] == [Access.MODERATE, Access.MODERATE]
    clock.turn(60 * DAY)
    async with db.reader() as reader:
        assert [await access(reader, room.id, one.user_id) for one in (ana, ben)] == [Access.NONE, Access.MODERATE]


async def test_a_suspended_account_keeps_its_marks_and_settings(db):
    """A moderator suspends the network account of a member and lifts the suspension. The member reads on where they
    stopped.
    """
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        await identities.link(tx, DID, ben.user_id, handle="ben.example", pds_url="https://pds.example")
        group = await group_by(tx, ana)
        await groups.join(tx, ben, group.slug)
        room = await room_of(tx, ana, RoomSubject(SubjectKind.GROUP, group.id), RoomKind.CHANNEL)
        first = await send_text(tx, ana, room, "Welcome")
        await readers.mark_read(tx, ben, room.id, first.number)
        await readers.choose_notifications(tx, ben, room.id, NotificationLevel.ALL, None)
        await send_text(tx, ana, room, "Who has the key?")
    await readers.apply_access_changes(db)
    for before, after in ((SHOWN, HIDDEN), (HIDDEN, SHOWN)):
        async with db.transaction() as tx:
            await visibility.change(tx, Subject(ModeratedKind.DID, DID), before, after, reason="", by=ana.user_id)
        await readers.apply_access_changes(db)
    async with db.reader() as reader:
        reading = await readers.reading_of(reader, room.id, ben.user_id)
        assert (reading.read_number, reading.level) == (first.number, NotificationLevel.ALL)
        assert (await readers.unread_counts(reader, ben.user_id)).messages == 1


async def test_the_longer_sanction_stays_in_force_after_a_merge(db, clock):
    async with db.transaction() as tx:
        event, ana, (ben, twin) = await event_of_ana(tx, "Ben", "Twin")
        room = await room_of(tx, ana, subject_of_event(event))
        for who, until in ((ben, Instant(tx.now + DAY)), (twin, None)):
            await sanctions.sanction(tx, ana, room.id, who.user_id, SanctionKind.BAN, reason="Spam", until=until)
        await merge.reassign(tx, twin.user_id, ben.user_id)
    clock.turn(2 * DAY)
    async with db.reader() as reader:
        assert await access(reader, room.id, ben.user_id) is Access.NONE


async def test_a_ban_and_its_log_survive_the_merge_of_two_threads(db):
    """The banned account had its own thread with the hosts. Its ban, and the reason for a removal, are kept."""
    async with db.transaction() as tx:
        event, ana, (ben, twin) = await event_of_ana(tx, "Ben", "Twin")
        kept, _ = await question_of(tx, ben, event)
        room, one = await question_of(tx, twin, event)
        await messages.remove(tx, ana, one.id, "Not here", SEALER)
        await sanctions.sanction(tx, ana, room.id, twin.user_id, SanctionKind.BAN, reason="Spam")
        await merge.reassign(tx, twin.user_id, ben.user_id)
        assert await access(tx, kept.id, ben.user_id) is Access.NONE
        assert (await objections.own_removal(tx, one.id, ben.user_id)).reason == "Not here"
