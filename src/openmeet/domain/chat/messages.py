"""Send, edit and take back one's own messages; remove, restore and hold those of others.

Each function locks the room before it checks access, so that nothing is stored after a commit that removed the author's
access.
"""

import json
from collections.abc import Collection
from dataclasses import replace

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Conflict, Forbidden, InvalidForm, NotFound, Refused
from groundwork.sealing import CannotUnseal, Sealer
from groundwork.signing_key import SigningKey
from groundwork.uuid7 import new_id
from openmeet.domain.chat import log, mentions, message_queries, people, pictures, queries, room_queries, writing_rules
from openmeet.domain.chat.access import access_in, require_at_least
from openmeet.domain.chat.audit_log import ChatModerationAction, note_action
from openmeet.domain.chat.date_headings import checked_heading
from openmeet.domain.chat.model import (
    MAX_MENTIONS,
    SEALED_FOR,
    Access,
    ChatMessage,
    ChatMessageId,
    LogKind,
    MessageAuthor,
    MessageKind,
    MessagePicture,
    NewMessage,
    Room,
    RoomId,
    pictures_in,
    with_pictures,
)
from openmeet.domain.chat.notify import notify_author
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.chat.texts import (
    checked_client_id,
    checked_reason,
    checked_text,
    mentioned_names,
    search_index_terms,
)
from openmeet.domain.chat.writing_rules import takes_signals
from openmeet.domain.notifications import chat_kinds
from openmeet.domain.users.model import Caller, UserId
from openmeet.i18n.formatting import iso


async def send(tx: Transaction, caller: Caller, room_id: RoomId, new: NewMessage) -> tuple[ChatMessage, bool]:
    """Store a message. Return it and True, or the stored message and False if this ``client_id`` was sent before.

    Raises NotFound, Forbidden (``ReadOnly``, ``Muted``, ``RoomClosed``), InvalidForm (``text``, ``about``, ``replyTo``,
    ``clientId``, ``pictures``, ``alt``), Conflict (``ClientIdReused``), TooMany (``SlowMode``, ``EveryoneTooOften``).
    """
    client_id = checked_client_id(new.client_id)
    room = await room_queries.lock(tx, room_id)
    level = await access_in(tx, room, caller.user_id) if room else Access.NONE
    if room is None or level is Access.NONE:
        raise NotFound(ChatReason.NO_SUCH_ROOM)
    is_signal = new.kind is MessageKind.SIGNAL and new.signal is not None
    body = str(new.signal) if is_signal else checked_text(new.text, is_needed=not new.pictures)
    if client_id is not None:
        before = await message_queries.by_client_id(tx, room_id, caller.user_id, client_id)
        if before is not None:
            if before.revision == 1 and before.body != body:
                raise Conflict(ChatReason.CLIENT_ID_REUSED, name="ClientIdReused")
            return before, False
    # Do not check this earlier: a repeated request returns its stored message even if the person may no longer write.
    await require_write_access(tx, room, caller.user_id, level)
    if new.kind is MessageKind.SIGNAL and not await takes_signals(tx, room):
        raise Refused(ChatReason.NO_TIME_FOR_SIGNALS, name="NotNow")
    about = await checked_heading(tx, room, new.about)
    shown = await pictures.require_unsent(tx, caller.user_id, new.pictures)
    await _check_reply(tx, room, new.reply_to, caller.user_id, level)
    author = MessageAuthor(caller.user_id)
    if level is not Access.MODERATE:
        await writing_rules.check_slow_mode(tx, room, author)
    choices = new.details.get("choices")
    written = [body, *(choices if isinstance(choices, list) else ()), *(picture.alt for picture in new.pictures)]
    is_held = level is not Access.MODERATE and await writing_rules.waits_for_moderator(
        tx, room, author, "\n".join(written)
    )
    group_mentions = () if is_signal else await mentions.allowed_group_mentions(tx, room, caller.user_id, level, body)
    details = {**new.details, "calls": [one.value for one in group_mentions]} if group_mentions else new.details
    entry = log.entry_after(room)
    message = ChatMessage(
        id=ChatMessageId(new_id(tx.now)),
        room_id=room_id,
        number=entry.number,
        kind=new.kind,
        body=body,
        said_at=tx.now,
        details=with_pictures(details, shown),
        user_id=caller.user_id,
        client_id=client_id,
        about=about,
        reply_to=new.reply_to,
        held_at=tx.now if is_held else None,
    )
    await message_queries.insert(tx, entry, message, search_index_terms(message))
    await pictures.attach(tx, message.id, shown)
    await add_mentions(tx, room, message, new.mentions)
    return message, True


