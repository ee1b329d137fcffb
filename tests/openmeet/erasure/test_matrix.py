"""Data passed on to Matrix is retracted before the account is deleted; on both engines."""

from pathlib import Path

import pytest

from groundwork.clock import DAY, HandClock
from groundwork.database.transaction import Database
from groundwork.outbox import dispatcher, jobs
from groundwork.outbox.delivery import one_job_per_call
from groundwork.outbox.jobs import Job
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.chat import matrix_guests, matrix_people, mirroring, sanctions
from openmeet.domain.chat.access import access
from openmeet.domain.chat.matrix_guests import GuestState
from openmeet.domain.chat.matrix_people import MatrixConsent
from openmeet.domain.chat.model import Access
from openmeet.domain.chat.sanctions import SanctionKind
from openmeet.domain.erasure import actions
from openmeet.domain.events import co_hosts
from openmeet.domain.users.model import Caller, UserId
from openmeet.network.ingestion.person_erasure import take_due
from openmeet.outbox.kinds import JobKind
from tests.databases import MakeDatabase
from tests.openmeet.chat.rooms import room_of, send_text, subject_of_event
from tests.openmeet.database_snapshot import rows_of_all_tables
from tests.openmeet.erasure.erasure_context import erasing_in
from tests.openmeet.site_under_test import event_by, person

GRACE = 14 * DAY


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


async def test_messages_and_name_are_retracted_before_the_end(db: Database, tmp_path: Path, clock: HandClock) -> None:
    """Messages and the name are retracted two days before the end, while the Matrix account is still known. People who
    never consented have none.
    """
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        await matrix_people.answer_consent(tx, ana, MatrixConsent.NAME_AND_WORDS)
    for who in (ana, ben):
        await actions.begin(db, who.user_id, GRACE)
    async with db.reader() as reader:
        assert not await matrix_people.is_withdrawing(reader, ana.user_id)
    clock.turn(12 * DAY)
    assert await take_due(db, erasing_in(tmp_path)) == 0
    async with db.reader() as reader:
        assert await matrix_people.is_withdrawing(reader, ana.user_id)
        assert (await matrix_people.person(reader, ana.user_id)).consent is MatrixConsent.NONE
        assert await jobs.find(reader, JobKind.MATRIX_PERSON, ben.user_id) is None
    clock.turn(2 * DAY)
    assert await take_due(db, erasing_in(tmp_path)) == 2
    # The homeserver was unreachable the whole time. Only the data needed to continue is kept.
    async with db.reader() as reader:
        assert await matrix_people.is_withdrawing(reader, ana.user_id)
        left = await matrix_people.person(reader, ana.user_id)
        assert (left.consent, left.mxid) == (MatrixConsent.NONE, None)
    await _homeserver_answers(db, ana)


async def test_nothing_remains_if_the_homeserver_was_available(db: Database, tmp_path: Path, clock: HandClock) -> None:
    """Nothing remains of people who only linked an account, either."""
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        await matrix_people.answer_consent(tx, ana, MatrixConsent.NAME_AND_WORDS)
        await matrix_people.new_link_code(tx, ben)
    for who in (ana, ben):
        await actions.begin(db, who.user_id, GRACE)
    clock.turn(12 * DAY)
    await take_due(db, erasing_in(tmp_path))
    await dispatcher.run_once(db, {JobKind.MATRIX_PERSON: one_job_per_call(_nothing_to_do)})
    clock.turn(2 * DAY)
    assert await take_due(db, erasing_in(tmp_path)) == 2
    async with db.reader() as reader:
        assert await reader.fetch("select user_id from matrix_people") == []


