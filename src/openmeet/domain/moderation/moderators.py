"""Moderators: those listed in the settings, and those appointed by the command. Each appointment is logged."""

from collections.abc import Sequence

from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Forbidden
from openmeet.domain.identities.queries import setting_entry_of
from openmeet.domain.moderation import audit_log
from openmeet.domain.moderation.audit_log import NewLogEntry
from openmeet.domain.moderation.model import ModeratedKind, ModerationAction, ModerationReason, Subject
from openmeet.domain.users.model import Caller, UserId


async def is_moderator(reader: Reader, user_id: UserId, named: Sequence[str]) -> bool:
    """Whether the caller is a moderator of the community. ``named``: the moderators listed in the settings."""
    if await setting_entry_of(reader, user_id, named) is not None:
        return True
    by_command = "select 1 as found from moderators where user_id = :user_id"
    return await reader.fetch_one(by_command, user_id=user_id) is not None


async def require_moderator(reader: Reader, caller: Caller, named: Sequence[str]) -> None:
    """Raise Forbidden unless the caller is a moderator of the community."""
    if not await is_moderator(reader, caller.user_id, named):
        raise Forbidden(ModerationReason.MODERATORS_ONLY)


async def appoint(tx: Transaction, user_id: UserId, *, by: UserId | None) -> bool:
    """Appoint a moderator. False if they already are one."""
    made = await tx.execute(
        "insert into moderators (user_id, named_at) values (:user_id, :now) on conflict (user_id) do nothing",
        user_id=user_id,
        now=tx.now,
    )
    if made:
        await audit_log.add(
            tx, by, [NewLogEntry(ModerationAction.NAME, Subject(ModeratedKind.PERSON, user_id), "", "moderator")]
        )
    return made == 1


async def dismiss(tx: Transaction, user_id: UserId, *, by: UserId | None) -> bool:
    """Dismiss a moderator whom the command appointed. False if there is none. Moderators listed in the settings stay."""
    deleted_count = await tx.execute("delete from moderators where user_id = :user_id", user_id=user_id)
    if deleted_count:
        await audit_log.add(
            tx, by, [NewLogEntry(ModerationAction.UNNAME, Subject(ModeratedKind.PERSON, user_id), "moderator", "")]
        )
    return deleted_count == 1


async def appointed(reader: Reader) -> list[UserId]:
    """Moderators appointed by the command, oldest first."""
    rows = await reader.fetch("select user_id from moderators order by named_at, user_id")
    return [UserId(row["user_id"]) for row in rows]
