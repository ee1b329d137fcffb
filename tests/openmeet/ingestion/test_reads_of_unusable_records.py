"""Repositories with many records that cannot be used here are read within the budget of their host, and only once."""

from collections.abc import Mapping
from typing import Any

import pytest

from at_protocol.syntax.did import Did, parse_did
from groundwork.clock import MINUTE
from groundwork.outbox import dispatcher, jobs
from groundwork.outbox.delivery import one_job_per_call
from groundwork.outbox.jobs import JobState
from groundwork.rate_limit.contract import Limit
from groundwork.rate_limit.in_process import InProcessCounters
from openmeet.feature_flags.flags import MAX_AGE, Flag
from openmeet.network.flag_changes import switch
from openmeet.network.ingestion import record_proofs
from openmeet.network.ingestion.backfill import backfill_handler
from openmeet.network.ingestion.server_budgets import spending
from openmeet.network.records import seen_rsvps
from openmeet.network.records.collections import EVENT, RSVP, SERIES
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publications import PublicationKind
from tests.openmeet.deployment import Deployment
from tests.openmeet.deployment import deployment_on_each as deployment
from tests.openmeet.ingestion.network import event_value, rsvp_value
from tests.openmeet.ingestion.view import view_of

__all__ = ["deployment"]

# About eight proofs cover them, two or three times as many as the budget allows.
MANY = 24
TID_DIGITS = str.maketrans("0189", "uvwx")
UNKNOWN = f"at://did:plc:{'a' * 24}/{EVENT}/3mfyouu222222"


@pytest.fixture(autouse=True)
def _one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests that are under way at the same time cannot use each other's proofs."""
    monkeypatch.setattr(record_proofs, "SIDE_BY_SIDE", 1)


def key(number: int) -> str:
    # The same in every run, because they decide the shape of the tree and how many records a proof covers.
    return f"3mqdau33oz{number:03}".translate(TID_DIGITS)


async def write(deployment: Deployment, collection: str, number: int, record: Mapping[str, Any]) -> None:
    app = await deployment.stranger("cleo")
    did = (await app.query("com.atproto.server.getSession"))["did"]
    await app.procedure(
        "com.atproto.repo.putRecord",
        {"repo": did, "collection": collection, "rkey": key(number), "record": record, "validate": False},
    )


async def read_in_rounds(deployment: Deployment, did: Did, *, requests: int, rounds: int) -> int:
    """Enqueue a read and run its job once a minute until it is complete; return how often it ran."""
    spend = spending(InProcessCounters(), deployment.clock, Limit("records_asked_of_server", requests, 60))
    handler = backfill_handler(deployment.db, deployment.network, deployment.processor.ingestion_context, spend)
    async with deployment.db.transaction() as tx:
        await jobs.enqueue(tx, JobKind.BACKFILL, did, int(tx.now))
    for number in range(1, rounds + 1):
        await dispatcher.run_once(deployment.db, {JobKind.BACKFILL: one_job_per_call(handler)})
        async with deployment.db.reader() as reader:
            job = await jobs.find(reader, JobKind.BACKFILL, did)
        assert job is not None
        if job.state is JobState.COMPLETED:
            return number
        deployment.clock.turn(2 * MINUTE)
    raise AssertionError(f"not complete after {rounds} rounds")


async def rsvp_keys(deployment: Deployment, state: str) -> set[str]:
    async with deployment.db.reader() as reader:
        rows = await reader.fetch(
            "select rkey from records where state = :state and collection = :rsvp", state=state, rsvp=RSVP
        )
    return {row["rkey"] for row in rows}


async def newest_rev(deployment: Deployment, state: str = "mapped") -> str:
    """The newest rev at which an RSVP in this state was applied."""
    async with deployment.db.reader() as reader:
        (row,) = await reader.fetch(
            "select max(rev) as rev from records where state = :state and collection = :rsvp",
            state=state,
            rsvp=RSVP,
        )
    return str(row["rev"])


async def states(deployment: Deployment) -> dict[str, int]:
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select state, count(*) as n from records group by state")
    return {row["state"]: row["n"] for row in rows}


async def test_records_kept_raw_are_not_verified_again(deployment: Deployment, monkeypatch: pytest.MonkeyPatch):
    """Somebody has given more RSVPs to unknown events than are kept. Each round of the read verifies others of them. A
    later read applies them again without a request, because there may be room by now.
    """
    monkeypatch.setattr(seen_rsvps, "MAX_AWAITING_PER_AUTHOR", 2)
    await deployment.connected("cleo")
    for number in range(MANY):
        await write(deployment, RSVP, number, rsvp_value(f"{UNKNOWN[:-2]}{key(number)[-2:]}"))
    did = parse_did((await (await deployment.stranger("cleo")).query("com.atproto.server.getSession"))["did"])
    assert await read_in_rounds(deployment, did, requests=6, rounds=4) > 1
    assert await states(deployment) == {"awaits_event": 2, "raw": MANY - 2}
    monkeypatch.setattr(seen_rsvps, "MAX_AWAITING_PER_AUTHOR", 500)
    await write(deployment, "org.example.note", 1, {"$type": "org.example.note"})
    assert await read_in_rounds(deployment, did, requests=2, rounds=1) == 1
    assert await states(deployment) == {"awaits_event": MANY}


