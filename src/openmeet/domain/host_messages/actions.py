"""Send a message to attendees, now or at a set time. The sender holds the lock on the event row."""

from collections.abc import Iterable, Sequence

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import Forbidden, InvalidForm, NotFound, Reason, Refused, TooMany, Why
from groundwork.isolation import Position, each_due
from groundwork.telemetry.logs import log
from groundwork.uuid7 import new_id
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.model import AttendanceStatus
from openmeet.domain.events import event_access
from openmeet.domain.events.model import Event, EventId, EventSlug
from openmeet.domain.events.permissions import EventPermission, may
from openmeet.domain.events.queries import by_slug, lock_by_slug, lock_for_update
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.host_messages import queries
from openmeet.domain.host_messages.queries import (
    LONGEST_AHEAD,
    MAX_A_DAY,
    MAX_TEXT,
    STATUSES,
    Addressees,
    HostMessage,
    MessageId,
    MessageState,
    Recipients,
)
from openmeet.domain.moderation.visibility import is_person_suspended
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications import notify as notifications
from openmeet.domain.users import erasure_requests
from openmeet.domain.users.model import Caller, UserId
from openmeet.domain.validation import GeneralReason


class HostMessageReason(Reason):
    """Why a message from a host is refused. The messages are in ``i18n/reasons/events.py``."""

    TEXT_NEEDED = "host_message.text_needed"
    MOMENT_OVER = "host_message.moment_over"
    NOT_PUBLISHED = "host_message.not_published"
    TOO_MANY_MESSAGES = "host_message.too_many_messages"
    NOBODY_TO_REACH = "host_message.nobody_to_reach"
    NO_SUCH_MESSAGE = "host_message.no_such_message"
    ALREADY_SENT = "host_message.already_sent"
    AUDIENCE_NEEDED = "host_message.audience_needed"
    MOMENT_TOO_FAR = "host_message.moment_too_far"
    ALREADY_WRITTEN = "host_message.already_written"


# Messages that the scheduler reads at once.
AT_ONCE = 50


class AlreadyWritten(Refused):
    """The idempotency key was already used for a message with another text, audience or time."""

    def __init__(self) -> None:
        super().__init__(
            HostMessageReason.ALREADY_WRITTEN,
            name="KeyReused",
        )


async def find_for_host(reader: Reader, caller: Caller, slug: EventSlug) -> Event:
    """Return the event if the caller may message its attendees. Raises NotFound, Forbidden."""
    return await _checked(reader, caller, await by_slug(reader, slug))


async def counts(reader: Reader, event: Event, writer: UserId) -> dict[Addressees, int]:
    """Number of recipients per audience."""
    attendees = {
        one: set(await attendance_queries.people_with_status(reader, event.id, STATUSES[one])) for one in Addressees
    }
    # A person can be in two audiences, and reading notification preferences is the expensive part, so they are read
    # once for everybody.
    everybody = set().union(*attendees.values()) - {writer}
    reachable = set(await notifications.reachable_among(reader, sorted(everybody), event_kinds.HOST_MESSAGE))
    return {one: len(people & reachable) for one, people in attendees.items()}


async def recipients(reader: Reader, event: Event, addressees: Iterable[Addressees], writer: UserId) -> Recipients:
    """Return the recipients, each once, without the author."""
    attendees = await attendance_queries.people_with_status(reader, event.id, statuses_of(addressees))
    people = [user_id for user_id in attendees if user_id != writer]
    reachable = await notifications.reachable_among(reader, people, event_kinds.HOST_MESSAGE)
    return Recipients(tuple(reachable), len(people) - len(reachable))


async def write(
    tx: Transaction,
    caller: Caller,
    slug: EventSlug,
    text: str,
    addressees: Iterable[str],
    *,
    send_at: Instant | None = None,
    submission_key: str | None = None,
) -> HostMessage:
    """Send the message now or schedule it. Repeating the same ``submission_key`` returns the message made the first
    time.

    Raises NotFound, Forbidden, InvalidForm, TooMany, Refused (``NotPublished``, ``Nobody``), AlreadyWritten.
    """
    addressees = list(addressees)
    event = await _checked(tx, caller, await lock_by_slug(tx, slug))
    if await is_person_suspended(tx, caller.user_id):
        raise Forbidden(EventReason.MAY_NOT_MESSAGE)
    if submission_key:
        earlier = await queries.by_submission(tx, event.id, submission_key)
        if earlier is not None and not _is_the_same(earlier, text, addressees, send_at):
            raise AlreadyWritten
        if earlier is not None:
            return earlier
    plain, chosen_addressees = check(text, addressees, send_at, tx.now)
    if event.is_held:
        raise Refused(HostMessageReason.NOT_PUBLISHED, name="NotPublished")
    if await queries.written_since(tx, event.id, Instant(tx.now - DAY)) >= MAX_A_DAY:
        raise TooMany(HostMessageReason.TOO_MANY_MESSAGES, most=MAX_A_DAY, after_seconds=24 * 3600)
    if send_at is None and not (await recipients(tx, event, chosen_addressees, caller.user_id)).reached:
        raise Refused(HostMessageReason.NOBODY_TO_REACH, name="Nobody")
    message = HostMessage(
        id=MessageId(new_id(tx.now)),
        event_id=event.id,
        number=await queries.last_number(tx, event.id) + 1,
        author_id=caller.user_id,
        addressees=chosen_addressees,
        text=plain,
        state=MessageState.SCHEDULED,
        send_at=tx.now if send_at is None else send_at,
        sent_at=None,
        recipients=0,
        created_at=tx.now,
    )
    await queries.insert(tx, message, submission_key)
    if send_at is None:
        await _send(tx, event, message)
    return await queries.by_id(tx, message.id) or message


