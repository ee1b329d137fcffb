"""Delivery to the homeserver: one job per mirrored room updates the Matrix room and sends the new entries of the room's
log.

Only one job of a room runs at a time, and it sends entries in order of their numbers. Each send has a transaction id
derived from the entry, so repeating it after a lost response or a crash yields the same event. The following are not
sent: messages of people who did not consent, held messages, signals, polls and notices.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import Final

from groundwork.database.transaction import Reader
from groundwork.errors import Explanation, Failure, RemoteFailed, reason_of
from groundwork.outbox import jobs
from groundwork.outbox.delivery import JobHandler
from groundwork.outbox.jobs import Job
from openmeet.domain.chat import message_queries
from openmeet.domain.chat import pictures as chat_pictures
from openmeet.domain.chat.mentions import mentions_in, renamed_among
from openmeet.domain.chat.mirroring import MirrorState
from openmeet.domain.chat.model import ChatLogEntry, ChatMessage, LogKind, MessageKind, RoomId
from openmeet.domain.chat.texts import name_key, with_names
from openmeet.domain.users.model import UserId, leaving, unnamed
from openmeet.i18n.catalogue import gettext, speaking
from openmeet.i18n.formatting import short_day
from openmeet.matrix import content, members, pictures, store
from openmeet.matrix.bridge import Bridge
from openmeet.matrix.calls import JsonObject, MatrixUser, state_content
from openmeet.matrix.members import PresentMembers
from openmeet.matrix.names import room_alias
from openmeet.matrix.store import MirroredRoom, Speaker
from openmeet.outbox.kinds import JobKind

_AT_ONCE = 20
# The event types of MSC2346: its final name, and the unstable one that clients support today.
_BRIDGE_KINDS: Final = ("m.bridge", "uk.half-shot.bridge")
_MAX_NAME = 250
# The homeserver will never accept this event: it is too large, or malformed in its view.
_NEVER_TAKEN = frozenset({"M_TOO_LARGE", "M_BAD_JSON", "M_INVALID_PARAM"})
_MENTION = re.compile(r"(?<![\w@./])@([\w](?:[\w.\-]{0,62}[\w])?)")


def room_handler(bridge: Bridge, count: Callable[[str], None]) -> JobHandler:
    """Deliver a job of kind ``MATRIX_ROOM``. ``count`` is called with the kind of each entry that was sent."""

    async def deliver(job: Job) -> None:
        room_id = RoomId(job.subject)
        try:
            await deliver_room(bridge, room_id, count)
        except Failure as failure:
            await _note_error(bridge, room_id, reason_of(failure))
            raise
        await _note_error(bridge, room_id, None)

    return deliver


async def deliver_room(bridge: Bridge, room_id: RoomId, count: Callable[[str], None]) -> None:
    """Update the Matrix room to match ours. Raises the client's errors; a retry continues where this stopped."""
    async with bridge.db.reader() as reader:
        room = await store.room(reader, room_id)
    if room is None or room.state is MirrorState.OFF:
        return
    if room.state is MirrorState.ENDING:
        await _end(bridge, room)
        return
    matrix_room = room.matrix_room_id or await _create(bridge, room)
    state = await bridge.bot.state(matrix_room)
    await _describe(bridge, room, matrix_room, state)
    inside = await members.update_members(bridge, room, matrix_room, state)
    before = set(inside.ghosts)
    while True:
        async with bridge.db.reader() as reader:
            entries = await store.unsent(reader, room_id, _AT_ONCE)
        for entry in entries:
            event = await _EntryDelivery(bridge, room, matrix_room, inside, entry).run()
            if event is not None:
                count(entry.kind.value)
            async with bridge.db.transaction() as tx:
                if event is not None and not await store.is_logged(tx, room_id, entry.number):
                    # The message expired while it was being sent.
                    await jobs.enqueue(tx, JobKind.MATRIX_CALL, f"redact {matrix_room} {event}")
                    event = None
                await store.note_sent(tx, room_id, entry.number, event, by_delivery=True)
        if len(entries) < _AT_ONCE:
            break
    if inside.ghosts - before:
        # A ghost user may have joined only to post a message of somebody who has lost access since. It leaves again.
        await members.update_members(bridge, room, matrix_room, await bridge.bot.state(matrix_room))
    async with bridge.db.transaction() as tx:
        await store.skip_to_last_sent(tx, room_id)


