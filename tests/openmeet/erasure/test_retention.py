"""Deleted data is erased after its retention period and not before; on both engines."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from itertools import pairwise
from typing import cast

import pytest

from groundwork.clock import DAY, HandClock, Instant
from groundwork.database import pages
from groundwork.database.transaction import Database, Engine, Transaction
from groundwork.errors import FailureReason
from groundwork.queue.contract import Message
from groundwork.queue.embedded import EmbeddedQueue
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import invitations, registration
from openmeet.domain.attendance.model import ReplyDetails, RsvpReply
from openmeet.domain.attendance.registration import RegistrationQuestion, RegistrationSettings
from openmeet.domain.chat.model import RoomKind, RoomSubject, SubjectKind
from openmeet.domain.erasure import retention
from openmeet.domain.erasure.retention import RetentionTimes, purge_expired
from openmeet.domain.events import actions as events
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.content import Content
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups.model import GroupDetails
from openmeet.domain.guest_rsvps.actions import forget_addresses
from openmeet.domain.series import actions as series
from openmeet.domain.series import queries as series_queries
from openmeet.domain.users import guests
from openmeet.network.ingestion import dead_letters
from tests.databases import MakeDatabase
from tests.openmeet.chat.rooms import room_of, send_text, subject_of_event
from tests.openmeet.database_snapshot import rows_of_all_tables
from tests.openmeet.series.practice import weekly
from tests.openmeet.site_under_test import event_by, person
from tests.openmeet.statement_counter import CountingDatabase

TIMES = RetentionTimes(30, 90)
ASKED = RegistrationSettings(max_party=3, asks_names=True, questions=(RegistrationQuestion("q1", "Diet?"),))
SAID = ReplyDetails(party=2, companion_names=("zqguestname",), form_responses={"q1": "zqallergy"})


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


async def cells_with(db: Database, engine: Engine, text: str) -> list[tuple[str, str]]:
    """Tables and columns that contain this text."""
    return [
        (table, column)
        for table, rows in (await rows_of_all_tables(db, engine)).items()
        for row in rows
        for column, value in row.items()
        if text in (value.decode("latin-1") if isinstance(value, bytes) else str(value))
    ]


async def test_a_deleted_event_loses_its_texts_after_the_retention_period(
    db: Database, engine: Engine, clock: HandClock
) -> None:
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        tea = await event_by(
            tx, ana, title="zqtitle", description="zqtext", venue_name="zqvenue", online_url="https://zqlink.example"
        )
        await registration.put(tx, tea.id, ASKED)
        await attendance.answer(tx, ben, tea.slug, RsvpReply.GOING, SAID)
        await send_text(tx, ben, await room_of(tx, ben, subject_of_event(tea)), "zqsaid")
        await events.delete(tx, ana, tea.slug)
    clock.turn(29 * DAY)
    assert (await purge_expired(db, TIMES))["events"] == 0
    assert await cells_with(db, engine, "zqtitle")
    clock.turn(2 * DAY)
    assert (await purge_expired(db, RetentionTimes(0, 0))) == {}
    assert (await purge_expired(db, TIMES))["events"] == 1
    for text in ("zqtitle", "zqtext", "zqvenue", "zqlink", "zqguestname", "zqallergy", "zqsaid"):
        assert await cells_with(db, engine, text) == [], text
    assert (await purge_expired(db, TIMES))["events"] == 0
    async with db.reader() as reader:
        left = await event_queries.by_id(reader, tea.id)
        answered = await reader.fetch_one("select count(*) as n from attendances where event_id = :id", id=tea.id)
    assert left is not None
    assert left.deleted_at is not None
    assert answered["n"] == 1


async def test_texts_of_answers_are_deleted_after_the_event(db: Database, engine: Engine, clock: HandClock) -> None:
    """The answer itself stays, because hosts may see how many people came."""
    async with db.transaction() as tx:
        ana, ben, cleo = await person(tx, "Ana"), await person(tx, "Ben"), await person(tx, "Cleo")
        tea = await event_by(tx, ana, starts="2026-03-04T18:00", ends="2026-03-04T20:00")
        await registration.put(tx, tea.id, ASKED)
        await attendance.answer(tx, ben, tea.slug, RsvpReply.GOING, SAID)
        await attendance.answer(tx, cleo, tea.slug, RsvpReply.GOING, ReplyDetails(form_responses={"q1": "zqwithdrawn"}))
        await attendance.answer(tx, cleo, tea.slug, RsvpReply.DECLINED)
        guest = await guests.make(tx, display_name="zqguest", email="zq@guests.example", language="de")
    clock.turn(32 * DAY)
    await purge_expired(db, TIMES)
    assert await cells_with(db, engine, "zqwithdrawn") == []
    assert await cells_with(db, engine, "zqallergy")
    clock.turn(62 * DAY)
    counts = await purge_expired(db, TIMES)
    assert (counts["answers"], counts["guests"]) == (1, 1)
    for text in ("zqallergy", "zqguestname", "zqguest"):
        assert await cells_with(db, engine, text) == [], text
    # The address and the language have their own retention period.
    assert await cells_with(db, engine, "zq@guests") == [("guests", "email")]
    assert await forget_addresses(db, 90) == 1
    assert await cells_with(db, engine, "zq@guests") == []
    async with db.reader() as reader:
        rows = await reader.fetch("select status, party from attendances where event_id = :id order by 1", id=tea.id)
        assert await guests.find(reader, guest) is not None
        assert (await reader.fetch_one("select language from guests where user_id = :id", id=guest))["language"] is None
    assert [(row["status"], row["party"]) for row in rows] == [("attending", 2), ("declined", 1)]


async def test_addresses_typed_by_hosts_are_deleted_after_the_event(
    db: Database, engine: Engine, clock: HandClock
) -> None:
    """The addresses are also deleted with a deleted event. Afterwards hosts still cannot see which address was invited."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        tea = await event_by(tx, ana, starts="2026-03-04T18:00", ends="2026-03-04T20:00")
        gone = await event_by(tx, ana)
        await invitations.invite(tx, ana, tea.slug, "zqinvited@example.org")
        await invitations.invite(tx, ana, gone.slug, "zqdeleted@example.org")
        await events.delete(tx, ana, gone.slug)
    clock.turn(32 * DAY)
    await purge_expired(db, TIMES)
    assert ("attendances", "invited_as") not in await cells_with(db, engine, "zqdeleted")
    assert ("attendances", "invited_as") in await cells_with(db, engine, "zqinvited")
    clock.turn(62 * DAY)
    assert (await purge_expired(db, TIMES))["invited"] == 1
    await forget_addresses(db, 90)
    assert await cells_with(db, engine, "zqinvited") == []
    async with db.reader() as reader:
        rows = await reader.fetch("select invited_as from attendances")
    assert [row["invited_as"] for row in rows] == ["…", "…"]
    assert (await purge_expired(db, TIMES))["invited"] == 0


