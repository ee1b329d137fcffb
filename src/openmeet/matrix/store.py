"""SQL of the bridge: what was sent for each entry of a room's log, the ghost users of people, the /sync cursor.

``matrix_sends`` has one row per processed entry, with the event id, or without one if nothing was sent. Rows written by
delivery have ``sent_revision`` 1. Delivery goes in order, so all entries up to the last such row are processed. The
reader writes rows for entries that it stored itself, with 0.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Explanation, encode_explanation
from openmeet.domain.chat import matrix_guests, mirroring, room_queries
from openmeet.domain.chat.access import access_of_each, people_in_room_sql
from openmeet.domain.chat.addresses import addresses_of
from openmeet.domain.chat.matrix_guests import GuestState
from openmeet.domain.chat.matrix_people import InvitationChoice, InvitationMode, invites_account
from openmeet.domain.chat.mirroring import MirrorState
from openmeet.domain.chat.model import Access, ChatLogEntry, ChatMessageId, LogKind, RoomId
from openmeet.domain.users.erasure_requests import is_leaving
from openmeet.domain.users.model import UserId

# Log entries whose Matrix event contains the text of the message.
_TEXT_KINDS: Final = "('said', 'restored')"


@dataclass(frozen=True, slots=True)
class MirroredRoom:
    """A mirrored room. ``title``: title of its event, series or group, preceded by the name of a channel.
    ``is_adopted``: it comes from an older installation and already had people in it. ``path``: path of its page here;
    empty if its subject is gone.
    """

    id: RoomId
    state: MirrorState
    matrix_room_id: str | None
    title: str
    topic: str
    allows_guests: bool
    shows_history: bool
    is_closed: bool
    is_adopted: bool
    path: str


@dataclass(frozen=True, slots=True)
class Speaker:
    """A person who consented, and their ghost user. ``localpart``: the random part of its id. ``is_made``: it exists at
    the homeserver. ``is_banned``: banned from this room. ``is_leaving``: they are deleting their account, so their name is
    not shown and nothing is sent for them.
    """

    user_id: UserId
    localpart: str
    name: str
    is_made: bool
    consented_at: Instant
    is_banned: bool
    is_leaving: bool


@dataclass(frozen=True, slots=True)
class Occupant:
    """A person who may be in a room, with a ghost user, a linked account, or both. ``asks_again``: they asked to be
    invited again after they left.
    """

    user_id: UserId
    localpart: str
    mxid: str | None
    access: Access
    is_banned: bool
    has_consented: bool
    wants_invitations: bool
    asks_again: bool


_ROOM: Final = """
    select r.id, r.matrix_state, r.matrix_room_id, r.matrix_guests, r.history, r.closed_at, r.about, r.kind, r.name,
           r.matrix_from, coalesce((select e.title from events e where e.id = r.event_id),
                    (select s.name from event_series s where s.id = r.series_id),
                    (select g.name from groups g where g.id = r.group_id), '') as title
      from chat_rooms r
