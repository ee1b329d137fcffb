"""Signing in imports everything in the person's repository and shows the progress on a page, even if the PDS fails
meanwhile.
"""

import time

import pytest

from at_protocol.syntax.did import parse_did
from groundwork.clock import MINUTE
from groundwork.http.server import serve
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.event_records import by_record_uri
from openmeet.domain.identities.backfill_progress import BackfillStage
from openmeet.network.ingestion import backfill, failure_isolation
from tests.openmeet.account_merge.login_import import (
    backfill_progress_of,
    key_of_event,
    session_did,
    sign_in_on_pds,
    write_events,
)
from tests.openmeet.deployment import Deployment, deployment
from tests.openmeet.ingestion.network import rsvp_value
from tests.openmeet.site_under_test import signed_in, site_on
from tests.simulation.oracle import EVENT, RSVP

__all__ = ["deployment"]


async def test_signing_in_imports_the_whole_repository(deployment: Deployment) -> None:
    """Everything is imported once, and RSVPs made earlier on this site are kept."""
    await deployment.account("dora")
    client = await deployment.stranger("dora")
    did = await session_did(client)
    await write_events(client, did, 250)
    await client.procedure(
        "com.atproto.repo.createRecord",
        {
            "repo": did,
            "collection": RSVP,
            "record": {**rsvp_value(f"at://{did}/{EVENT}/{key_of_event(1)}"), "createdAt": "2026-01-01T00:00:00Z"},
        },
    )
    user_id = await sign_in_on_pds(deployment)
    assert await backfill_progress_of(deployment, user_id) == (BackfillStage.WAITING, 0, 0)
    began = time.perf_counter()
    await deployment.deliver_jobs()
    print(f"read 251 records in {time.perf_counter() - began:.2f} s")
    assert await backfill_progress_of(deployment, user_id) == (BackfillStage.DONE, 251, 251)
    ben = await deployment.person("Ben", agrees=False)
    async with deployment.db.transaction() as tx:
        tea = await by_record_uri(tx, f"at://{did}/{EVENT}/{key_of_event(2)}")
        await attendance.answer(tx, ben, tea.slug, RsvpReply.GOING)
    assert await sign_in_on_pds(deployment) == user_id
    await deployment.deliver_jobs()
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select author_id, count(*) as n from events group by author_id")
        going = await reader.fetch("select user_id from attendances where status = 'attending' order by user_id")
    assert [(row["author_id"], row["n"]) for row in rows] == [(user_id, 250)]
    assert {row["user_id"] for row in going} == {user_id, ben.user_id}


async def test_an_import_resumes_when_the_pds_is_back(deployment: Deployment) -> None:
    """The page says that the import is waiting and why. When the PDS is back, nothing is lost or duplicated."""
    await deployment.account("dora")
    client = await deployment.stranger("dora")
    await write_events(client, await session_did(client), 30)
    user_id = await sign_in_on_pds(deployment)
    async with signed_in(site_on(deployment.db, deployment.clock), user_id) as browser:
        assert "/my/reading" in (await browser.get("/my/events")).text
        await deployment.pds_serving.stop()
        await deployment.deliver_jobs()
        assert (await backfill_progress_of(deployment, user_id))[0] is BackfillStage.DELAYED
        shown = (await browser.get("/my/reading")).text
        assert 'http-equiv="refresh"' in shown
        assert "isn’t answering" in shown
        back = await serve(deployment.pds.app, "127.0.0.1", deployment.pds_serving.port)
        try:
            deployment.clock.turn(30 * MINUTE)
            await deployment.deliver_jobs()
        finally:
            await back.stop()
        shown = (await browser.get("/my/reading")).text
        assert "You have 30 events and answers here" in shown
        assert 'http-equiv="refresh"' not in shown
        assert "/my/reading" not in (await browser.get("/my/events")).text


async def test_a_crashed_import_loses_and_repeats_nothing(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker is killed between two batches, and the next worker that takes the job continues."""
    await deployment.account("dora")
    client = await deployment.stranger("dora")
    did = await session_did(client)
    await write_events(client, did, 30)
    user_id = await sign_in_on_pds(deployment)
    monkeypatch.setattr(failure_isolation, "BATCH", 10)
    with monkeypatch.context() as patch:
        patch.setattr(deployment.db, "batch", dying_after(2, deployment.db.batch))
        with pytest.raises(KeyboardInterrupt):
            await backfill.backfill(
                deployment.db, deployment.network, deployment.processor.ingestion_context, parse_did(did)
            )
    assert await backfill_progress_of(deployment, user_id) == (BackfillStage.APPLYING, 20, 30)
    await backfill.backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, parse_did(did))
    assert await backfill_progress_of(deployment, user_id) == (BackfillStage.DONE, 30, 30)
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select count(*) as n from events where author_id = :id", id=user_id)
    assert row["n"] == 30


def dying_after(number: int, batch):
    """Return a ``batch`` of a process that is killed before it begins transaction ``number`` + 1."""
    done = iter(range(number))

    async def run(work):
        if next(done, None) is None:
            raise KeyboardInterrupt
        return await batch(work)

    return run
