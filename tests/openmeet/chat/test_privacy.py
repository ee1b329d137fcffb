"""What refusals reveal to people without access, and how many rows of people a page reads."""

import pytest

from groundwork.clock import DAY
from groundwork.errors import NotFound
from groundwork.uuid7 import new_id
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import invitations
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.chat import people, rooms
from openmeet.domain.chat.model import RoomKind, RoomSubject, SubjectKind
from openmeet.domain.erasure import actions as erasure
from tests.openmeet.chat.rooms import room_of, send_text, subject_of_event
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.series.practice import create_weekly_series
from tests.openmeet.site_under_test import api_session, event_by, person, site_on
from tests.openmeet.statement_counter import StatementCounter

CROWD = 20_000
EVENT = {
    "title": "Board games",
    "startsLocal": "2026-07-04T18:00",
    "endsLocal": "2026-07-04T20:00",
    "timeZone": "Europe/Berlin",
    "visibility": "private",
}
GROUP = {"name": "Secret club", "timeZone": "Europe/Berlin", "visibility": "private"}
SERIES = {**EVENT, "recurrence": "FREQ=WEEKLY;BYDAY=SA"}


@pytest.fixture
async def db(make_database, clock):
    return await make_database("openmeet", clock=clock)


async def test_a_private_room_looks_absent(db, clock):
    """A private room gets the same response as an absent one, for every kind of room and subject."""
    async with site_on(db, clock).browser() as client:
        ana, ben = [await api_session(client, f"{name}@example.org", name) for name in ("ana", "ben")]
        slugs = {}
        for what, path, body in (
            ("event", "/api/events", EVENT),
            ("group", "/api/groups", GROUP),
            ("series", "/api/series", SERIES),
        ):
            made = await client.post(path, json=body, headers=ana)
            assert made.status_code == 201, made.text
            slugs[what] = made.json()["slug"]

        async def answers(what: str, slug: str) -> list[tuple[int, str, str]]:
            asked = [await client.get(f"/api/chat/rooms?{what}={slug}", headers=ben)]
            path = "series" if what == "series" else f"{what}s"
            asked.append(await client.get(f"/api/{path}/{slug}/chat", headers=ben))
            for kind in ("event", "series", "date", "channel", "hosts", "direct"):
                for further in (
                    {},
                    {"date": "2026-07-04T18:00:00"},
                    {"name": "further"},
                    {"with": new_id(clock.now())},
                ):
                    wanted = {"kind": kind, what: slug, **further}
                    asked.append(await client.post("/api/chat/rooms", json=wanted, headers=ben))
            return [(one.status_code, one.json()["title"], one.json()["detail"]) for one in asked]

        for what, slug in slugs.items():
            private, absent = await answers(what, slug), await answers(what, "no-such-thing")
            assert private == absent, what
            assert {status for status, *_ in private} == {404}, what


async def test_other_guests_do_not_learn_who_waits_for_a_place(db):
    """On the page of the event, only hosts see who waits. In the chat, people who wrote themselves are named."""

    async def named(reader, viewer) -> set[str]:
        return {one.name for one in (await people.members(reader, room, viewer.user_id)).people}

    async with db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana, capacity="1")
        for who in (ben, cleo):
            await attendance.answer(tx, who, event.slug, RsvpReply.GOING)
        room = await room_of(tx, ana, subject_of_event(event))
        assert await named(tx, ana) == {"Ana", "Ben", "Cleo"}
        assert await named(tx, ben) == {"Ana", "Ben"}
        assert await named(tx, cleo) == {"Ana", "Ben", "Cleo"}
        await send_text(tx, cleo, room)
        assert await named(tx, ben) == {"Ana", "Ben", "Cleo"}


async def crowd(tx, event) -> None:
    """Insert twenty thousand attendees."""
    ids = [{"person": new_id(tx.now), "answer": new_id(tx.now), "name": f"Guest {n}"} for n in range(CROWD)]
    await tx.execute_many(
        "insert into users (id, kind, display_name, bio, revision, created_at, updated_at)"
        " values (:person, 'person', :name, '', 1, 1, 1)",
        [{"person": one["person"], "name": one["name"]} for one in ids],
    )
    await tx.execute_many(
        "insert into attendances (id, event_id, user_id, status, source, revision, created_at, answered_at)"
        " values (:answer, :event, :person, 'attending', 'here', 1, 1, 1)",
        [{"answer": one["answer"], "event": event.id, "person": one["person"]} for one in ids],
    )
    # A database in use does this by itself. Statistics of an earlier test's few rows make PostgreSQL join by nested
    # loops, which takes a minute on a busy machine.
    for table in ("users", "attendances"):
        await tx.execute(f"analyze {table}")