async def test_messages_from_before_the_link_are_emptied(db: Database, tmp_path: Path, clock: HandClock) -> None:
    """Messages sent before the account was linked are emptied too. Those of other people on Matrix stay."""
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ben)
        room = await room_of(tx, ben, subject_of_event(event))
        first = await send_text(tx, ben, room, "Ben's own")
        for number, sender in ((101, "@ana:elsewhere.example"), (102, "@eve:elsewhere.example")):
            await tx.execute(
                "insert into chat_messages (id, room_id, number, matrix_sender, kind, body, said_at, about, external_id)"
                " select :new, room_id, :number, :sender, kind, :body, said_at, about, :new from chat_messages "
                "where id = :id",
                new=f"message-{number}",
                number=number,
                sender=sender,
                body=f"words of {sender}",
                id=first.id,
            )
        code, _ = await matrix_people.new_link_code(tx, ana)
        assert await matrix_people.link(tx, "@ana:elsewhere.example", code) == ana.user_id
    await actions.begin(db, ana.user_id, DAY)
    clock.turn(2 * DAY)
    assert await take_due(db, erasing_in(tmp_path)) == 1
    rows = await rows_of_all_tables(db, db.engine)
    assert [name for name, lines in rows.items() if "@ana:" in str([dict(line) for line in lines])] == []
    async with db.reader() as reader:
        left = await reader.fetch("select body, matrix_sender from chat_messages where number > 100 order by number")
    assert [(row["body"], row["matrix_sender"]) for row in left] == [
        ("", None),
        ("words of @eve:elsewhere.example", "@eve:elsewhere.example"),
    ]


async def test_guests_and_bans_of_a_host_outlive_their_account(db: Database, tmp_path: Path, clock: HandClock) -> None:
    """Guests and bans belong to the room and stay. The host's notes about them are deleted, and a banned guest who
    links an account is still banned.
    """
    eve, zoe = "@eve:elsewhere.example", "@zoe:elsewhere.example"
    async with db.transaction() as tx:
        ana, ben, yan = await person(tx, "Ana"), await person(tx, "Ben"), await person(tx, "Yan")
        event = await event_by(tx, ben)
        await co_hosts.accept(tx, ana, (await co_hosts.invite(tx, ben, event.slug, "ana@example.org")).id)
        await attendance.answer(tx, yan, event.slug, RsvpReply.GOING)
        room = await room_of(tx, ben, subject_of_event(event))
        await mirroring.switch_on(tx, ana, room.id, is_confirmed=False, guests=True)
        for address in (eve, zoe):
            await matrix_guests.invite(tx, ana, room.id, address)
        await matrix_guests.ban(tx, ana, room.id, eve, "Rude to Ana")
        await sanctions.sanction(tx, ana, room.id, yan.user_id, SanctionKind.MUTE, reason="Rude to Ana")
    await actions.begin(db, ana.user_id, DAY)
    clock.turn(2 * DAY)
    assert await take_due(db, erasing_in(tmp_path)) == 1
    rows = await rows_of_all_tables(db, db.engine)
    assert [name for name, lines in rows.items() if "Rude to Ana" in str([dict(line) for line in lines])] == []
    async with db.transaction() as tx:
        guests = await matrix_guests.guests_of(tx, room.id)
        assert [(one.mxid, one.state, one.reason) for one in guests] == [
            (eve, GuestState.BANNED, ""),
            (zoe, GuestState.INVITED, ""),
        ]
        assert [one.kind for one in await sanctions.sanctions_in(tx, room.id)] == [SanctionKind.MUTE]
        await matrix_guests.become_person(tx, eve, yan.user_id)
        assert await access(tx, room.id, yan.user_id) is Access.NONE


async def _homeserver_answers(db: Database, who: Caller) -> None:
    """The homeserver responds again: the job continues where it stopped, and afterwards nothing is left."""

    async def done(job: Job) -> None:
        async with db.transaction() as tx:
            await matrix_people.forget_deleted(tx, UserId(job.subject))

    await dispatcher.run_once(db, {JobKind.MATRIX_PERSON: one_job_per_call(done)})
    async with db.reader() as reader:
        assert await matrix_people.person(reader, who.user_id) is None


async def _nothing_to_do(_job: Job) -> None:
    return
