"""Write a unique string into each of a person's personal columns. After the erasure none of them is left; on both
engines.
"""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from checks.postgres import server_programs

from at_protocol.syntax.did import parse_did
from groundwork.clock import HandClock
from groundwork.database.migrate import migrate
from groundwork.database.transaction import CheckViolated, Database, Engine, Transaction
from openmeet.domain.erasure import account_rows, actions
from openmeet.domain.identities import actions as identities
from openmeet.domain.personal_data.model import ColumnContent, OnErasure
from openmeet.domain.personal_data.tables import ALL_TABLES, TABLES, tables_with_remaining_rows
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import UserId
from openmeet.network.ingestion.person_erasure import discard_files, erase
from tests.databases import MakeDatabase
from tests.openmeet.account_merge.row_builder import Schema, insert, insert_row_everywhere, row_for, schema_of
from tests.openmeet.database_snapshot import rows_of_all_tables
from tests.openmeet.erasure.erasure_context import erasing_in
from tests.openmeet.site_under_test import person

MARK = "zqplanted"
MAIL = f"{MARK}@example.org"
MXID = f"@{MARK}:matrix.example"
DID = f"did:plc:{MARK}{'a' * 15}"
# What happens to tables whose rows belong to the person and are deleted, whatever their columns contain.
GOES = {OnErasure.DELETE, OnErasure.EMPTY, OnErasure.PASS_ON}
# Columns with a check constraint that allows no free text (enum values, hours, Matrix ids), or allows text only
# together with other columns.
REFUSED = {
    "attendances.mode",
    "attendances.status",
    "chat_messages.matrix_sender",
    "chat_reactions.matrix_sender",
    "chat_readers.level",
    "chat_sanctions.kind",
    "group_members.role",
    "groups.picture_alt",
    "groups.picture_key",
    "idempotency_keys.answer",
    "matrix_choices.wish",
    "matrix_guests.state",
    "matrix_people.consent",
    "matrix_people.invites",
    "notification_hours.quiet_from",
    "notification_hours.quiet_until",
    "notification_preferences.channel",
    "record_preferences.declined_as",
    "record_preferences.waiting_as",
}
# The id of an event on a homeserver, with which the event can still be redacted. The id names nobody.
STAYS = {("chat_messages", "external_id")}
# Columns that the erasure itself reads, so their values need the right format.
SHAPED = {
    "template": '{{"title": "{0}"}}',
    "guest_names": '["{0}"]',
    "replies": '{{"q": "{0}"}}',
    "reply_words": '{{"q": "{0}"}}',
    "links": '[{{"uri": "https://{0}.example", "name": ""}}]',
    "mxid": MXID,
    "email": MAIL,
    "invited_as": MAIL,
    "did": DID,
    "uri": f"at://{DID}/org.example.thing/{{0}}",
    "record_uri": f"at://{DID}/org.example.thing/{{0}}",
    # These columns are how the owner is found.
    "subject": None,
}


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


@pytest.fixture
async def schema(sqlite_templates: Path) -> Schema:
    template = sqlite_templates / "openmeet.db"
    await migrate(f"sqlite://{template}", "", "openmeet")
    return schema_of(str(template))


@dataclass(frozen=True, slots=True)
class Planted:
    """Columns in which a string was written, columns without a row, and columns whose check constraint refused it."""

    written: set[str] = field(default_factory=set)
    without_row: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)


