"""Rows of a deleted account: found by the registry of all columns, and deleted or emptied in small transactions."""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Final

from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.telemetry.logs import log
from openmeet.domain.attendance.event_changes import make_rsvp_records_due
from openmeet.domain.attendance.invitation_queries import REMOVED_ADDRESS
from openmeet.domain.chat import pictures as chat_pictures
from openmeet.domain.chat.deletion import MESSAGES_OF, ON_MESSAGES, empty_messages
from openmeet.domain.erasure import retention
from openmeet.domain.erasure.actions import revoke_programs
from openmeet.domain.groups import ownership as group_ownership
from openmeet.domain.identities import actions as identity_actions
from openmeet.domain.personal_data.model import ADDRESS, DIDS, ColumnContent, OnErasure
from openmeet.domain.personal_data.tables import ALL_TABLES, TABLES
from openmeet.domain.photos import queries as photos
from openmeet.domain.users import erasure_requests
from openmeet.domain.users.model import UserId

# Tables whose rows are deleted by other code, because the deletion of a DID reads them or their order matters.
_LATER: Final = frozenset(
    {
        "guests",
        "identities",
        "records",
        "repositories",
        "repository_gaps",
        "merge_decisions",
        "group_statements",
        "account_erasures",
    }
)

_OWN_EVENTS: Final = """
    select id from events where author_id = :id and slug <> id and origin = 'here' order by id limit :limit
"""
_SERIES_LEFT: Final = "select id from event_series where user_id = :id and slug <> id order by id limit :limit"
_GROUPS_LEFT: Final = """
    select id from groups where owner_id = :id and slug <> id order by id limit :limit
"""
_EMPTY_USER: Final = """
    update users
       set kind = 'shadow', display_name = '', email = null, bio = '', time_zone = null, language = null,
           seen_at = null, portrait_key = null,
           claimed_at = null, week_start = null, wants_suggestions = 1, enter_sends = 0, shows_about = 0,
               shows_groups = 0, created_at = 0, revision = revision + 1, updated_at = :now
     where id = :id
"""
# Subjects that the person alone hosted or owned. Groups with other members were handed over.
_EMPTIED: Final = (
    ("events", _OWN_EVENTS, retention.EMPTYING_EVENTS),
    ("event_series", _SERIES_LEFT, retention.EMPTYING_SERIES),
    ("groups", _GROUPS_LEFT, retention.EMPTYING_GROUPS),
)
# A transaction may stay open for two seconds.
_AT_A_TIME: Final = 50
# Tables whose rows are found by part of a text, which no index supports, with their primary keys. They are scanned from
# beginning to end, one slice per transaction.
_SLICED: Final[Mapping[str, tuple[str, ...]]] = {
    "notifications": ("id",),
    "outbox_jobs": ("kind", "subject"),
    "labels": ("subject", "source", "value", "cid"),
    "superseded_records": ("uri",),
}
_SLICE: Final = 2000
# The log of a group contains the DIDs of accounts that it followed.
_CLEAR_GROUP_LOG: Final = f"update group_roles_log set note = '' where note in {DIDS} and note <> ''"
# Removes the person's address from the rows of people who used to have it when they were invited. They keep their
# answer and their role.
_REMOVE_ADDRESS: Final = (
    f"update attendances set invited_as = '{REMOVED_ADDRESS}' where invited_as = {ADDRESS} and user_id <> :id",
    (
        f"update event_series_invitations set invited_as = '{REMOVED_ADDRESS}' where invited_as = {ADDRESS} "
        "and user_id <> :id"
    ),
    f"update event_co_hosts set email = null where email = {ADDRESS} and user_id <> :id",
)
# Leaves only a random name in ``matrix_people`` until everything is redacted at the homeserver.
_EMPTY_MATRIX: Final = """
    update matrix_people
       set mxid = null, linked_at = null, link_code_hash = null, link_expires_at = null, invites = 'none', consent = 'none'
     where user_id = :id
"""
# Removes texts that chat moderators wrote about the person, and texts that the person wrote about other people or
# against a decision.
_CLEAR_REASONS: Final = (
    "update chat_acts set reason = '' where (user_id = :id or by_user_id = :id) and reason <> ''",
    "update chat_sanctions set reason = '' where by_user_id = :id and reason <> ''",
    "update matrix_guests set reason = '' where by_user_id = :id and reason <> ''",
)
# Clears record URIs on emptied rows, because they contain the DID. Runs after the deletion of the DID, which finds rows
# by these URIs.
_UNLINK: Final = (
    """
    update events set record_uri = null, record_did = null, record_cid = null, external_id = null where id in (
           select id from events where author_id = :id and slug = id and origin = 'here'
              and (record_uri is not null or record_did is not null or record_cid is not null
                  or external_id is not null)
            order by id limit :limit)
    """,
    """
    update event_series set record_uri = null, external_id = null where id in (
           select id from event_series where user_id = :id and slug = id and is_read_only = 0
              and (record_uri is not null or external_id is not null) order by id limit :limit)
    """,
    """
    update groups set external_id = null, external_source = null, predecessor_uri = null where id in (
           select id from groups where owner_id = :id and slug = id and is_read_only = 0
              and (external_id is not null or external_source is not null or predecessor_uri is not null)
            order by id limit :limit)
    """,
)
# The task that removes unused pictures deletes them on its next run.
_RELEASE_PICTURES: Final = "update pictures set created_at = 0 where user_id = :id"


