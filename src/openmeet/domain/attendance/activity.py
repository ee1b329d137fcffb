"""What hosts see of their events at a glance: recent changes of RSVPs, and who comes regularly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.clock import MINUTE, Instant
from groundwork.database.transaction import Reader
from openmeet.domain.attendance.invitation_queries import IS_UNANSWERED_INVITATION
from openmeet.domain.attendance.queries import IS_HIDDEN
from openmeet.domain.events.model import EventId
from openmeet.domain.users.model import UserId

# In every time zone, midnight is the start of a quarter hour.
QUARTER_HOUR: Final = 15 * MINUTE
# A regular said yes to at least this many of the host's latest events.
MIN_YES_OF_REGULARS: Final = 3
NUMBER_OF_LATEST_EVENTS: Final = 5

_NOT_DECLINED: Final = "('attending', 'attended', 'interested', 'waitlisted', 'pending')"

# SQL condition: the entry ``h`` is the person's first answer. The excluded statuses are decisions of hosts,
# and an offer that expires makes a person "invited" again.
_IS_FIRST_ANSWER: Final = """(h.after_status not in ('invited', 'rejected', 'attended') and not exists (
    select 1 from attendance_history earlier where earlier.attendance_id = h.attendance_id
       and (earlier.revision, earlier.id) < (h.revision, h.id)
       and earlier.after_status not in ('invited', 'rejected', 'attended')))"""


@dataclass(frozen=True, slots=True)
class RecentChanges:
    """Numbers of RSVPs, whatever the size of their parties. ``answered``: first answers, unless they were no.
    ``cannot_come``: RSVPs that changed to no from another answer, or whose first answer was no.
    """

    answered: int = 0
    cannot_come: int = 0


@dataclass(frozen=True, slots=True)
class PastAttendance:
    """One person's attendance at the latest past events of one host. ``came`` counts events at which they were checked
    in, ``said_yes`` all events to which they answered yes.

    ``events`` is the number of events. ``had_check_in``: at each of them, somebody was checked in.
    """

    events: int
    had_check_in: bool
    came: int
    said_yes: int


async def recent_changes(reader: Reader, event_ids: Sequence[EventId], start: Instant) -> RecentChanges:
    """Count changes at these events since this instant. Only the first and the last state of each answer count."""
    if not event_ids:
        return RecentChanges()
    row = await reader.fetch_one(
        f"""
        select coalesce(sum(case when is_first = 1 and is_now in {_NOT_DECLINED} then 1 else 0 end), 0) as answered,
               coalesce(sum(case when was <> 'declined' and is_now = 'declined' then 1 else 0 end), 0) as cannot_come
          from (
        select max(case when from_first = 1 then coalesce(before_status, 'invited') end) as was,
               max(is_first) as is_first,
               max(case when from_last = 1 then after_status end) as is_now
          from (
        select attendance_id, before_status, after_status,
               case when {_IS_FIRST_ANSWER} then 1 else 0 end as is_first,
               row_number() over (partition by attendance_id order by revision, id) as from_first,
               row_number() over (partition by attendance_id order by revision desc, id desc) as from_last
          from attendance_history h where event_id in :wanted and changed_at >= :start) as changes
         group by attendance_id) as answers
        """,
        wanted=sorted(event_ids),
        start=start,
    )
    return RecentChanges() if row is None else RecentChanges(int(row["answered"]), int(row["cannot_come"]))


async def count_first_rsvps(reader: Reader, event_id: EventId, start: Instant) -> Mapping[Instant, int]:
    """Return how many people gave their first answer, other than no, in each quarter hour. Quarter hours without any
    are left out.
    """
    rows = await reader.fetch(
        f"""
        select changed_at / {QUARTER_HOUR} as quarter, count(*) as n from attendance_history h
         where event_id = :event_id and changed_at >= :start and after_status in {_NOT_DECLINED} and {_IS_FIRST_ANSWER}
         group by changed_at / {QUARTER_HOUR} order by quarter
        """,
        event_id=event_id,
        start=start,
    )
    return {Instant(int(row["quarter"]) * QUARTER_HOUR): int(row["n"]) for row in rows}


# The latest past events of a host, and whether anybody was checked in at each.
_LATEST_EVENTS_SQL: Final = """
    select e.id, case when exists (select 1 from attendances a where a.event_id = e.id and a.status = 'attended')
                 then 1 else 0 end as had_check_in
      from events e
     where e.author_id = :host and e.over_at <= :now
       and e.is_draft = 0 and e.status <> 'cancelled' and e.deleted_at is null and e.removed_at is null
     order by e.starts_at desc, e.id desc limit :latest
