"""A repository whose server's clock is ahead: nothing is applied, the read is not complete, and the owner of the
repository is told the reason.
"""

import pytest

from at_protocol.syntax.did import parse_did
from groundwork.clock import MINUTE
from groundwork.errors import RemoteFailed
from openmeet.domain.identities import backfill_progress
from openmeet.domain.identities.backfill_progress import BackfillStage
from openmeet.network.ingestion.backfill import backfill
from openmeet.network.ingestion.reasons import IngestionReason
from openmeet.network.ingestion.reconcile import reconcile
from openmeet.network.repositories import read
from tests.openmeet.account_merge.login_import import backfill_progress_of, session_did, sign_in_on_pds, write_events
from tests.openmeet.deployment import Deployment


async def floor(deployment: Deployment, did: str) -> str:
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select floor_rev from repositories where did = :did", did=did)
    return "" if row is None else row["floor_rev"]


async def written_ahead(deployment: Deployment) -> str:
    """Dora's repository, with a last commit dated ten minutes from now. Returns its DID."""
    await deployment.account("dora")
    client = await deployment.stranger("dora")
    did = await session_did(client)
    deployment.clock.turn(10 * MINUTE)
    await write_events(client, did, 3)
    deployment.clock.turn(-10 * MINUTE)
    return did


async def test_a_person_whose_server_is_ahead_is_told_why(deployment: Deployment):
    """Otherwise the repository would count as read while it is empty, and all later records would be ignored. The
    repository is read when the clock has caught up with the rev.
    """
    did = await written_ahead(deployment)
    user_id = await sign_in_on_pds(deployment)
    await deployment.deliver_jobs()
    assert await backfill_progress_of(deployment, user_id) == (BackfillStage.DELAYED, 0, 0)
    async with deployment.db.reader() as reader:
        (one,) = await backfill_progress.of_person(reader, user_id)
    assert one.reason == IngestionReason.CLOCK_AHEAD()
    assert await floor(deployment, did) == ""
    deployment.clock.turn(10 * MINUTE)
    await deployment.deliver_jobs()
    assert await backfill_progress_of(deployment, user_id) == (BackfillStage.DONE, 3, 3)
    assert await floor(deployment, did) != ""


@pytest.mark.parametrize("is_large", [False, True])
async def test_reads_and_comparisons_ignore_a_rev_ahead(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, is_large: bool
):
    """The rev is ignored both in a whole read and in a read record by record, which is used for large repositories."""
    if is_large:
        monkeypatch.setattr(read, "MAX_REPOSITORY_BYTES", 100)
    did = parse_did(await written_ahead(deployment))
    here = deployment.processor.ingestion_context
    with pytest.raises(RemoteFailed, match="ahead"):
        await backfill(deployment.db, deployment.network, here, did)
    with pytest.raises(RemoteFailed, match="ahead"):
        await reconcile(deployment.db, deployment.network, here, did)
    async with deployment.db.reader() as reader:
        assert await reader.fetch("select uri from records") == []
    assert await floor(deployment, did) == ""
    deployment.clock.turn(10 * MINUTE)
    assert await backfill(deployment.db, deployment.network, here, did) == 3
