"""People without an account: those who answered by e-mail, with the address that they confirmed, and names that a host wrote down.

A guest is a row of ``users`` that nobody can sign in as. Whoever signs up with the same confirmed address *is* that row from then
on, so what they answered is theirs at once. An address belongs to a person or to a guest, never to both.
"""

from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Conflict
from groundwork.uuid7 import new_id
from openmeet.domain.users import queries
from openmeet.domain.users.model import UserId, UserKind


@dataclass(frozen=True, slots=True)
class Guest:
    """``email`` is None for somebody whom a host only named."""

    user_id: UserId
    email: str | None


async def find(reader: Reader, user_id: UserId) -> Guest | None:
    """The guest behind a user; None for everybody else."""
    row = await reader.fetch_one("select user_id, email from guests where user_id = :user_id", user_id=user_id)
    return Guest(UserId(row["user_id"]), row["email"]) if row else None


async def by_email(reader: Reader, email: str) -> UserId | None:
    """The guest with this address."""
    row = await reader.fetch_one("select user_id from guests where email = :email", email=email)
    return UserId(row["user_id"]) if row else None


async def make(tx: Transaction, *, display_name: str, email: str | None) -> UserId:
    """A new guest."""
    user_id = UserId(new_id(tx.now))
    await queries.insert(tx, user_id, UserKind.SHADOW, display_name=display_name, email=None)
    made = await tx.execute(
        "insert into guests (user_id, email, created_at) values (:user_id, :email, :now) on conflict (email) do nothing",
        user_id=user_id,
        email=email,
        now=tx.now,
    )
    if made != 1:
        # The same address confirmed twice at the same moment.
        raise Conflict("This address is just being written down. Try again.")
    return user_id


async def find_or_make(tx: Transaction, *, email: str, display_name: str) -> UserId:
    """The guest with a confirmed address; a name given now stands where there was none."""
    known = await by_email(tx, email)
    if known is None:
        return await make(tx, display_name=display_name, email=email)
    if display_name:
        await tx.execute(
            "update users set display_name = :name where id = :id and kind = 'shadow'", name=display_name, id=known
        )
    return known


async def forget_addresses(tx: Transaction, before: Instant) -> int:
    """Those of guests all of whose events were over by then; what they answered stays, under their name. How many were forgotten.

    An event without a date counts from the answer.
    """
    return await tx.execute(
        """
        update guests set email = null where email is not null and created_at <= :before and not exists (
          select 1 from attendances a join events e on e.id = a.event_id
           where a.user_id = guests.user_id and coalesce(e.ends_at, e.starts_at, a.answered_at) > :before)
        """,
        before=before,
    )


async def become_person(tx: Transaction, email: str, display_name: str) -> UserId | None:
    """Whoever proved this address signs up: the guest is that person now. None where there is no such guest."""
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