"""


async def past_attendance(
    reader: Reader, host: UserId, *, people: Sequence[UserId] | None = None, limit: int = 50
) -> dict[UserId, PastAttendance]:
    """Return who said yes to the latest past events of this host, the most frequent first.

    Without ``people``, only regulars are returned. With ``people``, those of them who said yes at least once.
    Only events that the host created are considered, because the host may not know what happened at other people's
    events. Someone who was invited by address and checked in without ever answering is left out, because the owner of
    the address must not be disclosed.
    """
    if people is not None and not people:
        return {}
    events = await reader.fetch(_LATEST_EVENTS_SQL, host=host, now=reader.now, latest=NUMBER_OF_LATEST_EVENTS)
    event_ids = [row["id"] for row in events]
    if not event_ids:
        return {}
    clause = "" if people is None else "and a.user_id in :people"
    parameters = {} if people is None else {"people": sorted(set(people))}
    rows = await reader.fetch(
        f"""
        select a.user_id, count(*) as said_yes, sum(case when a.status = 'attended' then 1 else 0 end) as came
          from attendances a
         where a.event_id in :event_ids and a.status in ('attending', 'attended') and a.user_id <> :host {clause}
           and not {IS_UNANSWERED_INVITATION}
         group by a.user_id having count(*) >= :least
         order by said_yes desc, came desc, a.user_id limit :limit
        """,
        event_ids=event_ids,
        host=host,
        least=MIN_YES_OF_REGULARS if people is None else 1,
        limit=limit if people is None else len(people),
        **parameters,
    )
    hidden = await _hidden_among(reader, event_ids, [row["user_id"] for row in rows])
    had_check_in = all(row["had_check_in"] for row in events)
    return {
        UserId(row["user_id"]): PastAttendance(len(events), had_check_in, int(row["came"]), int(row["said_yes"]))
        for row in rows
        if row["user_id"] not in hidden
    }


async def new_to_host(reader: Reader, host: UserId, people: Sequence[UserId]) -> set[UserId]:
    """Return which of these people never said yes to a past event that this host created. Empty if there was none, because
    then everybody is new. Invitations by address count only once they were answered, as in ``past_attendance``.
    """
    if not people or not await reader.fetch(_LATEST_EVENTS_SQL, host=host, now=reader.now, latest=1):
        return set()
    rows = await reader.fetch(
        f"""
        select distinct a.user_id
          from attendances a join events e on e.id = a.event_id
         where a.user_id in :people and a.status in ('attending', 'attended') and not {IS_UNANSWERED_INVITATION}
           and e.author_id = :host and e.over_at <= :now
           and e.is_draft = 0 and e.status <> 'cancelled' and e.deleted_at is null and e.removed_at is null
        """,
        people=sorted(set(people)),
        host=host,
        now=reader.now,
    )
    return set(people) - {UserId(row["user_id"]) for row in rows}


async def _hidden_among(reader: Reader, event_ids: Sequence[str], people: Sequence[str]) -> set[str]:
    """Return which of these people are hidden at these events. Called for a few people only, because each check takes
    about a dozen queries.
    """
    if not people:
        return set()
    rows = await reader.fetch(
        f"""
        select distinct a.user_id from attendances a
         where a.event_id in :wanted and a.user_id in :people and {IS_HIDDEN} order by a.user_id
        """,
        wanted=event_ids,
        people=people,
    )
    return {row["user_id"] for row in rows}