async def rows_by_name(tx: Transaction, schema: Schema, who: UserId) -> None:
    """Insert one row in each table that names its person by DID, e-mail address or Matrix account."""
    await tx.execute("update matrix_people set mxid = :mxid where user_id = :id", mxid=MXID, id=who)
    for table in ALL_TABLES:
        if table.on_erasure is not OnErasure.DELETE or table.name not in schema:
            continue
        if await tx.fetch(f"select 1 as one from {table.name} where {table.rows}", id=who):
            continue
        known = {"identities": DID}
        for to in {column.to for column in schema[table.name] if column.to} - {"users", "identities"}:
            there = await tx.fetch(
                f"select id from {to} where {TABLES[to].rows or chr(39) * 2 + ' <> :id'} limit 1", id=who
            )
            if not there:
                await insert(tx, to, row_for(schema[to], to, {}, {}, who))
                there = await tx.fetch(f"select id from {to} limit 1")
            known[to] = there[0]["id"]
        values = row_for(schema[table.name], table.name, known, {}, who)
        for name in set(table.column_names()) & {"did", "uri", "email"}:
            values[name] = f"at://{DID}/org.example.thing/a" if name == "uri" else DID if name == "did" else MAIL
        if "mxid" in table.column_names():
            values["mxid"] = MXID
        if "subject" in table.column_names():
            values["subject"] = DID if "did" in table.rows else who
        # Columns that check constraints require together.
        if table.name == "moderation_states":
            values["decided_by"] = who
        if table.name == "records":
            values |= {"cid": "made", "body": b"made"}
        await insert(tx, table.name, values)


async def about_what_they_host(tx: Transaction, who: UserId) -> None:
    """Reports, decisions and labels by other people about an event, a series and a group of this person, and about a
    record.
    """
    other = (await person(tx, "Moderator")).user_id
    for kind, table, owner in (
        ("event", "events", "author_id"),
        ("series", "event_series", "user_id"),
        ("group", "groups", "owner_id"),
    ):
        there = await tx.fetch_one(f"select id from {table} where {owner} = :id and slug <> id limit 1", id=who)
        assert there is not None
        await tx.execute(
            "insert into reports (id, reporter_id, kind, subject, reason, comment, created_at)"
            " values (:report, :other, :kind, :subject, 'spam', :comment, 1)",
            report=f"report-{kind}",
            other=other,
            kind=kind,
            subject=there["id"],
            comment=f"{MARK} words about a {kind}",
        )
        await tx.execute(
            "insert into moderation_states (subject, kind, state, reason, decided_by, since)"
            " values (:subject, :kind, 'hidden', :reason, :other, 1)",
            subject=there["id"],
            kind=kind,
            reason=f"{MARK} reason about a {kind}",
            other=other,
        )
    await tx.execute(
        "insert into labels (source, subject, value, cid, negated, hides, labelled_at, received_at)"
        " values ('did:web:labels.example', :subject, 'spam', 'cid', 0, 0, 1, 1)",
        subject=f"at://{DID}/org.example.thing/labelled",
    )


async def plant(db: Database, schema: Schema, who: UserId) -> Planted:
    """Write a string into each personal column of this person."""
    done = Planted()
    # Tables that identify the person come last, because rows are found by their original values.
    for table in sorted(ALL_TABLES, key=lambda table: table.name in {"identities", "users", "guests"}):
        if table.on_erasure not in GOES or not table.rows or table.name not in schema:
            continue
        types = {column.name: column.type.lower() for column in schema[table.name]}
        for name in table.names_of(ColumnContent.PERSONAL, ColumnContent.ACCOUNT):
            if types[name] not in {"text", "bytea"}:
                continue
            shape = SHAPED.get(name, "{0}")
            if shape is None:
                continue
            text = shape.format(f"{MARK}-{table.name}-{name}")
            value = text.encode() if types[name] == "bytea" else text
            one = f"rowid in (select rowid from {table.name} where {table.rows} limit 1)"
            where = (
                one if db.engine == "sqlite" else f"ctid in (select ctid from {table.name} where {table.rows} limit 1)"
            )
            try:
                async with db.transaction() as tx:
                    found = await tx.execute(
                        f"update {table.name} set {name} = :value where {where}", id=who, value=value
                    )
            except CheckViolated:
                done.refused.add(f"{table.name}.{name}")
                continue
            (done.written if found else done.without_row).add(f"{table.name}.{name}")
    return done


