"""SQL for groups and memberships."""

from collections.abc import Collection, Sequence

from groundwork.clock import Instant
from groundwork.database.expressions import qualified
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.uuid7 import new_id
from openmeet.domain import slugs
from openmeet.domain.groups import publication
from openmeet.domain.groups.model import (
    INSIDE,
    Group,
    GroupDetails,
    GroupId,
    GroupOffer,
    GroupPublication,
    GroupRevision,
    GroupRole,
    GroupSlug,
    GroupSuccession,
    GroupVisibility,
    JoinPolicy,
    MemberId,
    Membership,
    PromotionLevel,
    SuccessionPlan,
)
from openmeet.domain.media.pictures import Picture
from openmeet.domain.moderation.labels import hides_person
from openmeet.domain.moderation.visibility import is_blocked, is_withheld
from openmeet.domain.users.erasure_requests import is_leaving
from openmeet.domain.users.model import UserId
from openmeet.i18n.markdown import folded

_NAMES = (
    "id, slug, name, description, locality, country, latitude, longitude, time_zone, join_policy, join_question,"
    " visibility, promotion_level, sync_enabled, announces_events, owner_id, backup_admin_id, backup_admin_did, "
    "absence_days, wait_days, successor_id, succession_asked_at, succession_reminded_at, heir_id, heir_offered_at, "
    "revision, deleted_at, created_at, updated_at, external_id, account_id, is_read_only, picture_key, picture_alt, "
    "picture_width, picture_height, picture_tone, record_avatar, picture_revision"
)


def is_hidden(table: str) -> str:
    """SQL condition: the group is hidden from everybody but its admins.

    True if the group or its owner is withheld (``moderation.visibility``), or if a label hides the owner
    (``moderation.labels``). For a group managed in another app, also while the owner's account is inactive or blocked.
    """
    withheld = is_withheld(f"{table}.id", f"{table}.owner_id", is_public="1 = 0")
    return (
        f"({withheld} or {hides_person(f'{table}.owner_id', f'{table}.id')} or {table}.is_read_only = 1 "
        f"and exists (select 1 from identities hi where hi.user_id = {table}.owner_id and (hi.status <> 'active' "
        f"or {is_blocked('hi.did')})))"
    )


def columns_of(table: str) -> str:
    """Columns that ``group_of`` reads. ``table`` is the name or alias of ``groups`` in the query."""
    return f"{qualified(_NAMES, table)}, case when {is_hidden(table)} then 1 else 0 end as is_hidden"


COLUMNS = columns_of("g")

MEMBER_COLUMNS = (
    "id, group_id, user_id, role, answer, requested_at, joined_at, decided_by, decided_at, notifications_enabled,"
    " revision, sync_enabled, external_id, network_role"
)


