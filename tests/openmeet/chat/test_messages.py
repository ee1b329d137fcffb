"""Messages: numbered without gaps, sent once, edited, taken back, removed, restored and held; on both engines."""

import asyncio
import os
from dataclasses import replace

import pytest

from groundwork.clock import DAY, HOUR
from groundwork.errors import Conflict, Forbidden, InvalidForm, NotFound, Refused, TooMany
from groundwork.sealing import KEY_BYTES, Sealer
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import registration
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.registration import DEFAULT_SETTINGS, ListAudience
from openmeet.domain.chat import log, messages, people, reactions, readers, rooms
from openmeet.domain.chat.model import Access, HistoryMode, LogKind, NewMessage, RoomKind
from openmeet.domain.chat.queries import MessageFilter, page_of_messages
from openmeet.domain.chat.room_queries import by_id
from openmeet.domain.chat.rooms import RoomSettings
from openmeet.web.chat.view import MessageReader, message_view
from tests.openmeet.chat.rooms import create_event_with_people, message_texts, room_of, send_text, subject_of_event
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.site_under_test import person

SEALER = Sealer([os.urandom(KEY_BYTES)])


@pytest.fixture
async def db(make_database, clock):
    return await make_database("openmeet", clock=clock)


async def test_an_rsvp_gives_access_and_history(db):
    async with db.transaction() as tx:
        event, ana, ben, cleo = await create_event_with_people(tx)
        room = await room_of(tx, ben, subject_of_event(event))
        again = await room_of(tx, ana, subject_of_event(event))
        first = await send_text(tx, ben, room, "Who has the key?")
        second = await send_text(tx, ana, room, "I have", reply_to=first.id)
        assert again.id == room.id
        assert await message_texts(tx, room, ben) == ["Who has the key?", "I have"]
        assert second.number == first.number + 1
        page = await page_of_messages(tx, room, ben.user_id, MessageFilter())
        assert page.messages[1].reply.text == "Who has the key?"
        with pytest.raises(NotFound):
            await message_texts(tx, room, cleo)
        with pytest.raises(NotFound):
            await send_text(tx, cleo, room)
        await attendance.answer(tx, ben, event.slug, RsvpReply.DECLINED)
        with pytest.raises(NotFound):
            await message_texts(tx, room, ben)


async def test_the_log_numbers_every_act_without_gap(db):
    async with db.transaction() as tx:
        event, ana, ben, _ = await create_event_with_people(tx)
        room = await room_of(tx, ben, subject_of_event(event))
        one = await send_text(tx, ben, room, "One")
        await messages.edit(tx, ben, one.id, "Two", one.revision)
        await messages.remove(tx, ana, one.id, "Not here", SEALER)
        await messages.restore(tx, ana, one.id, SEALER)
        await messages.hold(tx, ana, one.id)
        await messages.release(tx, ana, one.id)
        await messages.retract(tx, ben, one.id)
        entries = await log.entries_after(tx, room.id, 0)
    assert [entry.number for entry in entries] == list(range(1, len(entries) + 1))
    assert [entry.kind for entry in entries] == [
        LogKind.ROOM,
        LogKind.POSTED,
        LogKind.EDITED,
        LogKind.REMOVED,
        LogKind.RESTORED,
        LogKind.REMOVED,
        LogKind.RESTORED,
        LogKind.REMOVED,
    ]


async def test_a_client_id_sends_once(db):
    async with db.transaction() as tx:
        event, ana, ben, _ = await create_event_with_people(tx)
        room = await room_of(tx, ben, subject_of_event(event))
        one, is_new = await messages.send(tx, ben, room.id, NewMessage("Once", client_id="a1"))
        same, again = await messages.send(tx, ben, room.id, NewMessage("Once", client_id="a1"))
        assert (same.id, is_new, again) == (one.id, True, False)
        # Client ids of different people do not collide.
        await messages.send(tx, ana, room.id, NewMessage("Mine", client_id="a1"))
        assert await message_texts(tx, room, ben) == ["Once", "Mine"]
        with pytest.raises(Conflict, match="client_id_reused"):
            await messages.send(tx, ben, room.id, NewMessage("Twice", client_id="a1"))


