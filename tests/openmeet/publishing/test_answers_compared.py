"""A host has the answers compared with the repositories that they come from. Answers that were deleted without a commit
on the stream are found, and no repository is written to.
"""

import pytest

from at_protocol.syntax.at_uri import parse_at_uri
from groundwork.clock import HandClock
from groundwork.database.transaction import Database, Reader
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_job_per_call
from openmeet.domain.attendance import record_comparison
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.record_comparison import request_comparison
from openmeet.domain.events.event_records import find
from openmeet.domain.events.model import Event
from openmeet.domain.events.queries import by_slug
from openmeet.network.ingestion.apply import apply
from openmeet.network.records.collections import EVENT, RSVP
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.databases import MakeDatabase
from tests.openmeet.deployment import Deployment
from tests.openmeet.ingestion.network import HERE, did, event, rsvp, rsvp_value
from tests.openmeet.statement_counter import StatementCounter


async def test_a_record_that_vanished_without_a_commit_is_found(deployment: Deployment):
    """This is tested for a person who answered on this site and for one who answered in another app. People whose
    record still exists are kept.
    """
    ana, cleo = await deployment.person(), await deployment.connected()
    event = await deployment.event(ana)
    await deployment.deliver_publications()
    mine = await deployment.answer(cleo, event.slug, RsvpReply.GOING)
    await deployment.deliver_publications()
    uri = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri
    assert uri is not None
    for name in ("dora", "emil"):
        await deployment.account(name)
        app = await deployment.stranger(name)
        did = (await app.query("com.atproto.server.getSession"))["did"]
        cid = (await deployment.record(uri))["cid"]
        record = {**rsvp_value(uri), "subject": {"uri": uri, "cid": cid}, "createdAt": "2026-01-01T00:00:00Z"}
        await app.procedure(
            "com.atproto.repo.createRecord",
            {"repo": did, "collection": RSVP, "rkey": "3kaaaaaaaaa22", "record": record},
        )
        await deployment.follow_until(did, lambda state: state.last_head is not None)

    async def going() -> int:
        async with deployment.db.reader() as reader:
            rows = await reader.fetch(
                "select id from attendances where event_id = :id and status = 'attending'", id=event.id
            )
        return len(rows)

    assert await going() == 3
    ours = (await deployment.status_of(PublicationKind.RSVP, mine.id)).uri
    assert ours is not None
    for name, key in (("cleo", str(parse_at_uri(ours).rkey)), ("dora", "3kaaaaaaaaa22")):
        app = await deployment.stranger(name)
        did = (await app.query("com.atproto.server.getSession"))["did"]
        await app.procedure("com.atproto.repo.deleteRecord", {"repo": did, "collection": RSVP, "rkey": key})
    async with deployment.db.transaction() as tx:
        current = await by_slug(tx, event.slug)
        assert current is not None
        assert await request_comparison(tx, current) == 3
    await deployment.deliver_jobs()
    await deployment.deliver_jobs()
    assert await going() == 1
    assert (await deployment.status_of(PublicationKind.RSVP, mine.id)).state is PublicationState.RETRACTED
    await deployment.deliver_publications()
    app = await deployment.stranger("cleo")
    did = (await app.query("com.atproto.server.getSession"))["did"]
    listed = await app.query("com.atproto.repo.listRecords", {"repo": did, "collection": RSVP})
    assert listed["records"] == [], "the deleted record is not written again"


TEA = f"at://{did(1)}/{EVENT}/tea"


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


async def answered(db: Database, numbers: range) -> None:
    async with db.transaction() as tx:
        await apply(tx, HERE, [event(1, "tea", 1), *(rsvp(number, "one", number, TEA) for number in numbers)])


async def asked(db: Database) -> StatementCounter:
    async with db.transaction() as tx:
        tea, counting = await _tea(tx), StatementCounter(tx)
        assert await request_comparison(counting, tea) == await comparing_of(tx)
        assert await record_comparison.counts_by_state(counting, tea.id) == {
            PublicationState.WITHHELD: await comparing_of(tx)
        }
    return counting


async def comparing_of(reader: Reader) -> int:
    row = await reader.fetch_one("select count(*) as n from attendances")
    assert row is not None
    return int(row["n"])


async def _tea(reader: Reader) -> Event:
    tea = await find(reader, TEA)
    assert tea is not None
    return tea


async def test_comparing_answers_is_one_job_however_many_there_are(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request does not wait for the comparison, and runs the same number of statements for many answers as for few.
    The job works in batches, and makes each decision and each fetch once.
    """
    monkeypatch.setattr(record_comparison, "BATCH_SIZE", 3)
    await answered(db, range(2, 4))
    few = await asked(db)
    await answered(db, range(4, 14))
    many = await asked(db)
    assert (many.statements, many.rows) == (few.statements, few.rows)
    async with db.reader() as reader:
        assert await reader.fetch("select subject from outbox_jobs where kind = 'prove_record'") == []
        queued = await reader.fetch("select subject from outbox_jobs where kind = 'compare_rsvps'")
        assert [row["subject"] for row in queued] == [(await _tea(reader)).id]
    async with db.transaction() as tx:
        await tx.execute(
            "insert into publications (kind, subject_id, user_id, state, revision, due_at, edited_at, changed_at)"
            " select 'rsvp', id, user_id, 'withheld', 1, 0, 0, 0 from attendances where 1 = 1"
        )
    assert (
        await dispatcher.run_once(
            db, {JobKind.COMPARE_RSVPS: one_job_per_call(record_comparison.comparison_handler(db))}
        )
        == 1
    )
    async with db.reader() as reader:
        proven = await reader.fetch("select subject from outbox_jobs where kind = 'prove_record' order by subject")
        assert await record_comparison.counts_by_state(reader, (await _tea(reader)).id) == {PublicationState.DUE: 12}
    assert [row["subject"] for row in proven] == sorted(f"at://{did(number)}/{RSVP}/one" for number in range(2, 14))
