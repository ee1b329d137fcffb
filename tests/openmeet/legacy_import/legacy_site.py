"""Generate realistic databases of the older model: people, groups, recurring events with dates, changes and splits.

Rows have the names and types of the real tables. The expected counts are computed during generation, independently of
the import. The same seed gives the same database.
"""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg

from openmeet.domain.legacy_import.analysis import analyse
from openmeet.domain.legacy_import.plan import LegacyPlan
from openmeet.domain.legacy_import.read import PostgresDump, read_old

ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Sydney", "UTC")
STATUSES = ("confirmed", "confirmed", "confirmed", "maybe", "cancelled", "pending", "waitlist", "attended", "invited")
FOLLOWING = {"confirmed", "maybe", "pending", "waitlist", "attended"}
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
TITLES = (
    "Board games",
    "Run in the park",
    "Café de lenguas",
    "読書会",
    "Rust & Tea",
    "Choir <practice>",
    "Repair café",
)


@dataclass
class LegacySite:
    """The tables as lists of rows, and the expected counts of a correct import."""

    seed: int
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    series: int = 0
    splits: int = 0
    exceptions: int = 0
    followers: int = 0
    singles: int = 0
    stored_dates: int = 0
    answers: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        for table in ("users", "groups", "groupRoles", "groupMembers", "eventRoles", "events", "eventAttendees"):
            self.tables[table] = []

    def add(self, table: str, **row: Any) -> int:
        rows = self.tables[table]
        rows.append({"id": len(rows) + 1, **row})
        return len(rows)

    def answer(self, event_id: int, user_id: int, status: str) -> None:
        self.add(
            "eventAttendees",
            eventId=event_id,
            userId=user_id,
            status=status,
            roleId=1,
            approvalAnswer=None,
            createdAt=_text(datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=len(self.tables["eventAttendees"]))),
        )
        self.answers += 1

    def lines(self) -> Iterator[str]:
        for table, rows in self.tables.items():
            for row in rows:
                yield json.dumps({"table": table, "row": row}, ensure_ascii=False)

    def dump(self, path: Path) -> Path:
        path.write_text("\n".join(self.lines()) + "\n", encoding="utf-8")
        return path