async def test_no_planted_string_is_left(
    db: Database, schema: Schema, engine: Engine, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """None is left in any column, in any file of an SQLite database, or in a dump of a PostgreSQL database."""
    async with db.transaction() as tx:
        goes = (await person(tx, f"{MARK} Ana")).user_id
        await tx.execute("update users set email = :email where id = :id", email=MAIL, id=goes)
        await identities.link(tx, parse_did(DID), goes, handle=f"{MARK}.example", pds_url=f"https://{MARK}.example")
        await insert_row_everywhere(tx, schema, goes)
        await rows_by_name(tx, schema, goes)
        await about_what_they_host(tx, goes)
    planted = await plant(db, schema, goes)
    assert planted.refused == REFUSED
    assert planted.without_row == set()
    assert len(planted.written) > 150
    async with db.transaction() as tx:
        asked = await actions.request(tx, goes, 0)
    erasing = erasing_in(tmp_path)
    report = await erase(db, erasing, asked.user_id)
    assert report is not None
    await discard_files(db, erasing)
    left = {
        (table, column)
        for table, rows in (await rows_of_all_tables(db, engine)).items()
        for row in rows
        for column, value in row.items()
        if MARK in (value.decode("latin-1") if isinstance(value, bytes) else str(value))
    }
    assert left == STAYS
    async with db.reader() as reader:
        named = await account_rows.remaining_references(reader, goes)
    # Every table that still refers to the emptied user is listed in the document.
    passed_on = {table.name for table in ALL_TABLES if table.on_erasure is OnErasure.PASS_ON}
    assert set(named) - passed_on <= {table.name for table in tables_with_remaining_rows()}
    assert report.deleted["notifications"] >= 1
    kept = await on_disk(db) if engine == "sqlite" else await dumped(db, request.getfixturevalue("postgres_url"))
    assert b"chat_messages" in kept
    assert MARK.encode() not in kept.replace(f"{MARK}-chat_messages-external_id".encode(), b"")


async def test_the_remaining_row_is_blank(db: Database, tmp_path: Path) -> None:
    """Every personal column of the remaining row, including numbers, has the value of a user who never chose anything."""
    async with db.transaction() as tx:
        goes = (await person(tx, "Ana")).user_id
        nobody = await users.create_shadow(tx, display_name="")
        personal = TABLES["users"].names_of(ColumnContent.PERSONAL)
        await tx.execute(
            "update users set bio = 'chess', time_zone = 'Asia/Tokyo', language = 'de', seen_at = 1, claimed_at = 1,"
            " week_start = 6, wants_suggestions = 0, enter_sends = 1, shows_about = 1, shows_groups = 1 where id = :id",
            id=goes,
        )
        asked = await actions.request(tx, goes, 0)
    assert await erase(db, erasing_in(tmp_path), asked.user_id) is not None
    async with db.reader() as reader:
        left, empty = [
            await reader.fetch_one(f"select {', '.join(personal)} from users where id = :id", id=who)
            for who in (goes, nobody)
        ]
    assert dict(left) == dict(empty)


async def on_disk(db: Database) -> bytes:
    """The contents of all files of the SQLite database."""
    async with db.reader() as reader:
        (place,) = await reader.fetch("pragma database_list")
    files = sorted(Path(place["file"]).parent.glob(Path(place["file"]).name + "*"))
    return b"".join(file.read_bytes() for file in files)


async def dumped(db: Database, url: str) -> bytes:
    """The output of ``pg_dump`` for the database."""
    async with db.reader() as reader:
        (row,) = await reader.fetch("select current_schema() as name")
    programs = server_programs()
    assert programs is not None
    dump = await asyncio.create_subprocess_exec(
        programs / "pg_dump", f"--dbname={url}", f"--schema={row['name']}", stdout=asyncio.subprocess.PIPE
    )
    written, _ = await dump.communicate()
    assert dump.returncode == 0
    return written