async def require_write_access(
    reader: Reader, room: Room | None, person: UserId, level: Access | None = None
) -> Access:
    """Return the access of a person who may write now. ``level`` is their access, if this transaction has already
    looked it up.

    Raises NotFound, Forbidden (``Muted``, ``RoomClosed``, ``ReadOnly``).
    """
    if level is None and room is not None:
        level = await access_in(reader, room, person)
    if room is None or level is None or level is Access.NONE:
        raise NotFound(ChatReason.NO_SUCH_ROOM)
    if room.is_closed:
        raise Forbidden(ChatReason.ROOM_CLOSED, name="RoomClosed")
    if level >= Access.WRITE:
        return level
    muted = await reader.fetch_one(
        "select until from chat_sanctions where room_id = :room and user_id = :person and kind = 'mute' "
        "and lifted_at is null and (until is null or until > :now) order by case when until is null then 0 else 1 "
        "end, until desc limit 1",
        room=room.id,
        person=person,
        now=reader.now,
    )
    if muted is None:
        raise Forbidden(ChatReason.READ_ONLY, name="ReadOnly")
    if muted["until"] is None:
        raise Forbidden(ChatReason.MUTED, name="Muted")
    raise Forbidden(ChatReason.MUTED_UNTIL, name="Muted", until=iso(muted["until"]))


async def _check_reply(
    reader: Reader, room: Room, reply_to: ChatMessageId | None, person: UserId, level: Access
) -> None:
    if reply_to is None:
        return
    replied_to = await message_queries.by_id(reader, reply_to)
    if (
        replied_to is None
        or replied_to.room_id != room.id
        or not await queries.is_visible(reader, replied_to, room, person, level)
    ):
        raise InvalidForm({"replyTo": ChatReason.REPLY_ELSEWHERE()})


async def add_mentions(
    tx: Transaction, room: Room, message: ChatMessage, mentioned_ids: Collection[UserId]
) -> list[UserId]:
    """Store the mentions of people who may read the message and whose names its author can see. Return the newly
    mentioned.

    A guest from Matrix sees the names that visitors see.

    A person who answered privately is not mentioned, because that would tell the author that they are coming. A name
    that was in an earlier text of the message keeps referring to the same person, even if somebody else has that name
    now.
    """
    with_access = await people.named_among(tx, room, mentioned_ids, message.user_id)
    mentioned = [person for person in dict.fromkeys(mentioned_ids) if person in with_access]
    rows = await tx.fetch("select name from chat_mentions where message_id = :id and name <> ''", id=message.id)
    known_names = {row["name"] for row in rows}
    names = [
        name for name in mentioned_names(message.body) if not (mentions.is_group_mention(name) or name in known_names)
    ]
    called = await people.people_named(tx, room, names, message.user_id)
    written = {person: name for name, person in called.items()}
    added = []
    for person in list(dict.fromkeys((*mentioned, *written)))[:MAX_MENTIONS]:
        made = await tx.execute(
            "insert into chat_mentions (message_id, user_id, name) values (:message, :person, :name) "
            "on conflict do nothing",
            message=message.id,
            person=person,
            name=written.get(person, ""),
        )
        if made and person != message.user_id:
            added.append(person)
    return added


