"""Enqueue the mirrored rooms that the bridge must check again because people, names or visibility changed."""

from typing import Final

from groundwork.database.transaction import Reader, Transaction
from groundwork.outbox import jobs
from openmeet.domain.chat.access import series_chain_sql
from openmeet.domain.chat.log import MIRRORED
from openmeet.domain.chat.mirroring import wake_all, wake_rooms_of
from openmeet.domain.users.model import UserId
from openmeet.outbox.kinds import JobKind

# If more people than this changed at once, every mirrored room is checked.
_PEOPLE_AT_ONCE: Final = 100


async def newest_access_change(reader: Reader) -> int:
    """The number of the latest change of an answer, a role or a block."""
    row = await reader.fetch_one("select coalesce(max(id), 0) as newest from chat_access_changes")
    return int(row["newest"]) if row else 0


async def wake_changed(tx: Transaction, after: int) -> None:
    """Enqueue a check of the mirrored rooms whose people, name or visibility may have changed after the change with
    this number, and of the names of people with a ghost user.
    """
    await _wake_people(tx, after)
    fresh = "from chat_access_changes c where c.id > :after"
    changed_date = (
        f"exists ({series_chain_sql('r')} select 1 from chain join events ce on ce.series_id = chain.id"
        " join chat_access_changes c on c.event_id = ce.id where c.id > :after)"
    )
    changed_series = (
        f"exists ({series_chain_sql('r')} select 1 from chain join event_series cs on cs.id = chain.id"
        f" where cs.id in (select c.series_id {fresh} and c.series_id is not null)"
        f" or cs.group_id in (select c.group_id {fresh} and c.group_id is not null))"
    )
    await jobs.enqueue_again_selected(
        tx,
        JobKind.MATRIX_ROOM,
        f"""
        {MIRRORED} and (
               r.event_id in (select c.event_id {fresh} and c.event_id is not null)
            or r.group_id in (select c.group_id {fresh} and c.group_id is not null)
            or exists (select 1 from events ge where ge.id = r.event_id
                          and ge.group_id in (select c.group_id {fresh} and c.group_id is not null))
            or r.series_id is not null and ({changed_date} or {changed_series}))
         order by r.id
        """,
        after=after,
    )


async def _wake_people(tx: Transaction, after: int) -> None:
    """Handle changes of a single person: they were blocked or suspended, or changed their name."""
    rows = await tx.fetch(
        "select distinct c.user_id from chat_access_changes c where c.id > :after and c.user_id is not null"
        " and c.event_id is null and c.series_id is null and c.group_id is null order by c.user_id limit :limit",
        after=after,
        limit=_PEOPLE_AT_ONCE,
    )
    if len(rows) == _PEOPLE_AT_ONCE:
        await wake_all(tx)
    else:
        for row in rows:
            await wake_rooms_of(tx, UserId(row["user_id"]))
    spoken_for = await tx.fetch(
        "select user_id from matrix_people where user_id in :people and ghost_made_at is not null"
        " and consent = 'name_and_words' order by user_id",
        people=[row["user_id"] for row in rows] or [""],
    )
    await jobs.enqueue_again(tx, JobKind.MATRIX_PERSON, [row["user_id"] for row in spoken_for])
