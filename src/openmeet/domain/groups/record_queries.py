"""SQL for the records of groups and memberships: their URIs, and what repositories say about them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from groundwork.database.expressions import ENGINES, authority_of
from groundwork.database.transaction import Engine, Reader, Row, Transaction
from openmeet.domain.groups.model import Group, GroupId, GroupRole, MemberId, Membership
from openmeet.domain.groups.queries import COLUMNS, MEMBER_COLUMNS, group_of, member_of
from openmeet.domain.users.model import UserId

HELD_BY: Mapping[Engine, str] = {
    engine: f"""
    select id from groups
     where is_read_only = 1 and external_id is not null and {authority_of(engine, "external_id")} = :did order by id
"""
    for engine in ENGINES
}
FORGET_RECORDS_OF: Mapping[Engine, str] = {
    engine: f"""
    update groups set external_id = null, external_cid = null
     where is_read_only = 0 and external_id is not null and {authority_of(engine, "external_id")} = :did
    returning id
"""
    for engine in ENGINES
}
FORGET_SUPERSEDED_OF: Mapping[Engine, str] = {
    engine: f"delete from superseded_group_records where {authority_of(engine, 'uri')} = :did" for engine in ENGINES
}
# Once a superseded record is gone, a new one can use its URI if the group was deleted here.
_IS_KEPT = "(s.is_there = 1 or g.deleted_at is null)"


async def by_record(reader: Reader, uri: str) -> Group | None:
    """The group that currently has this record, in whichever repository it is. None for superseded records."""
    row = await reader.fetch_one(f"select {COLUMNS} from groups g where g.external_id = :uri", uri=uri)
    return group_of(row) if row else None


async def by_any_record(reader: Reader, uri: str) -> Group | None:
    """Like ``by_record``, but also finds a group by a superseded record."""
    group = await by_record(reader, uri)
    if group is not None:
        return group
    row = await reader.fetch_one(
        f"select {COLUMNS} from superseded_group_records s join groups g on g.id = s.group_id"
        f" where s.uri = :uri and {_IS_KEPT}",
        uri=uri,
    )
    return group_of(row) if row else None


async def set_record(tx: Transaction, group_id: GroupId, uri: str | None, cid: str | None) -> bool:
    """Set the URI of the group's record. Returns False if it has not changed."""
    changed = await tx.execute(
        "update groups set external_id = :uri, external_cid = :cid where id = :id"
        " and (coalesce(external_id, '') <> coalesce(cast(:uri as text), ''))",
        id=group_id,
        uri=uri,
        cid=cid,
    )
    return changed == 1


async def set_statement(tx: Transaction, member_id: MemberId, uri: str | None, did: str | None) -> bool:
    """Set the URI of a member's statement. Returns False if it has not changed."""
    changed = await tx.execute(
        "update group_members set external_id = :uri, external_did = :did where id = :id"
        " and (coalesce(external_id, '') <> coalesce(cast(:uri as text), ''))",
        id=member_id,
        uri=uri,
        did=None if uri is None else did,
    )
    return changed == 1


async def by_statement(reader: Reader, uri: str) -> Membership | None:
    """The membership that this statement record belongs to."""
    row = await reader.fetch_one(f"select {MEMBER_COLUMNS} from group_members where external_id = :uri", uri=uri)
    return member_of(row) if row else None


async def add_superseded(tx: Transaction, group_id: GroupId, uri: str, cid: str, *, is_there: bool = True) -> None:
    """Store a superseded record of the group. ``is_there``: the record still exists in its repository.

    A retracted record keeps its URI, because records of members still refer to it. If the group is published again, the
    URI is reused.
    """
    await tx.execute(
        "insert into superseded_group_records (uri, group_id, cid, is_there, created_at)"
        " values (:uri, :group_id, :cid, :is_there, :now) on conflict (uri) do update"
        " set cid = excluded.cid, is_there = excluded.is_there, created_at = excluded.created_at",
        uri=uri,
        group_id=group_id,
        cid=cid,
        is_there=int(is_there),
        now=tx.now,
    )


async def remove_superseded(tx: Transaction, uri: str) -> None:
    """Remove a record from the superseded ones, because it is the current record of a group (again)."""
    await tx.execute("delete from superseded_group_records where uri = :uri", uri=uri)


@dataclass(frozen=True, slots=True)
class SupersededGroupRecord:
    """A superseded record of a group, in the version in which it was left. ``is_there``: as far as is known, the
    repository still has it.
    """

    uri: str
    cid: str
    is_there: bool


