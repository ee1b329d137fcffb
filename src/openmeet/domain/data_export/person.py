"""Export of one user's data as a JSON document, and import of such a document at another site.

Ids are globally unique and stay the same, so importing a document twice changes nothing. Rows that refer to users or
events missing at the new site (for example, an RSVP to another host's event) are skipped and counted. So are pictures,
because their files are not in the document.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import InvalidInput, NotFound
from openmeet.domain.data_export import import_rules
from openmeet.domain.data_export.tables import (
    EXPORT_ONLY,
    OWN,
    DataExportReason,
    ExportedTable,
    Value,
    camel,
    from_json,
    to_json,
)
from openmeet.domain.groups.model import GroupRole
from openmeet.domain.media.pictures import PORTRAIT_SIDES, Size
from openmeet.domain.users.model import Caller, UserId
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.formatting import iso

VERSION: Final = 1
# Maximum rows of one table in a document. Nobody is expected to have more.
MAX_ROWS: Final = 100_000
_ROWS = 500


async def export_document(db: Database, user_id: UserId, site: str) -> dict[str, Any]:
    """Return the complete export of one user. Raises NotFound."""
    tables: dict[str, Any] = {}
    async with db.reader() as reader:
        now = reader.now
        person = await reader.fetch_one("select display_name, email from users where id = :id", id=user_id)
    if person is None:
        raise NotFound(GeneralReason.NO_SUCH_PERSON)
    for part in (*OWN, *EXPORT_ONLY):
        # One reader per table, so that exporting a long history does not hold one snapshot for all that time.
        async with db.reader() as reader:
            tables[camel(part.name)] = await _rows(reader, part, user_id)
    portrait = tables["users"][0]["portraitKey"]
    tables["pictures"] = [
        row | {"url": f"{site}/portraits/{portrait}/{max(PORTRAIT_SIDES)}"}
        if row["key"] == portrait
        else with_picture_url(row, f"{site}/media")
        for row in tables["pictures"]
    ]
    tables["chatPictures"] = [with_picture_url(row, f"{site}/chat/pictures") for row in tables["chatPictures"]]
    tables["eventPhotos"] = [with_picture_url(row, f"{site}/photos") for row in tables["eventPhotos"]]
    return {
        "openmeetExport": VERSION,
        "kind": "person",
        "exportedAt": iso(now),
        "site": site,
        "person": {"id": user_id, "displayName": person["display_name"], "email": person["email"]},
        "tables": tables,
    }


# Parts that may be removed from an imported row.
_STRIPPED: Final = ("pictures", "records", "groups of events")


async def import_document(db: Database, document: Mapping[str, Any]) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Import a document. Return the number of imported rows per table, and of skipped rows.

    The skipped counts ``pictures``, ``records`` and ``groups of events`` are parts that had to be removed from imported
    rows. The document is untrusted: rows about other people's events and groups are checked by this site's rules
    (``import_rules``).

    Raises InvalidInput (not an export) and Refused (``PersonIsHere``: the address or the id belongs to somebody else
    here).
    """
    tables, about = document.get("tables"), document.get("person")
    if document.get("openmeetExport") != VERSION or document.get("kind") != "person" or not isinstance(tables, dict):
        raise InvalidInput("file", DataExportReason.NOT_OF_ONE_PERSON)
    person = str(about.get("id", "")) if isinstance(about, dict) else ""
    await _require_same_person(db, person, tables)
    counts = _ImportCounts(
        {part.table: 0 for part in OWN}, dict.fromkeys((*_STRIPPED, *(part.table for part in OWN)), 0)
    )
    about_others = [
        (part, values)
        for part in OWN
        for values in await _import_own_rows(db, part, _rows_in(tables, part.name), person, counts)
    ]
    caller = Caller(UserId(person), "")
    for part, values in about_others:
        counts.add(part.table, is_imported=await import_rules.apply_row(db, part.table, values, caller))
    return counts.imported, counts.left


@dataclass(frozen=True, slots=True)
class _ImportCounts:
    """Rows per table, and parts that were removed from imported rows."""

    imported: dict[str, int]
    left: dict[str, int]

    def add(self, table: str, *, is_imported: bool) -> None:
        (self.imported if is_imported else self.left)[table] += 1