async def test_an_edit_needs_the_author_the_revision_and_the_day(db, clock):
    async with db.transaction() as tx:
        event, ana, ben, _ = await create_event_with_people(tx)
        room = await room_of(tx, ben, subject_of_event(event))
        one = await send_text(tx, ben, room, "At six")
        changed = await messages.edit(tx, ben, one.id, "At seven", 1)
        assert (changed.body, changed.revision) == ("At seven", 2)
        with pytest.raises(Forbidden):
            await messages.edit(tx, ana, one.id, "At eight")
        with pytest.raises(Conflict):
            await messages.edit(tx, ben, one.id, "At eight", 1)
        kept = await tx.fetch("select body from chat_edits where message_id = :id", id=one.id)
    assert [row["body"] for row in kept] == ["At six"]
    clock.turn(24 * HOUR)
    async with db.transaction() as tx:
        with pytest.raises(Refused, match="too_late"):
            await messages.edit(tx, ben, one.id, "At nine")


async def test_a_message_taken_back_leaves_a_placeholder(db):
    """A message taken back leaves a placeholder. Nobody can restore the message. People can take messages back even
    after they have left.
    """
    async with db.transaction() as tx:
        event, ana, ben, _ = await create_event_with_people(tx)
        room = await room_of(tx, ben, subject_of_event(event))
        one = await send_text(tx, ben, room, "Sorry")
        await messages.edit(tx, ben, one.id, "So sorry")
        await attendance.answer(tx, ben, event.slug, RsvpReply.DECLINED)
        await messages.retract(tx, ben, one.id)
        page = await page_of_messages(tx, room, ana.user_id, MessageFilter())
        with pytest.raises(Refused, match="taken_back"):
            await messages.restore(tx, ana, one.id, SEALER)
        edits = await tx.fetch("select 1 from chat_edits")
    (shown,) = page.messages
    assert (shown.message.body, shown.message.is_taken_back, list(edits)) == ("", True, [])


async def test_a_removed_text_is_sealed_for_thirty_days(db, clock):
    async with db.transaction() as tx:
        event, ana, ben, _ = await create_event_with_people(tx)
        room = await room_of(tx, ben, subject_of_event(event))
        one = await send_text(tx, ben, room, "Secret words")
        with pytest.raises(InvalidForm):
            await messages.remove(tx, ana, one.id, " ", SEALER)
        with pytest.raises(Forbidden):
            await messages.remove(tx, ben, one.id, "No", SEALER)
        await messages.remove(tx, ana, one.id, "Off topic", SEALER)
        sealed = await tx.fetch_one("select body_sealed from chat_removed")
        assert b"Secret" not in bytes(sealed["body_sealed"])
        assert (await messages.restore(tx, ana, one.id, SEALER)).body == "Secret words"
        await messages.remove(tx, ana, one.id, "Off topic", SEALER)
    clock.turn(30 * DAY)
    async with db.transaction() as tx:
        with pytest.raises(Refused, match="nothing_to_restore"):
            await messages.restore(tx, ana, one.id, SEALER)


async def test_the_author_takes_back_what_a_host_removed(db):
    async with db.transaction() as tx:
        event, ana, ben, _ = await create_event_with_people(tx)
        room = await room_of(tx, ben, subject_of_event(event))
        one = await send_text(tx, ben, room, "Sorry")
        await messages.remove(tx, ana, one.id, "Off topic", SEALER)
        assert (await messages.retract(tx, ben, one.id)).is_taken_back
        with pytest.raises(Refused, match="taken_back"):
            await messages.restore(tx, ana, one.id, SEALER)


