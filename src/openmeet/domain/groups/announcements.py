"""Announcements to all members of a group: posted, notified once, removable.

Not editable: e-mails already sent would differ. Followers who are not members cannot read them.
"""

from collections.abc import Sequence

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.errors import InvalidForm, NotFound, Refused, TooMany
from groundwork.uuid7 import new_id
from openmeet.domain.groups import invitation_queries, notify
from openmeet.domain.groups.actions import lock_for
from openmeet.domain.groups.model import (
    MAX_ANNOUNCEMENT,
    MAX_ANNOUNCEMENTS_A_DAY,
    Announcement,
    AnnouncementId,
    GroupId,
    GroupLogAction,
    GroupSlug,
)
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.users.model import Caller, UserId

_COLUMNS = "id, group_id, author_id, text, created_at, removed_at"


class AlreadySaid(Refused):
    """The key has been used for another announcement: neither result would be what was asked for."""

    def __init__(self) -> None:
        super().__init__(
            "Something else was announced by this form already. Announce this once more to tell them both.",
            name="KeyReused",
        )


async def announce(
    tx: Transaction, caller: Caller, slug: GroupSlug, text: str, *, submission_key: str | None = None
) -> Announcement:
    """Post an announcement to all members; the same ``submission_key`` again posts nothing new.

    Raises NotFound, Forbidden, InvalidForm, TooMany, AlreadySaid.
    """
    group, _ = await lock_for(tx, caller, slug, GroupPermission.ANNOUNCE)
    said = text.replace("\r\n", "\n").strip()
    if not said:
        raise InvalidForm({"text": "Write what you want to tell them."})
    if len(said) > MAX_ANNOUNCEMENT:
        raise InvalidForm({"text": f"At most {MAX_ANNOUNCEMENT} characters; this has {len(said)}."})
    earlier = await _by_submission(tx, group.id, submission_key) if submission_key else None
    if earlier is not None and earlier.text != said:
        raise AlreadySaid
    if earlier is not None:
        return earlier
    if await _count_since(tx, group.id, Instant(tx.now - DAY)) >= MAX_ANNOUNCEMENTS_A_DAY:
        raise TooMany(
            f"A group announces at most {MAX_ANNOUNCEMENTS_A_DAY} things a day. Wait until tomorrow.",
            after_seconds=24 * 3600,
        )
    made = Announcement(AnnouncementId(new_id(tx.now)), group.id, caller.user_id, said, tx.now, None)
    await tx.execute(
        "insert into group_announcements (id, group_id, author_id, text, submission_key, created_at)"
        " values (:id, :group_id, :author_id, :text, :submission_key, :now)",
        id=made.id,
        group_id=made.group_id,
        author_id=made.author_id,
        text=made.text,
        submission_key=submission_key,
        now=tx.now,
    )
    await invitation_queries.log(tx, group.id, caller.user_id, GroupLogAction.ANNOUNCED, by=caller.user_id)
    await notify.of_announcement(tx, group, made)
    return made


async def remove(tx: Transaction, caller: Caller, slug: GroupSlug, announcement_id: AnnouncementId) -> None:
    """Remove an announcement here; sent e-mails stay. Raises NotFound, Forbidden."""
    group, _ = await lock_for(tx, caller, slug, GroupPermission.ANNOUNCE)
    row = await tx.fetch_one(
        "update group_announcements set removed_at = :now, removed_by = :by"
        " where id = :id and group_id = :group_id and removed_at is null returning author_id",
        id=announcement_id,
        group_id=group.id,
        by=caller.user_id,
        now=tx.now,
    )
    if row is None:
        raise NotFound("There is no such announcement.")
    await invitation_queries.log(
        tx, group.id, UserId(row["author_id"]), GroupLogAction.ANNOUNCEMENT_REMOVED, by=caller.user_id
    )


async def newest(
    reader: Reader, group_id: GroupId, *, limit: int, before: AnnouncementId | None = None
) -> list[Announcement]:
    """Announcements, newest first."""
    older = (
        ""
        if before is None
        else " and (created_at, id) < (select created_at, id from group_announcements where id = :before)"
    )
    rows = await reader.fetch(
        f"select {_COLUMNS} from group_announcements where group_id = :group_id and removed_at is null{older}"
        " order by created_at desc, id desc limit :limit",
        group_id=group_id,
        limit=limit,
        **({} if before is None else {"before": before}),
    )
    return [_announcement_of(row) for row in rows]


async def by_ids(reader: Reader, announcement_ids: Sequence[str]) -> dict[AnnouncementId, Announcement]:
    """Those of these announcements that were not removed."""
    if not announcement_ids:
        return {}
    rows = await reader.fetch(
        f"select {_COLUMNS} from group_announcements where id in :ids and removed_at is null order by id",
        ids=list(dict.fromkeys(announcement_ids)),
    )
    return {one.id: one for one in map(_announcement_of, rows)}


async def _by_submission(reader: Reader, group_id: GroupId, key: str) -> Announcement | None:
    row = await reader.fetch_one(
        f"select {_COLUMNS} from group_announcements where group_id = :group_id and submission_key = :key",
        group_id=group_id,
        key=key,
    )
    return _announcement_of(row) if row else None


async def _count_since(reader: Reader, group_id: GroupId, since: Instant) -> int:
    row = await reader.fetch_one(
        "select count(*) as said from group_announcements where group_id = :group_id and created_at > :since",
        group_id=group_id,
        since=since,
    )
    return int(row["said"]) if row else 0


def _announcement_of(row: Row) -> Announcement:
    return Announcement(
        AnnouncementId(row["id"]),
        GroupId(row["group_id"]),
        UserId(row["author_id"]),
        row["text"],
        row["created_at"],
        row["removed_at"],
    )
