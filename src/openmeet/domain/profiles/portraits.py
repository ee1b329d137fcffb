"""Portraits of people, and who may see them. Only the person chooses their portrait."""

from collections.abc import Collection
from typing import Final

from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.media import uploads
from openmeet.domain.media.pictures import PictureKey
from openmeet.domain.moderation.blocks import is_block_between_sql
from openmeet.domain.moderation.labels import hides_person
from openmeet.domain.moderation.visibility import is_blocked
from openmeet.domain.users import queries as user_queries
from openmeet.domain.users.erasure_requests import is_leaving
from openmeet.domain.users.model import UserId

# A portrait is hidden even where the name still appears, such as in a host's old list: if the person is deleting their
# account, if a moderator or a label hides them, or if the person or the viewer has blocked the other.
_IS_SHOWN: Final = f"""u.portrait_key is not null and (u.id = :viewer or not (
    {is_leaving("u.id")} or {is_blocked("u.id")} or {hides_person("u.id")} or {is_block_between_sql(":viewer", "u.id")}
    or exists (select 1 from identities i where i.user_id = u.id and {is_blocked("i.did")})))"""


async def shown(reader: Reader, viewer: UserId | None, people: Collection[UserId]) -> dict[UserId, PictureKey]:
    """The portraits of these people that the viewer may see, in one statement."""
    if not people:
        return {}
    rows = await reader.fetch(
        f"select u.id, u.portrait_key from users u where u.id in :people and {_IS_SHOWN} order by u.id",
        people=sorted(set(people)),
        viewer=viewer or "",
    )
    return {UserId(row["id"]): PictureKey(row["portrait_key"]) for row in rows}


async def is_shown(reader: Reader, viewer: UserId | None, key: str) -> bool:
    """Whether this is the current portrait of a person whose portrait the viewer may see."""
    row = await reader.fetch_one(
        f"select 1 as found from users u where u.portrait_key = :key and {_IS_SHOWN}", key=key, viewer=viewer or ""
    )
    return row is not None


async def put(tx: Transaction, user_id: UserId, key: PictureKey) -> None:
    """Show this picture, which the person has uploaded, instead of the previous one."""
    await _release(tx, user_id)
    await user_queries.set_portrait(tx, user_id, key)


async def remove(tx: Transaction, user_id: UserId) -> None:
    """Remove the portrait, so that the initial is shown again."""
    await _release(tx, user_id)
    await user_queries.set_portrait(tx, user_id, None)


async def _release(tx: Transaction, user_id: UserId) -> None:
    """Release the current picture, so that the next run of the cleanup task deletes it."""
    row = await tx.fetch_one("select portrait_key from users where id = :id and portrait_key is not null", id=user_id)
    if row is not None:
        await uploads.release(tx, PictureKey(row["portrait_key"]))