async def _import_own_rows(
    db: Database, part: ExportedTable, rows: list[dict[str, Any]], person: str, counts: _ImportCounts
) -> list[dict[str, Value]]:
    """Import the rows that are about this person alone, some in each transaction. Returns the other ones."""
    if part.table == "event_series":
        rows = _older_first(rows)
    columns = {name: camel(name) for name in await _columns(db, part.table)}
    about_others: list[dict[str, Value]] = []
    for start in range(0, len(rows), _ROWS):
        async with db.transaction() as tx:
            for row in rows[start : start + _ROWS]:
                values = _values(part, columns, row)
                if not await _import_own_row(tx, part, values, person, counts):
                    about_others.append(values)
    return about_others


async def _import_own_row(
    tx: Transaction, part: ExportedTable, values: dict[str, Value], person: str, counts: _ImportCounts
) -> bool:
    """Import a row that is about this person alone. Returns False for a row about somebody else's event or group."""
    if part.below is None:
        import_rules.require_own_row(part, values, person)
    if await import_rules.refers_to_other_person(tx, part.table, values, person):
        return False
    counts.left["pictures"] += await strip_picture(tx, part.table, values, person)
    for stripped in await import_rules.strip_row(tx, part, values, person):
        counts.left[stripped] += 1
    counts.add(part.table, is_imported=await _put(tx, part, values, person))
    return True


async def _require_same_person(db: Database, person: str, tables: Mapping[str, Any]) -> None:
    """Raise InvalidInput if the document is not about one person, Refused if the id or address belongs to somebody else
    on this site.
    """
    users = _rows_in(tables, "users")
    if len(users) != 1 or users[0].get("id") != person or not person:
        raise InvalidInput("file", DataExportReason.NO_PERSON_NAMED)
    dids = [str(row.get("did", "")) for row in _rows_in(tables, "identities")]
    async with db.reader() as reader:
        await import_rules.is_same_person(reader, person, str(users[0].get("email") or ""), dids)


