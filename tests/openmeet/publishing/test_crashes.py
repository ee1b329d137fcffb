"""Publishers are killed on any request, responses are lost, and other apps edit meanwhile: in the end there is one
record.
"""

import asyncio
import contextlib
import random

import pytest
from aiohttp import web

from groundwork.clock import HOUR, MINUTE
from openmeet.domain.events.queries import by_slug
from openmeet.network.publishing import schedule
from openmeet.network.records.collections import EVENT
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.deployment import Deployment, records_listed

STEPS = 14


class _Faults:
    """Loses the response to the n-th request, and can kill the publisher that waits for it."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.left: int | None = None
        self.victim: asyncio.Task[int] | None = None

    def loses(self, request: web.Request) -> bool:
        # If the response to a refresh is lost for longer than the server's grace period, the session ends and the
        # person has to sign in again.
        if self.left is None or request.path.endswith("refreshSession"):
            return False
        self.left -= 1
        if self.left > 0:
            return False
        self.left = None
        if self.victim is not None:
            self.victim.cancel()
        return True


async def deliver_with_faults(deployment: Deployment, faults: _Faults) -> None:
    """Deliver once. A response can be lost, or the publisher killed in the middle."""
    task = asyncio.create_task(schedule.run_once(deployment.publisher))
    faults.left = faults.chance.choice((None, 1, 2, 3))
    faults.victim = task if faults.chance.random() < 0.6 else None
    with contextlib.suppress(asyncio.CancelledError):
        await task
    faults.left = faults.victim = None


async def foreign_edit(deployment: Deployment, number: int) -> None:
    """Another app adds its own field to the record, if there is one."""
    app = await deployment.stranger("cleo")
    did = (await app.query("com.atproto.server.getSession"))["did"]
    listed = await app.query("com.atproto.repo.listRecords", {"repo": did, "collection": EVENT})
    for one in records_listed(listed):
        await app.procedure(
            "com.atproto.repo.putRecord",
            {
                "repo": did,
                "collection": EVENT,
                "rkey": one["uri"].rpartition("/")[2],
                "record": {**one["value"], "theme": f"theme {number}"},
                "swapRecord": one["cid"],
            },
        )


# 31: another app edits the record of a first write whose response was lost. 217: the publisher retries before ingestion
# has applied what it found.
@pytest.mark.parametrize("seed", [*range(4), 31, 217])
async def test_killed_publisher_leaves_exactly_one_record(deployment: Deployment, seed: int):
    """Wherever the publisher was killed, there is exactly one record, with the event's values and the field that the
    other app added.
    """
    chance = random.Random(seed)
    cleo = await deployment.connected()
    # Connect to the repository through the proxy, so that responses can be lost.
    async with deployment.db.transaction() as tx:
        await tx.execute("update repository_sessions set pds_url = :url", url=deployment.proxy.url)
    faults = _Faults(chance)
    deployment.proxy.loses = faults.loses
    event = await deployment.event(cleo)
    theme = None
    for step in range(STEPS):
        match chance.randrange(5):
            case 0:
                event = await deployment.revise(cleo, event.slug, title=f"Title {step}")
            case 1:
                await foreign_edit(deployment, step)
                theme = f"theme {step}"
            case 2:
                await deployment.listen(cleo.user_id)
            case _:
                await deliver_with_faults(deployment, faults)
        deployment.clock.turn(chance.choice((1, MINUTE, 10 * MINUTE, HOUR)))
    for _ in range(8):
        await deployment.deliver_publications()
        await deployment.ingest()
        deployment.clock.turn(2 * HOUR)
    app = await deployment.stranger("cleo")
    await deployment.listen(cleo.user_id)
    listed = await app.query(
        "com.atproto.repo.listRecords", {"repo": (await deployment.identity(cleo.user_id)).did, "collection": EVENT}
    )
    assert len(listed["records"]) == 1, f"seed {seed}"
    record = listed["records"][0]["value"]
    async with deployment.db.reader() as reader:
        here = await by_slug(reader, event.slug)
    assert here is not None
    assert (record["name"], here.title) == (event.title, event.title), f"seed {seed}"
    if theme is not None and "theme" in record:
        assert record["theme"].startswith("theme "), f"seed {seed}"
    publication = await deployment.status_of(PublicationKind.EVENT, event.id)
    assert publication.state is PublicationState.PUBLISHED, f"seed {seed}: {publication}"
    assert publication.uri == listed["records"][0]["uri"]
