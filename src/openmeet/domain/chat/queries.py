"""SQL of chat rooms and messages."""

from collections.abc import Mapping

from groundwork.database.bulk import for_each
from groundwork.database.transaction import Transaction
from groundwork.uuid7 import new_id


async def reassign(tx: Transaction, from_user: str, to_user: str) -> None:
    """Account merge: move messages and memberships. In a room with both users, the remaining one keeps their
    membership.
    """
    people = {"from_user": from_user, "to_user": to_user}
    await tx.execute(
        """
        delete from chat_members
         where user_id = :from_user and room_id in (select room_id from chat_members where user_id = :to_user)
        """,
        **people,
    )
    await tx.execute("update chat_members set user_id = :to_user where user_id = :from_user", **people)
    await tx.execute("update chat_messages set user_id = :to_user where user_id = :from_user", **people)
    await tx.execute("update chat_messages set removed_by = :to_user where removed_by = :from_user", **people)


async def open_for_event(tx: Transaction, event_id: str, *, name: str) -> None:
    """Create the room of an event; idempotent."""
    await open_for_events(tx, {event_id: name})


async def open_for_events(tx: Transaction, names: Mapping[str, str]) -> None:
    """The same for several events."""
    await for_each(
        tx,
        """
        insert into chat_rooms (id, event_id, name, revision, created_at, updated_at)
        select given.id, given.event_id, given.name, 1, cast(:now as bigint), cast(:now as bigint)
          from each(id text, event_id text, name text) as given where 1 = 1 on conflict (event_id) do nothing
        """,
        [{"id": new_id(tx.now), "event_id": event_id, "name": name} for event_id, name in names.items()],
        now=tx.now,
    )


async def erase_about(tx: Transaction, did: str) -> None:
    """A repository was deleted: rooms of events that came from it no longer refer to them."""
    await tx.execute(
        "update chat_rooms set name = '', closed_at = coalesce(closed_at, :now), revision = revision + 1, updated_at = :now"
        " where name <> '' and event_id in (select id from events where record_did = :did and origin = 'network')",
        did=did,
        now=tx.now,
    )


async def erase_of(tx: Transaction, user_id: str) -> None:
    """The user's account is gone: delete their messages' text (each message keeps its place) and their memberships."""
    await tx.execute(
        """
        update chat_messages
           set body = '', removed_at = coalesce(removed_at, :now), external_id = null, revision = revision + 1, updated_at = :now
         where user_id = :user_id and body <> ''
        """,
        user_id=user_id,
        now=tx.now,
    )
    await tx.execute("delete from chat_members where user_id = :user_id", user_id=user_id)