"""


async def room(reader: Reader, room_id: RoomId) -> MirroredRoom | None:
    """Return the room, mirrored or not; None if it is gone."""
    row = await reader.fetch_one(f"{_ROOM} where r.id = :room", room=room_id)
    if row is None:
        return None
    chat_room = await room_queries.by_id(reader, room_id)
    addresses = await addresses_of(reader, [chat_room], None) if chat_room is not None else {}
    title = f"{row['name']} · {row['title']}" if row["kind"] == "channel" else row["title"]
    return MirroredRoom(
        RoomId(row["id"]),
        MirrorState(row["matrix_state"]),
        row["matrix_room_id"],
        title,
        row["about"],
        bool(row["matrix_guests"]) and not await mirroring.is_subject_restricted(reader, room_id),
        row["history"] == "all",
        row["closed_at"] is not None,
        row["matrix_from"] is not None,
        addresses[room_id].path if room_id in addresses else "",
    )


async def room_of(reader: Reader, matrix_room_id: str) -> RoomId | None:
    """Return the mirrored room with this Matrix room id."""
    row = await reader.fetch_one(
        "select id from chat_rooms where matrix_room_id = :room and matrix_state = 'on'", room=matrix_room_id
    )
    return RoomId(row["id"]) if row else None


async def set_matrix_room(tx: Transaction, room_id: RoomId, matrix_room_id: str | None, state: MirrorState) -> None:
    await tx.execute(
        "update chat_rooms set matrix_room_id = :matrix_room, matrix_state = :state where id = :room",
        matrix_room=matrix_room_id,
        state=state.value,
        room=room_id,
    )


async def set_error(tx: Transaction, room_id: RoomId, why: Explanation | None) -> None:
    """Store the last error; None clears it."""
    await tx.execute(
        "update chat_rooms set matrix_error = :error where id = :room and matrix_error <> :error",
        error=encode_explanation(why),
        room=room_id,
    )


async def unsent(reader: Reader, room_id: RoomId, limit: int) -> list[ChatLogEntry]:
    """Return the next unprocessed entries of the log, in order."""
    rows = await reader.fetch(
        """
        select l.room_id, l.number, l.kind, l.message_id, l.at from chat_log l
         where l.room_id = :room
           and l.number > coalesce((select max(s.number) from matrix_sends s where s.room_id = :room
               and s.sent_revision > 0), 0)
           and not exists (select 1 from matrix_sends s where s.room_id = l.room_id and s.number = l.number)
         order by l.number limit :limit
        """,
        room=room_id,
        limit=limit,
    )
    return [
        ChatLogEntry(
            RoomId(row["room_id"]),
            row["number"],
            LogKind(row["kind"]),
            None if row["message_id"] is None else ChatMessageId(row["message_id"]),
            row["at"],
        )
        for row in rows
    ]


async def note_sent(tx: Transaction, room_id: RoomId, number: int, event_id: str | None, *, by_delivery: bool) -> None:
    """Mark an entry as processed, with its event id; None if nothing was sent."""
    await tx.execute(
        """
        insert into matrix_sends (room_id, number, event_id, sent_revision) values (:room, :number, :event, :sent)
            on conflict (room_id, number) do update
                set event_id = excluded.event_id,
                    sent_revision = case when excluded.sent_revision > matrix_sends.sent_revision then
                        excluded.sent_revision
                                         else matrix_sends.sent_revision end
        """,
        room=room_id,
        number=number,
        event=event_id,
        sent=int(by_delivery),
    )


async def skip_to_last_sent(tx: Transaction, room_id: RoomId) -> None:
    """Move delivery's mark past the entries that the reader has processed, so that the next query starts there."""
    await tx.execute(
        """
        update matrix_sends set sent_revision = 1 where room_id = :room and sent_revision = 0
           and number = (select max(s.number) from matrix_sends s where s.room_id = :room)
           and not exists (select 1 from chat_log l where l.room_id = :room and l.number < matrix_sends.number
                              and l.number > coalesce((select max(s.number) from matrix_sends s
                                                        where s.room_id = :room and s.sent_revision > 0), 0)
                              and not exists (select 1 from matrix_sends s
                                  where s.room_id = :room and s.number = l.number))
        """,
        room=room_id,
    )


async def is_logged(reader: Reader, room_id: RoomId, number: int) -> bool:
    """Whether the entry is still in the log. It is deleted together with its message."""
    row = await reader.fetch_one(
        "select 1 as found from chat_log where room_id = :room and number = :number", room=room_id, number=number
    )
    return row is not None


async def event_of(reader: Reader, message: ChatMessageId) -> str | None:
    """Return the event that contains the message's current text; None if it was not sent or is redacted."""
    row = await reader.fetch_one(
        f"""
        select s.event_id from chat_log l join matrix_sends s on s.room_id = l.room_id and s.number = l.number
         where l.message_id = :message and l.kind in {_TEXT_KINDS} and s.event_id is not null order by l.number desc
             limit 1
        """,
        message=message,
    )
    return row["event_id"] if row else None


async def events_of(reader: Reader, message: ChatMessageId) -> list[tuple[int, str]]:
    """Return number and id of every event that contains text of the message: the original and its edits."""
    rows = await reader.fetch(
        """
        select s.number, s.event_id from chat_log l join matrix_sends s on s.room_id = l.room_id and s.number = l.number
         where l.message_id = :message and s.event_id is not null order by s.number
        """,
        message=message,
    )
    return [(row["number"], row["event_id"]) for row in rows]


async def message_of(reader: Reader, room_id: RoomId, event_id: str) -> ChatMessageId | None:
    """Return the message of a text event, whether we sent the event or read it."""
    row = await reader.fetch_one(
        f"""
        select l.message_id from matrix_sends s join chat_log l on l.room_id = s.room_id and l.number = s.number
         where s.room_id = :room and s.event_id = :event and l.kind in {_TEXT_KINDS} and l.message_id is not null
        """,
        room=room_id,
        event=event_id,
    )
    return ChatMessageId(row["message_id"]) if row else None


