"""Signing in imports everything in the person's repository and shows the progress on a page, even if the PDS fails
meanwhile.
"""

import time

import pytest

from at_network.xrpc_client import XrpcClient
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.tid import from_microseconds
from groundwork.clock import MINUTE
from groundwork.http.server import serve
from openmeet.domain.account_merge import actions as account_merge
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.event_records import by_record_uri
from openmeet.domain.identities import backfill_progress
from openmeet.domain.identities.backfill_progress import BackfillStage
from openmeet.domain.users.model import UserId
from openmeet.network.ingestion import apply_read, backfill
from openmeet.network.repositories.sign_in import sign_in_with_password
from tests.openmeet.deployment import Deployment, deployment
from tests.openmeet.ingestion.network import event_value, rsvp_value
from tests.openmeet.site_under_test import signed_in, site_on
from tests.simulation.oracle import EVENT, RSVP

__all__ = ["deployment"]


def key_of(index: int) -> str:
    """The record key of an event that ``fill`` wrote."""
    return from_microseconds(1_770_000_000_000_000 + index, 0)


async def fill(client: XrpcClient, did: str, number: int, *, words: str = "Evening") -> None:
    """Write this many events to the repository, as another app would."""
    for start in range(0, number, 200):
        writes = [
            {
                "$type": "com.atproto.repo.applyWrites#create",
                "collection": EVENT,
                "rkey": key_of(index),
                "value": event_value(f"{words} {index}", startsAt=f"2026-06-{index % 28 + 1:02}T18:00:00Z"),
            }
            for index in range(start, min(start + 200, number))
        ]
        await client.procedure("com.atproto.repo.applyWrites", {"repo": did, "writes": writes})


async def did_of(client: XrpcClient) -> str:
    return str((await client.query("com.atproto.server.getSession"))["did"])


async def signs_in(deployment: Deployment, name: str = "dora") -> UserId:
    async def arrive(tx, did, handle, pds_url):
        return (await account_merge.sign_in_with_did(tx, did, handle=handle, pds_url=pds_url)).user_id

    return (
        await sign_in_with_password(
            deployment.db, deployment.network, identifier=f"{name}.town.test", password="a long password", arrive=arrive
        )
    ).user_id


async def how_far(deployment: Deployment, user_id: UserId) -> tuple[BackfillStage, int, int]:
    async with deployment.db.reader() as reader:
        (one,) = await backfill_progress.of_person(reader, user_id)
    return one.stage, one.applied, one.total


async def test_signing_in_imports_the_whole_repository(deployment: Deployment) -> None:
    """Everything is imported once, and RSVPs made earlier on this site are kept."""
    await deployment.account("dora")
    client = await deployment.stranger("dora")
    did = await did_of(client)
    await fill(client, did, 250)
    await client.procedure(
        "com.atproto.repo.createRecord",
        {
            "repo": did,
            "collection": RSVP,
            "record": {**rsvp_value(f"at://{did}/{EVENT}/{key_of(1)}"), "createdAt": "2026-01-01T00:00:00Z"},
        },
    )
    user_id = await signs_in(deployment)
    assert await how_far(deployment, user_id) == (BackfillStage.WAITING, 0, 0)
    began = time.perf_counter()
    await deployment.deliver_jobs()
    print(f"read 251 records in {time.perf_counter() - began:.2f} s")
    assert await how_far(deployment, user_id) == (BackfillStage.DONE, 251, 251)
    ben = await deployment.person("Ben", agrees=False)
    async with deployment.db.transaction() as tx:
        tea = await by_record_uri(tx, f"at://{did}/{EVENT}/{key_of(2)}")
        await attendance.answer(tx, ben, tea.slug, RsvpReply.GOING)
    assert await signs_in(deployment) == user_id
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
    await fill(client, await did_of(client), 30)
    user_id = await signs_in(deployment)
    async with signed_in(site_on(deployment.db, deployment.clock), user_id) as browser:
        assert "/my/reading" in (await browser.get("/my/events")).text
        await deployment.pds_serving.stop()
        await deployment.deliver_jobs()
        assert (await how_far(deployment, user_id))[0] is BackfillStage.DELAYED
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
    did = await did_of(client)
    await fill(client, did, 30)
    user_id = await signs_in(deployment)
    monkeypatch.setattr(apply_read, "BATCH", 10)
    with monkeypatch.context() as patch:
        patch.setattr(deployment.db, "batch", dying_after(2, deployment.db.batch))
        with pytest.raises(KeyboardInterrupt):
            await backfill.backfill(
                deployment.db, deployment.network, deployment.processor.ingestion_context, parse_did(did)
            )
    assert await how_far(deployment, user_id) == (BackfillStage.APPLYING, 20, 30)
    await backfill.backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, parse_did(did))
    assert await how_far(deployment, user_id) == (BackfillStage.DONE, 30, 30)
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
