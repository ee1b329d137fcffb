"""Build one row for every table that refers to people from the schema, so that new tables are covered automatically."""

import re
import sqlite3
from dataclasses import dataclass
from itertools import count
from typing import Any

from groundwork.database.transaction import Transaction
from openmeet.domain.groups import actions as groups
from openmeet.domain.users.model import UserId
from tests.openmeet.groups.people import details as group_details
from tests.openmeet.site_under_test import event_by, person

# Values for columns whose check constraint requires more than a value from a list.
MADE = {
    ("attendances", "waitlist_number"): None,
    ("subscribed_calendars", "health"): "file",
    ("subscribed_calendars", "url_sealed"): None,
    ("event_co_hosts", "email"): "somebody@example.org",
    ("events", "starts_text"): "",
    ("group_announcements", "removed_at"): 1,
    ("host_messages", "state"): "called_off",
    ("host_messages", "recipients"): 0,
    ("groups", "succession_asked_at"): 1,
    ("chat_rooms", "kind"): "direct",
}
# Columns that a check constraint allows only together with another column of the table.
TOGETHER = {
    ("group_announcements", "removed_by"),
    ("groups", "successor_id"),
    ("chat_rooms", "with_user_id"),
    ("chat_messages", "user_id"),
    ("chat_reactions", "user_id"),
}
# Columns that are nullable in general, but required in the row that ``row_for`` builds.
FILLED = {("chat_rooms", "group_id")}


@dataclass(frozen=True)
class Column:
    """One column of a table, as SQLite describes it. ``to`` is the table that it refers to."""

    name: str
    type: str
    is_needed: bool
    to: str | None
    choice: str | None
    is_unique: bool


Schema = dict[str, list[Column]]


def schema_of(path: str) -> Schema:
    """Every table with its columns."""
    with sqlite3.connect(path) as connection:
        made = connection.execute("select name, sql from sqlite_master where type = 'table' and sql is not null")
        return {
            name: _columns(connection, name, sql)
            for name, sql in made
            if not name.startswith(("search_", "chat_search_"))
        }


def _columns(connection: sqlite3.Connection, table: str, sql: str) -> list[Column]:
    to = {row[3]: row[2] for row in connection.execute(f"pragma foreign_key_list({table})")}
    choices = {
        name: values.split(",")[0].strip().strip("'")
        for name, values in re.findall(r"check \((?:\w+ is null or )?(\w+) in \(([^)]*)\)", sql)
    }
    alone = set()
    for index in connection.execute(f"pragma index_list({table})").fetchall():
        names = [row[2] for row in connection.execute(f"pragma index_info({index[1]})")]
        if index[2] and not any(to.get(name) == "users" for name in names):
            # This column has to differ between two people's rows: a message number or a hash, for example.
            alone.add(next((name for name in reversed(names) if name not in to), names[0]))
    return [
        Column(name, kind, bool((needed and default is None) or key), to.get(name), choices.get(name), name in alone)
        for _, name, kind, needed, default, key in connection.execute(f"pragma table_info({table})")
    ]


def people_columns(schema: Schema) -> list[tuple[str, str]]:
    """Every column that refers to a person."""
    return sorted((table, one.name) for table, columns in schema.items() for one in columns if one.to == "users")


_numbers = count(1)


def row_for(
    columns: list[Column], table: str, known: dict[str, str], people: dict[str, str], other: str
) -> dict[str, Any]:
    """Return values for one row. ``people`` maps columns to people, ``other`` fills the other columns that refer to
    people, and ``known`` has rows to refer to.
    """
    values: dict[str, Any] = {}
    for one in columns:
        made = (table, one.name) in MADE
        if one.name in people:
            values[one.name] = people[one.name]
        elif made:
            values[one.name] = MADE[table, one.name]
        elif (table, one.name) in TOGETHER:
            values[one.name] = other
        elif one.is_needed or (table, one.name) in FILLED:
            values[one.name] = _value(one, known, other)
    return values


def _value(one: Column, known: dict[str, str], other: str) -> Any:
    if one.to is not None:
        return other if one.to == "users" else known[one.to]
    if one.choice is not None:
        return int(one.choice) if one.choice.isdigit() else one.choice
    number = next(_numbers) if one.is_unique or one.name == "id" else 1
    match one.type.lower():
        case "text":
            return f"made-{number}" if number > 1 or one.name == "id" else "{}"
        case "bytea":
            return b"made-%d" % number
        case _:
            return number


async def insert(tx: Transaction, table: str, values: dict[str, Any]) -> None:
    """Insert the row."""
    names = ", ".join(values)
    await tx.execute(f"insert into {table} ({names}) values ({', '.join(':' + name for name in values)})", **values)


async def insert_known_rows(tx: Transaction) -> tuple[dict[str, str], UserId]:
    """Rows of another person to which the inserted rows can refer, and that person's id."""
    cleo = await person(tx, "Cleo")
    event = await event_by(tx, cleo)
    group = await groups.create(tx, cleo, group_details())
    known = {"events": event.id, "groups": group.id}
    return known, cleo.user_id


async def insert_row_everywhere(
    tx: Transaction, schema: Schema, goes: UserId, *, twin: UserId | None = None
) -> dict[tuple[str, str], int]:
    """Insert one row for each column that refers to people, with the id ``goes`` in it. If ``twin`` is given, insert
    the same rows for ``twin`` too.
    """
    known, cleo = await insert_known_rows(tx)
    waiting = people_columns(schema)
    made: dict[tuple[str, str], int] = {}
    # Tables that other tables refer to come first.
    for table in (
        "event_series",
        "attendances",
        "subscribed_calendars",
        "notification_emails",
        "chat_rooms",
        "chat_messages",
    ):
        values = row_for(schema[table], table, known, {}, cleo)
        await insert(tx, table, values)
        known[table] = values["id"]
    for table, column in waiting:
        if table == "events":
            made[table, column] = 1
            await tx.execute(
                "update events set author_id = :goes where id = :id",
                goes=goes,
                id=(await event_by(tx, await person(tx, f"Host {column}"))).id,
            )
            continue
        for who in (goes, twin) if twin else (goes,):
            for one in schema[table]:
                if one.is_unique and one.to in known:
                    # The table allows one row per series, so make another series.
                    other = row_for(schema[one.to], one.to, known, {}, cleo)
                    await insert(tx, one.to, other)
                    known[one.to] = other["id"]
            values = row_for(schema[table], table, known, {column: who}, cleo)
            if table == "group_members" and column == "user_id":
                values["role"] = "member"
            elif table == "group_members":
                values |= {"user_id": (await person(tx, f"Decided {who == goes}")).user_id, "role": "member"}
            elif (table, column) in {("event_series_invitations", "invited_by"), ("chat_sanctions", "by_user_id")}:
                values["user_id"] = (await person(tx, f"Invited {who == goes}")).user_id
            elif table == "attendances":
                values["status"] = "attending"
            await insert(tx, table, values)
        made[table, column] = 1
    return made
