"""People whose only way to sign in was an account on the network that is deleted now; on both engines."""

from pathlib import Path

import pytest

from groundwork.clock import DAY, HandClock
from groundwork.database.transaction import Database, Engine
from groundwork.sealing import Sealer
from openmeet.domain.api_tokens import tokens
from openmeet.domain.api_tokens.scopes import TokenScope
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.events import co_hosts
from openmeet.domain.events import queries as events
from openmeet.domain.identities import actions as identities
from openmeet.domain.series import follower_queries, standing_rsvps
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.model import Caller
from openmeet.domain.webhooks import actions as webhooks
from openmeet.domain.webhooks.model import WebhookEvent
from openmeet.network.ingestion.account_deletion import ErasureContext, erase
from openmeet.network.ingestion.person_erasure import take_due
from tests.databases import MakeDatabase
from tests.openmeet.chat.rooms import room_of, send_text, subject_of_event
from tests.openmeet.database_snapshot import columns_containing, rows_of_all_tables
from tests.openmeet.erasure.erasure_context import ERASURE_KEYS, erasing_in
from tests.openmeet.ingestion.network import did
from tests.openmeet.media.drawn_pictures import set_portrait
from tests.openmeet.series.practice import NOW, create_weekly_series, dates
from tests.openmeet.site_under_test import event_by, person


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("openmeet")


@pytest.fixture
async def cleo(db: Database) -> Caller:
    async with db.transaction() as tx:
        return Caller(
            await identities.connect(tx, did(7), handle="cleo.example", pds_url="https://pds.example"), "Cleo"
        )


async def erase_cleos_account(db: Database) -> None:
    async def nothing_outside(_: object) -> None:
        return

    await erase(db, ErasureContext(ERASURE_KEYS, nothing_outside), did(7))


async def test_their_places_are_free(db: Database, cleo: Caller, clock: HandClock):
    """They gave their RSVPs on this site. They also get no place at new dates."""
    clock.turn(NOW - clock.now())
    async with db.transaction() as tx:
        ben = await person(tx, "Ben")
        _, series = await create_weekly_series(tx, capacity=1)
        first, *_ = await dates(tx, series)
        await standing_rsvps.answer_all(tx, cleo, series.slug, RsvpReply.GOING)
        late = await attendance.answer(tx, ben, first.slug, RsvpReply.GOING)
    assert late.status is AttendanceStatus.WAITLISTED
    await erase_cleos_account(db)
    async with db.reader() as reader:
        assert await follower_queries.series_with_standing_rsvp_of(reader, cleo.user_id) == []
        mine, theirs = [await attendance_queries.find(reader, first.id, one) for one in (cleo.user_id, ben.user_id)]
    assert mine is not None
    assert theirs is not None
    assert mine.status is AttendanceStatus.DECLINED
    assert theirs.offered_until is not None


async def test_nothing_acts_for_them(db: Database, cleo: Caller):
    """They could neither see nor revoke a session or token that somebody stole."""
    tables = ("sessions", "api_tokens", "webhooks", "webhook_deliveries")
    async with db.transaction() as tx:
        await open_session(tx, cleo.user_id, SessionTransport.BROWSER)
        await tokens.make(tx, cleo, tokens.NewToken("Script", frozenset({TokenScope.READ}), None))
        webhook, _ = await webhooks.register(
            tx,
            cleo,
            Sealer([b"k" * 32]),
            url="https://hook.example/",
            kinds=[WebhookEvent.EVENT],
            group_id=None,
        )
        await webhooks.ping(tx, webhook)
    for number in (1, 0):
        async with db.reader() as reader:
            rows = {table: len(await reader.fetch(f"select * from {table}")) for table in tables}
            calls = await reader.fetch("select subject from outbox_jobs where kind = 'webhook'")
        assert (rows, len(calls)) == (dict.fromkeys(tables, number), number)
        await erase_cleos_account(db)


@pytest.mark.parametrize("has_address", [False, True])
async def test_what_they_wrote_and_uploaded_goes_too(
    db: Database, cleo: Caller, engine: Engine, tmp_path: Path, clock: HandClock, has_address: bool
):
    """They could not sign in to delete it. An upcoming event with a co-host goes on with its texts. Somebody who also has
    an e-mail address keeps everything.
    """
    clock.turn(NOW - clock.now())
    erasing = erasing_in(tmp_path)
    async with db.transaction() as tx:
        ben = await person(tx, "Ben")
        await tx.execute("update users set bio = 'About nutmeg' where id = :id", id=cleo.user_id)
        if has_address:
            await tx.execute("update users set email = 'cleo@example.org' where id = :id", id=cleo.user_id)
        over = await event_by(
            tx, cleo, description="Nothing but nutmeg", starts="2026-01-25T18:00", ends="2026-01-25T20:00"
        )
        alone = await event_by(tx, cleo, description="More nutmeg", starts="2027-01-25T18:00", ends="2027-01-25T20:00")
        await attendance.answer(tx, ben, alone.slug, RsvpReply.GOING)
        both = await event_by(tx, cleo, description="Tea together", starts="2027-01-26T18:00", ends="2027-01-26T20:00")
        await co_hosts.accept(tx, ben, (await co_hosts.invite(tx, cleo, both.slug, "ben@example.org")).id)
        await send_text(tx, cleo, await room_of(tx, cleo, subject_of_event(alone)), "I bring the nutmeg")
    portrait = await set_portrait(db, erasing.pictures, cleo)
    before = {table for table, _ in columns_containing(await rows_of_all_tables(db, engine), ("nutmeg", portrait))}
    assert before >= {"users", "events", "chat_messages", "pictures"}
    await erase_cleos_account(db)
    clock.turn(DAY)
    assert await take_due(db, erasing) == (0 if has_address else 1)
    left = {table for table, _ in columns_containing(await rows_of_all_tables(db, engine), ("nutmeg", portrait))}
    files = [one for one in (tmp_path / "pictures").rglob("*") if one.is_file()]
    async with db.reader() as reader:
        kept = await events.by_id(reader, both.id)
        gone = [await events.by_id(reader, one.id) for one in (over, alone)]
    assert kept is not None
    assert kept.content.description == "Tea together"
    assert [one is None or one.is_gone for one in gone] == [not has_address] * 2
    assert kept.author_id == (cleo.user_id if has_address else ben.user_id)
    assert (left, bool(files)) == ((before, True) if has_address else (set(), False))