async def edit(
    tx: Transaction, caller: Caller, message_id: ChatMessageId, text: str, if_revision: int | None = None
) -> ChatMessage:
    """Change one's own text, up to a day after it was sent. The earlier text is kept for moderators for 30 days.

    Raises NotFound, Forbidden (``AuthorOnly``, ``Muted`` …), Refused (``TooLate``, ``Removed``, ``NotEditable``),
    Conflict (``RevisionChanged``), InvalidForm (``text``).
    """
    message, room, level = await lock_visible_message(tx, caller, message_id)
    if message.user_id != caller.user_id:
        raise Forbidden(ChatReason.AUTHOR_ONLY, name="AuthorOnly")
    await require_write_access(tx, room, caller.user_id, level)
    if message.is_removed:
        raise Refused(ChatReason.MESSAGE_REMOVED, name="Removed")
    if message.kind is not MessageKind.TEXT:
        raise Refused(ChatReason.NOT_EDITABLE, name="NotEditable")
    if if_revision is not None and if_revision != message.revision:
        raise Conflict(ChatReason.REVISION_CHANGED, name="RevisionChanged")
    edited = writing_rules.checked_edit(message, text, tx.now)
    if not edited.changes:
        return message
    author = MessageAuthor(caller.user_id)
    waits = level is not Access.MODERATE and await writing_rules.waits_for_moderator(tx, room, author, edited.text)
    changed = edited.message(tx.now, waits=waits)
    await message_queries.keep_earlier_text(tx, message)
    await write_message(tx, changed)
    await add_mentions(tx, room, changed, ())
    await log.append(tx, room.id, LogKind.EDITED, message.id)
    return changed


async def is_author(reader: Reader, message_id: ChatMessageId, person: UserId) -> bool:
    """Whether this person wrote the message. False if there is no such message."""
    message = await message_queries.by_id(reader, message_id)
    return message is not None and message.user_id == person


async def retract(tx: Transaction, caller: Caller, message_id: ChatMessageId) -> ChatMessage:
    """Empty one's own message; its position remains. People can do this even after leaving the room, and on Matrix while
    they are deleting their account. Idempotent. Raises NotFound, Forbidden (``AuthorOnly``).
    """
    message = await message_queries.stored_by_id(tx, message_id)
    if message is None or message.user_id != caller.user_id:
        await queries.visible_message(tx, message_id, caller.user_id)
        raise Forbidden(ChatReason.AUTHOR_ONLY, name="AuthorOnly")
    await room_queries.lock(tx, message.room_id)
    message = await message_queries.stored_by_id(tx, message_id) or message
    if message.is_taken_back:
        return message
    # After this, a text that a moderator removed can no longer be restored.
    await tx.execute("delete from chat_removed where message_id = :id", id=message.id)
    await pictures.release(tx, [message.id])
    return await empty(tx, message, caller.user_id)


async def remove(
    tx: Transaction, caller: Caller, message_id: ChatMessageId, reason: str, sealer: Sealer, *, of_site: bool = False
) -> ChatMessage:
    """Remove another person's message as a moderator. The sealed text can be restored for 30 days. Idempotent.

    ``of_site``: see ``lock_moderated_message``. Raises NotFound, Forbidden (``NotAModerator``), InvalidForm
    (``reason``).
    """
    message, room = await lock_moderated_message(tx, caller, message_id, of_site=of_site)
    reason = checked_reason(reason)
    if not reason:
        raise InvalidForm({"reason": ChatReason.REASON_NEEDED()})
    if message.is_removed:
        return message
    await tx.execute(
        "insert into chat_removed (message_id, body_sealed, until) values (:id, :sealed, :until)",
        id=message.id,
        sealed=sealer.seal(json.dumps([message.body, message.details]).encode(), purpose_of(message.id)),
        until=Instant(tx.now + SEALED_FOR),
    )
    removed = await empty(tx, message, caller.user_id, of_site=of_site)
    await tx.execute(
        "update chat_reports set closed_at = :now, outcome = 'acted' where message_id = :id and closed_at is null"
        " and to_tenant in (0, cast(:of_site as integer))",
        now=tx.now,
        id=message.id,
        of_site=int(of_site),
    )
    await note_action(
        tx,
        room.id,
        ChatModerationAction.REMOVED,
        by=caller.user_id,
        message=message.id,
        about=message.user_id,
        reason=reason,
    )
    return removed


