"""SQL for detected series, their authors' decisions, and linking events without changing them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, NewType

import msgspec

from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.uuid7 import new_id
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import COLUMNS as EVENT_COLUMNS
from openmeet.domain.events.queries import event_of
from openmeet.domain.paging import ALL_ROWS, Page
from openmeet.domain.personal_data.tables import hand_over
from openmeet.domain.series.dates import original_of, original_text
from openmeet.domain.series.detection import CERTAIN, MAX_EVENTS, MAX_EVENTS_OF_STRANGER, DetectedSeries
from openmeet.domain.series.model import SeriesId
from openmeet.domain.users.model import User, UserId, UserKind
from openmeet.recurrence.rule import format_rule, parse_rule

DetectionId = NewType("DetectionId", str)


class DetectionState(StrEnum):
    """State of a detected series.

    ``LINKED``: shown as a series because of its high confidence, but not confirmed by its author. ``ACCEPTED`` and
    ``REFUSED`` are the author's decisions.
    """

    SUGGESTED = "suggested"
    LINKED = "linked"
    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Detection:
    """A detected series. ``series_id``: the series that was made from it when it was linked, now or earlier."""

    id: DetectionId
    user_id: UserId
    state: DetectionState
    series_id: SeriesId | None
    found: DetectedSeries

    @property
    def sort_key(self) -> tuple[int, str]:
        """Sort key of the list."""
        return round(self.found.confidence * 1000), self.id

    @property
    def is_open(self) -> bool:
        """Whether its author has not decided yet."""
        return self.state in {DetectionState.SUGGESTED, DetectionState.LINKED}

    @property
    def is_certain(self) -> bool:
        return self.found.confidence >= CERTAIN


_COLUMNS: Final = "id, user_id, key, state, series_id, rule, time_zone, dates, missing, confidence"

# Single events from the author's repositories, and events of unconfirmed series.
_SIGHTED: Final = f"""
    select {EVENT_COLUMNS} from events
     where author_id = :user_id and origin = 'network' and starts_at is not null and group_id is null
       and deleted_at is null and removed_at is null and status <> 'cancelled' and is_draft = 0
       and (series_id is null or exists (
             select 1 from series_detections d where d.series_id = events.series_id and d.state = 'linked'))
     order by starts_at desc, id desc limit :limit
"""


async def sighted(reader: Reader, author: User) -> list[Event]:
    """The events to search for series, newest first. Fewer for an author who never signed in."""
    most = MAX_EVENTS_OF_STRANGER if author.kind is UserKind.SHADOW else MAX_EVENTS
    rows = await reader.fetch(_SIGHTED, user_id=author.id, limit=most)
    return [event_of(row) for row in rows]


async def of_person(reader: Reader, user_id: UserId, page: Page = ALL_ROWS) -> list[Detection]:
    """A person's detected series, highest confidence first."""
    rows = await reader.fetch(
        f"select {_COLUMNS} from series_detections where user_id = :user_id{page.clause('confidence', 'id')}",
        user_id=user_id,
        **page.values,
    )
    return [_detection(row) for row in rows]


async def find(reader: Reader, detection_id: DetectionId, user_id: UserId) -> Detection | None:
    """One detected series of a person."""
    row = await reader.fetch_one(
        f"select {_COLUMNS} from series_detections where id = :id and user_id = :user_id",
        id=detection_id,
        user_id=user_id,
    )
    return _detection(row) if row else None


async def lock_author(tx: Transaction, user_id: UserId) -> bool:
    """Lock the author, so that only one detection or decision runs at a time. False if there is no such author."""
    return await tx.execute("update users set id = id where id = :id", id=user_id) == 1


async def put(
    tx: Transaction, user_id: UserId, detected: DetectedSeries, state: DetectionState, series_id: SeriesId | None
) -> DetectionId:
    """Store a detected series under its key. Replaces an earlier one."""
    row = await tx.fetch_one(
        """
        insert into series_detections (id, user_id, key, state, series_id, rule, time_zone, dates, missing, confidence,
                                       created_at, updated_at)
        values (:id, :user_id, :key, :state, :series_id, :rule, :time_zone, :dates, :missing, :confidence, :now, :now)
            on conflict (user_id, key) do update
           set state = excluded.state, series_id = excluded.series_id, rule = excluded.rule,
               time_zone = excluded.time_zone, dates = excluded.dates, missing = excluded.missing,
               confidence = excluded.confidence, updated_at = excluded.updated_at
        returning id
        """,
        id=new_id(tx.now),
        user_id=user_id,
        key=detected.key,
        state=state.value,
        series_id=series_id,
        rule=format_rule(detected.rule) if detected.rule else "",
        time_zone=detected.zone_name,
        dates=msgspec.json.encode([(event_id, original_text(at)) for event_id, at in detected.dates]).decode(),
        missing=msgspec.json.encode([original_text(at) for at in detected.missing]).decode(),
        confidence=round(detected.confidence * 1000),
        now=tx.now,
    )
    assert row is not None  # noqa: S101  # inserted or updated
    return DetectionId(row["id"])


