"""Who moderates: whom the operator names by a setting (e-mail addresses, DIDs) or by a command."""

from collections.abc import Sequence

from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Forbidden
from openmeet.domain.identities.named import named_as
from openmeet.domain.moderation import audit_log
from openmeet.domain.moderation.audit_log import Line
from openmeet.domain.moderation.model import Act, Subject, Thing
from openmeet.domain.users.model import Caller, UserId


async def is_moderator(reader: Reader, user_id: UserId, named: Sequence[str]) -> bool:
    """``named``: what the setting says."""
    if await named_as(reader, user_id, named) is not None:
        return True
    by_command = "select 1 as found from moderators where user_id = :user_id"
    return await reader.fetch_one(by_command, user_id=user_id) is not None


async def must_moderate(reader: Reader, caller: Caller, named: Sequence[str]) -> None:
    """Forbidden for everybody else."""
    if not await is_moderator(reader, caller.user_id, named):
        raise Forbidden("This is for the moderators of this site.")


async def name(tx: Transaction, user_id: UserId, *, by: UserId | None) -> bool:
    """False when they moderate already."""
    made = await tx.execute(
        "insert into moderators (user_id, named_at) values (:user_id, :now) on conflict (user_id) do nothing",
        user_id=user_id,
        now=tx.now,
    )
    if made:
        await audit_log.add(tx, by, [Line(Act.NAME, Subject(Thing.PERSON, user_id), "", "moderator")])
    return made == 1


async def unname(tx: Transaction, user_id: UserId, *, by: UserId | None) -> bool:
    """False when the command had not named them; whom the setting names stays."""
    gone = await tx.execute("delete from moderators where user_id = :user_id", user_id=user_id)
    if gone:
        await audit_log.add(tx, by, [Line(Act.UNNAME, Subject(Thing.PERSON, user_id), "moderator", "")])
    return gone == 1


async def listed(reader: Reader) -> list[UserId]:
    """Whom the command has named, the first one first."""
    rows = await reader.fetch("select user_id from moderators order by named_at, user_id")
    return [UserId(row["user_id"]) for row in rows]
