"""Identities that cannot be resolved are counted for people known only by DID, and reported to an operator for people
who sign in on this site.
"""

import pytest

from at_protocol.syntax.did import parse_did
from groundwork.errors import NotFound
from groundwork.outbox import dispatcher, jobs
from groundwork.outbox.delivery import one_job_per_call
from openmeet.network.ingestion import backfill, fetch, identity_refresh
from openmeet.outbox.kinds import JobKind
from tests.openmeet.deployment import Deployment

NOBODY = parse_did("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa")


async def paid(deployment: Deployment, kind: JobKind, subject: str) -> tuple[str, list[str]]:
    """The state of a job after one attempt, and the metrics that were counted."""
    counted: list[str] = []
    async with deployment.db.transaction() as tx:
        await jobs.enqueue(tx, kind, subject, 1)
    handlers = {
        JobKind.REFRESH_IDENTITY: identity_refresh.identity_handler(
            deployment.db, deployment.network, count_unknown=counted.append
        ),
        JobKind.FETCH_SUBJECT: fetch.subject_handler(
            deployment.db, deployment.network, deployment.processor.ingestion_context, count_unknown=counted.append
        ),
        JobKind.BACKFILL: backfill.backfill_handler(
            deployment.db, deployment.network, deployment.processor.ingestion_context
        ),
    }
    await dispatcher.run_once(deployment.db, {kind: one_job_per_call(handlers[kind])})
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one(
            "select state from outbox_jobs where kind = :kind and subject = :s", kind=kind, s=subject
        )
    assert row is not None
    return row["state"], counted


@pytest.mark.parametrize(
    ("kind", "subject"),
    [
        (JobKind.REFRESH_IDENTITY, NOBODY),
        (JobKind.REFRESH_IDENTITY, "did:example:nobody"),
        (JobKind.FETCH_SUBJECT, "at://nobody.invalid/community.lexicon.calendar.event/3kaaaaaaaaa22"),
        (JobKind.FETCH_SUBJECT, f"at://{NOBODY}/community.lexicon.calendar.event/3kaaaaaaaaa22"),
        (JobKind.FETCH_SUBJECT, "at://did:example:nobody/community.lexicon.calendar.event/3kaaaaaaaaa22"),
    ],
)
async def test_an_unresolvable_stranger_is_only_counted(deployment: Deployment, kind: JobKind, subject: str):
    """The job completes and the counter increases."""
    assert await paid(deployment, kind, subject) == ("completed", [kind])


@pytest.mark.parametrize("did", [NOBODY, "did:example:nobody", "did:web:evil..example"])
async def test_an_unreachable_repository_fails_no_job(deployment: Deployment, did: str):
    """The DID was submitted by another system. No server has that repository, for example because its server no longer
    exists.
    """
    assert await paid(deployment, JobKind.BACKFILL, did) == ("completed", [])


async def test_an_invalid_uri_fails_the_job(deployment: Deployment):
    """A job with an invalid URI should not exist, so it fails and an operator sees it."""
    assert await paid(deployment, JobKind.FETCH_SUBJECT, f"at://{NOBODY}/community.lexicon.calendar.event") == (
        "failed",
        [],
    )


async def test_an_unresolvable_local_person_fails_the_job(deployment: Deployment):
    """Their records can no longer be maintained, so the job fails."""
    ana = await deployment.person(agrees=False)
    async with deployment.db.transaction() as tx:
        await tx.execute(
            "insert into identities (did, user_id, kind, handle, display_name, pds_url, status, is_default, checked_at,"
            " created_at, updated_at) values (:did, :user_id, 'connected', '', '', '', 'active', 1, null, :now, :now)",
            did=NOBODY,
            user_id=ana.user_id,
            now=tx.now,
        )
    assert await paid(deployment, JobKind.REFRESH_IDENTITY, NOBODY) == ("failed", [])
    with pytest.raises(NotFound) as unknown:
        await identity_refresh.refresh(deployment.db, deployment.network, NOBODY)
    assert unknown.value.name == "DidNotFound"
