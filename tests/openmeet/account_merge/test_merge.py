"""Two users become one. Every reference to a user is found in the schema and must be covered; on both engines."""

from pathlib import Path

import pytest

from groundwork.database.migrate import migrate
from groundwork.database.transaction import Database, Engine, Transaction
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_job_per_call
from groundwork.signing_key import SigningKey
from groundwork.uuid7 import new_id
from openmeet.domain.account_merge.merge import REASSIGNMENTS, is_there, merge
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.tasks import fill_seats_handler
from openmeet.domain.notifications import email_links
from openmeet.domain.notifications.email_links import EmailLink, LinkPurpose
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import UserId
from openmeet.outbox.kinds import JobKind
from tests.databases import MakeDatabase
from tests.openmeet.account_merge.row_builder import Schema, insert_row_everywhere, schema_of
from tests.openmeet.database_snapshot import rows_of_all_tables
from tests.openmeet.site_under_test import event_by, person
from tests.openmeet.statement_counter import StatementCounter

# Columns that are not reassigned, and why.
NOT_REASSIGNED = {
    ("guests", "user_id"): "the guest's address is added to the account",
    ("email_links", "user_id"): "the links of the merged account become former ones",
    ("account_merges", "other_id"): "a proposal to merge the merged account has no effect any more",
    ("account_erasures", "user_id"): "a merge withdraws the request to delete the account",
    ("withdrawn_erasures", "user_id"): "deleted with its row; in the ledger the merge ends the request",
}


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("openmeet")


@pytest.fixture
async def schema(sqlite_templates: Path) -> Schema:
    """The schema as SQLite describes it. Both engines have the same one."""
    template = sqlite_templates / "openmeet.db"
    await migrate(f"sqlite://{template}", "", "openmeet")
    return schema_of(str(template))


async def test_every_foreign_key_to_people_is_covered(db: Database, schema: Schema, engine: Engine) -> None:
    """After the merge nothing refers to the merged user, no row is lost, and no cell of the database contains their id."""
    async with db.transaction() as tx:
        goes, stays = await users.create_shadow(tx), (await person(tx, "Ana")).user_id
        made = await insert_row_everywhere(tx, schema, goes)
        before = {place: await _naming(tx, place, stays) for place in made}
    assert len(made) > 45
    async with db.transaction() as tx:
        await merge(tx, goes, stays)
    async with db.reader() as reader:
        after = {place: await _naming(reader, place, stays) for place in made}
    lost = [place for place in made if place not in NOT_REASSIGNED and after[place] <= before[place]]
    assert lost == []
    left = [
        (table, column)
        for table, rows in (await rows_of_all_tables(db, engine)).items()
        for row in rows
        for column, value in row.items()
        # The row stays until the merge has been written to the ledger.
        if isinstance(value, str) and goes in value and table != "merged_accounts"
    ]
    assert left == []
    assert NOT_REASSIGNED.keys() <= made.keys()


async def _naming(reader, place: tuple[str, str], who: UserId) -> int:
    row = await reader.fetch_one(f"select count(*) as n from {place[0]} where {place[1]} = :id", id=who)
    return int(row["n"])


async def test_users_with_equal_keys_can_be_merged(db: Database, schema: Schema) -> None:
    """Two users who have rows with the same keys in every table can be merged. No constraint prevents it, and none is
    violated.
    """
    async with db.transaction() as tx:
        goes, stays = (await person(tx, "Ben")).user_id, (await person(tx, "Ana")).user_id
        await insert_row_everywhere(tx, {**schema, "custodial_accounts": []}, goes, twin=stays)
    async with db.transaction() as tx:
        await merge(tx, goes, stays)
    async with db.reader() as reader:
        assert not await is_there(reader, goes)


