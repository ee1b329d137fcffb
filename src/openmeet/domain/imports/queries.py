"""SQL for imports, imported events and contacts."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from groundwork.clock import Instant
from groundwork.database.pages import delete_some
from groundwork.database.transaction import Reader, Transaction
from groundwork.database.transaction import Row as DatabaseRow
from groundwork.uuid7 import new_id
from openmeet.domain.imports.model import (
    KEPT,
    ContactRow,
    ContactStage,
    Import,
    ImportedContact,
    ImportId,
    ImportKind,
    LastImport,
    Medium,
    PersonId,
)
from openmeet.domain.users.model import UserId

_AT_ONCE = 500


async def insert(
    tx: Transaction, user_id: UserId, kind: ImportKind, medium: Medium, *, target: str, source: str, content: bytes
) -> ImportId:
    import_id = ImportId(new_id(tx.now))
    await tx.execute(
        """
        insert into imports (id, user_id, what, medium, target, source, content, columns, outcome, created_at, expires_at)
        values (:id, :user_id, :what, :medium, :target, :source, :content, '{}', null, :now, :expires_at)
        """,
        id=import_id,
        user_id=user_id,
        what=kind.value,
        medium=medium.value,
        target=target,
        source=source,
        content=content,
        now=tx.now,
        expires_at=tx.now + KEPT,
    )
    return import_id


async def find(reader: Reader, user_id: UserId, import_id: ImportId) -> Import | None:
    row = await reader.fetch_one(
        "select id, user_id, what, medium, target, source, content, columns, outcome, created_at from imports"
        " where id = :id and user_id = :user_id and expires_at > :now",
        id=import_id,
        user_id=user_id,
        now=reader.now,
    )
    if row is None:
        return None
    return Import(
        ImportId(row["id"]),
        UserId(row["user_id"]),
        ImportKind(row["what"]),
        Medium(row["medium"]),
        row["target"],
        row["source"],
        row["content"],
        msgspec.json.decode(row["columns"]),
        None if row["outcome"] is None else msgspec.json.decode(row["outcome"]),
        row["created_at"],
    )


async def lock(tx: Transaction, user_id: UserId, import_id: ImportId) -> Import | None:
    """Lock the import, so that a double click on its button does not import twice."""
    await tx.execute("update imports set id = id where id = :id and user_id = :user_id", id=import_id, user_id=user_id)
    return await find(tx, user_id, import_id)


async def choose_columns(tx: Transaction, import_id: ImportId, columns: Mapping[str, str]) -> None:
    await tx.execute(
        "update imports set columns = :columns where id = :id",
        columns=msgspec.json.encode(columns).decode(),
        id=import_id,
    )


async def finish(tx: Transaction, import_id: ImportId, outcome: Mapping[str, Any]) -> None:
    """Mark the import as done and delete the upload."""
    await tx.execute(
        "update imports set outcome = :outcome, content = :empty where id = :id",
        outcome=msgspec.json.encode(outcome).decode(),
        empty=b"",
        id=import_id,
    )


async def forget_old(tx: Transaction) -> int:
    return await delete_some(tx, "imports", "expires_at <= :now", now=tx.now)


async def known_uids(reader: Reader, user_id: UserId, uids: Sequence[str]) -> frozenset[str]:
    """The given UIDs that the user has imported before."""
    known: set[str] = set()
    for start in range(0, len(uids), _AT_ONCE):
        rows = await reader.fetch(
            "select uid from imported_events where user_id = :user_id and uid in :uids order by uid",
            user_id=user_id,
            uids=list(uids[start : start + _AT_ONCE]),
        )
        known |= {row["uid"] for row in rows}
    return frozenset(known)


async def imported_paths(reader: Reader, user_id: UserId, uids: Sequence[str]) -> dict[str, str]:
    """Paths of the events that the user has imported before, by UID."""
    path_by_uid: dict[str, str] = {}
    for start in range(0, len(uids), _AT_ONCE):
        rows = await reader.fetch(
            "select uid, made from imported_events where user_id = :user_id and uid in :uids order by uid",
            user_id=user_id,
            uids=list(uids[start : start + _AT_ONCE]),
        )
        path_by_uid |= {row["uid"]: row["made"] for row in rows}
    return path_by_uid


async def own_ids(reader: Reader, user_id: UserId, ids: Sequence[str]) -> frozenset[str]:
    """The given ids that are events or series of the user and not deleted."""
    own: set[str] = set()
    for start in range(0, len(ids), _AT_ONCE):
        chunk = list(ids[start : start + _AT_ONCE])
        rows = await reader.fetch(
            "select id from events where author_id = :user_id and id in :ids and deleted_at is null"
            " union all select id from event_series where user_id = :user_id and id in :ids and deleted_at is null"
            " order by 1",
            user_id=user_id,
            ids=chunk,
        )
        own |= {row["id"] for row in rows}
    return frozenset(own)


async def own_starting(reader: Reader, user_id: UserId, starts: Sequence[Instant]) -> list[tuple[str, str, Instant]]:
    """Slug, title and start of the user's own and co-hosted events and drafts that start at one of these times."""
    starting: list[tuple[str, str, Instant]] = []
    for first in range(0, len(starts), _AT_ONCE):
        rows = await reader.fetch(
            "select slug, title, starts_at from events e where starts_at in :starts"
            " and deleted_at is null and removed_at is null and (author_id = :user_id or exists (select 1 "
            "from event_co_hosts h where h.event_id = e.id and h.user_id = :user_id and h.state = 'accepted')) "
            "order by starts_at, id",
            user_id=user_id,
            starts=list(starts[first : first + _AT_ONCE]),
        )
        starting += [(row["slug"], row["title"], Instant(row["starts_at"])) for row in rows]
    return starting


