"""What in one person's document is about what others host or own here: asked anew, by the rules of here, never taken as it is written.

An answer is given by ``attendance.answer``, which knows places, approval and who may see the event; a membership is asked for as anybody
asks; a role, a ban lifted, an invitation accepted are nobody's to bring along. What is here already stays as it is.
"""

import json
from collections.abc import Mapping
from typing import Final

from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import Forbidden, Gone, InvalidForm, NotFound, Refused
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import AnswerMode, Reply, Through, Wishes
from openmeet.domain.data_export.values import Value
from openmeet.domain.events.model import EventSlug
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups import following as group_following
from openmeet.domain.groups.model import GroupSlug, Role
from openmeet.domain.moderation.blocks import must_not_be_apart
from openmeet.domain.series import actions as series
from openmeet.domain.series import standing_rsvps
from openmeet.domain.series.model import SeriesSlug
from openmeet.domain.users.model import Caller, UserId

Row = Mapping[str, Value]

# What a row says; statuses that are missing were not the person's own word.
_REPLIES: Final = {
    "attending": Reply.GOING,
    "attended": Reply.GOING,
    "waitlisted": Reply.GOING,
    "pending": Reply.GOING,
    "interested": Reply.INTERESTED,
    "declined": Reply.DECLINED,
}
_ASKS: Final = frozenset({Role.ADMIN, Role.MODERATOR, Role.MEMBER, Role.PENDING})

# Whose what a row is about is: the column, its table, and the column there of whose it is.
_ABOUT: Final[Mapping[str, tuple[str, str, str]]] = {
    "attendances": ("event_id", "events", "author_id"),
    "event_series_followers": ("series_id", "event_series", "user_id"),
    "event_series_answers": ("series_id", "event_series", "user_id"),
    "group_members": ("group_id", "groups", "owner_id"),
    "group_followers": ("group_id", "groups", "owner_id"),
    "person_followers": ("followed_id", "users", "id"),
}

_REFUSALS = (NotFound, Gone, Forbidden, Refused, InvalidForm)


async def is_about_anothers(reader: Reader, table: str, row: Row, person: str) -> bool:
    """Whether a row is about something here that is not the person's own. What is not here at all is nobody's."""
    if table not in _ABOUT:
        return False
    column, other, owner = _ABOUT[table]
    found = await reader.fetch_one(f"select {owner} as owner_id from {other} where id = :id", id=row.get(column))
    return found is not None and found["owner_id"] != person


async def ask(db: Database, table: str, row: Row, caller: Caller) -> bool:
    """Do by the rules of here what the row says; False where they do not let it. In a transaction of its own: rows are locked."""
    try:
        async with db.transaction() as tx:
            if not await _is_here(tx, table, row, caller.user_id):
                await _ask(tx, table, row, caller)
    except _REFUSALS:
        return False
    return True


async def _ask(tx: Transaction, table: str, row: Row, caller: Caller) -> None:
    match table:
        case "attendances":
            await _answer(tx, await _slug(tx, "events", row["event_id"]), row, caller)
        case "event_series_followers":
            notifies = bool(row.get("notifications_enabled", 1))
            await series.follow(
                tx, caller, SeriesSlug(await _slug(tx, "event_series", row["series_id"])), notifies=notifies
            )
        case "event_series_answers":
            slug = SeriesSlug(await _slug(tx, "event_series", row["series_id"]))
            await standing_rsvps.answer_all(
                tx, caller, slug, Reply.GOING, skips_limited=not row.get("with_limited"), through=Through.API
            )
        case "group_members":
            if row.get("role") not in _ASKS:
                raise NotFound("Nobody asked to be in.")
            slug_of_group = GroupSlug(await _slug(tx, "groups", row["group_id"]))
            await groups.join(tx, caller, slug_of_group, str(row.get("answer") or ""))
        case "group_followers":
            slug_of_group = GroupSlug(await _slug(tx, "groups", row["group_id"]))
            enabled = bool(row.get("notifications_enabled", 1))
            await group_following.follow(tx, caller, slug_of_group, enabled=enabled)
        case "person_followers":
            followed = UserId(str(row["followed_id"]))
            await must_not_be_apart(tx, caller.user_id, followed, refusal="You cannot follow this person.")
            await tx.execute(
                "insert into person_followers (user_id, followed_id, created_at) values (:user_id, :followed, :now)",
                user_id=caller.user_id,
                followed=followed,
                now=tx.now,
            )
        case _:
            raise LookupError(f"no way to ask for {table}")


async def _answer(tx: Transaction, slug: str, row: Row, caller: Caller) -> None:
    reply = _REPLIES.get(str(row.get("status")))
    if reply is None:
        raise NotFound("Nobody answered.")
    mode, party = row.get("mode"), row.get("party")
    names, replies = _in_json(row.get("guest_names")), _in_json(row.get("replies"))
    wishes = Wishes(
        party=party if isinstance(party, int) else None,
        mode=AnswerMode(str(mode)) if mode in set(AnswerMode) else None,
        guest_names=tuple(map(str, names)) if isinstance(names, list) else None,
        replies={str(name): str(said) for name, said in replies.items()} if isinstance(replies, dict) else None,
        is_private=bool(row.get("is_private")),
        skips_record=bool(row.get("skips_record")),
    )
    await attendance.answer(tx, caller, EventSlug(slug), reply, wishes, through=Through.API, is_single=False)


async def _is_here(reader: Reader, table: str, row: Row, user_id: UserId) -> bool:
    """Whether the person has said something here about it, or something was decided about them: that stays."""
    column, _, _ = _ABOUT[table]
    found = await reader.fetch_one(
        f"select 1 as found from {table} where user_id = :user_id and {column} = :about",
        user_id=user_id,
        about=row.get(column),
    )
    return found is not None


async def _slug(reader: Reader, table: str, row_id: Value) -> str:
    row = await reader.fetch_one(f"select slug from {table} where id = :id", id=row_id)
    if row is None:
        raise NotFound("It is not here.")
    return str(row["slug"])


def _in_json(text: Value) -> object:
    """What a column holds as JSON; None where it is none."""
    try:
        return json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None
