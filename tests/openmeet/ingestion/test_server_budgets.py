"""Single records are fetched from a host and from a repository at a limited rate. The rest is scheduled for later."""

from collections import Counter

import pytest

from at_protocol.syntax.did import parse_did
from groundwork.clock import MINUTE, SECOND, HandClock, Instant
from groundwork.errors import TooMany
from groundwork.outbox import dispatcher, jobs
from groundwork.outbox.delivery import one_job_per_call
from groundwork.outbox.jobs import JobState
from groundwork.rate_limit.contract import Limit
from groundwork.rate_limit.in_process import InProcessCounters
from openmeet.network.ingestion import backfill, fetch
from openmeet.network.ingestion.server_budgets import spending, spending_on_proofs
from openmeet.network.records.collections import EVENT
from openmeet.outbox.kinds import JobKind
from tests.openmeet.deployment import Deployment
from tests.openmeet.ingestion.network import event_value

THREE = Limit("records_asked_of_server", 3, 60)


async def test_requests_over_a_hosts_budget_are_scheduled_for_later(deployment: Deployment):
    """Both kinds of job, and two programs with shared counters, use one budget. Everything is requested in the end."""
    await deployment.connected("cleo")
    app = await deployment.stranger("cleo")
    did = parse_did((await app.query("com.atproto.server.getSession"))["did"])
    uris = []
    for number in range(5):
        wish = {"repo": did, "collection": EVENT, "record": event_value(f"Tea {number}")}
        uris.append((await app.procedure("com.atproto.repo.createRecord", wish))["uri"])
    counters = InProcessCounters()
    here = deployment.processor.ingestion_context
    handlers = {
        JobKind.FETCH_SUBJECT: one_job_per_call(
            fetch.subject_handler(
                deployment.db, deployment.network, here, spend_on_server=spending(counters, deployment.clock, THREE)
            )
        ),
        JobKind.PROVE_RECORD: one_job_per_call(
            fetch.record_handler(
                deployment.db, deployment.network, here, spending_on_proofs(counters, deployment.clock, THREE)
            )
        ),
    }
    async with deployment.db.transaction() as tx:
        for kind, part in ((JobKind.FETCH_SUBJECT, uris[:2]), (JobKind.PROVE_RECORD, uris[2:])):
            await jobs.enqueue_many(tx, kind, [(uri, 1, tx.now) for uri in part])
    question = "select state, due_at, reason_params from outbox_jobs where kind in ('fetch_subject', 'prove_record')"

    async def known() -> int:
        async with deployment.db.reader() as reader:
            return len(await reader.fetch("select uri from records"))

    await dispatcher.run_once(deployment.db, handlers)
    async with deployment.db.reader() as reader:
        rows = await reader.fetch(question)
    assert Counter(row["state"] for row in rows) == {"completed": 3, "due": 2}
    waiting = [row for row in rows if row["state"] == "due"]
    assert all(row["due_at"] >= deployment.clock.now() + MINUTE for row in waiting)
    assert all("failure.too_many" in row["reason_params"] for row in waiting)
    assert await known() == 3
    deployment.clock.turn(2 * MINUTE)
    await dispatcher.run_once(deployment.db, handlers)
    assert await known() == 5


async def test_one_repository_leaves_the_budget_of_its_host_to_others(deployment: Deployment):
    """Proofs of five records of one account are due before one of another account on the same server."""
    counters, clock = InProcessCounters(), deployment.clock
    dids = [(await deployment.identity((await deployment.connected(name)).user_id)).did for name in ("cleo", "dana")]
    uris = [f"at://{dids[0]}/{EVENT}/tea{number}" for number in range(5)] + [f"at://{dids[1]}/{EVENT}/tea"]
    handler = fetch.record_handler(
        deployment.db,
        deployment.network,
        deployment.processor.ingestion_context,
        spending_on_proofs(counters, clock, THREE, Limit("proofs_asked_of_repository", 2, 60)),
    )
    async with deployment.db.transaction() as tx:
        await jobs.enqueue_many(tx, JobKind.PROVE_RECORD, [(uri, 1, tx.now) for uri in uris[:5]])
        await jobs.enqueue_many(tx, JobKind.PROVE_RECORD, [(uris[5], 1, Instant(tx.now + 1))])
    clock.turn(SECOND)
    await dispatcher.run_once(deployment.db, {JobKind.PROVE_RECORD: one_job_per_call(handler)})
    question = "select subject from outbox_jobs where kind = 'prove_record' and state = 'completed'"
    async with deployment.db.reader() as reader:
        proven = {row["subject"] for row in await reader.fetch(question)}
    assert len(proven) == 3
    assert uris[5] in proven


async def test_proofs_that_their_host_has_no_budget_for_use_none_of_their_repository(clock: HandClock):
    """They are requested when the host has a budget again, although the window of the repository has not ended."""
    counters = InProcessCounters()
    host, did = "pds.example", "did:plc:cleo"
    spend_on_proof = spending_on_proofs(counters, clock, THREE, Limit("proofs_asked_of_repository", 2, 180))
    spend_on_server = spending(counters, clock, THREE)
    for _ in range(3):
        await spend_on_server(host)
    for _ in range(3):
        with pytest.raises(TooMany):
            await spend_on_proof(did, host)
    clock.turn(MINUTE)
    for _ in range(2):
        await spend_on_proof(did, host)
    with pytest.raises(TooMany):
        await spend_on_proof(did, host)
    await spend_on_server(host)


async def test_a_read_requested_while_another_is_delayed_is_due_at_once(deployment: Deployment):
    """Somebody signs in while the host refuses a read of their repository."""
    cleo = await deployment.connected("cleo")
    did = (await deployment.identity(cleo.user_id)).did

    async def refuse(_host: str) -> None:
        deployment.clock.turn(MINUTE)
        async with deployment.db.transaction() as tx:
            await jobs.enqueue_again(tx, JobKind.BACKFILL, [did])
        deployment.clock.turn(MINUTE)
        raise TooMany("Not now.", after_seconds=600)

    handler = backfill.backfill_handler(
        deployment.db, deployment.network, deployment.processor.ingestion_context, refuse
    )
    assert await dispatcher.run_once(deployment.db, {JobKind.BACKFILL: one_job_per_call(handler)}) == 1
    async with deployment.db.reader() as reader:
        job = await jobs.find(reader, JobKind.BACKFILL, did)
    assert job is not None
    assert (job.state, job.due_at) == (JobState.DUE, deployment.clock.now() - MINUTE)
