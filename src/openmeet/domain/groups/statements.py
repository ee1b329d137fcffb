"""All SQL of what repositories say about groups: ``group_statements``, one row per record that counts if another says the same.

``saying``: ``membership`` (a member of themselves), ``acceptance`` (a group of a member), ``event`` (a group of an event). ``group_uri``: of the
group's record as the statement names it; ``about``: the member's DID or the event's uri.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from groundwork.database.transaction import Reader, Row, Transaction
from openmeet.domain.groups.model import GroupId, Role


@dataclass(frozen=True, slots=True)
class Said:
    """One of them. ``role`` counts in an acceptance, ``refers_to`` is the member's statement that it answers."""

    uri: str
    did: str
    group_uri: str
    about: str
    role: Role
    refers_to: str


_COLUMNS = "uri, did, group_uri, about, role, refers_to"


async def put(tx: Transaction, saying: str, said: Said) -> None:
    """What the record says now."""
    await tx.execute(
        f"insert into group_statements (saying, {_COLUMNS})"
        " values (:saying, :uri, :did, :group_uri, :about, :role, :refers_to)"
        " on conflict (uri) do update set group_uri = excluded.group_uri, about = excluded.about, role = excluded.role,"
        " refers_to = excluded.refers_to",
        saying=saying,
        uri=said.uri,
        did=said.did,
        group_uri=said.group_uri,
        about=said.about,
        role=said.role.value,
        refers_to=said.refers_to,
    )


async def forget(tx: Transaction, uri: str) -> Said | None:
    """The record says it no more; what it said."""
    row = await tx.fetch_one(f"delete from group_statements where uri = :uri returning {_COLUMNS}", uri=uri)
    return _said(row) if row else None


async def find(reader: Reader, uri: str) -> Said | None:
    row = await reader.fetch_one(f"select {_COLUMNS} from group_statements where uri = :uri", uri=uri)
    return _said(row) if row else None


async def about(reader: Reader, saying: str, group_uris: Sequence[str], subjects: Sequence[str]) -> list[Said]:
    """What is said of these members, or events, in one of these groups."""
    if not group_uris or not subjects:
        return []
    rows = await reader.fetch(
        f"select {_COLUMNS} from group_statements where saying = :saying and group_uri in :group_uris"
        " and about in :subjects order by uri",
        saying=saying,
        group_uris=list(group_uris),
        subjects=list(subjects),
    )
    return [_said(row) for row in rows]


async def subjects_in(reader: Reader, saying: str, group_uris: Sequence[str], *, limit: int) -> list[str]:
    """Whom, or which events, something is said about in one of these groups."""
    if not group_uris:
        return []
    rows = await reader.fetch(
        "select distinct about from group_statements where saying = :saying and group_uri in :group_uris"
        " order by about limit :limit",
        saying=saying,
        group_uris=list(group_uris),
        limit=limit,
    )
    return [row["about"] for row in rows]


async def erase_of(tx: Transaction, did: str, saying: str) -> list[Said]:
    """Forget everything of this kind that a repository said; what it was."""
    rows = await tx.fetch(
        f"delete from group_statements where did = :did and saying = :saying returning {_COLUMNS}",
        did=did,
        saying=saying,
    )
    return sorted((_said(row) for row in rows), key=lambda one: one.uri)


async def strangers_asking(reader: Reader, group_id: GroupId) -> int:
    """How many ask to get in from the network alone."""
    row = await reader.fetch_one(
        "select count(*) as n from group_members m join users u on u.id = m.user_id and u.kind = 'shadow'"
        " where m.group_id = :id and m.role = 'pending'",
        id=group_id,
    )
    return int(row["n"]) if row else 0


def _said(row: Row) -> Said:
    return Said(row["uri"], row["did"], row["group_uri"], row["about"], Role(row["role"]), row["refers_to"])