async def test_a_crash_in_the_middle_leaves_nothing(db: Database, schema: Schema, engine: Engine, monkeypatch) -> None:
    """The merge is rolled back completely, whichever step fails."""
    async with db.transaction() as tx:
        goes, stays = await users.create_shadow(tx), (await person(tx, "Ana")).user_id
        await insert_row_everywhere(tx, schema, goes)
    before = await rows_of_all_tables(db, engine)

    async def dies(_tx: Transaction, _one: UserId, _other: UserId) -> None:
        raise ConnectionResetError("the machine stopped")

    for at in (1, len(REASSIGNMENTS) // 2, len(REASSIGNMENTS) - 1):
        monkeypatch.setattr("openmeet.domain.account_merge.merge.REASSIGNMENTS", (*REASSIGNMENTS[:at], dies))
        with pytest.raises(ConnectionResetError):
            async with db.transaction() as tx:
                await merge(tx, goes, stays)
        assert await rows_of_all_tables(db, engine) == before


async def test_merging_twice_changes_nothing(db: Database, schema: Schema, engine: Engine) -> None:
    async with db.transaction() as tx:
        goes, stays = await users.create_shadow(tx), (await person(tx, "Ana")).user_id
        await insert_row_everywhere(tx, schema, goes)
        assert await merge(tx, goes, stays) != ()
    once = await rows_of_all_tables(db, engine)
    async with db.transaction() as tx:
        assert await merge(tx, goes, stays) == ()
        assert await merge(tx, stays, stays) == ()
    assert await rows_of_all_tables(db, engine) == once


async def merged(tx: Transaction, events: int) -> int:
    """Return the number of statements that it takes to merge two people who both attend this many full events, each
    with a waitlist.
    """
    goes, stays, waits = [await person(tx, f"{name} of {events}") for name in ("Ana", "Bea", "Cleo")]
    for _ in range(events):
        event = await event_by(tx, await person(tx, f"Host {new_id(tx.now)}"), capacity="2")
        for who in (goes, stays, waits):
            await attendance.answer(tx, who, event.slug, RsvpReply.GOING)
    counting = StatementCounter(tx)
    await merge(counting, goes.user_id, stays.user_id)
    return counting.statements


async def test_the_number_of_statements_does_not_depend_on_shared_events(db: Database) -> None:
    """Every freed place is offered to the next person on the waitlist. Jobs do this for most of the events."""
    async with db.transaction() as tx:
        some = await merged(tx, 7)
    async with db.transaction() as tx:
        many = await merged(tx, 14)
    # SQLite runs in the process, so several single-row statements cost no more than one with many rows.
    assert many == some or db.engine == "sqlite"
    while await dispatcher.run_once(db, {JobKind.FILL_SEATS: one_job_per_call(fill_seats_handler(db))}):
        pass
    async with db.reader() as reader:
        rows = await reader.fetch(
            "select status, count(*) as n, count(offered_until) as offered from attendances group by status "
            "order by status"
        )
    assert [tuple(row) for row in rows] == [("attending", 21, 0), ("waitlisted", 21, 21)]


async def test_links_in_older_e_mails_work_for_the_remaining_account(db: Database) -> None:
    """Also if the remaining account has its own link about the same event, and after another e-mail about it."""
    key = SigningKey(b"k" * 32)
    async with db.transaction() as tx:
        goes, stays, last = [await person(tx, name) for name in ("Goes", "Stays", "Last")]
        links_to = [EmailLink(one.user_id, LinkPurpose.ANSWER, subject) for one in (goes, stays) for subject in "ab"]
        tokens = [await email_links.token_for(tx, key, one) for one in links_to]
        other = await email_links.token_for(tx, key, EmailLink(goes.user_id, LinkPurpose.ANSWER, "c"))
        await merge(tx, goes.user_id, stays.user_id)
        newer = await email_links.token_for(tx, key, EmailLink(stays.user_id, LinkPurpose.ANSWER, "c"))
        await merge(tx, stays.user_id, last.user_id)
        found = [await email_links.find(tx, token, LinkPurpose.ANSWER) for token in (*tokens, other, newer)]
        assert found == [EmailLink(last.user_id, LinkPurpose.ANSWER, subject) for subject in "ababcc"]
        assert await email_links.find(tx, other, LinkPurpose.UNSUBSCRIBE) is None
        await email_links.revoke_all(tx, last.user_id)
        assert [await email_links.find(tx, token, LinkPurpose.ANSWER) for token in (*tokens, other, newer)] == [
            None
        ] * 6
