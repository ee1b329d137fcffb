"""SQL for RSVPs: conditions, reads and writes that several modules use."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, replace

import msgspec

from groundwork.database.bulk import SqlWrite, execute_each, fetch_each, insert_rows_sql
from groundwork.database.expressions import ENGINES, authority_of, qualified
from groundwork.database.transaction import Engine, Reader, Row, Transaction
from openmeet.domain.attendance.invitation_queries import IS_HIDDEN_FROM_HOSTS, REMOVED_ADDRESS
from openmeet.domain.attendance.model import (
    NO_COUNTS,
    Attendance,
    AttendanceId,
    AttendanceMode,
    AttendanceStatus,
    PendingFor,
    RsvpCounts,
    RsvpKey,
    RsvpSource,
)
from openmeet.domain.attendance.seats import SeatsHeld
from openmeet.domain.events.model import EventId
from openmeet.domain.moderation.labels import hides_person
from openmeet.domain.moderation.visibility import is_blocked
from openmeet.domain.users.erasure_requests import is_leaving
from openmeet.domain.users.model import UserId

# ``replies`` has the form responses, not replies, and ``reply_words`` the texts of their questions. Exports use these
# names.
COLUMNS = (
    "id, event_id, user_id, status, waitlist_number, source, revision, record_uri, created_at, answered_at, party, mode,"
    " offered_until, pending_for, approved_at, known_starts_at, is_private, skips_record, guest_names, replies, "
    "reply_words"
)

# RSVPs recorded in one repository, and all RSVPs of a person known only by its DID, after one event and RSVP. Each half
# has an index.
ERASABLE: Mapping[Engine, str] = {
    engine: f"""
    select {COLUMNS} from attendances
     where id in (select a.id from attendances a
                   where a.record_uri is not null and {authority_of(engine, "a.record_uri")} = :did
                   union
                  select a.id from identities i join attendances a on a.user_id = i.user_id
                   where i.did = :did and i.kind = 'shadow')
       and (event_id, id) > (:after_event_id, :after_id)
     order by event_id, id limit :limit