async def last_imports(reader: Reader, user_id: UserId, uids: Sequence[str]) -> dict[str, LastImport]:
    """The fields of each event at its last import, by UID, if they were stored."""
    imports_by_uid: dict[str, LastImport] = {}
    for start in range(0, len(uids), _AT_ONCE):
        rows = await reader.fetch(
            "select uid, last_import from imported_events where user_id = :user_id and uid in :uids "
            "and last_import <> '' order by uid",
            user_id=user_id,
            uids=list(uids[start : start + _AT_ONCE]),
        )
        imports_by_uid |= {row["uid"]: msgspec.json.decode(row["last_import"], type=LastImport) for row in rows}
    return imports_by_uid


async def note_import(tx: Transaction, user_id: UserId, uid: str, last_import: LastImport) -> None:
    """Store the file's fields after its changes have been applied."""
    await tx.execute(
        "update imported_events set last_import = :last_import where user_id = :user_id and uid = :uid",
        user_id=user_id,
        uid=uid,
        last_import=msgspec.json.encode(last_import).decode(),
    )


async def note_event(tx: Transaction, user_id: UserId, uid: str, path: str, last_import: LastImport) -> bool:
    """Record an imported event. Returns False if this UID was imported meanwhile."""
    noted = await tx.execute(
        "insert into imported_events (user_id, uid, made, last_import, created_at) "
        "values (:user_id, :uid, :made, :last_import, :now) on conflict (user_id, uid) do nothing",
        user_id=user_id,
        uid=uid,
        made=path,
        last_import=msgspec.json.encode(last_import).decode(),
        now=tx.now,
    )
    return noted == 1


async def add_contacts(tx: Transaction, kind: ImportKind, target: str, rows: Sequence[ContactRow], by: UserId) -> None:
    """Add people to a list. People who are already on it do not change."""
    await tx.execute_many(
        """
        insert into imported_contacts (id, what, target, email, name, status, stage, message, invited_by, created_at)
        values (:id, :what, :target, :email, :name, :status, 'kept', '', :by, :now)
            on conflict (what, target, email) do nothing
        """,
        [
            {
                "id": new_id(tx.now),
                "what": kind.value,
                "target": target,
                "email": row.email,
                "name": row.name,
                "status": row.status,
                "by": by,
                "now": tx.now,
            }
            for row in rows
        ],
    )


async def add_named_contacts(tx: Transaction, kind: ImportKind, target: str, rows: Sequence[ContactRow]) -> None:
    """Add contacts of whom only the name is known."""
    await tx.execute_many(
        "insert into imported_names (what, target, name, status, created_at) values (:what, :target, :name, :status, :now)"
        " on conflict (what, target, name) do nothing",
        [{"what": kind.value, "target": target, "name": row.name, "status": row.status, "now": tx.now} for row in rows],
    )


