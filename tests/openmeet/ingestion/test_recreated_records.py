"""A record that belonged to an event was retracted on this site, and is now a separate event of its author."""

import pytest

from groundwork.database.transaction import Database
from openmeet.domain.events import event_records, record_changes
from tests.databases import MakeDatabase
from tests.openmeet.ingestion.network import deletion_of, event, rsvp
from tests.openmeet.ingestion.view import apply_messages


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("openmeet")


async def test_answers_to_the_record_move_to_the_new_event(db: Database):
    """The answers move to the new event. At the first event, their people stay as known guests without a record."""
    tea = event(0, "tea", 1)
    going, maybe = rsvp(1, "a", 2, tea.uri), rsvp(2, "b", 3, tea.uri, "interested")
    await apply_messages(db, tea, going, maybe)
    async with db.transaction() as tx:
        first = await event_records.by_record_uri(tx, tea.uri)
        assert first is not None
        await record_changes.forget_record(tx, first.id)
    await apply_messages(db, deletion_of(tea, 4))
    await apply_messages(db, event(0, "tea", 5, "Tea again"))
    async with db.reader() as reader:
        second = await event_records.by_record_uri(reader, tea.uri)
        assert second is not None
        rows = await reader.fetch("select event_id, status, record_uri from attendances order by event_id, status")
    assert second.id != first.id
    assert [(row["event_id"] == second.id, row["status"], row["record_uri"]) for row in rows] == [
        (False, "attending", None),
        (False, "interested", None),
        (True, "attending", going.uri),
        (True, "interested", maybe.uri),
    ]
