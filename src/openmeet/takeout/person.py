"""One person's belongings as one JSON document, and taking such a document in elsewhere.

Ids stay: they are unique everywhere, so that taking the same document in twice changes nothing. What refers to somebody or something that
is not at the new place (an answer to another host's event) is left out there and counted; so are pictures, whose files are in no document.
"""

from collections.abc import Mapping
from typing import Any, Final

from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import InvalidInput, NotFound, Refused
from openmeet.site.times import iso
from openmeet.takeout import pictures
from openmeet.takeout.belongings import OWN, TOLD, Part
from openmeet.takeout.values import Value, camel, from_json, to_json
from openmeet.users.model import UserId

VERSION: Final = 1
# More than anybody has; what one document holds of a table.
MOST_ROWS: Final = 100_000
_ROWS = 500


async def document(db: Database, user_id: UserId, site: str) -> dict[str, Any]:
    """Everything of the person. Raises NotFound."""
    tables: dict[str, Any] = {}
    async with db.reader() as reader:
        now = reader.now
        person = await reader.fetch_one("select display_name, email from users where id = :id", id=user_id)
    if person is None:
        raise NotFound("There is no such person.")
    for part in (*OWN, *TOLD):
        # A reader each: no snapshot is held for as long as a long history takes.
        async with db.reader() as reader:
            tables[camel(part.table)] = await _rows(reader, part, user_id)
    tables["pictures"] = [pictures.addressed(row, site) for row in tables["pictures"]]
    return {
        "openmeetExport": VERSION,
        "kind": "person",
        "exportedAt": iso(now),
        "site": site,
        "person": {"id": user_id, "displayName": person["display_name"], "email": person["email"]},
        "tables": tables,
    }


async def take_in(db: Database, found: Mapping[str, Any]) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Take a document in: rows that are here now by table, and rows that were left out; ``pictures`` among these are such as are not shown.

    Raises InvalidInput (no such document), Refused (``PersonIsHere``: the address belongs to somebody else here).
    """
    tables = found.get("tables")
    if found.get("openmeetExport") != VERSION or found.get("kind") != "person" or not isinstance(tables, dict):
        raise InvalidInput("file", "This is no export of one person.")
    about = found.get("person")
    person = str(about.get("id", "")) if isinstance(about, dict) else ""
    taken: dict[str, int] = {}
    left = {"pictures": 0}
    for part in OWN:
        rows = tables.get(camel(part.table), [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise InvalidInput("file", f"{camel(part.table)} is no list of rows.")
        if part.table == "event_series":
            rows = _older_first(rows)
        taken[part.table], left[part.table] = 0, 0
        columns = {name: camel(name) for name in await _columns(db, part.table)}
        for start in range(0, len(rows), _ROWS):
            async with db.transaction() as tx:
                for row in rows[start : start + _ROWS]:
                    values = _values(part, columns, row)
                    left["pictures"] += await pictures.let_go(tx, part.table, values, person)
                    is_in = await _put(tx, part, values, person)
                    (taken if is_in else left)[part.table] += 1
    return taken, left


async def _rows(reader: Reader, part: Part, user_id: UserId) -> list[dict[str, Any]]:
    rows = await reader.fetch(f"select * from {part.table} where {part.where} limit {MOST_ROWS}", id=user_id)
    found = [
        {camel(name): to_json(row[name]) for name in row.keys() if name not in part.without}  # noqa: SIM118
        for row in rows
    ]
    return sorted(found, key=lambda one: str(one.get("id") or sorted(map(str, one.values()))))


def _values(part: Part, columns: Mapping[str, str], row: Mapping[str, Any]) -> dict[str, Value]:
    if not row.keys() <= set(columns.values()):
        raise InvalidInput(
            "file", f"{camel(part.table)} has columns that are unknown here; use the release that made it."
        )
    return {name: from_json(row[told], camel(part.table)) for name, told in columns.items() if told in row}


async def _put(tx: Transaction, part: Part, values: dict[str, Value], person: str) -> bool:
    """False where something that it needs is not here."""
    if part.table == "users":
        await _must_be_free(tx, values)
    elif part.below is not None:
        if not await _is_below(tx, part.below, values, person):
            return False
    elif person not in values.values():
        raise InvalidInput("file", f"{camel(part.table)} has a row of somebody else.")
    for name, table in part.needs.items():
        if values.get(name) is not None and not await _is_here(tx, table, values[name]):
            return False
    for name, table in part.lets_go.items():
        if values.get(name) is not None and not await _is_here(tx, table, values[name]):
            values[name] = None
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    await tx.execute(f"insert into {part.table} ({names}) values ({marks}) on conflict do nothing", **values)
    return True


async def _must_be_free(tx: Transaction, values: Mapping[str, Value]) -> None:
    row = await tx.fetch_one("select id from users where email = :email", email=values.get("email"))
    if row is not None and row["id"] != values.get("id"):
        raise Refused("Somebody else has this e-mail address here.", name="PersonIsHere")


async def _is_here(reader: Reader, table: str, row_id: Value) -> bool:
    return await reader.fetch_one(f"select 1 as found from {table} where id = :id", id=row_id) is not None


async def _is_below(reader: Reader, below: tuple[str, str], values: Mapping[str, Value], person: str) -> bool:
    """Whether what the row belongs to is here, and the person's."""
    column, ids = below
    found = await reader.fetch_one(
        f"select 1 as found from ({ids}) theirs where theirs.id = :belongs_to", id=person, belongs_to=values.get(column)
    )
    return found is not None


async def _columns(db: Database, table: str) -> tuple[str, ...]:
    """The columns of a table, which may be empty."""
    asked = (
        "select name from pragma_table_info(:name) order by cid"
        if db.engine == "sqlite"
        else "select column_name as name from information_schema.columns"
        " where table_schema = current_schema() and table_name = :name order by ordinal_position"
    )
    async with db.reader() as reader:
        return tuple(row["name"] for row in await reader.fetch(asked, name=table))


def _older_first(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was split off stands behind what it was split off."""
    ids = {row.get("id") for row in rows}
    found: list[dict[str, Any]] = []
    placed: set[object] = {None}
    waiting = list(rows)
    while waiting:
        ready = [row for row in waiting if row.get("splitFrom") in placed or row.get("splitFrom") not in ids]
        if not ready:
            raise InvalidInput("file", "Series refer to each other in a circle.")
        found += ready
        placed |= {row.get("id") for row in ready}
        waiting = [row for row in waiting if row.get("id") not in placed]
    return found