@pytest.mark.parametrize("text", ["👍", "👍🏽", "❤️", "🇩🇪", "1️⃣", "👩‍🚀", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "‼️"])
def test_one_emoji_is_a_reaction(text):
    assert reactions.checked_emoji(text) == text


@pytest.mark.parametrize(
    "text", ["\u202e\u200d👍", "§", "\u0663", "\u0378", "👍👍", "👍\U000e0041", "a", "1", "\u200d"]
)
def test_anything_but_one_emoji_is_not_a_reaction(text):
    with pytest.raises(InvalidForm):
        reactions.checked_emoji(text)


async def test_slow_mode_does_not_apply_to_hosts(db, clock):
    async with db.transaction() as tx:
        event, ana, ben, _ = await create_event_with_people(tx)
        room = await room_of(tx, ben, subject_of_event(event))
        await rooms.change_settings(tx, ana, room.id, RoomSettings(slow_seconds=30))
        await send_text(tx, ben, room)
        with pytest.raises(TooMany) as refused:
            await send_text(tx, ben, room)
        assert refused.value.after_seconds == 30
        await send_text(tx, ana, room)
        await send_text(tx, ana, room)


async def test_a_closed_room_is_read_only_for_everybody(db):
    async with db.transaction() as tx:
        event, ana, ben, _ = await create_event_with_people(tx)
        room = await room_of(tx, ben, subject_of_event(event))
        await send_text(tx, ben, room)
        await rooms.close(tx, ana, room.id, "It is over")
        for who in (ana, ben):
            with pytest.raises(Forbidden, match="room_closed"):
                await send_text(tx, who, room)
            assert await message_texts(tx, room, who) == ["Hello"]
        await rooms.reopen(tx, ana, room.id)
        await send_text(tx, ben, room, "Again")


async def test_newcomers_read_from_when_they_joined(db):
    """Changing the history setting affects later newcomers only. Current people keep their history, and the chat shows
    the change.
    """
    async with db.transaction() as tx:
        event, ana, ben, cleo = await create_event_with_people(tx)
        room = await room_of(tx, ben, subject_of_event(event))
        await send_text(tx, ben, room, "Before")
        room = await rooms.change_settings(tx, ana, room.id, RoomSettings(history=HistoryMode.SINCE_JOINING))
        await attendance.answer(tx, cleo, event.slug, RsvpReply.GOING)
        room, access, first = await rooms.readable_room(tx, room.id, cleo.user_id)
        assert (access, first) == (Access.WRITE, room.last_number)
        assert await message_texts(tx, room, ben) == ["Before", ""]
        assert await message_texts(tx, room, cleo) == []
        assert await message_texts(tx, room, ana) == ["Before", ""]


async def test_reopening_the_history_does_not_show_earlier_messages(db):
    """Messages from the time when newcomers had no history stay hidden from people who joined then and from those who
    join later.
    """
    async with db.transaction() as tx:
        event, ana, ben, cleo = await create_event_with_people(tx)
        dan = await person(tx, "Dan")
        room = await room_of(tx, ben, subject_of_event(event))
        await send_text(tx, ben, room, "Before")
        await rooms.change_settings(tx, ana, room.id, RoomSettings(history=HistoryMode.SINCE_JOINING))
        await send_text(tx, ben, room, "Among us")
        await attendance.answer(tx, cleo, event.slug, RsvpReply.GOING)
        await readers.mark_read(tx, cleo, room.id, 0)
        await send_text(tx, ben, room, "Hello Cleo")
        room = await rooms.change_settings(tx, ana, room.id, RoomSettings(history=HistoryMode.ALL))
        await send_text(tx, ben, room, "To everybody")
        await attendance.answer(tx, dan, event.slug, RsvpReply.GOING)
        read = {
            who.display_name: [one for one in await message_texts(tx, room, who) if one]
            for who in (ana, ben, cleo, dan)
        }
    assert read["Ana"] == read["Ben"] == ["Before", "Among us", "Hello Cleo", "To everybody"]
    assert read["Cleo"] == ["Hello Cleo", "To everybody"]
    assert read["Dan"] == ["To everybody"]


