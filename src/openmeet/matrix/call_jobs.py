"""Handlers of ``MATRIX_CALL`` jobs (one API call each) and ``MATRIX_PERSON`` jobs (redact messages after consent was
withdrawn).
"""

import hashlib
from typing import Final

from groundwork.errors import RemoteFailed, decode_explanation
from groundwork.outbox.delivery import JobHandler
from groundwork.outbox.jobs import Job
from openmeet.domain.chat import matrix_people, message_queries
from openmeet.domain.chat.matrix_people import MatrixConsent
from openmeet.domain.chat.model import ChatMessageId
from openmeet.domain.users.model import UserId
from openmeet.i18n.catalogue import gettext, speaking
from openmeet.i18n.reasons.messages import explain
from openmeet.matrix import content, pictures, store
from openmeet.matrix.bridge import Bridge
from openmeet.matrix.calls import MatrixUser, events_of
from openmeet.matrix.delivery import prepare_speaker, redact

# Maximum number of pages, of a hundred events each, that are searched for the events of a ghost user.
_MAX_PAGES: Final = 200
# The bot is no longer in the room, or the event is gone: nothing is left to do.
_GONE_STATUSES: Final = frozenset({403, 404})


def call_handler(bridge: Bridge) -> JobHandler:
    """Return the handler of ``MATRIX_CALL`` jobs. The subject of such a job is a verb, a room, an event (for ``redact``
    and ``picture``) and a reason (for ``redact``).
    """

    async def deliver(job: Job) -> None:
        verb, _, arguments = job.subject.partition(" ")
        room, _, event_and_reason = arguments.partition(" ")
        event, _, reason = event_and_reason.partition(" ")
        bot = bridge.bot
        try:
            match verb:
                case "redact":
                    await bot.redact(
                        room, event, f"om-{bridge.tenant}-redact-{event}", explain(decode_explanation(reason))
                    )
                case "join":
                    await bot.join(room)
                case "picture":
                    await pictures.fetch(bridge, room, event)
                case "plain":
                    await _notice(
                        bridge, room, "plain", gettext("Encrypted messages don’t arrive in the chat of the event.")
                    )
                case "linked":
                    await _notice(bridge, room, f"linked-{job.revision}", gettext("Your account is linked now."))
                    await bot.leave(room)
                case "unlinked":
                    reason = gettext("This code isn’t valid. Ask for a new one on the site, and invite me again.")
                    await _notice(bridge, room, f"linked-{job.revision}", reason)
                    await bot.leave(room)
        except RemoteFailed as failed:
            if failed.status not in _GONE_STATUSES:
                raise

    async def deliver_in_language(job: Job) -> None:
        with speaking(bridge.language):
            await deliver(job)

    return deliver_in_language


async def _notice(bridge: Bridge, room: str, purpose: str, text: str) -> None:
    room_hash = hashlib.sha256(room.encode()).hexdigest()[:16]
    body = {"msgtype": "m.notice", "body": text, "m.mentions": {}}
    await bridge.bot.send(room, "m.room.message", f"om-{bridge.tenant}-{purpose}-{room_hash}", body)


def person_handler(bridge: Bridge) -> JobHandler:
    """Deliver a ``MATRIX_PERSON`` job. If the person withdrew their consent or their account was deleted, redact
    everything that was sent for them; the job is retried until the homeserver has done all of it. If they still
    consent, update the name of their ghost user.
    """

    async def deliver(job: Job) -> None:
        user = UserId(job.subject)
        await _redact_or_rename(bridge, user)
        async with bridge.db.transaction() as tx:
            await matrix_people.forget_deleted(tx, user)

    return deliver


async def _redact_or_rename(bridge: Bridge, user: UserId) -> None:
    async with bridge.db.reader() as reader:
        person = await matrix_people.person(reader, user)
        speaker = await store.speaker_outside_rooms(reader, user)
    if speaker is not None:
        # Another process may have set a different name since this one last did.
        bridge.names.pop(speaker.localpart, None)
        await prepare_speaker(bridge, speaker)
    elif person is not None and person.consent is MatrixConsent.NONE:
        await _redact_messages(bridge, user)
        await _remove_ghost(bridge, user, person.localpart)


_SENT_MESSAGES: Final = """
    select distinct m.id, r.matrix_room_id from chat_messages m join chat_rooms r on r.id = m.room_id
      join chat_log l on l.message_id = m.id
      join matrix_sends s on s.room_id = l.room_id and s.number = l.number and s.event_id is not null
     where m.user_id = :user and m.external_id is null and r.matrix_room_id is not null order by m.id
"""
_ROOMS_WRITTEN_IN: Final = """
    select distinct r.matrix_room_id from chat_rooms r where r.matrix_room_id is not null
       and (exists (select 1 from chat_messages m where m.room_id = r.id and m.user_id = :user)
            or exists (select 1 from chat_reactions c join chat_messages m on m.id = c.message_id
                        where m.room_id = r.id and c.user_id = :user))
"""


async def _redact_messages(bridge: Bridge, user: UserId) -> None:
    async with bridge.db.reader() as reader:
        rows = await reader.fetch(_SENT_MESSAGES, user=user)
    for row in rows:
        async with bridge.db.reader() as reader:
            message = await message_queries.stored_by_id(reader, ChatMessageId(row["id"]))
        if message is not None:
            await redact(bridge, row["matrix_room_id"], message)


async def _remove_ghost(bridge: Bridge, user: UserId, localpart: str) -> None:
    """Remove the name of a person's ghost user, and the ghost user from all rooms."""
    async with bridge.db.reader() as reader:
        rows = await reader.fetch(_ROOMS_WRITTEN_IN, user=user)
    ghost = bridge.ghost(localpart)
    try:
        await ghost.set_name("")
    except RemoteFailed as failed:
        if failed.status in _GONE_STATUSES:  # the ghost user was never created
            return
        raise
    bridge.names.pop(localpart, None)
    for room in sorted({*(row["matrix_room_id"] for row in rows), *await ghost.joined_rooms()}):
        await _forget(bridge, ghost, room)


async def _forget(bridge: Bridge, ghost: MatrixUser, room: str) -> None:
    """Make the ghost user leave, and redact its messages, its reactions and the membership events that show its name.
    This also covers rooms that no longer exist here.
    """
    bot = bridge.bot
    await ghost.leave(room)
    start = ""
    for _ in range(_MAX_PAGES):
        page = await bot.messages(room, start)
        for event in events_of(page.get("chunk")):
            incoming = content.incoming(event)
            is_spoken = isinstance(incoming, content.IncomingMessage | content.IncomingReaction)
            is_membership = isinstance(incoming, content.IncomingMembership) and incoming.user_id == ghost.user_id
            if incoming is not None and ((is_spoken and incoming.sender == ghost.user_id) or is_membership):
                await bot.redact(room, incoming.event_id, f"om-{bridge.tenant}-redact-{incoming.event_id}")
        following = page.get("end")
        if not isinstance(following, str) or following == start or not page.get("chunk"):
            break
        start = following