async def superseded_records(reader: Reader, group_id: GroupId) -> list[SupersededGroupRecord]:
    """Every superseded record of the group, oldest first."""
    rows = await reader.fetch(
        "select uri, cid, is_there from superseded_group_records where group_id = :id order by created_at, uri",
        id=group_id,
    )
    return [SupersededGroupRecord(row["uri"], row["cid"], bool(row["is_there"])) for row in rows]


async def superseded_uris(reader: Reader, group_id: GroupId) -> list[str]:
    """All former URIs of the group's record, oldest first."""
    return [one.uri for one in await superseded_records(reader, group_id)]


async def last_in_repository(reader: Reader, group_id: GroupId, did: str) -> str | None:
    """URI of the last superseded record that the group had in one repository. None if it had none there."""
    uris = [uri for uri in await superseded_uris(reader, group_id) if uri.startswith(f"at://{did}/")]
    return uris[-1] if uris else None


async def newest_superseded(reader: Reader, group_id: GroupId, *, other_than: str) -> SupersededGroupRecord | None:
    """The latest superseded record that still exists, apart from the record that is going to be written."""
    existing = [one for one in await superseded_records(reader, group_id) if one.is_there and one.uri != other_than]
    return existing[-1] if existing else None


async def group_of_superseded(reader: Reader, uri: str) -> GroupId | None:
    """The group that this superseded record belonged to."""
    row = await reader.fetch_one("select group_id from superseded_group_records where uri = :uri", uri=uri)
    return GroupId(row["group_id"]) if row else None


async def mark_superseded_restored(tx: Transaction, uri: str, cid: str) -> None:
    """Store that the repository has a superseded record again, in this version."""
    await tx.execute("update superseded_group_records set is_there = 1, cid = :cid where uri = :uri", uri=uri, cid=cid)


async def mark_superseded_gone(tx: Transaction, uri: str) -> GroupId | None:
    """Store that the repository no longer has a superseded record. Returns its group; None if that was already known."""
    row = await tx.fetch_one(
        "update superseded_group_records set is_there = 0 where uri = :uri and is_there = 1 returning group_id", uri=uri
    )
    return GroupId(row["group_id"]) if row else None


async def superseded_among(reader: Reader, uris: Collection[str]) -> set[str]:
    """Which of these URIs still belong to a group as those of superseded records."""
    if not uris:
        return set()
    rows = await reader.fetch(
        "select s.uri from superseded_group_records s join groups g on g.id = s.group_id"
        f" where s.uri in :uris and {_IS_KEPT}",
        uris=sorted(uris),
    )
    return {row["uri"] for row in rows}


async def is_retracted(reader: Reader, uri: str) -> bool:
    """Whether this is a superseded record that no longer exists in its repository."""
    row = await reader.fetch_one("select is_there from superseded_group_records where uri = :uri", uri=uri)
    return row is not None and not row["is_there"]


async def record_cid(reader: Reader, group_id: GroupId) -> str | None:
    """The CID of the group's record as of the last successful read or write."""
    row = await reader.fetch_one("select external_cid from groups where id = :id", id=group_id)
    return row["external_cid"] if row else None


async def set_cid(tx: Transaction, group_id: GroupId, cid: str) -> None:
    """Set the CID of the group's record after a successful read or write."""
    await tx.execute("update groups set external_cid = :cid where id = :id", id=group_id, cid=cid)


async def members_named(reader: Reader, group_id: GroupId, *, after: str, limit: int) -> list[str]:
    """Ids of the group's memberships that have a record or that their members let sync, in order, after ``after``."""
    rows = await reader.fetch(
        "select id from group_members where group_id = :id and (sync_enabled = 1 or external_id is not null)"
        " and id > :after order by id limit :limit",
        id=group_id,
        after=after,
        limit=limit,
    )
    return [row["id"] for row in rows]


async def events_listed(reader: Reader, group_id: GroupId, *, after: str, limit: int) -> list[str]:
    """Ids of the group's events, in order, after ``after``."""
    rows = await reader.fetch(
        "select id from events where group_id = :id and id > :after order by id limit :limit",
        id=group_id,
        after=after,
        limit=limit,
    )
    return [row["id"] for row in rows]


async def set_predecessor(tx: Transaction, group_id: GroupId, uri: str) -> None:
    """Set the record that this group's record claims to continue. The claim is checked whenever it is read."""
    await tx.execute("update groups set predecessor_uri = :uri where id = :id", id=group_id, uri=uri or None)


