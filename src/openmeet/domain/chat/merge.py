"""Chat in an account merge: every row is changed to the remaining person, and two threads with the same hosts become
one.
"""

import json
from collections.abc import Mapping
from typing import Final

from groundwork.database.transaction import Transaction
from openmeet.domain.chat import log
from openmeet.domain.chat.model import ChatMessageId, LogKind, RoomId
from openmeet.domain.chat.polls import poll_in
from openmeet.domain.chat.texts import person_term, room_term
from openmeet.domain.notifications import email_links
from openmeet.domain.personal_data.tables import hand_over
from openmeet.domain.users.model import UserId

# Columns with a user id. If both people have a row, either that of the remaining person is kept or both are.
_NAMED: Final = (
    ("chat_messages", "user_id"),
    ("chat_messages", "removed_by"),
    ("chat_mentions", "user_id"),
    ("chat_pictures", "user_id"),
    ("chat_reactions", "user_id"),
    ("chat_votes", "user_id"),
    ("chat_pins", "pinned_by"),
    ("chat_sanctions", "user_id"),
    ("chat_sanctions", "by_user_id"),
    ("chat_acts", "user_id"),
    ("chat_acts", "by_user_id"),
    ("chat_reports", "reporter_id"),
    ("chat_readers", "user_id"),
    ("matrix_people", "user_id"),
    ("matrix_guests", "by_user_id"),
    ("matrix_choices", "user_id"),
)
# The remaining account has read what either of them read, and joined when the first of them did.
_JOIN_READERS: Final = """
    update chat_readers
       set read_number = (select max(b.read_number) from chat_readers b
                           where b.room_id = chat_readers.room_id and b.user_id in (:from_user, :to_user)),
           entered_number = (select min(b.entered_number) from chat_readers b
                              where b.room_id = chat_readers.room_id and b.user_id in (:from_user, :to_user)),
           entered_at = (select min(b.entered_at) from chat_readers b
                          where b.room_id = chat_readers.room_id and b.user_id in (:from_user, :to_user))
     where user_id = :to_user
       and exists (select 1 from chat_readers o where o.room_id = chat_readers.room_id and o.user_id = :from_user)
"""
# A sanction against either account stays in force. If both have one of the same kind, the one that ends later is kept.
_DROP_SHORTER: Final = """
    delete from chat_sanctions
     where user_id = :to_user and exists (
           select 1 from chat_sanctions o where o.room_id = chat_sanctions.room_id and o.kind = chat_sanctions.kind
              and o.of_site = chat_sanctions.of_site
              and o.user_id = :from_user and o.lifted_at is null and (o.until is null or o.until > :now)
              and (chat_sanctions.lifted_at is not null
                   or chat_sanctions.until < coalesce(o.until, chat_sanctions.until + 1)))
"""
_TWIN_ROOMS: Final = """
    select r.id, k.id as kept from chat_rooms r join chat_rooms k
        on k.with_user_id = :to_user and (k.event_id = r.event_id or k.series_id = r.series_id
            or k.group_id = r.group_id)
     where r.with_user_id = :from_user order by r.id
"""