class _EntryDelivery:
    """Delivery of one log entry. ``inside``: the people in the Matrix room; our users are added to it as they join."""

    def __init__(
        self, bridge: Bridge, room: MirroredRoom, matrix_room: str, inside: PresentMembers, entry: ChatLogEntry
    ) -> None:
        self._bridge = bridge
        self._room = room
        self._matrix_room = matrix_room
        self._inside = inside
        self._entry = entry

    async def run(self) -> str | None:
        """Send the entry and return the event id, or None if there is nothing to send."""
        entry = self._entry
        if entry.message_id is None:
            return None
        async with self._bridge.db.reader() as reader:
            message = await message_queries.stored_by_id(reader, entry.message_id)
        if message is None:
            return None
        try:
            match entry.kind:
                case LogKind.POSTED | LogKind.RESTORED:
                    return await self._post(message)
                case LogKind.EDITED:
                    return await self._edit(message)
                case LogKind.REMOVED:
                    await redact(self._bridge, self._matrix_room, message)
                case LogKind.REACTED:
                    await self._react(message)
                case LogKind.PINNED | LogKind.ROOM:
                    pass
        except RemoteFailed as failed:
            if failed.name not in _NEVER_TAKEN:
                raise
        return None

    async def _post(self, message: ChatMessage) -> str | None:
        """Send the message as the ghost user of its author. A message from a Matrix account without a ghost user was
        redacted there when it was held or removed, so the bot reposts it with the address of that account.
        """
        async with self._bridge.db.reader() as reader:
            if message.external_id is not None and await store.event_of(reader, message.id) is not None:
                return None
            speaker = await _speaker_of(reader, message)
            address = await store.address_of(reader, message.id) if speaker is None and _is_mirrored(message) else None
            if speaker is None and address is None:
                return None
            reply_to = await store.event_of(reader, message.reply_to) if message.reply_to else None
            text = await self._text(reader, message)
            heading = await self._heading(reader, message)
            shows = bool(message.pictures) and await pictures.are_uploaded(reader, self._bridge, message.room_id)
        sender = self._bridge.bot
        if speaker is not None:
            sender = await self._enter(speaker)
        else:
            await self._remove_people_without_access()
            text = f"{address}: {text}"
        if shows and not text:
            event = await pictures.send(
                self._bridge,
                sender,
                self._matrix_room,
                message,
                self._transaction(message),
                heading=heading,
                reply_to=reply_to,
            )
            if event is not None:
                return event
            # The homeserver accepts none of the pictures, so describe them in words.
            shows = False
        if message.pictures and not shows:
            text = "\n".join(filter(None, [text, self._described(message)]))
        made = content.message(message.id, message.revision, text, reply_to=reply_to, heading=heading)
        event = await sender.send(self._matrix_room, "m.room.message", self._transaction(message), made)
        if shows:
            await pictures.send(self._bridge, sender, self._matrix_room, message, self._transaction(message))
        return event

    def _described(self, message: ChatMessage) -> str:
        """Return the pictures as lines of text."""
        with speaking(self._bridge.language):
            return "\n".join(f"\N{PAPERCLIP} {chat_pictures.words_of('', [one])}" for one in message.pictures)

    async def _edit(self, message: ChatMessage) -> str | None:
        async with self._bridge.db.reader() as reader:
            speaker = await _speaker_of(reader, message)
            original = await store.event_of(reader, message.id)
            text = await self._text(reader, message)
            shows = bool(message.pictures) and await pictures.are_uploaded(reader, self._bridge, message.room_id)
        if message.external_id is not None and (speaker is None or original in {None, message.external_id}):
            # An event of another account cannot be edited. The message is sent as a new event, or, without consent, not
            # at all.
            await redact(self._bridge, self._matrix_room, message)
            event = None if speaker is None else await self._post(message)
            if event is not None:
                async with self._bridge.db.transaction() as tx:
                    await store.note_sent(tx, message.room_id, message.number, event, by_delivery=True)
            return None
        if speaker is None or original is None:
            return None
        ghost = await self._enter(speaker)
        if message.pictures:
            captioned = await pictures.edit_caption(
                self._bridge, ghost, self._matrix_room, message, text, original, self._transaction(message)
            )
            if captioned is not None:
                return captioned
            if not shows:
                text = "\n".join(filter(None, [text, self._described(message)]))
        # The text of a message with pictures can be empty.
        made = content.edit(message.id, message.revision, text or "\N{PAPERCLIP}", original)
        return await ghost.send(self._matrix_room, "m.room.message", self._transaction(message), made)

    async def _react(self, message: ChatMessage) -> None:
        """Bring the reactions that our users made on Matrix in line with those of people who consented."""
        bridge, room = self._bridge, self._matrix_room
        async with bridge.db.reader() as reader:
            target = await store.event_of(reader, message.id)
            if target is None:
                return
            rows = await reader.fetch(
                "select user_id, emoji from chat_reactions where message_id = :message and user_id is not null"
                " and external_id is null order by at, user_id, emoji",
                message=message.id,
            )
            reactions = [
                (await store.speaker(reader, message.room_id, UserId(row["user_id"])), row["emoji"]) for row in rows
            ]
        speakers_by_reaction = {
            (speaker.localpart, emoji): speaker for speaker, emoji in reactions if speaker is not None
        }
        event_by_reaction: dict[tuple[str, str], str] = {}
        for event in await bridge.bot.reactions(room, target):
            incoming = content.incoming(event)
            if (
                isinstance(incoming, content.IncomingReaction)
                and (part := bridge.random_part(incoming.sender)) is not None
            ):
                event_by_reaction[part, incoming.emoji] = incoming.event_id
        for key, event_id in event_by_reaction.items():
            if key not in speakers_by_reaction:
                await bridge.bot.redact(room, event_id, f"om-{bridge.tenant}-redact-{event_id}")
        for (part, emoji), speaker in speakers_by_reaction.items():
            if (part, emoji) not in event_by_reaction and not (speaker.is_banned or speaker.is_leaving):
                ghost = await self._enter(speaker)
                reaction_hash = hashlib.sha256(f"{part} {emoji}".encode()).hexdigest()[:16]
                transaction = f"{self._transaction(message)}-{reaction_hash}"
                await ghost.send(room, "m.reaction", transaction, content.reaction(target, emoji))

    def _transaction(self, message: ChatMessage) -> str:
        """Return the transaction id: unique among all our users, as the homeserver requires, and the same for each
        attempt of this entry.
        """
        return f"om-{self._bridge.tenant}-{message.id}-{self._entry.number}"

    async def _enter(self, speaker: Speaker) -> MatrixUser:
        """Let the person's ghost user join the room, and return it. Called after a message was read and before it is
        sent; anyone who has lost access by then is removed first.
        """
        ghost = await prepare_speaker(self._bridge, speaker)
        if speaker.localpart not in self._inside.ghosts:
            await self._bridge.bot.invite(self._matrix_room, ghost.user_id)
            await ghost.join(self._matrix_room)
            self._inside.ghosts.add(speaker.localpart)
        await self._remove_people_without_access()
        return ghost

    async def _remove_people_without_access(self) -> None:
        """Remove everybody who has lost access, before anything is sent."""
        if await members.is_removal_due(self._bridge, self._room, self._inside):
            state = await self._bridge.bot.state(self._matrix_room)
            present = await members.update_members(self._bridge, self._room, self._matrix_room, state)
            self._inside.accounts.clear()
            self._inside.accounts.update(present.accounts)

    async def _text(self, reader: Reader, message: ChatMessage) -> str:
        """Return the text with the current names of mentioned people. The names of people who did not consent are
        replaced.
        """
        names = await store.names_hidden_from_matrix(reader, message.id)
        keys = {name_key(name) for name in names}
        mentions = (await mentions_in(reader, [message.id])).get(message.id, ())
        renamed = {written: name for written, name in renamed_among(mentions).items() if written not in keys}
        with speaking(self._bridge.language):
            somebody = gettext("somebody")

        def hidden(match: re.Match[str]) -> str:
            return f"@{somebody}" if name_key(match[1]) in keys else match[0]

        text = _MENTION.sub(hidden, message.body) if keys else message.body
        return with_names(text, renamed)

    async def _heading(self, reader: Reader, message: ChatMessage) -> str:
        """Return a heading such as ``Tue 3 March ·`` if the message is about a different date than the previous one
        sent; otherwise empty.
        """
        if message.about is None:
            return ""
        row = await reader.fetch_one(
            """
            select m.about from matrix_sends s join chat_log l on l.room_id = s.room_id and l.number = s.number
              join chat_messages m on m.id = l.message_id
             where s.room_id = :room and s.number < :number and s.event_id is not null and l.kind = 'said'
             order by s.number desc limit 1
            """,
            room=self._room.id,
            number=self._entry.number,
        )
        if row is not None and row["about"] == message.about:
            return ""
        with speaking(self._bridge.language):
            return f"{short_day(date.fromisoformat(message.about[:10]))} ·"


