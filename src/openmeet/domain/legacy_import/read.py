"""Read a complete legacy database from a PostgreSQL server or a JSON Lines dump. Never writes to it."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Protocol

import asyncpg
import msgspec

from groundwork.clock import Instant, from_datetime, to_datetime
from groundwork.database.postgres import check_schema_name
from groundwork.errors import InvalidInput, TooLarge, Unavailable
from openmeet.domain.legacy_import.model import (
    LegacyData,
    LegacyImportReason,
    LegacyOddity,
    LegacyShape,
    Oddity,
    OldEvent,
    OldGroup,
    OldMember,
    OldRsvp,
    OldUser,
)
from openmeet.i18n.reasons.messages import explain
from openmeet.recurrence.wall_time import FIRST_YEAR, LAST_YEAR

# The largest number in the legacy tables that OpenMeet can store too.
_LARGEST_NUMBER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class OldRow:
    """A row with normalized column names. ``subject`` names it for readers (``event 12``); ``oddities`` collects
    unreadable values.
    """

    id: int
    subject: str
    by_name: Mapping[str, Any]
    oddities: list[LegacyOddity]

    def get(self, name: str) -> Any:
        return self.by_name.get(name)


# Columns of events that only later migrations added. A dump in JSON lines may leave out one that is empty in each row.
_RECURRENCE = frozenset({"recurrencerule", "parenteventid"})
_SPLIT = "recurrencesplitpoint"


def plain(name: str) -> str:
    """Normalize a table or column name for comparison."""
    return name.replace("_", "").lower()


def values_of(row: Mapping[str, Any], noun: str, number: int, oddities: list[LegacyOddity]) -> OldRow | None:
    """Return a row with normalized names. None, with an oddity, if it has no id.

    ``noun`` and ``number`` name the row in the oddity by its table and position.
    """
    by_name = {plain(name): value for name, value in row.items()}
    old_id = _whole(by_name.get("id"))
    if old_id is None:
        reason = "it is empty" if by_name.get("id") in (None, "") else f"id: {str(by_name['id'])[:40]!r}"
        oddities.append(LegacyOddity(Oddity.NO_NUMBER, f"{noun} row {number}", reason))
        return None
    return OldRow(old_id, f"{noun} {old_id}", by_name, oddities)


def shape_of(event_columns: Iterable[str]) -> LegacyShape:
    """Find out the shape of the database from the columns of ``events``."""
    names = {plain(name) for name in event_columns}
    return LegacyShape(has_recurrence=not names.isdisjoint(_RECURRENCE), has_split_points=_SPLIT in names)


def user_of(row: OldRow) -> OldUser:
    name = " ".join(filter(None, (_text(row, "firstname"), _text(row, "lastname")))) or _text(row, "name")
    social = _text(row, "socialid")
    return OldUser(
        id=row.id,
        email=_text(row, "email").strip().lower() or None,
        name=name,
        did=social if social.startswith("did:") else None,
        is_shadow=_flag(row, "isshadowaccount"),
        is_deleted=_moment(row, "deletedat") is not None,
        created_at=_moment(row, "createdat"),
    )


def group_of(row: OldRow) -> OldGroup:
    return OldGroup(
        id=row.id,
        slug=_text(row, "slug"),
        name=_text(row, "name"),
        description=_text(row, "description"),
        visibility=_text(row, "visibility").lower() or None,
        requires_approval=_flag(row, "requireapproval"),
        location=_text(row, "location"),
        created_by=_optional_id(row, "createdbyid"),
        matrix_room_id=_text(row, "matrixroomid") or None,
        created_at=_moment(row, "createdat"),
    )


def member_of(row: OldRow, roles: Mapping[int, str]) -> OldMember | None:
    """Parse a membership. None if the row has no user or group."""
    group_id, user_id = _optional_id(row, "groupid"), _optional_id(row, "userid")
    if group_id is None or user_id is None:
        return None
    role = roles.get(_optional_id(row, "grouproleid") or -1, _text(row, "role"))
    return OldMember(row.id, group_id, user_id, role.lower() or "member")


def event_of(row: OldRow) -> OldEvent:
    return OldEvent(
        id=row.id,
        slug=_text(row, "slug"),
        name=_text(row, "name"),
        description=_text(row, "description"),
        kind=_text(row, "type").lower(),
        starts_at=_moment(row, "startdate"),
        ends_at=_moment(row, "enddate"),
        online_url=_text(row, "locationonline").strip(),
        location=_text(row, "location").strip(),
        latitude=_decimal(row, "lat", 90),
        longitude=_decimal(row, "lon", 180),
        capacity=_optional_id(row, "maxattendees"),
        status=_text(row, "status").lower() or None,
        visibility=_text(row, "visibility").lower() or None,
        user_id=_optional_id(row, "userid"),
        group_id=_optional_id(row, "groupid"),
        matrix_room_id=_text(row, "matrixroomid") or None,
        source_type=_text(row, "sourcetype") or None,
        source_id=_text(row, "sourceid") or None,
        created_at=_moment(row, "createdat"),
        zone=_text(row, "timezone") or None,
        rule=_rule(row),
        exceptions=_texts(row, "recurrenceexceptions"),
        until=_moment(row, "recurrenceuntil"),
        count=_optional_id(row, "recurrencecount"),
        is_recurring=_flag(row, "isrecurring"),
        is_all_day=_flag(row, "isallday"),
        parent_id=_optional_id(row, "parenteventid"),
        is_exception=_flag(row, "isrecurrenceexception"),
        original_at=_moment(row, "originaldate"),
        is_split=_flag(row, _SPLIT),
    )


def answer_of(row: OldRow, roles: Mapping[int, str]) -> OldRsvp | None:
    """Parse an RSVP. None if the row has no user or event."""
    event_id, user_id = _optional_id(row, "eventid"), _optional_id(row, "userid")
    if event_id is None or user_id is None:
        return None
    return OldRsvp(
        id=row.id,
        event_id=event_id,
        user_id=user_id,
        status=_text(row, "status").lower() or None,
        role=roles.get(_optional_id(row, "roleid") or -1, _text(row, "role")).lower() or None,
        source_id=_text(row, "sourceid") or None,
        created_at=_moment(row, "createdat"),
    )


def role_of(row: OldRow) -> tuple[int, str]:
    """Id and name from a row of a role table."""
    return row.id, _text(row, "name")


def room_of(row: OldRow) -> tuple[int | None, int | None, str]:
    """Event, group and room id from a row of the chat room table."""
    return _optional_id(row, "eventid"), _optional_id(row, "groupid"), _text(row, "matrixroomid")


def moment_of(value: object, name: str) -> Instant | None:
    """Parse a timestamp as a driver or a dump gives it. Raises InvalidInput if it is not one."""
    match value:
        case None | "":
            return None
        case datetime():
            moment = value
        case date():
            moment = datetime(value.year, value.month, value.day, tzinfo=UTC)
        case str():
            moment = _parsed(value.strip(), name, datetime.fromisoformat)
        case int() | float() if not isinstance(value, bool):
            # JavaScript timestamps, in milliseconds.
            moment = _parsed(value, name, lambda number: datetime.fromtimestamp(number / 1000, UTC))
        case _:
            raise InvalidInput(name, LegacyImportReason.MALFORMED_TIME, label=name, value=repr(str(value)[:40]))
    return from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _parsed(value: Any, name: str, parse: Callable[[Any], datetime]) -> datetime:
    try:
        return parse(value)
    except (ValueError, OverflowError, OSError):
        raise InvalidInput(name, LegacyImportReason.MALFORMED_TIME, label=name, value=repr(str(value)[:40])) from None


def _moment(row: OldRow, name: str) -> Instant | None:
    """A time in the supported range. None, with an oddity, for any other."""
    try:
        return _within_years(moment_of(row.get(name), name), row.get(name), name)
    except InvalidInput as wrong:
        row.oddities.append(LegacyOddity(Oddity.UNREADABLE, row.subject, explain(wrong.why).removesuffix(".")))
        return None


def _within_years(at: Instant | None, value: object, name: str) -> Instant | None:
    if at is not None and not FIRST_YEAR <= to_datetime(at).year <= LAST_YEAR:
        raise InvalidInput(
            name,
            LegacyImportReason.YEAR_OUT_OF_RANGE,
            label=name,
            first_year=str(FIRST_YEAR),
            last_year=str(LAST_YEAR),
            value=repr(str(value)[:40]),
        )
    return at


def _text(row: OldRow, name: str) -> str:
    value = row.get(name)
    # OpenMeet cannot store U+0000, but other databases may contain it.
    return "" if value is None else str(value).replace("\x00", "")


def _optional_id(row: OldRow, name: str) -> int | None:
    value = row.get(name)
    number = _whole(value)
    if number is None and value not in (None, ""):
        row.oddities.append(
            LegacyOddity(Oddity.UNREADABLE, row.subject, f"{name} is no whole number: {str(value)[:40]!r}")
        )
    return number


def _whole(value: object) -> int | None:
    """Parse an integer as a driver or a dump gives it. None for anything else."""
    if value is None or isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        return None
    try:
        number = int(str(value) if isinstance(value, str) else value)  # type: ignore[call-overload]  # what is none raises
    except (TypeError, ValueError):
        return None
    return number if -_LARGEST_NUMBER <= number <= _LARGEST_NUMBER else None


def _flag(row: OldRow, name: str) -> bool:
    value = row.get(name)
    return value.lower() in {"t", "true", "1"} if isinstance(value, str) else bool(value)


def _decimal(row: OldRow, name: str, most: float) -> str:
    text = _text(row, name)
    try:
        number = float(text)
    except ValueError:
        return ""
    return f"{number:.7f}".rstrip("0").rstrip(".") if -most <= number <= most else ""


def _json(value: object) -> object:
    """Decode a JSON column, which a driver returns as text and a dump as a value."""
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        return value


def _rule(row: OldRow) -> Mapping[str, Any] | str | None:
    value = _json(row.get("recurrencerule"))
    if isinstance(value, Mapping):
        return value or None
    return str(value) if value else None


def _texts(row: OldRow, name: str) -> tuple[str, ...]:
    value = _json(row.get(name))
    if isinstance(value, list):
        return tuple(str(one) for one in value if one)
    return tuple(filter(None, str(value).split(","))) if value else ()


# Normalized names, in reading order: roles come before the rows that refer to them.
TABLES = ("grouproles", "eventroles", "users", "groups", "groupmembers", "chatrooms", "events", "eventattendees")
# The noun for a row of each table in reports of oddities.
_NOUNS = ("group role", "event role", "user", "group", "membership", "chat room", "event", "answer")
# Without these there is nothing to import.
NEEDED = ("users", "events")

# Maximum bytes per line of a dump. A description and the JSON columns of a row fit.
MAX_LINE = 4_000_000
_ROWS = 1_000


class LegacyDatabase(Protocol):
    """A source of rows. ``name`` identifies it and contains no password."""

    @property
    def name(self) -> str: ...

    def rows(self) -> AsyncIterator[tuple[str, Mapping[str, Any]]]:
        """Yield (normalized table name, row) for every row of ``TABLES``.

        Each row is a mapping from column names to values.
        """
        ...


async def read_old(source: LegacyDatabase) -> LegacyData:
    """Read the whole source. Raises InvalidInput if it is not a database of the older model."""
    tables: dict[str, list[OldRow]] = defaultdict(list)
    numbers: Counter[str] = Counter()
    event_columns: set[str] = set()
    oddities: list[LegacyOddity] = []
    async for table, row in source.rows():
        if table == "events":
            event_columns |= row.keys()
        numbers[table] += 1
        values = values_of(row, _NOUNS[TABLES.index(table)], numbers[table], oddities)
        if values is not None:
            tables[table].append(values)
    missing = [name for name in NEEDED if not tables.get(name)]
    if missing:
        raise InvalidInput("source", LegacyImportReason.NOT_THE_OLDER_MODEL, tables=", ".join(missing))
    old = LegacyData(shape_of(event_columns), oddities=oddities)
    for user in _sorted(map(user_of, tables["users"])):
        old.users[user.id] = user
    for group in _sorted(map(group_of, tables.get("groups", []))):
        old.groups[group.id] = group
    for event in _sorted(map(event_of, tables["events"])):
        old.events[event.id] = event
    group_roles = dict(map(role_of, tables.get("grouproles", [])))
    event_roles = dict(map(role_of, tables.get("eventroles", [])))
    members = [member_of(row, group_roles) for row in tables.get("groupmembers", [])]
    old.members = _sorted(member for member in members if member is not None)
    answers = [answer_of(row, event_roles) for row in tables.get("eventattendees", [])]
    for answer in _sorted(one for one in answers if one is not None):
        old.answers.setdefault(answer.event_id, []).append(answer)
    _add_rooms(old, tables.get("chatrooms", []))
    return old


def _sorted(items: Iterable[Any]) -> list[Any]:
    return sorted(items, key=lambda one: int(one.id))


def _add_rooms(old: LegacyData, rooms: Iterable[OldRow]) -> None:
    for event_id, group_id, room in map(room_of, rooms):
        event, group = old.events.get(event_id or -1), old.groups.get(group_id or -1)
        if event is not None and event.matrix_room_id is None and room:
            old.events[event.id] = replace(event, matrix_room_id=room)
        if group is not None and group.matrix_room_id is None and room:
            old.groups[group.id] = replace(group, matrix_room_id=room)


class PostgresDump:
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
                    raise TooLarge(LegacyImportReason.LINE_TOO_LONG, number=number, most=MAX_LINE)
                if line.strip():
                    table, row = _line(line, number)
                    if table in TABLES:
                        yield table, row


def _line(line: bytes, number: int) -> tuple[str, Mapping[str, Any]]:
    try:
        document = msgspec.json.decode(line)
    except msgspec.DecodeError as wrong:
        raise InvalidInput("source", LegacyImportReason.NOT_JSON, number=number, wrong=wrong) from None
    if (
        not isinstance(document, dict)
        or not isinstance(document.get("table"), str)
        or not isinstance(document.get("row"), dict)
    ):
        raise InvalidInput("source", LegacyImportReason.UNKNOWN_ROW, number=number)
    return plain(document["table"]), document["row"]


class PostgresSource:
    """One schema of a PostgreSQL database, read in one read-only transaction."""

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
            raise Unavailable(LegacyImportReason.DATABASE_UNREACHABLE, failure=type(failure).__name__) from failure
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                for table, names in await self._tables(connection):
                    # Only the listed columns are selected, because drivers do not know extension types. Places are also
                    # stored as numbers.
                    listed = ", ".join(f'"{name}"' for name in names)
                    statement = f'select {listed} from "{self._schema}"."{table}" order by "id"'
                    async for row in connection.cursor(statement, prefetch=_ROWS):
                        yield plain(table), dict(row)
        finally:
            await connection.close()

    async def _tables(self, connection: Any) -> list[tuple[str, list[str]]]:
        rows = await connection.fetch(
            "select table_name, column_name from information_schema.columns"
            " where table_schema = $1 and udt_name not in ('geography', 'geometry') order by table_name, ordinal_position",
            self._schema,
        )
        columns_by_table: dict[str, list[str]] = {}
        for row in rows:
            if plain(row["table_name"]) in TABLES:
                columns_by_table.setdefault(row["table_name"], []).append(row["column_name"])
        usable = [(table, names) for table, names in columns_by_table.items() if "id" in names]
        return sorted(usable, key=lambda one: TABLES.index(plain(one[0])))


def source_of(text: str, schema: str = "public") -> LegacyDatabase:
    """Open the source that a command-line argument names: a PostgreSQL URL or a file name."""
    if text.startswith(("postgresql://", "postgres://")):
        return PostgresSource(text, schema)
    path = Path(text)
    if not path.is_file():
        raise InvalidInput("source", LegacyImportReason.NO_SUCH_FILE, text=repr(text))
    return PostgresDump(path)