async def reassign(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    """Reassign all chat rows from one person to the other."""
    people = {"from_user": from_user, "to_user": to_user}
    # A client id prevents one person's message from being sent twice. The id is not used after the merge.
    await tx.execute(
        "update chat_messages set client_id = null where user_id = :from_user and client_id is not null",
        from_user=from_user,
    )
    await tx.execute(_JOIN_READERS, **people)
    for row in await tx.fetch(_TWIN_ROOMS, **people):
        await _join_rooms(tx, RoomId(row["id"]), RoomId(row["kept"]), people)
    # After the threads, because their sanctions move with them.
    await tx.execute(_DROP_SHORTER, **people, now=tx.now)
    # Do this before the author changes, because the rows are then found under the remaining person.
    await tx.execute(
        "update chat_messages set search_words = replace(search_words, :before, :after)"
        " where user_id = :from_user and search_words <> ''",
        before=f"{person_term(from_user)} ",
        after=f"{person_term(to_user)} ",
        from_user=from_user,
    )
    await _keep_one_choice(tx, people)
    for table, column in _NAMED:
        await hand_over(tx, table, column, from_user, to_user)
    await hand_over(tx, "chat_rooms", "with_user_id", from_user, to_user)
    await tx.execute("delete from chat_access_changes where user_id = :from_user", from_user=from_user)


async def _keep_one_choice(tx: Transaction, people: Mapping[str, UserId]) -> None:
    """If both voted in a single-choice poll, keep the vote of the remaining account."""
    rows = await tx.fetch(
        "select m.id, m.details from chat_messages m where m.kind = 'poll'"
        " and exists (select 1 from chat_votes v where v.message_id = m.id and v.user_id = :from_user)"
        " and exists (select 1 from chat_votes v where v.message_id = m.id and v.user_id = :to_user) order by m.id",
        **people,
    )
    for row in rows:
        poll = poll_in(json.loads(row["details"]))
        if poll is not None and not poll.several:
            await tx.execute(
                "delete from chat_votes where message_id = :id and user_id = :from_user",
                id=row["id"],
                from_user=people["from_user"],
            )


# Everybody who had read everything in the remaining thread, and how many messages they had read of the other one.
_READ_IN_BOTH: Final = """
    select k.user_id,
           (select count(*) from chat_messages m where m.room_id = :goes and m.number <= g.read_number) as messages
      from chat_readers k
      join chat_readers g on g.room_id = :goes
       and g.user_id = case when k.user_id = :to_user and not exists (
             select 1 from chat_readers o where o.room_id = :goes and o.user_id = :to_user) then :from_user
                 else k.user_id end
     where k.room_id = :stays and k.read_number >= (
           select coalesce(max(m.number), 0) from chat_messages m
               where m.room_id = :stays and coalesce(m.user_id, '') <> k.user_id)
     order by k.user_id
"""
_MOVE_MESSAGES: Final = """
    update chat_messages
       set room_id = :stays, number = :last + moved.place, client_id = null,
           search_words = replace(search_words, :before, :after)
      from (select m.id, row_number() over (order by m.number) as place from chat_messages m
             where m.room_id = :goes) as moved
     where chat_messages.id = moved.id
"""


async def _join_rooms(tx: Transaction, goes: RoomId, stays: RoomId, people: Mapping[str, UserId]) -> None:
    """Append the messages of one thread to the other, keeping their order. Its sanctions and its moderation log move as
    well. What people had read in both stays read, and links in e-mails about it lead to the remaining thread.

    The number of statements does not depend on the number of messages.
    """
    read = await tx.fetch(_READ_IN_BOTH, goes=goes, stays=stays, **people)
    moved = [
        ChatMessageId(row["id"])
        for row in await tx.fetch("select id from chat_messages where room_id = :room order by number", room=goes)
    ]
    last = (await log.next_entry(tx, stays)).number - 1
    await tx.execute("delete from chat_log where room_id = :room", room=goes)
    await tx.execute(
        _MOVE_MESSAGES,
        goes=goes,
        stays=stays,
        last=last,
        before=f"{room_term(goes)} ",
        after=f"{room_term(stays)} ",
    )
    await log.append_each(tx, stays, LogKind.POSTED, moved)
    await tx.execute_many(
        "update chat_readers set read_number = :number"
        " where room_id = :room and user_id = :user_id and read_number < :number",
        [
            {"number": last + row["messages"], "room": stays, "user_id": row["user_id"]}
            for row in read
            if row["messages"]
        ],
    )
    await email_links.move_to_subject(tx, goes, stays)
    await email_links.move_to_subject(tx, f"{email_links.ROOM}{goes}", f"{email_links.ROOM}{stays}")
    await tx.execute("update chat_pins set room_id = :stays where room_id = :goes", stays=stays, goes=goes)
    await tx.execute("update chat_acts set room_id = :stays where room_id = :goes", stays=stays, goes=goes)
    await tx.execute(
        """
        update chat_sanctions set room_id = :stays where room_id = :goes and not exists (
          select 1 from chat_sanctions k where k.room_id = :stays and k.user_id = chat_sanctions.user_id
             and k.kind = chat_sanctions.kind and k.of_site = chat_sanctions.of_site)
        """,
        stays=stays,
        goes=goes,
    )
    await tx.execute("delete from chat_rooms where id = :room", room=goes)
