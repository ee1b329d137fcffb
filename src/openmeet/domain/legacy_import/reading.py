"""The older database read whole, from a PostgreSQL server or from a dump in JSON lines; nothing is written there.

A dump has one object per line, ``{"table": "events", "row": {…}}``, in any order. Both are read as values of ``model``; the chat
rooms' own table, where there is one, fills in rooms that events and groups do not name.
"""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import asyncpg
import msgspec

from groundwork.database.postgres import check_schema_name
from groundwork.errors import InvalidInput, TooLarge, Unavailable
from openmeet.domain.legacy_import import read
from openmeet.domain.legacy_import.model import Odd, Old

# By plain name, in the order in which they are read: roles before those who have them.
TABLES = ("grouproles", "eventroles", "users", "groups", "groupmembers", "chatrooms", "events", "eventattendees")
# What a row of each is called where something is odd about it.
_NOUNS = ("group role", "event role", "user", "group", "membership", "chat room", "event", "answer")
# Without these there is nothing to bring in.
NEEDED = ("users", "events")

# One row of a dump: what a description of the older model and its JSON may take.
MAX_LINE = 4_000_000
_ROWS = 1_000


class Source(Protocol):
    """Where rows come from; ``name`` names it without passwords, and the same one by the same name."""

    @property
    def name(self) -> str: ...

    def rows(self) -> AsyncIterator[tuple[str, Mapping[str, Any]]]:
        """(plain table name, row) of every row of ``TABLES``, and once each table's column names as keys."""
        ...


async def read_old(source: Source) -> Old:
    """Everything of the source. Raises InvalidInput where it is no database of the older model."""
    tables: dict[str, list[read.Values]] = defaultdict(list)
    numbers: Counter[str] = Counter()
    event_columns: set[str] = set()
    odd: list[Odd] = []
    async for table, row in source.rows():
        if table == "events":
            event_columns |= row.keys()
        numbers[table] += 1
        values = read.values_of(row, _NOUNS[TABLES.index(table)], numbers[table], odd)
        if values is not None:
            tables[table].append(values)
    missing = [name for name in NEEDED if not tables.get(name)]
    if missing:
        raise InvalidInput("source", f"This is no database of the older model: nothing in {' and '.join(missing)}.")
    old = Old(read.shape_of(event_columns), odd=odd)
    for user in _sorted(map(read.user_of, tables["users"])):
        old.users[user.id] = user
    for group in _sorted(map(read.group_of, tables.get("groups", []))):
        old.groups[group.id] = group
    for event in _sorted(map(read.event_of, tables["events"])):
        old.events[event.id] = event
    group_roles = dict(map(read.role_of, tables.get("grouproles", [])))
    event_roles = dict(map(read.role_of, tables.get("eventroles", [])))
    members = [read.member_of(row, group_roles) for row in tables.get("groupmembers", [])]
    old.members = _sorted(member for member in members if member is not None)
    answers = [read.answer_of(row, event_roles) for row in tables.get("eventattendees", [])]
    for answer in _sorted(one for one in answers if one is not None):
        old.answers.setdefault(answer.event_id, []).append(answer)
    _add_rooms(old, tables.get("chatrooms", []))
    return old


def _sorted(some: Iterable[Any]) -> list[Any]:
    return sorted(some, key=lambda one: int(one.id))


def _add_rooms(old: Old, rooms: Iterable[read.Values]) -> None:
    for event_id, group_id, room in map(read.room_of, rooms):
        event, group = old.events.get(event_id or -1), old.groups.get(group_id or -1)
        if event is not None and event.matrix_room_id is None and room:
            old.events[event.id] = replace(event, matrix_room_id=room)
        if group is not None and group.matrix_room_id is None and room:
            old.groups[group.id] = replace(group, matrix_room_id=room)


class Dump:
    """A file of JSON lines."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def name(self) -> str:
        return f"file:{self._path.name}"

    async def rows(self) -> AsyncIterator[tuple[str, Mapping[str, Any]]]:
        with self._path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE + 1), b""), 1):
                if len(line) > MAX_LINE:
                    raise TooLarge(f"Line {number} of the dump has more than {MAX_LINE:,} bytes.")
                if line.strip():
                    table, row = _line(line, number)
                    if table in TABLES:
                        yield table, row


def _line(line: bytes, number: int) -> tuple[str, Mapping[str, Any]]:
    try:
        found = msgspec.json.decode(line)
    except msgspec.DecodeError as wrong:
        raise InvalidInput("source", f"Line {number} of the dump is no JSON: {wrong}.") from None
    if not isinstance(found, dict) or not isinstance(found.get("table"), str) or not isinstance(found.get("row"), dict):
        raise InvalidInput("source", f'Line {number} of the dump is not {{"table": …, "row": {{…}}}}.')
    return read.plain(found["table"]), found["row"]


class Server:
    """One schema of a PostgreSQL database, read in one transaction that cannot write."""

    def __init__(self, url: str, schema: str = "public") -> None:
        self._url = url
        self._schema = check_schema_name(schema)

    @property
    def name(self) -> str:
        place = self._url.partition("://")[2].rpartition("@")[2].partition("?")[0]
        return f"postgresql://{place}#{self._schema}"

    async def rows(self) -> AsyncIterator[tuple[str, Mapping[str, Any]]]:
        try:
            connection = await asyncpg.connect(self._url)
        except (OSError, ValueError, asyncpg.PostgresError) as failure:
            raise Unavailable(f"The older database cannot be reached: {type(failure).__name__}.") from failure
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                for table, names in await self._tables(connection):
                    # Types of an extension, which a driver does not know, stand beside the same place as numbers.
                    listed = ", ".join(f'"{name}"' for name in names)
                    statement = f'select {listed} from "{self._schema}"."{table}" order by "id"'
                    async for row in connection.cursor(statement, prefetch=_ROWS):
                        yield read.plain(table), dict(row)
        finally:
            await connection.close()

    async def _tables(self, connection: Any) -> list[tuple[str, list[str]]]:
        rows = await connection.fetch(
            "select table_name, column_name from information_schema.columns"
            " where table_schema = $1 and udt_name not in ('geography', 'geometry') order by table_name, ordinal_position",
            self._schema,
        )
        found: dict[str, list[str]] = {}
        for row in rows:
            if read.plain(row["table_name"]) in TABLES:
                found.setdefault(row["table_name"], []).append(row["column_name"])
        usable = [(table, names) for table, names in found.items() if "id" in names]
        return sorted(usable, key=lambda one: TABLES.index(read.plain(one[0])))


def source_of(text: str, schema: str = "public") -> Source:
    """What somebody named: an address of a PostgreSQL database, or a file."""
    if text.startswith(("postgresql://", "postgres://")):
        return Server(text, schema)
    path = Path(text)
    if not path.is_file():
        raise InvalidInput("source", f"There is no file {text!r}, and it is no postgresql:// address.")
    return Dump(path)