"""
    for engine in ENGINES
}

# SQL condition: the RSVP holds a seat, by its status or by an offer. An index has the same condition.
HOLDS_SEAT = "(status in ('attending', 'attended') or offered_until is not null)"


def awaits_decision_sql(table: str) -> str:
    """SQL condition: the RSVP waits for a host to let its person in. One with an unclear status does not say that they
    want to come, so no host can.
    """
    return f"({table}.status = 'pending' and coalesce({table}.pending_for, '') <> '{PendingFor.UNCLEAR}')"


# RSVPs of inactive accounts, of people blocked by a moderator or hidden by a label, and of people who are deleting their
# account. They are neither shown nor counted, but stay unchanged.
IS_HIDDEN = f"""(exists (
           select 1 from identities i
            where i.user_id = a.user_id and (i.status <> 'active'
              and substr(a.record_uri, 1, length(i.did) + 6) = 'at://' || i.did || '/' or {is_blocked("i.did")}))
         or {is_blocked("a.user_id")} or {hides_person("a.user_id")} or {is_leaving("a.user_id")})"""

# A guest: a person without an account, with or without an e-mail address. People whom a host added by name have none, nor
# have those who stand in for an invited address (``invitations``).
IS_GUEST = "exists (select 1 from guests g where g.user_id = a.user_id)"
# The person ``u`` of the RSVP ``a`` has an account, or is a guest with an e-mail address.
CAN_BE_NOTIFIED = (
    "(u.kind = 'person' or exists (select 1 from guests g where g.user_id = a.user_id and g.email is not null))"
)


def attendance_of(row: Row) -> Attendance:
    """Parse a row with ``COLUMNS``."""
    return Attendance(
        id=AttendanceId(row["id"]),
        event_id=EventId(row["event_id"]),
        user_id=UserId(row["user_id"]),
        status=AttendanceStatus(row["status"]),
        waitlist_number=row["waitlist_number"],
        source=RsvpSource(row["source"]),
        revision=row["revision"],
        record_uri=row["record_uri"],
        created_at=row["created_at"],
        answered_at=row["answered_at"],
        party=row["party"],
        mode=AttendanceMode(row["mode"]) if row["mode"] else None,
        offered_until=row["offered_until"],
        pending_for=PendingFor(row["pending_for"]) if row["pending_for"] else None,
        approved_at=row["approved_at"],
        known_starts_at=row["known_starts_at"],
        is_private=bool(row["is_private"]),
        skips_record=bool(row["skips_record"]),
        companion_names=tuple(msgspec.json.decode(row["guest_names"])),
        form_responses=msgspec.json.decode(row["replies"]),
        question_texts=msgspec.json.decode(row["reply_words"]),
    )


async def has_rsvps(reader: Reader, event_id: EventId, *, except_id: AttendanceId | None = None) -> bool:
    """Whether an event has any RSVP, declined ones included, other than ``except_id``."""
    row = await reader.fetch_one(
        "select 1 from attendances where event_id = :event_id and id <> :except_id limit 1",
        event_id=event_id,
        except_id=except_id or "",
    )
    return row is not None


async def find(reader: Reader, event_id: EventId, user_id: UserId) -> Attendance | None:
    row = await reader.fetch_one(
        f"select {COLUMNS} from attendances where event_id = :event_id and user_id = :user_id",
        event_id=event_id,
        user_id=user_id,
    )
    return attendance_of(row) if row else None


async def by_invited_address(reader: Reader, event_id: EventId, address: str) -> Attendance | None:
    """The RSVP that was invited under this address, whether or not the person has answered since. None for
    ``REMOVED_ADDRESS``, which is nobody's address.
    """
    if address == REMOVED_ADDRESS:
        return None
    row = await reader.fetch_one(
        f"select {COLUMNS} from attendances where event_id = :event_id and invited_as = :address order by id limit 1",
        event_id=event_id,
        address=address,
    )
    return attendance_of(row) if row else None


async def by_id(reader: Reader, attendance_id: AttendanceId) -> Attendance | None:
    row = await reader.fetch_one(f"select {COLUMNS} from attendances where id = :id", id=attendance_id)
    return attendance_of(row) if row else None


async def by_ids(reader: Reader, ids: Collection[AttendanceId]) -> dict[AttendanceId, Attendance]:
    """The RSVPs with these ids. Ids without one are left out."""
    if not ids:
        return {}
    rows = await reader.fetch(f"select {COLUMNS} from attendances where id in :ids order by id", ids=sorted(ids))
    return {one.id: one for one in map(attendance_of, rows)}


async def by_keys(reader: Reader, keys: Collection[RsvpKey]) -> dict[RsvpKey, Attendance]:
    """The RSVP of each event and person. Those without one are left out."""
    rows = [{"event_id": event_id, "user_id": user_id} for event_id, user_id in sorted(keys)]
    attendances = map(attendance_of, await fetch_each(reader, _BY_KEYS, rows))
    return {(one.event_id, one.user_id): one for one in attendances}


_BY_KEYS = f"""
    select {qualified(COLUMNS, "a")}
      from each(event_id text, user_id text) as given
      join attendances a on a.event_id = given.event_id and a.user_id = given.user_id
