"""SQL for invitations to all dates of a series, future ones included; and conditions on the RSVPs of people who were
invited by address.

The invitation to each date is an ordinary RSVP row (``invited``), made when the date is stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Row, Transaction
from openmeet.domain.attendance.model import AttendanceId
from openmeet.domain.users.erasure_requests import is_leaving
from openmeet.domain.users.model import UserId

# Replaces an address that was removed. It is not empty, because an empty address would let the host see who did not
# answer (``IS_UNANSWERED_INVITATION``).
REMOVED_ADDRESS: Final = "…"


@dataclass(frozen=True, slots=True)
class Invitee:
    """One invited person. ``invited_as`` is the address that the host typed, or ``REMOVED_ADDRESS``. ``is_guest``: the
    person has no account.
    """

    user_id: UserId
    invited_by: UserId
    invited_as: str
    is_guest: bool


async def invite_to_series(tx: Transaction, series_id: str, invitee: Invitee) -> None:
    """Invite this person to every new date. Idempotent."""
    await tx.execute(
        """
        insert into event_series_invitations (series_id, user_id, invited_by, invited_as, created_at)
        values (:series_id, :user_id, :invited_by, :invited_as, :now)
            on conflict (series_id, user_id) do update
           set invited_by = excluded.invited_by, invited_as = excluded.invited_as, created_at = excluded.created_at,
               ended_at = null
         where event_series_invitations.ended_at is not null
        """,
        series_id=series_id,
        user_id=invitee.user_id,
        invited_by=invitee.invited_by,
        invited_as=invitee.invited_as,
        now=tx.now,
    )


_COLUMNS: Final = """i.user_id, i.invited_by, i.invited_as,
    exists (select 1 from guests g where g.user_id = i.user_id) as is_guest"""


async def of_series(reader: Reader, series_id: str, *, after: UserId | None = None, limit: int) -> list[Invitee]:
    """The next people who are invited to all dates of a series, in order of their ids, starting after ``after``."""
    rows = await reader.fetch(
        f"select {_COLUMNS} from event_series_invitations i where i.series_id = :series_id and i.user_id > :after"
        " and i.ended_at is null order by i.user_id limit :limit",
        series_id=series_id,
        after=after or "",
        limit=limit,
    )
    return [_invitee_of(row) for row in rows]


async def find(reader: Reader, series_id: str, user_id: UserId) -> Invitee | None:
    """The person's invitation to all dates of a series. None if there is none."""
    row = await reader.fetch_one(
        f"select {_COLUMNS} from event_series_invitations i where i.series_id = :series_id and i.user_id = :user_id"
        " and i.ended_at is null",
        series_id=series_id,
        user_id=user_id,
    )
    return _invitee_of(row) if row else None


def _invitee_of(row: Row) -> Invitee:
    return Invitee(UserId(row["user_id"]), UserId(row["invited_by"]), row["invited_as"], is_guest=bool(row["is_guest"]))


async def copy(tx: Transaction, from_id: str, to_id: str) -> None:
    """Copy the invitations of a series to another one that was split off from it, or merged with it again."""
    await tx.execute(
        """
        insert into event_series_invitations (series_id, user_id, invited_by, invited_as, created_at)
        select :to_id, user_id, invited_by, invited_as, created_at from event_series_invitations
         where series_id = :from_id and ended_at is null on conflict (series_id, user_id) do nothing
        """,
        from_id=from_id,
        to_id=to_id,
    )


async def end(tx: Transaction, series_id: str, people: Sequence[UserId]) -> None:
    """Stop inviting these people to further dates. ``resume`` undoes it."""
    await tx.execute(
        "update event_series_invitations set ended_at = :now"
        " where series_id = :series_id and user_id in :people and ended_at is null",
        series_id=series_id,
        people=list(people),
        now=tx.now,
    )


async def resume(tx: Transaction, series_id: str, user_id: UserId, *, ended_at: Instant) -> None:
    """Invite this person to further dates again, if ``end`` was called at this instant."""
    await tx.execute(
        "update event_series_invitations set ended_at = null"
        " where series_id = :series_id and user_id = :user_id and ended_at = :ended_at",
        series_id=series_id,
        user_id=user_id,
        ended_at=ended_at,
    )


# RSVPs of people who were invited by address and have never answered, even if the host rejected them or checked them
# in. The host must not learn who owns the address. Once a person has answered, the host knows them by name, also if they
# are rejected or invited again later, or let an offered place expire.
IS_UNANSWERED_INVITATION: Final = """(coalesce(a.invited_as, '') <> ''
                     and a.status in ('invited', 'rejected', 'attended') and not exists (
                 select 1 from attendance_history c where c.attendance_id = a.id
                    and c.after_status not in ('invited', 'rejected', 'attended')))"""

# The person is deleting their account, so hosts do not see their answer either. An address that has not answered stays in
# the list, because its disappearance would reveal who owns it.
IS_HIDDEN_FROM_HOSTS: Final = f"({is_leaving('a.user_id')} and not {IS_UNANSWERED_INVITATION})"


async def unanswered_among(reader: Reader, ids: Sequence[AttendanceId]) -> set[AttendanceId]:
    """Those of these RSVPs that are unanswered invitations by address."""
    rows = await reader.fetch(
        f"select a.id from attendances a where a.id in :ids and {IS_UNANSWERED_INVITATION}", ids=list(ids)
    )
    return {AttendanceId(row["id"]) for row in rows}
