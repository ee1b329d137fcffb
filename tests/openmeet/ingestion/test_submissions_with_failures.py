"""A failing record delays no other record in a service's batch, and no other answer that waits for access. With real
refusals.
"""

from groundwork.database.transaction import Database
from openmeet.i18n.reasons.messages import explain
from openmeet.network.ingestion.quarantine import FailedStep
from openmeet.network.ingestion.rsvps_awaiting_event import reevaluate_awaiting_rsvps
from openmeet.network.ingestion.submitted_records import SubmittedRecord, apply_batch
from openmeet.network.records.collections import CALENDAR
from openmeet.network.records.message import RecordOperation
from openmeet.outbox.kinds import JobKind
from tests.openmeet.ingestion.network import HERE, did, event_value, rev, rsvp
from tests.openmeet.ingestion.poison_messages import accept_again, poison, quarantined_records
from tests.openmeet.ingestion.view import apply_messages, view_of
from tests.openmeet.ingestion.waiting_answers import answer_status, connect_person, create_published_event
from tests.simulation.oracle import EVENT

KEYS = ("a", "b", "c")


def uri_of(key: str) -> str:
    return f"at://{did(1)}/{EVENT}/{key}"


async def hand_in(db: Database) -> list[tuple[str, str]]:
    """Submit three events in one batch. Returns the key and result of each."""
    batch = [
        SubmittedRecord(RecordOperation.CREATE, did(1), EVENT, key, rev(2), None, None, event_value(f"Tea {key}"))
        for key in KEYS
    ]
    results = await apply_batch(db, HERE, batch, collections=CALENDAR, is_vouched=True)
    assert all(bool(one.reason) is (one.result == "refused") for one in results)
    return [(one.uri.rpartition("/")[2], one.result) for one in results]


async def test_a_bad_waiting_rsvp_fails_no_batch(db: Database):
    """The RSVP's event is applied with the others, and the response about that event says which RSVP failed."""
    await apply_messages(db, rsvp(2, "good", 1, uri_of("b")), rsvp(3, "late", 1, uri_of("b")))
    await poison(db, "attendances", "late")
    assert await hand_in(db) == [(key, "applied") for key in KEYS]
    assert set((await view_of(db)).events) == {uri_of(key) for key in KEYS}
    async with db.reader() as reader:
        (job,) = await reader.fetch(
            "select subject, state from outbox_jobs where kind = :kind", kind=JobKind.FETCH_SUBJECT
        )
    assert (job["subject"], job["state"]) == (uri_of("b"), "due")
    assert await quarantined_records(db) == []


async def test_only_the_bad_event_of_a_batch_is_quarantined(db: Database):
    """The responses are in the order of submission. When the event is healed and submitted again, it is applied and
    removed from the list.
    """
    await poison(db, "events", "b")
    assert await hand_in(db) == [("a", "applied"), ("b", "refused"), ("c", "applied")]
    (one,) = await quarantined_records(db)
    assert (one.uri, one.step) == (uri_of("b"), FailedStep.APPLY)
    assert "poisoned" in explain(one.reason)
    await accept_again(db, "events", "b")
    assert await hand_in(db) == [("a", "known"), ("b", "applied"), ("c", "known")]
    assert await quarantined_records(db) == []


async def test_a_bad_rsvp_does_not_block_other_waiting_ones(db: Database):
    """A person gets access and their answer fails. The other answers that waited for the event count."""
    async with db.transaction() as tx:
        ana, cleo = await connect_person(tx, "Ana", 9), await connect_person(tx, "Cleo", 1)
        event = await create_published_event(tx, ana, visibility="private")
    about = f"at://{did(9)}/{EVENT}/tea"
    good, bad = rsvp(2, "good", 1, about), rsvp(1, "late", 1, about)
    await apply_messages(db, good, bad)
    async with db.transaction() as tx:
        await tx.execute("update events set visibility = 'public' where id = :id", id=event.id)
    await poison(db, "attendances", "late")
    await reevaluate_awaiting_rsvps(db, cleo.user_id)
    (one,) = await quarantined_records(db)
    assert (one.uri, one.step) == (bad.uri, FailedStep.APPLY_AWAITING)
    assert (did(2), about) in (await view_of(db)).answers
    await accept_again(db, "attendances", "late")
    await reevaluate_awaiting_rsvps(db, cleo.user_id)
    assert (await quarantined_records(db), await answer_status(db, event, cleo) is not None) == ([], True)
