"""Who is invited to every date of a series, also to those that come into being later: the SQL of it.

The invitation to each date is an answer like any other (``invited``), made when the date is stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.users.model import UserId


@dataclass(frozen=True, slots=True)
class Invited:
    """One person. ``invited_as``: the address that the host wrote."""

    user_id: UserId
    invited_by: UserId
    invited_as: str


async def put(tx: Transaction, series_id: str, one: Invited) -> None:
    """From now on this person is invited to every new date; once more changes nothing."""
    await tx.execute(
        """
        insert into event_series_invitations (series_id, user_id, invited_by, invited_as, created_at)
        values (:series_id, :user_id, :invited_by, :invited_as, :now) on conflict (series_id, user_id) do nothing
        """,
        series_id=series_id,
        user_id=one.user_id,
        invited_by=one.invited_by,
        invited_as=one.invited_as,
        now=tx.now,
    )


async def of_series(reader: Reader, series_id: str) -> list[Invited]:
    """In the order in which they were invited."""
    rows = await reader.fetch(
        "select user_id, invited_by, invited_as from event_series_invitations where series_id = :series_id"
        " order by created_at, user_id",
        series_id=series_id,
    )
    return [Invited(UserId(row["user_id"]), UserId(row["invited_by"]), row["invited_as"]) for row in rows]


async def copy(tx: Transaction, from_id: str, to_id: str) -> None:
    """Who is invited to a series is invited to the other, too: a half that was split off, or was put together again."""
    await tx.execute(
        """
        insert into event_series_invitations (series_id, user_id, invited_by, invited_as, created_at)
        select :to_id, user_id, invited_by, invited_as, created_at from event_series_invitations
         where series_id = :from_id on conflict (series_id, user_id) do nothing
        """,
        from_id=from_id,
        to_id=to_id,
    )


async def end(tx: Transaction, series_id: str, people: Sequence[UserId]) -> None:
    """They are invited to no further dates."""
    await tx.execute(
        "delete from event_series_invitations where series_id = :series_id and user_id in :people",
        series_id=series_id,
        people=list(people),
    )


# Invited by an address, and never heard of since, also where the host has turned them away or checked them in: whose the address is
# nobody learns who wrote it.
IS_UNHEARD: Final = """(coalesce(a.invited_as, '') <> '' and (a.status in ('invited', 'rejected') or a.status = 'attended' and not exists (
                 select 1 from attendance_changes c where c.attendance_id = a.id
                    and c.after_status not in ('invited', 'rejected', 'attended'))))"""
