"""Two people turn out to be one: whom the one kept away, and who kept them away, holds for the other, too."""

from groundwork.database.transaction import Transaction
from openmeet.domain.users.merge import hand_over_unique
from openmeet.domain.users.model import UserId


async def reassign(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    """Blocks, mutes, reports, and what was decided about the one; the log stays as it was written.

    Nobody keeps themselves away, and of two open reports about one thing the one of who stays is kept.
    """
    await tx.execute(
        "delete from person_blocks where (user_id = :one and blocked_id = :other) or (user_id = :other and blocked_id = :one)",
        one=from_user,
        other=to_user,
    )
    await tx.execute(
        "delete from mutes where (user_id = :one and subject = :other) or (user_id = :other and subject = :one)",
        one=from_user,
        other=to_user,
    )
    await hand_over_unique(tx, "person_blocks", "user_id", ("blocked_id",), from_user, to_user)
    await hand_over_unique(tx, "person_blocks", "blocked_id", ("user_id",), from_user, to_user)
    await hand_over_unique(tx, "mutes", "user_id", ("subject",), from_user, to_user)
    await hand_over_unique(tx, "mutes", "subject", ("user_id",), from_user, to_user)
    await hand_over_unique(tx, "moderators", "user_id", (), from_user, to_user)
    await tx.execute(
        "delete from reports where closed_at is null and reporter_id = :one and exists (select 1 from reports kept"
        " where kept.closed_at is null and kept.reporter_id = :other and kept.thing = reports.thing"
        " and kept.subject = reports.subject)",
        one=from_user,
        other=to_user,
    )
    await tx.execute("update reports set reporter_id = :other where reporter_id = :one", one=from_user, other=to_user)
    await tx.execute(
        "delete from reports where closed_at is null and subject = :one and exists (select 1 from reports kept"
        " where kept.closed_at is null and kept.reporter_id = reports.reporter_id and kept.subject = :other)",
        one=from_user,
        other=to_user,
    )
    await tx.execute("update reports set subject = :other where subject = :one", one=from_user, other=to_user)
    await _merge_standing(tx, from_user, to_user)


async def _merge_standing(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    """Who is blocked is not free by being merged; otherwise what was decided about who stays counts."""
    await tx.execute(
        "delete from moderation_states where subject = :other and state <> 'hidden'"
        " and exists (select 1 from moderation_states o where o.subject = :one and o.state = 'hidden')",
        one=from_user,
        other=to_user,
    )
    await hand_over_unique(tx, "moderation_states", "subject", (), from_user, to_user)
