"""Announcements to all members of a group.

Members are notified once; a fan-out handles groups with very many members. An announcement can be removed but not
edited, because e-mails already sent would differ. Followers who are not members cannot read announcements.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.errors import InvalidForm, NotFound, Refused, TooMany
from groundwork.uuid7 import new_id
from openmeet.domain.groups import audit_log, membership_queries, queries
from openmeet.domain.groups.actions import lock_for
from openmeet.domain.groups.model import (
    MAX_ANNOUNCEMENT,
    MAX_ANNOUNCEMENTS_A_DAY,
    Announcement,
    AnnouncementId,
    Group,
    GroupId,
    GroupLogAction,
    GroupSlug,
)
from openmeet.domain.groups.reasons import GroupReason
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.identities.queries import mentioned_in
from openmeet.domain.notifications import fan_out, group_kinds
from openmeet.domain.notifications.fan_out import NOBODY_LEFT, FanOutAudience, RecipientPage
from openmeet.domain.notifications.model import Payload
from openmeet.domain.notifications.notify import Notice, reachable_among
from openmeet.domain.users.erasure_requests import is_leaving
from openmeet.domain.users.model import Caller, UserId
from openmeet.domain.validation import GeneralReason

_COLUMNS = "id, group_id, author_id, text, created_at, removed_at"
_BY_LEAVING = is_leaving("group_announcements.author_id")


class AlreadyAnnounced(Refused):
    """The submission key was already used for an announcement with a different text."""

    def __init__(self) -> None:
        super().__init__(
            GroupReason.ALREADY_ANNOUNCED,
            name="KeyReused",
        )


async def announce(
    tx: Transaction, caller: Caller, slug: GroupSlug, text: str, *, submission_key: str | None = None
) -> Announcement:
    """Post an announcement to all members. Repeating the same ``submission_key`` does not post it again.

    Raises NotFound, Forbidden, InvalidForm, TooMany, AlreadyAnnounced.
    """
    group, _ = await lock_for(tx, caller, slug, GroupPermission.ANNOUNCE)
    body = text.replace("\r\n", "\n").strip()
    if not body:
        raise InvalidForm({"text": GroupReason.TEXT_NEEDED})
    if len(body) > MAX_ANNOUNCEMENT:
        raise InvalidForm({"text": GeneralReason.TEXT_OF_LENGTH_TOO_LONG(most=MAX_ANNOUNCEMENT, length=len(body))})
    earlier = await _by_submission(tx, group.id, submission_key) if submission_key else None
    if earlier is not None and earlier.text != body:
        raise AlreadyAnnounced
    if earlier is not None:
        return earlier
    if await _count_since(tx, group.id, Instant(tx.now - DAY)) >= MAX_ANNOUNCEMENTS_A_DAY:
        raise TooMany(
            GroupReason.TOO_MANY_ANNOUNCEMENTS,
            most=MAX_ANNOUNCEMENTS_A_DAY,
            after_seconds=24 * 3600,
        )
    made = Announcement(AnnouncementId(new_id(tx.now)), group.id, caller.user_id, body, tx.now, None)
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
    await audit_log.add(tx, group.id, caller.user_id, GroupLogAction.ANNOUNCED, by=caller.user_id)
    await fan_out.start(tx, GROUP_MEMBERS, group, AnnouncementNotice(made.id))
    return made


async def remove(tx: Transaction, caller: Caller, slug: GroupSlug, announcement_id: AnnouncementId) -> None:
    """Remove an announcement from the site. E-mails already sent cannot be recalled. Raises NotFound, Forbidden."""
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
        raise NotFound(GroupReason.NO_SUCH_ANNOUNCEMENT)
    await audit_log.add(tx, group.id, UserId(row["author_id"]), GroupLogAction.ANNOUNCEMENT_REMOVED, by=caller.user_id)


async def newest(
    reader: Reader, group_id: GroupId, *, limit: int, before: AnnouncementId | None = None
) -> list[Announcement]:
    """Return announcements, newest first, except those of people who are deleting their account."""
    older = (
        ""
        if before is None
        else " and (created_at, id) < (select created_at, id from group_announcements where id = :before)"
    )
    rows = await reader.fetch(
        f"select {_COLUMNS} from group_announcements where group_id = :group_id and removed_at is null "
        f"and not {_BY_LEAVING}{older} order by created_at desc, id desc limit :limit",
        group_id=group_id,
        limit=limit,
        **({} if before is None else {"before": before}),
    )
    return [_announcement_of(row) for row in rows]


async def by_ids(reader: Reader, announcement_ids: Sequence[str]) -> dict[AnnouncementId, Announcement]:
    """Return the announcements with these ids, except removed ones and those of people who are deleting their account."""
    if not announcement_ids:
        return {}
    rows = await reader.fetch(
        f"select {_COLUMNS} from group_announcements where id in :ids and removed_at is null "
        f"and not {_BY_LEAVING} order by id",
        ids=list(dict.fromkeys(announcement_ids)),
    )
    return {one.id: one for one in map(_announcement_of, rows)}


class AnnouncementNotice(msgspec.Struct, frozen=True):
    """Fan-out payload that identifies an announcement.

    The text is read when people are notified, so nobody is notified about a removed announcement.
    """

    announcement_id: AnnouncementId


async def _lock(tx: Transaction, group_id: str) -> Group | None:
    return await queries.lock(tx, GroupId(group_id))


async def _members(tx: Transaction, group: Group, notice: AnnouncementNotice, after: str, limit: int) -> RecipientPage:
    """Members who want notifications, plus every member mentioned in the text. Never the author."""
    body = (await by_ids(tx, [notice.announcement_id])).get(notice.announcement_id)
    if body is None or group.deleted_at is not None:
        return NOBODY_LEFT
    members = await membership_queries.members_in_order(tx, group.id, after=UserId(after), limit=limit + 1)
    wants = {user_id: is_listening for user_id, is_listening in members[:limit] if user_id != body.author_id}
    mentioned = [one for one in await mentioned_in(tx, body.text) if one in wants]
    of_mention = await reachable_among(tx, mentioned, group_kinds.GROUP_MENTION)
    others = [one for one, is_listening in wants.items() if is_listening and one not in of_mention]
    about = Payload(person_id=body.author_id, group_id=group.id)
    return RecipientPage(
        [
            (group_kinds.ANNOUNCEMENT, [Notice(others, body.id, 1, about, bundle=group.id)]),
            (group_kinds.GROUP_MENTION, [Notice(of_mention, body.id, 1, about, bundle=group.id)]),
        ],
        None if len(members) <= limit else members[limit - 1][0],
    )


GROUP_MEMBERS: Final = FanOutAudience("group_members", AnnouncementNotice, _lock, _members)


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