def legacy_site(events: int, *, seed: int = 1, people: int = 0) -> LegacySite:
    """A database with at least this many events, and not many more."""
    legacy = LegacySite(seed)
    for role in ("owner", "admin", "moderator", "member", "guest"):
        legacy.add("groupRoles", name=role)
    for role in ("participant", "host"):
        legacy.add("eventRoles", name=role)
    count = people or max(8, events // 10)
    for number in range(1, count + 1):
        legacy.add(
            "users",
            ulid=f"{number:026d}",
            email=f"person{number}@old.example",
            provider="email",
            firstName="Person",
            lastName=str(number),
            socialId=None,
            deletedAt=None,
            isShadowAccount=False,
            createdAt="2024-05-01 10:00:00",
        )
    for number in range(max(1, events // 100)):
        owner = legacy.random.randint(1, count)
        group = legacy.add(
            "groups",
            slug=f"group-{number}",
            name=f"Group {number}",
            description="Who we are",
            visibility=legacy.random.choice(("public", "authenticated", "private")),
            requireApproval=bool(number % 2),
            createdById=owner,
            matrixRoomId=None,
        )
        legacy.add("groupMembers", groupId=group, userId=owner, groupRoleId=1)
        for user in legacy.random.sample(range(1, count + 1), min(5, count)):
            if user != owner:
                legacy.add("groupMembers", groupId=group, userId=user, groupRoleId=4)
    while len(legacy.tables["events"]) < events:
        if legacy.random.random() < 0.25:
            _single(legacy, count)
        else:
            _recurring(legacy, count)
    return legacy


def event(legacy: LegacySite, **more: Any) -> int:
    """A row of ``events`` with plausible values. Times are naive UTC texts, as in the real columns."""
    number = len(legacy.tables["events"]) + 1
    start = more.pop("start", datetime(2025, 3, 3, 18, tzinfo=UTC))
    length = more.pop("length", timedelta(hours=2))
    row: dict[str, Any] = {
        "ulid": f"{number:026d}",
        "slug": f"event-{number}",
        "name": TITLES[number % len(TITLES)],
        "description": f"What we do, number {number}.\nBring a friend.",
        "type": "in-person",
        "startDate": _text(start),
        "endDate": None if length is None else _text(start + length),
        "locationOnline": None,
        "location": "Town library, Main Street 3",
        "lat": 52.5,
        "lon": 13.4,
        "maxAttendees": None,
        "status": "published",
        "visibility": "public",
        "userId": 1,
        "groupId": None,
        "matrixRoomId": None,
        "sourceType": None,
        "sourceId": None,
        "createdAt": "2025-01-01 09:00:00",
        "timeZone": "Europe/Berlin",
        "recurrenceRule": None,
        "recurrenceExceptions": None,
        "recurrenceUntil": None,
        "recurrenceCount": None,
        "isRecurring": False,
        "parentEventId": None,
        "isRecurrenceException": False,
        "originalDate": None,
        "recurrenceSplitPoint": False,
    }
    row |= more
    return legacy.add("events", **row)


def weekly(legacy: LegacySite, start: datetime, *, zone: str = "Europe/Berlin", **more: Any) -> int:
    """A weekly recurring event that starts at this local time."""
    rule = more.pop("rule", {"freq": "WEEKLY", "interval": 1, "byday": [DAYS[start.weekday()]]})
    legacy.series += 1
    return event(legacy, start=utc(start, zone), timeZone=zone, recurrenceRule=rule, isRecurring=True, **more)


def date_of(legacy: LegacySite, parent: int, original: datetime, *, zone: str = "Europe/Berlin", **more: Any) -> int:
    """A stored date of a recurring event, by its local time."""
    start = more.pop("start", original)
    head = legacy.tables["events"][parent - 1]
    kept = {name: head[name] for name in ("name", "description", "visibility", "groupId", "userId", "maxAttendees")}
    legacy.stored_dates += 1
    return event(
        legacy,
        **{
            **kept,
            "start": utc(start, zone),
            "timeZone": zone,
            "parentEventId": parent,
            "originalDate": _text(utc(original, zone)),
            **more,
        },
    )


def utc(local: datetime, zone: str) -> datetime:
    return local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")


def _single(legacy: LegacySite, people: int) -> None:
    start = datetime(2025, 1, 1, 18, tzinfo=UTC) + timedelta(days=legacy.random.randint(0, 700))
    made = event(legacy, start=start, userId=legacy.random.randint(1, people), timeZone=legacy.random.choice(ZONES))
    legacy.singles += 1
    for user in legacy.random.sample(range(1, people + 1), min(people, legacy.random.randint(0, 5))):
        legacy.answer(made, user, legacy.random.choice(STATUSES))


def _recurring(legacy: LegacySite, people: int) -> None:
    zone = legacy.random.choice(ZONES)
    # Hours that no clock change skips or repeats.
    start = datetime.fromisoformat("2025-01-06").replace(hour=legacy.random.randint(9, 21)) + timedelta(
        days=legacy.random.randint(0, 90)
    )
    parent = weekly(
        legacy,
        start,
        zone=zone,
        userId=legacy.random.randint(1, people),
        groupId=legacy.random.choice([None, None, 1]),
        matrixRoomId=f"!series{len(legacy.tables['events'])}:old.example",
        maxAttendees=legacy.random.choice([None, 1000]),
    )
    for user in legacy.random.sample(range(1, people + 1), min(people, 4)):
        status = legacy.random.choice(STATUSES)
        legacy.answer(parent, user, status)
        legacy.followers += status in FOLLOWING
    weeks = legacy.random.randint(3, 20)
    split = legacy.random.randint(2, weeks) if legacy.random.random() < 0.2 else None
    followers = _followers(legacy, parent)
    head = parent
    for week in range(1, weeks):
        original = start + timedelta(weeks=week)
        if week == split:
            head = _split(legacy, parent, original, zone, followers, people)
            continue
        _date(legacy, head if legacy.random.random() < 0.5 else parent, parent, original, zone, people)


def _followers(legacy: LegacySite, event_id: int) -> set[int]:
    return {
        row["userId"]
        for row in legacy.tables["eventAttendees"]
        if row["eventId"] == event_id and row["status"] in FOLLOWING
    }


def _split(legacy: LegacySite, parent: int, original: datetime, zone: str, followers: set[int], people: int) -> int:
    head = date_of(
        legacy,
        parent,
        original,
        zone=zone,
        name=f"{legacy.tables['events'][parent - 1]['name']}, new style",
        recurrenceRule={"freq": "WEEKLY", "interval": 1, "byday": [DAYS[original.weekday()]]},
        isRecurring=True,
        recurrenceSplitPoint=True,
    )
    legacy.series += 1
    legacy.splits += 1
    user = legacy.random.randint(1, people)
    legacy.answer(head, user, "confirmed")
    legacy.followers += len(followers | {user})
    return head


def _date(legacy: LegacySite, head: int, parent: int, original: datetime, zone: str, people: int) -> None:
    more: dict[str, Any] = {"name": legacy.tables["events"][head - 1]["name"]}
    chance = legacy.random.random()
    if chance < 0.1:
        more |= {"start": original + timedelta(hours=1), "isRecurrenceException": True}
    elif chance < 0.15:
        more |= {"description": "Another room today.", "isRecurrenceException": True}
    elif chance < 0.18:
        more |= {"status": "cancelled", "isRecurrenceException": True}
    legacy.exceptions += "isRecurrenceException" in more
    made = date_of(legacy, parent, original, zone=zone, matrixRoomId=None, **more)
    for user in legacy.random.sample(range(1, people + 1), min(people, legacy.random.randint(0, 4))):
        legacy.answer(made, user, legacy.random.choice(STATUSES))


_TYPES = {
    bool: "boolean not null default false",
    int: "integer",
    float: "double precision",
    str: "text",
    dict: "jsonb",
    list: "jsonb",
}
_COLUMNS = {
    "recurrenceRule": "jsonb",
    "recurrenceExceptions": "jsonb",
    "recurrenceUntil": "timestamp",
    "recurrenceCount": "integer",
    "parentEventId": "integer",
    "originalDate": "timestamp",
    "startDate": "timestamp not null",
    "endDate": "timestamp",
    "createdAt": "timestamp not null default now()",
    "deletedAt": "timestamp",
    "maxAttendees": "integer",
    "groupId": "integer",
    "createdById": "integer",
    "type": "{schema}.events_type_enum not null",
}


async def load(legacy: LegacySite, url: str, schema: str, *, without: Sequence[str] = ()) -> None:
    """Load it into a schema of a PostgreSQL server with the real types, ``without`` these columns of ``events``."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f'create schema "{schema}"')
        await connection.execute(f"create type \"{schema}\".events_type_enum as enum ('in-person', 'online', 'hybrid')")
        for table, rows in legacy.tables.items():
            names = [name for name in (rows[0] if rows else {"id": 1}) if table != "events" or name not in without]
            columns = ", ".join(f'"{name}" {_type(name, rows, schema)}' for name in names)
            await connection.execute(f'create table "{schema}"."{table}" ({columns}, primary key ("id"))')
            records = [tuple(_value(name, row.get(name)) for name in names) for row in rows]
            if records:
                await connection.copy_records_to_table(table, schema_name=schema, columns=names, records=records)
    finally:
        await connection.close()


def _type(name: str, rows: Sequence[dict[str, Any]], schema: str) -> str:
    if name in _COLUMNS:
        return _COLUMNS[name].format(schema=schema)
    value = next((row[name] for row in rows if row.get(name) is not None), "")
    return _TYPES[type(value)]


def _value(name: str, value: Any) -> Any:
    if value is None:
        return None
    if _COLUMNS.get(name, "").startswith("timestamp"):
        return datetime.fromisoformat(value)
    return json.dumps(value) if isinstance(value, dict | list) else value


LEGACY_SOURCE = "file:old.jsonl"


def report_nothing(_what: str, _done: int, _of: int) -> None:
    return


async def plan_of_dump(legacy: LegacySite, path: Path) -> LegacyPlan:
    return analyse(await read_old(PostgresDump(legacy.dump(path / "old.jsonl"))), "UTC")
