"""Following a host, and no more."""

from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import NotFound, Refused
from openmeet.domain.moderation.blocks import must_not_be_apart
from openmeet.domain.profiles import queries
from openmeet.domain.users.model import Caller, User, UserId

# More would be no following any more.
MAX_FOLLOWED = 1_000


async def seen(reader: Reader, user_id: UserId) -> User:
    """Whose page everybody sees. Raises NotFound, for who is not there and who hosts nothing public alike."""
    found = await queries.host(reader, user_id)
    if found is None:
        raise NotFound("There is no such person.")
    return found


async def follow(tx: Transaction, caller: Caller, followed: UserId) -> None:
    """Hear of what they host for everybody; again changes nothing. Raises NotFound, Refused (``Oneself``, ``NotWelcome``, ``TooMany``)."""
    found = await seen(tx, followed)
    if found.id == caller.user_id:
        raise Refused("You cannot follow yourself.", name="Oneself")
    await must_not_be_apart(tx, caller.user_id, found.id, refusal="You cannot follow this person.")
    if len(await queries.followed_by(tx, caller.user_id)) >= MAX_FOLLOWED:
        raise Refused(f"You follow {MAX_FOLLOWED} people already.", name="TooMany")
    await queries.follow(tx, caller.user_id, found.id)


async def unfollow(tx: Transaction, caller: Caller, followed: UserId) -> None:
    """Also of somebody who has no page any more. Raises NotFound where they are not followed."""
    if not await queries.unfollow(tx, caller.user_id, followed):
        raise NotFound("You do not follow this person.")