async def test_few_rsvps_that_were_set_aside_are_applied_again(deployment: Deployment, monkeypatch: pytest.MonkeyPatch):
    """Somebody has given many RSVPs to one event. A later read applies as many of those that were set aside as may count,
    the greatest first, so that they replace those that were deleted.
    """
    monkeypatch.setattr(seen_rsvps, "MAX_RSVPS_TO_EVENT", 2)
    did = parse_did((await deployment.identity((await deployment.connected("cleo")).user_id)).did)
    await write(deployment, EVENT, 0, event_value())
    for number in range(1, 8):
        answer = rsvp_value(f"at://{did}/{EVENT}/{key(0)}", createdAt=f"2026-03-01T00:00:0{number}Z")
        await write(deployment, RSVP, number, answer)
    assert await read_in_rounds(deployment, did, requests=100, rounds=1) == 1
    assert await rsvp_keys(deployment, "mapped") == {key(6), key(7)}
    app = await deployment.stranger("cleo")
    for number in (6, 7):
        await app.procedure("com.atproto.repo.deleteRecord", {"repo": did, "collection": RSVP, "rkey": key(number)})
    before = await newest_rev(deployment)
    deployment.clock.turn(MINUTE)
    assert await read_in_rounds(deployment, did, requests=100, rounds=1) == 1
    assert await rsvp_keys(deployment, "mapped") == {key(4), key(5)}
    assert await rsvp_keys(deployment, "raw") == {key(1), key(2), key(3)}
    assert await newest_rev(deployment, "raw") == before


async def test_rsvps_that_were_set_aside_are_limited_for_each_event(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
):
    """Somebody has given many RSVPs to two events, and those to the first are greater than all others. The RSVPs to the
    second event that counted are deleted, and others replace them.
    """
    monkeypatch.setattr(seen_rsvps, "MAX_RSVPS_TO_EVENT", 2)
    did = parse_did((await deployment.identity((await deployment.connected("cleo")).user_id)).did)
    for number in range(2):
        await write(deployment, EVENT, number, event_value())
    for number in range(1, 10):
        about = f"at://{did}/{EVENT}/{key(1 if number < 5 else 0)}"
        await write(deployment, RSVP, number, rsvp_value(about, createdAt=f"2026-03-01T00:00:0{number}Z"))
    assert await read_in_rounds(deployment, did, requests=100, rounds=1) == 1
    assert await rsvp_keys(deployment, "mapped") == {key(3), key(4), key(8), key(9)}
    app = await deployment.stranger("cleo")
    for number in (3, 4):
        await app.procedure("com.atproto.repo.deleteRecord", {"repo": did, "collection": RSVP, "rkey": key(number)})
    deployment.clock.turn(MINUTE)
    assert await read_in_rounds(deployment, did, requests=100, rounds=1) == 1
    assert await rsvp_keys(deployment, "mapped") == {key(1), key(2), key(8), key(9)}


async def test_records_of_a_kind_that_is_off_do_not_prolong_a_read(deployment: Deployment):
    """They are verified last, as far as the budget allows. The read then counts as done, but not as complete."""
    await deployment.connected("cleo")
    for number in range(MANY):
        await write(deployment, SERIES, number, {"$type": SERIES, "name": "Tea", "createdAt": "2026-03-01T00:00:00Z"})
    await write(deployment, RSVP, MANY, rsvp_value(UNKNOWN))
    did = parse_did((await (await deployment.stranger("cleo")).query("com.atproto.server.getSession"))["did"])
    assert await read_in_rounds(deployment, did, requests=6, rounds=1) == 1
    assert await states(deployment) == {"awaits_event": 1}
    async with deployment.db.reader() as reader:
        (row,) = await reader.fetch("select floor_rev, synced_at from repositories where did = :did", did=did)
    assert (row["floor_rev"], row["synced_at"]) == ("", deployment.clock.now())


async def test_our_records_of_a_kind_that_is_off_are_verified_first(deployment: Deployment):
    """Another app's change to a record of this site must be known before the site writes it again (invariant 6)."""
    cleo = await deployment.connected("cleo")
    did = parse_did((await deployment.identity(cleo.user_id)).did)
    tea = await deployment.event(cleo)
    await deployment.deliver_publications()
    async with deployment.db.transaction() as tx:
        assert await switch(tx, Flag.EVENTS_IN, is_on=False, changed_by="a test")
    deployment.clock.turn(MAX_AGE)
    for number in range(MANY):
        await write(deployment, EVENT, number, event_value(f"Tea {number}"))
    uri = (await deployment.status_of(PublicationKind.EVENT, tea.id)).uri or ""
    record = await deployment.record(uri)
    record.pop("cid")
    app = await deployment.stranger("cleo")
    await app.procedure(
        "com.atproto.repo.putRecord",
        {"repo": did, "collection": EVENT, "rkey": uri.rpartition("/")[2], "record": {**record, "name": "Soup"}},
    )
    assert await read_in_rounds(deployment, did, requests=3, rounds=1) == 1
    assert (await view_of(deployment.db)).events == {uri: "Soup"}