async def test_a_room_of_thousands_is_not_loaded_to_show_a_few(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        room = await room_of(tx, ana, subject_of_event(event))
        await crowd(tx, event)
    async with db.transaction() as tx:
        beside, page, named = StatementCounter(tx), StatementCounter(tx), StatementCounter(tx)
        few = await people.some_members(beside, room, ana.user_id, 6)
        first = await people.members(page, room, ana.user_id, limit=10)
        second = await people.members(tx, room, ana.user_id, limit=10, after=first.after)
        called = await people.people_named(named, room, ["guest77", "nobody"], ana.user_id)
    assert [one.name for one in few.people[:1]] == ["Ana"]
    assert (len(few.people), few.others) == (6, None)
    assert len({one.user_id for one in (*first.people, *second.people)}) == 20
    assert len(called) == 1
    for one in (beside, page, named):
        assert one.statements <= 10
        assert one.rows <= 400


async def test_names_with_umlauts_are_ordered_found_and_paged(db):
    names = ["Änne", "ÖZLEM", "Zoé", "Ärger", "anna", "Ülkü", "Groß"]
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        guests = {name: await person(tx, name) for name in names}
        for guest in guests.values():
            await attendance.answer(tx, guest, event.slug, RsvpReply.GOING)
        room = await room_of(tx, ana, subject_of_event(event))
        for words in ("än", "ÄN", "Än"):
            found = await people.members(tx, room, ana.user_id, words=words)
            assert [one.name for one in found.people] == ["Änne"]
        paged, after = [], None
        for _ in range(len(names) + 1):
            page = await people.members(tx, room, ana.user_id, limit=1, after=after)
            paged += [one.name for one in page.people]
            after = page.after
        assert sorted(paged) == sorted([*names, "Ana"])
        assert after is None
        mentioned = await send_text(tx, ana, room, "@änne @özlem @GROSS")
        rows = await tx.fetch("select user_id from chat_mentions where message_id = :id", id=mentioned.id)
    assert {row["user_id"] for row in rows} == {guests[name].user_id for name in ("Änne", "ÖZLEM", "Groß")}


async def test_the_count_does_not_depend_on_the_search(db):
    """The count must not depend on the search, because searching by name would otherwise reveal who answered privately."""
    async with db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana)
        for guest in (ben, cleo):
            await attendance.answer(tx, guest, event.slug, RsvpReply.GOING)
        await tx.execute("update attendances set is_private = 1 where user_id = :id", id=cleo.user_id)
        room = await room_of(tx, ben, subject_of_event(event))
        others = [
            (await people.members(tx, room, ben.user_id, words=words, limit=limit)).others
            for words in ("", "Ana", "Cleo", "Nobody")
            for limit in (1, 10)
        ]
    assert set(others) == {1}


async def test_hosts_do_not_learn_who_owns_an_invited_address(db):
    """Hosts can let invited people read. They see the name of such a person only once that person has answered."""
    async with db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
        event = await event_by(tx, ana)
        room = await room_of(tx, ana, subject_of_event(event))
        await rooms.change_settings(tx, ana, room.id, rooms.RoomSettings(audience={"pending": "read"}))
        await invitations.invite(tx, ana, event.slug, "ben@example.org")
        assert [one.name for one in (await people.members(tx, room, ana.user_id)).people] == ["Ana"]
        assert [one.name for one in (await people.some_members(tx, room, ana.user_id, 6)).people] == ["Ana"]
        assert await people.people_named(tx, room, ["ben"], ana.user_id) == {}
        await attendance.answer(tx, ben, event.slug, RsvpReply.INTERESTED)
        assert [one.name for one in (await people.members(tx, room, ana.user_id)).people] == ["Ana", "Ben"]


async def test_a_room_without_messages_lists_the_same_people(db):
    """People can be mentioned in the first message. Opening the room changes neither the list nor who is named in it."""

    async def listed(reader, room) -> list[tuple]:
        return [
            (found.people, found.others)
            for who in (ana, ben, cleo)
            for found in (
                await people.members(reader, room, who.user_id),
                await people.some_members(reader, room, who.user_id, 10),
                await people.members(reader, room, who.user_id, words="DORA"),
            )
        ]

    async with db.transaction() as tx:
        ana, ben, cleo, dora, leaving = [await person(tx, name) for name in ("Ana", "Ben", "Cleo", "Dora", "Dora L.")]
        event = await event_by(tx, ana, capacity="3")
        for who in (leaving, dora, ben, cleo):
            await attendance.answer(tx, who, event.slug, RsvpReply.GOING)
        target = await rooms.target_of(tx, RoomKind.EVENT, subject_of_event(event))
    await erasure.begin(db, leaving.user_id, 14 * DAY)
    async with db.transaction() as tx:
        before = await listed(tx, target)
        to_ben = await people.members(tx, target, ben.user_id)
        assert [one.name for one in to_ben.people] == ["Ana", "Ben", "Dora"]
        assert to_ben.people[0].because == ("hosting",)
        with pytest.raises(NotFound):
            await people.members(tx, target, (await person(tx, "Eve")).user_id)
        assert await listed(tx, await room_of(tx, ana, subject_of_event(event))) == before


async def test_people_of_a_series_or_group_are_listed_before_the_first_message(db):
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        group = await group_by(tx, ana)
        ben = await add_member(tx, group, ana, "Ben")
        channel = await rooms.target_of(tx, RoomKind.CHANNEL, RoomSubject(SubjectKind.GROUP, group.id))
        hosts = await rooms.target_of(tx, RoomKind.HOSTS, RoomSubject(SubjectKind.SERIES, series.id))
        assert [one.name for one in (await people.members(tx, channel, ben.user_id)).people] == ["Ana", "Ben"]
        assert [one.name for one in (await people.members(tx, hosts, ana.user_id)).people] == ["Ana"]