def _rows_in(tables: Mapping[str, Any], table: str) -> list[dict[str, Any]]:
    rows = tables.get(camel(table), [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InvalidInput("file", DataExportReason.ROWS_NOT_A_LIST, table=camel(table))
    return rows


async def _rows(reader: Reader, part: ExportedTable, user_id: UserId) -> list[dict[str, Any]]:
    rows = await reader.fetch(f"select * from {part.table} where {part.where} limit {MAX_ROWS}", id=user_id)
    rows_out = [
        {camel(name): to_json(row[name]) for name in row.keys() if name not in part.without}  # noqa: SIM118
        for row in rows
    ]
    return sorted(rows_out, key=lambda one: str(one.get("id") or sorted(map(str, one.values()))))


def _values(part: ExportedTable, columns: Mapping[str, str], row: Mapping[str, Any]) -> dict[str, Value]:
    if not row.keys() <= set(columns.values()):
        raise InvalidInput("file", DataExportReason.UNKNOWN_COLUMNS, table=camel(part.name))
    return {name: from_json(row[told], camel(part.name)) for name, told in columns.items() if told in row}


async def _put(tx: Transaction, part: ExportedTable, values: dict[str, Value], person: str) -> bool:
    """Insert the row. Return False if a row that it needs does not exist on this site."""
    if part.below is not None and not await _is_below(tx, part.below, values, person):
        return False
    if part.table == "group_members" and values.get("role") != GroupRole.OWNER:
        return False  # people are always the owner of their own groups
    series_id = values.get("series_id") if part.table == "events" else None
    if series_id is not None and not await _is_their_series(tx, series_id, person):
        return False
    split_from = values.get("split_from")
    if split_from is not None and not await _is_their_series(tx, split_from, person):
        values["split_from"] = None
    for name, table in part.needs.items():
        if values.get(name) is not None and not await _is_here(tx, table, values[name]):
            return False
    for name, table in part.nulled_if_missing.items():
        if values.get(name) is not None and not await _is_here(tx, table, values[name]):
            values[name] = None
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    await tx.execute(f"insert into {part.table} ({names}) values ({marks}) on conflict do nothing", **values)
    return True


async def _is_their_series(reader: Reader, series_id: Value, person: str) -> bool:
    row = await reader.fetch_one("select user_id from event_series where id = :id", id=series_id)
    return row is not None and row["user_id"] == person


async def _is_here(reader: Reader, table: str, row_id: Value) -> bool:
    return await reader.fetch_one(f"select 1 as found from {table} where id = :id", id=row_id) is not None


async def _is_below(reader: Reader, below: tuple[str, str], values: Mapping[str, Value], person: str) -> bool:
    """Whether the parent of the row exists on this site and belongs to the user."""
    column, ids = below
    row = await reader.fetch_one(
        f"select 1 as found from ({ids}) theirs where theirs.id = :belongs_to", id=person, belongs_to=values.get(column)
    )
    return row is not None


async def _columns(db: Database, table: str) -> tuple[str, ...]:
    """The column names of a table. Also works for empty tables."""
    asked = (
        "select name from pragma_table_info(:name) order by cid"
        if db.engine == "sqlite"
        else "select column_name as name from information_schema.columns"
        " where table_schema = current_schema() and table_name = :name order by ordinal_position"
    )
    async with db.reader() as reader:
        return tuple(row["name"] for row in await reader.fetch(asked, name=table))


def _older_first(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sort series so that each comes after the one it was split off from."""
    ids = {row.get("id") for row in rows}
    ordered: list[dict[str, Any]] = []
    placed: set[object] = {None}
    waiting = list(rows)
    while waiting:
        ready = [row for row in waiting if row.get("splitFrom") in placed or row.get("splitFrom") not in ids]
        if not ready:
            raise InvalidInput("file", DataExportReason.SERIES_IN_A_CIRCLE)
        ordered += ready
        placed |= {row.get("id") for row in ready}
        waiting = [row for row in waiting if row.get("id") not in placed]
    return ordered


Row = dict[str, Value]


def with_picture_url(row: Mapping[str, Any], below: str) -> dict[str, Any]:
    """A picture's row for the export, with the URL of its file, which is under ``below``."""
    return {**row, "url": f"{below}/{row['key']}/{Size.LARGE.value}"}


async def strip_picture(reader: Reader, table: str, row: Row, person: str) -> bool:
    """Remove the picture from an imported row unless it exists on this site and belongs to the user. Return whether one
    was removed.
    """
    if table not in _PLACES:
        return False
    key_of, empty = _PLACES[table]
    key = key_of(row)
    if key is None:
        return False
    existing = await reader.fetch_one(
        "select 1 as found from pictures where key = :key and user_id = :person", key=key, person=person
    )
    if existing is not None:
        return False
    empty(row)
    return True


def _in_json(row: Row, column: str) -> dict[str, Any]:
    text = row.get(column)
    decoded = json.loads(text) if isinstance(text, str) else {}
    return decoded if isinstance(decoded, dict) else {}


def _of_column(row: Row) -> Value:
    return row.get("picture_key")


def _empty_event(row: Row) -> None:
    row["picture_key"] = None
    row["extra"] = json.dumps({name: value for name, value in _in_json(row, "extra").items() if name != "picture"})


def _of_series(row: Row) -> Value:
    picture = _in_json(row, "template").get("picture")
    return str(picture.get("key", "")) if isinstance(picture, dict) else None


def _empty_series(row: Row) -> None:
    row["template"] = json.dumps({**_in_json(row, "template"), "picture": None})


def _empty_group(row: Row) -> None:
    row |= dict.fromkeys(("picture_key", "picture_alt", "picture_width", "picture_height", "picture_tone"))


def _of_portrait(row: Row) -> Value:
    return row.get("portrait_key")


def _empty_portrait(row: Row) -> None:
    row["portrait_key"] = None


_PLACES: Final[Mapping[str, tuple[Callable[[Row], Value], Callable[[Row], None]]]] = {
    "events": (_of_column, _empty_event),
    "event_series": (_of_series, _empty_series),
    "groups": (_of_column, _empty_group),
    "users": (_of_portrait, _empty_portrait),
}