async def cancel(tx: Transaction, caller: Caller, slug: EventSlug, message_id: MessageId) -> HostMessage:
    """Cancel a scheduled message. Raises NotFound, Forbidden, Refused (``Sent``)."""
    event = await _checked(tx, caller, await lock_by_slug(tx, slug))
    message = await queries.by_id(tx, message_id)
    if message is None or message.event_id != event.id:
        raise NotFound(HostMessageReason.NO_SUCH_MESSAGE)
    if message.state is MessageState.SENT:
        raise Refused(HostMessageReason.ALREADY_SENT, name="Sent")
    await queries.close(tx, message.id, MessageState.CALLED_OFF, 0)
    return await queries.by_id(tx, message.id) or message


async def send_due(db: Database) -> int:
    """Send messages that are due, each in its own transaction. Returns the number sent."""

    async def next_messages(after: Position) -> Sequence[tuple[int, MessageId]]:
        async with db.reader() as reader:
            return await queries.due(reader, after, AT_ONCE)

    async def send(message_id: MessageId) -> int:
        async with db.transaction() as tx:
            return await _send_due(tx, message_id)

    return await each_due(db, "scheduled_messages", next_messages, send)


async def _send_due(tx: Transaction, message_id: MessageId) -> bool:
    message = await queries.by_id(tx, message_id)
    event = await lock_for_update(tx, EventId(message.event_id)) if message else None
    one = await queries.by_id(tx, message_id)
    if one is None or event is None or one.state is not MessageState.SCHEDULED:
        return False
    if not await _is_still_valid(tx, event, one):
        await queries.close(tx, one.id, MessageState.CALLED_OFF, 0)
        return False
    return await _send(tx, event, one)


async def _is_still_valid(reader: Reader, event: Event, message: HostMessage) -> bool:
    """Whether a scheduled message is still valid: the event takes place and is visible, and the author is still a host,
    neither suspended nor deleting their account.
    """
    if event.is_gone or event.is_cancelled or event.is_held or event.is_hidden:
        return False
    if await is_person_suspended(reader, message.author_id) or await erasure_requests.find(reader, message.author_id):
        return False
    return may(await event_access.role_of(reader, event, message.author_id), EventPermission.MESSAGE)


def _is_the_same(earlier: HostMessage, text: str, addressees: Iterable[str], send_at: Instant | None) -> bool:
    """Whether the form matches the message already made. The time of a message sent at once is its creation time."""
    at = earlier.created_at if send_at is None else send_at
    return (earlier.text, {*earlier.addressees}, earlier.send_at) == (plain_of(text), {*addressees}, at)


async def _send(tx: Transaction, event: Event, message: HostMessage) -> bool:
    to = (await recipients(tx, event, message.addressees, message.author_id)).reached
    if not await queries.close(tx, message.id, MessageState.SENT, len(to)):
        return False
    payload = event_kinds.HostMessageReceived(person_id=message.author_id, text=message.text)
    await notifications.notify(
        tx,
        event_kinds.HOST_MESSAGE,
        notifications.Notice(to, event.id, message.number, payload, starts_at=event.starts_at),
    )
    log.info("message.sent", event_id=event.id, message=message.id, recipients=len(to))
    return True


async def _checked(reader: Reader, caller: Caller, event: Event | None) -> Event:
    event = await event_access.require_visible(reader, event, caller.user_id, refusal=GeneralReason.NO_SUCH_EVENT)
    await event_access.require_permission(reader, event, caller.user_id, EventPermission.MESSAGE)
    return event


def check(
    text: str, addressees: Iterable[str], send_at: Instant | None, now: Instant
) -> tuple[str, tuple[Addressees, ...]]:
    """Validate and return the text and audience. Raises InvalidForm (``text``, ``addressees``, ``send_at``)."""
    problems: dict[str, Why] = {}
    plain = plain_of(text)
    if not plain:
        problems["text"] = HostMessageReason.TEXT_NEEDED
    elif len(plain) > MAX_TEXT:
        problems["text"] = GeneralReason.TEXT_OF_LENGTH_TOO_LONG(most=MAX_TEXT, length=len(plain))
    words = set(addressees)
    chosen_addressees = tuple(one for one in Addressees if one.value in words)
    if words - {one.value for one in Addressees}:
        problems["addressees"] = GeneralReason.CHOOSE_FROM(choices=", ".join(Addressees))
    elif not chosen_addressees:
        problems["addressees"] = HostMessageReason.AUDIENCE_NEEDED
    if send_at is not None and send_at <= now:
        problems["send_at"] = HostMessageReason.MOMENT_OVER
    elif send_at is not None and send_at > now + LONGEST_AHEAD:
        problems["send_at"] = HostMessageReason.MOMENT_TOO_FAR
    if problems:
        raise InvalidForm(problems)
    return plain, chosen_addressees


def plain_of(text: str) -> str:
    """Normalize the text for storage."""
    return text.replace("\r\n", "\n").strip()


def statuses_of(addressees: Iterable[Addressees]) -> list[AttendanceStatus]:
    """The RSVP statuses in this audience."""
    return list(dict.fromkeys(status for one in addressees for status in STATUSES[one]))