async def prepare_speaker(bridge: Bridge, speaker: Speaker) -> MatrixUser:
    """Return the person's ghost user with their current name. Creates the user if necessary."""
    ghost = bridge.ghost(speaker.localpart)
    if not speaker.is_made:
        await ghost.prepare()
    name = _shown_name(bridge, speaker)
    if bridge.names.get(speaker.localpart) != name:
        await ghost.set_name(name)
        bridge.names[speaker.localpart] = name
    if not speaker.is_made:
        async with bridge.db.transaction() as tx:
            await store.note_made(tx, speaker.user_id)
    return ghost


async def redact(bridge: Bridge, matrix_room: str, message: ChatMessage) -> None:
    """Redact the event of the message, its pictures and all its edits, because redacting the original does not affect
    the edits.
    """
    async with bridge.db.reader() as reader:
        event_ids = await store.events_of(reader, message.id)
    await pictures.redact(bridge, matrix_room, message)
    for number, event in event_ids:
        await bridge.bot.redact(matrix_room, event, f"om-{bridge.tenant}-redact-{event}")
        async with bridge.db.transaction() as tx:
            await store.note_sent(tx, message.room_id, number, None, by_delivery=True)


async def _speaker_of(reader: Reader, message: ChatMessage) -> Speaker | None:
    """Return the person whose ghost user posts the message; None if the message is not mirrored."""
    if not _is_mirrored(message) or message.user_id is None:
        return None
    speaker = await store.speaker(reader, message.room_id, message.user_id)
    # Messages from before the consent are not mirrored, nor are messages of people who were banned, or asked for the
    # deletion of their account, before delivery.
    if speaker is None or speaker.is_banned or speaker.is_leaving or message.said_at < speaker.consented_at:
        return None
    return speaker


