"""Notify people and webhooks of messages: people who are mentioned, get a reply or are asked as hosts, people who follow
the room, and webhooks of hosts of the room and of its group.

A job reads the room's log from the number up to which people were already notified, so that sending does not wait for
notifications. Access is checked when people are notified, and again when the notification is mailed or shown. People
who have read a message by then get nothing.

Webhooks are notified only while everyone may read the room, because a delivery is a copy that later changes of access
cannot affect. Its content is determined when it is sent (``web.webhooks.payloads``).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from groundwork.clock import DAY, HOUR, SECOND, Instant
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.outbox.delivery import JobHandler
from groundwork.outbox.jobs import Job
from openmeet.domain.chat import log, message_queries, room_queries
from openmeet.domain.chat.access import access_in, access_of_each, related_people_sql
from openmeet.domain.chat.mentions import page_of_people_called
from openmeet.domain.chat.model import (
    WRITTEN,
    Access,
    ChatLogEntry,
    ChatMessage,
    ChatMessageId,
    LogKind,
    NotificationLevel,
    Room,
    RoomId,
    RoomKind,
)
from openmeet.domain.chat.room_queries import by_id
from openmeet.domain.notifications import chat_kinds, queries
from openmeet.domain.notifications.chat_kinds import ChatPayload
from openmeet.domain.notifications.model import NotificationKind, NotificationTopic
from openmeet.domain.notifications.notify import Notice, notify_each
from openmeet.domain.users.model import UserId
from openmeet.domain.webhooks.actions import ChangedSubject, enqueue_deliveries
from openmeet.domain.webhooks.model import WebhookEvent
from openmeet.domain.webhooks.queries import is_any_on

_KindByPerson = Mapping[UserId, NotificationKind[ChatPayload]]

# Older messages, for example imported ones, do not notify anyone.
_MAX_AGE: Final = DAY
# People who looked at a room this recently see new messages there. The messages are mailed only if they stay unread.
_ACTIVE_FOR: Final = 90 * SECOND
# While a notification of new messages is unread, further messages of the room are added to it.
_BUNDLED_FOR: Final = 4 * HOUR
_ENTRIES: Final = 20
_PEOPLE: Final = 500
# Maximum number of hosts notified of a message in a room of hosts, or of a question to the hosts, and of hosts whose
# webhooks are notified.
_HOSTS: Final = 500

_BUNDLES: Final = {chat_kinds.CHAT_MESSAGES, chat_kinds.CHAT_UNREAD}
# The log entries that people are notified of at each level. ``USUAL`` is for people who did not choose a level.
_KINDS_OF_LEVEL: Final[Mapping[NotificationLevel, Collection[NotificationKind[ChatPayload]]]] = {
    NotificationLevel.USUAL: {
        chat_kinds.CHAT_MENTION,
        chat_kinds.CHAT_REPLY,
        chat_kinds.CHAT_DIRECT,
        chat_kinds.CHAT_UNREAD,
    },
    NotificationLevel.ALL: {
        chat_kinds.CHAT_MENTION,
        chat_kinds.CHAT_REPLY,
        chat_kinds.CHAT_DIRECT,
        chat_kinds.CHAT_MESSAGES,
    },
    NotificationLevel.MENTIONS: {chat_kinds.CHAT_MENTION, chat_kinds.CHAT_REPLY},
    NotificationLevel.NONE: (),
}


def chat_notification_handler(db: Database) -> JobHandler:
    """Handler of ``JobKind.NOTIFY_CHAT``. The subject is a room."""

    async def handle(job: Job) -> None:
        while await _notify_next(db, RoomId(job.subject)):
            pass

    return handle


async def _notify_next(db: Database, room_id: RoomId) -> bool:
    """Notify people of the next log entries. Return True if there may be more."""
    async with db.reader() as reader:
        row = await reader.fetch_one("select notified_up_to from chat_rooms where id = :room", room=room_id)
        if row is None:
            return False
        entries = await log.entries_after(reader, room_id, row["notified_up_to"], limit=_ENTRIES)
    for entry in entries[:_ENTRIES]:
        await _notify_of(db, entry)
    if entries:
        async with db.transaction() as tx:
            await tx.execute(
                "update chat_rooms set notified_up_to = :number where id = :room and notified_up_to < :number",
                number=entries[:_ENTRIES][-1].number,
                room=room_id,
            )
            changed = [
                one.message_id for one in entries[:_ENTRIES] if one.kind in log.NOTIFIED_KINDS and one.message_id
            ]
            await enqueue_webhooks(tx, room_id, changed)
    return len(entries) > _ENTRIES


async def _notify_of(db: Database, entry: ChatLogEntry) -> None:
    """Notify everyone concerned by an entry, one page of people per transaction. A second run does not notify anyone
    twice.
    """
    if entry.message_id is None or entry.kind not in log.NOTIFIED_KINDS:
        return
    if entry.kind is LogKind.REMOVED:
        await _notify_removed(db, entry, entry.message_id)
        return
    if entry.kind is not LogKind.EDITED:
        await _notify_called(db, entry, entry.message_id)
    after: UserId | None = None
    is_first = True
    while is_first or after is not None:
        async with db.transaction() as tx:
            room = await room_queries.lock(tx, entry.room_id)
            message = await message_queries.by_id(tx, entry.message_id)
            if room is None or message is None or not _is_notifiable(message, tx.now):
                return
            kinds_by_person: dict[UserId, NotificationKind[ChatPayload]] = {}
            if entry.kind is not LogKind.EDITED:
                kinds_by_person, after = await _followers(tx, room, message, after)
            if is_first:
                kinds_by_person |= await _addressed(tx, room, message, is_edit=entry.kind is LogKind.EDITED)
            await _notify(tx, room, message, kinds_by_person)
        is_first = False


async def _notify_called(db: Database, entry: ChatLogEntry, message_id: ChatMessageId) -> None:
    """Notify all hosts or everyone in the room, if a message mentions them as a group, one page of people per
    transaction.
    """
    after: UserId | None = None
    is_first = True
    while is_first or after is not None:
        is_first = False
        async with db.transaction() as tx:
            room = await room_queries.lock(tx, entry.room_id)
            message = await message_queries.by_id(tx, message_id)
            if room is None or message is None or not _is_notifiable(message, tx.now):
                return
            called, after = await page_of_people_called(tx, room, message, after)
            await _notify(tx, room, message, dict.fromkeys(called, chat_kinds.CHAT_MENTION))


async def _notify_removed(db: Database, entry: ChatLogEntry, message_id: ChatMessageId) -> None:
    """Notify the author of a message that a moderator removed it, once per removal. This ignores their preferences for
    the room, and includes authors who were banned. If several removals are pending, only the last one counts.
    """
    async with db.transaction() as tx:
        room = await room_queries.lock(tx, entry.room_id)
        message = await message_queries.by_id(tx, message_id)
        last = await tx.fetch_one(
            "select max(number) as number from chat_log where message_id = :id and kind = 'removed'", id=message_id
        )
        if (
            room is None
            or message is None
            or message.user_id is None
            or not message.is_removed
            or message.is_taken_back
        ):
            return
        if last is None or last["number"] != entry.number:
            return
        await notify_author(tx, chat_kinds.CHAT_REMOVED, message, entry.number)


async def notify_author(
    tx: Transaction, kind: NotificationKind[ChatPayload], message: ChatMessage, number: int
) -> None:
    """Notify the author of the moderators' decision about a message, once per decision. ``number`` is the number of the
    decision’s log entry.
    """
    if message.user_id is not None:
        await notify_each(
            tx, kind, [Notice([message.user_id], message.room_id, number, ChatPayload(message_id=message.id))]
        )


async def enqueue_webhooks(tx: Transaction, room_id: RoomId, messages: Collection[ChatMessageId]) -> None:
    """Enqueue deliveries about messages that were written, edited, removed or restored."""
    if not messages or not await is_any_on(tx):
        return
    room = await by_id(tx, room_id)
    if room is None or not await may_be_sent_to_webhooks(tx, room):
        return
    rows = await tx.fetch(
        f"select distinct p.user_id from {related_people_sql()} p where p.because = 'hosting' order by p.user_id "
        f"limit {_HOSTS}",
        room=room_id,
    )
    hosts = tuple(UserId(row["user_id"]) for row in rows)
    group_id = await group_of_room(tx, room_id)
    await enqueue_deliveries(
        tx, WebhookEvent.CHAT_MESSAGE, [ChangedSubject(one, hosts, group_id) for one in dict.fromkeys(messages)]
    )


async def may_be_sent_to_webhooks(reader: Reader, room: Room) -> bool:
    """Whether messages of this room may be sent to webhooks, that is, everyone may read it."""
    return await access_in(reader, room, None) >= Access.READ


async def group_of_room(reader: Reader, room_id: RoomId) -> str | None:
    """The group that a room, or its event or series, belongs to."""
    row = await reader.fetch_one(
        """
        select coalesce(r.group_id, (select e.group_id from events e where e.id = r.event_id),
                        (select s.group_id from event_series s where s.id = r.series_id)) as group_id
          from chat_rooms r where r.id = :room
        """,
        room=room_id,
    )
    return None if row is None else row["group_id"]


def _is_notifiable(message: ChatMessage, now: Instant) -> bool:
    is_shown = not message.is_removed and not message.is_held
    return is_shown and message.kind in WRITTEN and message.said_at > now - _MAX_AGE


async def _addressed(reader: Reader, room: Room, message: ChatMessage, *, is_edit: bool) -> _KindByPerson:
    """The people whom the message itself addresses, with the strongest reason."""
    kinds_by_person: dict[UserId, NotificationKind[ChatPayload]] = {}
    if not is_edit and room.kind in {RoomKind.HOSTS, RoomKind.DIRECT}:
        kinds_by_person = dict.fromkeys(await _people_of(reader, room), chat_kinds.CHAT_DIRECT)
    if not is_edit and message.reply_to is not None:
        replied_to = await message_queries.by_id(reader, message.reply_to)
        if replied_to is not None and replied_to.user_id is not None:
            kinds_by_person[replied_to.user_id] = chat_kinds.CHAT_REPLY
    rows = await reader.fetch(
        "select user_id from chat_mentions where message_id = :message and is_called = 0 order by user_id",
        message=message.id,
    )
    return kinds_by_person | {UserId(row["user_id"]): chat_kinds.CHAT_MENTION for row in rows}


async def _people_of(reader: Reader, room: Room) -> list[UserId]:
    rows = await reader.fetch(
        f"select distinct p.user_id from chat_rooms r, {related_people_sql()} p where r.id = :room "
        f"order by p.user_id limit {_HOSTS}",
        room=room.id,
    )
    return [UserId(row["user_id"]) for row in rows]


async def _followers(
    reader: Reader, room: Room, message: ChatMessage, after: UserId | None
) -> tuple[dict[UserId, NotificationKind[ChatPayload]], UserId | None]:
    """Return the next people who are notified of every message, because of their level for this room or because they
    want to know what is unread in all of their rooms. Also return the last of them if there are more. People who were
    notified by a group mention of the message are left out.
    """
    rows = await reader.fetch(
        """
        select c.user_id, c.level from chat_readers c
         where c.room_id = :room and c.user_id > :after
           and (c.level = 'all' or c.level = 'usual' and exists (
                  select 1 from notification_preferences p
                   where p.user_id = c.user_id and p.topic = :topic and p.is_on = 1))
           and not exists (select 1 from chat_mentions q
                            where q.message_id = :message and q.user_id = c.user_id and q.is_called = 1)
         order by c.user_id limit :limit
        """,
        room=room.id,
        after=after or "",
        message=message.id,
        topic=NotificationTopic.ROOMS.value,
        limit=_PEOPLE,
    )
    kinds_by_person = {
        UserId(row["user_id"]): chat_kinds.CHAT_MESSAGES if row["level"] == "all" else chat_kinds.CHAT_UNREAD
        for row in rows
    }
    return kinds_by_person, UserId(rows[-1]["user_id"]) if len(rows) == _PEOPLE else None


async def _notify(tx: Transaction, room: Room, message: ChatMessage, kinds_by_person: _KindByPerson) -> None:
    """Notify these people, except those who may not read the message, have already read it or do not want to be
    notified.
    """
    people = sorted(set(kinds_by_person) - {message.user_id})
    if not people:
        return
    access_by_person = await access_of_each(tx, room, people)
    rows = await tx.fetch(
        "select user_id, read_number, level, muted_until, seen_at from chat_readers"
        " where room_id = :room and user_id in :people order by user_id",
        room=room.id,
        people=people,
    )
    readings = {UserId(row["user_id"]): row for row in rows}
    recipients: dict[NotificationKind[ChatPayload], list[UserId]] = {}
    looking = set()
    for person in people:
        if access_by_person.get(person, Access.NONE) is Access.NONE:
            continue
        own = readings.get(person)
        if own is not None and (own["read_number"] >= message.number or (own["muted_until"] or 0) > tx.now):
            continue
        level = NotificationLevel.USUAL if own is None else NotificationLevel(own["level"])
        if kinds_by_person[person] not in _KINDS_OF_LEVEL[level]:
            continue
        if own is not None and own["seen_at"] is not None and own["seen_at"] > tx.now - _ACTIVE_FOR:
            looking.add(person)
        recipients.setdefault(kinds_by_person[person], []).append(person)
    for kind, to in recipients.items():
        if kind in _BUNDLES:
            waiting_ids = await queries.waiting_among(tx, to, kind, room.id, Instant(tx.now - _BUNDLED_FOR))
            await notify_each(tx, kind, _notices(room, message, [who for who in to if who not in waiting_ids], looking))
        else:
            await notify_each(tx, kind, _notices(room, message, to, looking))


def _notices(
    room: Room, message: ChatMessage, to: Sequence[UserId], looking: Collection[UserId]
) -> list[Notice[ChatPayload]]:
    is_answer = room.kind is RoomKind.DIRECT and message.user_id != room.with_user_id
    payload = ChatPayload(person_id=message.user_id, message_id=message.id, is_answer=is_answer)
    notice = Notice([person for person in to if person not in looking], room.id, message.number, payload)
    return [notice, replace(notice, to=[person for person in to if person in looking], is_shown=False)]