async def purge(db: Database, user_id: UserId) -> dict[str, int]:
    """Delete the person's rows, as listed in the registry of all columns. Return how many rows per table. Their DIDs
    are deleted later.

    A transaction deletes up to ``_AT_A_TIME`` rows and what depends on them, because an account can have any number.
    Repeatable.
    """
    deleted: Counter[str] = Counter()
    async with db.transaction() as tx:
        await identity_actions.delete_custodial_of(tx, [user_id])
        await revoke_programs(tx, user_id)
    async with db.transaction() as tx:
        await group_ownership.remove_person(tx, user_id)
    for name, emptied, emptying in _EMPTIED:
        while True:
            async with db.transaction() as tx:
                ids = [row["id"] for row in await tx.fetch(emptied, id=user_id, limit=_AT_A_TIME)]
                if not ids:
                    break
                deletion_sql = f"update {name} set deleted_at = coalesce(deleted_at, :now) where id in :ids"
                await tx.execute(deletion_sql, ids=ids, now=tx.now)
                if name == "events":
                    # Other people's RSVP records refer to the event's record, which is deleted too.
                    await make_rsvp_records_due(tx, ids)
            await retention.empty_dependents(db, emptying, ids)
            async with db.transaction() as tx:
                await emptying.empty(tx, ids)
            deleted[name] += len(ids)
    number = _AT_A_TIME
    while number == _AT_A_TIME:
        async with db.transaction() as tx:
            number = await empty_messages(tx, user_id, _AT_A_TIME)
        deleted["chat_messages"] += number
    rows = [(table, f"message_id in ({MESSAGES_OF})") for table in ON_MESSAGES]
    rows += [
        (table.name, table.rows)
        for table in ALL_TABLES
        if table.on_erasure is OnErasure.DELETE and table.name not in _LATER
    ]
    deleted += await _delete(db, user_id, rows)
    async with db.transaction() as tx:
        for statement in (*_REMOVE_ADDRESS, _CLEAR_GROUP_LOG, _EMPTY_MATRIX, *_CLEAR_REASONS):
            await tx.execute(statement, id=user_id)
        await tx.execute(_RELEASE_PICTURES, id=user_id)
        await chat_pictures.release_all_of(tx, user_id)
        await photos.release_all_of(tx, user_id)
    return dict(+deleted)


