"""Guests: people without an account, who answered by e-mail with a confirmed address or whom a host added by name.

A guest is a row of ``users`` that cannot sign in. Anyone who signs up with the same confirmed address becomes the user
of that row and keeps its RSVPs. An address belongs to a person or to a guest, never to both: ``lock_address``.
"""

from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.database.pages import update_some
from groundwork.database.row_lock import wait_for_turn
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Conflict
from groundwork.uuid7 import new_id
from openmeet.domain.users import queries
from openmeet.domain.users.model import UserId, UserKind, UserReason


@dataclass(frozen=True, slots=True)
class Guest:
    """A person without an account who has an RSVP. ``email`` is None for a guest whom a host added."""

    user_id: UserId
    email: str | None


async def find(reader: Reader, user_id: UserId) -> Guest | None:
    """The guest with this user id. None for anybody who is not a guest."""
    row = await reader.fetch_one("select user_id, email from guests where user_id = :user_id", user_id=user_id)
    return Guest(UserId(row["user_id"]), row["email"]) if row else None


async def by_email(reader: Reader, email: str) -> UserId | None:
    """The guest with this address."""
    row = await reader.fetch_one("select user_id from guests where email = :email", email=email)
    return UserId(row["user_id"]) if row else None


async def lock_address(tx: Transaction, email: str) -> None:
    """Let nobody else give this address to a person or a guest until the transaction ends.

    Call it first, before looking for whom the address belongs to and before any row lock.
    """
    await wait_for_turn(tx, f"address {email}")


async def make(tx: Transaction, *, display_name: str, email: str | None, language: str | None = None) -> UserId:
    """Create a guest. ``language``: the language of the page on which they answered."""
    user_id = UserId(new_id(tx.now))
    await queries.insert(tx, user_id, UserKind.SHADOW, display_name=display_name, email=None)
    made = await tx.execute(
        "insert into guests (user_id, email, language, created_at) values (:user_id, :email, :language, :now)"
        " on conflict (email) do nothing",
        user_id=user_id,
        email=email,
        language=language,
        now=tx.now,
    )
    if made != 1:
        # The same address was confirmed twice at the same moment.
        raise Conflict(UserReason.GUEST_EMAIL_IN_USE)
    return user_id


async def find_or_make(tx: Transaction, *, email: str, display_name: str, language: str | None = None) -> UserId:
    """Find or create the guest with this address, which the caller has locked and no person has. Name and language are
    updated from the latest answer, if given.
    """
    user = await by_email(tx, email)
    if user is None:
        return await make(tx, display_name=display_name, email=email, language=language)
    if language is not None:
        await tx.execute("update guests set language = :language where user_id = :id", language=language, id=user)
    if display_name:
        await set_name(tx, user, display_name)
    return user


async def set_name(tx: Transaction, user_id: UserId, display_name: str) -> None:
    """Set the name of a guest. It must have passed ``users.actions.check_name``."""
    await tx.execute(
        "update users set display_name = :name where id = :id and kind = 'shadow'", name=display_name, id=user_id
    )


async def forget_addresses(tx: Transaction, before: Instant) -> int:
    """Delete the addresses and languages of guests whose events were all over by this time. Returns the number of
    guests.

    RSVPs and names are kept. For an event without a date, the time of the RSVP counts.
    """
    return await update_some(
        tx,
        "guests",
        "email = null, language = null",
        """
        email is not null and created_at <= :before and not exists (
          select 1 from attendances a join events e on e.id = a.event_id
           where a.user_id = guests.user_id and coalesce(e.ends_at, e.starts_at, a.answered_at) > :before)
        """,
        before=before,
    )


async def become_person(tx: Transaction, email: str, display_name: str, time_zone: str | None) -> UserId | None:
    """Turn the guest with this address into a person, because somebody who proved the address signs up. None if there
    is no such guest.
    """
    user = await by_email(tx, email)
    if user is None:
        return None
    await tx.execute("delete from guests where user_id = :user_id", user_id=user)
    await tx.execute(
        """
        update users
           set kind = 'person', email = :email, claimed_at = :now, revision = revision + 1, updated_at = :now,
               time_zone = coalesce(time_zone, :time_zone),
               display_name = case when :name = '' then display_name else :name end
         where id = :id and kind = 'shadow'
        """,
        email=email,
        name=display_name,
        time_zone=time_zone,
        id=user,
        now=tx.now,
    )
    return user