"""


async def by_record_uri(reader: Reader, uri: str) -> Attendance | None:
    row = await reader.fetch_one(f"select {COLUMNS} from attendances where record_uri = :uri", uri=uri)
    return attendance_of(row) if row else None


async def seats_held(reader: Reader, event_id: EventId) -> int:
    """Seats taken or offered, including those of people who are currently hidden."""
    return (await seats_by_mode(reader, event_id)).total


async def seats_by_mode(reader: Reader, event_id: EventId) -> SeatsHeld:
    """Seats held, by mode. Lock the event row first if a decision depends on the result."""
    return (await seats_by_mode_of_each(reader, [event_id]))[event_id]


async def seats_by_mode_of_each(reader: Reader, event_ids: Sequence[EventId]) -> dict[EventId, SeatsHeld]:
    """``seats_by_mode`` of several events, in one query."""
    held: dict[EventId, dict[AttendanceMode | None, int]] = {event_id: {} for event_id in event_ids}
    if held:
        rows = await reader.fetch(
            "select event_id, mode, cast(sum(party) as bigint) as held from attendances"
            f" where event_id in :event_ids and {HOLDS_SEAT} group by event_id, mode order by event_id, mode",
            event_ids=sorted(held),
        )
        for row in rows:
            held[EventId(row["event_id"])][AttendanceMode(row["mode"]) if row["mode"] else None] = int(row["held"])
    return {event_id: SeatsHeld(by_mode) for event_id, by_mode in held.items()}


async def latest_in_series(reader: Reader, series_id: str, user_id: UserId) -> Attendance | None:
    """The latest RSVP with "going" that a person has for any date of a series."""
    row = await reader.fetch_one(
        f"select {qualified(COLUMNS, 'a')} from attendances a join events e on e.id = a.event_id"
        " where e.series_id = :series_id and a.user_id = :user_id"
        " and a.status in ('attending', 'attended', 'waitlisted', 'pending') order by a.answered_at desc, a.id desc "
        "limit 1",
        series_id=series_id,
        user_id=user_id,
    )
    return attendance_of(row) if row else None


async def in_order_of_arrival(
    reader: Reader,
    event_id: EventId,
    statuses: Sequence[AttendanceStatus],
    ids: Sequence[AttendanceId],
    *,
    with_hidden: bool = False,
) -> list[Attendance]:
    """Those of these RSVPs to an event that have one of the statuses, in order of arrival.

    People whom moderators hid are left out unless ``with_hidden``. Hosts still see these in their list. People who are
    deleting their account are always left out.
    """
    if not ids:
        return []
    rows = await reader.fetch(
        f"select {COLUMNS} from attendances a where event_id = :event_id and status in :wanted"
        f" and not {IS_HIDDEN_FROM_HOSTS if with_hidden else IS_HIDDEN} and id in :ids order by answered_at, id",
        event_id=event_id,
        wanted=[status.value for status in statuses],
        ids=list(ids),
    )
    return [attendance_of(row) for row in rows]


async def next_to_approve(reader: Reader, event_id: EventId, *, limit: int) -> list[Attendance]:
    """The next RSVPs that wait for a host's decision and are not hidden, in order of arrival."""
    rows = await reader.fetch(
        f"select {COLUMNS} from attendances a where event_id = :event_id and {awaits_decision_sql('a')}"
        f" and not {IS_HIDDEN} order by answered_at, id limit :limit",
        event_id=event_id,
        limit=limit,
    )
    return [attendance_of(row) for row in rows]


async def unreachable(reader: Reader, user_ids: Sequence[UserId]) -> set[UserId]:
    """Return which of these people cannot be notified, because they are known only by a DID or by a name that a host
    typed.
    """
    if not user_ids:
        return set()
    rows = await reader.fetch(
        "select u.id from users u left join guests g on g.user_id = u.id"
        " where u.id in :user_ids and u.kind = 'shadow' and g.email is null order by u.id",
        user_ids=list(user_ids),
    )
    return {UserId(row["id"]) for row in rows}


async def people_with_status(reader: Reader, event_id: EventId, statuses: Sequence[AttendanceStatus]) -> list[UserId]:
    """All people with these statuses, including those who cannot be notified."""
    rows = await reader.fetch(
        "select user_id from attendances where event_id = :event_id and status in :wanted order by user_id",
        event_id=event_id,
        wanted=[status.value for status in statuses],
    )
    return [UserId(row["user_id"]) for row in rows]