async def test_a_reply_does_not_quote_what_the_reader_cannot_see(db):
    async with db.transaction() as tx:
        event, ana, ben, cleo = await create_event_with_people(tx)
        room = await room_of(tx, ben, subject_of_event(event))
        before = await send_text(tx, ben, room, "The code is 1234")
        room = await rooms.change_settings(tx, ana, room.id, RoomSettings(history=HistoryMode.SINCE_JOINING))
        await attendance.answer(tx, cleo, event.slug, RsvpReply.GOING)
        await readers.mark_read(tx, cleo, room.id, room.last_number)
        await send_text(tx, ben, room, "Still so", reply_to=before.id)
        room, _, _ = await rooms.readable_room(tx, room.id, cleo.user_id)
        quoted = [
            (await page_of_messages(tx, room, who.user_id, MessageFilter())).messages[-1].reply.text
            for who in (ana, ben, cleo)
        ]
    assert quoted == ["The code is 1234", "The code is 1234", ""]


@pytest.mark.parametrize("audience", ["hosts", "attendees"])
async def test_names_are_shown_only_to_people_who_see_the_guest_list(db, audience):
    async with db.transaction() as tx:
        event, ana, ben, cleo = await create_event_with_people(tx)
        await attendance.answer(tx, cleo, event.slug, RsvpReply.INTERESTED)
        settings = replace(DEFAULT_SETTINGS, list_audience=ListAudience(audience))
        await registration.put(tx, event.id, settings)
        room = await room_of(tx, ben, subject_of_event(event))
        by_interested = await people.members(tx, room, cleo.user_id)
        by_going = await people.members(tx, room, ben.user_id)
        by_host = await people.members(tx, room, ana.user_id)
        await send_text(tx, ben, room)
        later = await people.members(tx, room, cleo.user_id)
    assert ([one.name for one in by_interested.people], by_interested.others) == (["Ana", "Cleo"], 1)
    assert len(by_going.people) == (2 if audience == "hosts" else 3)
    assert len(by_host.people) == 3
    assert [one.because for one in later.people] == [("hosting",), (), ("attendance",)]


async def test_members_of_a_group_are_named_to_its_members_only(db):
    async with db.transaction() as tx:
        event, ana, ben, _ = await create_event_with_people(tx)
        group = await group_by(tx, ana)
        dan, eva = [await add_member(tx, group, ana, name) for name in ("Dan", "Eva")]
        await tx.execute("update events set group_id = :group where id = :id", group=group.id, id=event.id)
        await attendance.answer(tx, dan, event.slug, RsvpReply.GOING)
        await tx.execute("update attendances set is_private = 1 where user_id = :id", id=dan.user_id)
        room = await room_of(tx, ben, subject_of_event(event))
        from_outside = await people.members(tx, room, ben.user_id)
        from_inside = await people.members(tx, room, eva.user_id)
    assert ([one.name for one in from_outside.people], from_outside.others) == (["Ana", "Ben"], 2)
    assert [one.name for one in from_inside.people] == ["Ana", "Ben", "Dan", "Eva"]
    # Only hosts see that Dan answered.
    assert from_inside.people[2].because == ("group",)


async def test_a_mention_does_not_confirm_a_private_answer(db):
    async with db.transaction() as tx:
        event, ana, ben, cleo = await create_event_with_people(tx)
        await attendance.answer(tx, cleo, event.slug, RsvpReply.GOING)
        await tx.execute("update attendances set is_private = 1 where user_id = :id", id=cleo.user_id)
        room = await room_of(tx, ben, subject_of_event(event))
        await send_text(tx, ben, room, "Are you coming?", mentions=(cleo.user_id,))
        await send_text(tx, ben, room, "@Cleo and @Ana, are you coming?")
        await send_text(tx, ana, room, "@Cleo, see you there")
        page = await page_of_messages(tx, room, ben.user_id, MessageFilter())
    assert [one.mentions for one in page.messages] == [(), (ana.user_id,), (cleo.user_id,)]