async def is_known(reader: Reader, room_id: RoomId, event_id: str) -> bool:
    """Whether we sent or stored this event."""
    row = await reader.fetch_one(
        """
        select 1 where exists (select 1 from matrix_sends where event_id = :event)
                    or exists (select 1 from chat_messages where room_id = :room and external_id = :event)
                    or exists (select 1 from chat_reactions where external_id = :event)
        """,
        room=room_id,
        event=event_id,
    )
    return row is not None


async def speaker(reader: Reader, room_id: RoomId, user_id: UserId) -> Speaker | None:
    """Return the person with their ghost user; None if they did not consent."""
    row = await reader.fetch_one(
        f"""
        select p.user_id, p.localpart, p.ghost_made_at, p.answered_at, u.display_name,
               case when exists (select 1 from chat_sanctions x where x.room_id = :room and x.user_id = p.user_id
                                    and x.kind = 'ban' and x.lifted_at is null and (x.until is null or x.until > :now))
                    then 1 else 0 end as banned,
               case when {is_leaving("p.user_id")} then 1 else 0 end as leaving
          from matrix_people p join users u on u.id = p.user_id
         where p.user_id = :user and p.consent = 'name_and_words'
        """,
        room=room_id,
        user=user_id,
        now=reader.now,
    )
    if row is None:
        return None
    return Speaker(
        UserId(row["user_id"]),
        row["localpart"],
        row["display_name"] or "",
        row["ghost_made_at"] is not None,
        row["answered_at"],
        bool(row["banned"]),
        bool(row["leaving"]),
    )


async def address_of(reader: Reader, message: ChatMessageId) -> str | None:
    """Return the Matrix account that wrote this message on Matrix, unless a member has edited the message here since.
    None if the account's owner is banned or has unlinked it. (Guests can edit only on Matrix.)
    """
    row = await reader.fetch_one(
        """
        select m.matrix_sender as address from chat_messages m where m.id = :message and m.matrix_sender is not null
           and not exists (select 1 from matrix_guests g
                            where g.room_id = m.room_id and g.mxid = m.matrix_sender and g.state = 'banned')
        union all
        select p.mxid from chat_messages m join matrix_people p on p.user_id = m.user_id
         where m.id = :message and m.external_id is not null and m.edited_at is null and p.mxid is not null
           and not exists (select 1 from chat_sanctions x where x.room_id = m.room_id and x.user_id = m.user_id
                              and x.kind = 'ban' and x.lifted_at is null and (x.until is null or x.until > :now))
        """,
        message=message,
        now=reader.now,
    )
    return row["address"] if row else None


async def speaker_outside_rooms(reader: Reader, user_id: UserId) -> Speaker | None:
    """Like ``speaker``, but not for a specific room. Also None for somebody who has no user at the homeserver yet."""
    speaker_outside = await speaker(reader, RoomId(""), user_id)
    return speaker_outside if speaker_outside is not None and speaker_outside.is_made else None


async def note_made(tx: Transaction, user_id: UserId) -> None:
    """Note that the person's user exists at the homeserver."""
    await tx.execute(
        "update matrix_people set ghost_made_at = coalesce(ghost_made_at, :now) where user_id = :user",
        now=tx.now,
        user=user_id,
    )


async def is_older_than_adoption(reader: Reader, room_id: RoomId, at: Instant) -> bool:
    """Whether this time is before the room was adopted; False for rooms that we created."""
    row = await reader.fetch_one(
        "select 1 as found from chat_rooms where id = :room and matrix_from > :at", room=room_id, at=at
    )
    return row is not None


async def person_of_account(reader: Reader, mxid: str) -> UserId | None:
    """Return the user who linked this account."""
    row = await reader.fetch_one("select user_id from matrix_people where mxid = :mxid", mxid=mxid)
    return UserId(row["user_id"]) if row else None


async def person_of_ghost(reader: Reader, localpart: str) -> UserId | None:
    row = await reader.fetch_one("select user_id from matrix_people where localpart = :name", name=localpart)
    return UserId(row["user_id"]) if row else None