async def counts(reader: Reader, event_ids: Sequence[EventId]) -> dict[EventId, RsvpCounts]:
    """Counts of several events in one query. People known only by their DID are included.

    This reads every RSVP. For display use ``attendee_summary.counts_shown``, which caches the counts of large events for a
    few seconds.
    """
    counts_by_event = dict.fromkeys(event_ids, NO_COUNTS)
    if not counts_by_event:
        return counts_by_event
    rows = await reader.fetch(
        f"""
        select event_id,
               cast(sum(case when status in ('attending', 'attended') then shown else 0 end) as bigint) as going,
               cast(sum(case when status = 'interested' then shown else 0 end) as bigint) as interested,
               cast(sum(case when status = 'waitlisted' then shown else 0 end) as bigint) as waitlisted,
               cast(sum(case when status = 'waitlisted' and offered_until is null then shown else 0 end) as bigint)
                 as waiting,
               cast(sum(case when {awaits_decision_sql("counted")} then shown else 0 end) as bigint) as pending_people,
               cast(sum(case when {awaits_decision_sql("counted")}
                   and shown > 0 then 1 else 0 end) as bigint) as pending_rsvps,
               cast(sum(case when status = 'pending' and pending_for = 'approval' then shown else 0 end) as bigint)
                 as awaiting_approval,
               cast(sum(case when {HOLDS_SEAT} then party else 0 end) as bigint) as seats,
               cast(sum(case when offered_until is not null then party else 0 end) as bigint) as offered,
               cast(sum(case when status in ('attending', 'attended') and mode = 'online' then shown else 0 end) as bigint)
                 as online
          from (select a.event_id, a.status, a.pending_for, a.party, a.mode, a.offered_until,
                       case when {IS_HIDDEN} then 0 else a.party end as shown
                  from attendances a where a.event_id in :wanted) as counted
         group by event_id order by event_id
        """,
        wanted=list(counts_by_event),
    )
    for row in rows:
        counts_by_event[EventId(row["event_id"])] = RsvpCounts(
            **{one.name: int(row[one.name]) for one in fields(RsvpCounts)}
        )
    return counts_by_event


async def of_user(reader: Reader, user_id: UserId, event_ids: Sequence[EventId]) -> dict[EventId, Attendance]:
    """One person's RSVPs to several events."""
    if not event_ids:
        return {}
    rows = await reader.fetch(
        f"select {COLUMNS} from attendances where user_id = :user_id and event_id in :wanted order by event_id",
        user_id=user_id,
        wanted=list(event_ids),
    )
    return {EventId(row["event_id"]): attendance_of(row) for row in rows}


async def erasable(reader: Reader, did: str, *, after: tuple[str, str], limit: int) -> list[Attendance]:
    """The next RSVPs to erase with a DID, by event: those recorded in its repository, and all RSVPs of a person known
    only by this DID. ``after``: event id and RSVP id of the last one before.
    """
    rows = await reader.fetch(ERASABLE[reader.engine], did=did, after_event_id=after[0], after_id=after[1], limit=limit)
    return [attendance_of(row) for row in rows]


def insert_statement(new: Attendance) -> SqlWrite:
    """Statement that inserts a first RSVP. It raises UniqueViolated if the person already has one or the record belongs
    to another RSVP.
    """
    return SqlWrite(
        _INSERT,
        {
            "id": new.id,
            "event_id": new.event_id,
            "user_id": new.user_id,
            "record_uri": new.record_uri,
            "created_at": new.created_at,
            "revision": 1,
            **_values(new),
        },
    )


async def insert_each(tx: Transaction, new: Sequence[Attendance]) -> None:
    """Insert several first RSVPs, like ``insert_statement``."""
    await execute_each(tx, _INSERT_EACH, [insert_statement(one).parameters for one in new])


async def save(tx: Transaction, changed: Attendance) -> Attendance:
    """Update an RSVP and increment its revision."""
    row = await tx.fetch_one(
        f"""
        update attendances set {", ".join(f"{name} = :{name}" for name in _UPDATED_COLUMNS)}, revision = revision + 1
         where id = :id
        returning {COLUMNS}
        """,
        id=changed.id,
        **_values(changed),
    )
    if row is None:
        raise RuntimeError("the attendance vanished while its event was locked")
    return attendance_of(row)


async def save_many(tx: Transaction, changed: Sequence[Attendance]) -> list[Attendance]:
    """``save`` for many different RSVPs, in the same order. Their events have been locked since they were read."""
    await execute_each(tx, _UPDATE_EACH, [{"id": one.id, **_values(one)} for one in changed])
    return _as_saved(changed)


