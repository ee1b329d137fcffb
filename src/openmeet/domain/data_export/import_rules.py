"""Validation of a personal data import: the user's own rows, and rows about events or groups that other people own on
this site.

The person who submits the document may have edited it, so every row is checked by the rules of this site.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import Forbidden, Gone, InvalidForm, InvalidInput, NotFound, Refused
from openmeet.domain.attendance import actions as attendance_actions
from openmeet.domain.attendance.model import AttendanceMode, ChangeChannel, ReplyDetails, ReplyNotifications, RsvpReply
from openmeet.domain.data_export.tables import DataExportReason, ExportedTable, Value, camel
from openmeet.domain.events.model import EventSlug
from openmeet.domain.events.values import Visibility
from openmeet.domain.groups import actions, rules
from openmeet.domain.groups.model import BELOW_OWNER, GroupId, GroupRole, GroupSlug
from openmeet.domain.groups.queries import role_in
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.moderation.blocks import raise_if_blocked
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series import standing_rsvps
from openmeet.domain.series.model import SeriesSlug
from openmeet.domain.users.model import Caller, UserId

Row = Mapping[str, Value]

# The reply that corresponds to a status. Statuses that are missing from this table were not the user's own decision.
_REPLIES: Final = {
    "attending": RsvpReply.GOING,
    "attended": RsvpReply.GOING,
    "waitlisted": RsvpReply.GOING,
    "pending": RsvpReply.GOING,
    "interested": RsvpReply.INTERESTED,
    "declined": RsvpReply.DECLINED,
}
_ASKS: Final = frozenset({*BELOW_OWNER, GroupRole.PENDING})

# How to find the owner of a row's subject: the row's column, the table it refers to, and the owner's column in that
# table.
_ABOUT: Final[Mapping[str, tuple[str, str, str]]] = {
    "attendances": ("event_id", "events", "author_id"),
    "event_series_followers": ("series_id", "event_series", "user_id"),
    "event_series_standing_rsvps": ("series_id", "event_series", "user_id"),
    "group_members": ("group_id", "groups", "owner_id"),
    "group_followers": ("group_id", "groups", "owner_id"),
    "profile_followers": ("followed_id", "users", "id"),
}

_REFUSALS = (NotFound, Gone, Forbidden, Refused, InvalidForm)


async def refers_to_other_person(reader: Reader, table: str, row: Row, person: str) -> bool:
    """Whether an imported row refers to something on this site that another person owns. False if it does not exist on
    this site.
    """
    if table not in _ABOUT:
        return False
    column, other, owner = _ABOUT[table]
    owner_row = await reader.fetch_one(f"select {owner} as owner_id from {other} where id = :id", id=row.get(column))
    return owner_row is not None and owner_row["owner_id"] != person


async def apply_row(db: Database, table: str, row: Row, caller: Caller) -> bool:
    """Apply the row by this site's rules. Return False if they refuse it. Opens its own transaction, because rows are
    locked.
    """
    try:
        async with db.transaction() as tx:
            if not await _is_here(tx, table, row, caller.user_id):
                await _apply(tx, table, row, caller)
    except _REFUSALS:
        return False
    return True


async def _apply(tx: Transaction, table: str, row: Row, caller: Caller) -> None:
    match table:
        case "attendances":
            await _answer(tx, await _slug(tx, "events", row["event_id"]), row, caller)
        case "event_series_followers":
            notifies = bool(row.get("notifications_enabled", 1))
            await series_actions.follow(
                tx, caller, SeriesSlug(await _slug(tx, "event_series", row["series_id"])), notifies=notifies
            )
        case "event_series_standing_rsvps":
            slug = SeriesSlug(await _slug(tx, "event_series", row["series_id"]))
            await standing_rsvps.answer_all(
                tx, caller, slug, RsvpReply.GOING, skips_limited=not row.get("with_limited"), through=ChangeChannel.API
            )
        case "group_members":
            if row.get("role") not in _ASKS:
                raise NotFound(DataExportReason.NOBODY_ASKED_TO_JOIN)
            slug_of_group = GroupSlug(await _slug(tx, "groups", row["group_id"]))
            await actions.join(tx, caller, slug_of_group, str(row.get("answer") or ""))
        case "group_followers":
            slug_of_group = GroupSlug(await _slug(tx, "groups", row["group_id"]))
            enabled = bool(row.get("notifications_enabled", 1))
            await actions.follow(tx, caller, slug_of_group, enabled=enabled)
        case "profile_followers":
            followed = UserId(str(row["followed_id"]))
            await raise_if_blocked(tx, caller.user_id, followed, refusal=DataExportReason.CANNOT_FOLLOW)
            await tx.execute(
                "insert into profile_followers (user_id, followed_id, created_at) values (:user_id, :followed, :now)",
                user_id=caller.user_id,
                followed=followed,
                now=tx.now,
            )
        case _:
            raise LookupError(f"no way to ask for {table}")


async def _answer(tx: Transaction, slug: str, row: Row, caller: Caller) -> None:
    reply = _REPLIES.get(str(row.get("status")))
    if reply is None:
        raise NotFound(DataExportReason.NOBODY_ANSWERED)
    mode, party = row.get("mode"), row.get("party")
    names, replies = _in_json(row.get("guest_names")), _in_json(row.get("replies"))
    reply_details = ReplyDetails(
        party=party if isinstance(party, int) else None,
        mode=AttendanceMode(str(mode)) if mode in set(AttendanceMode) else None,
        companion_names=tuple(map(str, names)) if isinstance(names, list) else None,
        form_responses={str(name): str(reply_text) for name, reply_text in replies.items()}
        if isinstance(replies, dict)
        else None,
        is_private=bool(row.get("is_private")),
        skips_record=bool(row.get("skips_record")),
    )
    await attendance_actions.answer(
        tx,
        caller,
        EventSlug(slug),
        reply,
        reply_details,
        through=ChangeChannel.API,
        notifications=ReplyNotifications(calendar_email=False),
    )


async def _is_here(reader: Reader, table: str, row: Row, user_id: UserId) -> bool:
    """Whether the user already has a row about this subject. Existing rows are kept."""
    column, _, _ = _ABOUT[table]
    owned_row = await reader.fetch_one(
        f"select 1 as found from {table} where user_id = :user_id and {column} = :about",
        user_id=user_id,
        about=row.get(column),
    )
    return owned_row is not None


async def _slug(reader: Reader, table: str, row_id: Value) -> str:
    row = await reader.fetch_one(f"select slug from {table} where id = :id", id=row_id)
    if row is None:
        raise NotFound(DataExportReason.NOT_HERE)
    return str(row["slug"])


def _in_json(text: Value) -> object:
    """Parse the value of a JSON column. None if it is not valid JSON."""
    try:
        return json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None


OwnRow = dict[str, Value]

# The owner column of tables in which it is not ``user_id``.
_OWNER: Final[Mapping[str, str]] = {"users": "id", "groups": "owner_id", "events": "author_id"}

# Columns that a document may not set, with the values used instead. Account keys, chat rooms or rows of other people in
# these columns would grant access on this site.
_FORCED_VALUES: Final[Mapping[str, Mapping[str, Value]]] = {
    "users": {"kind": "person", "claimed_at": None},
    "groups": {
        "account_id": None,
        "predecessor_uri": None,
        "record_avatar": None,
        "is_read_only": 0,
        "deleted_at": None,
    },
    "event_series": {"matrix_room_id": None, "external_cid": None, "is_read_only": 0},
    "events": {"matrix_room_id": None, "external_cid": None, "origin": "here", "is_read_only": 0},
}

_RECORDS: Final = {
    "events": ("record_uri", "record_cid", "record_did"),
    "event_series": ("record_uri",),
    "attendances": ("record_uri",),
}


async def is_same_person(reader: Reader, person: str, email: str, dids: list[str]) -> bool:
    """Whether the person of an export already has an account on this site, found by their id and by their address or a
    DID.

    Raises Refused (``PersonIsHere``) if the id or the address belongs to somebody else.
    """
    person_row = await reader.fetch_one("select kind, email from users where id = :id", id=person)
    if person_row is None:
        other = await reader.fetch_one("select id from users where lower(email) = :email", email=email.lower())
        if email and other is not None:
            raise Refused(DataExportReason.EMAIL_TAKEN, name="PersonIsHere")
        return False
    if person_row["kind"] == "person":
        if email and (person_row["email"] or "").lower() == email.lower():
            return True
        theirs = await reader.fetch(
            "select did from identities where user_id = :id and kind <> 'shadow' order by did", id=person
        )
        if {row["did"] for row in theirs} & set(dids):
            return True
    raise Refused(
        DataExportReason.PERSON_IS_HERE,
        name="PersonIsHere",
    )


def require_own_row(part: ExportedTable, row: Mapping[str, Value], person: str) -> None:
    """Raise InvalidInput if the owner column of the row names another person."""
    if row.get(_OWNER.get(part.table, "user_id")) != person:
        raise InvalidInput("file", DataExportReason.ROW_OF_ANOTHER_PERSON, table=camel(part.name))


async def strip_row(reader: Reader, part: ExportedTable, row: OwnRow, person: str) -> list[str]:
    """Remove from a user's own row everything that they may not set. Return what was removed, as names for the
    operator's counts (``records``, ``groups of events``).
    """
    for name in part.without:
        row.pop(name, None)
    row |= {name: value for name, value in _FORCED_VALUES.get(part.table, {}).items() if name in row}
    stripped = []
    if await _strips_record(reader, part.table, row, person):
        stripped.append("records")
    if part.table in _NARROWED and await _strips_group(reader, part.table, row, person):
        stripped.append("groups of events")
    return stripped


async def _strips_record(reader: Reader, table: str, row: OwnRow, person: str) -> bool:
    columns = _RECORDS.get(table, ())
    if not columns or row.get("record_uri") is None:
        return False
    did = str(row["record_uri"]).removeprefix("at://").partition("/")[0]
    proved = await reader.fetch_one(
        "select 1 as found from identities where did = :did and user_id = :person and kind <> 'shadow'",
        did=did,
        person=person,
    )
    if proved is not None and row.get("record_did", did) == did:
        return False
    row |= {name: None for name in columns if name in row}
    return True


async def _strips_group(reader: Reader, table: str, row: OwnRow, person: str) -> bool:
    group_id = row.get("group_id")
    if group_id is None or await _may_make_events(reader, str(group_id), person):
        return False
    row["group_id"] = None
    _NARROWED[table](row)
    return True


async def _may_make_events(reader: Reader, group_id: str, person: str) -> bool:
    group = await reader.fetch_one("select owner_id from groups where id = :id and deleted_at is null", id=group_id)
    # The owner has permission, although the row of their own membership is imported later.
    if group is not None and group["owner_id"] == person:
        return True
    return rules.may(await role_in(reader, GroupId(group_id), UserId(person)), GroupPermission.CREATE_EVENT)


def _narrow_event(row: OwnRow) -> None:
    row["visibility"] = Visibility.PRIVATE.value


def _narrow_series(row: OwnRow) -> None:
    text = row.get("template")
    fields: Any = json.loads(text) if isinstance(text, str) else {}
    row["template"] = json.dumps(
        {**(fields if isinstance(fields, dict) else {}), "visibility": Visibility.PRIVATE.value}
    )


_NARROWED: Final[Mapping[str, Callable[[OwnRow], None]]] = {"events": _narrow_event, "event_series": _narrow_series}
