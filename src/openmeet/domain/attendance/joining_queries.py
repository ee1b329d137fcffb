"""The SQL of ``joining``: settings of an event, or of its series for all its dates that have none of their own."""

from collections.abc import Sequence

import msgspec

from groundwork.database.joint_revision import joint_revision
from groundwork.database.transaction import Reader, Row, Transaction
from openmeet.domain.attendance.registration import DEFAULT, ForeignAnswers, Joining, ListAudience, Question
from openmeet.domain.events.model import Event, EventId

COLUMNS = (
    "subject_id, limit_in_person, limit_online, needs_approval, closes_hours_before, max_party, asks_names, is_members_only,"
    " list_audience, foreign_answers, takes_guests, questions, revision"
)


async def of_event(reader: Reader, event: Event) -> Joining:
    """The settings that hold for an event."""
    return (await of_events(reader, [event]))[event.id]


async def of_events(reader: Reader, events: Sequence[Event]) -> dict[EventId, Joining]:
    """The settings of several events in one statement."""
    if not events:
        return {}
    rows = await reader.fetch(
        f"select {COLUMNS} from joining_settings where subject_id in :subjects order by subject_id",
        # Their own, and those of their series.
        subjects=sorted(
            {event.id for event in events}
            | {event.place_in_series.series_id for event in events if event.place_in_series}
        ),
    )
    found = {row["subject_id"]: joining_of(row) for row in rows}
    return {
        event.id: found.get(event.id)
        or found.get(event.place_in_series.series_id if event.place_in_series else "")
        or DEFAULT
        for event in events
    }


async def limited_among(reader: Reader, events: Sequence[Event]) -> frozenset[EventId]:
    """Those of several events whose places are limited, in all or by way."""
    found = await of_events(reader, events)
    return frozenset(event.id for event in events if found[event.id].has_limit(event.capacity, event.mode))


async def revision_of(reader: Reader, event: Event) -> int:
    """What a tag of these settings names: those of the event itself, and those of its series, which an edit for all dates replaces."""
    place = event.place_in_series
    subjects = [event.id] if place is None else [event.id, place.series_id]
    rows = await reader.fetch(
        "select subject_id, revision from joining_settings where subject_id in :subjects order by subject_id",
        subjects=subjects,
    )
    return joint_revision(*((row["subject_id"], row["revision"]) for row in rows))


async def dates_without_own(reader: Reader, series_id: str) -> list[EventId]:
    """Dates of a series that are not over and have no settings of their own."""
    rows = await reader.fetch(
        """
        select e.id from events e
         where e.series_id = :series_id and e.over_at > :now and e.deleted_at is null and e.removed_at is null
           and not exists (select 1 from joining_settings j where j.subject_id = e.id)
         order by e.starts_at, e.id
        """,
        series_id=series_id,
        now=reader.now,
    )
    return [EventId(row["id"]) for row in rows]


async def of_subject(reader: Reader, subject_id: str) -> Joining | None:
    """The settings of this event or series itself."""
    row = await reader.fetch_one(
        f"select {COLUMNS} from joining_settings where subject_id = :subject_id", subject_id=subject_id
    )
    return joining_of(row) if row else None


async def put(tx: Transaction, subject_id: str, wanted: Joining) -> Joining:
    """Replace the settings of an event or a series; the revision grows."""
    row = await tx.fetch_one(
        f"""
        insert into joining_settings ({COLUMNS}, updated_at)
        values (:subject_id, :limit_in_person, :limit_online, :needs_approval, :closes_hours_before, :max_party, :asks_names,
                :is_members_only, :list_audience, :foreign_answers, :takes_guests, :questions, 1, :now)
            on conflict (subject_id) do update
           set limit_in_person = excluded.limit_in_person, limit_online = excluded.limit_online,
               needs_approval = excluded.needs_approval, closes_hours_before = excluded.closes_hours_before,
               max_party = excluded.max_party, asks_names = excluded.asks_names,
               is_members_only = excluded.is_members_only, list_audience = excluded.list_audience,
               foreign_answers = excluded.foreign_answers, takes_guests = excluded.takes_guests,
               questions = excluded.questions, revision = joining_settings.revision + 1, updated_at = excluded.updated_at
        returning {COLUMNS}
        """,
        subject_id=subject_id,
        limit_in_person=wanted.limit_in_person,
        limit_online=wanted.limit_online,
        needs_approval=int(wanted.needs_approval),
        closes_hours_before=wanted.closes_hours_before,
        max_party=wanted.max_party,
        asks_names=int(wanted.asks_names),
        is_members_only=int(wanted.is_members_only),
        list_audience=wanted.list_audience.value,
        foreign_answers=wanted.foreign_answers.value if wanted.foreign_answers else None,
        takes_guests=int(wanted.takes_guests),
        questions=msgspec.json.encode(wanted.questions).decode(),
        now=tx.now,
    )
    if row is None:
        raise RuntimeError("insert or update … returning gave no row")
    return joining_of(row)


async def copy(tx: Transaction, from_subject: str, to_subject: str) -> None:
    """What holds for one holds for the other: a series that was split off."""
    found = await of_subject(tx, from_subject)
    if found is not None:
        await put(tx, to_subject, found)


async def copy_of_event(tx: Transaction, event: Event, to_subject: str) -> None:
    """What holds for the event, be it its own or its series', holds for another event or series that was made from it.

    What its host has said about the copy meanwhile stays: the form that made it may come again.
    """
    found = await of_event(tx, event)
    if found is not DEFAULT and await of_subject(tx, to_subject) is None:
        await put(tx, to_subject, found)


async def forget(tx: Transaction, subject_id: str) -> None:
    """The event has those of its series again, or the defaults."""
    await tx.execute("delete from joining_settings where subject_id = :subject_id", subject_id=subject_id)


def joining_of(row: Row) -> Joining:
    """The model value of a row that has ``COLUMNS``."""
    return Joining(
        limit_in_person=row["limit_in_person"],
        limit_online=row["limit_online"],
        needs_approval=bool(row["needs_approval"]),
        closes_hours_before=row["closes_hours_before"],
        max_party=row["max_party"],
        asks_names=bool(row["asks_names"]),
        is_members_only=bool(row["is_members_only"]),
        list_audience=ListAudience(row["list_audience"]),
        foreign_answers=ForeignAnswers(row["foreign_answers"]) if row["foreign_answers"] else None,
        takes_guests=bool(row["takes_guests"]),
        questions=msgspec.json.decode(row["questions"], type=tuple[Question, ...]),
        revision=row["revision"],
    )
