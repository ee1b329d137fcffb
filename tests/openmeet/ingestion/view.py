"""The canonical view of the database, to compare with the oracle's."""

from dataclasses import replace

from groundwork.database.transaction import Database
from openmeet.feature_flags.flags import Switchboard
from openmeet.network.ingestion.apply import apply
from openmeet.network.ingestion.parsed_messages import IngestResult
from openmeet.network.records.message import RecordMessage
from tests.openmeet.ingestion.network import HERE
from tests.simulation.oracle import View

WORDS = {"attending": "going", "interested": "interested", "declined": "notgoing"}

ANSWERS = """
    select i.did, e.record_uri, a.status, a.record_uri as answer_uri
      from attendances a
      join events e on e.id = a.event_id
      join identities i on i.user_id = a.user_id
"""


async def take(db: Database, *messages: RecordMessage) -> list[IngestResult]:
    """Apply the messages. Feature flags are read again each time."""
    async with db.transaction() as tx:
        return await apply(tx, replace(HERE, flags=Switchboard()), messages)


async def view_of(db: Database) -> View:
    async with db.reader() as reader:
        events = await reader.fetch("select record_uri, title from events where removed_at is null")
        removed = {
            row["record_uri"]
            for row in await reader.fetch("select record_uri from events where removed_at is not null")
        }
        answers = await reader.fetch(ANSWERS)
    return View(
        {row["record_uri"]: row["title"] for row in events},
        {
            (row["did"], row["record_uri"]): WORDS[row["status"]]
            for row in answers
            # A withdrawn answer leaves a declined row without a record.
            if row["answer_uri"] is not None and row["record_uri"] not in removed
        },
    )