async def restore(
    tx: Transaction, caller: Caller, message_id: ChatMessageId, sealer: Sealer, *, of_site: bool = False
) -> ChatMessage:
    """Undo a removal by a moderator, and notify the author. Removals by the community's moderators can only be undone
    by them (``of_site``, see ``lock_moderated_message``).

    Raises NotFound, Forbidden, Refused (``TakenBack``, ``NothingToRestore``, ``RemovedBySite``).
    """
    message, room = await lock_moderated_message(tx, caller, message_id, of_site=of_site)
    if not message.is_removed:
        return message
    require_may_decide_removal(message, of_site=of_site)
    row = await tx.fetch_one(
        "select body_sealed from chat_removed where message_id = :id and until > :now", id=message.id, now=tx.now
    )
    if row is None:
        taken_back = message.is_taken_back
        raise Refused(
            ChatReason.TAKEN_BACK_BY_AUTHOR if taken_back else ChatReason.NOTHING_TO_RESTORE,
            name="TakenBack" if taken_back else "NothingToRestore",
        )
    try:
        body, details = json.loads(sealer.unseal(bytes(row["body_sealed"]), purpose_of(message.id)))
    except CannotUnseal:
        raise Refused(ChatReason.NOTHING_TO_RESTORE, name="NothingToRestore") from None
    back = replace(
        message,
        body=body,
        details=details,
        removed_at=None,
        removed_by=None,
        removed_by_site=False,
        revision=message.revision + 1,
    )
    await write_message(tx, back)
    await tx.execute("delete from chat_removed where message_id = :id", id=message.id)
    await tx.execute(
        "update chat_reports set outcome = 'dismissed' where message_id = :id and outcome = 'acted' and to_tenant = 1",
        id=message.id,
    )
    await note_action(
        tx, room.id, ChatModerationAction.RESTORED, by=caller.user_id, message=message.id, about=message.user_id
    )
    number = await log.append(tx, room.id, LogKind.RESTORED, message.id)
    await notify_author(tx, chat_kinds.CHAT_RESTORED, back, number)
    return back


async def hold(tx: Transaction, caller: Caller, message_id: ChatMessageId, reason: str = "") -> ChatMessage:
    """Hide a message from everyone but its author and moderators until it is released. Raises NotFound, Forbidden."""
    return await _set_held(tx, caller, message_id, reason, held=True)


async def release(tx: Transaction, caller: Caller, message_id: ChatMessageId, reason: str = "") -> ChatMessage:
    """Show a held message again. Raises NotFound, Forbidden."""
    return await _set_held(tx, caller, message_id, reason, held=False)


async def _set_held(
    tx: Transaction, caller: Caller, message_id: ChatMessageId, reason: str, *, held: bool
) -> ChatMessage:
    message, room, level = await lock_visible_message(tx, caller, message_id)
    require_at_least(level, Access.MODERATE)
    reason = checked_reason(reason)
    if message.is_removed or message.is_held is held:
        return message
    act = ChatModerationAction.HELD if held else ChatModerationAction.RELEASED
    await note_action(tx, room.id, act, by=caller.user_id, message=message.id, about=message.user_id, reason=reason)
    return await set_held(tx, message, held=held)


async def set_held(tx: Transaction, message: ChatMessage, *, held: bool) -> ChatMessage:
    """Hold or release a message. The caller has locked the room and checked access, or acts for the program."""
    changed = replace(message, held_at=tx.now if held else None)
    await write_message(tx, changed)
    await log.append(tx, message.room_id, LogKind.REMOVED if held else LogKind.RESTORED, message.id)
    return changed


async def lock_visible_message(
    tx: Transaction, caller: Caller, message_id: ChatMessageId
) -> tuple[ChatMessage, Room, Access]:
    """Return the message with its room locked. Raises NotFound."""
    message = await message_queries.by_id(tx, message_id)
    if message is None:
        raise NotFound(ChatReason.NO_SUCH_MESSAGE)
    await room_queries.lock(tx, message.room_id)
    return await queries.visible_message(tx, message_id, caller.user_id)


async def lock_moderated_message(
    tx: Transaction, caller: Caller, message_id: ChatMessageId, *, of_site: bool
) -> tuple[ChatMessage, Room]:
    """Return the message with its room locked, for a moderator of the room.

    With ``of_site``, the caller acts as a moderator of the community, who can only decide about messages that were
    reported to them or that they removed. Raises NotFound, Forbidden (``NotAModerator``).
    """
    if not of_site:
        one, room, level = await lock_visible_message(tx, caller, message_id)
        require_at_least(level, Access.MODERATE)
        return one, room
    message = await message_queries.by_id(tx, message_id)
    locked_room = await room_queries.lock(tx, message.room_id) if message else None
    reported = await tx.fetch_one(
        "select 1 as found from chat_reports where message_id = :id and to_tenant = 1 limit 1", id=message_id
    )
    now_there = await message_queries.by_id(tx, message_id)
    if now_there is None or locked_room is None or (reported is None and not now_there.removed_by_site):
        raise NotFound(ChatReason.NO_SUCH_MESSAGE)
    return now_there, locked_room


