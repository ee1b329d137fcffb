"""Host messages: values and SQL."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.isolation import Position
from openmeet.domain.attendance.model import AttendanceStatus
from openmeet.domain.events.model import EventId
from openmeet.domain.paging import ALL_ROWS, Page
from openmeet.domain.users.erasure_requests import is_leaving
from openmeet.domain.users.model import UserId

MessageId = NewType("MessageId", str)

MAX_TEXT: Final = 5_000
# Limit per event and day. Enough to announce a change of rooms and correct it; more would annoy attendees.
MAX_A_DAY: Final = 5
# How far ahead a message can be scheduled. Few events are planned further ahead.
LONGEST_AHEAD: Final = 366 * DAY


class Addressees(StrEnum):
    """Audiences of a message. Hosts can choose several."""

    GOING = "going"
    INTERESTED = "interested"
    WAITING = "waiting"
    ATTENDED = "attended"


STATUSES: Final = {
    # Includes people who are already checked in, because they also need to be notified of a change.
    Addressees.GOING: (AttendanceStatus.ATTENDING, AttendanceStatus.ATTENDED),
    Addressees.INTERESTED: (AttendanceStatus.INTERESTED,),
    Addressees.WAITING: (AttendanceStatus.WAITLISTED, AttendanceStatus.PENDING),
    # People who were checked in.
    Addressees.ATTENDED: (AttendanceStatus.ATTENDED,),
}


class MessageState(StrEnum):
    """State of a host's message.

    ``CALLED_OFF``: a host cancelled it, or when it was due, the event was cancelled or hidden, or its author was no
    longer a host.
    """

    SCHEDULED = "scheduled"
    SENT = "sent"
    CALLED_OFF = "called_off"


@dataclass(frozen=True, slots=True)
class HostMessage:
    """A message from a host. ``number`` counts the messages of an event. ``recipients`` is how many people received it,
    and 0 until it is sent.
    """

    id: MessageId
    event_id: EventId
    number: int
    author_id: UserId
    addressees: tuple[Addressees, ...]
    text: str
    state: MessageState
    send_at: Instant
    sent_at: Instant | None
    recipients: int
    created_at: Instant


@dataclass(frozen=True, slots=True)
class Recipients:
    """Attendees in an audience who would receive a message, and how many would not.

    The others have no account (a host added them by name, or they are known only from a record) or turned off messages.
    """

    reached: tuple[UserId, ...]
    unreached: int


_COLUMNS = "id, event_id, number, author_id, addressees, text, state, send_at, sent_at, recipients, created_at"


def _message_of(row: Row) -> HostMessage:
    return HostMessage(
        id=MessageId(row["id"]),
        event_id=EventId(row["event_id"]),
        number=row["number"],
        author_id=UserId(row["author_id"]),
        addressees=tuple(Addressees(one) for one in row["addressees"].split(",")),
        text=row["text"],
        state=MessageState(row["state"]),
        send_at=row["send_at"],
        sent_at=row["sent_at"],
        recipients=row["recipients"],
        created_at=row["created_at"],
    )


async def insert(tx: Transaction, message: HostMessage, submission_key: str | None) -> None:
    await tx.execute(
        f"""
        insert into host_messages ({_COLUMNS}, submission_key)
        values (:id, :event_id, :number, :author_id, :addressees, :text, :state, :send_at, :sent_at, :recipients,
                :created_at, :submission_key)
        """,
        id=message.id,
        event_id=message.event_id,
        number=message.number,
        author_id=message.author_id,
        addressees=",".join(message.addressees),
        text=message.text,
        state=message.state.value,
        send_at=message.send_at,
        sent_at=message.sent_at,
        recipients=message.recipients,
        created_at=message.created_at,
        submission_key=submission_key,
    )


async def close(tx: Transaction, message_id: MessageId, state: MessageState, recipients: int) -> bool:
    """Set the final state of a scheduled message. Returns False if it already has one."""
    return (
        await tx.execute(
            """
            update host_messages set state = :state, recipients = :recipients,
                   sent_at = case when cast(:is_sent as integer) = 1 then cast(:now as bigint) else null end
             where id = :id and state = 'scheduled'
            """,
            id=message_id,
            state=state.value,
            recipients=recipients,
            is_sent=int(state is MessageState.SENT),
            now=tx.now,
        )
        == 1
    )


async def of_event(reader: Reader, event_id: EventId, page: Page = ALL_ROWS) -> list[HostMessage]:
    """Return the messages of an event, newest first, except those of hosts who are deleting their account."""
    rows = await reader.fetch(
        f"select {_COLUMNS} from host_messages where event_id = :event_id and not {is_leaving('host_messages.author_id')}"
        f"{page.clause('number', 'id')}",
        event_id=event_id,
        **page.values,
    )
    return [_message_of(row) for row in rows]


async def by_id(reader: Reader, message_id: MessageId) -> HostMessage | None:
    row = await reader.fetch_one(f"select {_COLUMNS} from host_messages where id = :id", id=message_id)
    return _message_of(row) if row else None


async def by_submission(reader: Reader, event_id: EventId, key: str) -> HostMessage | None:
    """Return the message made from this form submission."""
    row = await reader.fetch_one(
        f"select {_COLUMNS} from host_messages where event_id = :event_id and submission_key = :key",
        event_id=event_id,
        key=key,
    )
    return _message_of(row) if row else None


async def last_number(reader: Reader, event_id: EventId) -> int:
    """The highest message number of the event. Callers lock the event row, so that nobody else takes the next number."""
    row = await reader.fetch_one(
        "select coalesce(max(number), 0) as last from host_messages where event_id = :event_id", event_id=event_id
    )
    return int(row["last"]) if row else 0


async def written_since(reader: Reader, event_id: EventId, since: Instant) -> int:
    row = await reader.fetch_one(
        "select count(*) as written from host_messages where event_id = :event_id and created_at > :since"
        " and state <> 'called_off'",
        event_id=event_id,
        since=since,
    )
    return int(row["written"]) if row else 0


async def due(reader: Reader, after: Position, limit: int) -> list[tuple[int, MessageId]]:
    """Return messages that are due, oldest first."""
    rows = await reader.fetch(
        "select send_at, id from host_messages where state = 'scheduled' and send_at <= :now"
        " and (send_at, id) > (cast(:after_at as bigint), :after_id) order by send_at, id limit :limit",
        now=reader.now,
        after_at=after[0],
        after_id=after[1],
        limit=limit,
    )
    return [(int(row["send_at"]), MessageId(row["id"])) for row in rows]
