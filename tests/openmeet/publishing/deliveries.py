"""Ways to let the small network settle: deliver publications and jobs, let time pass, and read commits or repositories."""

from at_protocol.syntax.did import Did
from groundwork.clock import HOUR, MINUTE
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_job_per_call
from openmeet.domain.identities.model import Identity
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion import fetch
from openmeet.network.ingestion.backfill import backfill
from openmeet.network.publishing.late_writes import late_write_handler
from openmeet.outbox.kinds import JobKind
from tests.openmeet.deployment import Deployment, deliver_all_publications

WAYS_TO_INGEST = ("by the stream", "by a reading")


async def publish_and_listen_for_hours(deployment: Deployment, person: Caller) -> None:
    """Read the stream and deliver all jobs repeatedly, with time in between."""
    for _ in range(5):
        await deployment.listen(person.user_id)
        await deployment.deliver_publications()
        deployment.clock.turn(HOUR)


async def publish_and_listen_for_minutes(deployment: Deployment, who: Caller) -> None:
    for _ in range(5):
        await deliver_all_publications(deployment)
        await deployment.listen(who.user_id)
        deployment.clock.turn(MINUTE)


async def run_jobs_for_minutes(deployment: Deployment, *people: Caller) -> None:
    """Deliver everything that is due and ingest all commits."""
    for _ in range(4):
        await deployment.deliver_publications()
        await dispatcher.run_once(
            deployment.db,
            {
                JobKind.FETCH_SUBJECT: one_job_per_call(
                    fetch.subject_handler(deployment.db, deployment.network, deployment.processor.ingestion_context)
                ),
                JobKind.LATE_WRITE: one_job_per_call(late_write_handler(deployment.publisher)),
            },
        )
        for who in people:
            await deployment.listen(who.user_id)
        await deployment.ingest()
        deployment.clock.turn(MINUTE)


async def publish_and_backfill_for_minutes(deployment: Deployment, did: Did) -> None:
    for _ in range(3):
        deployment.clock.turn(MINUTE)
        await deployment.deliver_publications()
        await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, did)


async def ingest_by(deployment: Deployment, who: Caller, did: Did, how: str) -> None:
    """Ingest a repository. ``how`` is one of ``WAYS_TO_INGEST``."""
    if how == "by a reading":
        await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, did)
    else:
        await deployment.listen(who.user_id)


async def publish_for_minutes(deployment: Deployment) -> None:
    """Deliver everything that is due in the next minutes. Sessions last longer than that."""
    for _ in range(4):
        await deployment.deliver_publications()
        deployment.clock.turn(MINUTE)


async def read_repository(deployment: Deployment, identity: Identity) -> None:
    await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, identity.did)