async def occupants(
    reader: Reader, room_id: RoomId, present: Collection[str], ghosts: Collection[str]
) -> list[Occupant]:
    """Return the people of the bridge who may enter the room or are in it. ``present`` are Matrix user ids, ``ghosts``
    localparts.
    """
    rows = await reader.fetch(
        f"""
        select p.user_id, p.localpart, p.mxid, p.consent, p.invites, k.wish, coalesce(k.is_due, 0) as is_due,
               case when exists (select 1 from chat_sanctions x where x.room_id = r.id and x.user_id = p.user_id
                                    and x.kind = 'ban' and x.lifted_at is null and (x.until is null or x.until > :now))
                    then 1 else 0 end as banned
          from chat_rooms r cross join matrix_people p
          left join matrix_choices k on k.room_id = r.id and k.user_id = p.user_id
         where r.id = :room and (p.mxid in :present or p.localpart in :ghosts
                                 or p.mxid is not null and p.user_id in (select pe.user_id from {people_in_room_sql()} pe))
        """,
        room=room_id,
        now=reader.now,
        present=sorted(present) or [""],
        ghosts=sorted(ghosts) or [""],
    )
    room = await room_queries.by_id(reader, room_id)
    access_by_person = await access_of_each(reader, room, [UserId(row["user_id"]) for row in rows]) if room else {}
    return [
        Occupant(
            UserId(row["user_id"]),
            row["localpart"],
            row["mxid"],
            access_by_person.get(UserId(row["user_id"]), Access.NONE),
            bool(row["banned"]),
            row["consent"] == "name_and_words",
            invites_account(
                InvitationMode(row["invites"]), None if row["wish"] is None else InvitationChoice(row["wish"])
            ),
            bool(row["is_due"]),
        )
        for row in rows
    ]


async def accounts_with_access(reader: Reader, room_id: RoomId, accounts: Collection[str]) -> set[str]:
    """Return those of the accounts that may be in the room: linked accounts of people with access, and guests if guests
    are allowed.
    """
    rows = await reader.fetch(
        "select user_id, mxid from matrix_people where mxid in :accounts", accounts=sorted(accounts) or [""]
    )
    room = await room_queries.by_id(reader, room_id)
    if room is None:
        return set()
    linked = {row["mxid"]: UserId(row["user_id"]) for row in rows}
    access_by_person = await access_of_each(reader, room, linked.values())
    guests: set[str] = set()
    if await matrix_guests.are_allowed(reader, room):
        guests = {one.mxid for one in await matrix_guests.guests_of(reader, room_id, states=(GuestState.INVITED,))}
    return (guests & set(accounts)) | {
        mxid for mxid, user in linked.items() if access_by_person.get(user, Access.NONE) is not Access.NONE
    }


async def names_hidden_from_matrix(reader: Reader, message: ChatMessageId) -> list[str]:
    """Return names of mentioned people that must not be sent to Matrix: as written in the message, their current name
    and their handles.
    """
    rows = await reader.fetch(
        f"""
        with kept as (
          select q.user_id, q.name from chat_mentions q where q.message_id = :message and q.is_called = 0
             and ({is_leaving("q.user_id")}
                  or not exists (select 1 from matrix_people p
                      where p.user_id = q.user_id and p.consent = 'name_and_words')))
        select k.name from kept k where k.name <> ''
        union select u.display_name from kept k join users u on u.id = k.user_id where u.display_name <> ''
        union select i.handle from kept k join identities i on i.user_id = k.user_id where i.handle is not null
        """,
        message=message,
    )
    return [row["name"] for row in rows]


@dataclass(frozen=True, slots=True)
class SyncCursor:
    """The /sync cursor. ``since`` is empty before the first read. ``epoch`` counts the reads, so that two readers
    cannot both store a cursor.
    """

    since: str
    epoch: int


async def take_cursor(tx: Transaction, holder: str, until: Instant) -> SyncCursor | None:
    """Acquire or renew the lease on reading; None if another process holds it."""
    await tx.execute("insert into matrix_cursor (id, since) values (1, '') on conflict (id) do nothing")
    updated = await tx.execute(
        "update matrix_cursor set holder = :holder, held_until = :until where id = 1 and (holder = :holder "
        "or held_until < :now)",
        holder=holder,
        until=until,
        now=tx.now,
    )
    if not updated:
        return None
    row = await tx.fetch_one("select since, epoch from matrix_cursor where id = 1")
    assert row is not None, "it was inserted above"  # noqa: S101 - for the type checker
    return SyncCursor(row["since"], row["epoch"])


async def give_cursor_back(tx: Transaction, holder: str) -> None:
    """Release the lease, so that another process does not have to wait for it to expire."""
    await tx.execute(
        "update matrix_cursor set holder = '', held_until = 0 where id = 1 and holder = :holder", holder=holder
    )


async def move_cursor(tx: Transaction, holder: str, before: SyncCursor, since: str) -> bool:
    """Store the next cursor; returns False if another process has read in the meantime."""
    moved = await tx.execute(
        "update matrix_cursor set since = :since, epoch = epoch + 1 where id = 1 and holder = :holder and epoch = :epoch",
        since=since,
        holder=holder,
        epoch=before.epoch,
    )
    return moved == 1
