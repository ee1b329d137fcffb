"""Follow and unfollow a host, and read a public profile."""

from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import NotFound, Reason, Refused
from openmeet.domain.moderation.blocks import raise_if_blocked
from openmeet.domain.profiles.queries import drop_follower, followed_by, host, is_following, put_follower
from openmeet.domain.users import queries as user_queries
from openmeet.domain.users.model import Caller, User, UserId
from openmeet.domain.validation import GeneralReason


class ProfileReason(Reason):
    """Why following a host is refused. The messages are in ``i18n/reasons/accounts.py``."""

    CANNOT_FOLLOW_ONESELF = "profile.cannot_follow_oneself"
    FOLLOWS_TOO_MANY = "profile.follows_too_many"
    NOT_FOLLOWED = "profile.not_followed"
    CANNOT_FOLLOW = "profile.cannot_follow"


# Maximum follows per user. Nobody can really keep track of more.
MAX_FOLLOWED = 1_000


async def visible_profile(reader: Reader, user_id: UserId) -> User:
    """The host of a public profile. Raises NotFound, both for unknown users and for those who host nothing public."""
    person = await host(reader, user_id)
    if person is None:
        raise NotFound(GeneralReason.NO_SUCH_PERSON)
    return person


async def follow(tx: Transaction, caller: Caller, followed: UserId) -> None:
    """Follow a host. Idempotent. Raises NotFound, Refused (``Oneself``, ``NotWelcome``, ``TooMany``)."""
    person = await visible_profile(tx, followed)
    if person.id == caller.user_id:
        raise Refused(ProfileReason.CANNOT_FOLLOW_ONESELF, name="Oneself")
    await raise_if_blocked(tx, caller.user_id, person.id, refusal=ProfileReason.CANNOT_FOLLOW)
    # Requests at the same time would all count the same follows.
    await user_queries.lock(tx, caller.user_id)
    if await is_following(tx, caller.user_id, person.id):
        return
    if len(await followed_by(tx, caller.user_id)) >= MAX_FOLLOWED:
        raise Refused(ProfileReason.FOLLOWS_TOO_MANY, most=MAX_FOLLOWED, name="TooMany")
    await put_follower(tx, caller.user_id, person.id)


async def unfollow(tx: Transaction, caller: Caller, followed: UserId) -> None:
    """Stop following somebody, even if they no longer have a profile. Raises NotFound if they are not followed."""
    if not await drop_follower(tx, caller.user_id, followed):
        raise NotFound(ProfileReason.NOT_FOLLOWED)