async def claiming_to_continue(reader: Reader, uri: str, *, limit: int) -> list[Group]:
    """Groups read from the network whose record claims to continue this group's record."""
    rows = await reader.fetch(
        f"select {COLUMNS} from groups g where g.predecessor_uri = :uri and g.is_read_only = 1 order by g.id limit :limit",
        uri=uri,
        limit=limit,
    )
    return [group_of(row) for row in rows]


async def groups_of_repository(reader: Reader, did: str) -> list[GroupId]:
    """Groups read from this repository."""
    return [GroupId(row["id"]) for row in await reader.fetch(HELD_BY[reader.engine], did=did)]


async def group_of_custodial_account(reader: Reader, holder: UserId) -> GroupId | None:
    """The group that this custodial account was made for."""
    row = await reader.fetch_one("select id from groups where account_id = :holder", holder=holder)
    return GroupId(row["id"]) if row else None


async def forget_records_of(tx: Transaction, did: str) -> list[GroupId]:
    """Forget the group records and member statements of a repository that was deleted with its account.

    Returns the groups whose record it held.
    """
    await tx.execute(FORGET_SUPERSEDED_OF[tx.engine], did=did)
    await tx.execute(
        "update group_members set external_id = null, external_did = null where external_did = :did", did=did
    )
    return sorted(GroupId(row["id"]) for row in await tx.fetch(FORGET_RECORDS_OF[tx.engine], did=did))


@dataclass(frozen=True, slots=True)
class MembershipStatement:
    """A record about a membership. ``role`` is set in an acceptance; ``refers_to`` is the accepted statement."""

    uri: str
    did: str
    group_uri: str
    about: str
    role: GroupRole
    refers_to: str


_COLUMNS = "uri, did, group_uri, about, role, refers_to"


async def put(tx: Transaction, saying: str, stated: MembershipStatement) -> None:
    """Store a membership statement with the present content of its record."""
    await tx.execute(
        f"insert into group_statements (saying, {_COLUMNS})"
        " values (:saying, :uri, :did, :group_uri, :about, :role, :refers_to)"
        " on conflict (uri) do update set group_uri = excluded.group_uri, about = excluded.about, role = excluded.role,"
        " refers_to = excluded.refers_to",
        saying=saying,
        uri=stated.uri,
        did=stated.did,
        group_uri=stated.group_uri,
        about=stated.about,
        role=stated.role.value,
        refers_to=stated.refers_to,
    )


async def forget(tx: Transaction, uri: str) -> MembershipStatement | None:
    """Delete the membership statement of a deleted record, and return its last content."""
    row = await tx.fetch_one(f"delete from group_statements where uri = :uri returning {_COLUMNS}", uri=uri)
    return _statement_of(row) if row else None


async def find(reader: Reader, uri: str) -> MembershipStatement | None:
    row = await reader.fetch_one(f"select {_COLUMNS} from group_statements where uri = :uri", uri=uri)
    return _statement_of(row) if row else None


async def about(
    reader: Reader, saying: str, group_uris: Sequence[str], subjects: Sequence[str]
) -> list[MembershipStatement]:
    """Records about these members or events in one of these groups."""
    if not group_uris or not subjects:
        return []
    rows = await reader.fetch(
        f"select {_COLUMNS} from group_statements where saying = :saying and group_uri in :group_uris"
        " and about in :subjects order by uri",
        saying=saying,
        group_uris=list(group_uris),
        subjects=list(subjects),
    )
    return [_statement_of(row) for row in rows]


async def subjects_in(reader: Reader, saying: str, group_uris: Sequence[str], *, limit: int) -> list[str]:
    """Subjects (people or events) of records about one of these groups."""
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


async def erase_of(tx: Transaction, did: str, saying: str) -> list[MembershipStatement]:
    """Erase all records of this kind from a repository and return them."""
    rows = await tx.fetch(
        f"delete from group_statements where did = :did and saying = :saying returning {_COLUMNS}",
        did=did,
        saying=saying,
    )
    return sorted((_statement_of(row) for row in rows), key=lambda one: one.uri)


async def count_remote_requests(reader: Reader, group_id: GroupId) -> int:
    """Number of requests to join from people who have no local account."""
    row = await reader.fetch_one(
        "select count(*) as n from group_members m join users u on u.id = m.user_id and u.kind = 'shadow'"
        f" where m.group_id = :id and m.role = '{GroupRole.PENDING}'",
        id=group_id,
    )
    return int(row["n"]) if row else 0


def _statement_of(row: Row) -> MembershipStatement:
    return MembershipStatement(
        row["uri"], row["did"], row["group_uri"], row["about"], GroupRole(row["role"]), row["refers_to"]
    )