def _is_mirrored(message: ChatMessage) -> bool:
    return message.kind is MessageKind.TEXT and not message.is_removed and not message.is_held


def _shown_name(bridge: Bridge, speaker: Speaker) -> str:
    with speaking(bridge.language):
        return (leaving() if speaker.is_leaving else speaker.name or unnamed())[:_MAX_NAME]


async def _create(bridge: Bridge, room: MirroredRoom) -> str:
    """Create the Matrix room, or find the one that an earlier attempt created."""
    bot = bridge.bot
    await bot.prepare()
    matrix_room = await bot.create_room(
        {
            "room_alias_name": room_alias(bridge.tenant, room.id),
            "name": room.title[:_MAX_NAME],
            "topic": room.topic,
            "preset": "private_chat",
            "visibility": "private",
            "creation_content": {"m.federate": bridge.federates},
            "power_level_content_override": members.power_levels({}, is_closed=room.is_closed),
            "initial_state": [
                {"type": "m.room.join_rules", "content": {"join_rule": "invite"}},
                {"type": "m.room.guest_access", "content": {"guest_access": "forbidden"}},
                {
                    "type": "m.room.history_visibility",
                    "content": {"history_visibility": _history_of(room)},
                },
                *(
                    {"type": kind, "state_key": _bridge_key(bridge, room), "content": _bridge_note(bridge, room)}
                    for kind in _BRIDGE_KINDS
                ),
            ],
        }
    )
    async with bridge.db.transaction() as tx:
        await store.set_matrix_room(tx, room.id, matrix_room, MirrorState.ON)
    return matrix_room


