"""Guests: people without an account, who answered by e-mail with a confirmed address or were entered by name by a host.

A guest is a row of ``users`` without sign-in. Anyone who signs up with the same confirmed address becomes the user of that
row, so their RSVPs are kept. An address belongs to a person or to a guest, never to both.
"""

from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Conflict
from groundwork.uuid7 import new_id
from openmeet.domain.users import queries
from openmeet.domain.users.model import UserId, UserKind
from openmeet.domain.users.reasons import UserReason


@dataclass(frozen=True, slots=True)
class Guest:
    """A person without an account who answered. ``email`` is None for a guest entered by a host."""

    user_id: UserId
    email: str | None


async def find(reader: Reader, user_id: UserId) -> Guest | None:
    """The guest behind a user id; None for everybody else."""
    row = await reader.fetch_one("select user_id, email from guests where user_id = :user_id", user_id=user_id)
    return Guest(UserId(row["user_id"]), row["email"]) if row else None


async def by_email(reader: Reader, email: str) -> UserId | None:
    """The guest with this address."""
    row = await reader.fetch_one("select user_id from guests where email = :email", email=email)
    return UserId(row["user_id"]) if row else None


async def make(tx: Transaction, *, display_name: str, email: str | None, language: str | None = None) -> UserId:
    """Create a guest. ``language``: in which they answered."""
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
        # The same address confirmed twice at the same moment.
        raise Conflict(UserReason.GUEST_EMAIL_IN_USE)
    return user_id


async def find_or_make(tx: Transaction, *, email: str, display_name: str, language: str | None = None) -> UserId:
    """The guest with this address, with the name and language of their latest answer, if they have given one."""
    known = await by_email(tx, email)
    if known is None:
        return await make(tx, display_name=display_name, email=email, language=language)
    if language is not None:
        await tx.execute("update guests set language = :language where user_id = :id", language=language, id=known)
    if display_name:
        await tx.execute(
            "update users set display_name = :name where id = :id and kind = 'shadow'", name=display_name, id=known
        )
    return known


async def forget_addresses(tx: Transaction, before: Instant) -> int:
    """Delete addresses and languages of guests all of whose events were over by then; returns how many. RSVPs and names are kept.

    An event without a date counts from the RSVP.
    """
    return await tx.execute(
        """
        update guests set email = null, language = null where email is not null and created_at <= :before and not exists (
          select 1 from attendances a join events e on e.id = a.event_id
           where a.user_id = guests.user_id and coalesce(e.ends_at, e.starts_at, a.answered_at) > :before)
        """,
        before=before,
    )


async def become_person(tx: Transaction, email: str, display_name: str) -> UserId | None:
    """The person who proved this address signs up: the guest becomes a person. None if there is no such guest."""
    known = await by_email(tx, email)
    if known is None:
        return None
    await tx.execute("delete from guests where user_id = :user_id", user_id=known)
    await tx.execute(
        """
        update users
           set kind = 'person', email = :email, claimed_at = :now, revision = revision + 1, updated_at = :now,
               display_name = case when :name = '' then display_name else :name end
         where id = :id and kind = 'shadow'
        """,
        email=email,
        name=display_name,
        id=known,
        now=tx.now,
    )
    return known