def group_of(row: Row) -> Group:
    """Parse a group from a row with ``COLUMNS``."""
    return Group(
        id=GroupId(row["id"]),
        slug=GroupSlug(row["slug"]),
        details=GroupDetails(
            name=row["name"],
            time_zone=row["time_zone"],
            description=row["description"],
            locality=row["locality"],
            country=row["country"],
            join_policy=JoinPolicy(row["join_policy"]),
            join_question=row["join_question"],
            visibility=GroupVisibility(row["visibility"]),
            promotion_level=PromotionLevel(row["promotion_level"]),
            sync_enabled=bool(row["sync_enabled"]),
            announces_events=bool(row["announces_events"]),
        ),
        latitude=row["latitude"],
        longitude=row["longitude"],
        owner_id=UserId(row["owner_id"]),
        succession_plan=SuccessionPlan(
            None if row["backup_admin_id"] is None else UserId(row["backup_admin_id"]),
            row["backup_admin_did"],
            row["absence_days"],
            row["wait_days"],
        ),
        succession=_succession_of(row),
        offer=None if row["heir_id"] is None else GroupOffer(UserId(row["heir_id"]), row["heir_offered_at"]),
        revision=row["revision"],
        deleted_at=row["deleted_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        is_hidden=bool(row["is_hidden"]),
        network=GroupPublication(
            row["external_id"],
            None if row["account_id"] is None else UserId(row["account_id"]),
            bool(row["is_read_only"]),
            row["record_avatar"],
            row["picture_revision"],
        ),
        picture=_picture_of(row),
    )


def _succession_of(row: Row) -> GroupSuccession | None:
    if row["successor_id"] is None:
        return None
    return GroupSuccession(UserId(row["successor_id"]), row["succession_asked_at"], row["succession_reminded_at"])


def _picture_of(row: Row) -> Picture | None:
    if row["picture_key"] is None:
        return None
    return Picture(
        row["picture_key"], row["picture_alt"], row["picture_width"], row["picture_height"], row["picture_tone"]
    )


def member_of(row: Row) -> Membership:
    """Parse a membership from a row with ``MEMBER_COLUMNS``."""
    return Membership(
        id=MemberId(row["id"]),
        group_id=GroupId(row["group_id"]),
        user_id=UserId(row["user_id"]),
        role=GroupRole(row["role"]),
        answer=row["answer"],
        requested_at=row["requested_at"],
        joined_at=row["joined_at"],
        decided_by=None if row["decided_by"] is None else UserId(row["decided_by"]),
        decided_at=row["decided_at"],
        notifications_enabled=bool(row["notifications_enabled"]),
        revision=row["revision"],
        sync_enabled=bool(row["sync_enabled"]),
        statement_uri=row["external_id"],
        network_role=GroupRole(row["network_role"]) if row["network_role"] else None,
    )


async def by_slug(reader: Reader, slug: GroupSlug) -> Group | None:
    """The group that has, or had, this slug; its ``slug`` differs if it was a former one. The group's id works as well;
    ``rules.may_find_by_id`` decides for whom.
    """
    row = await reader.fetch_one(
        f"select {COLUMNS} from groups g where g.slug = :slug or g.id = :slug or g.id = (select s.group_id from"
        " group_slugs s where s.slug = :slug) order by case when g.slug = :slug then 0 when g.id = :slug then 2 else 1 end"
        " limit 1",
        slug=slug,
    )
    return group_of(row) if row else None


async def by_id(reader: Reader, group_id: GroupId) -> Group | None:
    row = await reader.fetch_one(f"select {COLUMNS} from groups g where g.id = :id", id=group_id)
    return group_of(row) if row else None


async def ids_between(reader: Reader, lowest: str, highest: str) -> list[GroupId]:
    """Ids of groups in a range of ids, both ends included."""
    rows = await reader.fetch(
        "select id from groups where id between :lowest and :highest order by id", lowest=lowest, highest=highest
    )
    return [GroupId(row["id"]) for row in rows]


async def by_submission(reader: Reader, creator: UserId, submission_key: str) -> tuple[Group, bytes | None] | None:
    """The group created by this form submission, and the digest of its content."""
    row = await reader.fetch_one(
        f"select {COLUMNS}, g.submission_digest from groups g where g.created_by = :creator and g.submission_key = :key",
        creator=creator,
        key=submission_key,
    )
    return (group_of(row), row["submission_digest"]) if row else None


async def revisions_of(reader: Reader, group_ids: Collection[GroupId]) -> frozenset[GroupRevision]:
    """Return the current revision of each of these groups."""
    if not group_ids:
        return frozenset()
    rows = await reader.fetch("select id, revision from groups where id in :ids", ids=sorted(group_ids))
    return frozenset(GroupRevision(GroupId(row["id"]), row["revision"]) for row in rows)


async def lock_revisions(tx: Transaction, revisions: Collection[GroupRevision]) -> bool:
    """Lock these groups, so that none is changed until the transaction ends. Returns False if one has changed."""
    ids = sorted({one.group_id for one in revisions})
    if ids and tx.engine != "sqlite":
        await tx.fetch("select id from groups where id in :ids order by id for share", ids=ids)
    return await revisions_of(tx, ids) == frozenset(revisions)


async def lock(tx: Transaction, group_id: GroupId) -> Group | None:
    """Lock the group until the transaction ends. Every change to a membership in it requires this lock."""
    row = await tx.fetch_one(f"update groups set id = id where id = :id returning {columns_of('groups')}", id=group_id)
    return group_of(row) if row else None


async def insert(tx: Transaction, group: Group, *, submission: tuple[str, bytes] | None) -> bool:
    """Insert a group. ``submission`` is the submission key and the digest of the content.

    Returns False if a group was already created with this key.
    """
    values = _values(group)
    values |= {"created_by": group.owner_id, "created_at": group.created_at}
    values["submission_key"], values["submission_digest"] = submission or (None, None)
    made = await tx.execute(
        f"insert into groups ({', '.join(values)}) values ({', '.join(f':{name}' for name in values)})"
        " on conflict (created_by, submission_key) do nothing",
        **values,
    )
    if made == 1:
        await publication.enqueue_group(tx, group)
    return made == 1


async def update(tx: Transaction, group: Group) -> None:
    """Write every column of a row that the caller has locked, and enqueue the group's record."""
    await store(tx, group)
    await publication.enqueue_group(tx, group)


async def store(tx: Transaction, group: Group) -> None:
    """Write every column of a row that the caller has locked. Enqueues nothing, because the record already has the
    changes.
    """
    values = _values(group)
    sets = ", ".join(f"{name} = :{name}" for name in values if name != "id")
    await tx.execute(f"update groups set {sets} where id = :id", **values)


async def keep_slug(tx: Transaction, slug: GroupSlug, group_id: GroupId) -> None:
    """Store a former slug of the group, which redirects permanently."""
    await tx.execute(
        "insert into group_slugs (slug, group_id, created_at) values (:slug, :group_id, :now)"
        " on conflict (slug) do nothing",
        slug=slug,
        group_id=group_id,
        now=tx.now,
    )


async def find_member(reader: Reader, group_id: GroupId, user_id: UserId) -> Membership | None:
    row = await reader.fetch_one(
        f"select {MEMBER_COLUMNS} from group_members where group_id = :group_id and user_id = :user_id",
        group_id=group_id,
        user_id=user_id,
    )
    return member_of(row) if row else None


async def role_in(reader: Reader, group_id: GroupId | None, user_id: UserId | None) -> GroupRole | None:
    """A person's role in a group. None if there is no such membership, user or group, or if the group is deleted."""
    if group_id is None or user_id is None:
        return None
    return (await roles_in(reader, [group_id], user_id)).get(group_id)


async def is_deleted(reader: Reader, group_id: GroupId) -> bool:
    row = await reader.fetch_one("select deleted_at from groups where id = :id", id=group_id)
    return row is None or row["deleted_at"] is not None


async def roles_in(reader: Reader, group_ids: Sequence[GroupId], user_id: UserId) -> dict[GroupId, GroupRole]:
    """Like ``role_in``, for several groups at once."""
    if not group_ids:
        return {}
    rows = await reader.fetch(
        "select m.group_id, m.role from group_members m join groups g on g.id = m.group_id"
        " where m.user_id = :user_id and m.group_id in :group_ids and g.deleted_at is null order by m.group_id",
        user_id=user_id,
        group_ids=list(dict.fromkeys(group_ids)),
    )
    return {GroupId(row["group_id"]): GroupRole(row["role"]) for row in rows}


async def put_member(tx: Transaction, membership: Membership) -> None:
    """Insert or replace one membership. The caller has locked the group."""
    await tx.execute(
        f"""
        insert into group_members ({MEMBER_COLUMNS}, created_at, updated_at)
        values (:id, :group_id, :user_id, :role, :answer, :requested_at, :joined_at, :decided_by, :decided_at,
                :notifications_enabled, :revision, :sync_enabled, :statement_uri, :network_role, :now, :now)
            on conflict (group_id, user_id) do update
           set role = excluded.role, answer = excluded.answer, requested_at = excluded.requested_at,
               joined_at = excluded.joined_at, decided_by = excluded.decided_by, decided_at = excluded.decided_at,
               notifications_enabled = excluded.notifications_enabled, revision = excluded.revision,
               sync_enabled = excluded.sync_enabled, external_id = excluded.external_id,
               network_role = excluded.network_role, updated_at = excluded.updated_at
        """,
        id=membership.id,
        group_id=membership.group_id,
        user_id=membership.user_id,
        role=membership.role.value,
        answer=membership.answer,
        requested_at=membership.requested_at,
        joined_at=membership.joined_at,
        decided_by=membership.decided_by,
        decided_at=membership.decided_at,
        notifications_enabled=int(membership.notifications_enabled),
        revision=membership.revision,
        sync_enabled=int(membership.sync_enabled),
        statement_uri=membership.statement_uri,
        network_role=membership.network_role.value if membership.network_role else "",
        now=tx.now,
    )
    if membership.role not in INSIDE:
        await close_calendar(tx, membership.group_id, membership.user_id)
    await publication.enqueue_member(tx, membership)


async def close_calendar(tx: Transaction, group_id: GroupId, user_id: UserId) -> None:
    """Revoke a person's calendar feed URL for the group. This does not depend on what happens to their membership."""
    await tx.execute(
        "update group_calendar_feeds set serial = serial + 1, token_hash = null"
        " where group_id = :group_id and user_id = :user_id",
        group_id=group_id,
        user_id=user_id,
    )


def new_membership(now: Instant, group_id: GroupId, user_id: UserId, role: GroupRole) -> Membership:
    """Make a membership without storing it."""
    return Membership(
        MemberId(new_id(now)),
        group_id,
        user_id,
        role,
        "",
        None,
        None,
        None,
        None,
        notifications_enabled=True,
        revision=1,
    )


async def members(
    reader: Reader, group_id: GroupId, roles: Sequence[GroupRole], *, after: MemberId | None, limit: int
) -> list[Membership]:
    """The next ``limit`` members of a group in these roles, ordered by when they first had a role, without those who are
    deleting their account.
    """
    clause = "" if after is None else "and id > :after"
    values: dict[str, object] = {} if after is None else {"after": after}
    rows = await reader.fetch(
        f"select {MEMBER_COLUMNS} from group_members where group_id = :group_id and role in :roles {clause}"
        f" and not {is_leaving('group_members.user_id')} order by id limit :limit",
        group_id=group_id,
        roles=[role.value for role in roles],
        limit=limit,
        **values,
    )
    return [member_of(row) for row in rows]


async def by_ids(reader: Reader, group_ids: Sequence[GroupId]) -> dict[GroupId, Group]:
    if not group_ids:
        return {}
    rows = await reader.fetch(
        f"select {COLUMNS} from groups g where g.id in :ids order by g.id", ids=list(dict.fromkeys(group_ids))
    )
    return {one.id: one for one in map(group_of, rows)}


async def names_of(reader: Reader, group_ids: Sequence[GroupId]) -> dict[GroupId, str]:
    """Names of these groups, except deleted ones."""
    if not group_ids:
        return {}
    rows = await reader.fetch(
        "select id, name from groups where id in :ids and deleted_at is null order by id", ids=list(group_ids)
    )
    return {GroupId(row["id"]): row["name"] for row in rows}


async def drop_slugs(tx: Transaction, group_id: GroupId) -> list[GroupSlug]:
    """Delete the former slugs of a locked group and return them."""
    rows = await tx.fetch("delete from group_slugs where group_id = :id returning slug", id=group_id)
    return [GroupSlug(row["slug"]) for row in rows]


async def is_slug_taken(reader: Reader, slug: GroupSlug, *, by_others_than: GroupId) -> bool:
    """Whether a group has, or had, this slug."""
    row = await reader.fetch_one(
        "select 1 as taken from groups where slug = :slug and id <> :id"
        " union all select 1 from group_slugs where slug = :slug and group_id <> :id"
        " union all select 1 from retired_slugs where kind = 'group' and slug_hash = :hash",
        slug=slug,
        hash=slugs.hash_of(slug),
        id=by_others_than,
    )
    return row is not None


async def counts(reader: Reader, group_id: GroupId) -> dict[GroupRole, int]:
    """Number of people per role, except those who are deleting their account."""
    rows = await reader.fetch(
        "select role, count(*) as people from group_members where group_id = :group_id"
        f" and not {is_leaving('group_members.user_id')} group by role order by role",
        group_id=group_id,
    )
    return {GroupRole(row["role"]): int(row["people"]) for row in rows}


def search_text(details: GroupDetails) -> str:
    """Text for search and list order: name first, folded."""
    return folded(f"{details.name}\n{details.locality}\n{details.description}")


def _values(group: Group) -> dict[str, object]:
    details, succession, offer, plan = group.details, group.succession, group.offer, group.succession_plan
    picture = group.picture
    return {
        "id": group.id,
        "slug": group.slug,
        "name": details.name,
        "description": details.description,
        "locality": details.locality,
        "country": details.country,
        "latitude": group.latitude,
        "longitude": group.longitude,
        "time_zone": details.time_zone,
        "join_policy": details.join_policy.value,
        "join_question": details.join_question,
        "visibility": details.visibility.value,
        "promotion_level": details.promotion_level.value,
        "sync_enabled": int(details.sync_enabled),
        "announces_events": int(details.announces_events),
        "owner_id": group.owner_id,
        "backup_admin_id": plan.backup_admin_id,
        "backup_admin_did": plan.backup_admin_did,
        "absence_days": plan.absence_days,
        "wait_days": plan.wait_days,
        "successor_id": succession.successor_id if succession else None,
        "succession_asked_at": succession.asked_at if succession else None,
        "succession_reminded_at": succession.reminded_at if succession else None,
        "heir_id": offer.heir_id if offer else None,
        "heir_offered_at": offer.offered_at if offer else None,
        "search_text": search_text(details),
        "revision": group.revision,
        "deleted_at": group.deleted_at,
        "updated_at": group.updated_at,
        "external_id": group.network.record_uri,
        "account_id": group.network.account_id,
        "is_read_only": int(group.is_read_only),
        "picture_key": picture.key if picture else None,
        "picture_alt": picture.alt if picture else None,
        "picture_width": picture.width if picture else None,
        "picture_height": picture.height if picture else None,
        "picture_tone": picture.tone if picture else None,
        "record_avatar": group.network.avatar_cid,
        "picture_revision": group.network.picture_revision,
    }
