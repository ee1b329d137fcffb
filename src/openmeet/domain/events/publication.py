"""A group's word about its events on the network: owed with every event that has a record."""

from typing import Final

from groundwork.database.transaction import Transaction
from openmeet.domain.events.model import EventId
from openmeet.domain.groups.model import GroupId
from openmeet.outbox import publications
from openmeet.outbox.publications import Kind

_OF_GROUPS: Final = """
    select e.id, e.revision, coalesce(g.account_id, g.owner_id) as speaker
      from events e join groups g on g.id = e.group_id
     where g.is_read_only = 0 and g.sync_enabled = 1 and e.is_read_only = 0 and e.record_uri is not null
"""


async def owe_attribution(tx: Transaction, event_id: EventId) -> None:
    """The event's record is there, or is not any more: whether its group lists it is decided anew."""
    row = await tx.fetch_one(f"{_OF_GROUPS} and e.id = :id", id=event_id)
    if row is not None:
        await publications.owe(
            tx, kind=Kind.GROUP_EVENT, subject_id=row["id"], user_id=row["speaker"], revision=row["revision"]
        )
    await publications.look_again(tx, kind=Kind.GROUP_EVENT, subject_ids=[event_id], is_edit=True)


async def owe_attributions(tx: Transaction, group_id: GroupId) -> None:
    """The same for every event of a group."""
    rows = await tx.fetch(f"{_OF_GROUPS} and g.id = :id order by e.id", id=group_id)
    await publications.owe_many(
        tx, kind=Kind.GROUP_EVENT, owed=[(row["id"], row["speaker"], row["revision"]) for row in rows]
    )
    events = await tx.fetch("select id from events where group_id = :id order by id", id=group_id)
    await publications.look_again(tx, kind=Kind.GROUP_EVENT, subject_ids=[row["id"] for row in events], is_edit=True)
