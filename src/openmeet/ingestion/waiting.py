"""Somebody has got in somewhere: what they wrote elsewhere about it, and what of theirs waited because nobody knew them."""

from typing import Final

from groundwork.database.transaction import Database
from groundwork.outbox.owe import Debt
from groundwork.outbox.pay import Payer
from openmeet.attendance import welcoming
from openmeet.events import by_record
from openmeet.ingestion import parking
from openmeet.records import seen
from openmeet.users.model import UserId

# What is parked is capped per author (``records.seen``), so this is little. An event that is not here is fetched for whoever waits.
_PARKED_HERE: Final = """
    select distinct r.subject_uri as uri from records r
      join identities i on i.did = r.did
      join events e on e.record_uri = r.subject_uri
     where i.user_id = :user_id and r.standing = 'parked' order by r.subject_uri
"""


def waiting_payer(db: Database) -> Payer:
    """The payer of ``Debt.WAITING_ANSWERS``; the subject is a person."""

    async def pay(debt: Debt) -> None:
        await look_again(db, UserId(debt.subject))

    return pay


async def look_again(db: Database, user_id: UserId) -> None:
    """Each event in a transaction of its own: others may wait for it, too."""
    async with db.reader() as reader:
        rows = await reader.fetch(_PARKED_HERE, user_id=user_id)
    for row in rows:
        async with db.transaction() as tx:
            await seen.lock_subjects(tx, [row["uri"]])
            await parking.count_in(tx, await by_record.ids_with(tx, [row["uri"]]))
    async with db.transaction() as tx:
        await welcoming.welcome(tx, user_id)