async def save_many_with_records(tx: Transaction, changed: Sequence[Attendance]) -> list[Attendance]:
    """``save_many``, and set the URIs of their records. No other RSVP has these records."""
    await execute_each(
        tx,
        _UPDATE_EACH_WITH_RECORD,
        [{"id": one.id, "record_uri": one.record_uri, **_values(one)} for one in changed],
    )
    return _as_saved(changed)


def _as_saved(changed: Sequence[Attendance]) -> list[Attendance]:
    """These RSVPs with their new revisions. Nobody else changes them while their events are locked, and SQLite would
    read the revisions back one at a time.
    """
    return [replace(one, revision=one.revision + 1) for one in changed]


# Name to type.
_UPDATED_COLUMNS = {
    "status": "text",
    "waitlist_number": "bigint",
    "source": "text",
    "answered_at": "bigint",
    "party": "integer",
    "mode": "text",
    "offered_until": "bigint",
    "pending_for": "text",
    "approved_at": "bigint",
    "known_starts_at": "bigint",
    "is_private": "integer",
    "skips_record": "integer",
    "guest_names": "text",
    "replies": "text",
    "reply_words": "text",
}


def _update_each_sql(columns: Mapping[str, str]) -> str:
    assignments = ", ".join(f"{name} = given.{name}" for name in columns)
    typed_columns = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    return f"""
        update attendances set {assignments}, revision = attendances.revision + 1
          from each(id text, {typed_columns}) as given where attendances.id = given.id
    """


_UPDATE_EACH = _update_each_sql(_UPDATED_COLUMNS)
_UPDATE_EACH_WITH_RECORD = _update_each_sql({"record_uri": "text", **_UPDATED_COLUMNS})


_INSERT = f"""
    insert into attendances (id, event_id, user_id, revision, record_uri, created_at, {", ".join(_UPDATED_COLUMNS)})
    values (:id, :event_id, :user_id, :revision, :record_uri, :created_at,
        {", ".join(f":{name}" for name in _UPDATED_COLUMNS)})
"""


_INSERT_EACH = insert_rows_sql(
    "attendances",
    {
        "id": "text",
        "event_id": "text",
        "user_id": "text",
        "record_uri": "text",
        "created_at": "bigint",
        "revision": "bigint",
        **_UPDATED_COLUMNS,
    },
)


def _values(attendance: Attendance) -> dict[str, object]:
    return {
        "status": attendance.status.value,
        "waitlist_number": attendance.waitlist_number,
        "source": attendance.source.value,
        "answered_at": attendance.answered_at,
        "party": attendance.party,
        "mode": attendance.mode.value if attendance.mode else None,
        "offered_until": attendance.offered_until,
        "pending_for": attendance.pending_for.value if attendance.pending_for else None,
        "approved_at": attendance.approved_at,
        "known_starts_at": attendance.known_starts_at,
        "is_private": int(attendance.is_private),
        "skips_record": int(attendance.skips_record),
        "guest_names": msgspec.json.encode(attendance.companion_names).decode(),
        "replies": msgspec.json.encode(dict(attendance.form_responses)).decode(),
        "reply_words": msgspec.json.encode(dict(attendance.question_texts)).decode(),
    }


async def delete(tx: Transaction, attendance_id: AttendanceId) -> None:
    await tx.execute("delete from attendances where id = :id", id=attendance_id)


async def detach_records(tx: Transaction, uris: Collection[str]) -> None:
    """Clear these record URIs wherever they are stored, because another RSVP has the record now."""
    if uris:
        await tx.execute("update attendances set record_uri = null where record_uri in :uris", uris=sorted(uris))


async def set_record(tx: Transaction, attendance_id: AttendanceId, record_uri: str | None) -> None:
    await tx.execute(
        "update attendances set record_uri = :record_uri where id = :id", record_uri=record_uri, id=attendance_id
    )


async def set_records(tx: Transaction, uris: Mapping[AttendanceId, str | None]) -> None:
    """Set the record URIs of several RSVPs; None means that there is no record any more."""
    await tx.execute_many(
        "update attendances set record_uri = :record_uri where id = :id",
        [{"id": attendance_id, "record_uri": uri} for attendance_id, uri in sorted(uris.items())],
    )