async def set_state(
    tx: Transaction, detection: Detection, state: DetectionState, series_id: SeriesId | None
) -> Detection:
    """Set the state, for example after the author's decision, and the series that was made from the events. Return the
    detection with them.
    """
    await tx.execute(
        "update series_detections set state = :state, series_id = :series_id, updated_at = :now where id = :id",
        state=state.value,
        series_id=series_id,
        id=detection.id,
        now=tx.now,
    )
    return replace(detection, state=state, series_id=series_id)


async def delete(tx: Transaction, detection: Detection) -> None:
    """Delete a detected series that no longer exists."""
    await tx.execute("delete from series_detections where id = :id", id=detection.id)


async def set_overridden(tx: Transaction, fields: Sequence[tuple[EventId, tuple[str, ...]]]) -> None:
    """Set the overridden fields of these dates. Their own revisions and records do not change."""
    await tx.execute_many(
        "update events set overridden_fields = :fields where id = :id",
        [{"id": event_id, "fields": ",".join(names)} for event_id, names in fields],
    )


async def leave_inferred(tx: Transaction, event_id: EventId) -> bool:
    """Detach an event from a detected series because its record names another. False if it is not in one."""
    changed = await tx.execute(
        """
        update events set series_id = null, original_date = null, overridden_fields = ''
         where id = :id and series_id in (select d.series_id from series_detections d where d.state = 'linked')
        """,
        id=event_id,
    )
    return changed == 1


async def with_rsvps(reader: Reader, event_ids: Sequence[EventId]) -> frozenset[str]:
    """The given events that have an RSVP."""
    if not event_ids:
        return frozenset()
    rows = await reader.fetch(
        "select distinct event_id from attendances where event_id in :ids order by event_id", ids=list(event_ids)
    )
    return frozenset(row["event_id"] for row in rows)


async def erase_from(tx: Transaction, did: str) -> None:
    """Erase the series detected in a deleted repository. Those confirmed by their authors stay."""
    rows = await tx.fetch(
        """
        select distinct d.id, d.series_id from series_detections d join identities i on i.user_id = d.user_id
         where i.did = :did and d.state <> 'accepted' order by d.id
        """,
        did=did,
    )
    for row in rows:
        await tx.execute("delete from series_detections where id = :id", id=row["id"])
        if row["series_id"] is not None:
            await tx.execute(
                "update events set series_id = null, original_date = null, overridden_fields = '' where series_id = :id",
                id=row["series_id"],
            )
            await tx.execute(
                """
                update event_series
                   set slug = id, name = '', description = '', template = '{}', recurrence_rule = '',
                       recurrence_dates = '',
                       recurrence_exceptions = '', deleted_at = coalesce(deleted_at, :now), revision = revision + 1,
                       updated_at = :now
                 where id = :id
                """,
                id=row["series_id"],
                now=tx.now,
            )


async def reassign(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    """Move detected series in an account merge. If both accounts have one with the same key, the moved one gets another
    key.
    """
    await tx.execute(
        "update series_detections set key = key || '*' where user_id = :from_user"
        " and exists (select 1 from series_detections k where k.user_id = :to_user and k.key = series_detections.key)",
        from_user=from_user,
        to_user=to_user,
    )
    await hand_over(tx, "series_detections", "user_id", from_user, to_user)


def _detection(row: Row) -> Detection:
    dates = msgspec.json.decode(row["dates"], type=list[tuple[str, str]])
    return Detection(
        id=DetectionId(row["id"]),
        user_id=UserId(row["user_id"]),
        state=DetectionState(row["state"]),
        series_id=None if row["series_id"] is None else SeriesId(row["series_id"]),
        found=DetectedSeries(
            key=row["key"],
            rule=parse_rule(row["rule"]) if row["rule"] else None,
            zone_name=row["time_zone"],
            dates=tuple((event_id, original_of(at)) for event_id, at in dates),
            missing=tuple(_dates(row["missing"])),
            confidence=row["confidence"] / 1000,
        ),
    )


def _dates(text: str) -> list[datetime]:
    return [original_of(at) for at in msgspec.json.decode(text, type=list[str])]