async def test_mentions_reach_those_who_may_read(db):
    async with db.transaction() as tx:
        event, ana, ben, cleo = await create_event_with_people(tx)
        room = await room_of(tx, ben, subject_of_event(event))
        one = await send_text(tx, ben, room, "@Ana and @Cleo, who comes?", mentions=(cleo.user_id,))
        page = await page_of_messages(tx, room, ana.user_id, MessageFilter())
    assert page.messages[0].mentions == (ana.user_id,)
    assert one.body == "@Ana and @Cleo, who comes?"


async def test_a_mention_follows_a_changed_name(db):
    async with db.transaction() as tx:
        event, ana, ben, _ = await create_event_with_people(tx)
        room = await room_of(tx, ben, subject_of_event(event))
        one = await send_text(tx, ben, room, "Thanks @Ana")
        answer = await send_text(tx, ben, room, "Yes", reply_to=one.id)
        await tx.execute("update users set display_name = 'Anna *Maria*' where id = :id", id=ana.user_id)
        # Another person with the old name joins. An edit that keeps the mention does not refer to them.
        other = await person(tx, "Ana")
        await attendance.answer(tx, other, event.slug, RsvpReply.GOING)
        await messages.edit(tx, ben, one.id, "Many thanks @Ana")
        shown, quoting = (await page_of_messages(tx, room, ben.user_id, MessageFilter())).messages
    assert shown.mentions == (ana.user_id,)
    assert (
        "@Anna *Maria*" in message_view(shown, room, set(), MessageReader("UTC", event.starts_at, may_write=True)).html
    )
    assert quoting.message.id == answer.id
    assert quoting.reply.text == "Many thanks @Anna *Maria*"
    assert shown.message.body == "Many thanks @Ana", "the author edits the original text"


async def test_a_name_with_a_link_is_not_inserted_into_messages(db):
    async with db.transaction() as tx:
        event, ana, ben, _ = await create_event_with_people(tx)
        room = await room_of(tx, ben, subject_of_event(event))
        await send_text(tx, ben, room, "Thanks @Ana")
        await tx.execute("update users set display_name = '[x](https://example.org)' where id = :id", id=ana.user_id)
        (shown,) = (await page_of_messages(tx, room, ben.user_id, MessageFilter())).messages
    assert (
        message_view(shown, room, set(), MessageReader("UTC", event.starts_at, may_write=True)).html
        == "<p>Thanks @Ana</p>\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n ",
        "\u200b",
        "\u3164\n\u2800",
        "x" * 4_001,
        "a\n" * 101 + "a",
        "nul \x00",
        "bell \x07",
        "@" + " @".join(f"u{n}" for n in range(21)),
    ],
)
async def test_bad_texts_are_refused(db, text):
    async with db.transaction() as tx:
        event, _, ben, _ = await create_event_with_people(tx)
        room = await room_of(tx, ben, subject_of_event(event))
        with pytest.raises(InvalidForm) as refused:
            await send_text(tx, ben, room, text)
    assert set(refused.value.problems) == {"text"}


async def test_characters_that_distort_text_are_removed(db):
    async with db.transaction() as tx:
        event, _, ben, _ = await create_event_with_people(tx)
        room = await room_of(tx, ben, subject_of_event(event))
        one = await send_text(tx, ben, room, "a\u202eb" + "e" + "\u0301" * 50)
    assert one.body == "ab" + "e" + "\u0301" * 8