async def test_a_deleted_series_and_group_lose_their_texts(db: Database, engine: Engine, clock: HandClock) -> None:
    """The row stays, so that a page can say that the series or group was deleted."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        practice = await series.create(tx, ana, Content("zqseries", description="zqabout"), weekly())
        choir = await groups.create(tx, ana, GroupDetails(name="zqgroup", description="zqsinging", time_zone="UTC"))
        choir = await groups.choose_address(tx, ana, choir.slug, "zqaddress")
        weeks = RoomSubject(SubjectKind.SERIES, practice.id)
        await send_text(tx, ana, await room_of(tx, ana, weeks, RoomKind.SERIES), "zqweek")
        singers = RoomSubject(SubjectKind.GROUP, choir.id)
        await send_text(tx, ana, await room_of(tx, ana, singers, RoomKind.CHANNEL), "zqsinger")
    async with db.transaction() as tx:
        await series.delete(tx, await series_queries.lock(tx, practice.id), keeps_events=False)
        await groups.delete(tx, ana, choir.slug)
    clock.turn(31 * DAY)
    counts = await purge_expired(db, TIMES)
    assert (counts["series"], counts["groups"]) == (1, 1)
    for text in ("zqseries", "zqabout", "zqgroup", "zqsinging", "zqaddress", "zqweek", "zqsinger"):
        assert await cells_with(db, engine, text) == [], text
    async with db.reader() as reader:
        assert (await series_queries.by_id(reader, practice.id)).deleted_at is not None
        assert (await group_queries.by_id(reader, choir.id)).deleted_at is not None
        assert await event_queries.by_slug(reader, practice.slug) is None


class Watched(CountingDatabase):
    """A database that counts the messages that are left at the end of each transaction."""

    def __init__(self, db: Database, *, fails_in: int | None = None) -> None:
        super().__init__(db, fails_in=fails_in)
        self.left: list[int] = []

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with super().transaction() as tx:
            yield tx
            row = await tx.fetch_one("select count(*) as n from chat_messages")
            self.left.append(0 if row is None else row["n"])


@pytest.mark.parametrize("kind", [SubjectKind.EVENT, SubjectKind.SERIES, SubjectKind.GROUP])
async def test_a_long_conversation_is_deleted_in_several_transactions(
    db: Database, clock: HandClock, monkeypatch: pytest.MonkeyPatch, kind: SubjectKind
) -> None:
    """Also if the task fails in between."""
    monkeypatch.setattr(pages, "ROWS_AT_ONCE", 3)
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        match kind:
            case SubjectKind.EVENT:
                tea = await event_by(tx, ana)
                room = await room_of(tx, ana, subject_of_event(tea))
            case SubjectKind.SERIES:
                practice = await series.create(tx, ana, Content("Practice"), weekly())
                room = await room_of(tx, ana, RoomSubject(kind, practice.id), RoomKind.SERIES)
            case SubjectKind.GROUP:
                choir = await groups.create(tx, ana, GroupDetails(name="Choir", time_zone="UTC"))
                room = await room_of(tx, ana, RoomSubject(kind, choir.id), RoomKind.CHANNEL)
        for _ in range(8):
            await send_text(tx, ana, room)
    async with db.transaction() as tx:
        match kind:
            case SubjectKind.EVENT:
                await events.delete(tx, ana, tea.slug)
            case SubjectKind.SERIES:
                await series.delete(tx, await series_queries.lock(tx, practice.id), keeps_events=False)
            case SubjectKind.GROUP:
                await groups.delete(tx, ana, choir.slug)
    clock.turn(31 * DAY)
    left = [8]
    for fails_in in (2, None):
        watched = Watched(db, fails_in=fails_in)
        with nullcontext() if fails_in is None else pytest.raises(ConnectionError):
            await purge_expired(cast("Database", watched), TIMES)
        left += watched.left
    assert max(before - after for before, after in pairwise(left)) == 3
    assert left[-1] == 0
    async with db.reader() as reader:
        assert await reader.fetch("select id from chat_rooms") == []


async def test_lists_of_people_are_deleted_after_the_event(db: Database, clock: HandClock) -> None:
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        tea = await event_by(tx, ana, starts="2026-03-04T18:00", ends="2026-03-04T20:00")
        for number in range(3):
            await tx.execute(
                "insert into imported_contacts (id, what, target, email, name, status, stage, message, invited_by, "
                "created_at) values (:id, 'guests', :target, :email, 'Z', '', 'kept', '', :by, :now)",
                id=str(number),
                target=tea.id,
                email=f"{number}@z.example",
                by=ana.user_id,
                now=tx.now,
            )
        await tx.execute(
            "insert into imported_names (what, target, name, status, created_at) values ('guests', :id, 'Z', '', :now)",
            id=tea.id,
            now=tx.now,
        )
    for days, left in ((60, (3, 1)), (40, (0, 0))):
        clock.turn(days * DAY)
        await purge_expired(db, TIMES)
        async with db.reader() as reader:
            contacts = await reader.fetch("select id from imported_contacts")
            names = await reader.fetch("select name from imported_names")
        assert (len(contacts), len(names)) == left


async def test_old_dead_letters_are_deleted(make_database: MakeDatabase, clock: HandClock) -> None:
    """Dead letters older than the retention period are deleted, and newer ones stay."""
    queue = EmbeddedQueue(await make_database("groundwork.queue", clock=clock), clock)
    for number in range(3):
        await queue.publish([Message("event.create", f"did:plc:{number}", b"{}", str(number))])
        (leased,) = await queue.lease(1, 60)
        await queue.bury(leased, FailureReason.NOT_FOUND())
        clock.turn(DAY)
    before = Instant(clock.now() - 2 * DAY)
    assert await dead_letters.delete_older_than(queue, None) == 0
    assert await dead_letters.delete_older_than(queue, before) == 1
    assert len(await dead_letters.page(queue)) == 2


async def test_many_rows_are_deleted_in_batches(
    db: Database, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many rows there are, each transaction deletes only a few."""
    monkeypatch.setattr(retention, "BATCH", 2)
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        for _ in range(5):
            await events.delete(tx, ana, (await event_by(tx, ana)).slug)
    clock.turn(31 * DAY)
    assert (await purge_expired(db, TIMES))["events"] == 5