async def _describe(bridge: Bridge, room: MirroredRoom, matrix_room: str, state: Sequence[JsonObject]) -> None:
    """Set the room's name, topic, history visibility and bridge note wherever they differ, even if somebody changed
    them in Matrix.
    """
    state_events: tuple[tuple[str, str, content.Content], ...] = (
        ("m.room.name", "", {"name": room.title[:_MAX_NAME]}),
        ("m.room.topic", "", {"topic": room.topic}),
        ("m.room.history_visibility", "", {"history_visibility": _history_of(room)}),
        *((kind, _bridge_key(bridge, room), _bridge_note(bridge, room)) for kind in _BRIDGE_KINDS),
    )
    for kind, key, value in state_events:
        if state_content(state, kind, key) != value:
            await bridge.bot.set_state(matrix_room, kind, value, key)


def _history_of(room: MirroredRoom) -> str:
    """Return the history visibility of the room. A change applies to later messages only (CS API, Room history
    visibility).
    """
    return "shared" if room.shows_history else "joined"


def _bridge_key(bridge: Bridge, room: MirroredRoom) -> str:
    return f"openmeet://{bridge.tenant}/{room.id}"


def _bridge_note(bridge: Bridge, room: MirroredRoom) -> content.Content:
    """Return the MSC2346 note: the bridge that the room belongs to, and what the room mirrors."""
    channel = {"id": room.id, "displayname": room.title[:_MAX_NAME]}
    if bridge.site_url and room.path:
        channel["external_url"] = f"{bridge.site_url.rstrip('/')}{room.path}"
    protocol = {"id": "openmeet", "displayname": bridge.site_name}
    if bridge.site_url:
        protocol["external_url"] = bridge.site_url
    return {"bridgebot": bridge.bot.user_id, "protocol": protocol, "channel": channel}


async def _end(bridge: Bridge, room: MirroredRoom) -> None:
    """Remove everybody except the bot, which can reopen the room."""
    if room.matrix_room_id is not None:
        with speaking(bridge.language):
            notice = gettext("The chat is no longer mirrored to Matrix.")
        for event in await bridge.bot.members(room.matrix_room_id):
            incoming = content.incoming(event)
            if (
                isinstance(incoming, content.IncomingMembership)
                and incoming.membership in {"join", "invite"}
                and incoming.user_id != bridge.bot.user_id
            ):
                await bridge.bot.kick(room.matrix_room_id, incoming.user_id, notice)
    async with bridge.db.transaction() as tx:
        await store.set_matrix_room(tx, room.id, room.matrix_room_id, MirrorState.OFF)


async def _note_error(bridge: Bridge, room_id: RoomId, why: Explanation | None) -> None:
    async with bridge.db.transaction() as tx:
        await store.set_error(tx, room_id, why)