async def test_pages_of_messages_go_both_ways(db):
    async with db.transaction() as tx:
        event, _, ben, _ = await create_event_with_people(tx)
        room = await room_of(tx, ben, subject_of_event(event))
        said = [await send_text(tx, ben, room, f"n{n}") for n in range(10)]
        latest = await page_of_messages(tx, room, ben.user_id, MessageFilter(), limit=4)
        before = await page_of_messages(tx, room, ben.user_id, MessageFilter(before=said[6].number), limit=4)
        after = await page_of_messages(tx, room, ben.user_id, MessageFilter(after=said[7].number), limit=4)
        around = await page_of_messages(tx, room, ben.user_id, MessageFilter(around=said[5].number), limit=4)
    shown = {
        name: ([one.message.body for one in page.messages], page.has_before, page.has_after)
        for name, page in (("latest", latest), ("before", before), ("after", after), ("around", around))
    }
    assert shown == {
        "latest": (["n6", "n7", "n8", "n9"], True, False),
        "before": (["n2", "n3", "n4", "n5"], True, True),
        "after": (["n8", "n9"], True, False),
        "around": (["n3", "n4", "n5", "n6"], True, True),
    }


async def test_concurrent_writers_leave_no_gap(db):
    """Concurrent writers in two rooms, with edits in between, get numbers without gaps, in order of commit."""
    async with db.transaction() as tx:
        event, ana, ben, _ = await create_event_with_people(tx)
        room = await room_of(tx, ben, subject_of_event(event))
        hosts = await room_of(tx, ana, subject_of_event(event), RoomKind.HOSTS)

    async def write(number: int) -> None:
        async with db.transaction() as tx:
            one = await send_text(tx, ana if number % 2 else ben, room, f"n{number}")
            if number % 3 == 0:
                await messages.edit(tx, ana if number % 2 else ben, one.id, f"m{number}")
        async with db.transaction() as tx:
            await send_text(tx, ana, hosts, f"h{number}")

    await asyncio.gather(*(write(number) for number in range(24)))
    async with db.reader() as reader:
        for one, at_least in ((room, 24), (hosts, 24)):
            entries = await log.entries_after(reader, one.id, 0)
            assert [entry.number for entry in entries] == list(range(1, len(entries) + 1))
            assert sum(entry.kind is LogKind.POSTED for entry in entries) == at_least
            stored = await by_id(reader, one.id)
            assert stored.last_number == len(entries)


async def test_the_same_client_id_at_once_makes_one_message(db):
    async with db.transaction() as tx:
        event, _, ben, _ = await create_event_with_people(tx)
        room = await room_of(tx, ben, subject_of_event(event))

    async def send() -> str:
        async with db.transaction() as tx:
            one, _ = await messages.send(tx, ben, room.id, NewMessage("Once", client_id="same"))
            return one.id

    assert len(set(await asyncio.gather(*(send() for _ in range(6))))) == 1
    async with db.reader() as reader:
        assert await message_texts(reader, room, ben) == ["Once"]
        assert len(await log.entries_after(reader, room.id, 0)) == 2


async def test_the_member_list_says_why_people_have_access(db):
    """People who answered privately are only counted until they write a message. Hosts see them by name."""
    async with db.transaction() as tx:
        event, ana, ben, cleo = await create_event_with_people(tx)
        await attendance.answer(tx, cleo, event.slug, RsvpReply.GOING)
        await tx.execute("update attendances set is_private = 1 where user_id = :id", id=cleo.user_id)
        room = await room_of(tx, ben, subject_of_event(event))
        seen = await people.members(tx, room, ben.user_id)
        by_host = await people.members(tx, room, ana.user_id)
        await send_text(tx, cleo, room)
        later = await people.members(tx, room, ben.user_id)
    assert [(one.name, one.access, one.because) for one in seen.people] == [
        ("Ana", Access.MODERATE, ("hosting",)),
        ("Ben", Access.WRITE, ("attendance",)),
    ]
    assert (seen.others, by_host.others, [one.name for one in later.people]) == (1, 0, ["Ana", "Ben", "Cleo"])