def require_may_decide_removal(message: ChatMessage, *, of_site: bool) -> None:
    """Raise Refused (``RemovedBySite``) if the community's moderators removed the message and the caller is not one of
    them.
    """
    if message.removed_by_site and not of_site:
        raise Refused(ChatReason.REMOVED_BY_SITE, name="RemovedBySite")


async def sealed_content(
    reader: Reader, message_id: ChatMessageId, sealer: Sealer
) -> tuple[str, tuple[MessagePicture, ...]]:
    """The text and pictures of a removed message, for moderators; empty after 30 days, and while its author is deleting
    their account.
    """
    row = await reader.fetch_one(
        "select d.body_sealed from chat_removed d join chat_messages m on m.id = d.message_id"
        f" where d.message_id = :id and d.until > :now and not {message_queries.is_by_leaving()}",
        id=message_id,
        now=reader.now,
    )
    if row is None:
        return "", ()
    try:
        body, details = json.loads(sealer.unseal(bytes(row["body_sealed"]), purpose_of(message_id)))
    except CannotUnseal:
        return "", ()
    return str(body), pictures_in(details)


async def reported_content(
    reader: Reader, message_id: ChatMessageId, sealer: Sealer
) -> tuple[str, tuple[MessagePicture, ...]]:
    """``sealed_content``, or the text and pictures of a message that nobody else can see because its author is deleting
    their account. The moderators of the site can read it until they have decided about the reports.
    """
    hidden = await reader.fetch_one(
        f"select m.id from chat_messages m where m.id = :id and m.removed_at is null and {message_queries.is_by_leaving()}"
        " and exists (select 1 from chat_reports p where p.message_id = m.id and p.to_tenant = 1 and p.closed_at is null)",
        id=message_id,
    )
    message = None if hidden is None else await message_queries.stored_by_id(reader, message_id)
    if message is None:
        return await sealed_content(reader, message_id, sealer)
    return message.body, pictures_in(message.details)


async def write_message(tx: Transaction, message: ChatMessage) -> None:
    """Write the parts of a message that can change, with its search words. The room is locked. The caller writes the
    log entry.
    """
    await tx.execute(
        """
        update chat_messages
           set body = :body, details = :details, revision = :revision, edited_at = :edited_at, removed_at = :removed_at,
               removed_by = :removed_by, removed_by_site = :by_site, held_at = :held_at, search_words = :words
         where id = :id
        """,
        id=message.id,
        body=message.body,
        details=json.dumps(message.details),
        revision=message.revision,
        edited_at=message.edited_at,
        removed_at=message.removed_at,
        removed_by=message.removed_by,
        by_site=int(message.removed_by_site),
        held_at=message.held_at,
        words=search_index_terms(message),
    )


async def empty(tx: Transaction, message: ChatMessage, by: UserId | None, *, of_site: bool = False) -> ChatMessage:
    """Empty a message. The caller has locked the room and checked access. ``by`` is None if its author, a Matrix guest,
    does it.
    """
    emptied = replace(
        message,
        body="",
        details={},
        removed_at=tx.now,
        removed_by=by,
        removed_by_site=of_site,
        held_at=None,
        revision=message.revision + 1,
    )
    await write_message(tx, emptied)
    for table in ("chat_reactions", "chat_edits", "chat_votes", "chat_mentions", "chat_pins"):
        await tx.execute(f"delete from {table} where message_id = :id", id=message.id)
    await log.append(tx, message.room_id, LogKind.REMOVED, message.id)
    return emptied


def removal_sealer(key: SigningKey) -> Sealer:
    """Create the sealer that encrypts the texts of removed messages."""
    return key.sealer(b"openmeet/chat/removed")


def purpose_of(message: ChatMessageId) -> str:
    return f"openmeet/chat_removed/{message}"