async def _delete(db: Database, user_id: UserId, rows: Sequence[tuple[str, str]]) -> Counter[str]:
    """Delete these rows (table, condition) in order, up to the limit of rows per transaction."""
    deleted: Counter[str] = Counter()
    waiting = deque(one for one in rows if one[0] not in _SLICED)
    while waiting:
        async with db.transaction() as tx:
            room = _AT_A_TIME
            while waiting and room > 0:
                name, condition = waiting[0]
                number = await _delete_some(tx, user_id, name, condition, room)
                deleted[name] += number
                if number < room:
                    waiting.popleft()
                room -= number
    for name, condition in rows:
        if name in _SLICED:
            deleted[name] += await _delete_in_slices(db, user_id, name, condition)
    return deleted


async def _delete_in_slices(db: Database, user_id: UserId, name: str, condition: str) -> int:
    """Delete these rows of a table in ``_SLICED``. Return how many."""
    columns = _SLICED[name]
    key = f"({', '.join(columns)})"
    lowest = f"({', '.join(':low_' + column for column in columns)})"
    highest = f"({', '.join(':high_' + column for column in columns)})"
    deleted = 0
    low: dict[str, object] = {f"low_{column}": "" for column in columns}
    while True:
        async with db.transaction() as tx:
            end = await tx.fetch(
                f"select {', '.join(columns)} from {name} where {key} > {lowest} order by {', '.join(columns)}"
                " limit 1 offset :size",
                size=_SLICE,
                **low,
            )
            within, bounds = f"{key} > {lowest}", dict(low)
            if end:
                within += f" and {key} <= {highest}"
                bounds |= {f"high_{column}": end[0][column] for column in columns}
            number = await _delete_some(tx, user_id, name, f"{within} and ({condition})", _AT_A_TIME, bounds)
        deleted += number
        if number == _AT_A_TIME:
            continue  # there may be more in this slice
        if not end:
            return deleted
        low = {f"low_{column}": end[0][column] for column in columns}


async def _delete_some(
    tx: Transaction, user_id: UserId, name: str, condition: str, limit: int, bounds: Mapping[str, object] | None = None
) -> int:
    place = "rowid" if tx.engine == "sqlite" else "ctid"
    return await tx.execute(
        f"delete from {name} where {place} in (select {place} from {name} where {condition} limit :room)",
        id=user_id,
        room=limit,
        **(bounds or {}),
    )


async def unlink(db: Database, user_id: UserId) -> None:
    """Clear record URIs on emptied rows, once the DIDs are deleted. Repeatable."""
    for statement in _UNLINK:
        number = _AT_A_TIME
        while number == _AT_A_TIME:
            async with db.transaction() as tx:
                number = await tx.execute(statement, id=user_id, limit=_AT_A_TIME)


async def forget(tx: Transaction, user_id: UserId) -> dict[str, int]:
    """Last step: empty the user row and complete the request. Return how many rows were deleted per table."""
    deleted = {}
    for name in ("publications", "identities", "guests"):
        deleted[name] = await tx.execute(f"delete from {name} where user_id = :id", id=user_id)
    # Its messages may have been redacted since the table was processed.
    deleted["matrix_people"] = await tx.execute(
        f"delete from matrix_people where {TABLES['matrix_people'].rows}", id=user_id
    )
    await tx.execute(_EMPTY_USER, id=user_id, now=tx.now)
    await erasure_requests.finish(tx, user_id)
    log.info("account.deleted")
    return {name: number for name, number in deleted.items() if number}


async def remaining_references(reader: Reader, user_id: UserId) -> dict[str, int]:
    """How many rows of each table still contain the id of a deleted person: logs, and rows that other people own now.
    Scans whole tables.
    """
    counts = {}
    for table in ALL_TABLES:
        names = ("id",) if table.name == "users" else table.names_of(ColumnContent.PERSON)
        if names:
            condition = " or ".join(f"{name} = :id" for name in names)
            row = await reader.fetch_one(f"select count(*) as number from {table.name} where {condition}", id=user_id)
            if row is not None and row["number"]:
                counts[table.name] = int(row["number"])
    return counts