async def names_on_list(reader: Reader, kind: ImportKind, target: str, names: Sequence[str]) -> frozenset[str]:
    """The given names that are already on the list."""
    found_names: set[str] = set()
    for start in range(0, len(names), _AT_ONCE):
        rows = await reader.fetch(
            "select name from imported_names where what = :what and target = :target and name in :names order by name",
            what=kind.value,
            target=target,
            names=list(names[start : start + _AT_ONCE]),
        )
        found_names |= {row["name"] for row in rows}
    return frozenset(found_names)


async def named_contacts(reader: Reader, kind: ImportKind, target: str, limit: int) -> tuple[list[str], int]:
    """Contacts known only by name, in order, and their total number."""
    rows = await reader.fetch(
        "select name from imported_names where what = :what and target = :target order by name limit :limit",
        what=kind.value,
        target=target,
        limit=limit,
    )
    row = await reader.fetch_one(
        "select count(*) as found from imported_names where what = :what and target = :target",
        what=kind.value,
        target=target,
    )
    return [one["name"] for one in rows], int(row["found"]) if row else 0


async def emails_on_list(reader: Reader, kind: ImportKind, target: str, emails: Sequence[str]) -> frozenset[str]:
    """The given e-mail addresses that an earlier import added to the list."""
    listed_emails: set[str] = set()
    for start in range(0, len(emails), _AT_ONCE):
        rows = await reader.fetch(
            "select email from imported_contacts where what = :what and target = :target and email in :emails "
            "order by email",
            what=kind.value,
            target=target,
            emails=list(emails[start : start + _AT_ONCE]),
        )
        listed_emails |= {row["email"] for row in rows}
    return frozenset(listed_emails)


async def count_by_stage(reader: Reader, kind: ImportKind, target: str) -> dict[ContactStage, int]:
    """Number of contacts by stage."""
    rows = await reader.fetch(
        "select stage, count(*) as found from imported_contacts where what = :what and target = :target"
        " group by stage order by stage",
        what=kind.value,
        target=target,
    )
    return {ContactStage(row["stage"]): int(row["found"]) for row in rows}


async def uninvited_contacts(reader: Reader, kind: ImportKind, target: str, limit: int) -> list[ImportedContact]:
    """Contacts that have not been invited yet, in list order."""
    rows = await reader.fetch(
        f"select {_PERSON} from imported_contacts where what = :what and target = :target and stage = 'kept'"
        " order by id limit :limit",
        what=kind.value,
        target=target,
        limit=limit,
    )
    return [_person(row) for row in rows]


async def invite(tx: Transaction, ids: Sequence[PersonId], message: str, by: UserId) -> None:
    await tx.execute_many(
        "update imported_contacts set stage = 'invited', message = :message, invited_by = :by, invited_at = :now"
        " where id = :id and stage = 'kept'",
        [{"id": one, "message": message, "by": by, "now": tx.now} for one in ids],
    )


async def person(reader: Reader, person_id: PersonId) -> ImportedContact | None:
    row = await reader.fetch_one(f"select {_PERSON} from imported_contacts where id = :id", id=person_id)
    return _person(row) if row else None


async def lock_person(tx: Transaction, person_id: PersonId) -> ImportedContact | None:
    """Return the contact, locked until the transaction ends."""
    row = await tx.fetch_one(f"update imported_contacts set id = id where id = :id returning {_PERSON}", id=person_id)
    return _person(row) if row else None


async def set_stage(tx: Transaction, person_id: PersonId, stage: ContactStage) -> None:
    await tx.execute("update imported_contacts set stage = :stage where id = :id", stage=stage.value, id=person_id)


_PERSON = "id, what, target, email, name, status, stage, message, invited_by, invited_at"


def _person(row: DatabaseRow) -> ImportedContact:
    return ImportedContact(
        PersonId(row["id"]),
        ImportKind(row["what"]),
        row["target"],
        row["email"],
        row["name"],
        row["status"],
        ContactStage(row["stage"]),
        row["message"],
        UserId(row["invited_by"]),
        None if row["invited_at"] is None else Instant(row["invited_at"]),
    )


async def titles(reader: Reader, user_id: UserId, slugs: Sequence[str]) -> dict[str, str]:
    """Titles of the user's own events and series, by slug. Deleted ones are missing."""
    rows = await reader.fetch(
        "select slug, title from events where author_id = :user_id and slug in :slugs and deleted_at is null"
        " union all select slug, name from event_series where user_id = :user_id and slug in :slugs and deleted_at is null"
        " order by 1",
        user_id=user_id,
        slugs=list(slugs),
    )
    return {row["slug"]: row["title"] for row in rows}
